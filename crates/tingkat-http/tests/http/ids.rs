//! What a request is called: in answers, and in problem documents.

use axum::http::{Request, StatusCode, header};
use serde_json::Value;

use crate::store::{Store, header_of, raw_text};

const REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-request-id");
const TRACEPARENT: header::HeaderName = header::HeaderName::from_static("traceparent");
const TRACESTATE: header::HeaderName = header::HeaderName::from_static("tracestate");

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The parts of the parent that an answer gives, after its version.
fn parent(answer: &axum::http::Response<axum::body::Body>) -> [String; 3] {
    let parent = header_of(answer, &TRACEPARENT);
    let parts: Vec<&str> = parent.split('-').collect();
    let [version, trace, span, flags] = parts.try_into().unwrap();
    assert_eq!((version, trace.len(), span.len()), ("00", 32, 16));
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    assert!(trace.chars().chain(span.chars()).all(is_digit), "{parent}");
    [trace, span, flags].map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_the_name_of_its_request() {
    let store = Store::new();
    for (uri, status) in [
        ("/livez", StatusCode::OK),
        ("/v1/states", StatusCode::OK),
        ("/v1/postcodes/1", StatusCode::UNPROCESSABLE_ENTITY),
        ("/nowhere", StatusCode::NOT_FOUND),
        ("/%", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::get(uri).header(REQUEST_ID, "order-7.a");
        let answer = store.send(request).await;
        assert_eq!(answer.status(), status);
        assert_eq!(header_of(&answer, &REQUEST_ID), "order-7.a", "{uri}");
        parent(&answer);
        let (one, two) = (
            store.header(uri, REQUEST_ID).await,
            store.header(uri, REQUEST_ID).await,
        );
        assert_eq!((one.len(), two.len()), (32, 32));
        assert_ne!(one, two);
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_not_sound_is_not_repeated() {
    let store = Store::new();
    for odd in ["a b", "<b>", "x@example.com", &"x".repeat(129)] {
        let request = Request::get("/nowhere").header(REQUEST_ID, odd);
        let answer = store.send(request).await;
        assert_ne!(header_of(&answer, &REQUEST_ID), odd);
        assert!(!raw_text(answer).await.contains(odd));
    }
}

#[tokio::test(start_paused = true)]
async fn a_trace_goes_on_under_a_span_of_this_hop() {
    let store = Store::new();
    let request = || {
        Request::get("/v1/states")
            .header(TRACEPARENT, PARENT)
            .header(TRACESTATE, "vendor=one")
    };
    let answer = store.send(request()).await;
    let [trace, span, flags] = parent(&answer);
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "01"));
    assert_ne!(span, "b7ad6b7169203331");
    assert_eq!(header_of(&answer, &TRACESTATE), "vendor=one");
    let [_, next, _] = parent(&store.send(request()).await);
    assert_ne!(span, next);
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_can_not_be_read_begins_anew_and_is_no_error() {
    let store = Store::new();
    for odd in ["", "00-x", &PARENT.to_uppercase(), &format!("{PARENT}-x")] {
        let request = Request::get("/v1/states")
            .header(TRACEPARENT, odd)
            .header(TRACESTATE, "vendor=one");
        let answer = store.send(request).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let [trace, _, flags] = parent(&answer);
        assert_ne!(trace, TRACE);
        assert_eq!(flags, "00");
        assert_eq!(header_of(&answer, &TRACESTATE), "");
    }
    let odd_state = Request::get("/v1/states")
        .header(TRACEPARENT, PARENT)
        .header(TRACESTATE, "Vendor");
    let answer = store.send(odd_state).await;
    assert_eq!(parent(&answer)[0], TRACE);
    assert_eq!(header_of(&answer, &TRACESTATE), "");
}

#[tokio::test(start_paused = true)]
async fn a_problem_names_its_request_and_its_trace() {
    let store = Store::new();
    let request = Request::get("/v1/postcodes/1")
        .header(REQUEST_ID, "order-7")
        .header(TRACEPARENT, PARENT);
    let problem: Value = serde_json::from_str(&raw_text(store.send(request).await).await).unwrap();
    assert_eq!(problem["request_id"], "order-7");
    assert_eq!(problem["trace_id"], TRACE);
    // Problems of the edge itself, too.
    let answer = store.send(Request::get("/%")).await;
    let id = header_of(&answer, &REQUEST_ID);
    let problem: Value = serde_json::from_str(&raw_text(answer).await).unwrap();
    assert_eq!(problem["request_id"], id);
    // An answer that caches keep is nobody's.
    let answer = store.send(Request::get("/v1/products/unknown")).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let problem: Value = serde_json::from_str(&raw_text(answer).await).unwrap();
    assert_eq!(problem["code"], "product_unknown");
    assert_eq!(problem.get("request_id"), None);
}
