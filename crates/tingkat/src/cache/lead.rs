//! The way of a flight through the tiers and to the source: its turn, the load, the fill. Runs in a
//! task of its own, whoever still waits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::{Either, FutureExt as _, select};

use super::fill::{Filled, Opened};
use super::landing::{Landed, Landing};
use super::lease::Turn;
use super::load::{Answered, OwnLoad, Priority};
use super::search::{Finding, stale_of};
use super::{Shared, Tier};
use crate::certificate::Verdict;
use crate::error::{GetError, GetErrorKind, SourceError};
use crate::event::Event;
use crate::flight::{Leader, Role};
use crate::key::Key;
use crate::memory::{Cold, Slot};
use crate::node::{Budget, Guarded};
use crate::policy::Policy;
use crate::ports::{Tick, Wanted};

/// What a flight needs on its way.
pub(super) struct Job {
    pub(super) policy: Arc<Policy>,
    pub(super) budget: Arc<Budget>,
    pub(super) priority: Priority,
    /// Nothing that a tier has will do.
    pub(super) must_load: bool,
}

/// How the load of a flight ended.
enum Ended<V> {
    Filled(Filled<V>),
    /// The remote tier came first.
    Found(Opened<V>),
    Failed(Failure<V>),
}

/// Why a flight brings nothing new.
struct Failure<V> {
    error: GetError,
    is_of_source: bool,
    /// What the remote tier had when it came.
    stale: Option<Arc<Slot<V>>>,
}

