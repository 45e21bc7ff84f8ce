//! The way of a flight to the source: the lease that keeps other nodes from loading the same key,
//! the load, the fill. Runs in a task of its own, whoever still waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::oneshot;

use super::fill::{Opened, value_head};
use super::load::{Answered, OwnLoad, Priority};
use super::read::{Landed, Landing};
use super::search::{Finding, stale_of};
use super::{Answer, Mode, Shared, Tier, Trail};
use crate::envelope::Kind;
use crate::error::{GetError, GetErrorKind, SourceError};
use crate::event::Event;
use crate::feed::either;
use crate::flight::{Leader, Role};
use crate::key::Key;
use crate::memory::Slot;
use crate::node::{Access, Budget, Guarded};
use crate::policy::Policy;
use crate::ports::{Acquired, CellHead, Tick, Wanted};

/// Waiting for another node's fill: the first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// For how long nodes share a failure, at least and at most.
const ERROR_LIFE: (u64, u64) = (100, 500);

/// What a flight needs on its way.
pub(super) struct Job {
    pub(super) policy: Arc<Policy>,
    pub(super) budget: Arc<Budget>,
    pub(super) priority: Priority,
}

/// What a load holds in the remote tier.
enum Lease {
    /// Nothing: there is no tier, it failed, or this node may not.
    None,
    /// The cell itself.
    Cell(CellHead),
    /// The right to replace the entry that is still in the cell.
    Refresh { lock: CellHead, entry: CellHead },
}

