//! A look-up that memory could not answer: join or lead, ask the remote tier, wait within deadlines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join;

use super::answer::Freshness;
use super::landing::{Landed, Landing};
use super::lead::Job;
use super::load::{OwnLoad, Priority};
use super::search::{Finding, stale_of};
use super::{Answer, Cache, Mode, Options, Shared, Tier, Trail};
use crate::error::{GetError, GetErrorKind};
use crate::event::Event;
use crate::flight::{Leader, Role, Waiter};
use crate::key::Key;
use crate::memory::Slot;
use crate::node::Budget;
use crate::policy::Policy;
use crate::ports::Tick;
use crate::switch::Rule;

/// Flights that a caller takes at most; a flight whose leader went away counts as well.
const MOST_FLIGHTS: usize = 8;

/// Who waits past the soft deadline looks at most this often for what may stand in by now.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// How a caller went on his way.
pub(super) enum Departure<V> {
    /// He waits for a flight, perhaps one that another caller leads; with what may stand in for it.
    Flight(Waiter<Landing<V>>, bool, Option<Arc<Slot<V>>>),
    /// He led a flight and is there.
    Landed(Landed<V>),
}

/// One caller's look-up.
pub(super) struct Attempt {
    pub(super) options: Options,
    pub(super) policy: Arc<Policy>,
    pub(super) started: Tick,
    pub(super) epoch: u64,
    pub(super) budget: Arc<Budget>,
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Answers a look-up that memory could not answer.
    pub(super) async fn read(
        self: &Arc<Self>,
        key: &K,
        options: Options,
    ) -> Result<Answer<V>, GetError> {
        self.read_with(key, options, None).await
    }

    pub(super) async fn read_with(
        self: &Arc<Self>,
        key: &K,
        options: Options,
        own: Option<OwnLoad<V>>,
    ) -> Result<Answer<V>, GetError> {
        let started = self.node.0.clock.now();
        let outcome = self.read_since(started, key, options, own).await;
        self.time_shortfall(started, &outcome);
        outcome
    }

    async fn read_since(
        self: &Arc<Self>,
        started: Tick,
        key: &K,
        options: Options,
        own: Option<OwnLoad<V>>,
    ) -> Result<Answer<V>, GetError> {
        self.stats.memory_misses.add(1);
        if !options.is_background {
            self.note_miss(key);
        }
        if self.node.is_shut_down() {
            return Err(GetError::new(GetErrorKind::ShutDown));
        }
        if self.mode() != Mode::Cache {
            return self.read_past(key, own).await;
        }
        let attempt = self.attempt(started, options).await?;
        if let Some(answer) = self.hit_after_poll(key, options) {
            return Ok(answer);
        }
        if options.only_if_cached {
            return self.read_cached(key, &attempt).await;
        }
        if own.is_none() && !self.loader.has_source() {
            let cached = self.read_cached(key, &attempt).await;
            return cached.or_else(|error| self.nothing_to_ask(error));
        }
        self.conclude(key, &attempt, None, own).await
    }

    /// What memory has, for a caller who insisted on a poll that has been made now.
    pub(super) fn hit_after_poll(self: &Arc<Self>, key: &K, options: Options) -> Option<Answer<V>> {
        let insisted = matches!(
            options.freshness,
            Freshness::Validated | Freshness::MaxAge(_)
        );
        if !insisted || !self.is_tracked() {
            return None;
        }
        Cache(Arc::clone(self)).hit(key, Options::default())
    }

