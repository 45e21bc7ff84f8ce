//! What the tiers have under a key, as an operator sees it: nothing is loaded, refreshed or removed,
//! and nothing is counted as a look-up.

use super::Shared;
use crate::certificate::{Certificate, Refusal};
use crate::envelope::{self, Kind};
use crate::key::Key;
use crate::memory::{Cold, Slot};
use crate::node::Access;
use crate::registry::{InRemote, Inspected};

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// What memory has.
    pub(crate) fn inspect(&self, key: &K) -> Option<Inspected> {
        let slot = self.memory.inspect(key)?;
        let cold = slot.cold()?;
        let verdict = self.judge_cold(key, cold, slot.epoch());
        Some(self.inspected(&slot, cold, verdict.refusal()))
    }

    /// What the remote tier has.
    pub(crate) async fn inspect_remote(&self, key: &K) -> InRemote {
        let Some(remote) = self.usable_remote(&self.policy()) else {
            return InRemote::Unused;
        };
        let name = self.space.cell(key);
        let read_as = self.read_as();
        let budget = remote.budget();
        let cell = remote
            .call(&self.node, &budget, Access::Read, |remote| {
                remote.get(&name)
            })
            .await;
        let Some(cell) = cell else {
            return InRemote::Unknown;
        };
        let Some(cell) = cell.filter(|cell| !cell.is_empty()) else {
            return InRemote::Nothing;
        };
        match envelope::head(&cell) {
            Ok((Kind::Lease, _)) => return InRemote::Lease,
            Ok((Kind::Error, _)) => return InRemote::Failure,
            Ok((Kind::Value, _)) | Err(_) => {}
        }
        let fallback = read_as.unwrap_or_else(Certificate::of_nothing);
        let opened = self.open(key, &self.policy(), &cell, &fallback);
        let entry = opened.as_ref().and_then(|opened| {
            let cold = opened.slot.cold()?;
            Some(self.inspected(&opened.slot, cold, opened.refusal))
        });
        let bytes = cell.len();
        entry.map_or(InRemote::Foreign { bytes }, |entry| InRemote::Entry {
            entry,
            bytes,
        })
    }

    fn inspected(&self, slot: &Slot<V>, cold: &Cold, refused: Option<Refusal>) -> Inspected {
        let now = self.node.0.clock.now();
        Inspected {
            has_value: slot.value.is_some(),
            age: now.since(cold.created_at),
            fresh_for: cold.fresh_until.since(now),
            stale_for: cold.stale_until.since(cold.fresh_until.max(now)),
            deps: cold.deps.iter().map(|dep| dep.name().to_owned()).collect(),
            position: cold.certificate.position.to_string(),
            refused,
            bytes: cold.value_bytes(),
        }
    }
}
