use axum::http::{Request, StatusCode};
use insta::assert_snapshot;
use std::time::Duration;

use tingkat_health::{DataState, Observed, RedisState, SourceState};

use crate::store::{Mood, Store};
use crate::tracked::Shared;

fn down() -> SourceState {
    SourceState::Down {
        why: "connection refused".into(),
        since_ms: 1_777_636_800_000,
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_is_alive_whatever_its_neighbours_do() {
    let store = Store::new();
    store.database.set(Mood::Hangs);
    store.observed.send_replace(Observed {
        source: down(),
        draining: true,
        ..Observed::default()
    });
    assert_snapshot!(store.get("/livez").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 18
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"alive"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_node_with_nothing_missing_is_ready() {
    let store = Store::new();
    assert_snapshot!(store.get("/readyz").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 86
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"ready","source":"up","redis":"off","data":"whole","feed":null,"reasons":[]}
    "#);
}

#[tokio::test(start_paused = true)]
async fn without_redis_or_the_database_it_is_ready_and_degraded() {
    let store = Store::new();
    store.observed.send_modify(|observed| {
        observed.redis = RedisState::Down {
            why: "timed out".into(),
        };
    });
    assert_snapshot!(store.get("/readyz").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 116
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"degraded","source":"up","redis":"down","data":"whole","feed":null,"reasons":["redis is down: timed out"]}
    "#);
    store
        .observed
        .send_modify(|observed| observed.source = down());
    assert_snapshot!(store.get("/readyz").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 190
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"degraded","source":"down","redis":"down","data":"whole","feed":null,"reasons":["the database is down, answers come from the cache: connection refused","redis is down: timed out"]}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_never_reached_the_database_is_not_ready() {
    let store = Store::new();
    store.observed.send_replace(Observed {
        source: down(),
        ..Observed::default()
    });
    assert_snapshot!(store.get("/readyz").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 151
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"not_ready","source":"down","redis":"off","data":"unknown","feed":null,"reasons":["the database has never been reached: connection refused"]}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_is_not_ready() {
    let store = Store::new();
    store
        .observed
        .send_modify(|observed| observed.draining = true);
    assert_snapshot!(store.get("/readyz").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 111
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"draining","source":"up","redis":"off","data":"whole","feed":null,"reasons":["the node is stopping"]}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_node_tells_how_far_it_follows_the_log() {
    let shared = Shared::new();
    let log = shared.log.log();
    let store = shared.store_with(log.clone(), Duration::from_millis(100), |_| ());
    store.get("/v1/products/1").await;
    assert_snapshot!(store.body("/readyz").await, @r#"{"status":"ready","source":"up","redis":"off","data":"whole","feed":{"incarnation":"98eb00285d2bfaf55b6f90b72df1f939","poll_age_ms":0,"bound_ms":300,"anchored":true},"reasons":[]}"#);
    log.switch.cut();
    tokio::time::sleep(Duration::from_secs(5)).await;
    store.observed.send_modify(|observed| {
        observed.feed_is_adrift = true;
        observed.data = DataState::Critical {
            reasons: vec!["no triggers on product".to_owned()],
        };
    });
    assert_snapshot!(store.get("/readyz").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 289
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"degraded","source":"up","redis":"off","data":"critical","feed":{"incarnation":"98eb00285d2bfaf55b6f90b72df1f939","poll_age_ms":5000,"bound_ms":300,"anchored":false},"reasons":["the change log does not answer: answers are marked stale","data is at risk: no triggers on product"]}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_probe_ignores_its_query() {
    let store = Store::new();
    for uri in ["/livez?verbose", "/readyz?verbose=1&x"] {
        assert_eq!(
            store.send(Request::get(uri)).await.status(),
            StatusCode::OK,
            "{uri}"
        );
    }
}