    pub(super) async fn attempt(
        &self,
        started: Tick,
        options: Options,
    ) -> Result<Attempt, GetError> {
        let policy = self.policy();
        let budget = Arc::new(self.new_budget());
        // A node that has just begun knows nothing yet, and is not connected.
        let first_poll = self.node.await_first_poll(policy.soft_deadline);
        join(first_poll, self.await_first_connection(&policy, &budget)).await;
        let bound = self.node.0.knowledge.bound();
        let is_current = match options.freshness {
            // A load that is sent from now on is current by itself.
            Freshness::Usual | Freshness::Reloaded => true,
            Freshness::Validated => self.node.validate_from_now(bound).await,
            Freshness::MaxAge(most) => self.node.validate(started.before(most), bound).await,
        };
        if !is_current {
            return Err(GetError::new(GetErrorKind::NotCurrent));
        }
        let epoch = self.node.0.knowledge.observe().epoch;
        Ok(Attempt {
            options,
            policy,
            started,
            epoch,
            budget,
        })
    }

    /// Waits for a flight, and for another one if that brought what this caller must not have.
    pub(super) async fn conclude(
        self: &Arc<Self>,
        key: &K,
        attempt: &Attempt,
        mut waiter: Option<(Waiter<Landing<V>>, bool)>,
        mut own: Option<OwnLoad<V>>,
    ) -> Result<Answer<V>, GetError> {
        let mut last_error = GetError::new(GetErrorKind::Deadline);
        for _ in 0..MOST_FLIGHTS {
            if waiter.is_none()
                && let Some(answer) = self.stand_in_at_once(key, attempt)
            {
                return answer;
            }
            let is_over = self.now_since(attempt) >= attempt.policy.hard_deadline;
            if waiter.is_none() && is_over {
                let stand_in = self.stand_in(key, attempt, None);
                return self.give_up(attempt, stand_in, GetError::new(GetErrorKind::Deadline));
            }
            let departure = match waiter.take() {
                Some((flight, joined)) => Departure::Flight(flight, joined, None),
                None => self.depart(key, attempt, &mut own).await,
            };
            let (flight, joined, found) = match departure {
                Departure::Flight(flight, joined, found) => (flight, joined, found),
                Departure::Landed(landed) if self.suits(attempt, &landed) => {
                    return Ok(self.landed_answer(attempt, landed, false));
                }
                Departure::Landed(_) => continue,
            };
            let background = flight.another();
            let Some(landing) = self.wait_for(key, attempt, flight, found.as_deref()).await else {
                // One who leaves tells, not all who had joined.
                if !joined {
                    self.report_when_done(background);
                }
                let stand_in = self.stand_in(key, attempt, found.as_deref());
                return self.give_up(attempt, stand_in, GetError::new(GetErrorKind::Deadline));
            };
            // An abandoned flight: somebody has to lead, perhaps this caller.
            let Some(landing) = landing else { continue };
            match landing.outcome {
                Ok(landed) if self.suits(attempt, &landed) => {
                    return Ok(self.landed_answer(attempt, landed, joined));
                }
                Ok(_) => {}
                Err(error) if error.is_final() => return Err(error),
                // There may be room for a customer where there was none for a refresh.
                Err(error) if landing.is_background && joined && is_overload(&error) => {
                    last_error = error;
                }
                Err(error) => {
                    let found = landing.stale.as_deref();
                    let stand_in = self.stand_in(key, attempt, found);
                    // The time of a flight is not the time of one who came late.
                    let is_late = joined && error.kind() == GetErrorKind::Deadline;
                    if stand_in.is_none() && is_late {
                        last_error = error;
                        continue;
                    }
                    return self.give_up(attempt, stand_in, error);
                }
            }
        }
        Err(last_error)
    }

    /// Whether a caller may have what its flight brought (rule R5).
    pub(super) fn suits(&self, attempt: &Attempt, landed: &Landed<V>) -> bool {
        if self.must_load(attempt.options) {
            return landed.tier == Tier::Source && landed.current_at >= attempt.started;
        }
        let knowledge = &self.node.0.knowledge;
        let knew_no_more = attempt.epoch <= landed.good_in;
        let is_proven = landed
            .proven_at
            .is_none_or(|proven_at| knowledge.reaches(proven_at, attempt.started));
        (knew_no_more && is_proven) || !knowledge.holds(Rule::Join)
    }

