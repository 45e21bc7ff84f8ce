//! What operators of a shop want to know about it, counted by the database now and then.

use std::sync::Arc;
use std::time::Duration;

use tingkat::ports::Clock;
use tingkat_health::look::Fact;
use tingkat_shop::Facts as _;
use tingkat_sql::Database;
use tokio::sync::watch;

use crate::config::Health;

/// A database that counts for longer is asked again another time.
const COUNTED_WITHIN: Duration = Duration::from_secs(10);

/// So often it is seen whether it is due.
const PAUSE: Duration = Duration::from_secs(1);

/// Whoever counts. No look waits for that: a database may hang.
pub(super) struct Facts {
    pub(super) database: Database,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) judged_by: watch::Receiver<Health>,
    /// As they were counted last.
    pub(super) known: watch::Sender<Vec<Fact>>,
}

impl Facts {
    /// Counts them when that is due. What can not be counted stays as it was.
    pub(super) async fn go_on(self) {
        let mut counted_at = None;
        loop {
            let now = self.clock.now();
            let every = self.judged_by.borrow().facts;
            if counted_at.is_none_or(|at| now.since(at) >= every) {
                counted_at = Some(now);
                tokio::select! {
                    () = self.count() => {}
                    () = self.clock.sleep(COUNTED_WITHIN) => {
                        tracing::debug!("the facts of the shop were not counted within {COUNTED_WITHIN:?}");
                    }
                }
            }
            self.clock.sleep(PAUSE.min(every)).await;
        }
    }

    async fn count(&self) {
        match self.database.facts().await {
            Ok(facts) => {
                let facts = facts.into_iter().map(|fact| Fact {
                    entity: fact.entity.to_owned(),
                    name: fact.name,
                    value: fact.value,
                });
                self.known.send_replace(facts.collect());
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the facts of the shop can not be counted");
            }
        }
    }
}
