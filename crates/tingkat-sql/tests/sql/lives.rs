//! The lives of a change log: whatever makes transaction numbers mean something else begins another.

use std::time::Duration;

use futures::future::{join, join_all};
use tingkat::error::Recovery;
use tingkat::ports::Wanted;
use tingkat_faults::{Direction, Proxy};
use tingkat_shop::product::{Product, ProductId};
use tingkat_sql::{CheckErrorKind, Coherence, Database};
use tingkat_testkit::{Postgres, eventually};

use crate::poller::{LIMIT, Poller};
use crate::stores::{Served, install, open, parsed};

const SOON: Duration = Duration::from_secs(20);

/// A server that a test may break, with a store.
async fn store(server: &Postgres) -> Database {
    server.create_database("shop").await.unwrap();
    let database = open(&server.url("shop")).await;
    install(&database).await;
    database
}

/// Polls until the server answers again, as a node does.
async fn poll_again(node: &mut Poller) -> tingkat::ports::Poll {
    let poll = eventually(SOON, async || {
        node.log.poll(&node.position, LIMIT).await.ok()
    });
    let poll = poll.await.unwrap();
    node.position = poll.position.clone();
    poll
}

fn one() -> Vec<Wanted<ProductId, Product>> {
    vec![Wanted {
        key: parsed("1"),
        known: None,
    }]
}

#[tokio::test]
async fn a_clean_restart_goes_on_with_the_same_log() {
    let server = Postgres::start().await.unwrap();
    let database = store(&server).await;
    let mut node = Poller::new(&database).await;
    let before = node.poll().await.unwrap().incarnation;
    server
        .psql_in(
            "shop",
            "UPDATE product SET stock_quantity = 0 WHERE id = '1'",
        )
        .await
        .unwrap();
    server.shut_down().await.unwrap();
    server.restart().await.unwrap();
    let poll = poll_again(&mut node).await;
    assert_eq!(poll.incarnation, before);
    assert_eq!(crate::poller::deps(&poll), ["product:1"]);
}

#[tokio::test]
async fn a_crash_begins_another_life() {
    let server = Postgres::start().await.unwrap();
    let database = store(&server).await;
    let mut node = Poller::new(&database).await;
    let mut lives = vec![node.poll().await.unwrap().incarnation];

    // One backend that dies by itself takes all others with it.
    let pid = server.psql_in(
        "shop",
        "SELECT pid FROM pg_stat_activity
        WHERE datname = 'shop' AND pid <> pg_backend_pid() LIMIT 1",
    );
    let pid = pid.await.unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid])
        .status();
    assert!(killed.unwrap().success());
    let is_recovered = async || {
        server
            .log()
            .contains("all server processes terminated; reinitializing")
    };
    eventually(SOON, is_recovered).await.unwrap();
    lives.push(poll_again(&mut node).await.incarnation);

    server.kill_immediate().await.unwrap();
    assert!(node.poll().await.is_err());
    server.restart().await.unwrap();
    lives.push(poll_again(&mut node).await.incarnation);

    assert!(
        lives[0] != lives[1] && lives[1] != lives[2] && lives[0] != lives[2],
        "{lives:?}"
    );
    // Loads are of the same life as polls.
    let batch = database.sources().products.load(&one()).await.unwrap();
    assert_eq!(batch.certificate.unwrap().incarnation, lives[2]);
}

/// After a crash it may be a load that finds the log empty.
#[tokio::test]
async fn a_load_gives_an_empty_log_its_life() {
    let store = Served::new().await;
    store
        .server
        .psql("TRUNCATE tingkat.state, tingkat.change")
        .await
        .unwrap();
    let products = store.database.sources().products;
    let batch = products.load(&one()).await.unwrap();
    let mut node = Poller::new(&store.database).await;
    assert_eq!(
        batch.certificate.unwrap().incarnation,
        node.poll().await.unwrap().incarnation
    );
}

