//! A hit in memory allocates no more than a bare route of axum with the same answer: what the hit
//! itself needs is nothing, and what stands around it needs no more than the router of axum does. That
//! holds with names of requests, with tokens for look-ups and with the access log; not behind CORS and
//! rates, which are asked in a task of their own. A program of its own, because its allocator counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test that is wrong shall say so"
)]

#[path = "../benches/shop.rs"]
mod shop;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, header};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock;
use tingkat_http::edge::{Access, AccessLog};
use tingkat_http::{Routes, Scope, Tokens};
use tower::ServiceExt as _;

use self::shop::Recorded;

const URI: &str = "/v1/products/7";

/// Enough that what happens once in a while, such as a poll, does not count.
const HITS: u64 = 1_000;

const TOKEN: &str = "Bearer foo";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Headers<'a> = &'a [(HeaderName, &'a str)];

fn request(headers: Headers<'_>) -> Request<Body> {
    let request = headers
        .iter()
        .fold(Request::get(URI), |request, (name, value)| {
            // As the server has them: parts of one buffer.
            let value = Bytes::from_owner(value.to_string());
            request.header(name, HeaderValue::from_maybe_shared(value).unwrap())
        });
    request.body(Body::empty()).unwrap()
}

async fn recorded(routes: impl Routes, request: Request<Body>) -> Recorded {
    let response = routes.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Recorded {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// Allocations for each of many requests.
fn allocations(routes: &impl Routes, request: impl Fn() -> Request<Body>) -> u64 {
    let requests: Vec<Request<Body>> = (0..HITS).map(|_| request()).collect();
    let counted = measure(|| {
        for request in requests {
            let answer = routes.clone().call(request).now_or_never();
            assert!(black_box(answer).expect("ready at once").is_ok());
        }
    });
    counted.count_total / HITS
}

/// Holds hits of a service against the bare route; `known` is what every request brings.
async fn compare(service: impl Routes, known: Headers<'_>) {
    let accepts = |encoding| (header::ACCEPT_ENCODING, encoding);
    let first = recorded(
        service.clone(),
        request(&[known, &[accepts("gzip")]].concat()),
    )
    .await;
    let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
    for more in [
        &[accepts("br")][..],
        &[accepts("gzip")],
        &[accepts("gzip"), (header::IF_NONE_MATCH, &tag)],
    ] {
        let headers = [known, more].concat();
        let request = || request(&headers);
        let answer = recorded(service.clone(), request()).await;
        assert_eq!(answer.headers["cache-status"], "memory; hit");
        let bare = shop::bare(answer.clone());
        assert_eq!(
            recorded(bare.clone(), request()).await.headers,
            answer.headers
        );
        let (ours, least) = (allocations(&service, request), allocations(&bare, request));
        println!(
            "{} {more:?}: {ours} allocations, bare {least}",
            answer.status
        );
        assert!(least > 0, "the counter counts");
        assert!(
            ours <= least,
            "{ours} allocations for a hit, {least} for the bare route: {headers:?}"
        );
    }
}

#[tokio::test]
async fn a_hit_allocates_no_more_than_a_bare_route_with_the_same_answer() {
    compare(shop::service(), &[]).await;
}

#[tokio::test]
async fn nor_does_one_with_names_a_token_and_a_line_in_the_log() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let service = shop::service_with(|app| {
        app.tokens = Tokens::default().with(Scope::Read, "foo");
        // It decides about each request, and no subscriber takes the lines.
        app.edge.access = AccessLog::new(Access::Share(1.0), Duration::from_secs(1), &clock);
    });
    let known = [
        (header::AUTHORIZATION, TOKEN),
        (HeaderName::from_static("x-request-id"), "req-1"),
        (HeaderName::from_static("traceparent"), TRACE),
    ];
    compare(service, &known).await;
}
