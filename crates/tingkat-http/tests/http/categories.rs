//! The tree of categories, and each of them.

use std::sync::Arc;

use axum::http::{Request, StatusCode, header};
use insta::assert_snapshot;

use tingkat_shop::category::{CategoryCount, CategoryId};

use crate::store::{Mood, Store, Switch, Table, sources};

#[tokio::test(start_paused = true)]
async fn the_tree_has_each_category_under_its_own() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/categories").await, @r#"
    200 OK
    age: 0
    cache-control: no-cache
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 191
    content-type: application/json
    etag: "73bc5341ec8e6c189660813c63c07a17"
    vary: accept-encoding
    x-content-type-options: nosniff

    {"items":[{"id":"8","parent_id":null,"slug":"house","name":"House","products":2,"children":[{"id":"7","parent_id":"8","slug":"lamps","name":"Lamps","products":1,"children":[]}]}],"next":null}
    "#);
    assert_eq!(
        store
            .header(
                "/v1/categories",
                header::HeaderName::from_static("cache-status")
            )
            .await,
        "memory; hit"
    );
}

#[tokio::test(start_paused = true)]
async fn one_category_has_the_way_to_it_and_what_is_under_it() {
    let store = Store::new();
    let top = store.body("/v1/categories/8").await;
    assert_snapshot!(top, @r#"{"id":"8","parent_id":null,"slug":"house","name":"House","products":2,"breadcrumb":[{"id":"8","slug":"house","name":"House"}],"children":[{"id":"7","parent_id":"8","slug":"lamps","name":"Lamps","products":1}]}"#);
    assert_snapshot!(store.body("/v1/categories/7").await, @r#"{"id":"7","parent_id":"8","slug":"lamps","name":"Lamps","products":1,"breadcrumb":[{"id":"8","slug":"house","name":"House"},{"id":"7","slug":"lamps","name":"Lamps"}],"children":[]}"#);
    assert_eq!(store.body("/v1/categories?slug=house").await, top);
}

#[tokio::test(start_paused = true)]
async fn a_category_that_is_not_there_is_a_problem() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/categories/9").await, @r#"
    404 Not Found
    age: 0
    cache-control: no-cache
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 157
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#category_unknown","title":"No such category","status":404,"detail":"no category that is shown has the id \"9\"","code":"category_unknown"}
    "#);
    for uri in [
        "/v1/categories?slug=none",
        "/v1/categories/9/products",
        "/v1/products?category=9",
    ] {
        let answer = store.get(uri).await;
        assert!(answer.starts_with("404"), "{uri}: {answer}");
        assert!(
            answer.contains(r#""code":"category_unknown""#),
            "{uri}: {answer}"
        );
    }
    let answer = store.get("/v1/categories/a%20b").await;
    assert!(
        answer.contains(r#""code":"category_id_malformed""#),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_database_a_category_is_no_answer() {
    let store = Store::new();
    store.database.set(Mood::Fails);
    let response = store.send(Request::get("/v1/categories/7")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_made_anew_when_a_count_is_another_one() {
    let database = Arc::new(Switch::default());
    let mut sources = sources(&database);
    let counts =
        [("7", 1), ("8", 2)].map(|(id, count)| (id.parse().unwrap(), CategoryCount(count)));
    let counts = Table::<CategoryId, _>::new(&database, counts);
    sources.category_counts = Arc::<Table<CategoryId, CategoryCount>>::clone(&counts);
    let store = Store::over(database, sources, |node| node, |_| ());
    let both = async || {
        [
            store.body("/v1/categories").await,
            store.body("/v1/categories/8").await,
        ]
    };
    for body in both().await {
        assert!(body.contains(r#""products":1"#), "{body}");
    }
    counts
        .rows
        .lock()
        .unwrap()
        .insert("7".to_owned(), CategoryCount(55));
    store.node.forget_everything().await.unwrap();
    for body in both().await {
        assert!(body.contains(r#""products":55"#), "{body}");
    }
}
