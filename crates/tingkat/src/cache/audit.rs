//! Whether the tiers are right about a key: what they would answer is compared with the source, and
//! nothing is answered, kept or counted as a look-up.

use std::sync::Arc;

use super::Shared;
use super::load::Priority;
use crate::key::Key;
use crate::policy::{Placement, Policy};
use crate::ports::Wanted;

impl<K: Key, V: Send + Sync + 'static> Shared<K, V> {
    /// Whether the tiers say of a key what the source says; nothing where they would say nothing, or
    /// where the source can not be asked. Waits behind the loads of customers.
    pub(crate) async fn audit(self: &Arc<Self>, key: &K) -> Option<bool> {
        let policy = self.policy();
        let cached = self.would_answer(key, &policy).await?;
        let wanted = Wanted {
            key: key.clone(),
            known: None,
        };
        let receiver = self.loader.submit(
            &self.node,
            &policy,
            wanted,
            Priority::Background,
            None,
            Box::new(|_| ()),
        );
        let answer = self.node.within(policy.hard_deadline, receiver.ok()?).await;
        let answered = answer?.ok()?.ok()?;
        let nowhere = Policy {
            placement: Placement::Nowhere,
            ..(*policy).clone()
        };
        let filled = self.fill(key, &nowhere, answered, None).ok()?;
        let differs = self.differs(key, &cached, filled.landed.value.as_ref());
        Some(!differs.await?)
    }
}
