//! The cache of one entity: what a look-up does, step by step. Read this first.
//!
//! 1. `Cache::hit`: memory. No await, no allocation, no lock shared by all keys. `cache/hit` is
//!    for the hits that are not plain.
//! 2. `cache/read`: join the load of this key on this node, or lead it; `cache/search` asks the
//!    remote tier; `cache/many` does both for many keys.
//! 3. `cache/lead`: what a flight does on its way; `cache/lease`: the right to load, held by one
//!    node; `cache/load`: queue, batch, source.
//! 4. `cache/fill`: into memory if the entry is accepted *now*, then into the remote tier.
//!
//! `cache/change` is the other direction: what callers put in and make the tiers forget.
//! `cache/shadow` goes past the tiers, `cache/warm` goes ahead of customers, and `cache/accesses`
//! keeps an account of what they want.

mod accesses;
mod answer;
mod ask;
mod build;
mod change;
mod check;
mod fill;
mod hit;
mod inspect;
mod landing;
mod lead;
mod lease;
mod load;
mod many;
mod read;
mod search;
mod shadow;
mod warm;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use answer::{Answer, Options, Tier, Trail};
pub use build::Builder;

use self::answer::Freshness;
use self::build::{Deps, Weigh};
use self::landing::Landing;
use self::load::Loader;
use crate::codec::Codec;
use crate::error::GetError;
use crate::flight::Flights;
use crate::key::{Key, KeySpace};
use crate::memory::Memory;
use crate::node::Node;
use crate::policy::{Placement, Policy};
use crate::ports::Source;
use crate::stats::Stats;
use crate::warm::Frequent;

/// The coarse clock is behind by up to a tick of the kernel, so a hit keeps this far from the bound.
const COARSE_LAG: Duration = Duration::from_millis(10);

/// Before `fresh_until` by this many load times a hit begins to think about an early refresh; the
/// chance of one is 2e-9 there.
const EARLY_WINDOW: f64 = 20.0;

/// How much more eagerly favourites are refreshed.
const FAVOURED: f64 = 4.0;

/// How a cache answers; switchable at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// From the tiers.
    #[default]
    Cache,
    /// From the source; what the tiers would have said is compared and differences are counted.
    Shadow,
    /// From the source; the tiers are left alone.
    Bypass,
}

/// The cache of one entity; cheap to clone.
pub struct Cache<K: Key, V>(pub(crate) Arc<Shared<K, V>>);

