//! The change log of the embedded store: polls, histories, its own writes, and its length.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, Row as _};
use tingkat::certificate::{Change, ChangeKind, Dep, Position};
use tingkat::ports::{Found, Wanted};
use tingkat_testkit::eventually;

use crate::follower::Follower;
use crate::stores::{Embedded, parsed};

fn forget(dep: &str) -> Change {
    Change {
        dep: Dep::new(dep),
        kind: ChangeKind::Forget,
    }
}

#[tokio::test]
async fn what_is_appended_comes_back_as_it_was() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    let changes = vec![
        forget("product:7"),
        Change {
            dep: Dep::new("state:SGR"),
            kind: ChangeKind::Expire,
        },
        Change {
            dep: Dep::new("postcode:50*"),
            kind: ChangeKind::Pattern,
        },
        forget("quoted '\" \\ 千层 🍰"),
    ];
    let written = follower.log.append(changes.clone()).await.unwrap();
    assert_eq!(written.incarnation, follower.incarnation);
    assert!(!follower.position.covers(written.xid));

    let poll = follower.poll().await;
    assert!(poll.position.covers(written.xid) && !poll.position.covers(written.xid + 1));
    let found: Vec<Change> = poll
        .changes
        .iter()
        .map(|(_, change)| change.clone())
        .collect();
    assert_eq!(found, changes);
    let ids: Vec<u64> = poll.changes.iter().map(|(id, _)| *id).collect();
    assert!(
        ids.is_sorted() && ids.last() == Some(&written.xid),
        "{ids:?}"
    );
}

/// The version that a poll asks for first moves with every commit but its own connection's.
#[tokio::test]
async fn a_poll_sees_the_writes_of_every_connection() {
    let store = Embedded::new().await;
    let other = store.open_again().await;
    let mut follower = Follower::of(&store.database).await;
    let mut foreign = store.foreign().await;
    let log = other.change_log().unwrap();
    for round in 0..3 {
        assert_eq!(follower.deps().await, [""; 0]);
        follower.log.append(vec![forget("own")]).await.unwrap();
        assert_eq!(follower.deps().await, ["own"], "{round}");
        log.append(vec![forget("other")]).await.unwrap();
        assert_eq!(follower.deps().await, ["other"], "{round}");
        let update = "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '7'";
        foreign.execute(update).await.unwrap();
        assert_eq!(follower.deps().await, ["product:7"], "{round}");
        store
            .run("UPDATE state SET name = name || '.' WHERE code = 'SGR'")
            .await;
        assert_eq!(follower.deps().await, ["state:SGR"], "{round}");
    }
}

/// A poll that repeats an older position gets all that came since, though nothing was committed
/// since the last poll.
#[tokio::test]
async fn a_poll_tells_what_came_after_its_own_position() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    let before = follower.position.clone();
    follower.log.append(vec![forget("a")]).await.unwrap();
    assert_eq!(follower.deps().await, ["a"]);
    assert_eq!(follower.deps().await, [""; 0]);
    follower.position = before;
    assert_eq!(follower.deps().await, ["a"]);
}

#[tokio::test]
async fn more_changes_than_the_limit_are_an_overflow_up_to_now() {
    let store = Embedded::new().await;
    let follower = Follower::of(&store.database).await;
    let (log, start) = (&follower.log, &follower.position);
    let changes = (0..10).map(|number| forget(&format!("{number}"))).collect();
    let written = log.append(changes).await.unwrap();
    let poll = log.poll(start, 10).await.unwrap();
    assert!(!poll.overflow);
    assert_eq!(poll.changes.len(), 10);
    let poll = log.poll(start, 9).await.unwrap();
    assert!(poll.overflow);
    assert!(poll.changes.len() <= 9);
    assert!(poll.position.covers(written.xid));
    assert!(!log.history(10).await.unwrap().poll.overflow);
    assert!(log.history(9).await.unwrap().poll.overflow);
}

