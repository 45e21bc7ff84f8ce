use axum::http::{Request, StatusCode};
use insta::assert_snapshot;
use std::sync::Arc;
use std::time::Duration;

use tingkat_health::{DataState, Neighbour, Observed, RedisState, SourceState};
use tingkat_http::Heartbeat;
use tokio_util::task::TaskTracker;

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
async fn a_node_whose_tasks_do_not_run_is_to_be_restarted() {
    let heartbeat = Heartbeat::default();
    let mut clock = None;
    let store = Store::with(|app| {
        app.heartbeat = heartbeat.clone();
        clock = Some(Arc::clone(&app.clock));
    });
    let beating = TaskTracker::new().spawn(heartbeat.keep(clock.unwrap()));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(store.get("/livez").await.starts_with("200"));
    let verbose = store.body("/livez?verbose").await;
    assert!(verbose.contains("\"heartbeat_age_ms\":"), "{verbose}");
    beating.abort();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(store.get("/livez").await.starts_with("200"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_snapshot!(store.get("/livez").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 18
    content-type: application/json
    x-content-type-options: nosniff

    {"status":"stuck"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_what_is_insisted_on_takes_no_requests() {
    let store = Store::new();
    store.observed.send_modify(|observed| {
        observed.redis = RedisState::Connecting;
        observed.required = vec![Neighbour::Redis, Neighbour::Source];
    });
    let answer = store.get("/readyz").await;
    assert!(answer.starts_with("503"), "{answer}");
    assert!(answer.contains(r#""status":"not_ready""#), "{answer}");
    let why =
        r#""reasons":["readiness.require insists on redis","redis has not been reached yet"]"#;
    assert!(answer.contains(why), "{answer}");
    store
        .observed
        .send_modify(|observed| observed.redis = RedisState::Up);
    assert!(store.get("/readyz").await.starts_with("200"));
}

#[tokio::test(start_paused = true)]
async fn a_person_is_told_more() {
    let store = Store::new();
    store
        .observed
        .send_modify(|observed| observed.required = vec![Neighbour::Source]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told: serde_json::Value =
        serde_json::from_str(&store.body("/readyz?verbose").await).unwrap();
    let check = |id: &str, ok: bool, required: bool| serde_json::json!({ "id": id, "ok": ok, "required": required });
    let checks = [
        check("source", true, true),
        check("redis", true, false),
        check("feed", true, false),
        check("data", true, false),
    ];
    assert_eq!(told["checks"], serde_json::json!(checks));
    assert_eq!(told["status"], "ready");
    assert_eq!(told["node"], store.node.id());
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["uptime_ms"], 3_000);
    assert_eq!(told["requests_in_flight"], 1);
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
