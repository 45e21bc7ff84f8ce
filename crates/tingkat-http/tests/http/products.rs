use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use insta::assert_snapshot;
use serde_json::Value;

use crate::store::{Mood, Store};

#[tokio::test(start_paused = true)]
async fn a_product_has_every_member_in_order() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/products/1").await, @r#"
    200 OK
    age: 0
    cache-control: no-cache
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 806
    content-type: application/json
    etag: "c7d7aefa13731afd176360a0dfd4ccc7"
    vary: accept-encoding
    x-content-type-options: nosniff

    {"id":"1","sku":"85123A","slug":"white-lamp","name":"White \"hanging\" lamp <3","description":"Warm light.","status":"active","regular_price":{"amount":255,"currency":"MYR"},"member_price":{"amount":230,"currency":"MYR"},"promotional_price":{"amount":199,"currency":"MYR"},"promotion":{"starts_at":"2026-05-01T13:00:00Z","ends_at":"2026-05-01T14:00:00Z"},"price":{"amount":255,"currency":"MYR"},"stock_quantity":3,"in_stock":true,"low_stock":true,"featured":true,"categories":[{"id":"7","slug":"lamps","name":"Lamps"}],"images":[{"url":"https://img.example/1.jpg","alt":"The lamp"}],"variants":[{"sku":"85123A-L","name":"size","value":"L","regular_price":{"amount":305,"currency":"MYR"},"member_price":{"amount":280,"currency":"MYR"},"stock_quantity":0}],"version":4,"updated_at":"2026-04-30T08:15:30.25Z"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn what_a_product_does_not_have_is_null_or_empty() {
    let store = Store::new();
    assert_snapshot!(store.body("/v1/products/2").await, @r#"{"id":"2","sku":"A+B C/1","slug":"mug","name":"Mug","description":"","status":"active","regular_price":{"amount":100,"currency":"MYR"},"member_price":{"amount":100,"currency":"MYR"},"promotional_price":null,"promotion":null,"price":{"amount":100,"currency":"MYR"},"stock_quantity":0,"in_stock":false,"low_stock":true,"featured":false,"categories":[],"images":[],"variants":[],"version":1,"updated_at":"2026-01-01T00:00:00Z"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_product_has_the_same_bytes_by_whichever_route() {
    let store = Store::new();
    let by_id = store.body("/v1/products/1").await;
    assert_eq!(store.body("/v1/products?sku=85123A").await, by_id);
    assert_eq!(store.body("/v1/products?slug=white-lamp").await, by_id);
    assert_eq!(
        store.body("/v1/products?ids=1").await,
        format!(r#"{{"items":[{by_id}],"missing":[]}}"#)
    );
    let tag = store.header("/v1/products/1", header::ETAG).await;
    assert_eq!(
        store.header("/v1/products?sku=85123A", header::ETAG).await,
        tag
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sold_has_no_page_and_is_in_no_batch() {
    let store = Store::new();
    for uri in ["/v1/products/4", "/v1/products?sku=SPOON"] {
        let answer = store.get(uri).await;
        assert!(answer.contains(r#""status":"inactive""#), "{uri}: {answer}");
    }
    let answer = store.get("/v1/products?slug=spoon").await;
    assert!(answer.contains(r#""code":"product_unknown""#), "{answer}");
    assert_eq!(
        store.body("/v1/products?ids=4,9").await,
        r#"{"items":[],"missing":["4","9"]}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_sku_may_have_any_printable_character() {
    let store = Store::new();
    let by_id = store.body("/v1/products/2").await;
    for query in ["sku=A%2BB+C/1", "sku=A%2bB%20C%2F1"] {
        assert_eq!(
            store.body(&format!("/v1/products?{query}")).await,
            by_id,
            "{query}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_price_follows_the_clock() {
    let store = Store::new();
    let price = async || {
        let body: Value = serde_json::from_str(&store.body("/v1/products/1").await).unwrap();
        body["price"]["amount"].as_i64().unwrap()
    };
    let tag = async || store.header("/v1/products/1", header::ETAG).await;
    let before = tag().await;
    assert_eq!(price().await, 255);

    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(price().await, 199, "from the first instant on");
    assert_ne!(tag().await, before);

    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(price().await, 255, "until just before the last");
    assert_eq!(tag().await, before);
}

#[tokio::test(start_paused = true)]
async fn a_batch_keeps_the_order_and_names_each_product_once() {
    let store = Store::new();
    let body = store.body("/v1/products?ids=3,nope,2,3,no-2,nope").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let ids: Vec<&str> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["3", "2"]);
    assert_eq!(body["missing"], serde_json::json!(["nope", "no-2"]));
    assert_eq!(store.database.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_tells_of_its_farthest_product() {
    let store = Store::new();
    let status = async |uri| {
        store
            .header(uri, header::HeaderName::from_static("cache-status"))
            .await
    };
    let loaded = "memory; fwd=uri-miss, source; fwd=uri-miss; stored";
    assert_eq!(status("/v1/products?ids=1,2").await, loaded);
    assert_eq!(status("/v1/products?ids=2,1").await, "memory; hit");
    assert_eq!(status("/v1/products?ids=2,1,3").await, loaded);
}

#[tokio::test(start_paused = true)]
async fn the_largest_batch_of_the_longest_ids_fits() {
    let store = Store::new();
    let ids: Vec<String> = (0..200).map(|n| format!("{n:064}")).collect();
    for comma in [",", "%2C"] {
        let response = store
            .send(Request::get(format!(
                "/v1/products?ids={}",
                ids.join(comma)
            )))
            .await;
        assert_eq!(response.status(), StatusCode::OK, "{comma}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_a_failure_is_a_problem_and_not_a_shorter_list() {
    let store = Store::new();
    store.database.set(Mood::FailsOnTwo);
    assert_snapshot!(store.get("/v1/products?ids=1,2,3").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 227
    content-type: application/problem+json
    retry-after: 1
    x-content-type-options: nosniff

    {"type":"/problems#batch_incomplete","title":"Some of the products could not be looked up","status":503,"detail":"1 of 3 products could not be looked up, the first of them: `source_failed`","code":"batch_incomplete","failed":1}
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_product_is_a_problem_that_is_cached_here() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/products/nope").await, @r#"
    404 Not Found
    age: 0
    cache-control: no-cache
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 142
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#product_unknown","title":"No such product","status":404,"detail":"no product has the id \"nope\"","code":"product_unknown"}
    "#);
    assert_snapshot!(store.get("/v1/products/nope").await, @r#"
    404 Not Found
    age: 0
    cache-control: no-cache
    cache-status: memory; hit
    content-length: 142
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#product_unknown","title":"No such product","status":404,"detail":"no product has the id \"nope\"","code":"product_unknown"}
    "#);
    assert_snapshot!(store.body("/v1/products?sku=NO%22PE").await, @r#"{"type":"/problems#product_unknown","title":"No such product","status":404,"detail":"no product has the sku \"NO\\\"PE\"","code":"product_unknown"}"#);
    assert_snapshot!(store.body("/v1/products?slug=nope").await, @r#"{"type":"/problems#product_unknown","title":"No such product","status":404,"detail":"no product has the slug \"nope\"","code":"product_unknown"}"#);
    assert_eq!(store.database.loads(), 3);
}

#[tokio::test(start_paused = true)]
async fn names_of_the_wrong_shape_are_told_the_right_one() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/products/a%20b").await, @r#"
    422 Unprocessable Entity
    cache-control: no-store
    content-length: 190
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#product_id_malformed","title":"Not a product id","status":422,"detail":"a product id has 1 to 64 letters, digits, `-` or `_`; found \"a b\"","code":"product_id_malformed"}
    "#);
    assert_snapshot!(store.body("/v1/products?slug=a%0Ab").await, @r#"{"type":"/problems#slug_malformed","title":"Not a slug","status":422,"detail":"a slug has 1 to 500 printable characters; found \"a\\nb\"","code":"slug_malformed"}"#);
    assert_snapshot!(store.body("/v1/products?sku=").await, @r#"{"type":"/problems#sku_malformed","title":"Not a sku","status":422,"detail":"a sku has 1 to 200 printable characters; found \"\"","code":"sku_malformed"}"#);
    assert_snapshot!(store.body("/v1/products?ids=1,,2").await, @r#"{"type":"/problems#product_id_malformed","title":"Not a product id","status":422,"detail":"a product id has 1 to 64 letters, digits, `-` or `_`; found \"\"","code":"product_id_malformed"}"#);
    assert_snapshot!(store.body("/v1/products?ids=1,2%0A").await, @r#"{"type":"/problems#product_id_malformed","title":"Not a product id","status":422,"detail":"a product id has 1 to 64 letters, digits, `-` or `_`; found \"2\\n\"","code":"product_id_malformed"}"#);
    assert_eq!(store.database.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_names_products_in_one_way() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/products?sku=A&slug=a&ids=1").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 342
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#parameters_conflict","title":"Query parameters exclude each other","status":400,"detail":"found `sku` and `slug` and `ids` together; `ids`, `sku` or `slug` is given alone, or beside `tier`","code":"parameters_conflict","known_parameters":["ids","sku","slug","category","featured","promoted","sort","limit","cursor","tier"]}
    "#);
    assert_snapshot!(store.get("/v1/products?sku=A&sku=B").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 166
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#parameter_repeated","title":"Query parameter given twice","status":400,"detail":"`sku` is given twice; once is enough","code":"parameter_repeated"}
    "#);
    assert_snapshot!(store.get("/v1/products?id=1").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 350
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#parameter_unknown","title":"Unknown query parameter","status":400,"detail":"found \"id\"; this route has `ids`, `sku`, `slug`, `category`, `featured`, `promoted`, `sort`, `limit`, `cursor` or `tier`","code":"parameter_unknown","known_parameters":["ids","sku","slug","category","featured","promoted","sort","limit","cursor","tier"]}
    "#);
    assert_snapshot!(store.get("/v1/products/1?sku=A").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 188
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#parameter_unknown","title":"Unknown query parameter","status":400,"detail":"found \"sku\"; this route has `tier`","code":"parameter_unknown","known_parameters":["tier"]}
    "#);
    assert_eq!(store.database.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_one_to_two_hundred_ids() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/products?ids=").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 156
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#ids_empty","title":"No ids","status":400,"detail":"`ids` is empty; give ids separated by commas, such as `ids=1,2,3`","code":"ids_empty"}
    "#);
    let ids: Vec<String> = (0..201).map(|n| n.to_string()).collect();
    assert_snapshot!(store.get(&format!("/v1/products?ids={}", ids.join(","))).await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 167
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#ids_too_many","title":"Too many ids","status":400,"detail":"`ids` has 201 ids; at most 200 are answered at a time","code":"ids_too_many","most":200}
    "#);
}
