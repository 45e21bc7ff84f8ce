//! Keeping PostgreSQL's change log short, without losing what somebody has not seen.

use std::time::Duration;

use futures::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tingkat::certificate::Dep;
use tingkat_sql::{Compaction, Config, Database};

use crate::poller::{LIMIT, Poller};
use crate::stores::{Served, config, parsed};

/// A store whose changes are compacted at the next opportunity.
struct Store {
    served: Served,
    database: Database,
}

impl Store {
    async fn new() -> Self {
        let served = Served::new().await;
        // What installing it wrote is nobody's business here.
        served
            .server
            .psql("DELETE FROM tingkat.change")
            .await
            .unwrap();
        let at_once = Config {
            changes_kept_for: Duration::ZERO,
            ..config()
        };
        let url = parsed(&served.server.url());
        let database = Database::open(&url, &at_once).await.unwrap();
        Self { served, database }
    }

    async fn forget(&self, dep: &str) -> u64 {
        let sql = format!("SELECT tingkat.forget(ARRAY['{dep}'])");
        self.psql(&sql).await.parse().unwrap()
    }

    async fn psql(&self, sql: &str) -> String {
        self.served.server.psql(sql).await.unwrap()
    }

    /// Takes a tick whatever the last one's age, and folds what it has seen.
    async fn compact(&self) -> u64 {
        self.psql("UPDATE tingkat.tick SET at = at - interval '1 minute'")
            .await;
        assert!(matches!(
            self.database.compact().await.unwrap(),
            Compaction::Folded(_)
        ));
        match self.database.compact().await.unwrap() {
            Compaction::Folded(rows) => rows,
            other @ (Compaction::Busy | Compaction::Embedded) => panic!("{other:?}"),
        }
    }
}

