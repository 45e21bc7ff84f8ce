//! The lease: the right to load a key, held by one node; waiting for what its holder brings, keeping
//! it alive, and what is written in its place in the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::Shared;
use super::fill::{Opened, value_head};
use super::lead::Job;
use super::load::Answered;
use super::search::{Finding, stale_of};
use crate::envelope::Kind;
use crate::error::{GetError, GetErrorKind, SourceError};
use crate::feed::either;
use crate::key::Key;
use crate::memory::Slot;
use crate::node::{Access, Budget, Called};
use crate::policy::Policy;
use crate::ports::{Acquired, CellHead};

/// Waiting for another node's fill: the first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// For how long nodes share a failure, at least and at most.
const ERROR_LIFE: (u64, u64) = (100, 500);

/// What a load holds in the remote tier.
pub(super) enum Lease {
    /// Nothing: there is no tier, it failed, or this node may not.
    None,
    /// The cell itself.
    Cell(CellHead),
    /// The right to replace the entry that is still in the cell.
    Refresh { lock: CellHead, entry: CellHead },
    /// No right, and none is needed: whatever is in the cell is older.
    Override,
}

/// What to do after looking at the remote tier.
pub(super) enum Turn<V> {
    Load(Lease),
    Found(Opened<V>),
    Fail(GetError),
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Waits for its turn to load: takes the lease, or waits for what its holder brings. What it
    /// sees on the way that may stand in goes to `stale`.
    pub(super) async fn take_turn(
        &self,
        key: &K,
        mut finding: Finding<V>,
        job: &Job,
        stale: &mut Option<Arc<Slot<V>>>,
    ) -> Turn<V> {
        let Some(remote) = self.usable_remote(&job.policy) else {
            return Turn::Load(Lease::None);
        };
        if job.must_load {
            return Turn::Load(Lease::Override);
        }
        let name = self.space.cell(key);
        let started = self.node.0.clock.now();
        // The keys of a batch take their turns side by side, and each may spend what is left.
        let budget = job.budget.share();
        let mut pause = FIRST_PAUSE;
        // A lease or a marker of another program may never end, which only the tier can tell: it is
        // asked for the cell once, before a marker is believed and after a lease should have ended.
        let mut has_asked = false;
        let patience = self.node.0.lease.min(job.policy.hard_deadline / 2);
        loop {
            let waited = self.node.0.clock.now().since(started);
            let refused = match finding {
                Finding::Current(opened) => return Turn::Found(opened),
                Finding::Away | Finding::Unknown | Finding::Unanchored(_) => {
                    return Turn::Load(Lease::None);
                }
                Finding::Failed if has_asked => return Turn::Fail(shared_failure()),
                Finding::Leased if waited >= patience && !has_asked => None,
                Finding::Missing | Finding::Failed => None,
                Finding::Replaceable(cell, _) => Some(cell.slice(..cell.len().min(17))),
                Finding::PastFresh(opened) => {
                    if let Some(turn) = self.take_refresh_turn(key, opened, &budget).await {
                        return turn;
                    }
                    finding = Finding::Leased;
                    continue;
                }
                Finding::Leased => {
                    if waited >= job.policy.hard_deadline {
                        return Turn::Fail(GetError::new(GetErrorKind::Deadline));
                    }
                    self.stats.lease_waits.add(1);
                    self.node.0.clock.sleep(pause).await;
                    pause = self.next_pause(pause);
                    // While the lease lives the caller waits for a load, not for the tier: a look
                    // has a share of its own, and only one that fails ends the wait.
                    finding = self.search_remote(key, &job.policy, &remote.budget()).await;
                    self.note_stand_in(key, job, &finding, stale);
                    continue;
                }
            };
            has_asked = true;
            let lease = Kind::Lease.head(self.node.0.random.id());
            let cell = Bytes::copy_from_slice(&lease);
            let read_as = self.read_as();
            let life = self.node.0.lease;
            let acquired = remote
                .timed_call(&self.node, &budget, Access::Write, |remote| {
                    remote.acquire(&name, refused.as_deref(), cell, life)
                })
                .await;
            finding = match acquired {
                Called::Answered(Acquired::Held(cell), _) => {
                    let held = self.read_cell(key, &job.policy, Some(cell), read_as.as_ref());
                    self.note_stand_in(key, job, &held, stale);
                    held
                }
                // An answer that did not come may be a grant: who loads now fills the cell by this
                // lease if it is there, so that nobody waits for its end.
                Called::Answered(Acquired::Granted, _)
                | Called::Failed {
                    may_have_run: true, ..
                } => return Turn::Load(Lease::Cell(lease)),
                Called::Failed { .. } | Called::Barred => return Turn::Load(Lease::None),
            };
        }
    }

    /// Lets those who wait have what the tier has by now, where this node is cut off: its own load
    /// can not be trusted to bring more. A node that is not can have a value that bears no mark.
    fn note_stand_in(
        &self,
        key: &K,
        job: &Job,
        finding: &Finding<V>,
        stale: &mut Option<Arc<Slot<V>>>,
    ) {
        if matches!(finding, Finding::Unanchored(_))
            && let Some(slot) = stale_of(finding)
        {
            self.keep_to_stand_in(key, &job.policy, &slot);
            *stale = Some(slot);
        }
    }

