//! A deserializer that has no values: it goes one way into a type and tells what is at its end.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::Step;
use super::choices::Choices;
use super::sample::made_up;

/// Deeper than this no type is followed: lists of lists of lists have no names.
const DEEPEST: usize = 100;

/// Why reading has ended; it always does.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Halt {
    /// There is no value.
    Nothing,
    /// A field that the type can not do without.
    Missing(&'static str),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only the shape was asked for")
    }
}

impl std::error::Error for Halt {}

impl Error for Halt {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Nothing
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// What is at the end of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Place {
    Struct(&'static str, &'static [&'static str]),
    Enum(&'static str, &'static [&'static str]),
    Tuple(usize),
    /// A variant without a value.
    Unit,
    Leaf,
}

impl Place {
    /// The turns that can be taken here.
    pub(super) fn steps(&self) -> Box<dyn Iterator<Item = Step>> {
        match *self {
            Self::Struct(_, fields) => Box::new(fields.iter().copied().map(Step::Field)),
            Self::Enum(_, variants) => Box::new(variants.iter().copied().map(Step::Variant)),
            Self::Tuple(count) => Box::new((0..count).map(Step::Item)),
            Self::Unit | Self::Leaf => Box::new(std::iter::empty()),
        }
    }
}

/// Somewhere on the way.
pub(super) struct Tracer<'t> {
    way: &'t [Step],
    found: &'t mut Option<Place>,
    /// For what has to be there before what is looked for.
    choices: &'t mut Choices,
    depth: usize,
}

impl<'t> Tracer<'t> {
    pub(super) const fn new(
        way: &'t [Step],
        found: &'t mut Option<Place>,
        choices: &'t mut Choices,
    ) -> Self {
        Self {
            way,
            found,
            choices,
            depth: 0,
        }
    }

    /// Goes on behind something that has no name.
    fn through(self) -> Result<Self, Halt> {
        let depth = self.depth + 1;
        if depth > DEEPEST {
            return Err(Halt::Nothing);
        }
        Ok(Self { depth, ..self })
    }

    /// The turn that is taken here; at the end of the way this place is what was looked for.
    fn turn(self, place: Place) -> Result<(Step, Self), Halt> {
        let Some((step, way)) = self.way.split_first() else {
            *self.found = Some(place);
            return Err(Halt::Nothing);
        };
        Ok((*step, Self { way, ..self }.through()?))
    }

    fn leaf<T>(self) -> Result<T, Halt> {
        if self.way.is_empty() {
            *self.found = Some(Place::Leaf);
        }
        Err(Halt::Nothing)
    }
}

macro_rules! leaves {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Halt> {
            self.leaf()
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Halt;

    leaves! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Halt> {
        self.leaf()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
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
        visitor.visit_seq(Inside(Some(self.through()?), 0))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_map(AnyKey(Some(self.through()?)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, tracer) = self.turn(Place::Tuple(count))?;
        match step {
            Step::Item(at) => visitor.visit_seq(Inside(Some(tracer), at)),
            Step::Field(_) | Step::Variant(_) => Err(Halt::Nothing),
        }
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
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, tracer) = self.turn(Place::Struct(name, fields))?;
        match step {
            Step::Field(field) => visitor.visit_map(Field(field, Some(tracer))),
            Step::Variant(_) | Step::Item(_) => Err(Halt::Nothing),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, tracer) = self.turn(Place::Enum(name, variants))?;
        match step {
            Step::Variant(variant) => visitor.visit_enum(Variant(variant, tracer)),
            Step::Field(_) | Step::Item(_) => Err(Halt::Nothing),
        }
    }
}

/// One item of a list; those before it are made up.
struct Inside<'t>(Option<Tracer<'t>>, usize);

impl<'de> SeqAccess<'de> for Inside<'_> {
    type Error = Halt;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Halt> {
        if let (Some(before), Some(tracer)) = (self.1.checked_sub(1), &mut self.0) {
            self.1 = before;
            return made_up(seed, tracer.choices).map(Some);
        }
        let tracer = self.0.take().ok_or(Halt::Nothing)?;
        seed.deserialize(tracer).map(Some)
    }
}

/// A map with one key, whatever it is.
struct AnyKey<'t>(Option<Tracer<'t>>);

impl<'de> MapAccess<'de> for AnyKey<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        let tracer = self.0.as_mut().ok_or(Halt::Nothing)?;
        made_up(seed, tracer.choices).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Halt> {
        seed.deserialize(self.0.take().ok_or(Halt::Nothing)?)
    }
}

/// A struct with one field.
struct Field<'t>(&'static str, Option<Tracer<'t>>);

impl<'de> MapAccess<'de> for Field<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        seed.deserialize(StrDeserializer::new(self.0)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Halt> {
        seed.deserialize(self.1.take().ok_or(Halt::Nothing)?)
    }
}

struct Variant<'t>(&'static str, Tracer<'t>);

impl<'de, 't> EnumAccess<'de> for Variant<'t> {
    type Error = Halt;
    type Variant = Tracer<'t>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Halt> {
        let variant = seed.deserialize(StrDeserializer::new(self.0))?;
        Ok((variant, self.1))
    }
}

impl<'de> VariantAccess<'de> for Tracer<'_> {
    type Error = Halt;

    fn unit_variant(self) -> Result<(), Halt> {
        if self.way.is_empty() {
            *self.found = Some(Place::Unit);
        }
        Err(Halt::Nothing)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Halt> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_tuple(count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_struct("", fields, visitor)
    }
}
