//! How current an answer a request asks for.

use axum::http::{Request, StatusCode};
use insta::assert_snapshot;

use crate::store::{Store, shown, text};
use crate::tracked::Shared;

async fn stock(store: &Store, headers: &[(&str, &str)]) -> i64 {
    let body = ask(store, "/v1/products/3", headers).await;
    let body: serde_json::Value = serde_json::from_str(&text(body).await).unwrap();
    body.get("stock_quantity").unwrap().as_i64().unwrap()
}

async fn ask(
    store: &Store,
    uri: &str,
    headers: &[(&str, &str)],
) -> axum::http::Response<axum::body::Body> {
    let request = headers
        .iter()
        .fold(Request::get(uri), |request, (name, value)| {
            request.header(*name, *value)
        });
    store.send(request).await
}

#[tokio::test(start_paused = true)]
async fn who_brings_the_token_of_a_write_reads_it() {
    let shared = Shared::new();
    let (store, _log) = shared.sleepy();
    assert_eq!(stock(&store, &[]).await, 0);
    let written = shared.write_past("3", 5);
    assert_eq!(stock(&store, &[]).await, 0, "nothing was heard of it");
    let other_life = format!("{}:{}", "0".repeat(32), written.xid);
    let token = ("tingkat-position", &*other_life);
    assert_eq!(stock(&store, &[token]).await, 0, "it means nothing here");
    let bare = written.xid.to_string();
    assert_eq!(stock(&store, &[("tingkat-position", &bare)]).await, 5);

    let written = shared.write_past("3", 6);
    let whole = format!("{}:{}", written.incarnation, written.xid);
    for uri in ["?sku=PLATE", "?slug=plate", "?ids=3"] {
        let uri = format!("/v1/products{uri}");
        let answer = ask(&store, &uri, &[("tingkat-position", &whole)]).await;
        assert!(text(answer).await.contains("\"stock_quantity\":6"), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_needs_the_log_only_if_the_node_is_behind_it() {
    let shared = Shared::new();
    let (store, log) = shared.sleepy();
    let old = shared.write_past("3", 5).xid.to_string();
    stock(&store, &[("tingkat-position", &old)]).await;
    log.switch.cut();
    assert_eq!(stock(&store, &[("tingkat-position", &old)]).await, 5);
    let new = shared.write_past("3", 6).xid.to_string();
    let answer = ask(&store, "/v1/products/3", &[("tingkat-position", &new)]).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn no_cache_asks_the_log_and_not_the_database() {
    let shared = Shared::new();
    let (store, log) = shared.sleepy();
    stock(&store, &[]).await;
    let loads = store.database.loads();
    for directive in ["no-cache", "max-age=0", "max-age=1"] {
        shared.log.write("category", directive, 1);
        let polls = log.switch.calls();
        assert_eq!(stock(&store, &[("cache-control", directive)]).await, 0);
        assert!(log.switch.calls() > polls, "{directive}");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    assert_eq!(store.database.loads(), loads);
    shared.write_past("3", 7);
    assert_eq!(stock(&store, &[("cache-control", "max-age=3600")]).await, 0);
    assert_eq!(stock(&store, &[("cache-control", "no-cache")]).await, 7);
    assert_eq!(store.database.loads(), loads + 1);
}

#[tokio::test(start_paused = true)]
async fn who_insists_on_a_current_answer_is_told_when_there_is_none() {
    let shared = Shared::new();
    let (store, log) = shared.sleepy();
    stock(&store, &[]).await;
    log.switch.cut();
    let answer = ask(&store, "/v1/products/3", &[("cache-control", "no-cache")]).await;
    assert_snapshot!(shown(answer).await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 170
    content-type: application/problem+json
    retry-after: 1
    x-content-type-options: nosniff

    {"type":"/problems#not_current","title":"The answer is not known to be current","status":503,"detail":"the cached answer is not known to be current","code":"not_current"}
    "#);
    assert_eq!(stock(&store, &[]).await, 0, "others are answered");
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_loads_nothing() {
    let shared = Shared::new();
    let (store, _log) = shared.sleepy();
    let only = [("cache-control", "only-if-cached")];
    for uri in [
        "/v1/products/3",
        "/v1/postcodes/50450",
        "/v1/states",
        "/v1/products?sku=PLATE",
    ] {
        let answer = ask(&store, uri, &only).await;
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT, "{uri}");
        assert!(text(answer).await.contains("\"not_cached\""));
    }
    assert_eq!(store.database.loads(), 0);
    stock(&store, &[]).await;
    assert_eq!(stock(&store, &only).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_none_is_explained() {
    let store = Store::new();
    let answer = ask(
        &store,
        "/v1/products/3",
        &[("tingkat-position", "yesterday")],
    )
    .await;
    assert_snapshot!(shown(answer).await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 286
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#position_malformed","title":"Not a position","status":400,"detail":"found \"yesterday\"; `Tingkat-Position` is given once, as the answer to a write has it (`<incarnation>:<xid>`), or as the number that `SELECT pg_current_xact_id()` gives","code":"position_malformed"}
    "#);
    for uri in [
        "/v1/products?sku=PLATE",
        "/v1/products?ids=1",
        "/v1/states",
        "/v1/postcodes/50450",
    ] {
        let answer = ask(&store, uri, &[("tingkat-position", "7,8")]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_log_a_token_is_kept_by_a_load() {
    let store = Store::new();
    stock(&store, &[]).await;
    let loads = store.database.loads();
    stock(&store, &[("tingkat-position", "7")]).await;
    assert_eq!(store.database.loads(), loads + 1);
}
