//! What a load found becomes an entry: into memory if it is accepted now, into the remote tier if
//! the lease still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use bytes::Bytes;

use super::landing::Landed;
use super::load::Answered;
use super::{EARLY_WINDOW, Shared, Tier};
use crate::certificate::{Certificate, Dep, Observed, Refusal, Verdict, Watched};
use crate::codec::CodecError;
use crate::envelope::{self, Envelope, Kind};
use crate::error::{GetError, SourceError};
use crate::event::Event;
use crate::key::Key;
use crate::log;
use crate::memory::{Cold, Slot};
use crate::node::NEVER;
use crate::policy::{Placement, Policy};
use crate::ports::{Found, Tick};
use crate::privacy;
use crate::switch::Rule;

/// A life longer than this is not worth telling from it.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 365 * 10);

/// An entry that came out of the remote tier.
pub(super) struct Opened<V> {
    pub(super) slot: Slot<V>,
    /// When it was looked at.
    pub(super) read_at: Tick,
    /// What was known before it was judged.
    pub(super) observed: Observed,
    /// Why it may not be served as current, if it may not.
    pub(super) refusal: Option<Refusal>,
}

impl<V> Opened<V> {
    /// Whether the value may at least stand in.
    pub(super) fn leaves_stale(&self) -> bool {
        self.refusal.is_none_or(Refusal::leaves_stale)
    }
}

/// What became of a load.
pub(super) struct Filled<V> {
    pub(super) landed: Landed<V>,
    /// The cell for the remote tier, with its life, if it is to be written.
    pub(super) cell: Option<(Bytes, Duration)>,
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Takes in what the source said about a key.
    pub(super) fn fill(
        &self,
        key: &K,
        policy: &Policy,
        answered: Answered<V>,
        known: Option<&Slot<V>>,
    ) -> Result<Filled<V>, GetError> {
        let Answered {
            loaded,
            certificate,
            sent_at,
            sent_epoch,
            took,
        } = answered;
        let certificate = certificate.or_else(|| self.node.0.knowledge.cursor());
        // Whoever joined and knows more than the load had seen must not have its value (rule R5),
        // though nothing is kept of it.
        let uncached = |value: Option<Arc<V>>, more: Vec<Dep>| {
            let mut deps = self.deps_of(value.as_deref());
            deps.extend(more);
            let watched = self.watched(key, &deps);
            let accepted_in = certificate
                .as_ref()
                .and_then(|it| self.accept(key, &watched, it));
            Filled {
                landed: Landed {
                    value,
                    tier: Tier::Source,
                    good_in: accepted_in.unwrap_or(sent_epoch),
                    current_at: sent_at,
                    proven_at: None,
                    is_stored: false,
                    searched_remote: false,
                },
                cell: None,
            }
        };
        let is_modified = !matches!(loaded.found, Found::NotModified);
        let value = match loaded.found {
            Found::Value(value) => Some(Arc::new(value)),
            Found::Absent => None,
            Found::NotModified => {
                let nothing = || SourceError::fatal("`not modified` without a known value");
                let value = known.and_then(|known| known.value.clone());
                Some(value.ok_or_else(|| GetError::source_failed(nothing()))?)
            }
            Found::Uncached(value) => return Ok(uncached(value.map(Arc::new), loaded.deps)),
            Found::Failed(error) => {
                self.node.tell(Event::LoadFailed {
                    entity: self.name,
                    error: &error,
                });
                return Err(GetError::source_failed(error));
            }
        };
        let life = if value.is_some() {
            policy.fresh_for
        } else {
            policy.absent_for
        };
        let fresh_for = loaded
            .fresh_for
            .unwrap_or_else(|| self.jittered(life, policy))
            .min(loaded.changes_in.unwrap_or(LONGEST_LIFE))
            .min(LONGEST_LIFE);
        let placement = loaded.placement.unwrap_or(policy.placement);
        let is_crowded = certificate
            .as_ref()
            .is_some_and(|it| it.position.xip().len() > envelope::MOST_XIP);
        if is_crowded {
            self.stats.crowded.add(1);
        }
        let is_kept = !is_crowded && !fresh_for.is_zero() && placement != Placement::Nowhere;
        let Some(certificate) = certificate.clone().filter(|_| is_kept) else {
            return Ok(uncached(value, loaded.deps));
        };
        let mut deps = self.deps_of(value.as_deref());
        deps.extend(loaded.deps);
        deps.extend(loaded.changes_in.map(|_| Dep::time()));
        // What told apart this value before does so still, though its source names nothing now.
        if let Some(cold) = known.and_then(Slot::cold).filter(|_| !is_modified) {
            let more = cold.deps.iter().filter(|dep| !deps.contains(dep));
            let more: Vec<Dep> = more.cloned().collect();
            deps.extend(more);
        }
        let entry = Entry {
            value,
            certificate,
            deps,
            fresh_for,
            stale_for: policy.stale_for,
            took,
            sent_at,
        };
        Ok(self.store(key, policy, placement, sent_epoch, entry))
    }

