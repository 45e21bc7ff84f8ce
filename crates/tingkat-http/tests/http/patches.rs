//! Writes through the service.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use futures::FutureExt as _;
use insta::assert_snapshot;
use tingkat_shop::money::Currency;
use tingkat_shop::write::WriteErrorKind;
use tingkat_testkit::eventually;

use crate::store::{Mood, Store, header_of, shown, text};
use crate::tracked::Shared;

const JSON: &str = "application/json";

async fn send(store: &Store, uri: &str, token: &str, media: &str, body: &str) -> Response<Body> {
    let request = Request::patch(uri)
        .header(header::AUTHORIZATION, token)
        .header(header::CONTENT_TYPE, media)
        // It is for reads.
        .header(header::IF_NONE_MATCH, "*")
        .body(Body::from(body.to_owned()))
        .unwrap();
    store.answer(request).await
}

async fn patch(store: &Store, body: &str) -> Response<Body> {
    send(store, "/v1/products/3", "Bearer secret", JSON, body).await
}

async fn code(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    (
        status,
        body.get("code").unwrap().as_str().unwrap().to_owned(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_write_is_answered_with_the_product_and_the_token_of_the_write() {
    let shared = Shared::new();
    let (store, _log) = shared.sleepy();
    let before = store.body("/v1/products/3").await;
    assert!(before.contains("\"stock_quantity\":0"));
    let answer = patch(
        &store,
        r#"{"stock": 7, "regular_price": {"amount": 250, "currency": "MYR"}, "version": 1}"#,
    )
    .await;
    assert_snapshot!(shown(answer).await, @r#"
    200 OK
    age: 0
    cache-control: no-cache
    cache-status: memory; fwd=uri-miss, source; fwd=uri-miss; stored
    content-length: 426
    content-type: application/json
    etag: "639e4a6b49f29ab0e17db4346a456468"
    tingkat-position: 98eb00285d2bfaf55b6f90b72df1f939:100
    vary: accept-encoding
    x-content-type-options: nosniff

    {"id":"3","sku":"PLATE","slug":"plate","name":"Plate","description":"","status":"active","regular_price":{"amount":250,"currency":"MYR"},"member_price":{"amount":100,"currency":"MYR"},"promotional_price":null,"promotion":null,"price":{"amount":250,"currency":"MYR"},"stock_quantity":7,"in_stock":true,"low_stock":false,"featured":false,"categories":[],"images":[],"variants":[],"version":2,"updated_at":"2026-01-01T00:00:00Z"}
    "#);
    let after = store.get("/v1/products/3").await;
    assert!(after.contains("memory; hit") && after.contains("\"stock_quantity\":7"));

    let token = header_of(
        &patch(&store, r#"{"stock_delta": -2}"#).await,
        &header::HeaderName::from_static("tingkat-position"),
    );
    let (other, _log) = shared.sleepy();
    let request = Request::get("/v1/products/3").header("tingkat-position", token);
    let read = text(other.send(request).await).await;
    assert!(read.contains("\"stock_quantity\":5"), "{read}");
}

#[tokio::test(start_paused = true)]
async fn a_patch_for_another_version_is_a_conflict() {
    let store = Shared::new().store();
    let answer = patch(&store, r#"{"stock": 7, "version": 9}"#).await;
    assert_snapshot!(shown(answer).await, @r#"
409 Conflict
cache-control: no-store
content-length: 184
content-type: application/problem+json
x-content-type-options: nosniff

{"type":"/problems#version_conflict","title":"The product was changed meanwhile","status":409,"detail":"the product has version 1 by now","code":"version_conflict","current_version":1}
"#);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_patch_is_refused_and_writes_nothing() {
    let store = Shared::new().store();
    let money = |amount: &str| format!(r#"{{"regular_price":{amount}}}"#);
    let right = r#"{"amount":1,"currency":"MYR"}"#;
    assert_eq!(patch(&store, &money(right)).await.status(), StatusCode::OK);
    let invalid = [
        "{}".to_owned(),
        r#"{"version":2}"#.to_owned(),
        r#"{"stock":1,"price":2}"#.to_owned(),
        r#"{"stock":1,"stock":2}"#.to_owned(),
        r#"{"stock":1,"stock_delta":2}"#.to_owned(),
        r#"{"stock":null}"#.to_owned(),
        r#"{"stock":1.5}"#.to_owned(),
        r#"{"stock":1.0}"#.to_owned(),
        r#"{"stock":"1"}"#.to_owned(),
        r#"{"stock":-1}"#.to_owned(),
        r#"{"stock":9223372036854775808}"#.to_owned(),
        "[1]".to_owned(),
        "7".to_owned(),
        money("1"),
        money(r#"[1,"MYR"]"#),
        money("null"),
        money(r#"{"amount":1}"#),
        money(r#"{"amount":-1,"currency":"MYR"}"#),
        money(r#"{"amount":1.5,"currency":"MYR"}"#),
        money(r#"{"amount":1,"currency":"myr"}"#),
        money(r#"{"amount":1,"currency":"MYR","unit":"sen"}"#),
    ];
    for body in invalid {
        let refused = code(patch(&store, &body).await).await;
        assert_eq!(refused, (422, "patch_invalid".to_owned()), "{body}");
    }
    for body in ["", "{", "stock=1", r#"{"stock":1} x"#, "\u{0}"] {
        let refused = code(patch(&store, body).await).await;
        assert_eq!(refused, (400, "body_malformed".to_owned()), "{body}");
    }
    let large = format!(r#"{{"stock":1{}}}"#, " ".repeat(5_000));
    let refused = code(patch(&store, &large).await).await;
    assert_eq!(refused, (413, "body_too_large".to_owned()));
    let form = send(
        &store,
        "/v1/products/3",
        "Bearer secret",
        "text/plain",
        "{}",
    )
    .await;
    assert_eq!(code(form).await, (415, "media_type_unknown".to_owned()));
    let body = store.body("/v1/products/3").await;
    assert!(body.contains("\"version\":2") && body.contains("\"stock_quantity\":0"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_member_is_named_with_those_that_there_are() {
    let store = Shared::new().store();
    assert_snapshot!(text(patch(&store, r#"{"price":2}"#).await).await, @r#"{"type":"/problems#patch_invalid","title":"Not a patch of a product","status":422,"detail":"unknown field `price`, expected one of `stock`, `stock_delta`, `regular_price`, …; a patch has `stock` or `stock_delta` as a whole number, `regular_price` and `member_price` such as {\"amount\":255,\"currency\":\"MYR\"}, and `version`","code":"patch_invalid"}"#);
}

#[tokio::test(start_paused = true)]
async fn nobody_writes_without_a_token_for_it() {
    let shared = Shared::new();
    let store = shared.store();
    let body = r#"{"stock":1}"#;
    let with = async |token: &str| {
        // What else is wrong is told to those who may write.
        let answer = send(&store, "/v1/products/a%20b", token, JSON, body).await;
        code(answer).await
    };
    assert_eq!(with("Bearer wrong").await, (401, "token_required".into()));
    assert_eq!(with("Basic secret").await, (401, "token_required".into()));
    assert_eq!(with("Bearer other").await, (403, "token_scope".into()));
    assert_eq!(
        with("Bearer secret").await,
        (422, "product_id_malformed".into())
    );
    let refused = send(&store, "/v1/products/3", "", JSON, body).await;
    assert_eq!(header_of(&refused, &header::WWW_AUTHENTICATE), "Bearer");
    let shown = shown(refused).await;
    assert!(!shown.contains("secret"), "{shown}");

    let minute = std::time::Duration::from_mins(1);
    let open = shared.store_with(shared.log.log(), minute, |app| {
        app.tokens = tingkat_http::Tokens::default();
    });
    let refused = code(patch(&open, body).await).await;
    assert_eq!(refused, (403, "tokens_unset".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn each_failure_to_write_has_its_code() {
    let shared = Shared::new();
    let store = shared.store();
    let currency = WriteErrorKind::Currency {
        expected: Currency::MYR,
    };
    for (kind, status, name) in [
        (WriteErrorKind::Unknown, 404, "product_unknown"),
        (WriteErrorKind::MemberAboveRegular, 422, "patch_invalid"),
        (currency, 422, "patch_invalid"),
        (
            WriteErrorKind::StockOutOfRange { stock: 3 },
            422,
            "stock_out_of_range",
        ),
        (WriteErrorKind::Unavailable, 503, "write_unavailable"),
        (WriteErrorKind::Unsure, 504, "write_unsure"),
        (WriteErrorKind::Refused, 500, "write_refused"),
    ] {
        *shared.refuses.lock().unwrap() = Some(kind);
        let response = patch(&store, r#"{"stock":1}"#).await;
        let may_retry = !header_of(&response, &header::RETRY_AFTER).is_empty();
        assert_eq!(may_retry, kind == WriteErrorKind::Unavailable, "{name}");
        assert_eq!(code(response).await, (status, name.to_owned()));
    }
    let unwritten = Store::with(|app| {
        app.tokens = tingkat_http::Tokens::default().with(tingkat_http::Scope::Write, "secret");
    });
    let refused = code(patch(&unwritten, r#"{"stock":1}"#).await).await;
    assert_eq!(refused, (501, "writes_unsupported".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_can_not_be_read_back_is_done_all_the_same() {
    let shared = Shared::new();
    let store = shared.store();
    store.database.set(Mood::Fails);
    let answer = patch(&store, r#"{"stock":4}"#).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.headers().contains_key("tingkat-position"));
    store.database.set(Mood::Answers);
    let body = store.body("/v1/products/3").await;
    assert!(body.contains("\"stock_quantity\":4"), "{body}");
}

/// Whether the product has this stock, by and by.
async fn has_stock(store: &Store, stock: i64) -> bool {
    let wanted = format!("\"stock_quantity\":{stock}");
    let has_it = eventually(Duration::from_secs(10), async || {
        store.body("/v1/products/3").await.contains(&wanted)
    });
    has_it.await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_write_that_outlasts_its_request_is_unsure_and_is_done_once() {
    let shared = Shared::new();
    let store = shared.store();
    shared.holds_writes.send_replace(true);
    let answer = patch(&store, r#"{"stock_delta":2}"#).await;
    assert!(header_of(&answer, &header::RETRY_AFTER).is_empty());
    assert_snapshot!(text(answer).await, @r#"{"type":"/problems#write_unsure","title":"Nobody knows whether it was written","status":504,"detail":"the request was given up after 15 s, and the write goes on","code":"write_unsure"}"#);
    assert!(has_stock(&store, 0).await);
    shared.holds_writes.send_replace(false);
    assert!(has_stock(&store, 2).await);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_client_goes_away_is_done_all_the_same() {
    let shared = Shared::new();
    let store = shared.store();
    assert!(has_stock(&store, 0).await);
    shared.holds_writes.send_replace(true);
    let asked = patch(&store, r#"{"stock_delta":2}"#).now_or_never();
    assert!(asked.is_none());
    shared.holds_writes.send_replace(false);
    assert!(has_stock(&store, 2).await);
}
