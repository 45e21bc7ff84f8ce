//! A look-up that memory could not answer: join or lead, ask the remote tier, wait within deadlines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::answer::Freshness;
use super::lease::Job;
use super::load::{OwnLoad, Priority};
use super::search::{Finding, stale_of};
use super::{Answer, Cache, Mode, Options, Shared, Tier, Trail};
use crate::error::{GetError, GetErrorKind};
use crate::event::Event;
use crate::flight::{Leader, Role, Waiter};
use crate::key::Key;
use crate::memory::Slot;
use crate::node::{Budget, Guarded};
use crate::policy::Policy;
use crate::ports::Tick;

/// Flights that a caller takes at most; a flight whose leader went away counts as well.
const MOST_FLIGHTS: usize = 8;

/// What a flight brings to all who wait for it.
pub(super) struct Landing<V> {
    pub(super) outcome: Result<Landed<V>, GetError>,
    /// What the remote tier had, though it may only stand in.
    pub(super) stale: Option<Arc<Slot<V>>>,
}

/// A value that was found.
pub(super) struct Landed<V> {
    pub(super) value: Option<Arc<V>>,
    pub(super) tier: Tier,
    /// The epoch before the load was sent: who began in it or before may have the value anyway.
    pub(super) sent_epoch: u64,
    /// When the value is known to have been current.
    pub(super) current_at: Tick,
    /// It had seen all that the node knew when it came in.
    pub(super) is_accepted: bool,
    pub(super) is_stored: bool,
    pub(super) searched_remote: bool,
}

impl<V> Clone for Landed<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            ..*self
        }
    }
}

impl<V> Clone for Landing<V> {
    fn clone(&self) -> Self {
        Self {
            outcome: self.outcome.clone(),
            stale: self.stale.clone(),
        }
    }
}

impl<V> Landing<V> {
    pub(super) const fn failed(error: GetError, stale: Option<Arc<Slot<V>>>) -> Self {
        Self {
            outcome: Err(error),
            stale,
        }
    }