#[tokio::test]
async fn nodes_that_find_an_empty_log_together_agree() {
    let store = Served::new().await;
    store
        .server
        .psql("TRUNCATE tingkat.state, tingkat.change")
        .await
        .unwrap();
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(open(&store.server.url()).await);
    }
    let lives = join_all(nodes.iter().map(async |node| {
        let history = node.change_log().unwrap().history(LIMIT).await.unwrap();
        history.poll.incarnation
    }));
    let lives = lives.await;
    assert!(lives.iter().all(|life| *life == lives[0]), "{lives:?}");
}

#[tokio::test]
async fn a_standby_is_refused_by_name_and_a_promoted_one_begins_another_life() {
    let primary = Postgres::start().await.unwrap();
    let on_primary = store(&primary).await;
    let mut node = Poller::new(&on_primary).await;
    let before = node.poll().await.unwrap().incarnation;
    let standby = primary.standby().await.unwrap();
    let database = open(&standby.url("shop")).await;
    let caught_up = async || {
        let sql = "SELECT count(*) FROM product";
        standby
            .psql_in("shop", sql)
            .await
            .is_ok_and(|count| count == "1958")
    };
    eventually(SOON, caught_up).await.unwrap();

    let named = format!("the database at 127.0.0.1:{} is a standby", standby.port());
    let log = database.change_log().unwrap();
    let error = log.history(LIMIT).await.unwrap_err();
    assert_eq!(error.recovery(), Recovery::Reconnect);
    assert!(error.to_string().starts_with(&named), "{error}");
    let products = database.sources().products;
    let error = products.load(&one()).await.unwrap_err();
    assert_eq!(error.recovery(), Recovery::Reconnect);
    assert!(error.to_string().starts_with(&named), "{error}");
    let error = database.coherence().await.unwrap_err();
    assert_eq!(error.kind(), CheckErrorKind::Standby);
    assert!(error.to_string().starts_with(&named), "{error}");
    // It was dropped: a name that moves to the primary is resolved again.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tingkat'
        AND query LIKE '%tingkat.state%'";
    eventually(SOON, async || standby.psql(sessions).await.unwrap() == "0")
        .await
        .unwrap();
    // Where freshness is by time alone, a standby is as good.
    let plain = database.without_change_log().sources().products;
    assert_eq!(plain.load(&one()).await.unwrap().certificate, None);

    primary.kill_immediate().await.unwrap();
    standby.promote().await.unwrap();
    let mut node = Poller::new(&database).await;
    let after = node.poll().await.unwrap().incarnation;
    assert_ne!(before, after);
    assert_eq!(
        products
            .load(&one())
            .await
            .unwrap()
            .certificate
            .unwrap()
            .incarnation,
        after
    );
    assert_eq!(database.coherence().await.unwrap(), Coherence::Whole);
}

#[tokio::test]
async fn a_copy_of_a_database_is_another_log() {
    let server = Postgres::start().await.unwrap();
    let database = store(&server).await;
    let mut node = Poller::new(&database).await;
    let original = node.poll().await.unwrap().incarnation;
    database.close().await;
    server
        .psql("CREATE DATABASE copy TEMPLATE shop")
        .await
        .unwrap();
    let uuid = "SELECT incarnation FROM tingkat.state";
    let (one, other) = join(server.psql_in("shop", uuid), server.psql_in("copy", uuid)).await;
    assert_eq!(one.unwrap(), other.unwrap());
    let copy = open(&server.url("copy")).await;
    let mut node = Poller::new(&copy).await;
    assert_ne!(node.poll().await.unwrap().incarnation, original);
}

/// A dump carries the rows of its log to a server that has not given out their numbers yet.
#[tokio::test]
async fn a_log_that_tells_of_the_future_begins_another_life() {
    const RESTORED: [&str; 3] = [
        "INSERT INTO tingkat.change (xid, kind, dep) VALUES ('4000000000', 'f', 'product:1')",
        "INSERT INTO tingkat.change_old (max_xid, kind, dep) VALUES ('4000000000', 'f', 'product:1')",
        "UPDATE tingkat.state SET floor = '4000000000:4000000000:'",
    ];
    for restored in RESTORED {
        let store = Served::new().await;
        let mut node = Poller::new(&store.database).await;
        let before = node.poll().await.unwrap().incarnation;
        store.server.psql(restored).await.unwrap();
        let history = node.history().await;
        assert_ne!(history.poll.incarnation, before, "{restored}");
        assert!(
            history.poll.changes.is_empty() && history.compacted.is_empty(),
            "{restored}"
        );
        assert_eq!(history.poll.floor, None);
        assert_eq!(
            node.poll().await.unwrap().incarnation,
            history.poll.incarnation
        );
    }
}

