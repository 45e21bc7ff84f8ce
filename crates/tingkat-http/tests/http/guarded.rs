//! A service whose look-ups are for those alone who bring a token.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use tingkat_http::{Scope, Tokens};

use crate::store::{Store, header_of};

const LOOK_UPS: [(Method, &str, &str); 15] = [
    (Method::GET, "/v1/products/1", ""),
    (Method::HEAD, "/v1/products/1", ""),
    (Method::GET, "/v1/products?sku=85123A", ""),
    (Method::GET, "/v1/products?ids=1,2", ""),
    (Method::GET, "/v1/products?sort=newest", ""),
    (Method::POST, "/v1/products:batchGet", "{\"ids\":[\"1\"]}"),
    (Method::GET, "/v1/categories", ""),
    (Method::GET, "/v1/categories/8", ""),
    (Method::GET, "/v1/categories/8/products", ""),
    (Method::GET, "/v1/postcodes", ""),
    (Method::GET, "/v1/postcodes/50450", ""),
    (Method::HEAD, "/v1/postcodes/50450", ""),
    (Method::GET, "/v1/states", ""),
    (Method::GET, "/v1/caches", ""),
    (Method::GET, "/v1/caches/product/keys/1", ""),
];

fn request(method: &Method, uri: &str, body: &'static str, token: Option<&str>) -> Request<Body> {
    let request = Request::builder().method(method.clone()).uri(uri);
    let request = match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_up_without_a_token_and_no_shared_cache_keeps_it() {
    let tokens = Tokens::default()
        .with(Scope::Read, "reader")
        .with(Scope::Write, "writer");
    let store = Store::with(|app| app.tokens = tokens);
    for (method, uri, body) in &LOOK_UPS {
        let ask = async |token| store.answer(request(method, uri, body, token)).await;
        // The second time memory has it.
        for _ in 0..2 {
            for token in ["reader", "writer"] {
                let answer = ask(Some(token)).await;
                assert_eq!(answer.status(), StatusCode::OK, "{method} {uri}");
                let kept = header_of(&answer, &header::CACHE_CONTROL);
                assert!(!kept.contains("public"), "{method} {uri}: {kept}");
            }
            for token in [None, Some("stranger")] {
                let answer = ask(token).await;
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {uri}");
            }
        }
    }
    let kept = store
        .answer(request(&Method::GET, "/v1/states", "", Some("reader")))
        .await;
    let kept = header_of(&kept, &header::CACHE_CONTROL);
    assert_eq!(kept, "private, max-age=86400");
    for probe in ["/livez", "/readyz"] {
        let answer = store.answer(request(&Method::GET, probe, "", None)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{probe}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_is_answered_whatever_its_client_holds() {
    let store = Store::new();
    let batch = || {
        request(
            &Method::POST,
            "/v1/products:batchGet",
            "{\"ids\":[\"1\"]}",
            None,
        )
    };
    let tag = header_of(&store.answer(batch()).await, &header::ETAG);
    let mut again = batch();
    again
        .headers_mut()
        .insert(header::IF_NONE_MATCH, tag.parse().unwrap());
    assert_eq!(store.answer(again).await.status(), StatusCode::OK);
}
