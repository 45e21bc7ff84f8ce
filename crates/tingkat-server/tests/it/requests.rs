//! Requests that can not be answered, as they go over the wire.

use tingkat_lab::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::Node;

/// The largest body that is read.
const MOST_BODY_BYTES: usize = 1 << 20;

#[tokio::test]
async fn a_wrong_request_is_told_what_is_wrong_with_it() {
    let node = Node::alone().await;
    let get = Method::GET;
    let large = vec![b' '; MOST_BODY_BYTES + 1];
    let ids = vec!["1"; 201].join(",");
    let cases = [
        (&get, "/v1/postcodes/5045", 422, "postcode_malformed"),
        (&get, "/v1/postcodes/50450x", 422, "postcode_malformed"),
        (&get, "/v1/postcodes/%zz", 400, "uri_malformed"),
        (
            &get,
            "/v1/postcodes/50450?lang=ms",
            400,
            "parameter_unknown",
        ),
        (&get, "/v1/postcode/50450", 404, "route_unknown"),
        (&get, "/v1/products/1959", 404, "product_unknown"),
        (&get, "/v1/products/a%20b", 422, "product_id_malformed"),
        (&get, "/v1/products?slug=a%0Ab", 422, "slug_malformed"),
        (&get, "/v1/products?sku=nobody", 404, "product_unknown"),
        (&get, "/v1/products?sort=best", 400, "parameter_malformed"),
        (
            &get,
            "/v1/products?sku=1&slug=a",
            400,
            "parameters_conflict",
        ),
        (&get, "/v1/products?sku=1&sku=2", 400, "parameter_repeated"),
        (&get, "/v1/products?ids=", 400, "ids_empty"),
        (&Method::DELETE, "/v1/states", 405, "method_not_allowed"),
        (&Method::POST, "/v1/states", 405, "method_not_allowed"),
    ];
    for (method, path, status, code) in cases {
        let answer = node.target.send(method.clone(), path, "").await.unwrap();
        is_problem(&answer, status, code);
    }
    let path = format!("/v1/products?ids={ids}");
    is_problem(&node.get(&path).await, 400, "ids_too_many");
    let path = format!("/v1/products?sku={}", "x".repeat(17 << 10));
    is_problem(&node.get(&path).await, 414, "uri_too_long");
    let answer = node.target.send(Method::POST, "/v1/products", large).await;
    is_problem(&answer.unwrap(), 413, "body_too_large");
}

fn is_problem(answer: &tingkat_lab::Answer, status: u16, code: &str) {
    let body = answer.json().unwrap();
    assert_eq!(
        (answer.status.as_u16(), &body["code"]),
        (status, &code.into())
    );
    assert_eq!(body["status"], status);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    if status == 405 {
        assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    }
}

#[tokio::test]
async fn what_is_no_http_at_all_ends_the_connection_and_nothing_else() {
    let node = Node::alone().await;
    let long = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 << 10));
    for bytes in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        &long,
    ] {
        let mut stream = TcpStream::connect(node.target.address()).await.unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(bytes.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    assert_eq!(node.get("/livez").await.status, StatusCode::OK);
}
