//! Following the change log: every committed change once, whatever order transactions end in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tingkat::certificate::{Change, ChangeKind, Dep, Position};
use tingkat::ports::{Batch, Found, Wanted};
use tingkat_shop::product::{Product, ProductId};

use crate::poller::{LIMIT, Poller, deps};
use crate::stores::{Served, parsed};

async fn connect(store: &Served) -> PgConnection {
    PgConnection::connect(&store.server.url()).await.unwrap()
}

fn stock_in(batch: &Batch<Product>) -> i64 {
    let Found::Value(product) = &batch.loaded[0].found else {
        panic!("{batch:?}")
    };
    product.stock_quantity
}

fn stock_of(id: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '{id}'"
    ))
}

#[tokio::test]
async fn a_change_is_told_when_it_is_committed_and_once() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let (mut one, mut other) = (connect(&store).await, connect(&store).await);

    let mut first = one.begin().await.unwrap();
    first.execute(stock_of("1")).await.unwrap();
    let mut second = other.begin().await.unwrap();
    second.execute(stock_of("2")).await.unwrap();
    assert_eq!(node.news().await, [""; 0]);
    // The later number commits first.
    second.commit().await.unwrap();
    assert_eq!(node.news().await, ["product:2"]);
    assert_eq!(node.news().await, [""; 0]);
    first.commit().await.unwrap();
    assert_eq!(node.news().await, ["product:1"]);
    assert_eq!(node.news().await, [""; 0]);
}

#[tokio::test]
async fn what_is_rolled_back_is_never_told() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let mut writer = connect(&store).await;
    let sql = "BEGIN; UPDATE product SET stock_quantity = 0 WHERE id = '1'; ROLLBACK;
        BEGIN; UPDATE product SET stock_quantity = 0 WHERE id = '2';
        SAVEPOINT s; UPDATE product SET stock_quantity = 0 WHERE id = '3'; ROLLBACK TO s;
        SAVEPOINT t; UPDATE product SET stock_quantity = 0 WHERE id = '4'; RELEASE t; COMMIT";
    writer.execute(sql).await.unwrap();
    let poll = node.poll().await.unwrap();
    assert_eq!(deps(&poll), ["product:2", "product:4"]);
    // A savepoint has no number of its own in the log.
    assert_eq!(poll.changes[0].0, poll.changes[1].0);
}

#[tokio::test]
async fn a_prepared_transaction_is_told_when_it_is_committed() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let name = store.server.name();
    let prepare = format!(
        "BEGIN; UPDATE product SET stock_quantity = 0 WHERE id = '1';
        PREPARE TRANSACTION '{name}'"
    );
    store.server.psql(&prepare).await.unwrap();
    store
        .server
        .psql("UPDATE product SET stock_quantity = 0 WHERE id = '2'")
        .await
        .unwrap();
    assert_eq!(node.news().await, ["product:2"]);
    store
        .server
        .psql(&format!("COMMIT PREPARED '{name}'"))
        .await
        .unwrap();
    assert_eq!(node.news().await, ["product:1"]);
}

#[tokio::test]
async fn a_long_write_transaction_holds_nobody_up() {
    let store = Served::new().await;
    let mut writer = connect(&store).await;
    let mut long = writer.begin().await.unwrap();
    long.execute(stock_of("1")).await.unwrap();
    let mut node = Poller::new(&store.database).await;
    for _ in 0..20 {
        store
            .server
            .psql("UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '2'")
            .await
            .unwrap();
        assert_eq!(node.news().await, ["product:2"]);
    }
    long.commit().await.unwrap();
    assert_eq!(node.news().await, ["product:1"]);
}

