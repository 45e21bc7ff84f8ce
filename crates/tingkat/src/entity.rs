//! What can be cached: a kind of thing with a name, a key and a shape.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::certificate::Dep;
use crate::key::Key;
use crate::policy::Policy;

/// A kind of thing that is cached.
///
/// Changing the serialised shape of the type so that old bytes mean something else needs another
/// [`SCHEMA`](Self::SCHEMA); releases with different schemas do not see each other's entries.
pub trait Entity: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in keys, deps, configuration and metrics: `product`.
    const NAME: &'static str;

    /// The version of the stored shape.
    const SCHEMA: u32;

    /// What one of them is found by.
    type Key: Key;

    /// How it is cached unless the configuration says otherwise.
    fn policy() -> Policy {
        Policy::default()
    }

    /// What a value shows besides its own key: rows, sets, tags.
    fn deps(&self) -> Vec<Dep> {
        Vec::new()
    }

    /// The bytes that a value holds in memory, its own size included.
    fn memory_size(&self) -> usize;
}