    /// Joins the flight of the key, or leads one through the remote tier and sends it on its way.
    pub(super) async fn depart(
        self: &Arc<Self>,
        key: &K,
        attempt: &Attempt,
        own: &mut Option<OwnLoad<V>>,
    ) -> Departure<V> {
        match self.flights.join_or_lead(key, self.oldest_to_join(attempt)) {
            Role::Waiter(waiter) => {
                self.join(key, attempt);
                Departure::Flight(waiter, true, None)
            }
            Role::Leader(leader) => {
                if let Some(landed) = self.landed_meanwhile(key, attempt) {
                    leader.complete(Landing::landed(landed.clone()));
                    return Departure::Landed(landed);
                }
                let finding = self.search(key, attempt).await;
                // What is current needs no wait, and nothing to stand in for it.
                let finding = match self.as_current(finding) {
                    Ok(opened) => {
                        let landed = self.land_at_once(leader, &attempt.policy, &opened);
                        return Departure::Landed(landed);
                    }
                    Err(finding) => finding,
                };
                let (waiter, found) = (leader.waiter(), stale_of(&finding));
                self.go_on(leader, attempt, finding, own.take());
                Departure::Flight(waiter, false, found)
            }
        }
    }

    /// What a flight has brought that ended after this caller had looked into memory and before he
    /// led another one: it fills memory before it ends.
    pub(super) fn landed_meanwhile(&self, key: &K, attempt: &Attempt) -> Option<Landed<V>> {
        if self.must_load(attempt.options) {
            return None;
        }
        let observed = self.node.0.knowledge.observe();
        let slot = self.memory.inspect(key)?;
        self.serves(key, &slot).then(|| Landed {
            tier: Tier::Memory,
            good_in: observed.epoch,
            current_at: self.current_at(&slot, observed),
            proven_at: Some(observed.fresh_at.max(slot.loaded_at)),
            is_stored: true,
            searched_remote: false,
            value: slot.value,
        })
    }

    /// Sends a flight to the source for which the remote tier had nothing current.
    pub(super) fn go_on(
        self: &Arc<Self>,
        leader: Leader<K, Landing<V>>,
        attempt: &Attempt,
        finding: Finding<V>,
        own: Option<OwnLoad<V>>,
    ) {
        let (shared, key) = (Arc::clone(self), leader.key().clone());
        if let Some(slot) = stale_of(&finding) {
            self.keep_to_stand_in(&key, &attempt.policy, &slot);
        }
        let job = Job {
            policy: Arc::clone(&attempt.policy),
            budget: Arc::clone(&attempt.budget),
            priority: if attempt.options.is_background {
                Priority::Background
            } else {
                Priority::Customer
            },
            must_load: self.must_load(attempt.options),
        };
        self.node
            .spawn(async move { shared.load(leader, finding, job, own).await });
    }

    /// Counts that a caller joined a load, and lets it go before those that nobody waits for.
    pub(super) fn join(&self, key: &K, attempt: &Attempt) {
        self.stats.joined.add(1);
        if !attempt.options.is_background {
            self.loader.promote(key);
        }
    }

    /// What the tiers have, without a load.
    pub(super) async fn read_cached(
        self: &Arc<Self>,
        key: &K,
        attempt: &Attempt,
    ) -> Result<Answer<V>, GetError> {
        let finding = self.search(key, attempt).await;
        self.answer_cached(key, attempt, finding)
    }

    pub(super) fn answer_cached(
        &self,
        key: &K,
        attempt: &Attempt,
        finding: Finding<V>,
    ) -> Result<Answer<V>, GetError> {
        let stale = match self.as_current(finding) {
            Ok(opened) => {
                let landed = self.land_opened(key, &attempt.policy, &opened);
                return Ok(self.landed_answer(attempt, landed, false));
            }
            Err(finding) => stale_of(&finding),
        };
        // Stale values are for when nothing better can be had.
        let stand_in = if self.is_cut_off() {
            self.stand_in(key, attempt, stale.as_deref())
        } else {
            None
        };
        stand_in
            .map(|answer| self.count_stale(answer))
            .ok_or_else(|| GetError::new(GetErrorKind::NotCached))
    }

