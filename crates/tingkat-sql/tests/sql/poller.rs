//! A node as far as the change log is concerned: it polls, and remembers where it was.

use std::sync::Arc;

use tingkat::certificate::Position;
use tingkat::error::LogError;
use tingkat::ports::{ChangeLog, History, Poll};
use tingkat_sql::Database;

/// More than any test writes.
pub(crate) const LIMIT: usize = 100_000;

pub(crate) struct Poller {
    pub(crate) log: Arc<dyn ChangeLog>,
    pub(crate) position: Position,
}

impl Poller {
    /// Follows from now on.
    pub(crate) async fn new(database: &Database) -> Self {
        let log = database.change_log().unwrap();
        let position = log.history(LIMIT).await.unwrap().poll.position;
        Self { log, position }
    }

    pub(crate) async fn poll(&mut self) -> Result<Poll, LogError> {
        let poll = self.log.poll(&self.position, LIMIT).await?;
        self.position = poll.position.clone();
        Ok(poll)
    }

    /// The deps of the next poll, sorted.
    pub(crate) async fn news(&mut self) -> Vec<String> {
        deps(&self.poll().await.unwrap())
    }

    pub(crate) async fn history(&self) -> History {
        self.log.history(LIMIT).await.unwrap()
    }
}

pub(crate) fn deps(poll: &Poll) -> Vec<String> {
    let mut deps: Vec<String> = poll
        .changes
        .iter()
        .map(|(_, change)| change.dep.name().to_owned())
        .collect();
    deps.sort();
    deps
}
