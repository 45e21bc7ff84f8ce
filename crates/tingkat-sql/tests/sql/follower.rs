//! Following a change log by hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use tingkat::certificate::{ChangeKind, Incarnation, Position};
use tingkat::ports::{ChangeLog, Poll};
use tingkat_sql::Database;

/// Where a node would be, with its log.
pub(crate) struct Follower {
    pub(crate) log: Arc<dyn ChangeLog>,
    pub(crate) incarnation: Incarnation,
    pub(crate) position: Position,
}

impl Follower {
    /// Begins at the end of the log.
    pub(crate) async fn of(database: &Database) -> Self {
        let log = database.change_log().unwrap();
        let poll = log.history(500_000).await.unwrap().poll;
        assert!(!poll.overflow);
        Self {
            log,
            incarnation: poll.incarnation,
            position: poll.position,
        }
    }

    /// What one poll brings; goes on from there.
    pub(crate) async fn poll(&mut self) -> Poll {
        let poll = self.log.poll(&self.position, 50_000).await.unwrap();
        assert!(!poll.overflow);
        self.position = poll.position.clone();
        poll
    }

    /// The deps that were forgotten since the last time, in alphabetical order.
    pub(crate) async fn deps(&mut self) -> Vec<String> {
        let poll = self.poll().await;
        assert_eq!(poll.incarnation, self.incarnation);
        let deps: BTreeSet<String> = poll
            .changes
            .into_iter()
            .map(|(_, change)| {
                assert_eq!(change.kind, ChangeKind::Forget);
                change.dep.name().to_owned()
            })
            .collect();
        deps.into_iter().collect()
    }
}
