//! What operators see of the caches, and what they let them forget.

use axum::body::Body;
use axum::http::{Request, header};
use insta::assert_snapshot;
use serde_json::Value;
use tingkat_http::Tokens;
use tingkat_http::tokens::Scope;

use crate::store::{Store, shown};

fn operated() -> Store {
    Store::with(|app| {
        let tokens = Tokens::default();
        app.tokens = tokens
            .with(Scope::Operate, "operator")
            .with(Scope::Write, "writer");
    })
}

async fn forget_as(store: &Store, token: &str, body: &str) -> String {
    let request = Request::post("/v1/forget")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::from(body.to_owned()))
        .unwrap();
    shown(store.answer(request).await).await
}

async fn forget(store: &Store, body: &str) -> String {
    forget_as(store, "operator", body).await
}

/// How often the database is asked for each of these.
async fn loads(store: &Store, uris: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for uri in uris {
        let before = store.database.loads();
        let answer = store.get(uri).await;
        assert!(answer.starts_with("200"), "{uri}: {answer}");
        counts.push(store.database.loads() - before);
    }
    counts
}

const EACH: [&str; 4] = [
    "/v1/products/1",
    "/v1/products/2",
    "/v1/postcodes/50450",
    "/v1/postcodes/88000",
];

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_loaded_again_and_nothing_else() {
    let store = operated();
    assert_eq!(loads(&store, &EACH).await, [1, 1, 1, 1]);
    assert_eq!(loads(&store, &EACH).await, [0, 0, 0, 0]);
    for (body, expected) in [
        (r#"{"entity":"product","keys":["2"]}"#, [0, 1, 0, 0]),
        (r#"{"entity":"postcode","pattern":"504*"}"#, [0, 0, 1, 0]),
        (r#"{"tags":["state:SBH"]}"#, [0, 0, 0, 1]),
        (r#"{"tags":["zone:west","city:Likas"]}"#, [0, 0, 1, 1]),
        (r#"{"tags":["region:88"]}"#, [0, 0, 0, 1]),
        (r#"{"entity":"product","all":true}"#, [1, 1, 0, 0]),
        (r#"{"all":true}"#, [1, 1, 1, 1]),
    ] {
        let answer = forget(&store, body).await;
        assert!(answer.starts_with("200"), "{body}: {answer}");
        assert!(
            answer.ends_with(&format!(r#"{{"forgotten":{body}}}"#)),
            "{body}: {answer}"
        );
        assert_eq!(loads(&store, &EACH).await, expected, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_one_thing_forgets_nothing() {
    let store = operated();
    loads(&store, &EACH).await;
    for (body, code) in [
        ("{}", "forget_invalid"),
        (r#"{"entity":"product"}"#, "forget_invalid"),
        (r#"{"keys":["1"]}"#, "forget_invalid"),
        (r#"{"pattern":"1*"}"#, "forget_invalid"),
        (
            r#"{"entity":"product","keys":["1"],"all":true}"#,
            "forget_invalid",
        ),
        (r#"{"entity":"product","tags":["a"]}"#, "forget_invalid"),
        (r#"{"all":false}"#, "forget_invalid"),
        (r#"{"entity":"product","keys":[]}"#, "forget_invalid"),
        (r#"{"tags":[""]}"#, "forget_invalid"),
        (r#"{"entity":"product","pattern":"1*2"}"#, "forget_invalid"),
        (
            r#"{"entity":"product","everything":true}"#,
            "forget_invalid",
        ),
        (r#"{"entity":"product","keys":["a b"]}"#, "key_malformed"),
        (r#"{"entity":"basket","all":true}"#, "entity_unknown"),
        ("all", "body_malformed"),
    ] {
        let answer = forget(&store, body).await;
        assert!(
            answer.contains(&format!(r#""code":"{code}""#)),
            "{body}: {answer}"
        );
    }
    assert_eq!(loads(&store, &EACH).await, [0, 0, 0, 0]);
    assert_snapshot!(forget(&store, r#"{"entity":"basket","all":true}"#).await, @r#"
    404 Not Found
    cache-control: no-store
    content-length: 327
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#entity_unknown","title":"No such entity","status":404,"detail":"found \"basket\"; the member `known_entities` has every entity","code":"entity_unknown","known_entities":["product","product.sku","product.slug","product.list","product.popular","categories","category.products","postcode","postcodes","states"]}
    "#);
}

#[tokio::test(start_paused = true)]
async fn only_operators_may_forget() {
    let store = operated();
    loads(&store, &EACH).await;
    for (token, code) in [("writer", "token_scope"), ("nobody", "token_required")] {
        let answer = forget_as(&store, token, r#"{"all":true}"#).await;
        assert!(
            answer.contains(&format!(r#""code":"{code}""#)),
            "{token}: {answer}"
        );
    }
    let without = Store::new();
    let answer = forget(&without, r#"{"all":true}"#).await;
    assert!(answer.contains(r#""code":"tokens_unset""#), "{answer}");
    assert_eq!(loads(&store, &EACH).await, [0, 0, 0, 0]);
}

async fn json(store: &Store, uri: &str) -> Value {
    serde_json::from_str(&store.body(uri).await).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_cache_tells_what_it_did() {
    let store = Store::new();
    loads(&store, &EACH).await;
    loads(&store, &EACH).await;
    store.get("/v1/products/none").await;
    let caches = json(&store, "/v1/caches").await;
    let names: Vec<&str> = caches["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["entity"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "product",
            "product.sku",
            "product.slug",
            "product.list",
            "product.popular",
            "categories",
            "category.products",
            "postcode",
            "postcodes",
            "states",
        ]
    );
    let product = &caches["items"][0];
    assert_eq!(product["memory"]["hits"], 2);
    assert_eq!(product["memory"]["misses"], 3);
    assert_eq!(product["hit_ratio"], 0.4);
    assert_eq!(product["source"]["keys"], 3);
    assert_eq!(product["absent_answers"], 1);
    assert_eq!(product["entries"], 3);
    assert!(product["bytes"].as_u64().unwrap() > 1_000);
    assert_eq!(caches["items"][1]["hit_ratio"], Value::Null);
    assert_snapshot!(store.get("/v1/caches/product").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 1046
    content-type: application/json
    x-content-type-options: nosniff

    {"entity":"product","mode":"cache","entries":3,"bytes":4140,"memory_bytes":67108864,"favourites":0,"hit_ratio":0.4,"memory":{"hits":2,"misses":3,"hit_ratio":0.4},"redis":{"hits":0,"misses":0,"hit_ratio":null},"source":{"batches":3,"keys":3,"failed_keys":0,"running":0,"queued":0},"stale_answers":0,"absent_answers":1,"policy":{"placement":"both","strict":false,"fresh_for_ms":3600000,"stale_for_ms":86400000,"absent_for_ms":60000,"soft_deadline_ms":250,"hard_deadline_ms":5000,"max_loads":8,"max_queue":10000,"max_batch":200,"max_value_bytes":1048576},"counts":{"joined":0,"refreshes":0,"overloads":0,"hung_loads":0,"evictions":0,"oversized":0,"crowded":0,"withheld":0,"overtaken":0,"fills":0,"fills_rejected":0,"lease_waits":0,"redis_failures":0,"undecodable":0,"refused_changed":0,"refused_floor":0,"refused_incarnation":0,"differences":0},"latency":{"redis_hit":{"count":0,"p50_us":null,"p99_us":null},"source":{"count":2,"p50_us":1024,"p99_us":1024},"load":{"count":3,"p50_us":1,"p99_us":1},"failure":{"count":0,"p50_us":null,"p99_us":null}}}
    "#);
    let answer = store.get("/v1/caches/basket").await;
    assert!(answer.contains(r#""code":"entity_unknown""#), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_key_shows_what_memory_has_under_it() {
    let store = Store::new();
    assert_eq!(
        store.body("/v1/caches/product/keys/1").await,
        r#"{"entity":"product","key":"1","anchored":null,"memory":null,"redis":{"state":"unused","bytes":null,"entry":null}}"#
    );
    store.get("/v1/products/1").await;
    tokio::time::advance(std::time::Duration::from_secs(90)).await;
    assert_snapshot!(store.get("/v1/caches/product/keys/1").await, @r#"
    200 OK
    cache-control: no-store
    content-length: 273
    content-type: application/json
    x-content-type-options: nosniff

    {"entity":"product","key":"1","anchored":null,"memory":{"has_value":true,"age_ms":90000,"fresh_for_ms":3300701,"stale_for_ms":86400000,"bytes":1776,"deps":["category:7"],"position":"1:1:","accepted":true,"refusal":null},"redis":{"state":"unused","bytes":null,"entry":null}}
    "#);
    store.get("/v1/products?sku=none").await;
    let absent = json(&store, "/v1/caches/product.sku/keys/none").await;
    assert_eq!(absent["memory"]["has_value"], false);
    // A key may have any character.
    store.get("/v1/products?sku=A%2BB+C/1").await;
    let odd = json(&store, "/v1/caches/product.sku/keys/A+B%20C%2F1").await;
    assert_eq!(odd["memory"]["has_value"], true);
    let answer = store.get("/v1/caches/postcode/keys/5045").await;
    assert!(answer.contains(r#""code":"key_malformed""#), "{answer}");
}
