//! MessagePack as bytes: finds private fields at any depth, and takes them out.

use std::ops::Range;

use rmp::Marker;

/// Deeper than this no value of a store is nested.
const DEEPEST: usize = 128;

/// Why bytes could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unjudged {
    #[error("not MessagePack, or nested too deeply to be looked through")]
    Malformed,
    #[error("has the field {0:?}, which may not reach the remote tier")]
    Private(String),
}

/// The name of a private field, if there is one.
pub(super) fn refuse(bytes: &[u8], is_private: &dyn Fn(&str) -> bool) -> Result<(), Unjudged> {
    let found = Walk::over(bytes, is_private)?.first;
    found.map_or(Ok(()), |name| Err(Unjudged::Private(name)))
}

/// The same value without its private fields.
pub(super) fn strip(
    bytes: Vec<u8>,
    is_private: &dyn Fn(&str) -> bool,
) -> Result<Vec<u8>, Unjudged> {
    let walk = Walk::over(&bytes, is_private)?;
    if walk.cuts.is_empty() {
        return Ok(bytes);
    }
    walk.without_cuts().ok_or(Unjudged::Malformed)
}

/// How a value begins.
#[derive(Clone, Copy)]
enum Head<'a> {
    /// It has nothing in it.
    Plain,
    Text(&'a str),
    Items(usize),
    Fields(usize),
}

/// A way through the bytes, from the beginning to the end.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    is_private: &'a dyn Fn(&str) -> bool,
    first: Option<String>,
    /// Private fields with their names, none within another.
    cuts: Vec<Range<usize>>,
    /// Maps that lose fields: their heads, and how many fields are left.
    heads: Vec<(Range<usize>, u32)>,
}

impl<'a> Walk<'a> {
    fn over(bytes: &'a [u8], is_private: &'a dyn Fn(&str) -> bool) -> Result<Self, Unjudged> {
        let mut walk = Self {
            bytes,
            at: 0,
            is_private,
            first: None,
            cuts: Vec::new(),
            heads: Vec::new(),
        };
        let is_whole = walk.value(0).is_some() && walk.at == bytes.len();
        is_whole.then_some(walk).ok_or(Unjudged::Malformed)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A number in so many bytes.
    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    }

    /// What begins here; what has nothing in it has been passed when this returns.
    fn head(&mut self) -> Option<Head<'a>> {
        let marker = Marker::from_u8(self.take(1)?.first().copied()?);
        let plain = match marker {
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                0
            }
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::FixExt2 => 3,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::FixExt4 => 5,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Ext8 => self.number(1)?.checked_add(1)?,
            Marker::Ext16 => self.number(2)?.checked_add(1)?,
            Marker::Ext32 => self.number(4)?.checked_add(1)?,
            // A name may be bytes as well.
            Marker::FixStr(count) => return self.text(usize::from(count)),
            Marker::Str8 | Marker::Bin8 => return self.sized(1),
            Marker::Str16 | Marker::Bin16 => return self.sized(2),
            Marker::Str32 | Marker::Bin32 => return self.sized(4),
            Marker::FixArray(count) => return Some(Head::Items(usize::from(count))),
            Marker::Array16 => return self.number(2).map(Head::Items),
            Marker::Array32 => return self.number(4).map(Head::Items),
            Marker::FixMap(count) => return Some(Head::Fields(usize::from(count))),
            Marker::Map16 => return self.number(2).map(Head::Fields),
            Marker::Map32 => return self.number(4).map(Head::Fields),
            Marker::Reserved => return None,
        };
        self.take(plain)?;
        Some(Head::Plain)
    }

    fn text(&mut self, count: usize) -> Option<Head<'a>> {
        let bytes = self.take(count)?;
        Some(std::str::from_utf8(bytes).map_or(Head::Plain, Head::Text))
    }

    /// A text after its length in so many bytes.
    fn sized(&mut self, width: usize) -> Option<Head<'a>> {
        let count = self.number(width)?;
        self.text(count)
    }

    /// Goes past one value.
    fn value(&mut self, depth: usize) -> Option<Head<'a>> {
        let begin = self.at;
        let head = self.head()?;
        match head {
            Head::Plain | Head::Text(_) => {}
            Head::Items(count) => self.items(count, depth)?,
            Head::Fields(count) => self.fields(begin, count, depth)?,
        }
        Some(head)
    }

    fn items(&mut self, count: usize, depth: usize) -> Option<()> {
        for _ in 0..count {
            self.value(deeper(depth)?)?;
        }
        Some(())
    }

    fn fields(&mut self, head: usize, count: usize, depth: usize) -> Option<()> {
        // A small map has its count in its first byte.
        let width = (self.at - head).saturating_sub(1);
        let depth = deeper(depth)?;
        let mut left = u32::try_from(count).ok()?;
        for _ in 0..count {
            let begin = self.at;
            let name = match self.value(depth)? {
                Head::Text(name) => Some(name),
                Head::Plain | Head::Items(_) | Head::Fields(_) => None,
            };
            let (cuts, heads) = (self.cuts.len(), self.heads.len());
            let private = name.filter(|name| (self.is_private)(name));
            // Before the value, so that the outermost is told.
            if let (Some(name), None) = (private, &self.first) {
                self.first = Some(name.to_owned());
            }
            self.value(depth)?;
            if private.is_some() {
                self.cuts.truncate(cuts);
                self.heads.truncate(heads);
                self.cuts.push(begin..self.at);
                left = left.checked_sub(1)?;
            }
        }
        if usize::try_from(left) != Ok(count) {
            self.heads.push((head..head + 1 + width, left));
        }
        Some(())
    }

    /// Heads keep their widths, so that nothing else has to move.
    fn without_cuts(&self) -> Option<Vec<u8>> {
        let mut patched = self.bytes.to_vec();
        for (head, left) in &self.heads {
            let wide = left.to_be_bytes();
            match patched.get_mut(head.clone())? {
                // There were fewer than sixteen, and there are fewer now.
                [first] => *first = 0x80 | u8::try_from(*left).ok()?,
                [_, count @ ..] => {
                    let skipped = wide.len().checked_sub(count.len())?;
                    count.copy_from_slice(wide.get(skipped..)?);
                }
                [] => return None,
            }
        }
        let mut out = Vec::with_capacity(patched.len());
        let mut from = 0;
        for cut in &self.cuts {
            out.extend_from_slice(patched.get(from..cut.start)?);
            from = cut.end;
        }
        out.extend_from_slice(patched.get(from..)?);
        Some(out)
    }
}