    /// The right to replace an entry that stays. Where another node has it: what is there, as long
    /// as it may be served, else nothing, and the other node's fill must be waited for.
    async fn take_refresh_turn(
        &self,
        key: &K,
        opened: Opened<V>,
        budget: &Budget,
    ) -> Option<Turn<V>> {
        let (Some(remote), Some(cold)) = (&self.node.0.remote, opened.slot.cold()) else {
            return Some(Turn::Load(Lease::None));
        };
        let entry = value_head(cold.id);
        let lock = Kind::Lease.head(self.node.0.random.id());
        let name = self.space.refresh(key);
        let life = self.node.0.lease;
        let cell = Bytes::copy_from_slice(&lock);
        let taken = remote
            .timed_call(&self.node, budget, Access::Write, |remote| {
                remote.set_if_absent(&name, cell, life)
            })
            .await;
        match taken {
            Called::Answered(true, _)
            | Called::Failed {
                may_have_run: true, ..
            } => Some(Turn::Load(Lease::Refresh { lock, entry })),
            Called::Failed { .. } | Called::Barred => Some(Turn::Load(Lease::None)),
            // The round trip took its time, and whoever joined meanwhile may know more than when it
            // was read.
            Called::Answered(false, _) if self.serves(key, &opened.slot) => {
                // Look again in a while whether the other node has brought a newer one.
                self.postpone(key, &self.policy());
                Some(Turn::Found(opened))
            }
            Called::Answered(false, _) => None,
        }
    }

    /// Decorrelated jitter (Brooker: Exponential Backoff and Jitter, 2015).
    fn next_pause(&self, last: Duration) -> Duration {
        let spread = last.saturating_mul(3).saturating_sub(FIRST_PAUSE);
        (FIRST_PAUSE + spread.mul_f64(self.node.0.random.unit())).min(LONGEST_PAUSE)
    }

    /// Waits for the load, keeping its lease alive up to the hard deadline.
    pub(super) async fn await_load(
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
            if self.node.is_out_of_touch() {
                // Whoever waits may reach the source, which this node has lost.
                return self.release(key, lease).await;
            }
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
            Lease::None | Lease::Override => None,
            Lease::Cell(head) => Some((self.space.cell(key), *head)),
            Lease::Refresh { lock, .. } => Some((self.space.refresh(key), *lock)),
        }
    }

    pub(super) async fn write_fill(&self, key: &K, lease: &Lease, cell: Bytes, life: Duration) {
        let Some(remote) = &self.node.0.remote else {
            return;
        };
        let expected = match lease {
            Lease::None => return,
            Lease::Override => {
                self.write_anyway(key, cell, life).await;
                return;
            }
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
            None => {
                self.stats.remote_failures.add(1);
                // A server that is full takes no entry, but it lets go of the lease.
                if matches!(lease, Lease::Cell(_)) {
                    self.drop_cell(name).await;
                }
            }
        }
        if matches!(lease, Lease::Refresh { .. }) {
            self.release(key, lease).await;
        }
    }

    /// Lets go of a cell, so that nobody waits for it; at worst somebody loads it once more.
    async fn drop_cell(&self, name: String) {
        let Some(remote) = &self.node.0.remote else {
            return;
        };
        let (names, budget) = ([name], remote.budget());
        // The lease ends by itself if this fails.
        let _ = remote
            .call(&self.node, &budget, Access::Hint, |remote| {
                remote.remove(&names)
            })
            .await;
    }

    /// Writes an entry whatever is there; that ends a lease that somebody holds.
    /// Returns whether the tier took it.
    pub(super) async fn write_anyway(&self, key: &K, cell: Bytes, life: Duration) -> bool {
        let Some(remote) = &self.node.0.remote else {
            return false;
        };
        let (name, budget) = (self.space.cell(key), remote.budget());
        let set = remote
            .call(&self.node, &budget, Access::Write, |remote| {
                remote.set_many(vec![(name, cell, life)])
            })
            .await;
        match set {
            Some(()) => self.stats.fills.add(1),
            None => self.stats.remote_failures.add(1),
        }
        set.is_some()
    }

    /// Gives a lease back that leads to no fill, so that nobody waits for one.
    pub(super) async fn release(&self, key: &K, lease: &Lease) {
        // A lease that ends at once; an error marker would be believed by who reads it in time.
        self.end_lease(key, lease, Kind::Lease, Duration::from_millis(1))
            .await;
    }

    /// Leaves a marker for other nodes, so that they do not fail in turn. Never replaces a value.
    pub(super) async fn write_error(&self, key: &K, lease: &Lease) {
        let (shortest, longest) = ERROR_LIFE;
        let life = shortest + self.node.0.random.bits() % (longest - shortest);
        self.end_lease(key, lease, Kind::Error, Duration::from_millis(life))
            .await;
    }

    async fn end_lease(&self, key: &K, lease: &Lease, kind: Kind, life: Duration) {
        let (Some(remote), Some((name, head))) = (&self.node.0.remote, self.held(key, lease))
        else {
            return;
        };
        let marker = Bytes::copy_from_slice(&kind.head(self.node.0.random.id()));
        let budget = remote.budget();
        // The lease ends by itself if this fails.
        let _ = remote
            .call(&self.node, &budget, Access::Write, |remote| {
                remote.fill(&name, &head, marker, life)
            })
            .await;
    }
}

fn shared_failure() -> GetError {
    GetError::source_failed(SourceError::transient(
        "the load of another node has just failed",
    ))
}