/// What to do after looking at the remote tier.
enum Turn<V> {
    Load(Lease),
    Found(Opened<V>),
    Fail(GetError),
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Refreshes an entry in the background, unless its key is being loaded anyway.
    pub(super) fn refresh(self: &Arc<Self>, key: &K, known_id: [u8; 16]) {
        if self.node.is_shut_down() || self.flights.is_flying(key) {
            return;
        }
        let Role::Leader(leader) = self.flights.join_or_lead(key, 0) else {
            return;
        };
        self.stats.refreshes.add(1);
        let policy = self.policy();
        let budget = Arc::new(
            self.node
                .0
                .remote
                .as_ref()
                .map_or_else(Budget::empty, Guarded::budget),
        );
        let shared = Arc::clone(self);
        self.node.spawn(async move {
            let mut finding = shared.search_remote(leader.key(), &policy, &budget).await;
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
            };
            shared.load(leader, finding, job, None).await;
        });
    }

    /// Brings a flight to its end.
    pub(super) async fn load(
        self: Arc<Self>,
        leader: Leader<K, Landing<V>>,
        finding: Finding<V>,
        job: Job,
        own: Option<OwnLoad<V>>,
    ) {
        let key = leader.key().clone();
        let searched_remote = !matches!(finding, Finding::Unknown);
        let stale = stale_of(&finding);
        if let Some(slot) = &stale {
            self.keep_to_stand_in(&key, &job.policy, slot);
        }
        let lease = match self.take_turn(&key, finding, &job).await {
            Turn::Load(lease) => lease,
            Turn::Found(opened) => {
                let landed = self.land_opened(&key, &job.policy, &opened);
                return leader.complete(Landing::landed(landed));
            }
            Turn::Fail(error) => {
                self.postpone(&key, &job.policy, false);
                return leader.complete(Landing::failed(error, stale));
            }
        };
        let known = self
            .memory
            .inspect(&key)
            .and_then(|slot| slot.value)
            .or_else(|| stale.as_ref()?.value.clone());
        // The flight learns through a handle of its own when the load was sent.
        let sent = leader.sender();
        let wanted = Wanted {
            key: key.clone(),
            known: known.clone(),
        };
        let submitted = self.loader.submit(
            &self.node,
            &job.policy,
            wanted,
            job.priority,
            own,
            Box::new(move |at: Tick| sent.sent(at.as_nanos())),
        );
        let answered = match submitted {
            Ok(receiver) => self.await_load(&key, &job.policy, &lease, receiver).await,
            Err(error) => Err(error),
        };
        let source_failed = answered.is_err();
        let filled =
            answered.and_then(|answered| self.fill(&key, &job.policy, answered, known.as_ref()));
        match filled {
            Ok(mut filled) => {
                self.source_retry_at.store(0, Ordering::Relaxed);
                filled.landed.searched_remote = searched_remote;
                leader.complete(Landing::landed(filled.landed));
                if let Some((cell, life)) = filled.cell {
                    self.write_fill(&key, &lease, cell, life).await;
                } else {
                    self.release(&key, &lease).await;
                }
            }
            Err(error) => {
                self.postpone(&key, &job.policy, source_failed);
                leader.complete(Landing::failed(error, stale));
                self.write_error(&key, &lease).await;
            }
        }
    }

    /// Waits for its turn to load: takes the lease, or waits for what its holder brings.
    async fn take_turn(&self, key: &K, mut finding: Finding<V>, job: &Job) -> Turn<V> {
        let Some(remote) = &self.node.0.remote else {
            return Turn::Load(Lease::None);
        };
        if !job.policy.placement.in_remote() || self.codec.is_none() {
            return Turn::Load(Lease::None);
        }
        let name = self.space.cell(key);
        let started = self.node.0.clock.now();
        let mut budget = Arc::clone(&job.budget);
        let mut pause = FIRST_PAUSE;
        loop {
            let refused = match finding {
                Finding::Current(opened) => return Turn::Found(opened),
                Finding::Unknown | Finding::Unanchored(_) => return Turn::Load(Lease::None),
                Finding::PastFresh(opened) => {
                    return self.take_refresh_turn(key, opened, &budget).await;
                }
                Finding::Failed => return Turn::Fail(shared_failure()),
                Finding::Missing => None,
                Finding::Replaceable(cell, _) => Some(cell.slice(..cell.len().min(17))),
                Finding::Leased => {
                    if self.node.0.clock.now().since(started) >= job.policy.hard_deadline {
                        return Turn::Fail(GetError::new(GetErrorKind::Deadline));
                    }
                    self.stats.lease_waits.add(1);
                    if budget.left().is_zero() {
                        // The lease was alive when last seen: wait until it must have been
                        // renewed or gone, then look again with a new share.
                        self.node.0.clock.sleep(self.node.0.lease).await;
                        budget = Arc::new(remote.budget());
                    } else {
                        self.node.0.clock.sleep(pause).await;
                        pause = self.next_pause(pause);
                    }
                    finding = self.search_remote(key, &job.policy, &budget).await;
                    continue;
                }
            };
            let lease = Kind::Lease.head(self.node.0.random.id());
            let cell = Bytes::copy_from_slice(&lease);
            let read_as = self.node.0.knowledge.cursor();
            let life = self.node.0.lease;
            let acquired = remote
                .call(&self.node, &budget, Access::Write, |remote| {
                    remote.acquire(&name, refused.as_deref(), cell, life)
                })
                .await;
            finding = match acquired {
                Some(Acquired::Granted) => return Turn::Load(Lease::Cell(lease)),
                Some(Acquired::Held(cell)) => {
                    self.read_cell(key, &job.policy, Some(cell), read_as.as_ref())
                }
                None => return Turn::Load(Lease::None),
            };
        }
    }

    /// The entry stays usable, so who does not get the refresh lease leaves it at that.
    async fn take_refresh_turn(&self, key: &K, opened: Opened<V>, budget: &Budget) -> Turn<V> {
        let (Some(remote), Some(cold)) = (&self.node.0.remote, opened.slot.cold()) else {
            return Turn::Load(Lease::None);
        };
        let entry = value_head(cold.id);
        let lock = Kind::Lease.head(self.node.0.random.id());
        let name = self.space.refresh(key);
        let life = self.node.0.lease;
        let cell = Bytes::copy_from_slice(&lock);
        let taken = remote
            .call(&self.node, budget, Access::Write, |remote| {
                remote.set_if_absent(&name, cell, life)
            })
            .await;
        match taken {
            Some(true) => Turn::Load(Lease::Refresh { lock, entry }),
            Some(false) if self.is_tracked() => {
                // It is current. Look again in a while whether the other node has brought a newer one.
                self.postpone(key, &self.policy(), false);
                Turn::Found(opened)
            }
            // Without a log the value is past its life: load it without the lease.
            Some(false) | None => Turn::Load(Lease::None),
        }
    }

    /// Decorrelated jitter (Brooker: Exponential Backoff and Jitter, 2015).
    fn next_pause(&self, last: Duration) -> Duration {
        let spread = last.saturating_mul(3).saturating_sub(FIRST_PAUSE);
        (FIRST_PAUSE + spread.mul_f64(self.node.0.random.unit())).min(LONGEST_PAUSE)
    }

    /// Waits for the load, keeping its lease alive up to the hard deadline.
    async fn await_load(
        &self,
        key: &K,
        policy: &Policy,
        lease: &Lease,
        receiver: oneshot::Receiver<Result<Answered<V>, GetError>>,
    ) -> Result<Answered<V>, GetError> {
        let renewing = async {
            self.renew(key, policy, lease).await;
            std::future::pending::<()>().await;
        };
        match either(receiver, renewing).await {
            futures::future::Either::Left(Ok(answered)) => answered,
            // The loader drops a ticket unanswered only when its tasks are torn down.
            futures::future::Either::Left(Err(_)) | futures::future::Either::Right(()) => {
                Err(GetError::new(GetErrorKind::ShutDown))
            }
        }
    }

    async fn renew(&self, key: &K, policy: &Policy, lease: &Lease) {
        let (Some(remote), Some((name, head))) = (&self.node.0.remote, self.held(key, lease))
        else {
            return;
        };
        let (started, life) = (self.node.0.clock.now(), self.node.0.lease);
        loop {
            self.node.0.clock.sleep(life / 3).await;
            if self.node.0.clock.now().since(started) >= policy.hard_deadline {
                return;
            }
            let budget = remote.budget();
            let kept = remote
                .call(&self.node, &budget, Access::Write, |remote| {
                    remote.renew(&name, &head, life)
                })
                .await;
            if kept == Some(false) {
                return;
            }
        }
    }

    /// The key and the head of what a lease holds.
    fn held(&self, key: &K, lease: &Lease) -> Option<(String, CellHead)> {
        match lease {
            Lease::None => None,
            Lease::Cell(head) => Some((self.space.cell(key), *head)),
            Lease::Refresh { lock, .. } => Some((self.space.refresh(key), *lock)),
        }
    }

    async fn write_fill(&self, key: &K, lease: &Lease, cell: Bytes, life: Duration) {
        let Some(remote) = &self.node.0.remote else {
            return;
        };
        let expected = match lease {
            Lease::None => return,
            Lease::Cell(head) => *head,
            Lease::Refresh { entry, .. } => *entry,
        };
        let (name, budget) = (self.space.cell(key), remote.budget());
        let filled = remote
            .call(&self.node, &budget, Access::Write, |remote| {
                remote.fill(&name, &expected, cell, life)
            })
            .await;
        match filled {
            Some(true) => self.stats.fills.add(1),
            Some(false) => self.stats.fills_rejected.add(1),
            None => self.stats.remote_failures.add(1),
        }
    }

    /// Gives a lease back that leads to no fill, so that nobody waits for one.
    async fn release(&self, key: &K, lease: &Lease) {
        self.end_lease(key, lease, Duration::from_millis(1)).await;
    }

    /// Leaves a marker for other nodes, so that they do not fail in turn. Never replaces a value.
    async fn write_error(&self, key: &K, lease: &Lease) {
        let (shortest, longest) = ERROR_LIFE;
        let life = shortest + self.node.0.random.bits() % (longest - shortest);
        self.end_lease(key, lease, Duration::from_millis(life))
            .await;
    }

    async fn end_lease(&self, key: &K, lease: &Lease, life: Duration) {
        let (Some(remote), Some((name, head))) = (&self.node.0.remote, self.held(key, lease))
        else {
            return;
        };
        let marker = Bytes::copy_from_slice(&Kind::Error.head(self.node.0.random.id()));
        let budget = remote.budget();
        // The lease ends by itself if this fails.
        let _ = remote
            .call(&self.node, &budget, Access::Write, |remote| {
                remote.fill(&name, &head, marker, life)
            })
            .await;
    }

    /// Puts off the next attempt for a key that has a value to stand in, or for the whole source.
    fn postpone(&self, key: &K, policy: &Policy, whole_source: bool) {
        let retry_at = self.node.0.clock.now().after(policy.retry_after).as_nanos();
        if whole_source {
            self.source_retry_at.store(retry_at, Ordering::Relaxed);
        }
        self.memory.look(key, |slot| {
            if let Some(cold) = slot.cold() {
                cold.retry_at.store(retry_at, Ordering::Relaxed);
            }
        });
    }

    /// Keeps in memory what may only stand in, so that every caller finds it; in no epoch accepted.
    fn keep_to_stand_in(&self, key: &K, policy: &Policy, slot: &Slot<V>) {
        if policy.placement.in_memory() && self.memory.inspect(key).is_none() {
            let stand_in = slot.whole();
            stand_in.set_epoch(0);
            self.memory.insert(key.clone(), stand_in);
        }
    }

    /// Shadow and bypass: asks the source, and only compares with what the tiers would have said.
    pub(super) async fn read_past(
        self: &Arc<Self>,
        key: &K,
        own: Option<OwnLoad<V>>,
    ) -> Result<Answer<V>, GetError> {
        let policy = self.policy();
        let started = self.node.0.clock.now();
        let wanted = Wanted {
            key: key.clone(),
            known: None,
        };
        let receiver = self.loader.submit(
            &self.node,
            &policy,
            wanted,
            Priority::Customer,
            own,
            Box::new(|_| ()),
        )?;
        let answer = self.node.within(policy.hard_deadline, receiver).await;
        let answered = match answer {
            Some(Ok(answered)) => answered?,
            Some(Err(_)) => return Err(GetError::new(GetErrorKind::ShutDown)),
            None => return Err(GetError::new(GetErrorKind::Deadline)),
        };
        let now = self.node.0.clock.now();
        let (mode, sent_at) = (self.mode(), answered.sent_at);
        let bypass = Policy {
            placement: crate::policy::Placement::Nowhere,
            ..(*policy).clone()
        };
        let is_shadow = mode == Mode::Shadow;
        let before = if is_shadow {
            self.memory.inspect(key)
        } else {
            None
        };
        let filled = self.fill(
            key,
            if is_shadow { &policy } else { &bypass },
            answered,
            None,
        )?;
        if is_shadow {
            self.compare(before, filled.landed.value.as_ref());
        }
        let Landed { value, .. } = filled.landed;
        self.stats.source_time.record(now.since(started));
        let trail = Trail {
            tier: Tier::Source,
            stale: false,
            collapsed: false,
            stored: is_shadow,
            searched_remote: false,
            age: now.since(sent_at),
        };
        Ok(Answer::new(value, trail))
    }

    /// Counts what the cache would have answered otherwise than the source did.
    fn compare(&self, cached: Option<Slot<V>>, truth: Option<&Arc<V>>) {
        let (Some(slot), Some(codec)) = (cached, &self.codec) else {
            return;
        };
        let would_answer = slot.epoch() != 0
            && slot
                .cold()
                .is_some_and(|cold| self.node.0.clock.now() < cold.fresh_until);
        let bytes = |value: Option<&Arc<V>>| value.map(|value| codec.encode(value).ok());
        if would_answer && bytes(slot.value.as_ref()) != bytes(truth) {
            self.stats.differences.add(1);
            self.node.tell(Event::Differed { entity: self.name });
        }
    }

    /// Runs a closure of the caller as the load of one key.
    pub(super) fn own_load<F, L>(load: F) -> OwnLoad<V>
    where
        F: FnOnce(Option<Arc<V>>) -> L + Send + 'static,
        L: Future<Output = Result<crate::ports::Loaded<V>, SourceError>> + Send + 'static,
    {
        Box::new(move |known| -> BoxFuture<'static, _> { load(known).boxed() })
    }
}

fn shared_failure() -> GetError {
    GetError::source_failed(SourceError::transient(
        "the load of another node has just failed",
    ))
}
