//! What a store has besides: entities that the operator names, whose values are JSON as a statement
//! gave it.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tingkat::codec::{Codec, CodecError, MessagePack};
use tingkat::ports::Source;
use tingkat::privacy::{self, Names, OnPrivate};
use tingkat::{Cache, Node, Policy};

use crate::body::{self, Body, Kept};
use crate::name::names;

names! {
    /// What a document is found by.
    DocumentKey, "a key", 200, "printable characters",
        |character| !character.is_control();
}

/// The version of the stored shape.
const SCHEMA: u32 = 1;

/// A JSON text, judged once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Document {
    /// What has been a `String`, so it is UTF-8; as bytes it is shared with the answers.
    text: Bytes,
    body: Kept,
}

impl Document {
    /// The text as it was given.
    pub fn json(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// What it is answered with: the text.
    pub fn body(&self) -> &Body {
        let text = || Ok::<_, Infallible>(self.text.clone());
        let Ok(body) = self.body.or_make(text);
        body
    }

    /// Bytes that it holds in memory, its own size included.
    fn memory_size(&self) -> usize {
        size_of::<Self>() + self.text.len() + body::charge_beside(self.text.len())
    }
}

impl TryFrom<String> for Document {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<IgnoredAny>(&text)?;
        Ok(Self {
            // Without the room that the text had to grow.
            text: text.into_boxed_str().into_boxed_bytes().into(),
            body: Kept::default(),
        })
    }
}

impl From<Document> for String {
    fn from(document: Document) -> Self {
        document.json().to_owned()
    }
}

impl fmt::Debug for Document {
    /// Without the text, which may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.text.len())
    }
}

/// How documents are cached unless the configuration says otherwise.
pub fn policy() -> Policy {
    Policy {
        memory_bytes: 8 << 20,
        max_loads: 2,
        ..Policy::default()
    }
}

/// Where the documents of an entity are loaded from.
pub type DocumentSource = Arc<dyn Source<DocumentKey, Document>>;

/// Look-ups of all entities that the operator names; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Documents(Arc<BTreeMap<&'static str, Cache<DocumentKey, Document>>>);