    pub(super) const fn landed(landed: Landed<V>) -> Self {
        Self {
            outcome: Ok(landed),
            stale: None,
        }
    }
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
        self.stats.memory_misses.add(1);
        if self.node.is_shut_down() {
            return Err(GetError::new(GetErrorKind::ShutDown));
        }
        if self.mode() != Mode::Cache {
            return self.read_past(key, own).await;
        }
        let attempt = self.attempt(started, options).await?;
        if options.freshness != Freshness::Usual
            && self.is_tracked()
            && let Some(answer) = Cache(Arc::clone(self)).hit(key, Options::default())
        {
            return Ok(answer);
        }
        self.conclude(key, &attempt, None, own).await
    }

    pub(super) async fn attempt(
        &self,
        started: Tick,
        options: Options,
    ) -> Result<Attempt, GetError> {
        let policy = self.policy();
        let since = match options.freshness {
            Freshness::Usual => None,
            Freshness::Validated => Some(started),
            Freshness::MaxAge(most) => Some(started.before(most)),
        };
        if let Some(since) = since
            && !self
                .node
                .validate(since, self.node.0.knowledge.bound())
                .await
        {
            return Err(GetError::new(GetErrorKind::NotCurrent));
        }
        let budget = Arc::new(
            self.node
                .0
                .remote
                .as_ref()
                .map_or_else(Budget::empty, Guarded::budget),
        );
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
            let (flight, joined) = match waiter.take() {
                Some(flight) => flight,
                None => self.depart(key, attempt, &mut own).await,
            };
            let stand_in = self.stand_in(key, attempt, None);
            let Some(left) = self.time_left(attempt, stand_in.is_some()) else {
                return self.give_up(attempt, stand_in, GetError::new(GetErrorKind::Deadline));
            };
            let background = flight.another();
            let Some(landing) = self.node.within(left, flight).await else {
                self.report_when_done(background);
                return self.give_up(attempt, stand_in, GetError::new(GetErrorKind::Deadline));
            };
            // An abandoned flight: somebody has to lead, perhaps this caller.
            let Some(landing) = landing else { continue };
            match landing.outcome {
                Ok(landed) if landed.is_accepted || attempt.epoch <= landed.sent_epoch => {
                    return Ok(self.landed_answer(attempt, landed, joined));
                }
                Ok(_) => {}
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    let found = landing.stale.as_deref();
                    let stand_in = self.stand_in(key, attempt, found);
                    if stand_in.is_some() || !matches!(error.kind(), GetErrorKind::NotCached) {
                        return self.give_up(attempt, stand_in, error);
                    }
                    last_error = error;
                }
            }
        }
        Err(last_error)
    }

    /// Joins the flight of the key, or leads one through the remote tier and sends it on its way.
    pub(super) async fn depart(
        self: &Arc<Self>,
        key: &K,
        attempt: &Attempt,
        own: &mut Option<OwnLoad<V>>,
    ) -> (Waiter<Landing<V>>, bool) {
        match self.flights.join_or_lead(key, self.oldest_to_join(attempt)) {
            Role::Waiter(waiter) => {
                self.stats.joined.add(1);
                (waiter, true)
            }
            Role::Leader(leader) => {
                let waiter = leader.waiter();
                let finding = self.search(key, attempt).await;
                self.go_on(leader, attempt, finding, own.take());
                (waiter, false)
            }
        }
    }

    /// Completes a flight with what the remote tier had, or sends it to the source.
    pub(super) fn go_on(
        self: &Arc<Self>,
        leader: Leader<K, Landing<V>>,
        attempt: &Attempt,
        finding: Finding<V>,
        own: Option<OwnLoad<V>>,
    ) {
        let (shared, key) = (Arc::clone(self), leader.key().clone());
        match finding {
            Finding::Current(opened) => {
                let landed = self.land_opened(&key, &attempt.policy, &opened);
                return leader.complete(Landing::landed(landed));
            }
            Finding::PastFresh(opened) if self.is_tracked() => {
                let landed = self.land_opened(&key, &attempt.policy, &opened);
                leader.complete(Landing::landed(landed));
                if let Some(cold) = opened.slot.cold() {
                    self.refresh(&key, cold.id);
                }
                return;
            }
            Finding::PastFresh(_)
            | Finding::Replaceable(..)
            | Finding::Unanchored(_)
            | Finding::Missing
            | Finding::Leased
            | Finding::Failed
            | Finding::Unknown => {}
        }
        if attempt.options.only_if_cached {
            let stale = stale_of(&finding);
            return leader.complete(Landing::failed(
                GetError::new(GetErrorKind::NotCached),
                stale,
            ));
        }
        let job = Job {
            policy: Arc::clone(&attempt.policy),
            budget: Arc::clone(&attempt.budget),
            priority: Priority::Customer,
        };
        self.node
            .spawn(async move { shared.load(leader, finding, job, own).await });
    }

    /// A stale value at once, where asking the source again is not due yet.
    pub(super) fn stand_in_at_once(
        &self,
        key: &K,
        attempt: &Attempt,
    ) -> Option<Result<Answer<V>, GetError>> {
        let now = self.node.0.clock.now();
        let slot = self.memory.inspect(key)?;
        let retry_at = slot.cold()?.retry_at.load(Ordering::Relaxed);
        let retry_at = Tick::from_nanos(retry_at.max(self.source_retry_at.load(Ordering::Relaxed)));
        if now >= retry_at {
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
        if attempt.policy.strict || attempt.options.freshness != Freshness::Usual {
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
        let insists = attempt.policy.strict || attempt.options.freshness != Freshness::Usual;
        match stand_in {
            Some(answer) => Ok(self.count_stale(answer)),
            None if insists && error.kind() == GetErrorKind::Source => {
                Err(error.because(GetErrorKind::NotCurrent))
            }
            None => Err(error),
        }
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
        if landed.value.is_none() {
            self.stats.absent_answers.add(1);
        }
        if landed.tier == Tier::Source {
            self.stats.source_time.record(now.since(attempt.started));
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

    /// How long this caller still waits; nothing when its time is over.
    pub(super) fn time_left(&self, attempt: &Attempt, has_stand_in: bool) -> Option<Duration> {
        let policy = &attempt.policy;
        let deadline = if has_stand_in {
            policy.soft_deadline.min(policy.hard_deadline)
        } else {
            policy.hard_deadline
        };
        let passed = self.node.0.clock.now().since(attempt.started);
        deadline.checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// A load must have been sent at or after this to be joined (rule R5).
    pub(super) fn oldest_to_join(&self, attempt: &Attempt) -> u64 {
        match attempt.options.freshness {
            // Without a log only a load sent after the call began is known to be current.
            Freshness::Validated | Freshness::MaxAge(_) if !self.is_tracked() => {
                attempt.started.as_nanos()
            }
            Freshness::Usual if !self.is_tracked() => 0,
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
