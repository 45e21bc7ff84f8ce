//! Loads ahead of demand: keys by the part, behind customers; nothing of it counts as a look-up.

mod portions;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

pub(crate) use self::portions::Portions;
use self::remote::Written;

use super::fill::{Entry, Opened};
use super::landing::Landing;
use super::load::{Answered, Priority};
use super::read::Attempt;
use super::search::Finding;
use super::{Mode, Options, Shared, Tier};
use crate::certificate::Verdict;
use crate::error::{GetError, GetErrorKind};
use crate::flight::{Leader, Role, Waiter};
use crate::key::Key;
use crate::memory::Slot;
use crate::policy::{Placement, Policy};
use crate::ports::{Tick, Wanted};
use crate::warm::{Cause, Warmed, Way};

/// The share of the memory tier that warming fills, in percent: what customers ask for meanwhile
/// shall not push out what was warmed.
const FILL: u64 = 90;

/// How often it is looked for what others are about to write, and how long after the last time.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(50);

/// A load that was sent, and who waits for it.
struct Sent<K: Key, V> {
    place: usize,
    leader: Leader<K, Landing<V>>,
    known: Option<Arc<Slot<V>>>,
    answer: oneshot::Receiver<Result<Answered<V>, GetError>>,
    may_write: bool,
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Has keys in the tiers, or only looks whether they are. It goes on in a task of its own when
    /// the caller leaves: what was loaded shall not be loaded again.
    pub(crate) async fn warm_many(self: &Arc<Self>, keys: Vec<K>, way: Way) -> Vec<Warmed> {
        let count = keys.len();
        let (done, outcome) = oneshot::channel();
        let shared = Arc::clone(self);
        self.node.spawn(async move {
            // Whoever asked may be gone.
            let _ = done.send(shared.warm_part(&keys, way).await);
        });
        let failed = || vec![Warmed::Failed(Cause::ShutDown); count];
        outcome.await.unwrap_or_else(|_| failed())
    }

    async fn warm_part(self: &Arc<Self>, keys: &[K], way: Way) -> Vec<Warmed> {
        let all = |outcome: Warmed| vec![outcome; keys.len()];
        if self.node.is_shut_down() {
            return all(Warmed::Failed(Cause::ShutDown));
        }
        if self.mode() != Mode::Cache {
            return all(Warmed::Failed(Cause::NotKept));
        }
        let started = self.node.0.clock.now();
        let Ok(attempt) = self.attempt(started, Options::default().background()).await else {
            return all(Warmed::Failed(Cause::NotCurrent));
        };
        let mut part = Part {
            shared: self,
            keys,
            way,
            attempt,
            outcomes: all(Warmed::Cold),
            sent: Vec::new(),
            waits: Vec::new(),
            written: Vec::new(),
        };
        part.warm().await;
        part.outcomes
    }

    /// How many keys that customers wait for have no place at the source yet.
    pub(crate) fn customers_waiting(&self) -> usize {
        self.loader.customers_waiting(&self.policy())
    }
}

/// Some keys on their way into the tiers.
struct Part<'a, K: Key, V> {
    shared: &'a Arc<Shared<K, V>>,
    keys: &'a [K],
    way: Way,
    attempt: Attempt,
    outcomes: Vec<Warmed>,
    sent: Vec<Sent<K, V>>,
    /// Flights of others.
    waits: Vec<(usize, Waiter<Landing<V>>)>,
    written: Vec<Written>,
}

impl<K: Key, V: Send + Sync + 'static> Part<'_, K, V> {
    async fn warm(&mut self) {
        let keys = self.keys;
        let findings = self.find(&keys.iter().collect::<Vec<_>>()).await;
        for ((place, key), finding) in keys.iter().enumerate().zip(findings) {
            self.decide(place, key, finding);
        }
        for load in std::mem::take(&mut self.sent) {
            self.land(load).await;
        }
        self.write().await;
        let mut waited = Vec::new();
        for (place, flight) in std::mem::take(&mut self.waits) {
            let outcome = outcome_of(flight.await);
            self.set(place, outcome);
            if matches!(
                outcome,
                Warmed::Memory { .. } | Warmed::Loaded { .. } if self.has_remote()
            ) {
                waited.push(place);
            }
        }
        self.look_again(waited).await;
        self.look_at_memory();
    }