impl Documents {
    /// Those of these entities, cached in the tiers of `node`; `policy` and `on_private` are asked for
    /// each by its name.
    pub fn new(
        node: &Node,
        sources: impl IntoIterator<Item = (&'static str, DocumentSource)>,
        policy: impl Fn(&str) -> Option<Policy>,
        names: &Arc<Names>,
        on_private: impl Fn(&str) -> OnPrivate,
    ) -> Self {
        let caches = sources.into_iter().map(|(entity, source)| {
            let then = on_private(entity);
            let codec = Arc::new(Judged::new(names, then));
            let builder = Cache::builder(entity)
                .node(node)
                .source(source)
                .schema(SCHEMA)
                .policy(policy(entity).unwrap_or_else(self::policy))
                .weigher(Document::memory_size);
            let builder = match then {
                OnPrivate::Refuse => builder.codec(codec),
                OnPrivate::Strip => builder.stripped_by(codec, names),
            };
            (entity, builder.build())
        });
        Self(Arc::new(caches.collect()))
    }

    /// The cache of an entity, if there is one of this name.
    pub fn of(&self, entity: &str) -> Option<&Cache<DocumentKey, Document>> {
        self.0.get(entity)
    }

    /// The names of the entities.
    pub fn entities(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }
}

/// The text itself, unless the JSON has a private field: such a value does not reach the remote tier,
/// or is written anew without the field.
struct Judged {
    names: Arc<Names>,
    structure: Arc<dyn Codec<Value>>,
}

impl Judged {
    fn new(names: &Arc<Names>, then: OnPrivate) -> Self {
        Self {
            names: Arc::clone(names),
            structure: privacy::codec(names, then),
        }
    }
}

impl Codec<Document> for Judged {
    fn encode(&self, document: &Document) -> Result<Vec<u8>, CodecError> {
        if !self.names.is_empty() {
            // Of a key that comes twice a reader sees one, and the text has both.
            let _: Unambiguous = serde_json::from_str(document.json()).map_err(CodecError::new)?;
            let value: Value = serde_json::from_str(document.json()).map_err(CodecError::new)?;
            let left = self.structure.decode(&self.structure.encode(&value)?)?;
            // Where nothing was taken out, the text stays as the statement gave it.
            if left != value {
                return MessagePack.encode(&left.to_string());
            }
        }
        MessagePack.encode(document)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Document, CodecError> {
        MessagePack.decode(bytes)
    }
}

/// JSON in which no object has a key twice.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no object has a key twice")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value::<Self>()?;
            if !seen.insert(key) {
                return Err(A::Error::custom("an object has a key twice"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::try_from(text.to_owned()).unwrap()
    }

    fn judged(names: &[&str], then: OnPrivate) -> Judged {
        Judged::new(&Arc::new(Names::new(names).unwrap()), then)
    }

    #[test]
    fn a_document_keeps_its_text_through_redis() {
        let codec = judged(&["email"], OnPrivate::Refuse);
        for text in ["null", "1.10", r#"{"b": 1e3, "a": ["\u0041", {}]}"#] {
            let bytes = codec.encode(&document(text)).unwrap();
            assert_eq!(codec.decode(&bytes).unwrap().json(), text);
        }
    }

    /// A reader of the text could see the one, and whoever judged it the other.
    #[test]
    fn a_document_with_a_key_twice_does_not_reach_redis() {
        for then in [OnPrivate::Refuse, OnPrivate::Strip] {
            let codec = judged(&["phone"], then);
            for text in [
                r#"{"a": {"phone": "1"}, "a": 1}"#,
                r#"[{"b": [{"c": 1, "c": 2}]}]"#,
            ] {
                let refused = codec.encode(&document(text)).unwrap_err();
                assert!(
                    format!("{refused:?}").contains("a key twice"),
                    "{refused:?}"
                );
            }
            assert!(
                codec
                    .encode(&document(r#"{"a": {"b": 1}, "b": [1.5, -1, true, null]}"#))
                    .is_ok()
            );
        }
    }

    #[test]
    fn what_is_no_json_is_no_document_wherever_it_comes_from() {
        for text in ["", "{", "{}{}", "'x'", "NaN"] {
            assert!(Document::try_from(text.to_owned()).is_err(), "{text}");
            let bytes = MessagePack.encode(&text.to_owned()).unwrap();
            let codec = judged(&["email"], OnPrivate::Refuse);
            assert!(codec.decode(&bytes).is_err(), "{text}");
        }
    }

    #[test]
    fn a_private_field_keeps_a_document_out_of_redis() {
        let codec = judged(&["phone"], OnPrivate::Refuse);
        let text = r#"{"driver": [{"phone": "0123456789"}]}"#;
        assert!(codec.encode(&document(text)).is_err());
        let codec = judged(&["rank"], OnPrivate::Refuse);
        assert!(codec.encode(&document(text)).is_ok());
    }

    #[test]
    fn a_private_field_is_stripped_and_what_has_none_keeps_its_text() {
        let codec = judged(&["phone"], OnPrivate::Strip);
        for (text, left) in [
            (
                r#"{"b": 1.5, "driver": [{"phone": "0123456789", "name": "Siti"}], "a": -7}"#,
                r#"{"b": 1.5, "driver": [{"name": "Siti"}], "a": -7}"#,
            ),
            (r#"[{"homePhone": null}]"#, "[{}]"),
        ] {
            let bytes = codec.encode(&document(text)).unwrap();
            let stripped = codec.decode(&bytes).unwrap();
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(value(stripped.json()), value(left), "{text}");
        }
        for text in ["1.10", r#"{"b": 1e3, "a": ["\u0041", {}]}"#, "-0.0"] {
            let bytes = codec.encode(&document(text)).unwrap();
            assert_eq!(codec.decode(&bytes).unwrap().json(), text);
        }
    }

    #[test]
    fn a_key_has_one_to_two_hundred_printable_characters() {
        for (text, is_key) in [
            ("50", true),
            ("a b", true),
            (&"é".repeat(200), true),
            ("", false),
            ("a\nb", false),
            (&"é".repeat(201), false),
        ] {
            assert_eq!(text.parse::<DocumentKey>().is_ok(), is_key, "{text:?}");
        }
    }
}