fn names(changes: &[(u64, tingkat::certificate::Change)]) -> Vec<(u64, &str)> {
    let mut names: Vec<(u64, &str)> = changes
        .iter()
        .map(|(xid, c)| (*xid, c.dep.name()))
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn compacted_changes_keep_the_newest_transaction_of_each_dep() {
    let store = Store::new().await;
    let node = Poller::new(&store.database).await;
    store.forget("a").await;
    let a = store.forget("a").await;
    let b = store.forget("b").await;
    assert_eq!(store.compact().await, 3);
    let history = node.history().await;
    assert_eq!(names(&history.compacted), [(a, "a"), (b, "b")]);
    assert!(history.poll.changes.is_empty());
    // The floor has seen all that was folded, and a node that is up to date contains it.
    let floor = history.poll.floor.unwrap();
    assert!(floor.covers(a) && floor.covers(b) && floor.xmin() > b);
    assert!(history.poll.position.contains(&floor));
    // One that slept does not, and that is how it notices.
    assert!(!node.position.contains(&floor));

    let a = store.forget("a").await;
    assert_eq!(store.compact().await, 1);
    assert_eq!(names(&node.history().await.compacted), [(b, "b"), (a, "a")]);
}

#[tokio::test]
async fn changes_are_told_one_by_one_for_a_while() {
    let served = Served::new().await;
    for _ in 0..2 {
        assert_eq!(
            served.database.compact().await.unwrap(),
            Compaction::Folded(0)
        );
    }
    let sql = "UPDATE tingkat.tick SET at = at - interval '4 minutes 50 seconds'";
    served.server.psql(sql).await.unwrap();
    assert_eq!(
        served.database.compact().await.unwrap(),
        Compaction::Folded(0)
    );
    let sql = "UPDATE tingkat.tick SET at = at - interval '20 seconds'";
    served.server.psql(sql).await.unwrap();
    let Compaction::Folded(rows) = served.database.compact().await.unwrap() else {
        panic!()
    };
    // The installation of the demo store was before the log's.
    assert_eq!(rows, 0);
    served
        .server
        .psql("SELECT tingkat.forget(ARRAY['a'])")
        .await
        .unwrap();
    assert_eq!(
        served.database.compact().await.unwrap(),
        Compaction::Folded(0)
    );
}

/// A row that is older than everything, and that nobody has seen yet.
#[tokio::test]
async fn an_open_transaction_keeps_its_rows_from_being_folded() {
    let store = Store::new().await;
    let mut node = Poller::new(&store.database).await;
    let mut writer = PgConnection::connect(&store.served.server.url())
        .await
        .unwrap();
    let mut long = writer.begin().await.unwrap();
    long.execute("SELECT tingkat.forget(ARRAY['long'])")
        .await
        .unwrap();
    store.forget("short").await;
    for _ in 0..3 {
        assert_eq!(store.compact().await, 0);
    }
    long.commit().await.unwrap();
    assert_eq!(node.news().await, ["long", "short"]);
    // A tick that was taken while it was open has not seen it.
    store.forget("later").await;
    assert_eq!(store.compact().await, 3);
    assert_eq!(node.history().await.compacted.len(), 3);
}

#[tokio::test]
async fn many_nodes_compact_once() {
    let store = Store::new().await;
    for number in 0..100 {
        store.forget(&format!("dep:{number}")).await;
    }
    store.database.compact().await.unwrap();
    let nodes = join_all((0..6).map(|_| async {
        let at_once = Config {
            changes_kept_for: Duration::ZERO,
            ..config()
        };
        let url = parsed(&store.served.server.url());
        let database = Database::open(&url, &at_once).await.unwrap();
        database.compact().await.unwrap()
    }));
    let folded: u64 = nodes
        .await
        .into_iter()
        .map(|done| match done {
            Compaction::Folded(rows) => rows,
            Compaction::Busy | Compaction::Embedded => 0,
        })
        .sum();
    assert_eq!(folded, 100);
    let node = Poller::new(&store.database).await;
    assert_eq!(node.history().await.compacted.len(), 100);
}

#[tokio::test]
async fn while_another_session_is_at_it_nobody_waits() {
    let store = Store::new().await;
    let mut other = PgConnection::connect(&store.served.server.url())
        .await
        .unwrap();
    let mut transaction = other.begin().await.unwrap();
    transaction
        .execute("SELECT tingkat.compact('0s', 10)")
        .await
        .unwrap();
    assert_eq!(store.database.compact().await.unwrap(), Compaction::Busy);
    transaction.rollback().await.unwrap();
    assert!(matches!(
        store.database.compact().await.unwrap(),
        Compaction::Folded(_)
    ));
}

#[tokio::test]
async fn more_deps_than_a_node_remembers_become_one_that_refuses_everything_older() {
    let store = Store::new().await;
    for number in 0..5 {
        store.forget(&format!("dep:{number}")).await;
    }
    let newest = store.forget("dep:5").await;
    store.database.compact().await.unwrap();
    store.psql("SELECT tingkat.compact('0s', 6)").await;
    let node = Poller::new(&store.database).await;
    assert_eq!(node.history().await.compacted.len(), 6);
    store.psql("SELECT tingkat.compact('0s', 5)").await;
    let history = node.history().await;
    assert_eq!(names(&history.compacted), [(newest, "*")]);
    assert_eq!(history.compacted[0].1.dep, Dep::everything());
}

/// All the while that others write and compact, a node that polls misses nothing, and one that
/// begins anew knows at least as much.
#[tokio::test]
async fn nothing_is_lost_between_the_log_and_its_history() {
    const WRITES: u32 = 200;
    let store = Store::new().await;
    let mut node = Poller::new(&store.database).await;
    let writing = async {
        let mut writer = PgConnection::connect(&store.served.server.url())
            .await
            .unwrap();
        for number in 0..WRITES {
            let sql = format!("SELECT tingkat.forget(ARRAY['dep:{}'])", number % 50);
            writer.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        }
    };
    let is_written = std::cell::Cell::new(false);
    let compacting = async {
        while !is_written.get() {
            store.compact().await;
        }
    };
    let mut polled = Vec::new();
    let polling = async {
        loop {
            let is_last = is_written.get();
            let history = node.log.history(LIMIT).await.unwrap();
            polled.extend(node.poll().await.unwrap().changes);
            // Whatever the poll has told by now is in the history, by an xid that is not older.
            for (xid, change) in polled
                .iter()
                .filter(|(xid, _)| history.poll.position.covers(*xid))
            {
                let knows = |known: &(u64, tingkat::certificate::Change)| {
                    known.1 == *change && known.0 >= *xid
                };
                assert!(
                    history
                        .compacted
                        .iter()
                        .chain(&history.poll.changes)
                        .any(knows),
                    "{xid} {change:?}"
                );
            }
            if is_last {
                break;
            }
        }
    };
    tokio::join!(
        async {
            writing.await;
            is_written.set(true);
        },
        compacting,
        polling
    );
    // Those that were folded before the node polled are behind the floor, which it then notices.
    assert!(polled.len() > 50, "{}", polled.len());
}
