//! The keys of entities that the operator names: a section with `load`.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tingkat_shop::document;

use super::entity::{ENTITIES, Known, keys_of};
use super::{Key, is_section};
use crate::config::kind::Kind;

/// What the key means here, where it is known only of each value which fields it has.
const PRIVACY: &str = "What is done with a value that has a field of `privacy.fields`: it is answered and not written to Redis, or the field is taken out of what is loaded";

/// The longest name.
const LONGEST: usize = 32;

/// An entity that the operator names.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) known: Known,
    pub(crate) keys: Vec<Key>,
}

impl Own {
    /// The key with this path.
    pub(crate) fn find(&self, path: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.path == path)
    }
}

/// A name lives as long as the program, as names in the program do: each is made once, and a
/// configuration that is read again has the same ones.
static DECLARED: LazyLock<Mutex<BTreeMap<String, &'static Own>>> = LazyLock::new(Mutex::default);

/// The entity of this name, which was [checked](check_name).
pub(crate) fn declare(name: &str) -> &'static Own {
    let mut declared = DECLARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(own) = declared.get(name) {
        return own;
    }
    let own: &'static Own = Box::leak(Box::new(own(Box::leak(Box::from(name)))));
    declared.insert(name.to_owned(), own);
    own
}

/// Whether an entity of the operator's may be called so; what is expected, if not.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_right = name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_plain)
        // Variables have two of them where a path has a dot.
        && !name.contains("__")
        && !name.ends_with('_');
    if is_right {
        return Ok(());
    }
    Err(format!(
        "expected a name of at most {LONGEST} small letters, digits or single `_`, such as shipping_rate"
    ))
}

/// Whether the program has an entity of this name.
pub(crate) fn is_built_in(name: &str) -> bool {
    is_section(&format!("entity.{name}")) || ENTITIES.iter().any(|known| known.name == name)
}

/// One for whoever describes them all.
pub(crate) fn example() -> &'static Own {
    declare("shipping_rate")
}

fn own(name: &'static str) -> Own {
    let known = Known {
        section: name,
        name,
        policy: document::policy,
        max_age: Some(Duration::ZERO),
        // The fields of a document are judged value by value, as it is written to Redis.
        private: |_| Vec::new(),
    };
    let policy = keys_of(&known).map(|key| match key.parts().1 {
        "privacy" => Key {
            sentence: PRIVACY,
            ..key
        },
        _ => key,
    });
    let keys = own_keys(name).into_iter().chain(policy).collect();
    Own { known, keys }
}

/// The keys that no other entity has.
fn own_keys(name: &str) -> [Key; 2] {
    let key = |key: &str, kind, sentence| Key {
        path: format!("entity.{name}.{key}"),
        kind,
        default: None,
        sentence,
        reloads: false,
        variable: None,
    };
    [
        key(
            "load",
            Kind::File,
            "The file in `source.queries` whose statement gives `key`, `value` and `deps` for the keys in `$1`",
        ),
        key(
            "tables",
            Kind::Tables,
            "The tables that it is read from; each of yours has a `changes_<table>.sql`",
        ),
    ]
}
