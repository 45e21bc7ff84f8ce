//! Every cache of a node with its types erased, for operations: statistics, forget, inspect.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::cache::{Cache, Mode, Shared};
use crate::error::{ChangeError, KeyError};
use crate::key::Key;
use crate::policy::Policy;
use crate::stats::Stats;
use crate::warm::{Cause, Checked, Warmed, Way};

/// The caches of a node, in the order in which they were built.
///
/// It does not keep them alive: a cache belongs to whoever built it.
#[derive(Default)]
pub struct Registry {
    caches: RwLock<Vec<Weak<dyn Registered>>>,
}

/// What the registry holds: a cache without its handle.
pub(crate) trait Registered: Send + Sync {
    /// A handle.
    fn handle(self: Arc<Self>) -> Arc<dyn AnyCache>;
}

impl<K: Key, V: Send + Sync + 'static> Registered for Shared<K, V> {
    fn handle(self: Arc<Self>) -> Arc<dyn AnyCache> {
        Arc::new(Cache(self))
    }
}

impl Registry {
    /// All caches.
    pub fn all(&self) -> Vec<Arc<dyn AnyCache>> {
        let caches = self.caches.read().unwrap_or_else(PoisonError::into_inner);
        caches
            .iter()
            .filter_map(Weak::upgrade)
            .map(Registered::handle)
            .collect()
    }

    /// The cache of an entity.
    pub fn find(&self, entity: &str) -> Option<Arc<dyn AnyCache>> {
        self.all().into_iter().find(|cache| cache.name() == entity)
    }

    pub(crate) fn add(&self, cache: Weak<dyn Registered>) {
        let mut caches = self.caches.write().unwrap_or_else(PoisonError::into_inner);
        caches.retain(|cache| cache.strong_count() > 0);
        caches.push(cache);
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.all().iter().map(|cache| cache.name()))
            .finish()
    }
}

/// An entry as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// There is a value; an entry without one says that there is no such thing.
    pub has_value: bool,
    /// How long ago it was loaded.
    pub age: Duration,
    /// How long it stays fresh.
    pub fresh_for: Duration,
    /// How long it may stand in after that.
    pub stale_for: Duration,
    /// What it shows besides its own key.
    pub deps: Vec<String>,
    /// What its load had seen of the log.
    pub position: String,
    /// Whether it would be served now, or why it would be refused.
    pub refused: Option<crate::certificate::Refusal>,
    /// Bytes that its value takes in memory.
    pub bytes: usize,
}

/// What the remote tier has under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InRemote {
    /// The entity is not kept there, or there is no remote tier.
    Unused,
    /// It was not asked or did not answer.
    Unknown,
    /// Nothing.
    Nothing,
    /// A node is loading the key.
    Lease,
    /// A load of the key has just failed.
    Failure,
    /// Bytes that are no entry of ours.
    Foreign {
        /// How many.
        bytes: usize,
    },
    /// An entry.
    Entry {
        /// The entry.
        entry: Inspected,
        /// Bytes that it takes there.
        bytes: usize,
    },
}

/// What can be done with a cache whose types are not known.
pub trait AnyCache: Send + Sync {
    /// The entity.
    fn name(&self) -> &'static str;

    /// Its counters.
    fn stats(&self) -> &Stats;

    /// How it is cached.
    fn policy(&self) -> Arc<Policy>;

    /// Changes how it is cached; entries keep the lives that they were given.
    fn set_policy(&self, policy: Policy);

    /// How it answers.
    fn mode(&self) -> Mode;

    /// Changes how it answers.
    fn set_mode(&self, mode: Mode);

    /// Entries in memory.
    fn entries(&self) -> u64;

    /// Bytes in memory, as they are charged.
    fn bytes(&self) -> u64;

    /// From now on these keys are evicted last, as [`Cache::favour`] says; how many of them are keys of
    /// the entity.
    fn favour(&self, keys: &[String]) -> usize;

    /// How many keys are evicted last.
    fn favourites(&self) -> usize;

    /// Removes from memory what has ended its life as a stale value.
    fn sweep(&self);

    /// Some of the keys in memory, at most `most`.
    fn keys(&self, most: usize) -> Vec<String>;

    /// What memory has under a key.
    ///
    /// # Errors
    /// When the text is no key of the entity.
    fn inspect(&self, key: &str) -> Result<Option<Inspected>, KeyError>;

    /// What the remote tier has under a key.
    ///
    /// # Errors
    /// When the text is no key of the entity.
    fn inspect_remote<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<InRemote, KeyError>>;

    /// The canonical text of a key.
    ///
    /// # Errors
    /// When the text is no key of the entity.
    fn canonical(&self, key: &str) -> Result<String, KeyError>;

    /// Has some keys in the tiers, loaded behind the loads of customers; what became of each. A
    /// part at a time: no more keys than one load takes. When the future is dropped, loads that were
    /// sent go on.
    fn warm(&self, keys: Vec<String>, way: Way) -> BoxFuture<'_, Vec<Warmed>>;

