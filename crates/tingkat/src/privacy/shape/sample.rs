//! Values that are made up, to see whether a type can do without a field.
//!
//! Not every text is an id, so several are tried in turn for whatever refuses one. A type that
//! refuses all of them is believed: a value that can not be read is found when it is loaded.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::super::Names;
use super::Step;
use super::choices::Choices;
use super::tracer::Halt;

/// Texts of which most types take one.
const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "50450",
    "2000-01-01T00:00:00Z",
    "2000-01-01",
    "MYR",
    "00000000-0000-4000-8000-000000000000",
    "127.0.0.1",
    "https://a.example/",
    "1s",
];

/// Numbers of which most types take one.
const NUMBERS: &[u8] = &[1, 0, 100];

/// Deeper than this no value is made up.
const DEEPEST: usize = 50;

/// Whether the private field at the end of a way is one that the type can not be read without.
pub(super) fn is_required<V: DeserializeOwned>(way: &[Step], names: &Names) -> bool {
    // A variant is all that its value has.
    if matches!(way.last(), Some(Step::Variant(_))) {
        return true;
    }
    let mut choices = Choices::default();
    loop {
        let attempt: Result<V, Halt> = V::deserialize(Sample {
            way: Some(way),
            names: Some(names),
            choices: &mut choices,
            depth: 0,
        });
        match attempt {
            Err(Halt::Missing(field)) if names.has(field) => return true,
            Err(_) if choices.advance() => {}
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Any value. A seed is used up by one attempt; whoever asks tries again with other choices.
pub(super) fn made_up<'de, T: DeserializeSeed<'de>>(
    seed: T,
    choices: &mut Choices,
) -> Result<T::Value, Halt> {
    seed.deserialize(Sample {
        way: None,
        names: None,
        choices,
        depth: 0,
    })
}

/// A deserializer that makes its values up: as little as can be, but what the way goes through.
struct Sample<'s> {
    /// What is left of the way; nothing beside it.
    way: Option<&'s [Step]>,
    /// Fields that are left out.
    names: Option<&'s Names>,
    choices: &'s mut Choices,
    depth: usize,
}

impl Sample<'_> {
    /// The same place once more.
    fn again(&mut self) -> Sample<'_> {
        Sample {
            way: self.way,
            names: self.names,
            choices: self.choices,
            depth: self.depth,
        }
    }

    /// Behind the turn that was taken here, on the way or beside it.
    fn at(&mut self, step: Step) -> Sample<'_> {
        let way = self.way.and_then(|way| way.split_first());
        let way = way.filter(|(taken, _)| **taken == step);
        Sample {
            way: way.map(|(_, rest)| rest),
            depth: self.depth + 1,
            ..self.again()
        }
    }

    fn through(self) -> Result<Self, Halt> {
        let depth = self.depth + 1;
        let is_too_deep = depth > DEEPEST;
        (!is_too_deep)
            .then_some(Sample { depth, ..self })
            .ok_or(Halt::Nothing)
    }

    fn text(self) -> Result<&'static str, Halt> {
        self.choices.pick(TEXTS)
    }

    /// The variants that there are a choice of: on the way there is none.
    fn variant(&mut self, variants: &[&'static str]) -> Result<&'static str, Halt> {
        match self.way.and_then(|way| way.first()) {
            Some(Step::Variant(variant)) => Ok(variant),
            _ => self.choices.pick(variants),
        }
    }
}

macro_rules! made {
    ($($name:ident => $visit:ident($from:expr))*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
            visitor.$visit($from(&mut *self.choices)?.into())
        }
    )*};
}

fn number(choices: &mut Choices) -> Result<u8, Halt> {
    choices.pick(NUMBERS)
}

fn small(choices: &mut Choices) -> Result<i8, Halt> {
    number(choices).map(|number| i8::try_from(number).unwrap_or_default())
}

