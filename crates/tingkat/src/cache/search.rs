//! Asking the remote tier, and what its answer means to this node now.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fill::Opened;
use super::landing::Landed;
use super::read::Attempt;
use super::{Shared, Tier};
use crate::certificate::Certificate;
use crate::envelope::{self, Kind};
use crate::key::Key;
use crate::memory::Slot;
use crate::node::{Access, Budget, Called, Guarded};
use crate::policy::Policy;

/// What the remote tier has under a key.
pub(super) enum Finding<V> {
    /// An entry that may be served.
    Current(Opened<V>),
    /// An entry that needs a refresh, and stays until then.
    PastFresh(Opened<V>),
    /// Bytes that must go: an entry that was refused, or no entry at all.
    Replaceable(Bytes, Option<Opened<V>>),
    /// An entry that is not known to be current, because this node is not anchored.
    Unanchored(Opened<V>),
    /// Nothing.
    Missing,
    /// Somebody loads it.
    Leased,
    /// Somebody's load has just failed.
    Failed,
    /// The tier could not be asked: it is away.
    Away,
    /// The tier was not to be asked or did not answer.
    Unknown,
}

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Asks the remote tier for a key.
    pub(super) async fn search(&self, key: &K, attempt: &Attempt) -> Finding<V> {
        if self.must_load(attempt.options) {
            return Finding::Unknown;
        }
        self.search_remote(key, &attempt.policy, &attempt.budget)
            .await
    }

    pub(super) async fn search_remote(
        &self,
        key: &K,
        policy: &Policy,
        budget: &Budget,
    ) -> Finding<V> {
        let Some(remote) = self.usable_remote(policy) else {
            return Finding::Unknown;
        };
        let name = self.space.cell(key);
        let read_as = self.read_as();
        let called = remote
            .timed_call(&self.node, budget, Access::Read, |remote| remote.get(&name))
            .await;
        let (cell, took) = match called {
            Called::Answered(cell, took) => (cell, took),
            Called::Barred => return Finding::Away,
            Called::Failed { took, .. } => {
                self.count_failed_search(took);
                return Finding::Unknown;
            }
        };
        let finding = self.read_cell(key, policy, cell, read_as.as_ref());
        self.count_search(&finding, took);
        finding
    }

    /// Asks the remote tier for many keys at once.
    pub(super) async fn search_many(&self, keys: &[&K], attempt: &Attempt) -> Vec<Finding<V>> {
        let policy = &attempt.policy;
        let may_ask = !keys.is_empty() && !self.must_load(attempt.options);
        let unknown = || keys.iter().map(|_| Finding::Unknown).collect();
        let away = || keys.iter().map(|_| Finding::Away).collect();
        let Some(remote) = self.usable_remote(policy).filter(|_| may_ask) else {
            return unknown();
        };
        let names: Vec<String> = keys.iter().map(|key| self.space.cell(*key)).collect();
        let read_as = self.read_as();
        let called = remote
            .timed_call(&self.node, &attempt.budget, Access::Read, |remote| {
                remote.get_many(&names)
            })
            .await;
        let (cells, took) = match called {
            Called::Answered(cells, took) if cells.len() == keys.len() => (cells, took),
            Called::Barred => return away(),
            Called::Answered(_, took) | Called::Failed { took, .. } => {
                self.count_failed_search(took);
                return unknown();
            }
        };
        let findings = keys.iter().zip(cells).map(|(key, cell)| {
            let finding = self.read_cell(key, policy, cell, read_as.as_ref());
            self.count_search(&finding, took);
            finding
        });
        findings.collect()
    }

    /// The remote tier, where the entity's values go there.
    pub(super) fn usable_remote(&self, policy: &Policy) -> Option<&Guarded> {
        let remote = self.node.0.remote.as_ref()?;
        (policy.placement.in_remote() && self.codec.is_some()).then_some(remote)
    }

    /// The position before a cell is asked for, where cells carry none.
    pub(super) fn read_as(&self) -> Option<Certificate> {
        if self.is_tracked() {
            return None;
        }
        self.node.0.knowledge.cursor()
    }

    fn count_search(&self, finding: &Finding<V>, took: Duration) {
        match finding {
            Finding::Current(_) | Finding::PastFresh(_) => {
                self.stats.remote_hits.add(1);
                self.stats.remote_time.record(took);
            }
            Finding::Replaceable(..)
            | Finding::Unanchored(_)
            | Finding::Missing
            | Finding::Leased
            | Finding::Failed
            | Finding::Away
            | Finding::Unknown => {
                self.stats.remote_misses.add(1);
                self.stats.remote_miss_time.record(took);
            }
        }
    }

    fn count_failed_search(&self, took: Duration) {
        self.stats.remote_failures.add(1);
        self.stats.remote_failure_time.record(took);
    }

    /// What a cell means to this node now.
    pub(super) fn read_cell(
        &self,
        key: &K,
        policy: &Policy,
        cell: Option<Bytes>,
        read_as: Option<&Certificate>,
    ) -> Finding<V> {
        let Some(cell) = cell.filter(|cell| !cell.is_empty()) else {
            return Finding::Missing;
        };
        match envelope::head(&cell) {
            Ok((Kind::Lease, _)) => return Finding::Leased,
            Ok((Kind::Error, _)) => return Finding::Failed,
            Ok((Kind::Value, _)) | Err(_) => {}
        }
        let fallback = read_as.cloned().unwrap_or_else(Certificate::of_nothing);
        let Some(opened) = self.open(key, policy, &cell, &fallback) else {
            self.stats.undecodable.add(1);
            return Finding::Replaceable(cell, None);
        };
        if let Some(refusal) = opened.refusal {
            self.count_refusal(refusal);
        }
        let now = opened.read_at;
        let is_anchored = self.node.0.knowledge.anchors(opened.observed, now);
        // A node that is cut off can not bring anything better than what may stand in.
        if !is_anchored && opened.leaves_stale() {
            return Finding::Unanchored(opened);
        }
        if opened.refusal.is_some() {
            let stale = opened.leaves_stale().then_some(opened);
            return Finding::Replaceable(cell, stale);
        }
        let is_fresh = opened
            .slot
            .cold()
            .is_some_and(|cold| now < cold.fresh_until);
        if is_fresh {
            Finding::Current(opened)
        } else {
            Finding::PastFresh(opened)
        }
    }

    /// What may be served unmarked as it is.
    pub(super) fn as_current(&self, finding: Finding<V>) -> Result<Opened<V>, Finding<V>> {
        match finding {
            Finding::Current(opened) => Ok(opened),
            Finding::PastFresh(opened) if self.lives(&opened) => Ok(opened),
            other @ (Finding::PastFresh(_)
            | Finding::Replaceable(..)
            | Finding::Unanchored(_)
            | Finding::Missing
            | Finding::Leased
            | Finding::Failed
            | Finding::Away
            | Finding::Unknown) => Err(other),
        }
    }

    fn lives(&self, opened: &Opened<V>) -> bool {
        let now = self.node.0.clock.now();
        let cold = opened.slot.cold();
        cold.is_some_and(|cold| self.is_live(cold, now))
    }

    /// Gives a node that has just begun the time to connect to the remote tier.
    pub(super) async fn await_first_connection(&self, policy: &Policy, budget: &Budget) {
        if let Some(remote) = self.usable_remote(policy) {
            remote.await_first_connection(&self.node, budget).await;
        }
    }

    /// What a tier has that was away, once it can be asked.
    pub(super) async fn search_when_it_comes(
        &self,
        key: &K,
        policy: &Policy,
        budget: &Budget,
    ) -> Finding<V> {
        if let Some(remote) = self.usable_remote(policy) {
            remote.comes(&self.node).await;
        }
        self.search_remote(key, policy, budget).await
    }

    pub(super) fn land_opened(&self, key: &K, policy: &Policy, opened: &Opened<V>) -> Landed<V> {
        self.keep(key, policy, opened);
        let fresh_at = opened.observed.fresh_at;
        let created_at = opened.slot.cold().map_or(fresh_at, |cold| cold.created_at);
        let current_at = if self.is_tracked() {
            fresh_at.max(created_at)
        } else {
            created_at
        };
        Landed {
            value: opened.slot.value.clone(),
            tier: Tier::Remote,
            good_in: opened.observed.epoch,
            current_at,
            proven_at: Some(fresh_at),
            is_stored: true,
            searched_remote: true,
        }
    }
}

/// The value that a finding leaves to stand in.
pub(super) fn stale_of<V>(finding: &Finding<V>) -> Option<Arc<Slot<V>>> {
    match finding {
        Finding::Current(opened)
        | Finding::PastFresh(opened)
        | Finding::Unanchored(opened)
        | Finding::Replaceable(_, Some(opened)) => Some(Arc::new(opened.slot.whole())),
        Finding::Replaceable(_, None)
        | Finding::Missing
        | Finding::Leased
        | Finding::Failed
        | Finding::Away
        | Finding::Unknown => None,
    }
}
