//! What the tiers have beside what the source has: what warming did is compared, not believed.

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
        let Some(codec) = &self.codec else {
            return Checked::Unknown;
        };
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
        let Some(truth) = self.truth(key, &policy).await else {
            return Checked::Unknown;
        };
        let bytes = |value: Option<&Arc<V>>| value.map(|value| codec.encode(value).ok());
        let truth = bytes(truth.as_ref());
        let mut is_there = false;
        for slot in [in_memory, in_remote].into_iter().flatten() {
            is_there = true;
            if bytes(slot.value.as_ref()) == truth {
                continue;
            }
            // What changed between the two readings is refused after a poll, and is no difference.
            let bound = self.node.0.knowledge.bound();
            if self.node.validate_from_now(bound).await && self.serves(key, &slot) {
                return Checked::Different;
            }
        }
        if is_there {
            Checked::Same
        } else {
            Checked::Missing
        }
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
        let answered = answer.ok()?.await.ok()?.ok()?;
        // Read, not kept: the tiers are what is judged.
        let policy = Policy {
            placement: Placement::Nowhere,
            ..(**policy).clone()
        };
        let filled = self.try_fill(key, &policy, answered, None).ok()?;
        Some(filled.landed.value)
    }
}