impl<'de> Deserializer<'de> for Sample<'_> {
    type Error = Halt;

    made! {
        deserialize_bool => visit_bool(|it: &mut Choices| it.pick(&[false, true]))
        deserialize_i8 => visit_i8(small)
        deserialize_i16 => visit_i16(number)
        deserialize_i32 => visit_i32(number)
        deserialize_i64 => visit_i64(number)
        deserialize_i128 => visit_i128(number)
        deserialize_u8 => visit_u8(number)
        deserialize_u16 => visit_u16(number)
        deserialize_u32 => visit_u32(number)
        deserialize_u64 => visit_u64(number)
        deserialize_u128 => visit_u128(number)
        deserialize_f32 => visit_f32(number)
        deserialize_f64 => visit_f64(number)
        deserialize_char => visit_char(|it: &mut Choices| it.pick(&['a', 'A', '0']))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        match self.choices.choose(TEXTS.len() + 3) {
            0 => visitor.visit_unit(),
            1 => visitor.visit_u64(1),
            2 => visitor.visit_map(Nothing),
            other => visitor.visit_str(TEXTS.get(other - 3).ok_or(Halt::Nothing)?),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_string(self.text()?.to_owned())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_bytes(self.text()?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_byte_buf(self.text()?.as_bytes().to_vec())
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        if self.way.is_none() {
            return visitor.visit_none();
        }
        visitor.visit_some(self.through()?)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        visitor.visit_newtype_struct(self.through()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let count = usize::from(self.way.is_some());
        let sample = self.through()?;
        visitor.visit_seq(Items {
            sample,
            at: 0,
            count,
            has_turns: false,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        if self.way.is_none() {
            return visitor.visit_map(Nothing);
        }
        visitor.visit_map(One(Some(self.through()?)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let sample = self.through()?;
        visitor.visit_seq(Items {
            sample,
            at: 0,
            count,
            has_turns: true,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let sample = self.through()?;
        visitor.visit_map(Fields {
            sample,
            left: fields.iter(),
            now: None,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let variant = self.variant(variants)?;
        visitor.visit_enum(Variant(variant, self.through()?))
    }
}

/// Items of a list or of a tuple, whose places are turns.
struct Items<'s> {
    sample: Sample<'s>,
    at: usize,
    count: usize,
    has_turns: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Halt;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Halt> {
        if self.at == self.count {
            return Ok(None);
        }
        let at = self.at;
        self.at += 1;
        let item = if self.has_turns {
            self.sample.at(Step::Item(at))
        } else {
            self.sample.again()
        };
        seed.deserialize(item).map(Some)
    }
}

/// A map without anything.
struct Nothing;

impl<'de> MapAccess<'de> for Nothing {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Halt> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _: V) -> Result<V::Value, Halt> {
        Err(Halt::Nothing)
    }
}

/// A map with one value, whatever its key.
struct One<'s>(Option<Sample<'s>>);

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        match &mut self.0 {
            Some(sample) => made_up(seed, sample.choices).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Halt> {
        seed.deserialize(self.0.take().ok_or(Halt::Nothing)?)
    }
}

/// The fields of a struct but for the private ones.
struct Fields<'s> {
    sample: Sample<'s>,
    left: std::slice::Iter<'static, &'static str>,
    now: Option<&'static str>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        let names = self.sample.names;
        let is_kept = |field: &&&str| names.is_none_or(|names| !names.has(field));
        self.now = self.left.by_ref().find(is_kept).copied();
        self.now
            .map(|field| seed.deserialize(StrDeserializer::new(field)))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Halt> {
        let field = self.now.ok_or(Halt::Nothing)?;
        seed.deserialize(self.sample.at(Step::Field(field)))
    }
}

struct Variant<'s>(&'static str, Sample<'s>);

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Halt;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Halt> {
        let variant = seed.deserialize(StrDeserializer::new(self.0))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Halt;

    fn unit_variant(self) -> Result<(), Halt> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Halt> {
        seed.deserialize(self.1.at(Step::Variant(self.0)))
    }

    fn tuple_variant<V: Visitor<'de>>(
        mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.1
            .at(Step::Variant(self.0))
            .deserialize_tuple(count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.1
            .at(Step::Variant(self.0))
            .deserialize_struct("", fields, visitor)
    }
}