pub(crate) struct Shared<K: Key, V> {
    pub(crate) node: Node,
    pub(crate) name: &'static str,
    pub(crate) space: KeySpace,
    policy: RwLock<Arc<Policy>>,
    mode: AtomicU8,
    pub(crate) memory: Memory<K, V>,
    flights: Arc<Flights<K, Landing<V>>>,
    loader: Arc<Loader<K, V>>,
    codec: Option<Arc<dyn Codec<V>>>,
    weigh: Weigh<V>,
    deps: Deps<V>,
    pub(crate) stats: Arc<Stats>,
    /// What is looked up, where an account of it is kept.
    accesses: Option<Mutex<Frequent<K>>>,
    /// The source failed as a whole; until then stale values are served without asking it.
    source_retry_at: AtomicU64,
    /// How much is warmed at a time.
    portions: warm::Portions,
}

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// The value of a key; nothing when there is none. See [`look_up`](Self::look_up).
    ///
    /// # Errors
    /// As [`look_up`](Self::look_up).
    pub async fn get(&self, key: &K) -> Result<Option<Arc<V>>, GetError> {
        if let Some(answer) = self.hit(key, Options::default()) {
            return Ok(answer.into_shared());
        }
        self.look_up_slowly(key, Options::default())
            .await
            .map(Answer::into_shared)
    }

    /// The answer for a key, with what happened on the way.
    ///
    /// Dropping the future stops waiting; a load that was sent to the source goes on for others.
    ///
    /// # Errors
    /// When there is no answer that the caller may have: see
    /// [`GetErrorKind`](crate::error::GetErrorKind). Trouble in a tier is never an error.
    pub async fn look_up(&self, key: &K, options: Options) -> Result<Answer<V>, GetError> {
        if let Some(answer) = self.hit(key, options) {
            return Ok(answer);
        }
        self.look_up_slowly(key, options).await
    }

    /// What memory has that is current, without waiting for anything. Counts as a use.
    pub fn peek(&self, key: &K) -> Option<Arc<V>> {
        self.hit(key, Options::default())?.into_shared()
    }

    /// What memory has, even if it is not current any more. Changes nothing.
    pub fn peek_stale(&self, key: &K) -> Option<Arc<V>> {
        let slot = self.0.memory.inspect(key)?;
        let now = self.0.node.0.clock.now();
        let observed = self.0.node.0.knowledge.observe();
        self.0
            .stale_answer(key, &slot, now, observed, false)?
            .into_shared()
    }

    /// Counters of this cache.
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// How the entity is cached at the moment.
    pub fn policy(&self) -> Arc<Policy> {
        self.0.policy()
    }

    /// Changes how the entity is cached; entries keep the lives that they were given.
    /// The size of the memory tier stays.
    pub fn set_policy(&self, policy: Policy) {
        let policy = self.0.possible(policy);
        *self
            .0
            .policy
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// How the cache answers.
    pub fn mode(&self) -> Mode {
        self.0.mode()
    }

    /// Changes how the cache answers.
    pub fn set_mode(&self, mode: Mode) {
        let number = match mode {
            Mode::Cache => 0,
            Mode::Shadow => 1,
            Mode::Bypass => 2,
        };
        self.0.mode.store(number, Ordering::Relaxed);
    }

    /// The node that the cache belongs to.
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    /// The answer that memory has, if it is what these options want; waits for nothing, and starts
    /// nothing but the refresh of an entry that nears its end. Counts if it answers.
    #[inline]
    pub fn hit(&self, key: &K, options: Options) -> Option<Answer<V>> {
        let shared = &self.0;
        // The bound counts from the start of the read, and here the clock costs least: its reading
        // goes on beside the hash, where no lock waits for it.
        let now = shared.node.0.clock.coarse();
        // Order matters: see `certificate::publication`.
        let observed = shared.node.0.knowledge.observe();
        let slot = shared.memory.get(key)?;
        let is_plain = slot.epoch() == observed.epoch
            && now < slot.calm_until()
            && shared.is_anchored(&slot, observed, now)
            && options.freshness == Freshness::Usual
            && shared.mode.load(Ordering::Relaxed) == 0;
        if !is_plain {
            return shared.hit_after_thought(key, observed, options);
        }
        let count = shared.stats.memory_hits.add_one();
        if accesses::is_sampled(count) {
            shared.note_hit(key);
        }
        Some(shared.memory_answer(slot, observed, now))
    }

    /// From now on these keys, and no others, are evicted last and refreshed sooner before their
    /// end: those that are known to be wanted most. Half of the memory is theirs, in equal shares; an
    /// entry that takes more than its share is treated like any other.
    pub fn favour(&self, keys: impl IntoIterator<Item = K>) {
        self.0.memory.favour(keys.into_iter().collect());
    }

    /// Charges the entry in memory for what its value takes now: for values that grow once they are
    /// used. Others may be evicted for it; without an entry nothing happens.
    pub fn weigh_again(&self, key: &K) {
        let shared = &self.0;
        let weigh = |value: &V| shared.weigh.bytes(value, None);
        shared.memory.weigh_again(key, weigh);
    }

    /// Boxed, so that the future of a hit stays small.
    fn look_up_slowly<'a>(
        &'a self,
        key: &'a K,
        options: Options,
    ) -> futures::future::BoxFuture<'a, Result<Answer<V>, GetError>> {
        Box::pin(self.0.read(key, options))
    }
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    #[expect(clippy::too_many_arguments, reason = "the builder is the only caller")]
    fn new(
        node: Node,
        name: &'static str,
        space: KeySpace,
        policy: Policy,
        source: Option<Arc<dyn Source<K, V>>>,
        codec: Option<Arc<dyn Codec<V>>>,
        weigh: Weigh<V>,
        deps: Deps<V>,
    ) -> Self {
        let stats = Arc::new(Stats::default());
        let policy = possible(policy, codec.is_some());
        let tracked = node.0.tracked;
        Self {
            accesses: (tracked > 0).then(|| Mutex::new(Frequent::new(tracked))),
            node,
            name,
            space,
            memory: Memory::new(policy.memory_bytes, Arc::clone(&stats)),
            policy: RwLock::new(Arc::new(policy)),
            mode: AtomicU8::new(0),
            flights: Flights::new(),
            loader: Arc::new(Loader::new(name, source, Arc::clone(&stats))),
            codec,
            weigh,
            deps,
            stats,
            source_retry_at: AtomicU64::new(0),
            portions: warm::Portions::new(),
        }
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn possible(&self, policy: Policy) -> Policy {
        possible(policy, self.codec.is_some())
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            0 => Mode::Cache,
            1 => Mode::Shadow,
            _ => Mode::Bypass,
        }
    }
}

/// Values without an encoding stay in memory.
fn possible(mut policy: Policy, has_codec: bool) -> Policy {
    if !has_codec && policy.placement.in_remote() {
        policy.placement = Placement::Memory;
    }
    policy
}

impl<K: Key, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Key, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}
