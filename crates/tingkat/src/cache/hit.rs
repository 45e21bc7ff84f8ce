//! Hits that are not plain: the entry must be judged again, nears its end, or may only stand in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::accesses::is_sampled;
use super::answer::Freshness;
use super::load::OwnLoad;
use super::{Answer, COARSE_LAG, EARLY_WINDOW, FAVOURED, Mode, Options, Shared, Tier, Trail};
use crate::certificate::{Certificate, Evidence, Observed, Refusal, Verdict, Watched};
use crate::event::Event;
use crate::key::Key;
use crate::memory::{Cold, Slot};
use crate::node::NEVER;
use crate::policy::Policy;
use crate::ports::Tick;

/// What is to be done with an entry of memory.
enum Thought<V> {
    /// It is not for this caller.
    Nothing,
    /// It has not seen all that is known.
    Refuse([u8; 16], Refusal),
    /// It is served as of then, and this fill is to be refreshed.
    Serve(Slot<V>, Tick, Option<[u8; 16]>),
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// With a change log an accepted value is current however old it is; without one it is
    /// current as long as it is fresh.
    pub(super) fn is_tracked(&self) -> bool {
        self.node.0.log.is_some()
    }

    /// Whether the life of an entry is not over: an accepted value is current however old it is,
    /// where the log tells all that changes.
    pub(super) fn is_live(&self, cold: &Cold, now: Tick) -> bool {
        now < cold.fresh_until || (self.is_tracked() && !cold.changes_by_itself())
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
        let thought = self
            .memory
            .look(key, |slot| self.think(key, slot, observed, options))?;
        match thought {
            Thought::Nothing => None,
            Thought::Refuse(id, refusal) => {
                self.count_refusal(refusal);
                if !refusal.leaves_stale() {
                    self.memory.remove_fill(key, id);
                }
                None
            }
            Thought::Serve(slot, now, refresh) => {
                if let Some(id) = refresh {
                    self.refresh(key, id, None);
                }
                let count = self.stats.memory_hits.add_one();
                if is_sampled(count) {
                    self.note_hit(key);
                }
                Some(self.memory_answer(slot, observed, now))
            }
        }
    }

    /// Decides about an entry where it stands, and remembers the epoch if it is accepted: once for
    /// each poll that brings changes this happens to every entry that is in use.
    fn think(&self, key: &K, slot: &Slot<V>, observed: Observed, options: Options) -> Thought<V> {
        let now = self.node.0.clock.now();
        let Some(cold) = slot
            .cold()
            .filter(|_| self.is_anchored(slot, observed, now))
        else {
            return Thought::Nothing;
        };
        match options.freshness {
            Freshness::Usual => {}
            Freshness::Validated | Freshness::Reloaded => return Thought::Nothing,
            Freshness::MaxAge(most) => {
                if now.since(self.current_at(slot, observed)) > most {
                    return Thought::Nothing;
                }
            }
        }
        if slot.epoch() != observed.epoch {
            if let Verdict::Refused(refusal) = self.judge_cold(key, cold, slot.epoch()) {
                return Thought::Refuse(cold.id, refusal);
            }
            slot.set_epoch(observed.epoch);
        }
        let mut refresh = None;
        if now >= slot.calm_until() {
            let is_over = now >= cold.fresh_until;
            if !self.is_live(cold, now) {
                return Thought::Nothing;
            }
            let retry_at = Tick::from_nanos(cold.retry_at.load(Ordering::Relaxed));
            let is_due = is_over || self.draws_early_refresh(key, cold, now);
            refresh = (is_due && now >= retry_at).then_some(cold.id);
        }
        Thought::Serve(slot.clone(), now, refresh)
    }

    /// Judges an entry that was accepted in this epoch last; 0 when it never was.
    pub(super) fn judge_cold(&self, key: &K, cold: &Cold, accepted_in: u64) -> Verdict {
        self.judge(key, &cold.watched, &cold.certificate, accepted_in)
    }

    /// What is to be thought of an entry that shows this and had seen this much.
    pub(super) fn judge(
        &self,
        key: &K,
        watched: &Watched,
        certificate: &Certificate,
        accepted_in: u64,
    ) -> Verdict {
        let evidence = Evidence {
            entity: self.name,
            key: &|| key.text(),
            watched,
            certificate,
            accepted_in,
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

    /// β of `XFetch` for a key: who is wanted much is refreshed well before the end.
    pub(super) fn eagerness(&self, key: &K, policy: &Policy) -> f64 {
        if self.memory.is_favourite(key) {
            policy.early_refresh * FAVOURED
        } else {
            policy.early_refresh
        }
    }

    /// `XFetch`: now − δ·β·ln(u) ≥ the end (Vattani, Chierichetti, Lowenstein: Optimal
    /// Probabilistic Cache Stampede Prevention, PVLDB 8(8), 2015).
    fn draws_early_refresh(&self, key: &K, cold: &Cold, now: Tick) -> bool {
        let ahead = -self.node.0.random.unit().ln() * self.eagerness(key, &self.policy());
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
        let (was_current_at, may_stand_in) = match self.judge_cold(key, cold, slot.epoch()) {
            // Without a log nothing is known but the life that it was given.
            _ if !self.is_tracked() && now >= cold.stale_until => return None,
            // Accepted as of the last poll, so it was current then, however long ago it was loaded.
            Verdict::Accepted if self.is_tracked() => {
                let mut at = observed.fresh_at.max(cold.created_at);
                if cold.changes_by_itself() {
                    at = at.min(cold.fresh_until);
                }
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