    /// Compares what the tiers have under keys with what the source has, behind the loads of
    /// customers; texts that are no keys are passed over. Nothing is answered, kept or counted as a
    /// look-up.
    fn check(&self, keys: Vec<String>) -> BoxFuture<'_, Vec<Checked>>;

    /// How many keys that customers wait for have no place at the source yet.
    fn customers_waiting(&self) -> usize;

    /// What was looked up since the last call, with about how often, in no order. Nothing where the
    /// node [keeps no account](crate::node::Builder::track_accesses).
    fn take_accesses(&self) -> Vec<(String, u64)>;

    /// Removes keys from every tier of every node.
    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), ForgetError>>;

    /// Removes all keys that match a pattern.
    fn forget_pattern<'a>(&'a self, pattern: &'a str) -> BoxFuture<'a, Result<(), ChangeError>>;

    /// Removes all entries of the entity.
    fn clear(&self) -> BoxFuture<'_, Result<(), ChangeError>>;

    /// Ends the life of all entries of the entity; their values may stand in, marked.
    fn expire_all(&self) -> BoxFuture<'_, Result<(), ChangeError>>;
}

/// Why keys could not be forgotten.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForgetError {
    /// One of them is no key of the entity.
    #[error("not a key of this entity")]
    Key(#[from] KeyError),
    /// The change could not be made known.
    #[error("failed to forget")]
    Change(#[from] ChangeError),
}

impl<K: Key, V: Send + Sync + 'static> AnyCache for Cache<K, V> {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn stats(&self) -> &Stats {
        &self.0.stats
    }

    fn policy(&self) -> Arc<Policy> {
        self.0.policy()
    }

    fn set_policy(&self, policy: Policy) {
        Self::set_policy(self, policy);
    }

    fn mode(&self) -> Mode {
        self.0.mode()
    }

    fn set_mode(&self, mode: Mode) {
        Self::set_mode(self, mode);
    }

    fn entries(&self) -> u64 {
        self.0.memory.entries()
    }

    fn bytes(&self) -> u64 {
        self.0.memory.bytes()
    }

    fn favour(&self, keys: &[String]) -> usize {
        let keys = keys.iter().filter_map(|key| K::parse(key).ok());
        Self::favour(self, keys);
        self.favourites()
    }

    fn favourites(&self) -> usize {
        self.0.memory.favourites()
    }

    fn sweep(&self) {
        Self::sweep(self);
    }

    fn keys(&self, most: usize) -> Vec<String> {
        self.0.memory.keys(most).iter().map(Key::text).collect()
    }

    fn inspect(&self, key: &str) -> Result<Option<Inspected>, KeyError> {
        let key = K::parse(key)?;
        Ok(self.0.inspect(&key))
    }

    fn inspect_remote<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<InRemote, KeyError>> {
        Box::pin(async move {
            let key = K::parse(key)?;
            Ok(self.0.inspect_remote(&key).await)
        })
    }

    fn canonical(&self, key: &str) -> Result<String, KeyError> {
        K::parse(key).map(|key| key.text())
    }

    fn warm(&self, keys: Vec<String>, way: Way) -> BoxFuture<'_, Vec<Warmed>> {
        Box::pin(async move {
            let parsed: Vec<Option<K>> = keys.iter().map(|key| K::parse(key).ok()).collect();
            let known = parsed.iter().flatten().cloned().collect();
            let mut outcomes = self.0.warm_many(known, way).await.into_iter();
            let outcome = |key: &Option<K>| {
                let of_key = key.as_ref().and_then(|_| outcomes.next());
                of_key.unwrap_or(Warmed::Failed(Cause::Malformed))
            };
            parsed.iter().map(outcome).collect()
        })
    }

    fn check(&self, keys: Vec<String>) -> BoxFuture<'_, Vec<Checked>> {
        Box::pin(async move {
            let keys: Vec<K> = keys.iter().filter_map(|key| K::parse(key).ok()).collect();
            self.0.check_many(&keys).await
        })
    }

    fn customers_waiting(&self) -> usize {
        self.0.customers_waiting()
    }

    fn take_accesses(&self) -> Vec<(String, u64)> {
        let accesses = self.0.take_accesses().into_iter();
        accesses.map(|(key, count)| (key.text(), count)).collect()
    }

    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), ForgetError>> {
        Box::pin(async move {
            let keys = keys
                .iter()
                .map(|key| K::parse(key))
                .collect::<Result<Vec<K>, _>>()?;
            Ok(self.forget_many(&keys).await?)
        })
    }

    fn forget_pattern<'a>(&'a self, pattern: &'a str) -> BoxFuture<'a, Result<(), ChangeError>> {
        Box::pin(Self::forget_pattern(self, pattern))
    }

    fn clear(&self) -> BoxFuture<'_, Result<(), ChangeError>> {
        Box::pin(Self::clear(self))
    }

    fn expire_all(&self) -> BoxFuture<'_, Result<(), ChangeError>> {
        Box::pin(Self::expire_all(self))
    }
}