    /// Where nothing is cached and there is nobody to ask, there is nothing.
    pub(super) fn nothing_to_ask(&self, error: GetError) -> Result<Answer<V>, GetError> {
        if error.kind() != GetErrorKind::NotCached {
            return Err(error);
        }
        self.stats.absent_answers.add(1);
        let trail = Trail {
            tier: Tier::Memory,
            stale: false,
            collapsed: false,
            stored: false,
            searched_remote: self.node.0.remote.is_some(),
            age: Duration::ZERO,
        };
        Ok(Answer::new(None, trail))
    }

    /// Whether what is in the tiers can not be known to be current.
    fn is_cut_off(&self) -> bool {
        let knowledge = &self.node.0.knowledge;
        !knowledge.anchors(knowledge.observe(), self.node.0.clock.now())
    }

    /// A stale value at once, where asking the source again is not due yet.
    pub(super) fn stand_in_at_once(
        &self,
        key: &K,
        attempt: &Attempt,
    ) -> Option<Result<Answer<V>, GetError>> {
        let slot = self.memory.inspect(key)?;
        let retry_at = slot.cold()?.retry_at.load(Ordering::Relaxed);
        let retry_at = Tick::from_nanos(retry_at.max(self.source_retry_at.load(Ordering::Relaxed)));
        if self.node.0.clock.now() >= retry_at {
            return None;
        }
        let stand_in = self.stand_in(key, attempt, None)?;
        Some(Ok(self.count_stale(stand_in)))
    }

    /// The value that may stand in, for a caller who takes one.
    pub(super) fn stand_in(
        &self,
        key: &K,
        attempt: &Attempt,
        found: Option<&Slot<V>>,
    ) -> Option<Answer<V>> {
        if insists(attempt) {
            return None;
        }
        let now = self.node.0.clock.now();
        let observed = self.node.0.knowledge.observe();
        let in_memory = self
            .memory
            .inspect(key)
            .and_then(|slot| self.stale_answer(key, &slot, now, observed, false));
        in_memory.or_else(|| self.stale_answer(key, found?, now, observed, true))
    }

    pub(super) fn give_up(
        &self,
        attempt: &Attempt,
        stand_in: Option<Answer<V>>,
        error: GetError,
    ) -> Result<Answer<V>, GetError> {
        if let Some(answer) = stand_in {
            return Ok(self.count_stale(answer));
        }
        let is_away = match error.kind() {
            GetErrorKind::Source => attempt.options.freshness != Freshness::Reloaded,
            GetErrorKind::Deadline => self.is_cut_off(),
            GetErrorKind::Overloaded { .. }
            | GetErrorKind::NotCurrent
            | GetErrorKind::NotCached
            | GetErrorKind::ShutDown => false,
        };
        if is_away && insists(attempt) {
            return Err(error.because(GetErrorKind::NotCurrent));
        }
        Err(error)
    }

    /// Takes in how long a caller waited who got less than a current answer. That nothing is cached
    /// is what he asked to be told.
    pub(super) fn time_shortfall(&self, started: Tick, outcome: &Result<Answer<V>, GetError>) {
        let time = match outcome {
            Ok(answer) if answer.trail().stale => &self.stats.stale_time,
            Err(error) if error.kind() != GetErrorKind::NotCached => &self.stats.failure_time,
            Ok(_) | Err(_) => return,
        };
        time.record(self.node.0.clock.now().since(started));
    }

    pub(super) fn count_stale(&self, answer: Answer<V>) -> Answer<V> {
        self.stats.stale_answers.add(1);
        self.node.tell(Event::ServedStale { entity: self.name });
        answer
    }

