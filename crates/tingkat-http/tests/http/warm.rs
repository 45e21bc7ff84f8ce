use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::Value;
use tingkat_health::WarmState;
use tingkat_http::Tokens;
use tingkat_http::tokens::Scope;
use tower::ServiceExt as _;

use crate::store::{Mood, Store, shown};

fn operated() -> Store {
    Store::with(|app| {
        let tokens = Tokens::default();
        app.tokens = tokens
            .with(Scope::Operate, "operator")
            .with(Scope::Write, "writer");
    })
}

async fn send(store: &Store, method: Method, token: &str, body: &str) -> String {
    let request = Request::builder()
        .method(method)
        .uri("/v1/warm")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::from(body.to_owned()))
        .unwrap();
    shown(store.routes.clone().oneshot(request).await.unwrap()).await
}

async fn start(store: &Store, body: &str) -> String {
    send(store, Method::POST, "operator", body).await
}

async fn standing(store: &Store) -> Value {
    serde_json::from_str(&store.body("/v1/warm").await).unwrap()
}

/// The report of the last run, once it has ended.
async fn ended(store: &Store) -> Value {
    loop {
        let standing = standing(store).await;
        if standing.get("running").is_some_and(Value::is_null) {
            return standing.get("last").unwrap().clone();
        }
        tokio::task::yield_now().await;
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_warmed_on_request_needs_no_load_any_more() {
    let store = operated();
    let nothing = store.get("/v1/warm").await;
    assert!(
        nothing.starts_with("200") && nothing.contains("cache-control: no-store"),
        "{nothing}"
    );
    assert!(
        nothing.ends_with(r#"{"running":null,"last":null,"next_runs":[]}"#),
        "{nothing}"
    );
    let begun = start(
        &store,
        r#"{"entities":["product"],"top":4,"validate":true}"#,
    )
    .await;
    assert!(
        begun.starts_with("202") && begun.ends_with(r#"{"run":1}"#),
        "{begun}"
    );
    let last = ended(&store).await;
    assert_eq!(last["report"]["success"], true, "{last}");
    assert_eq!(
        (&last["run"], &last["reason"]),
        (&1.into(), &"request".into())
    );
    let started_at = last["started_at"].as_str().unwrap();
    assert!(started_at.starts_with("20") && started_at.ends_with('Z'));
    let product = &last["report"]["entities"][0];
    assert_eq!(
        (&product["wanted"], &product["loaded"]),
        (&4.into(), &4.into())
    );
    assert_eq!(product["checked"]["same"], 4, "{last}");
    let loads = store.database.loads();
    for id in 1..=4 {
        store.get(&format!("/v1/products/{id}")).await;
    }
    assert_eq!(store.database.loads(), loads);
    let body = r#"{"keys":{"product":["1","9"],"postcode":["50450","x"]}}"#;
    assert!(start(&store, body).await.starts_with("202"));
    let report = ended(&store).await["report"].clone();
    let [postcode, product] = &report["entities"].as_array().unwrap()[..] else {
        panic!("{report}")
    };
    assert_eq!(
        (&postcode["loaded"], &postcode["malformed"]),
        (&1.into(), &1.into())
    );
    assert_eq!(product["already_warm"]["memory"], 1, "{report}");
    assert_eq!(
        (&product["absent"], &report["success"]),
        (&1.into(), &true.into())
    );
}

#[tokio::test(start_paused = true)]
async fn one_run_goes_on_at_a_time_and_can_be_ended() {
    let store = operated();
    assert!(
        send(&store, Method::DELETE, "operator", "")
            .await
            .starts_with("204")
    );
    store.database.set(Mood::Hangs);
    assert!(start(&store, "{}").await.starts_with("202"));
    assert_eq!(standing(&store).await["running"]["run"], 1);
    let busy = start(&store, "{}").await;
    assert!(
        busy.starts_with("409") && busy.contains(r#""code":"warm_running","run":1"#),
        "{busy}"
    );
    let ending = send(&store, Method::DELETE, "operator", "").await;
    assert!(
        ending.starts_with("202") && ending.ends_with("{\"run\":1}"),
        "{ending}"
    );
    let last = ended(&store).await;
    assert_eq!(last["report"]["end"], "cancelled", "{last}");
    assert_eq!(last["report"]["success"], false);
    store.database.set(Mood::Answers);
    assert!(start(&store, "{}").await.starts_with("202"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_wrong_starts_nothing_and_is_told_what_would_be_right() {
    let store = operated();
    for (body, code) in [
        ("[]", "warm_invalid"),
        (r#"{"keys":null}"#, "warm_invalid"),
        (r#"{"top":null}"#, "warm_invalid"),
        (r#"{"entity":"product"}"#, "warm_invalid"),
        (r#"{"entities":["basket"]}"#, "entity_unknown"),
        (r#"{"keys":{"basket":["1"]}}"#, "entity_unknown"),
        (r#"{"keys":{"product":["1"]},"top":5}"#, "warm_invalid"),
        (r#"{"keys":{}}"#, "warm_invalid"),
        (r#"{"keys":{"product":[]}}"#, "warm_invalid"),
        (r#"{"top":0}"#, "warm_invalid"),
        (r#"{"top":-1}"#, "warm_invalid"),
        (r#"{"top":1000001}"#, "warm_invalid"),
        (r#"{"concurrency":0}"#, "warm_invalid"),
        (r#"{"timeout_ms":0}"#, "warm_invalid"),
        (r#"{"rate":-5}"#, "warm_invalid"),
        ("{", "body_malformed"),
    ] {
        let answer = start(&store, body).await;
        assert!(
            answer.contains(&format!("\"code\":\"{code}\"")),
            "{body}: {answer}"
        );
    }
    let keys = vec!["1"; 10_001];
    let many = serde_json::json!({ "keys": { "product": keys } }).to_string();
    assert!(start(&store, &many).await.contains("is from 1 to 10000"));
    for method in [Method::POST, Method::DELETE] {
        let answer = send(&store, method.clone(), "writer", "{}").await;
        assert!(answer.starts_with("403"), "{answer}");
        let answer = send(&store, method, "nobody", "{}").await;
        assert!(answer.starts_with("401"), "{answer}");
    }
    assert_eq!(standing(&store).await["last"], Value::Null);
    assert_eq!(store.database.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_being_warmed_is_not_ready_and_answers_nonetheless() {
    let store = Store::new();
    for (state, status, word) in [
        (WarmState::Running, "503", "running"),
        (WarmState::Done, "200", "done"),
        (WarmState::Incomplete, "200", "incomplete"),
        (WarmState::Deadline, "200", "deadline"),
    ] {
        store.observed.send_modify(|observed| observed.warm = state);
        let answer = store.get("/readyz").await;
        assert!(answer.starts_with(status), "{answer}");
        assert!(answer.contains(&format!("\"warm\":\"{word}\"")), "{answer}");
        assert!(store.get("/v1/products/1").await.starts_with("200"));
    }
}