impl<V> Failure<V> {
    const fn new(error: GetError, is_of_source: bool) -> Self {
        Self {
            error,
            is_of_source,
            stale: None,
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Refreshes an entry in the background, unless its key is being loaded anyway.
    pub(super) fn refresh(self: &Arc<Self>, key: &K, known_id: [u8; 16], own: Option<OwnLoad<V>>) {
        let nobody_to_ask = own.is_none() && !self.loader.has_source();
        if nobody_to_ask || self.node.is_shut_down() || self.flights.is_flying(key) {
            return;
        }
        let Role::Leader(leader) = self.flights.join_or_lead(key, 0) else {
            return;
        };
        self.stats.refreshes.add(1);
        let (policy, budget) = (self.policy(), Arc::new(self.new_budget()));
        let shared = Arc::clone(self);
        self.node.spawn(async move {
            let mut finding = shared.search_remote(leader.key(), &policy, &budget).await;
            if let Some(slot) = stale_of(&finding) {
                shared.keep_to_stand_in(leader.key(), &policy, &slot);
            }
            // Another id: another node has refreshed it already.
            if let Finding::Current(opened) = finding {
                let is_known = opened.slot.cold().is_some_and(|cold| cold.id == known_id);
                finding = if is_known {
                    Finding::PastFresh(opened)
                } else {
                    Finding::Current(opened)
                };
            }
            let job = Job {
                policy,
                budget,
                priority: Priority::Background,
                must_load: false,
            };
            let landing = leader.waiter();
            shared.load(leader, finding, job, own).await;
            let landed = landing.await.and_then(|landing| landing.outcome.ok());
            if landed.is_some_and(|landed| landed.tier == Tier::Source) {
                shared.node.tell(Event::BackgroundCompleted {
                    entity: shared.name,
                });
            }
        });
    }

    /// A fresh share of the remote tier for one request.
    pub(super) fn new_budget(&self) -> Budget {
        let remote = self.node.0.remote.as_ref();
        remote.map_or_else(Budget::empty, Guarded::budget)
    }

    /// Brings a flight to its end.
    pub(super) async fn load(
        self: &Arc<Self>,
        leader: Leader<K, Landing<V>>,
        finding: Finding<V>,
        job: Job,
        own: Option<OwnLoad<V>>,
    ) {
        let key = leader.key().clone();
        let was_away = matches!(finding, Finding::Away);
        let searched_remote = !was_away && !matches!(finding, Finding::Unknown);
        let mut stale = stale_of(&finding);
        let lease = match self.take_turn(&key, finding, &job, &mut stale).await {
            Turn::Load(lease) => lease,
            Turn::Found(opened) => {
                let landed = self.land_opened(&key, &job.policy, &opened);
                return leader.complete(Landing::landed(landed));
            }
            Turn::Fail(error) => {
                self.postpone(&key, &job.policy);
                return leader.complete(Landing::failed(error, stale, job.priority));
            }
        };
        let known = self.memory.inspect(&key).map(Arc::new);
        let known = known.or_else(|| stale.clone());
        let known = known.filter(|slot| slot.value.is_some());
        // The flight learns through a handle of its own when the load was sent.
        let sent = leader.sender();
        let wanted = Wanted {
            key: key.clone(),
            known: known.as_ref().and_then(|slot| slot.value.clone()),
        };
        let is_own = own.is_some();
        let submitted = self.loader.submit(
            &self.node,
            &job.policy,
            wanted,
            job.priority,
            own,
            Box::new(move |at: Tick| sent.sent(at.as_nanos())),
        );
        let load = async {
            let answered = match submitted {
                Ok(receiver) => self.await_load(&key, &job.policy, &lease, receiver).await,
                Err(error) => Err(error),
            };
            let answered = answered.map_err(|error| Failure::new(error, !is_own))?;
            self.try_fill(&key, &job.policy, answered, known.as_deref())
                .map_err(|error| Failure::new(error, false))
        };
        let ended = if was_away {
            self.load_or_find(&key, &job, load).await
        } else {
            load.await.map_or_else(Ended::Failed, Ended::Filled)
        };
        match ended {
            Ended::Filled(mut filled) => {
                if !is_own {
                    self.source_retry_at.store(0, Ordering::Relaxed);
                }
                filled.landed.searched_remote = searched_remote;
                leader.complete(Landing::landed(filled.landed));
                if let Some((cell, life)) = filled.cell {
                    self.write_fill(&key, &lease, cell, life).await;
                } else {
                    self.release(&key, &lease).await;
                }
            }
            // There is no lease: nobody was there to give it.
            Ended::Found(opened) => {
                self.land_at_once(leader, &job.policy, &opened);
            }
            Ended::Failed(failure) => {
                let error = &failure.error;
                let stale = match stale.or_else(|| failure.stale.clone()) {
                    None => self.filled_by_others(&key, &job, error).await,
                    stale => stale,
                };
                self.put_off(&key, &job, error, failure.is_of_source);
                // Other nodes may well reach what this one has lost.
                let is_shared = error.is_shared() && !self.node.is_out_of_touch();
                leader.complete(Landing::failed(failure.error, stale, job.priority));
                if is_shared {
                    self.write_error(&key, &lease).await;
                } else {
                    self.release(&key, &lease).await;
                }
            }
        }
    }

    /// Waits for a load that began without the remote tier, which is asked as soon as it comes, and
    /// at the latest when the load has failed. What it has is as good as if it had been there.
    async fn load_or_find(
        &self,
        key: &K,
        job: &Job,
        load: impl Future<Output = Result<Filled<V>, Failure<V>>>,
    ) -> Ended<V> {
        let mut load = std::pin::pin!(load);
        let coming = self.search_when_it_comes(key, &job.policy, &job.budget);
        let (failure, finding) = match select(&mut load, std::pin::pin!(coming)).await {
            Either::Left((Ok(filled), _)) => return Ended::Filled(filled),
            Either::Left((Err(failure), _)) if failure.error.is_final() => {
                return Ended::Failed(failure);
            }
            Either::Left((Err(failure), _)) => {
                let finding = self.search_remote(key, &job.policy, &job.budget).await;
                (Some(failure), finding)
            }
            Either::Right((finding, _)) => (None, finding),
        };
        let finding = match self.as_current(finding) {
            Ok(opened) => return Ended::Found(opened),
            Err(finding) => finding,
        };
        let stale = stale_of(&finding);
        if let Some(slot) = &stale {
            self.keep_to_stand_in(key, &job.policy, slot);
        }
        let failure = match failure {
            Some(failure) => failure,
            None => match load.await {
                Ok(filled) => return Ended::Filled(filled),
                Err(failure) => failure,
            },
        };
        Ended::Failed(Failure { stale, ..failure })
    }

    /// What other nodes have filled while this one loaded in vain: cut off from the database it lets
    /// go of its lease long before it gives up.
    async fn filled_by_others(&self, key: &K, job: &Job, error: &GetError) -> Option<Arc<Slot<V>>> {
        if job.must_load || error.is_final() || !self.node.is_out_of_touch() {
            return None;
        }
        let budget = self.new_budget();
        let finding = self.search_remote(key, &job.policy, &budget).await;
        let slot = stale_of(&finding)?;
        self.keep_to_stand_in(key, &job.policy, &slot);
        Some(slot)
    }

    /// Completes a flight with what the remote tier has and may be served as it is.
    pub(super) fn land_at_once(
        self: &Arc<Self>,
        leader: Leader<K, Landing<V>>,
        policy: &Policy,
        opened: &Opened<V>,
    ) -> Landed<V> {
        let landed = self.land_opened(leader.key(), policy, opened);
        let is_over = |cold: &&Arc<Cold>| opened.read_at >= cold.fresh_until;
        let over = opened.slot.cold().filter(is_over);
        let refresh = over.map(|cold| (leader.key().clone(), cold.id));
        leader.complete(Landing::landed(landed.clone()));
        if let Some((key, id)) = refresh {
            self.refresh(&key, id, None);
        }
        landed
    }

    /// Takes in what the source said; a panic in the value's own code is a failure of its load.
    pub(super) fn try_fill(
        &self,
        key: &K,
        policy: &Policy,
        answered: Answered<V>,
        known: Option<&Slot<V>>,
    ) -> Result<Filled<V>, GetError> {
        let fill = AssertUnwindSafe(|| self.fill(key, policy, answered, known));
        std::panic::catch_unwind(fill).unwrap_or_else(|_| {
            let error = SourceError::transient("the value's own code panicked");
            Err(GetError::source_failed(error))
        })
    }

    /// After a failure: when to ask again, for this key and perhaps for any.
    fn put_off(&self, key: &K, job: &Job, error: &GetError, source_failed: bool) {
        if error.is_final() {
            // The next caller shall hear it as well, not get what this one did not.
            return self.drop_what_only_stands_in(key, &job.policy);
        }
        self.postpone(key, &job.policy);
        let is_crowded = matches!(error.kind(), GetErrorKind::Overloaded { .. });
        // A refresh that found no room says nothing about the room for customers.
        if source_failed && !(is_crowded && job.priority == Priority::Background) {
            let retry_at = self.node.0.clock.now().after(job.policy.retry_after);
            self.source_retry_at
                .store(retry_at.as_nanos(), Ordering::Relaxed);
        }
    }

    /// Puts off the next attempt for a key that has a value to stand in.
    pub(super) fn postpone(&self, key: &K, policy: &Policy) {
        let retry_at = self.node.0.clock.now().after(policy.retry_after).as_nanos();
        self.memory.look(key, |slot| {
            if let Some(cold) = slot.cold() {
                cold.retry_at.store(retry_at, Ordering::Relaxed);
            }
        });
    }

    fn drop_what_only_stands_in(&self, key: &K, policy: &Policy) {
        let Some(slot) = self.memory.inspect(key) else {
            return;
        };
        let Some(cold) = slot.cold() else { return };
        let is_live = self.is_live(cold, self.node.0.clock.now());
        if is_live && self.judge_cold(key, cold, slot.epoch()) == Verdict::Accepted {
            self.postpone(key, policy);
        } else {
            self.memory.remove_fill(key, cold.id);
        }
    }

    /// Keeps in memory what may only stand in, so that every caller finds it; in no epoch accepted.
    pub(super) fn keep_to_stand_in(&self, key: &K, policy: &Policy, slot: &Slot<V>) {
        if policy.placement.in_memory() && self.memory.inspect(key).is_none() {
            let stand_in = slot.whole();
            stand_in.set_epoch(0);
            self.memory.insert(key.clone(), stand_in);
        }
    }

    /// Runs a closure of the caller as the load of one key.
    pub(super) fn own_load<F, L>(load: F) -> OwnLoad<V>
    where
        F: FnOnce(Option<Arc<V>>) -> L + Send + 'static,
        L: Future<Output = Result<crate::ports::Loaded<V>, SourceError>> + Send + 'static,
    {
        Box::new(move |known| load(known).boxed())
    }
}
