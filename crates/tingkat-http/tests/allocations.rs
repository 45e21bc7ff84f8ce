//! A hit in memory allocates no more than a bare route of axum with the same answer. A program of
//! its own, because its allocator counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test that is wrong shall say so"
)]

#[path = "../benches/shop.rs"]
mod shop;

use std::hint::black_box;

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use tower::{Service as _, ServiceExt as _};

use self::shop::Recorded;

const URI: &str = "/v1/products/7";

/// Enough that what happens once in a while, such as a poll, does not count.
const HITS: u64 = 1_000;

fn request(accepts: &str, held: Option<&str>) -> Request<Body> {
    let mut request = Request::get(URI).header(header::ACCEPT_ENCODING, accepts);
    if let Some(tag) = held {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    request.body(Body::empty()).unwrap()
}

async fn recorded(routes: &Router, request: Request<Body>) -> Recorded {
    let response = routes.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Recorded {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// Allocations for each of many requests.
fn allocations(routes: &Router, request: impl Fn() -> Request<Body>) -> u64 {
    let requests: Vec<Request<Body>> = (0..HITS).map(|_| request()).collect();
    let counted = measure(|| {
        for request in requests {
            let answer = routes.clone().call(request).now_or_never();
            assert!(black_box(answer).expect("ready at once").is_ok());
        }
    });
    counted.count_total / HITS
}

#[tokio::test]
async fn a_hit_allocates_no_more_than_a_bare_route_with_the_same_answer() {
    let service = shop::service();
    let first = recorded(&service, request("gzip", None)).await;
    let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
    for (accepts, held) in [("br", None), ("gzip", None), ("gzip", Some(&*tag))] {
        let request = || request(accepts, held);
        let answer = recorded(&service, request()).await;
        assert_eq!(answer.headers["cache-status"], "memory; hit");
        let bare = shop::bare(answer.clone());
        assert_eq!(recorded(&bare, request()).await.headers, answer.headers);
        let (ours, least) = (allocations(&service, request), allocations(&bare, request));
        println!(
            "{} {held:?}: {ours} allocations, bare {least}",
            answer.status
        );
        assert!(least > 0, "the counter counts");
        assert!(
            ours <= least,
            "{ours} allocations for a hit, {least} for the bare route"
        );
    }
}
