//! What the tiers have beside what the source has: what warming did is compared, not believed, and so
//! is, now and then, what customers are served.

use std::sync::Arc;

use futures::future::join_all;

use super::Shared;
use super::load::Priority;
use super::search::Finding;
use crate::key::Key;
use crate::node::{Access, Guarded};
use crate::policy::{Placement, Policy};
use crate::ports::Wanted;
use crate::warm::Checked;

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Compares what the tiers have under keys with what the source has.
    pub(crate) async fn check_many(self: &Arc<Self>, keys: &[K]) -> Vec<Checked> {
        join_all(keys.iter().map(|key| self.check(key))).await
    }

    async fn check(self: &Arc<Self>, key: &K) -> Checked {
        let policy = self.policy();
        let in_memory = self.memory.inspect(key);
        let in_memory = in_memory.filter(|slot| self.serves(key, slot));
        let in_remote = match self.usable_remote(&policy) {
            Some(remote) => {
                let finding = self.find_one(remote, key, &policy).await;
                self.as_current(finding).ok().map(|opened| opened.slot)
            }
            None => None,
        };
        let mut checked = Checked::Missing;
        if in_memory.is_none() && in_remote.is_none() {
            return checked;
        }
        let Some(truth) = self.truth(key, &policy).await else {
            return Checked::Unknown;
        };
        for slot in [in_memory, in_remote].into_iter().flatten() {
            checked = match self.differs(key, &slot, truth.as_ref()).await {
                Some(false) => Checked::Same,
                Some(true) => return Checked::Different,
                None => return Checked::Unknown,
            };
        }
        checked
    }

    async fn find_one(&self, remote: &Guarded, key: &K, policy: &Policy) -> Finding<V> {
        let read_as = self.read_as();
        let (name, budget) = (self.space.cell(key), remote.budget());
        let cell = remote
            .call(&self.node, &budget, Access::Read, |remote| {
                remote.get(&name)
            })
            .await;
        cell.map_or(Finding::Unknown, |cell| {
            self.read_cell(key, policy, cell, read_as.as_ref())
        })
    }

    /// What the source has; nothing when it does not say.
    async fn truth(self: &Arc<Self>, key: &K, policy: &Arc<Policy>) -> Option<Option<Arc<V>>> {
        let wanted = Wanted {
            key: key.clone(),
            known: None,
        };
        let on_sent = Box::new(|_| ());
        let queue = &self.loader;
        let answer = queue.submit(
            &self.node,
            policy,
            wanted,
            Priority::Background,
            None,
            on_sent,
        );
        let answer = self.node.within(policy.hard_deadline, answer.ok()?).await;
        let answered = answer?.ok()?.ok()?;
        // Read, not kept: the tiers are what is judged.
        let policy = Policy {
            placement: Placement::Nowhere,
            ..(**policy).clone()
        };
        let filled = self.try_fill(key, &policy, answered, None).ok()?;
        Some(filled.landed.value)
    }
}