/// Sixteen writers whose transactions cross, a tenth of them rolled back, and a poll in between.
#[tokio::test]
async fn of_crossing_transactions_nothing_is_missed_and_nothing_doubled() {
    const WRITERS: u32 = 16;
    const TRANSACTIONS: u32 = 60;
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let is_done = Arc::new(AtomicBool::new(false));
    let mut long = connect(&store).await;
    let mut open = long.begin().await.unwrap();
    open.execute("SELECT tingkat.forget(ARRAY['long'])")
        .await
        .unwrap();

    let write = |writer: u32| {
        let store = &store;
        async move {
            let mut connection = connect(store).await;
            for number in 0..TRANSACTIONS {
                let mut transaction = connection.begin().await.unwrap();
                let forget = |part: &str| {
                    sqlx::AssertSqlSafe(format!(
                        "SELECT tingkat.forget(ARRAY['{writer}:{number}:{part}'])"
                    ))
                };
                transaction.execute(forget("a")).await.unwrap();
                // Others take numbers and commit meanwhile.
                tokio::task::yield_now().await;
                transaction.execute(forget("b")).await.unwrap();
                if (writer + number).is_multiple_of(10) {
                    transaction.rollback().await.unwrap();
                } else {
                    transaction.commit().await.unwrap();
                }
            }
        }
    };
    let mut seen: BTreeMap<(u64, String), u32> = BTreeMap::new();
    let mut polls = 0;
    let polling = async {
        loop {
            let is_last = is_done.load(Ordering::SeqCst);
            let poll = node.poll().await.unwrap();
            polls += 1;
            for (xid, change) in poll.changes {
                assert!(poll.position.covers(xid));
                *seen.entry((xid, change.dep.name().to_owned())).or_default() += 1;
            }
            if is_last {
                break;
            }
        }
    };
    let writing = async {
        join_all((0..WRITERS).map(write)).await;
        open.commit().await.unwrap();
        is_done.store(true, Ordering::SeqCst);
    };
    tokio::join!(polling, writing);

    let count = "SELECT count(*) FROM tingkat.change";
    let committed: usize = store.server.psql(count).await.unwrap().parse().unwrap();
    assert!(committed > 1_600, "{committed}");
    assert_eq!(seen.len(), committed, "after {polls} polls");
    assert!(seen.values().all(|times| *times == 1));
    assert!(polls > 20, "{polls} polls");
}

#[tokio::test]
async fn more_changes_than_the_limit_are_an_overflow() {
    let store = Served::new().await;
    let node = Poller::new(&store.database).await;
    let forget = "SELECT tingkat.forget(ARRAY['a', 'b', 'c'])";
    store.server.psql(forget).await.unwrap();
    let all = node.log.poll(&node.position, 3).await.unwrap();
    assert!(!all.overflow);
    assert_eq!(deps(&all), ["a", "b", "c"]);
    assert!(node.log.poll(&node.position, 2).await.unwrap().overflow);
}

/// What counts in a history are the names that a node has to remember, as often as they changed.
#[tokio::test]
async fn more_deps_than_the_limit_are_too_long_a_history() {
    let store = Served::new().await;
    let node = Poller::new(&store.database).await;
    let forget = "SELECT tingkat.forget(ARRAY['a', 'b', 'c'])";
    for _ in 0..2 {
        store.server.psql(forget).await.unwrap();
    }
    let history = node.log.history(3).await.unwrap();
    assert!(!history.poll.overflow);
    assert_eq!(deps(&history.poll), ["a", "a", "b", "b", "c", "c"]);
    let history = node.log.history(2).await.unwrap();
    assert!(history.poll.overflow && history.poll.changes.is_empty());
    // Compacted ones are the same deps.
    let fold = "SELECT tingkat.compact(interval '0', 500000);
        INSERT INTO tingkat.tick (snapshot) SELECT pg_current_snapshot();
        SELECT tingkat.compact(interval '0', 500000)";
    store.server.psql(fold).await.unwrap();
    store.server.psql(forget).await.unwrap();
    let history = node.log.history(3).await.unwrap();
    assert!(!history.poll.overflow);
    assert_eq!(
        (history.poll.changes.len(), history.compacted.len()),
        (3, 3)
    );
    let history = node.log.history(2).await.unwrap();
    assert!(history.poll.overflow && history.compacted.is_empty());
    // What a node would have to read is bounded as well.
    for _ in 0..2 {
        store.server.psql(forget).await.unwrap();
    }
    assert!(node.log.history(3).await.unwrap().poll.overflow);
}

#[tokio::test]
async fn what_a_node_appends_is_told_to_others_with_its_kind() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let changes: Vec<Change> = [
        ("zone:east", ChangeKind::Forget),
        ("zone:east", ChangeKind::Expire),
        (r#"city:O'Brien "x" \ é"#, ChangeKind::Forget),
        ("postcode:50*", ChangeKind::Pattern),
    ]
    .map(|(dep, kind)| Change {
        dep: Dep::new(dep),
        kind,
    })
    .into();
    let written = node.log.append(changes.clone()).await.unwrap();
    let poll = node.poll().await.unwrap();
    assert_eq!(poll.incarnation, written.incarnation);
    assert_eq!(poll.changes.len(), changes.len());
    for change in changes {
        assert!(poll.changes.contains(&(written.xid, change)));
    }
    assert!(poll.position.covers(written.xid));
}

