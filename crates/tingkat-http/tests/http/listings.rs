//! Products on sale, page by page.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use insta::assert_snapshot;
use serde_json::Value;

use crate::store::{Store, shown};

async fn ids(store: &Store, uri: &str) -> (Vec<String>, Option<String>) {
    let page: Value = serde_json::from_str(&store.body(uri).await).unwrap();
    let items = page.get("items").and_then(Value::as_array);
    let items = items.unwrap_or_else(|| panic!("{uri}: {page}")).iter();
    let ids = items.filter_map(|item| item.get("id")?.as_str().map(ToOwned::to_owned));
    let next = page.get("next").and_then(Value::as_str);
    (ids.collect(), next.map(ToOwned::to_owned))
}

#[tokio::test(start_paused = true)]
async fn a_page_has_the_bytes_of_each_product_on_sale() {
    let store = Store::new();
    let one = store.body("/v1/products/1").await;
    let three = store.body("/v1/products/3").await;
    let page = format!(r#"{{"items":[{one},{three}],"next":null}}"#);
    assert_eq!(store.body("/v1/products").await, page);
    assert_eq!(store.body("/v1/products?sort=newest&limit=100").await, page);
    let page = format!(r#"{{"items":[{three},{one}],"next":null}}"#);
    assert_eq!(store.body("/v1/products?sort=popularity").await, page);
    assert_eq!(store.body("/v1/categories/8/products").await, page);
    assert_eq!(store.body("/v1/products?category=8").await, page);
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other() {
    let store = Store::new();
    let (first, next) = ids(&store, "/v1/products?limit=1").await;
    assert_eq!(
        (first, next.as_deref()),
        (vec!["1".to_owned()], Some("newest.0.0.1."))
    );
    let (second, next) = ids(&store, "/v1/products?cursor=newest.0.0.1.").await;
    assert_eq!((second, next), (vec!["3".to_owned()], None));
    // A full page of the tiers goes on behind its last place, even if nothing of it is shown.
    let (.., next) = ids(&store, "/v1/products?sort=price").await;
    assert_eq!(next.as_deref(), Some("price.0.0.3."));
}

#[tokio::test(start_paused = true)]
async fn filters_and_orders_are_told_apart() {
    let store = Store::new();
    let uri = "/v1/categories/7/products?featured=true&promoted=false&sort=name";
    assert_eq!(ids(&store, uri).await.0, ["1"]);
    assert_eq!(ids(&store, "/v1/categories/7/products").await.0, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn members_are_told_what_they_pay() {
    let store = Store::new();
    let price = async |uri: &str| {
        let body: Value = serde_json::from_str(&store.body(uri).await).unwrap();
        let product = body.get("items").map_or(&body, |items| &items[0]);
        product["price"]["amount"].as_i64().unwrap()
    };
    for uri in [
        "/v1/products/1",
        "/v1/products?sku=85123A",
        "/v1/products?slug=white-lamp",
        "/v1/products?ids=1",
        "/v1/products",
    ] {
        let with = if uri.contains('?') { "&" } else { "?" };
        assert_eq!(price(uri).await, 255, "{uri}");
        assert_eq!(price(&format!("{uri}{with}tier=guest")).await, 255, "{uri}");
        assert_eq!(
            price(&format!("{uri}{with}tier=member")).await,
            230,
            "{uri}"
        );
    }
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(price("/v1/products/1?tier=member").await, 199);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_meant_is_told_what_would_be_right() {
    let store = Store::new();
    for (query, detail) in [
        (
            "sort=best",
            r#"found \"best\"; `sort` is one of newest, price, -price, popularity, name"#,
        ),
        (
            "featured=1",
            r#"found \"1\"; `featured` is `true` or `false`"#,
        ),
        (
            "promoted=",
            r#"found \"\"; `promoted` is `true` or `false`"#,
        ),
        (
            "tier=vip",
            r#"found \"vip\"; `tier` is `guest` or `member`"#,
        ),
        ("limit=0", "`limit` is from 1 to 100"),
        (
            "cursor=x",
            "`cursor` is the `next` of an earlier page of this list",
        ),
        (
            "cursor=price.1.0.3.&sort=name",
            "found a cursor of the order `price` with `sort=name`",
        ),
        (
            "ids=1&sort=price",
            "found `ids` and `sort` together; `ids`, `sku` or `slug` is given alone, or beside `tier`",
        ),
        ("sku=1&slug=2", "found `sku` and `slug` together"),
    ] {
        let answer = store.get(&format!("/v1/products?{query}")).await;
        assert!(answer.starts_with("400 Bad Request"), "{query}: {answer}");
        assert!(answer.contains(detail), "{query}: {answer}");
    }
}

async fn post(store: &Store, body: impl Into<Body>) -> String {
    let request = Request::post("/v1/products:batchGet")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap();
    shown(store.answer(request).await).await
}

#[tokio::test(start_paused = true)]
async fn many_ids_may_be_in_a_body() {
    let store = Store::new();
    let listed = store.body("/v1/products?ids=3,nope,1").await;
    let answer = post(&store, r#"{"ids":["3","nope","3","1"]}"#).await;
    assert!(answer.ends_with(&listed), "{answer}");
    let longest: Vec<String> = (0..200).map(|id: u8| format!("{id:064}")).collect();
    let answer = post(&store, serde_json::json!({"ids": longest}).to_string()).await;
    assert!(answer.starts_with("200"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_can_not_be_meant_is_told_what_would_be_right() {
    let store = Store::new();
    assert_snapshot!(post(&store, r#"{"id":["1"]}"#).await, @r#"
    422 Unprocessable Entity
    cache-control: no-store
    content-length: 204
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#ids_invalid","title":"Not a list of ids","status":422,"detail":"unknown field `id`, expected `ids` at line 1 column 5; the body is such as {\"ids\":[\"1\",\"2\"]}","code":"ids_invalid"}
    "#);
    for (body, code) in [
        ("", "body_malformed"),
        ("{\"ids\"", "body_malformed"),
        (r#"["1"]"#, "ids_invalid"),
        (r#"{"ids":[1]}"#, "ids_invalid"),
        (r#"{"ids":[]}"#, "ids_empty"),
        (r#"{"ids":[""]}"#, "product_id_malformed"),
    ] {
        let answer = post(&store, body).await;
        assert!(
            answer.contains(&format!(r#""code":"{code}""#)),
            "{body}: {answer}"
        );
    }
    let many = serde_json::json!({"ids": vec!["1"; 201]}).to_string();
    assert!(
        post(&store, many)
            .await
            .contains(r#""code":"ids_too_many""#)
    );
    let large = " ".repeat(64 << 10) + "{}";
    assert!(
        post(&store, large)
            .await
            .contains(r#""code":"body_too_large""#)
    );
}