    fn deps_of(&self, value: Option<&V>) -> Vec<Dep> {
        value.map(|value| (self.deps)(value)).unwrap_or_default()
    }

    /// What a change of an entry may be called.
    fn watched(&self, key: &K, deps: &[Dep]) -> Watched {
        Watched::new(self.name, &key.text(), deps)
    }

    /// The epoch in which a load had seen all that is known of what its value shows. It is read
    /// before the check, so that a change in between is looked at again.
    fn accept(&self, key: &K, watched: &Watched, certificate: &Certificate) -> Option<u64> {
        let epoch = self.node.0.knowledge.observe().epoch;
        let is_current = self.judge(key, watched, certificate, 0) == Verdict::Accepted
            || !self.node.0.knowledge.holds(Rule::JudgeLoad);
        is_current.then_some(epoch)
    }

    fn store(
        &self,
        key: &K,
        policy: &Policy,
        placement: Placement,
        sent_epoch: u64,
        entry: Entry<V>,
    ) -> Filled<V> {
        let id = self.node.0.random.id();
        let now = self.node.0.clock.now();
        let sealed = if placement.in_remote() {
            self.seal(key, policy, id, now, &entry)
        } else {
            None
        };
        let encoded = sealed.as_ref().map(|sealed| sealed.payload_bytes);
        let value_bytes = self.weigh(entry.value.as_deref(), encoded);
        let is_oversized = value_bytes > policy.max_value_bytes;
        if is_oversized {
            self.stats.oversized.add(1);
            self.node.tell(Event::Oversized {
                entity: self.name,
                bytes: value_bytes,
            });
        }
        let value = entry.value.clone();
        let fresh_until = entry.sent_at.after(entry.fresh_for);
        let cold = Cold {
            id,
            certificate: entry.certificate,
            watched: self.watched(key, &entry.deps),
            deps: entry.deps.into(),
            fresh_until,
            stale_until: fresh_until.after(entry.stale_for),
            retry_at: AtomicU64::new(0),
            created_at: entry.sent_at,
            load_time: entry.took,
            value_bytes: AtomicUsize::new(value_bytes),
        };
        let accepted_in = self.accept(key, &cold.watched, &cold.certificate);
        let may_enter = placement.in_memory() && !is_oversized;
        let in_memory = if let Some(epoch) = accepted_in.filter(|_| may_enter) {
            let calm_until = calm_until(&cold, self.eagerness(key, policy));
            let slot = Slot::new(value.clone(), epoch, calm_until, entry.sent_at, cold);
            self.memory.insert(key.clone(), slot);
            true
        } else {
            false
        };
        if accepted_in.is_none() {
            self.stats.overtaken.add(1);
        }
        let cell = sealed
            .filter(|_| accepted_in.is_some())
            .map(|sealed| (sealed.cell, sealed.life));
        let landed = Landed {
            value,
            tier: Tier::Source,
            good_in: accepted_in.unwrap_or(sent_epoch),
            current_at: entry.sent_at,
            proven_at: None,
            is_stored: in_memory || cell.is_some(),
            searched_remote: false,
        };
        Filled { landed, cell }
    }

    fn weigh(&self, value: Option<&V>, encoded: Option<usize>) -> usize {
        value.map_or(0, |value| self.weigh.bytes(value, encoded))
    }

    /// What the remote tier shall hold; nothing where it can not be written.
    pub(super) fn seal(
        &self,
        key: &K,
        policy: &Policy,
        id: [u8; 16],
        now: Tick,
        entry: &Entry<V>,
    ) -> Option<Sealed> {
        let codec = self.codec.as_ref()?;
        let payload = match &entry.value {
            Some(value) => match codec.encode(value) {
                Ok(bytes) => Some(Bytes::from(bytes)),
                Err(error) => {
                    self.is_not_encoded(&error);
                    return None;
                }
            },
            None => None,
        };
        let payload_bytes = payload.as_ref().map_or(0, Bytes::len);
        let wall = self.node.0.clock.wall_ms();
        let envelope = Envelope {
            id,
            // Without a log of the store a position means nothing to another node.
            certificate: self.is_tracked().then(|| entry.certificate.clone()),
            deps: entry.deps.clone(),
            created_ms: wall.saturating_sub(millis(now.since(entry.sent_at))),
            fresh_ms: millis(entry.fresh_for),
            stale_ms: millis(entry.stale_for),
            load_us: u64::try_from(entry.took.as_micros()).unwrap_or(u64::MAX),
            payload,
        };
        let Ok(cell) = envelope.encode(&key.text(), policy.compress_above) else {
            self.stats.oversized.add(1);
            return None;
        };
        let life = entry.fresh_for.saturating_add(entry.stale_for);
        Some(Sealed {
            cell,
            life: life.min(LONGEST_LIFE),
            payload_bytes,
        })
    }