#[tokio::test]
async fn an_incarnation_is_replaced_once() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    store
        .server
        .psql("SELECT tingkat.forget(ARRAY['a'])")
        .await
        .unwrap();
    let first = node.poll().await.unwrap().incarnation;
    node.log.replace_incarnation(first).await.unwrap();
    let second = node.poll().await.unwrap().incarnation;
    assert_ne!(first, second);
    assert!(node.history().await.poll.changes.is_empty());
    // A node that comes late has seen the first one, too.
    node.log.replace_incarnation(first).await.unwrap();
    assert_eq!(node.poll().await.unwrap().incarnation, second);
}

/// The address that the store is reached at moves from a primary to its standby, first too early.
#[tokio::test]
async fn a_failover_is_followed_by_the_same_node() {
    let primary = Postgres::start().await.unwrap();
    let on_primary = store(&primary).await;
    let standby = primary.standby().await.unwrap();
    let caught_up = async || {
        let sql = "SELECT count(*) FROM tingkat.change_old";
        let error = standby.psql_in("shop", sql).await.unwrap_err();
        error.to_string().contains("during recovery")
    };
    eventually(SOON, caught_up).await.unwrap();
    on_primary.close().await;

    let address = Proxy::start(primary.addr()).await.unwrap();
    let at = address.control().addr();
    let database = open(&primary.url_at(at.port(), "shop")).await;
    let products = database.sources().products;
    let mut node = Poller::new(&database).await;
    let first = node.poll().await.unwrap().incarnation;
    products.load(&one()).await.unwrap();

    address.stop().await;
    primary.kill_immediate().await.unwrap();
    let address = Proxy::bind(at, standby.addr()).await.unwrap();
    let says_standby = async || {
        let error = node.log.poll(&node.position, LIMIT).await.unwrap_err();
        error.to_string().contains("is a standby").then_some(error)
    };
    eventually(SOON, says_standby).await.unwrap();
    let refused = async || {
        let error = products.load(&one()).await.unwrap_err();
        error.to_string().contains("is a standby")
    };
    eventually(SOON, refused).await.unwrap();

    standby.promote().await.unwrap();
    let poll = poll_again(&mut node).await;
    assert_ne!(poll.incarnation, first);
    let batch = products.load(&one()).await.unwrap();
    assert_eq!(batch.certificate.unwrap().incarnation, poll.incarnation);
    drop(address);
}

/// A connection that went dead without a word, and one that is refused for a while.
#[tokio::test]
async fn the_feed_comes_back_by_itself() {
    let store = Served::new().await;
    let proxy = Proxy::start(store.server.server().addr()).await.unwrap();
    let control = proxy.control();
    let url = store.server.url();
    let direct = format!(":{}/", store.server.server().port());
    let url = url.replace(&direct, &format!(":{}/", control.addr().port()));
    let database = open(&url).await;
    let mut node = Poller::new(&database).await;

    // The engine gives a poll up after its bound, by dropping it.
    control.pause(Direction::Down);
    let given_up = tokio::time::timeout(Duration::from_millis(300), node.poll()).await;
    assert!(given_up.is_err());
    control.heal().await.unwrap();
    let forget = "SELECT tingkat.forget(ARRAY['a'])";
    store.server.psql(forget).await.unwrap();
    let poll = poll_again(&mut node).await;
    assert_eq!(crate::poller::deps(&poll), ["a"]);

    control.refuse().await.unwrap();
    control.sever().await;
    for _ in 0..5 {
        let error = node.poll().await.unwrap_err();
        assert_eq!(error.recovery(), Recovery::Reconnect);
    }
    store.server.psql(forget).await.unwrap();
    control.heal().await.unwrap();
    let poll = poll_again(&mut node).await;
    assert_eq!(crate::poller::deps(&poll), ["a"]);
}
