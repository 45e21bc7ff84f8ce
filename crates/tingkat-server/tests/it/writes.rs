//! Writes through one process, and what the others see of them.

use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_testkit::{Redis, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::{TOKENS, get, patch};

/// A node that polls so seldom that nothing but a hint or a question tells it sooner.
async fn sleepy(database: &str, redis: &str) -> Node {
    let program = Program::serve(&Folder::new())
        .with("DATABASE_URL", database)
        .with("REDIS_URL", redis)
        .with("REDIS_KEY_PREFIX", "it:writes:")
        .with("TINGKAT__SERVER__TOKENS", TOKENS)
        .with("TINGKAT__FEED__POLL_INTERVAL", "5s")
        .with("TINGKAT__FEED__STALENESS_BOUND", "20s");
    let node = program.listening().await;
    eventually(PATIENCE, async || {
        node.readiness().await.1["feed"]["anchored"] == true
    })
    .await
    .unwrap();
    node
}

async fn stock(node: &Node, headers: &str) -> i64 {
    let reply = get(node, "/v1/products/7", headers).await;
    reply.body["stock_quantity"].as_i64().unwrap()
}

#[tokio::test]
async fn a_write_is_read_at_once_here_and_by_its_token_elsewhere() {
    let database = installed().await;
    let url = database.url();
    let (first, second) = (sleepy(&url, "off").await, sleepy(&url, "off").await);
    let before = stock(&second, "").await;
    let version = get(&first, "/v1/products/7", "").await.body["version"].clone();

    let reply = patch(
        &first,
        "7",
        &format!(r#"{{"stock":4711,"version":{version}}}"#),
    )
    .await;
    assert_eq!(
        (reply.status, &reply.body["stock_quantity"]),
        (200, &4711.into())
    );
    let token = reply.header("tingkat-position").unwrap().to_owned();
    assert_eq!(stock(&first, "").await, 4711);
    assert_eq!(stock(&second, "").await, before, "nobody told it");
    assert_eq!(
        stock(&second, &format!("tingkat-position: {token}\r\n")).await,
        4711
    );
    let conflict = patch(
        &first,
        "7",
        &format!(r#"{{"stock":1,"version":{version}}}"#),
    )
    .await;
    assert_eq!(
        (conflict.status, &conflict.body["code"]),
        (409, &"version_conflict".into())
    );

    // A program of the store's own, which takes the number in its transaction.
    let sql = "BEGIN; UPDATE product SET stock_quantity = 4712 WHERE id = '7'; \
               SELECT pg_current_xact_id(); COMMIT";
    let printed = database.psql(sql).await.unwrap();
    let xid = printed
        .lines()
        .find(|it| it.parse::<u64>().is_ok())
        .unwrap();
    let token = format!("tingkat-position: {xid}\r\n");
    assert_eq!(stock(&second, &token).await, 4712);
    assert_eq!(stock(&first, "cache-control: no-cache\r\n").await, 4712);
}

#[tokio::test]
async fn a_hint_tells_other_nodes_long_before_they_would_poll() {
    let (database, redis) = (installed().await, Redis::start().await.unwrap());
    let url = database.url();
    let first = sleepy(&url, &redis.url()).await;
    let second = sleepy(&url, &redis.url()).await;
    for node in [&first, &second] {
        node.sees("redis", "up").await;
    }
    eventually(PATIENCE, async || {
        let subscribers = redis.cmd(&["PUBSUB", "NUMSUB", "it:writes:hint"]).await;
        subscribers.unwrap().items()[1].int() == Some(2)
    })
    .await
    .unwrap();
    for quantity in [4001, 4002, 4003] {
        stock(&second, "").await;
        let body = format!(r#"{{"stock":{quantity}}}"#);
        assert_eq!(patch(&first, "7", &body).await.status, 200);
        let since = SystemClock.now();
        eventually(PATIENCE, async || stock(&second, "").await == quantity)
            .await
            .unwrap();
        let took = SystemClock.now().since(since);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[tokio::test]
async fn the_embedded_store_is_written_too() {
    let program = Program::serve(&Folder::new()).with("TINGKAT__SERVER__TOKENS", TOKENS);
    let node = program.listening().await;
    let reply = patch(&node, "7", r#"{"stock_delta":1000}"#).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let token = reply.header("tingkat-position").unwrap();
    let seen = stock(&node, &format!("tingkat-position: {token}\r\n")).await;
    assert_eq!(reply.body["stock_quantity"], seen);
}

#[tokio::test]
async fn a_developer_is_given_a_token_outside_the_log_and_production_none() {
    let node = Node::alone().await;
    let printed = node.process.output("stdout");
    let token = printed.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(token.len(), 32, "{printed}");
    assert!(!node.process.log().contains(&token));
    let refused = patch(&node, "7", r#"{"stock":1}"#).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (401, &"token_required".into())
    );

    let program = Program::serve(&Folder::new())
        .with("TINGKAT_ENV", "production")
        .with("TINGKAT__SERVER__ADMIN_LISTEN", "off")
        .with("TINGKAT__ALLOW", "embedded-database,tokens-unset");
    let node = program.listening().await;
    assert_eq!(node.process.output("stdout"), "");
    let refused = patch(&node, "7", r#"{"stock":1}"#).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &"tokens_unset".into())
    );
}
