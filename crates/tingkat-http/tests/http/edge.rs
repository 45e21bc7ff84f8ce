//! What every request passes through, whatever its route.

use axum::http::{Method, Request, StatusCode, header};
use insta::assert_snapshot;
use serde_json::Value;

use crate::store::{Store, header_of, shown};

#[tokio::test(start_paused = true)]
async fn an_unknown_path_is_told_the_routes() {
    let store = Store::new();
    assert_snapshot!(store.get("/v2/products").await, @r#"
    404 Not Found
    cache-control: no-store
    content-length: 592
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#route_unknown","title":"No such route","status":404,"detail":"no route at \"/v2/products\"; the member `routes` has every route","code":"route_unknown","routes":["/","/v1/postcodes","/v1/postcodes/{code}","/v1/states","/v1/products/{id}","/v1/products","/v1/products:batchGet","/v1/categories","/v1/categories/{id}","/v1/categories/{id}/products","/v1/x/{entity}","/v1/x/{entity}/{key}","/v1/forget","/v1/warm","/v1/caches","/v1/caches/{entity}","/v1/caches/{entity}/keys/{key}","/v1/changes","/v1/health","/metrics","/livez","/readyz","/problems","/docs","/openapi.json"]}
    "#);
    for uri in [
        "/v1/states/",
        "/v1/products/1/images",
        "//livez",
        "/favicon.ico",
    ] {
        assert_eq!(
            store.send(Request::get(uri)).await.status(),
            StatusCode::NOT_FOUND,
            "{uri}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_route_that_is_told_exists() {
    let store = Store::new();
    let problem: Value = serde_json::from_str(&store.body("/nowhere").await).unwrap();
    let routes = problem["routes"].as_array().unwrap();
    assert!(!routes.is_empty());
    for route in routes {
        let uri = route.as_str().unwrap().replace(['{', '}'], "");
        let answer = store.get(&uri).await;
        assert!(
            !answer.contains(r#""code":"route_unknown""#),
            "{route}: {answer}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_told_the_right_ones() {
    let store = Store::new();
    assert_snapshot!(shown(store.send(Request::post("/v1/states")).await).await, @r#"
    405 Method Not Allowed
    allow: GET,HEAD
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#method_not_allowed","title":"Method not allowed","status":405,"detail":"found POST; this route answers GET and HEAD","code":"method_not_allowed","allowed_methods":["GET","HEAD"]}
    "#);
    for method in [
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let request = Request::builder().method(method.clone()).uri("/v1/states");
        let response = store.send(request).await;
        assert_eq!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
        assert_eq!(header_of(&response, &header::ALLOW), "GET,HEAD");
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_nobody_knows_is_not_allowed() {
    let store = Store::new();
    let request = Request::builder().method("BREW").uri("/v1/states");
    assert_eq!(
        store.send(request).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("example.com:443");
    assert!(store.send(request).await.status().is_client_error());
    let request = Request::builder().method(Method::OPTIONS).uri("*");
    assert!(store.send(request).await.status().is_client_error());
}

#[tokio::test(start_paused = true)]
async fn a_large_body_is_refused_by_its_length() {
    let store = Store::new();
    let large = Request::post("/v1/states").header(header::CONTENT_LENGTH, (1 << 20) + 1);
    assert_snapshot!(shown(store.send(large).await).await, @r#"
    413 Payload Too Large
    cache-control: no-store
    connection: close
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#body_too_large","title":"The body is too large","status":413,"detail":"the body has 1048577 bytes; at most 1048576 are read","code":"body_too_large","most_bytes":1048576}
    "#);
    let largest = Request::post("/v1/states").header(header::CONTENT_LENGTH, 1 << 20);
    assert_eq!(
        store.send(largest).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    let elsewhere = Request::put("/nowhere").header(header::CONTENT_LENGTH, u64::MAX);
    assert_eq!(
        store.send(elsewhere).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_address_is_refused() {
    let store = Store::new();
    let query = "x".repeat(17_000);
    assert_snapshot!(store.get(&format!("/v1/products?ids={query}")).await, @r#"
    414 URI Too Long
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#uri_too_long","title":"The address is too long","status":414,"detail":"path and query have 17017 bytes; at most 16384 are read","code":"uri_too_long","most_bytes":16384}
    "#);
    let path = format!("/{}", "x".repeat((16 << 10) - 1));
    assert_eq!(
        store.send(Request::get(&path)).await.status(),
        StatusCode::NOT_FOUND
    );
    let path = format!("{path}x");
    assert_eq!(
        store.send(Request::get(&path)).await.status(),
        StatusCode::URI_TOO_LONG
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_that_can_not_be_decoded_is_refused() {
    let store = Store::new();
    assert_snapshot!(store.get("/v1/postcodes/50%4").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#uri_malformed","title":"The address can not be read","status":400,"detail":"found \"%4\" in the path; `%` is followed by two hexadecimal digits, and `%` itself is `%25`","code":"uri_malformed"}
    "#);
    assert_snapshot!(store.get("/v1/postcodes/50%FF").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#uri_malformed","title":"The address can not be read","status":400,"detail":"the path is not UTF-8 once it is decoded; encode the bytes of UTF-8","code":"uri_malformed"}
    "#);
    assert_snapshot!(store.get("/v1/products?sku=%GG").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#uri_malformed","title":"The address can not be read","status":400,"detail":"found \"%GG\" in the query; `%` is followed by two hexadecimal digits, and `%` itself is `%25`","code":"uri_malformed"}
    "#);
    assert_snapshot!(store.get("/v1/products?sku=%C3%28").await, @r#"
    400 Bad Request
    cache-control: no-store
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#uri_malformed","title":"The address can not be read","status":400,"detail":"the query is not UTF-8 once it is decoded; encode the bytes of UTF-8","code":"uri_malformed"}
    "#);
    for uri in [
        "/%",
        "/%4",
        "/%%41",
        "/v1/products?slug=100%",
        "/nowhere?%+41",
    ] {
        assert_eq!(
            store.send(Request::get(uri)).await.status(),
            StatusCode::BAD_REQUEST,
            "{uri}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_sniffed() {
    let store = Store::new();
    for uri in [
        "/",
        "/livez",
        "/v1/states",
        "/v1/postcodes/1",
        "/nowhere",
        "/%",
        "/problems",
    ] {
        assert_eq!(
            store.header(uri, header::X_CONTENT_TYPE_OPTIONS).await,
            "nosniff",
            "{uri}"
        );
    }
}
