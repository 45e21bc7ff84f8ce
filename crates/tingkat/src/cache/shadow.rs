//! Past the tiers: in shadow mode what they would have said is compared with the source, in bypass
//! mode they are left alone.

use std::sync::Arc;

use super::load::{OwnLoad, Priority};
use super::{Answer, Mode, Shared, Tier, Trail};
use crate::certificate::Verdict;
use crate::error::{GetError, GetErrorKind};
use crate::event::Event;
use crate::key::Key;
use crate::memory::Slot;
use crate::policy::{Placement, Policy};
use crate::ports::Wanted;

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Asks the source, and only compares with what the tiers would have said.
    pub(super) async fn read_past(
        self: &Arc<Self>,
        key: &K,
        own: Option<OwnLoad<V>>,
    ) -> Result<Answer<V>, GetError> {
        let (policy, mode) = (self.policy(), self.mode());
        let started = self.node.0.clock.now();
        let cached = if mode == Mode::Shadow {
            self.would_answer(key, &policy).await
        } else {
            None
        };
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
        let sent_at = answered.sent_at;
        let placement = match mode {
            Mode::Bypass => Placement::Nowhere,
            // Redis is for the nodes that answer from it.
            Mode::Cache | Mode::Shadow => policy.placement,
        };
        let policy = Policy {
            placement,
            ..(*policy).clone()
        };
        let filled = self.fill(key, &policy, answered, None)?;
        let value = filled.landed.value;
        if let Some(slot) = cached {
            self.compare(key, &slot, value.as_ref()).await;
        }
        let now = self.node.0.clock.now();
        let time = if value.is_some() {
            &self.stats.source_time
        } else {
            &self.stats.source_absent_time
        };
        time.record(now.since(started));
        let trail = Trail {
            tier: Tier::Source,
            stale: false,
            collapsed: false,
            stored: mode == Mode::Shadow && filled.landed.is_stored,
            searched_remote: false,
            age: now.since(sent_at),
        };
        Ok(Answer::new(value, trail))
    }

    /// The entry that the tiers would have answered with.
    pub(super) async fn would_answer(&self, key: &K, policy: &Policy) -> Option<Slot<V>> {
        if let Some(slot) = self
            .memory
            .inspect(key)
            .filter(|slot| self.serves(key, slot))
        {
            return Some(slot);
        }
        let finding = self.search_remote(key, policy, &self.new_budget()).await;
        self.as_current(finding).ok().map(|opened| opened.slot)
    }

    /// Whether an entry would be served now, unmarked.
    pub(super) fn serves(&self, key: &K, slot: &Slot<V>) -> bool {
        let (now, observed) = (self.node.0.clock.now(), self.node.0.knowledge.observe());
        let Some(cold) = slot.cold() else {
            return false;
        };
        self.is_live(cold, now)
            && self.is_anchored(slot, observed, now)
            && self.judge_cold(key, cold, slot.epoch()) == Verdict::Accepted
    }

    /// Counts what the cache would have answered otherwise than the source did.
    async fn compare(&self, key: &K, cached: &Slot<V>, truth: Option<&Arc<V>>) {
        if self.differs(key, cached, truth).await == Some(true) {
            self.stats.differences.add(1);
            self.node.tell(Event::Differed { entity: self.name });
        }
    }

    /// Whether the cache would answer otherwise than the source did, and would still after a poll: a
    /// change that is on its way is within the promise, and no difference. Nothing where values can
    /// not be compared, or no poll came.
    pub(super) async fn differs(
        &self,
        key: &K,
        cached: &Slot<V>,
        truth: Option<&Arc<V>>,
    ) -> Option<bool> {
        let codec = self.codec.as_ref()?;
        let bytes = |value: Option<&Arc<V>>| value.map(|value| codec.encode(value).ok());
        if bytes(cached.value.as_ref()) == bytes(truth) {
            return Some(false);
        }
        let bound = self.node.0.knowledge.bound();
        if !self.node.validate_from_now(bound).await {
            return None;
        }
        Some(self.serves(key, cached))
    }
}
