//! What operators of a shop want to know about it, counted by the database now and then.

use std::sync::Arc;
use std::time::Duration;

use tingkat::ports::{Clock, Tick};
use tingkat_health::look::Fact;
use tingkat_shop::Facts as _;
use tingkat_sql::Database;

/// The facts as they were counted last.
pub(super) struct Facts {
    database: Database,
    clock: Arc<dyn Clock>,
    known: Vec<Fact>,
    counted_at: Option<Tick>,
}

impl Facts {
    pub(super) fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            known: Vec::new(),
            counted_at: None,
        }
    }

    /// Counts them, if that is due. What can not be counted stays as it was.
    pub(super) async fn count(&mut self, every: Duration) {
        let now = self.clock.now();
        if self.counted_at.is_some_and(|at| now.since(at) < every) {
            return;
        }
        self.counted_at = Some(now);
        match self.database.facts().await {
            Ok(facts) => {
                let facts = facts.into_iter().map(|fact| Fact {
                    entity: fact.entity.to_owned(),
                    name: fact.name,
                    value: fact.value,
                });
                self.known = facts.collect();
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the facts of the shop can not be counted");
            }
        }
    }

    pub(super) fn known(&self) -> Vec<Fact> {
        self.known.clone()
    }
}
