//! Hits that are not plain: the entry must be judged again, nears its end, or may only stand in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::answer::Freshness;
use super::load::OwnLoad;
use super::{Answer, COARSE_LAG, EARLY_WINDOW, Mode, Options, Shared, Tier, Trail};
use crate::certificate::{Certificate, Dep, Evidence, Observed, Refusal, Verdict};
use crate::event::Event;
use crate::key::Key;
use crate::memory::{Cold, Slot};
use crate::node::NEVER;
use crate::ports::Tick;

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// With a change log an accepted value is current however old it is; without one it is
    /// current as long as it is fresh.
    pub(super) fn is_tracked(&self) -> bool {
        self.node.0.log.is_some()
    }

    /// Rule R3, kept on the safe side of the coarse clock's lag.
    pub(super) fn is_anchored(&self, slot: &Slot<V>, observed: Observed, now: Tick) -> bool {
        let knowledge = &self.node.0.knowledge;
        let now = now.after(COARSE_LAG);
        knowledge.anchors(observed, now)
            || (slot.loaded_at != NEVER && knowledge.reaches(slot.loaded_at, now))
    }

    /// When an entry that is served was last known to be current.
    pub(super) fn current_at(&self, slot: &Slot<V>, observed: Observed) -> Tick {
        if self.is_tracked() {
            observed.fresh_at.max(slot.loaded_at)
        } else {
            slot.loaded_at
        }
    }

    pub(super) fn memory_answer(&self, slot: Slot<V>, observed: Observed, now: Tick) -> Answer<V> {
        if slot.value.is_none() {
            self.stats.absent_answers.add(1);
        }
        let current_at = self.current_at(&slot, observed);
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
    pub(super) fn hit_after_thought(
        self: &Arc<Self>,
        key: &K,
        observed: Observed,
        options: Options,
    ) -> Option<Answer<V>> {
        if self.mode() != Mode::Cache {
            return None;
        }
        // What is judged is what is served, even if another entry takes its place meanwhile.
        let slot = self.memory.inspect(key)?;
        let cold = slot.cold()?;
        let now = self.node.0.clock.now();
        if !self.is_anchored(&slot, observed, now) {
            return None;
        }
        match options.freshness {
            Freshness::Usual => {}
            Freshness::Validated | Freshness::Reloaded => return None,
            Freshness::MaxAge(most) => {
                if now.since(self.current_at(&slot, observed)) > most {
                    return None;
                }
            }
        }
        if slot.epoch() != observed.epoch && !self.is_accepted_in(key, cold, observed.epoch) {
            return None;
        }
        if now >= slot.calm_until() && !self.is_usable_at_its_end(key, cold, now) {
            return None;
        }
        self.stats.memory_hits.add_one();
        Some(self.memory_answer(slot, observed, now))
    }

    /// Checks an entry of memory against what is known, and remembers the epoch if it passes.
    fn is_accepted_in(&self, key: &K, cold: &Cold, epoch: u64) -> bool {
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

    pub(super) fn judge(&self, key: &K, cold: &Cold) -> Verdict {
        self.judge_as(key, &cold.deps, &cold.certificate)
    }

    /// What is to be thought of an entry that shows these deps and had seen this much.
    pub(super) fn judge_as(&self, key: &K, deps: &[Dep], certificate: &Certificate) -> Verdict {
        let evidence = Evidence {
            entity: self.name,
            key: &key.text(),
            deps,
            certificate,
        };
        self.node.0.knowledge.judge(evidence)
    }

    pub(super) fn count_refusal(&self, refusal: Refusal) {
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
    fn is_usable_at_its_end(self: &Arc<Self>, key: &K, cold: &Cold, now: Tick) -> bool {
        let is_over = now >= cold.fresh_until;
        if is_over && !self.is_tracked() {
            return false;
        }
        if is_over || self.draws_early_refresh(cold, now) {
            self.refresh_if_due(key, cold, now);
        }
        true
    }

    fn refresh_if_due(self: &Arc<Self>, key: &K, cold: &Cold, now: Tick) {
        let retry_at = Tick::from_nanos(cold.retry_at.load(Ordering::Relaxed));
        if now >= retry_at {
            self.refresh(key, cold.id, None);
        }
    }

    /// After a hit, by a caller who brings a load, where nothing else can refresh an entry that is
    /// past `fresh_for`.
    pub(super) fn refresh_with(self: &Arc<Self>, key: &K, load: impl FnOnce() -> OwnLoad<V>) {
        let now = self.node.0.clock.now();
        let over = self.memory.look(key, |slot| {
            let cold = slot.cold().filter(|_| now >= slot.calm_until())?;
            let retry_at = Tick::from_nanos(cold.retry_at.load(Ordering::Relaxed));
            (now >= cold.fresh_until && now >= retry_at).then_some(cold.id)
        });
        if let Some(Some(id)) = over {
            self.refresh(key, id, Some(load()));
        }
    }

    /// `XFetch`: now − δ·β·ln(u) ≥ the end (Vattani, Chierichetti, Lowenstein: Optimal
    /// Probabilistic Cache Stampede Prevention, PVLDB 8(8), 2015).
    fn draws_early_refresh(&self, cold: &Cold, now: Tick) -> bool {
        let ahead = -self.node.0.random.unit().ln() * self.policy().early_refresh;
        now.after(cold.load_time.mul_f64(ahead.clamp(0.0, EARLY_WINDOW))) >= cold.fresh_until
    }

    /// The answer that stands in while the truth is out of reach, if there may be one.
    pub(super) fn stale_answer(
        &self,
        key: &K,
        slot: &Slot<V>,
        now: Tick,
        observed: Observed,
        searched_remote: bool,
    ) -> Option<Answer<V>> {
        let cold = slot.cold()?;
        let stale_for = self.policy().stale_for;
        let (was_current_at, may_stand_in) = match self.judge(key, cold) {
            // Without a log nothing is known but the life that it was given.
            _ if !self.is_tracked() && now >= cold.stale_until => return None,
            // Accepted as of the last poll, so it was current then, however long ago it was loaded.
            Verdict::Accepted if self.is_tracked() => {
                let at = observed.fresh_at.max(cold.created_at);
                (at, now.since(at) <= stale_for)
            }
            Verdict::Accepted => (cold.created_at, true),
            Verdict::Refused(Refusal::Forgotten) => return None,
            Verdict::Refused(Refusal::Expired) => (cold.created_at, now < cold.stale_until),
            // Nobody knows until when it was current: it was when it was loaded.
            Verdict::Refused(Refusal::Floor | Refusal::Incarnation) => {
                let at = cold.created_at;
                (at, now.since(at) <= stale_for)
            }
        };
        if !may_stand_in {
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