const fn deeper(depth: usize) -> Option<usize> {
    if depth < DEEPEST {
        Some(depth + 1)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn is_private(name: &str) -> bool {
        name == "email"
    }

    fn stripped(value: &Value) -> Value {
        let bytes = rmp_serde::to_vec_named(value).unwrap();
        let bytes = strip(bytes, &is_private).unwrap();
        rmp_serde::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_field_is_taken_out_at_any_depth_and_the_rest_stays() {
        let value = json!({
            "email": {"email": 1, "x": [{"email": 2}]},
            "list": [1, {"email": "a", "name": "b", "in": {"x": 1.5, "email": null}}, "email"],
            "name": "email",
        });
        let left = json!({"list": [1, {"name": "b", "in": {"x": 1.5}}, "email"], "name": "email"});
        assert_eq!(stripped(&value), left);
        let bytes = rmp_serde::to_vec_named(&value).unwrap();
        let refused = refuse(&bytes, &is_private).unwrap_err();
        assert_eq!(refused, Unjudged::Private("email".to_owned()));
        let bytes = rmp_serde::to_vec_named(&left).unwrap();
        assert_eq!(refuse(&bytes, &is_private), Ok(()));
    }

    #[test]
    fn large_maps_and_long_texts_keep_their_shape() {
        for count in [14, 15, 16, 17, 70_000] {
            let mut fields: serde_json::Map<String, Value> = (0..count)
                .map(|n| (format!("k{n}"), json!("x".repeat(n % 300))))
                .collect();
            let left = Value::Object(fields.clone());
            fields.insert("email".to_owned(), json!("y".repeat(70_000)));
            assert_eq!(stripped(&Value::Object(fields)), left);
        }
    }

    #[test]
    fn bytes_that_are_cut_off_or_nested_too_deeply_are_not_judged() {
        let bytes = rmp_serde::to_vec_named(&json!({"name": [1, "text", {"a": 2.5}]})).unwrap();
        for end in 0..bytes.len() {
            let cut = bytes.get(..end).unwrap();
            assert_eq!(refuse(cut, &is_private), Err(Unjudged::Malformed), "{end}");
        }
        let longer = [bytes.as_slice(), &[0xc0]].concat();
        assert_eq!(refuse(&longer, &is_private), Err(Unjudged::Malformed));
        let mut deep = vec![0x91; 10_000];
        deep.push(0xc0);
        assert_eq!(refuse(&deep, &is_private), Err(Unjudged::Malformed));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[a-z]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 20, |inner| {
            let names = prop_oneof![Just("email".to_owned()), "[a-c]{1,2}"];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..18).prop_map(Value::from),
                proptest::collection::vec((names, inner), 0..18)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The same, said otherwise.
    fn without(value: Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .into_iter()
                .filter(|(name, _)| name != "email")
                .map(|(name, value)| (name, without(value)))
                .collect(),
            Value::Array(items) => items.into_iter().map(without).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    proptest! {
        #[test]
        fn what_is_left_is_the_value_without_the_field(value in values()) {
            prop_assert_eq!(stripped(&value), without(value));
        }

        #[test]
        fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = refuse(&bytes, &is_private);
            if let Ok(left) = strip(bytes, &is_private) {
                prop_assert_eq!(refuse(&left, &is_private), Ok(()));
            }
        }
    }
}