    pub(super) fn landed_answer(
        &self,
        attempt: &Attempt,
        landed: Landed<V>,
        joined: bool,
    ) -> Answer<V> {
        let now = self.node.0.clock.now();
        let is_absent = landed.value.is_none();
        if is_absent {
            self.stats.absent_answers.add(1);
        }
        if landed.tier == Tier::Source {
            let time = if is_absent {
                &self.stats.source_absent_time
            } else {
                &self.stats.source_time
            };
            time.record(now.since(attempt.started));
        }
        let trail = Trail {
            tier: landed.tier,
            stale: false,
            collapsed: joined,
            stored: landed.is_stored,
            searched_remote: landed.searched_remote,
            age: now.since(landed.current_at),
        };
        Answer::new(landed.value, trail)
    }

    /// Waits for a flight up to the soft deadline where a stale value is at hand by then, or where
    /// it is in vain; else up to the hard one, or until the flight has come upon one.
    async fn wait_for(
        &self,
        key: &K,
        attempt: &Attempt,
        mut flight: Waiter<Landing<V>>,
        found: Option<&Slot<V>>,
    ) -> Option<Option<Landing<V>>> {
        let policy = &attempt.policy;
        let mut until = policy.soft_deadline.min(policy.hard_deadline);
        loop {
            let left = until.saturating_sub(self.now_since(attempt));
            let landing = self.node.within(left, &mut flight).await;
            // Who insists shall not wait for long for a database that is away.
            let is_hopeless = insists(attempt) && self.is_cut_off();
            if landing.is_some()
                || is_hopeless
                || until >= policy.hard_deadline
                || self.stand_in(key, attempt, found).is_some()
            {
                return landing;
            }
            let next = until.saturating_add(policy.soft_deadline.max(SHORTEST_WAIT));
            until = next.min(policy.hard_deadline);
        }
    }

    fn now_since(&self, attempt: &Attempt) -> Duration {
        self.node.0.clock.now().since(attempt.started)
    }

    /// Whether only a load can answer: the caller wants one, or insists where nothing in a tier
    /// can be validated.
    pub(super) fn must_load(&self, options: Options) -> bool {
        match options.freshness {
            Freshness::Usual => false,
            Freshness::Validated | Freshness::MaxAge(_) => !self.is_tracked(),
            Freshness::Reloaded => true,
        }
    }

    /// A load must have been sent at or after this to be joined (rule R5).
    pub(super) fn oldest_to_join(&self, attempt: &Attempt) -> u64 {
        match attempt.options.freshness {
            Freshness::Reloaded => attempt.started.as_nanos(),
            // Without a log only a load sent after the call began is known to be current.
            Freshness::Validated | Freshness::MaxAge(_) if !self.is_tracked() => {
                attempt.started.as_nanos()
            }
            Freshness::Usual if !self.is_tracked() || !self.node.0.knowledge.holds(Rule::Join) => 0,
            Freshness::Usual | Freshness::Validated | Freshness::MaxAge(_) => attempt
                .started
                .before(self.node.0.knowledge.bound())
                .as_nanos(),
        }
    }

    /// Tells when a load comes in whose caller has left with a stale value.
    pub(super) fn report_when_done(&self, flight: Waiter<Landing<V>>) {
        let (node, name) = (self.node.clone(), self.name);
        self.node.spawn(async move {
            if flight.await.is_some_and(|landing| landing.outcome.is_ok()) {
                node.tell(Event::BackgroundCompleted { entity: name });
            }
        });
    }
}

/// Whether the caller or the entity takes no stale value.
fn insists(attempt: &Attempt) -> bool {
    attempt.policy.strict || attempt.options.freshness != Freshness::Usual
}

fn is_overload(error: &GetError) -> bool {
    matches!(error.kind(), GetErrorKind::Overloaded { .. })
}
