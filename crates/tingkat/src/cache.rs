//! The cache of one entity: what a look-up does, step by step. Read this first.
//!
//! 1. `Cache::hit`: memory. No await, no allocation, no lock shared by all keys.
//! 2. `cache/read`: join the load of this key on this node, or lead it; `cache/search` asks the
//!    remote tier; `cache/many` does both for many keys.
//! 3. `cache/lease`: the right to load, held by one node; `cache/load`: queue, batch, source.
//! 4. `cache/fill`: into memory if the entry is accepted *now*, then into the remote tier.
//!
//! `cache/change` is the other direction: what callers put in and make the tiers forget.

mod answer;
mod build;
mod change;
mod fill;
mod lease;
mod load;
mod many;
mod read;
mod search;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

pub use answer::{Answer, Options, Tier, Trail};
pub use build::Builder;

use self::answer::Freshness;
use self::build::{Deps, Weigh};
use self::load::Loader;
use self::read::Landing;
use crate::certificate::{Evidence, Observed, Refusal, Verdict};
use crate::codec::Codec;
use crate::error::GetError;
use crate::event::Event;
use crate::flight::Flights;
use crate::key::{Key, KeySpace};
use crate::memory::{Cold, Memory, Slot};
use crate::node::{NEVER, Node};
use crate::policy::Policy;
use crate::ports::{Source, Tick};
use crate::stats::Stats;

/// The coarse clock is behind by up to a tick of the kernel, so a hit keeps this far from the bound.
const COARSE_LAG: Duration = Duration::from_millis(10);

