//! Browsers, whose pages are of this origin or that.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::{Method, Request, StatusCode, header};
use tingkat::ports::Clock;
use tingkat_http::Limits;
use tingkat_http::edge::{Proxies, ProxyHeader, Rate, RateLimits, Rates};

use crate::store::{Broken, Store, header_of, shown};
use crate::wire::Server;

const SHOP: &str = "https://shop.example";

fn store() -> Store {
    Store::with(|app| app.edge.origins = vec![SHOP.parse().unwrap()])
}

fn preflight(uri: &str, origin: &str, method: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(Method::OPTIONS)
        .uri(uri)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, method)
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_other_origins_by_default() {
    let store = Store::new();
    let asked = Request::get("/v1/states").header(header::ORIGIN, SHOP);
    let answer = shown(store.send(asked).await).await;
    assert!(!answer.contains("access-control"), "{answer}");
    assert!(!answer.contains("origin"), "{answer}");
    let answer = store.send(preflight("/v1/states", SHOP, "GET")).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_shop_reads_answers_and_problems_and_what_they_tell() {
    let store = store();
    for uri in ["/v1/states", "/nowhere", "/%", "/v1/postcodes/1"] {
        let asked = Request::get(uri).header(header::ORIGIN, SHOP);
        let answer = store.send(asked).await;
        let header = |name| header_of(&answer, &name);
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_ORIGIN), SHOP, "{uri}");
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "");
        let exposed = header(header::ACCESS_CONTROL_EXPOSE_HEADERS);
        for name in [
            "etag",
            "cache-status",
            "age",
            "tingkat-position",
            "retry-after",
            "traceparent",
            "x-request-id",
        ] {
            assert!(exposed.split(',').any(|it| it == name), "{name}: {exposed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_may_not_read() {
    let store = store();
    for origin in [
        "https://other.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil",
        "null",
    ] {
        let asked = Request::get("/v1/states").header(header::ORIGIN, origin);
        let answer = store.send(asked).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let allowed = header_of(&answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(allowed, "", "{origin}");
        let answer = store.send(preflight("/v1/states", origin, "GET")).await;
        let allowed = header_of(&answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(allowed, "", "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn caches_are_told_that_answers_differ_by_origin_even_without_one() {
    let store = store();
    let answer = store.send(Request::get("/v1/states")).await;
    let mut vary = answer.headers().get_all(header::VARY).iter();
    assert!(vary.any(|value| value == "origin"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_preflight_is_answered_with_the_methods_of_the_route() {
    let store = store();
    for (uri, methods) in [
        ("/v1/states", "GET,HEAD"),
        ("/v1/products/1", "GET,HEAD,PATCH"),
        ("/v1/products:batchGet", "POST"),
    ] {
        let answer = store.send(preflight(uri, SHOP, "PATCH")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{uri}");
        let header = |name| header_of(&answer, &name);
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_ORIGIN), SHOP);
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_METHODS), methods);
        assert_eq!(header(header::ACCESS_CONTROL_MAX_AGE), "3600");
        let headers = header(header::ACCESS_CONTROL_ALLOW_HEADERS);
        for name in ["authorization", "tingkat-position", "if-none-match"] {
            assert!(headers.split(',').any(|it| it == name), "{headers}");
        }
        assert!(!header(header::HeaderName::from_static("x-request-id")).is_empty());
    }
    let answer = store.send(preflight("/nowhere", SHOP, "GET")).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    // Without a method in mind it is no preflight.
    let options = Request::builder().method(Method::OPTIONS).uri("/v1/states");
    let answer = store.send(options.header(header::ORIGIN, SHOP)).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_preflight_behind_a_proxy_counts_for_the_browser_that_asks() {
    let store = Store::with(|app| {
        app.edge.origins = vec![SHOP.parse().unwrap()];
        let trusted = ["127.0.0.0/8".parse().unwrap()];
        app.edge.proxies = Proxies::new(trusted, ProxyHeader::XForwardedFor);
        let clock: Arc<dyn Clock> = Arc::new(Broken);
        let one = NonZeroU32::MIN;
        let limits = RateLimits {
            look_ups: Some(Rate {
                per_second: one,
                burst: one,
            }),
            writes: None,
            clients: 100,
        };
        app.edge.rates = Rates::new(&limits, &clock);
    });
    let server = Server::start(store.routes, Limits::default()).await;
    let mut proxy = server.connect().await;
    for (browser, status) in [(1, "200"), (2, "200"), (1, "429"), (3, "200")] {
        let request = format!(
            "OPTIONS /v1/states HTTP/1.1\r\nhost: x\r\norigin: {SHOP}\r\n\
             access-control-request-method: GET\r\nx-forwarded-for: 203.0.113.{browser}\r\n\r\n"
        );
        proxy.send(request).await;
        let answer = proxy.response().await;
        assert_eq!(&answer[9..12], status, "{browser}: {answer}");
    }
}