#[tokio::test]
async fn a_history_has_the_newest_change_of_each_name() {
    let store = Embedded::new().await;
    let log = store.database.change_log().unwrap();
    for dep in ["a", "b", "a"] {
        log.append(vec![forget(dep)]).await.unwrap();
    }
    let expired = Change {
        dep: Dep::new("a"),
        kind: ChangeKind::Expire,
    };
    let last = log.append(vec![expired.clone()]).await.unwrap().xid;
    let history = log.history(100).await.unwrap();
    assert!(history.poll.changes.is_empty());
    assert_eq!(history.poll.position, Position::log_id(last));
    let mut compacted = history.compacted;
    compacted.sort_by_key(|(id, _)| *id);
    let expected = [
        (last - 2, forget("b")),
        (last - 1, forget("a")),
        (last, expired),
    ];
    assert_eq!(compacted, expected);
}

#[tokio::test]
async fn a_new_store_has_no_history() {
    let store = Embedded::new().await;
    let log = store.database.change_log().unwrap();
    assert!(log.history(1).await.unwrap().compacted.is_empty());
}

/// A load and its certificate are of one instant, whatever is committed meanwhile.
#[tokio::test]
async fn a_load_has_seen_exactly_what_its_certificate_covers() {
    let store = Embedded::new().await;
    let follower = Follower::of(&store.database).await;
    let sources = store.database.sources();
    assert!(sources.products.certifies() && sources.states.certifies());
    let start = follower.position.xmax();
    let mut foreign = store.foreign().await;
    foreign
        .execute("UPDATE product SET stock_quantity = 0 WHERE id = '7'")
        .await
        .unwrap();

    // Each commit adds one to the stock and one row to the log.
    let writing = async {
        for _ in 0..300 {
            let update = "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '7'";
            foreign.execute(update).await.unwrap();
        }
    };
    let reading = async {
        let mut seen = std::collections::BTreeSet::new();
        while seen.last() != Some(&300) {
            let wanted = [Wanted {
                key: parsed("7"),
                known: None,
            }];
            let batch = sources.products.load(&wanted).await.unwrap();
            let certificate = batch.certificate.unwrap();
            assert_eq!(certificate.incarnation, follower.incarnation);
            let Found::Value(product) = &batch.loaded[0].found else {
                panic!("the product is gone")
            };
            let changes = certificate.position.xmax() - start;
            assert_eq!(u64::try_from(product.stock_quantity).unwrap() + 1, changes);
            seen.insert(product.stock_quantity);
        }
        seen.len()
    };
    let both = async { futures::future::join(writing, reading).await.1 };
    let different = tokio::time::timeout(Duration::from_mins(1), both)
        .await
        .unwrap();
    assert!(different > 3, "only {different} states were seen");
}

#[tokio::test]
async fn an_incarnation_is_replaced_once() {
    let store = Embedded::new().await;
    let other = store.open_again().await;
    let (log, theirs) = (
        store.database.change_log().unwrap(),
        other.change_log().unwrap(),
    );
    let seen = log.history(1).await.unwrap().poll.incarnation;
    assert_eq!(theirs.history(1).await.unwrap().poll.incarnation, seen);
    log.replace_incarnation(seen).await.unwrap();
    let replaced = log.history(1).await.unwrap().poll.incarnation;
    assert_ne!(replaced, seen);
    // The other node saw the same proof, and comes second.
    theirs.replace_incarnation(seen).await.unwrap();
    let follower = Follower::of(&other).await;
    assert_eq!(follower.incarnation, replaced);
    assert_eq!(
        log.append(vec![forget("a")]).await.unwrap().incarnation,
        replaced
    );
}

/// What restoring a backup into the open file does to it: older rows, a lower position, and a
/// schema version that is higher than both were.
#[tokio::test]
async fn a_backup_that_is_restored_into_the_open_file_is_another_incarnation() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    follower
        .log
        .append(vec![forget("a"), forget("b")])
        .await
        .unwrap();
    let before = follower.poll().await;

    let mut foreign = store.foreign().await;
    let version = sqlx::query("PRAGMA schema_version")
        .fetch_one(&mut foreign)
        .await
        .unwrap();
    let version: i64 = version.get(0);
    let restore = format!(
        "BEGIN; DELETE FROM tingkat_change WHERE dep = 'b';
         UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'tingkat_change';
         PRAGMA schema_version = {}; INSERT INTO tingkat_change (dep) VALUES ('c'); COMMIT",
        version + 1
    );
    foreign.execute(sqlx::AssertSqlSafe(restore)).await.unwrap();
    let after = follower.poll().await;
    // The position alone would not tell.
    assert_eq!(after.position, before.position);
    assert_ne!(after.incarnation, before.incarnation);
}