    /// Counts what memory shall have and has not. It may have been there for a while: what comes in
    /// later takes its place.
    fn look_at_memory(&mut self) {
        if !self.fills_memory() {
            return;
        }
        for (place, key) in self.keys.iter().enumerate() {
            let is_in_memory = self.fresh_in_memory(key).is_some();
            if let Some(Warmed::Remote { lacks_memory } | Warmed::Loaded { lacks_memory, .. }) =
                self.outcomes.get_mut(place)
            {
                *lacks_memory = !is_in_memory;
            }
        }
    }

    /// Whether memory is to have what is warmed.
    fn fills_memory(&self) -> bool {
        self.way.into_memory && !self.way.only_looks && self.attempt.policy.placement.in_memory()
    }

    /// Whether memory may have one more, or has it in an older state.
    fn has_room(&self, key: &K) -> bool {
        let (memory, policy) = (&self.shared.memory, &self.attempt.policy);
        memory.bytes() < policy.memory_bytes / 100 * FILL || memory.look(key, |_| ()).is_some()
    }

    /// Others write what they loaded after they have told it, and may be refused: it is looked
    /// whether the remote tier has it.
    async fn look_again(&mut self, mut waited: Vec<usize>) {
        let keys = self.keys;
        for _ in 0..LOOKS {
            let asked: Vec<&K> = waited.iter().filter_map(|place| keys.get(*place)).collect();
            if asked.is_empty() {
                return;
            }
            let mut findings = self.find(&asked).await.into_iter();
            waited.retain(|_| !matches!(findings.next(), Some(Finding::Current(_))));
            if !waited.is_empty() {
                self.shared.node.0.clock.sleep(LOOK).await;
            }
        }
        for place in waited {
            self.was_not_taken(place);
        }
    }

    /// What to do about a key of which the remote tier said this.
    fn decide(&mut self, place: usize, key: &K, finding: Finding<V>) {
        let in_memory = self.fresh_in_memory(key);
        match (finding, in_memory) {
            (Finding::Current(opened), in_memory) => {
                self.found(place, key, &opened, in_memory.is_some());
            }
            (Finding::Missing | Finding::Replaceable(..) | Finding::PastFresh(_), Some(slot))
                if self.copy(place, key, &slot) => {}
            // Whether the remote tier has it can not be told, or somebody is about to bring it.
            (Finding::Away | Finding::Unknown | Finding::Leased | Finding::Failed, Some(_)) => {
                let is_everywhere = !self.has_remote();
                self.set(place, Warmed::Memory { is_everywhere });
            }
            (_, _) if self.way.only_looks => {}
            (finding @ (Finding::Leased | Finding::Failed | Finding::Unanchored(_)), _) => {
                self.wait_for_others(place, key, finding);
            }
            (Finding::Away | Finding::Unknown, _) => self.send(place, key, false),
            (Finding::Missing | Finding::Replaceable(..) | Finding::PastFresh(_), _) => {
                self.send(place, key, true);
            }
        }
    }

