//! The names of what entries show, and what happens to them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that no row and no tag has by chance.
const TIME: &str = "@time";

/// The name of something in the database that an entry shows: a row, a set, a tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dep(Box<str>);

impl Dep {
    /// A dep by its whole name, such as `products.list` or a tag such as `state:SGR`.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The dep of one key of an entity: `product:7`.
    pub fn of_key(entity: &str, key: &str) -> Self {
        Self(format!("{entity}:{key}").into())
    }

    /// The dep of all keys of an entity: `product.*`.
    pub fn of_entity(entity: &str) -> Self {
        Self(format!("{entity}.*").into())
    }

    /// The dep of everything.
    pub fn everything() -> Self {
        Self("*".into())
    }

    /// The dep of what changes by itself, without a row of the log: the time. No entry that has it is
    /// current past its freshness.
    pub fn time() -> Self {
        Self(TIME.into())
    }

    /// Whether it is that of what changes by itself.
    pub fn is_time(&self) -> bool {
        &*self.0 == TIME
    }

    /// The name.
    pub const fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Dep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a row of the change log does to the entries that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Entries with this dep are refused.
    Forget,
    /// Entries with this dep are refused, but stay usable as stale values.
    Expire,
    /// Entries whose own key matches this glob are refused.
    Pattern,
}

/// A row of the change log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// What is different now.
    pub dep: Dep,
    /// What follows from it.
    pub kind: ChangeKind,
}
