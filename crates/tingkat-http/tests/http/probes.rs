use axum::http::{Request, StatusCode};
use insta::assert_snapshot;
use tingkat_health::{Observed, RedisState, SourceState};

use crate::store::{Mood, Store};

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
    content-length: 59
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"ready","source":"up","redis":"off","reasons":[]}
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
    content-length: 89
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"degraded","source":"up","redis":"down","reasons":["redis is down: timed out"]}
    "#);
    store
        .observed
        .send_modify(|observed| observed.source = down());
    assert_snapshot!(store.get("/readyz").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 163
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"degraded","source":"down","redis":"down","reasons":["the database is down, answers come from the cache: connection refused","redis is down: timed out"]}
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
    content-length: 122
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"not_ready","source":"down","redis":"off","reasons":["the database has never been reached: connection refused"]}
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
    content-length: 84
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"draining","source":"up","redis":"off","reasons":["the node is stopping"]}
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