/// Before `fresh_until` by this many load times a hit begins to think about an early refresh; the
/// chance of one is 2e-9 there.
const EARLY_WINDOW: f64 = 20.0;

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
    /// The source failed as a whole; until then stale values are served without asking it.
    source_retry_at: AtomicU64,
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

    /// Answers from memory, if what is there is current.
    fn hit(&self, key: &K, options: Options) -> Option<Answer<V>> {
        let shared = &self.0;
        // Order matters: see `certificate::publication`.
        let observed = shared.node.0.knowledge.observe();
        let slot = shared.memory.get(key)?;
        let now = shared.node.0.clock.coarse();
        let is_plain = slot.epoch() == observed.epoch
            && now < slot.calm_until()
            && shared.is_anchored(&slot, observed, now)
            && options.freshness == Freshness::Usual
            && shared.mode.load(Ordering::Relaxed) == 0;
        if !is_plain {
            return shared.hit_after_thought(key, slot, observed, options);
        }
        shared.stats.memory_hits.add_one();
        Some(shared.memory_answer(slot, observed, now))
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
        Self {
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
        }
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            0 => Mode::Cache,
            1 => Mode::Shadow,
            _ => Mode::Bypass,
        }
    }

    /// With a change log an accepted value is current however old it is; without one it is
    /// current as long as it is fresh.
    fn is_tracked(&self) -> bool {
        self.node.0.log.is_some()
    }

    /// Rule R3, kept on the safe side of the coarse clock's lag.
    fn is_anchored(&self, slot: &Slot<V>, observed: Observed, now: Tick) -> bool {
        let knowledge = &self.node.0.knowledge;
        let now = now.after(COARSE_LAG);
        knowledge.anchors(observed, now)
            || (slot.loaded_at != NEVER && now.since(slot.loaded_at) <= knowledge.bound())
    }

    fn memory_answer(&self, slot: Slot<V>, observed: Observed, now: Tick) -> Answer<V> {
        if slot.value.is_none() {
            self.stats.absent_answers.add(1);
        }
        let current_at = if self.is_tracked() {
            observed.fresh_at.max(slot.loaded_at)
        } else {
            slot.loaded_at
        };
        let trail = Trail {
            tier: Tier::Memory,
            stale: false,
            collapsed: false,
            stored: true,
            searched_remote: false,
            age: now.since(current_at),
        };
        Answer::new(slot.value, trail)
    }

    /// A hit that is not plain: the epoch moved, the end of the life is near, the caller insists.
    #[cold]
    #[inline(never)]
    fn hit_after_thought(
        self: &Arc<Self>,
        key: &K,
        slot: Slot<V>,
        observed: Observed,
        options: Options,
    ) -> Option<Answer<V>> {
        let now = self.node.0.clock.now();
        if self.mode() != Mode::Cache || !self.is_anchored(&slot, observed, now) {
            return None;
        }
        match options.freshness {
            Freshness::Usual => {}
            Freshness::Validated => return None,
            Freshness::MaxAge(most) => {
                let current_at = if self.is_tracked() {
                    observed.fresh_at
                } else {
                    slot.loaded_at
                };
                if now.since(current_at) > most {
                    return None;
                }
            }
        }
        if slot.epoch() != observed.epoch && !self.is_accepted_in(key, observed.epoch) {
            return None;
        }
        if now >= slot.calm_until() && !self.is_usable_at_its_end(key, now) {
            return None;
        }
        self.stats.memory_hits.add_one();
        Some(self.memory_answer(slot, observed, now))
    }

    /// Checks the entry in memory against what is known, and remembers the epoch if it passes.
    fn is_accepted_in(&self, key: &K, epoch: u64) -> bool {
        let Some(slot) = self.memory.inspect(key) else {
            return false;
        };
        let Some(cold) = slot.cold() else {
            return false;
        };
        match self.judge(key, cold) {
            Verdict::Accepted => {
                self.memory.look(key, |present| {
                    if present.cold().is_some_and(|present| present.id == cold.id) {
                        present.set_epoch(epoch);
                    }
                });
                true
            }
            Verdict::Refused(refusal) => {
                self.count_refusal(refusal);
                if !refusal.leaves_stale() {
                    self.memory.remove_fill(key, cold.id);
                }
                false
            }
        }
    }

    fn judge(&self, key: &K, cold: &Cold) -> Verdict {
        let evidence = Evidence {
            entity: self.name,
            key: &key.text(),
            deps: &cold.deps,
            certificate: &cold.certificate,
        };
        self.node.0.knowledge.judge(evidence)
    }

    fn count_refusal(&self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::Forgotten | Refusal::Expired => &self.stats.refused_changed,
            Refusal::Floor => &self.stats.refused_floor,
            Refusal::Incarnation => &self.stats.refused_incarnation,
        };
        counter.add(1);
        self.node.tell(Event::Refused {
            entity: self.name,
            refusal,
        });
    }

    /// Near or past `fresh_until`: may the entry be served, and is it time to refresh it?
    fn is_usable_at_its_end(self: &Arc<Self>, key: &K, now: Tick) -> bool {
        let Some(slot) = self.memory.inspect(key) else {
            return false;
        };
        let Some(cold) = slot.cold() else {
            return false;
        };
        let is_over = now >= cold.fresh_until;
        if is_over && !self.is_tracked() {
            return false;
        }
        let retry_at = Tick::from_nanos(cold.retry_at.load(Ordering::Relaxed));
        if now >= retry_at && (is_over || self.draws_early_refresh(cold, now)) {
            self.refresh(key, cold.id);
        }
        true
    }

    /// `XFetch`: now − δ·β·ln(u) ≥ the end (Vattani, Chierichetti, Lowenstein: Optimal
    /// Probabilistic Cache Stampede Prevention, PVLDB 8(8), 2015).
    fn draws_early_refresh(&self, cold: &Cold, now: Tick) -> bool {
        let ahead = -self.node.0.random.unit().ln() * self.policy().early_refresh;
        now.after(cold.load_time.mul_f64(ahead.clamp(0.0, EARLY_WINDOW))) >= cold.fresh_until
    }

    /// The answer that stands in while the truth is out of reach, if there may be one.
    fn stale_answer(
        &self,
        key: &K,
        slot: &Slot<V>,
        now: Tick,
        observed: Observed,
        searched_remote: bool,
    ) -> Option<Answer<V>> {
        let cold = slot.cold()?;
        let was_current_at = match self.judge(key, cold) {
            // Accepted as of the last poll, so it was current then, however long ago it was loaded.
            Verdict::Accepted if self.is_tracked() => observed.fresh_at.max(cold.created_at),
            Verdict::Accepted => cold.created_at,
            Verdict::Refused(refusal) if refusal.leaves_stale() => cold.created_at,
            Verdict::Refused(_) => return None,
        };
        let stale_for = self.policy().stale_for;
        if now >= cold.stale_until && now.since(was_current_at) > stale_for {
            return None;
        }
        let trail = Trail {
            tier: Tier::Memory,
            stale: true,
            collapsed: false,
            stored: true,
            searched_remote,
            age: now.since(was_current_at),
        };
        Some(Answer::new(slot.value.clone(), trail))
    }
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

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// What memory has under a key, as an operator sees it.
    pub(crate) fn inspect(&self, key: &K) -> Option<crate::registry::Inspected> {
        let slot = self.memory.inspect(key)?;
        let cold = slot.cold()?;
        let now = self.node.0.clock.now();
        Some(crate::registry::Inspected {
            has_value: slot.value.is_some(),
            age: now.since(cold.created_at),
            fresh_for: cold.fresh_until.since(now),
            stale_for: cold.stale_until.since(cold.fresh_until.max(now)),
            deps: cold.deps.iter().map(|dep| dep.name().to_owned()).collect(),
            position: cold.certificate.position.to_string(),
            refused: match self.judge(key, cold) {
                Verdict::Accepted => None,
                Verdict::Refused(refusal) => Some(refusal),
            },
            bytes: cold.value_bytes,
        })
    }
}