#[tokio::test]
async fn a_log_that_went_back_says_so_by_its_position() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    follower
        .log
        .append(vec![forget("a"), forget("b")])
        .await
        .unwrap();
    let before = follower.poll().await.position;
    store
        .run(
            "DELETE FROM tingkat_change;
             UPDATE sqlite_sequence SET seq = seq - 2 WHERE name = 'tingkat_change'",
        )
        .await;
    let poll = follower.log.poll(&before, 100).await.unwrap();
    assert!(poll.position.xmax() < before.xmax());
}

/// Without a word from anybody: polls find out that it is due.
#[tokio::test]
async fn the_log_stays_short_and_forgets_nobody() {
    let store = Embedded::new().await;
    let mut sleeper = Follower::of(&store.database).await;
    let (mut follower, mut foreign) = (Follower::of(&store.database).await, store.foreign().await);
    for _ in 0..4 {
        let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 9000)
                    INSERT INTO tingkat_change (dep) SELECT 'dep:' || (n % 70) FROM n";
        foreign.execute(many).await.unwrap();
        assert_eq!(follower.deps().await.len(), 70);
    }
    let rows = async || {
        let mut foreign = store.foreign().await;
        let row = sqlx::query("SELECT count(*) AS rows FROM tingkat_change");
        row.fetch_one(&mut foreign)
            .await
            .unwrap()
            .get::<i64, _>("rows")
    };
    eventually(Duration::from_secs(20), || async { rows().await < 10_000 })
        .await
        .unwrap();
    assert_eq!(sleeper.deps().await.len(), 70);
    assert_eq!(follower.deps().await, [""; 0]);
}

#[tokio::test]
async fn a_text_that_is_none_does_not_stop_the_log() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    store
        .run("INSERT INTO tingkat_change (kind, dep) VALUES ('f', CAST(x'61ff62' AS text)), ('f', 'b')")
        .await;
    assert_eq!(follower.deps().await, ["a\u{fffd}b", "b"]);
    store
        .run("INSERT INTO tingkat_change (kind, dep) VALUES ('z', 'of a newer release')")
        .await;
    assert_eq!(follower.deps().await, ["*"]);
}

/// A write waits for its turn, and says so when it does not come.
#[tokio::test]
async fn a_write_that_waits_too_long_says_why() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    let mut foreign = store.foreign().await;
    let transaction = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = follower.log.append(vec![forget("a")]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to write the change log: the database file is busy"
    );
    // Polls wait for no writer.
    assert_eq!(follower.deps().await, [""; 0]);
    transaction.rollback().await.unwrap();
    follower.log.append(vec![forget("a")]).await.unwrap();
    assert_eq!(follower.deps().await, ["a"]);
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_log_usable() {
    let store = Embedded::new().await;
    let mut follower = Follower::of(&store.database).await;
    let mut foreign = store.foreign().await;
    let transaction = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let waiting = follower.log.append(vec![forget("given up")]);
    let given_up = tokio::time::timeout(Duration::from_millis(50), waiting).await;
    assert!(given_up.is_err());
    transaction.rollback().await.unwrap();
    follower.log.append(vec![forget("a")]).await.unwrap();
    // Whoever goes away while it waits has written nothing.
    assert_eq!(follower.deps().await, ["a"]);
    for micros in [0, 100, 300, 1_000, 3_000] {
        let poll = follower.log.poll(&follower.position, 10);
        // Whether it was in time does not matter.
        let _ = tokio::time::timeout(Duration::from_micros(micros), poll).await;
    }
    assert_eq!(follower.deps().await, [""; 0]);
}

#[tokio::test]
async fn a_log_that_is_closed_answers_no_more() {
    let store = Embedded::new().await;
    let follower = Follower::of(&store.database).await;
    store.database.close().await;
    follower.log.poll(&follower.position, 10).await.unwrap_err();
    follower.log.append(vec![forget("a")]).await.unwrap_err();
}
