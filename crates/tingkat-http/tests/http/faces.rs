//! What each listener serves.

use std::fmt::Write as _;

use axum::http::{Method, Request, StatusCode};
use insta::assert_snapshot;
use tingkat_http::Face;

use crate::store::{Store, text};

/// Every route, as a request that it answers with something of its own.
const ROUTES: [(&str, &str); 25] = [
    ("GET", "/"),
    ("GET", "/v1/postcodes"),
    ("GET", "/v1/postcodes/50450"),
    ("GET", "/v1/states"),
    ("GET", "/v1/products/1"),
    ("PATCH", "/v1/products/1"),
    ("GET", "/v1/products?sku=A"),
    ("POST", "/v1/products:batchGet"),
    ("GET", "/v1/categories"),
    ("GET", "/v1/categories/7"),
    ("GET", "/v1/categories/7/products"),
    ("GET", "/v1/x/x"),
    ("GET", "/v1/x/x/y"),
    ("POST", "/v1/x/x:batchGet"),
    ("POST", "/v1/forget"),
    ("GET", "/v1/caches"),
    ("GET", "/v1/caches/product"),
    ("GET", "/v1/caches/product/keys/1"),
    ("GET", "/v1/changes"),
    ("GET", "/metrics"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/problems"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
];

/// What listeners are for.
const FACES: [(&str, Face); 4] = [
    ("everything", Face::WHOLE),
    (
        "shoppers",
        Face {
            look_ups: true,
            operations: false,
            metrics: false,
        },
    ),
    (
        "everything but the metrics",
        Face {
            metrics: false,
            ..Face::WHOLE
        },
    ),
    (
        "scrapers",
        Face {
            look_ups: false,
            operations: false,
            metrics: true,
        },
    ),
];

/// Whether the answer is the router's own: there is no such route, or not with this method.
async fn is_missing(store: &Store, method: &str, uri: &str) -> bool {
    let method: Method = method.parse().unwrap();
    let response = store.send(Request::builder().method(method).uri(uri)).await;
    response.status() == StatusCode::METHOD_NOT_ALLOWED
        || text(response).await.contains("\"code\":\"route_unknown\"")
}

#[tokio::test(start_paused = true)]
async fn each_listener_has_its_routes_and_no_others() {
    let mut table = String::new();
    for (name, face) in FACES {
        let store = Store::with_face(face);
        writeln!(table, "{name}").unwrap();
        for (method, uri) in ROUTES {
            if !is_missing(&store, method, uri).await {
                writeln!(table, "  {method} {uri}").unwrap();
            }
        }
    }
    assert_snapshot!(table, @r"
    everything
      GET /
      GET /v1/postcodes
      GET /v1/postcodes/50450
      GET /v1/states
      GET /v1/products/1
      PATCH /v1/products/1
      GET /v1/products?sku=A
      POST /v1/products:batchGet
      GET /v1/categories
      GET /v1/categories/7
      GET /v1/categories/7/products
      GET /v1/x/x
      GET /v1/x/x/y
      POST /v1/x/x:batchGet
      POST /v1/forget
      GET /v1/caches
      GET /v1/caches/product
      GET /v1/caches/product/keys/1
      GET /v1/changes
      GET /metrics
      GET /livez
      GET /readyz
      GET /problems
      GET /docs
      GET /openapi.json
    shoppers
      GET /v1/postcodes
      GET /v1/postcodes/50450
      GET /v1/states
      GET /v1/products/1
      GET /v1/products?sku=A
      POST /v1/products:batchGet
      GET /v1/categories
      GET /v1/categories/7
      GET /v1/categories/7/products
      GET /v1/x/x
      GET /v1/x/x/y
      POST /v1/x/x:batchGet
      GET /livez
      GET /readyz
      GET /problems
    everything but the metrics
      GET /
      GET /v1/postcodes
      GET /v1/postcodes/50450
      GET /v1/states
      GET /v1/products/1
      PATCH /v1/products/1
      GET /v1/products?sku=A
      POST /v1/products:batchGet
      GET /v1/categories
      GET /v1/categories/7
      GET /v1/categories/7/products
      GET /v1/x/x
      GET /v1/x/x/y
      POST /v1/x/x:batchGet
      POST /v1/forget
      GET /v1/caches
      GET /v1/caches/product
      GET /v1/caches/product/keys/1
      GET /v1/changes
      GET /livez
      GET /readyz
      GET /problems
      GET /docs
      GET /openapi.json
    scrapers
      GET /metrics
      GET /livez
      GET /readyz
    ");
}

#[tokio::test(start_paused = true)]
async fn a_route_of_another_listener_is_told_from_none_at_all() {
    let store = Store::with_face(Face {
        look_ups: true,
        operations: false,
        metrics: false,
    });
    let elsewhere = store.body("/v1/caches").await;
    assert!(
        elsewhere.contains("no route at \\\"/v1/caches\\\" on this listener;"),
        "{elsewhere}"
    );
    assert!(
        !elsewhere.contains("\"/v1/caches/{entity}\""),
        "{elsewhere}"
    );
    let nowhere = store.body("/v1/cashes").await;
    assert!(
        nowhere.contains("no route at \\\"/v1/cashes\\\";"),
        "{nowhere}"
    );
}