#[tokio::test]
async fn a_load_is_certified_by_its_own_snapshot() {
    let store = Served::new().await;
    let products = store.database.sources().products;
    assert!(products.certifies());
    let wanted: Vec<Wanted<ProductId, Product>> = vec![Wanted {
        key: parsed("1"),
        known: None,
    }];
    let mut node = Poller::new(&store.database).await;
    let before = products.load(&wanted).await.unwrap();

    let mut writer = connect(&store).await;
    let mut transaction = writer.begin().await.unwrap();
    transaction.execute(stock_of("1")).await.unwrap();
    let during = products.load(&wanted).await.unwrap();
    transaction.commit().await.unwrap();
    let after = products.load(&wanted).await.unwrap();

    let poll = node.poll().await.unwrap();
    let [(xid, _)] = poll.changes[..] else {
        panic!("{poll:?}")
    };
    let covers = |batch: &Batch<Product>| {
        let certificate = batch.certificate.as_ref().unwrap();
        assert_eq!(certificate.incarnation, poll.incarnation);
        certificate.position.covers(xid)
    };
    assert_eq!(
        (covers(&before), covers(&during), covers(&after)),
        (false, false, true)
    );
    assert_eq!(stock_in(&before), stock_in(&during));
    assert_eq!(stock_in(&before) + 1, stock_in(&after));
}

/// What a load shows and what it is certified for are of one instant: a writer counts a product up
/// and the log tells which count each transaction wrote.
#[tokio::test]
async fn no_load_shows_less_than_its_certificate_says() {
    let store = Served::new().await;
    let products = store.database.sources().products;
    store
        .server
        .psql("UPDATE product SET stock_quantity = 0 WHERE id = '1'")
        .await
        .unwrap();
    let mut node = Poller::new(&store.database).await;
    let is_done = AtomicBool::new(false);
    let writing = async {
        let mut connection = connect(&store).await;
        for _ in 0..300 {
            connection.execute(stock_of("1")).await.unwrap();
        }
        is_done.store(true, Ordering::SeqCst);
    };
    let loading = async {
        let mut loads: Vec<(Position, i64)> = Vec::new();
        while !is_done.load(Ordering::SeqCst) {
            let wanted = [Wanted {
                key: parsed("1"),
                known: None,
            }];
            let batch = products.load(&wanted).await.unwrap();
            let stock = stock_in(&batch);
            loads.push((batch.certificate.unwrap().position, stock));
        }
        loads
    };
    let ((), loads) = tokio::join!(writing, loading);
    let poll = node.log.poll(&node.position, LIMIT).await.unwrap();
    node.position = poll.position.clone();
    let counts = |position: &Position| {
        let seen = poll.changes.iter().filter(|(xid, _)| position.covers(*xid));
        i64::try_from(seen.count()).unwrap()
    };
    assert!(loads.len() > 20, "{} loads", loads.len());
    for (position, stock) in &loads {
        assert_eq!(*stock, counts(position), "{position}");
    }
}

#[tokio::test]
async fn without_a_log_loads_are_not_certified() {
    let store = Served::empty().await;
    tingkat_sql::install_demo(&store.database).await.unwrap();
    let plain = store.database.without_change_log();
    assert!(plain.change_log().is_none());
    let products = plain.sources().products;
    assert!(!products.certifies());
    let wanted = [Wanted {
        key: parsed("1"),
        known: None,
    }];
    assert_eq!(products.load(&wanted).await.unwrap().certificate, None);

    // With one expected, what is missing is named.
    let error = store
        .database
        .sources()
        .products
        .load(&wanted)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("`tingkat schema install`"),
        "{error}"
    );
    let error = store
        .database
        .change_log()
        .unwrap()
        .history(LIMIT)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("`tingkat schema install`"),
        "{error}"
    );
}

#[tokio::test]
async fn following_costs_one_statement_a_poll() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    store
        .server
        .psql("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")
        .await
        .unwrap();
    for _ in 0..10 {
        node.poll().await.unwrap();
    }
    let sql = "SELECT sum(calls) FROM pg_stat_statements WHERE toplevel AND query NOT LIKE '%pg_stat_statements%'
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(store.server.psql(sql).await.unwrap(), "10");
}
