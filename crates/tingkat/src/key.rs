//! The only maker of keys: canonical texts of an entity's keys, and their names in the remote tier.

use std::fmt::Write as _;
use std::hash::Hash;

use crate::certificate::Dep;
use crate::error::KeyError;

/// What one thing of an entity is found by.
///
/// A key is canonical: two keys are equal exactly when they name the same thing, and
/// [`parse`](Self::parse) reads back what [`write`](Self::write) wrote.
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// Appends the canonical text.
    fn write(&self, out: &mut String);

    /// Reads a canonical text.
    ///
    /// # Errors
    /// When the text is not a key of this kind; the error says what one looks like.
    fn parse(text: &str) -> Result<Self, KeyError>;

    /// Bytes that the key holds on the heap.
    fn heap_size(&self) -> usize {
        0
    }

    /// The canonical text.
    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

impl Key for String {
    fn write(&self, out: &mut String) {
        out.push_str(self);
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        Ok(text.to_owned())
    }

    fn heap_size(&self) -> usize {
        self.capacity()
    }
}

macro_rules! number_keys {
    ($($number:ty),*) => {$(
        impl Key for $number {
            fn write(&self, out: &mut String) {
                // Writing to a `String` can not fail.
                let _ = write!(out, "{self}");
            }

            fn parse(text: &str) -> Result<Self, KeyError> {
                text.parse()
                    .ok()
                    .filter(|number: &$number| number.to_string() == text)
                    .ok_or_else(|| KeyError::new(concat!("expected a number (", stringify!($number), ")")))
            }
        }
    )*};
}

number_keys!(u16, u32, u64, u128, i16, i32, i64, i128);

/// Eight hexadecimal digits that tell texts apart, for prefixes; not a secret and not proof of anything.
pub fn fingerprint(text: &str) -> String {
    format!(
        "{:08x}",
        xxhash_rust::xxh3::xxh3_64(text.as_bytes()) & 0xffff_ffff
    )
}

/// Where one entity's entries live in the remote tier, and how its deps are called.
#[derive(Clone, Debug)]
pub struct KeySpace {
    entity: Box<str>,
    cells: Box<str>,
    refresh: Box<str>,
}

impl KeySpace {
    /// The key space of an entity under a prefix such as `tingkat:prod:`.
    ///
    /// `schema` identifies the stored shape: another schema has other keys, so that two releases
    /// can run side by side.
    pub fn new(prefix: &str, entity: &str, schema: u32) -> Self {
        let shape = xxhash_rust::xxh3::xxh3_64(format!("{entity}\0{schema}").as_bytes());
        let shape = shape & 0xffff_ffff;
        Self {
            entity: entity.into(),
            cells: format!("{prefix}c:{entity}.{shape:08x}:").into(),
            refresh: format!("{prefix}r:{entity}.{shape:08x}:").into(),
        }
    }

    /// The entity's name.
    pub const fn entity(&self) -> &str {
        &self.entity
    }

    /// The key of the cell that holds an entry.
    pub fn cell(&self, key: &impl Key) -> String {
        Self::join(&self.cells, key)
    }

    /// The key of the lease for refreshing an entry that is still usable.
    pub fn refresh(&self, key: &impl Key) -> String {
        Self::join(&self.refresh, key)
    }

    /// The dep of one key.
    pub fn dep(&self, key: &impl Key) -> Dep {
        Dep::of_key(&self.entity, &key.text())
    }

    /// Braces are encoded, because Redis Cluster would read a slot out of them; `%` is, to be able
    /// to tell an encoded brace from a key that contains its encoding.
    fn join(space: &str, key: &impl Key) -> String {
        let mut name = String::with_capacity(space.len() + 24);
        name.push_str(space);
        let start = name.len();
        key.write(&mut name);
        if name
            .bytes()
            .skip(start)
            .any(|byte| matches!(byte, b'{' | b'}' | b'%'))
        {
            let text = name.split_off(start);
            for character in text.chars() {
                match character {
                    '{' => name.push_str("%7B"),
                    '}' => name.push_str("%7D"),
                    '%' => name.push_str("%25"),
                    other => name.push(other),
                }
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_braces_can_not_choose_its_slot() {
        let space = KeySpace::new("t:", "product", 1);
        let plain = space.cell(&"a{b}%7B".to_owned());
        assert!(plain.starts_with("t:c:product."), "{plain}");
        assert!(plain.ends_with(":a%7Bb%7D%257B"), "{plain}");
    }

    #[test]
    fn another_schema_has_other_keys() {
        let key = 7_u64;
        let first = KeySpace::new("t:", "product", 1);
        let second = KeySpace::new("t:", "product", 2);
        assert_ne!(first.cell(&key), second.cell(&key));
        assert_eq!(first.dep(&key), second.dep(&key));
        assert_ne!(first.cell(&key), first.refresh(&key));
    }

    #[test]
    fn a_number_is_a_key_in_one_spelling_only() {
        assert_eq!(<u64 as Key>::parse("7"), Ok(7));
        assert!(<u64 as Key>::parse("07").is_err());
        assert!(<u64 as Key>::parse("+7").is_err());
    }
}