    /// Each value with a private field is counted, and the first one told: a rush of them would
    /// fill the log.
    fn is_not_encoded(&self, error: &CodecError) {
        let is_withheld = privacy::is_withheld(error);
        if !is_withheld || self.stats.withheld.get() == 0 {
            log::about(self.node.id(), Some(self.name))
                .in_scope(|| tracing::warn!(%error, "a value has no encoding"));
        }
        if is_withheld {
            self.stats.withheld.add(1);
        }
    }

    /// Reads a cell of the remote tier; nothing when its bytes are not an entry of this key.
    /// `read_as` is the position before the cell was asked for; it stands in where cells carry none.
    pub(super) fn open(
        &self,
        key: &K,
        policy: &Policy,
        cell: &Bytes,
        read_as: &Certificate,
    ) -> Option<Opened<V>> {
        let codec = self.codec.as_ref()?;
        let text = key.text();
        let envelope = Envelope::decode(cell, &text).ok()?;
        let value = match &envelope.payload {
            Some(payload) => Some(Arc::new(codec.decode(payload).ok()?)),
            None => None,
        };
        let (now, wall) = (self.node.0.clock.now(), self.node.0.clock.wall_ms());
        // Another machine's wall clock is believed within the lives that an entry may have.
        let age = Duration::from_millis(wall.saturating_sub(envelope.created_ms)).min(LONGEST_LIFE);
        let fresh_for = Duration::from_millis(envelope.fresh_ms).min(LONGEST_LIFE);
        let stale_for = Duration::from_millis(envelope.stale_ms).min(policy.stale_for);
        let certificate = match (envelope.certificate, self.is_tracked()) {
            (Some(certificate), true) => certificate,
            (None, false) => read_as.clone(),
            (Some(_), false) | (None, true) => return None,
        };
        self.node.0.knowledge.met(&certificate);
        let fresh_until = now.after(fresh_for.saturating_sub(age));
        let overdue = age.saturating_sub(fresh_for);
        let encoded = envelope.payload.as_ref().map(Bytes::len);
        let value_bytes = self.weigh(value.as_deref(), encoded);
        let cold = Cold {
            id: envelope.id,
            certificate,
            watched: Watched::new(self.name, &text, &envelope.deps),
            deps: envelope.deps.into(),
            fresh_until,
            stale_until: now.after(stale_for.saturating_sub(overdue)),
            retry_at: AtomicU64::new(0),
            created_at: now.before(age),
            load_time: Duration::from_micros(envelope.load_us).min(policy.hard_deadline),
            value_bytes: AtomicUsize::new(value_bytes),
        };
        let observed = self.node.0.knowledge.observe();
        let verdict = self.judge(key, &cold.watched, &cold.certificate, 0);
        let refusal = verdict.refusal();
        let epoch = if refusal.is_none() { observed.epoch } else { 0 };
        let loaded_at = if self.is_tracked() {
            NEVER
        } else {
            cold.created_at
        };
        let calm_until = calm_until(&cold, self.eagerness(key, policy));
        Some(Opened {
            slot: Slot::new(value, epoch, calm_until, loaded_at, cold),
            read_at: now,
            observed,
            refusal,
        })
    }

    /// Keeps an entry of the remote tier in memory, if it may be there.
    pub(super) fn keep(&self, key: &K, policy: &Policy, opened: &Opened<V>) -> bool {
        let fits = opened
            .slot
            .cold()
            .is_some_and(|cold| cold.value_bytes() <= policy.max_value_bytes);
        let keeps = opened.refusal.is_none() && policy.placement.in_memory() && fits;
        if keeps {
            self.memory.insert(key.clone(), opened.slot.whole());
        }
        keeps
    }

    fn jittered(&self, life: Duration, policy: &Policy) -> Duration {
        let share = policy.jitter.clamp(0.0, 1.0) * self.node.0.random.unit();
        life.min(LONGEST_LIFE).mul_f64(1.0 - share)
    }
}

/// A cell for the remote tier.
pub(super) struct Sealed {
    pub(super) cell: Bytes,
    pub(super) life: Duration,
    /// What the value alone takes in it, uncompressed.
    payload_bytes: usize,
}

pub(super) struct Entry<V> {
    pub(super) value: Option<Arc<V>>,
    pub(super) certificate: Certificate,
    pub(super) deps: Vec<Dep>,
    pub(super) fresh_for: Duration,
    pub(super) stale_for: Duration,
    pub(super) took: Duration,
    pub(super) sent_at: Tick,
}

/// Until when a hit has nothing to think about: early refresh can not be drawn before.
fn calm_until(cold: &Cold, eagerness: f64) -> Tick {
    let early = (eagerness * EARLY_WINDOW).clamp(0.0, 1e6);
    cold.fresh_until.before(cold.load_time.mul_f64(early))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The head of a value cell.
pub(super) fn value_head(id: [u8; 16]) -> crate::ports::CellHead {
    Kind::Value.head(id)
}
