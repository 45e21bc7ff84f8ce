//! Problem documents that any route may give, and their documentation.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use insta::assert_snapshot;
use tingkat_http::Code;

use crate::store::{Broken, Mood, Store};

#[tokio::test(start_paused = true)]
async fn a_failing_database_is_told_without_its_words() {
    let store = Store::new();
    store.database.set(Mood::Fails);
    assert_snapshot!(store.get("/v1/products/1").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 170
    content-type: application/problem+json
    retry-after: 1
    x-content-type-options: nosniff

    {"type":"/problems#source_failed","title":"The database failed","status":503,"detail":"nothing is cached, and the database answered with an error","code":"source_failed"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_back_is_asked_again() {
    let store = Store::new();
    store.database.set(Mood::Fails);
    assert!(store.get("/v1/products/1").await.starts_with("503"));
    store.database.set(Mood::Answers);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(store.get("/v1/products/1").await.starts_with("200"));
}

#[tokio::test(start_paused = true)]
async fn a_hung_database_is_given_up_at_the_deadline() {
    let store = Store::new();
    store.database.set(Mood::Hangs);
    assert_snapshot!(store.get("/v1/products/1").await, @r#"
    504 Gateway Timeout
    cache-control: no-store
    content-length: 188
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#deadline_exceeded","title":"The database did not answer in time","status":504,"detail":"the database did not answer within the hard deadline","code":"deadline_exceeded"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_given_up_before_its_client_is_bored() {
    let store = Store::with(|app| app.limits.request_timeout = Duration::from_millis(2500));
    store.database.set(Mood::Hangs);
    assert_snapshot!(store.get("/v1/products/1").await, @r#"
    504 Gateway Timeout
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#request_timeout","title":"The request took too long","status":504,"detail":"the request was given up after 2.5 s","code":"request_timeout"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_told_when_to_come_back() {
    let store = Store::with(|app| app.limits.in_flight = 20_000);
    store.database.set(Mood::Hangs);
    let asks = (0..12_000).map(|n| store.send(Request::get(format!("/v1/products/{n}"))));
    let mut answers = futures::future::join_all(asks).await;
    answers.retain(|answer| answer.headers().contains_key("retry-after"));
    let refused = answers.pop().unwrap();
    assert_snapshot!(crate::store::shown(refused).await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 162
    content-type: application/problem+json
    retry-after: 1
    x-content-type-options: nosniff

    {"type":"/problems#overloaded","title":"Too many requests are waiting","status":503,"detail":"too many look-ups are waiting for the database","code":"overloaded"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_shut_down_says_so() {
    let store = Store::new();
    store.node.shut_down(Duration::from_secs(1)).await;
    assert_snapshot!(store.get("/v1/products/1").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 134
    content-type: application/problem+json
    retry-after: 1
    x-content-type-options: nosniff

    {"type":"/problems#shutting_down","title":"The node is stopping","status":503,"detail":"this node is stopping","code":"shutting_down"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer_and_tells_nothing() {
    let store = Store::with(|app| app.clock = Arc::new(Broken));
    assert_snapshot!(store.get("/v1/products/1").await, @r#"
    500 Internal Server Error
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#internal","title":"Unexpected error","status":500,"detail":"the server met an unexpected error; the request may be sent again","code":"internal"}
    "#);
    assert!(
        store.get("/v1/states").await.starts_with("200"),
        "others go on"
    );
}

/// The section of a code, without its heading.
fn section(code: Code) -> Option<&'static str> {
    let documentation = include_str!("../../../../docs/problems.md");
    let heading = format!("\n## `{}`\n", code.name());
    let (_, section) = documentation.split_once(&heading)?;
    section.split("\n## ").next()
}

#[test]
fn every_code_is_documented_and_no_other() {
    for code in Code::ALL {
        let name = code.name();
        let section = section(*code).unwrap_or_else(|| panic!("docs/problems.md has no `{name}`"));
        let facts = format!(
            "\n{}: {}.\n\n{}\n",
            code.status().as_u16(),
            code.title(),
            code.explanation()
        );
        assert!(
            section.starts_with(&facts),
            "docs/problems.md, `{name}`, begins with: {facts}"
        );
    }
    let headings = include_str!("../../../../docs/problems.md")
        .matches("\n## ")
        .count();
    assert_eq!(headings, Code::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn the_type_of_a_problem_leads_to_its_place_on_a_page() {
    let store = Store::new();
    let page = store.body("/problems").await;
    for code in Code::ALL {
        let (path, fragment) = code.reference().split_once('#').unwrap();
        assert_eq!(path, "/problems");
        assert!(
            page.contains(&format!("<h2 id=\"{fragment}\">")),
            "{fragment}"
        );
        assert!(page.contains(code.title()), "{fragment}");
    }
}
