//! Compares some of what is cached with the database.

use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::ports::Clock;
use tingkat::warm::Checked;
use tokio::sync::watch;

use super::{Counts, pause};
use crate::config::Health;

/// One of so many keys of a cache is compared.
const KEYS_TO_CHOOSE_FROM: usize = 32;

/// A comparison that takes longer tells nothing.
const COMPARED_WITHIN: Duration = Duration::from_secs(10);

/// Whoever compares. No look waits for that: a database may hang.
pub(super) struct Auditor {
    pub(super) node: Node,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counts: Arc<Counts>,
    pub(super) judged_by: watch::Receiver<Health>,
}

impl Auditor {
    /// Compares some keys as often as it is looked.
    pub(super) async fn go_on(self) {
        loop {
            let (most, interval) = {
                let health = self.judged_by.borrow();
                (health.audits, health.interval)
            };
            tokio::select! {
                () = self.audit(most) => {}
                () = self.clock.sleep(COMPARED_WITHIN) => {
                    tracing::debug!("entries were not compared within {COMPARED_WITHIN:?}");
                }
            }
            self.clock.sleep(pause(interval, &*self.clock)).await;
        }
    }

    /// Compares some keys with the database: those that were changed, and one that is just there, for
    /// what changes without a word is changed all the same.
    pub(super) async fn audit(&self, most: usize) {
        let mut keys = self.counts.due(most);
        keys.extend(self.any().filter(|_| most > 0));
        for (entity, key) in keys {
            let Some(cache) = self.node.registry().find(&entity) else {
                continue;
            };
            for checked in cache.check(vec![key]).await {
                match checked {
                    Checked::Same => self.counts.audited(true),
                    Checked::Different => self.counts.audited(false),
                    Checked::Missing | Checked::Unknown => {}
                }
            }
        }
    }

    /// Some key that is in memory.
    fn any(&self) -> Option<(String, String)> {
        let caches = self.node.registry().all();
        // Nanoseconds of a running clock are random enough for that.
        let chance = usize::try_from(self.clock.now().as_nanos() / 1_000).unwrap_or(0);
        let cache = caches.get(chance % caches.len().max(1))?;
        let mut keys = cache.keys(KEYS_TO_CHOOSE_FROM);
        let index = chance / caches.len().max(1) % keys.len().max(1);
        (index < keys.len()).then(|| (cache.name().to_owned(), keys.swap_remove(index)))
    }
}