    fn set(&mut self, place: usize, outcome: Warmed) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = outcome;
        }
    }

    /// Whether the entity's values belong into the remote tier as well.
    fn has_remote(&self) -> bool {
        self.shared.usable_remote(&self.attempt.policy).is_some()
    }

    /// The remote tier did not take what was written: memory may have it.
    fn was_not_taken(&mut self, place: usize) {
        let key = self.keys.get(place);
        let is_in_memory = key.is_some_and(|key| self.fresh_in_memory(key).is_some());
        let Some(outcome) = self.outcomes.get_mut(place) else {
            return;
        };
        match outcome {
            Warmed::Loaded { is_everywhere, .. } | Warmed::Memory { is_everywhere }
                if is_in_memory =>
            {
                *is_everywhere = false;
            }
            Warmed::Copied { .. } if is_in_memory => {
                let is_everywhere = false;
                *outcome = Warmed::Memory { is_everywhere };
            }
            Warmed::Memory { .. }
            | Warmed::Remote { .. }
            | Warmed::Copied { .. }
            | Warmed::Loaded { .. }
            | Warmed::Cold
            | Warmed::Failed(_) => *outcome = Warmed::Failed(Cause::RemoteAway),
        }
    }

    /// What memory has that needs no refresh. It is not counted as a use.
    fn fresh_in_memory(&self, key: &K) -> Option<Slot<V>> {
        let now = self.shared.node.0.clock.now();
        let slot = self.shared.memory.inspect(key)?;
        let is_fresh = slot.cold().is_some_and(|cold| now < cold.fresh_until);
        (is_fresh && self.shared.serves(key, &slot)).then_some(slot)
    }

    /// The remote tier has it.
    fn found(&mut self, place: usize, key: &K, opened: &Opened<V>, is_in_memory: bool) {
        if self.fills_memory() && !is_in_memory && self.has_room(key) {
            // What came of it is seen in the end.
            self.shared.keep(key, &self.attempt.policy, opened);
        }
        let outcome = if is_in_memory {
            Warmed::Memory {
                is_everywhere: true,
            }
        } else {
            Warmed::Remote {
                lacks_memory: false,
            }
        };
        self.set(place, outcome);
    }

    /// Has the remote tier take what memory has, where other nodes would accept it.
    fn copy(&mut self, place: usize, key: &K, slot: &Slot<V>) -> bool {
        if self.way.only_looks {
            let is_everywhere = false;
            self.set(place, Warmed::Memory { is_everywhere });
            return true;
        }
        let shared = self.shared;
        let Some(cold) = slot.cold() else {
            return false;
        };
        // As one judges it who meets it for the first time.
        if shared.judge_cold(key, cold, 0) != Verdict::Accepted {
            return false;
        }
        let entry = Entry {
            value: slot.value.clone(),
            certificate: cold.certificate.clone(),
            deps: cold.deps.to_vec(),
            fresh_for: cold.fresh_until.since(cold.created_at),
            stale_for: cold.stale_until.since(cold.fresh_until),
            took: cold.load_time,
            sent_at: cold.created_at,
        };
        let now = shared.node.0.clock.now();
        let Some(sealed) = shared.seal(key, &self.attempt.policy, cold.id, now, &entry) else {
            return false;
        };
        let bytes = sealed.cell.len();
        self.set(place, Warmed::Copied { bytes });
        self.written.push(Written {
            place,
            name: shared.space.cell(key),
            cell: sealed.cell,
            life: sealed.life,
        });
        true
    }

    /// Somebody else loads it or has just failed to: it takes its turn like any other look-up.
    fn wait_for_others(&mut self, place: usize, key: &K, finding: Finding<V>) {
        let shared = self.shared;
        let waiter = match shared.flights.join_or_lead(key, 0) {
            Role::Waiter(waiter) => waiter,
            Role::Leader(leader) => {
                let waiter = leader.waiter();
                shared.go_on(leader, &self.attempt, finding, None);
                waiter
            }
        };
        self.waits.push((place, waiter));
    }

    /// Queues a load, or joins the one that is under way.
    fn send(&mut self, place: usize, key: &K, may_write: bool) {
        let (shared, policy) = (self.shared, Arc::clone(&self.attempt.policy));
        let keeps_here = self.fills_memory() && self.has_room(key);
        if !may_write && !keeps_here {
            return self.set(place, Warmed::Failed(self.why_nowhere()));
        }
        let oldest = shared.oldest_to_join(&self.attempt);
        let leader = match shared.flights.join_or_lead(key, oldest) {
            Role::Waiter(waiter) => return self.waits.push((place, waiter)),
            Role::Leader(leader) => leader,
        };
        // What is accepted past its freshness would do for a customer, and is to be refreshed here.
        let is_fresh = self.fresh_in_memory(key).is_some();
        if let Some(landed) = shared
            .landed_meanwhile(key, &self.attempt)
            .filter(|_| is_fresh)
        {
            leader.complete(Landing::landed(landed));
            let is_everywhere = !self.has_remote();
            return self.set(place, Warmed::Memory { is_everywhere });
        }
        let known = shared.memory.inspect(key);
        let known = known.filter(|slot| slot.value.is_some()).map(Arc::new);
        let sent = leader.sender();
        let wanted = Wanted {
            key: key.clone(),
            known: known.as_ref().and_then(|slot| slot.value.clone()),
        };
        let submitted = shared.loader.submit(
            &shared.node,
            &policy,
            wanted,
            Priority::Background,
            None,
            Box::new(move |at: Tick| sent.sent(at.as_nanos())),
        );
        match submitted {
            Ok(answer) => self.sent.push(Sent {
                place,
                leader,
                known,
                answer,
                may_write,
            }),
            Err(error) => self.fail(place, leader, error),
        }
    }

    /// Why what is in no tier is in none.
    fn why_nowhere(&self) -> Cause {
        if self.has_remote() {
            Cause::RemoteAway
        } else if self.fills_memory() {
            Cause::MemoryFull
        } else {
            Cause::NotKept
        }
    }

    fn fail(&mut self, place: usize, leader: Leader<K, Landing<V>>, error: GetError) {
        self.set(place, Warmed::Failed(Cause::of(&error)));
        leader.complete(Landing::failed(error, None, Priority::Background));
    }

    /// Takes in what a load brought.
    async fn land(&mut self, load: Sent<K, V>) {
        let Sent {
            place,
            leader,
            known,
            answer,
            may_write,
        } = load;
        let (shared, key) = (self.shared, leader.key().clone());
        let placement = self.placement(&key, may_write);
        let policy = Policy {
            placement,
            ..(*self.attempt.policy).clone()
        };
        let answered = answer.await;
        let answered = answered.unwrap_or_else(|_| Err(GetError::new(GetErrorKind::ShutDown)));
        let filled = answered
            .and_then(|answered| shared.try_fill(&key, &policy, answered, known.as_deref()));
        let filled = match filled {
            Ok(filled) => filled,
            Err(error) => return self.fail(place, leader, error),
        };
        let is_absent = filled.landed.value.is_none();
        let is_stored = filled.landed.is_stored;
        leader.complete(Landing::landed(filled.landed));
        let bytes = match &filled.cell {
            Some((cell, _)) => cell.len(),
            None => shared
                .memory
                .inspect(&key)
                .map_or(0, |slot| slot.cold().map_or(0, |cold| cold.value_bytes())),
        };
        let outcome = if is_stored {
            Warmed::Loaded {
                bytes,
                is_absent,
                is_everywhere: filled.cell.is_some() || !self.has_remote(),
                lacks_memory: false,
            }
        } else if placement == Placement::Nowhere {
            Warmed::Failed(self.why_nowhere())
        } else {
            Warmed::Failed(Cause::NotKept)
        };
        self.set(place, outcome);
        if let Some((cell, life)) = filled.cell {
            self.written.push(Written {
                place,
                name: shared.space.cell(&key),
                cell,
                life,
            });
        }
    }

    /// Where a load goes: memory alone while the remote tier is away, and not into memory that is full.
    fn placement(&self, key: &K, may_write: bool) -> Placement {
        let placement = self.attempt.policy.placement;
        let in_memory = self.fills_memory() && self.has_room(key);
        let in_remote = placement.in_remote() && may_write;
        match (in_memory, in_remote) {
            (true, true) => Placement::Both,
            (true, false) => Placement::Memory,
            (false, true) => Placement::Remote,
            (false, false) => Placement::Nowhere,
        }
    }
}

/// What the flight of another brought.
fn outcome_of<V>(landing: Option<Landing<V>>) -> Warmed {
    match landing.map(|landing| landing.outcome) {
        Some(Ok(landed)) if landed.is_stored => match landed.tier {
            Tier::Memory => Warmed::Memory {
                is_everywhere: true,
            },
            Tier::Remote => Warmed::Remote {
                lacks_memory: false,
            },
            // It fills the remote tier itself, or tries to.
            Tier::Source => Warmed::Loaded {
                bytes: 0,
                is_absent: landed.value.is_none(),
                is_everywhere: true,
                lacks_memory: false,
            },
        },
        Some(Ok(_)) => Warmed::Failed(Cause::NotKept),
        Some(Err(error)) => Warmed::Failed(Cause::of(&error)),
        // Who led it went away.
        None => Warmed::Failed(Cause::Source),
    }
}
