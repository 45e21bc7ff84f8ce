//! What is logged of requests, and how a line and an answer are found for each other.

use serde_json::Value;
use tingkat_testkit::eventually;

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::wire::get;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The lines of the access log, each as an object.
fn lines(node: &Node) -> Vec<Value> {
    let log = node.process.log();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["message"] == "access")
        .collect()
}

#[tokio::test]
async fn a_line_of_the_access_log_is_found_by_the_ids_of_its_answer() {
    let program = Program::serve(&Folder::new())
        .with("TINGKAT__LOG__FORMAT", "json")
        .with("TINGKAT__LOG__ACCESS", "1");
    let node = program.listening().await;
    for _ in 0..2 {
        let headers =
            format!("x-request-id: order-7\r\ntraceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n");
        let answer = get(&node, "/v1/products/3", &headers).await;
        assert_eq!(answer.header("x-request-id"), Some("order-7"));
        let parent = answer.header("traceparent").unwrap();
        assert!(parent.starts_with(&format!("00-{TRACE}-")), "{parent}");
    }
    let lines = eventually(PATIENCE, || {
        let lines = lines(&node);
        std::future::ready((lines.len() == 2).then_some(lines))
    })
    .await
    .unwrap();
    for line in &lines {
        assert_eq!(line["method"], "GET");
        assert_eq!(line["route"], "/v1/products/{id}");
        assert_eq!(line["status"], 200);
        assert_eq!(line["request_id"], "order-7");
        assert_eq!(line["trace_id"], TRACE);
        assert!(line["bytes"].as_u64().unwrap() > 100, "{line}");
        assert!(line["duration_us"].is_u64(), "{line}");
    }
    assert_eq!(lines[0]["tier"], "source");
    assert_eq!(lines[1]["tier"], "memory");
}

#[tokio::test]
async fn what_is_logged_about_a_request_has_its_ids_in_either_format() {
    for format in ["text", "json"] {
        let program = Program::serve(&Folder::new())
            .with("TINGKAT__LOG__FORMAT", format)
            .with("TINGKAT__LOG__ACCESS", "off")
            .with("TINGKAT__LOG__LEVEL", "tingkat_http=trace,info")
            .with("DATABASE_URL", "postgres://shop@127.0.0.1:1/shop");
        let node = program.listening().await;
        let answer = get(&node, "/v1/products/3", "x-request-id: order-7\r\n").await;
        assert_eq!(answer.body["request_id"], "order-7", "{answer:?}");
        let trace = answer.body["trace_id"].as_str().unwrap();
        node.says("a look-up failed").await;
        let log = node.process.log();
        let mut lines = log.lines();
        let line = lines.find(|it| it.contains("a look-up failed")).unwrap();
        assert!(line.contains("order-7") && line.contains(trace), "{line}");
        if format == "json" {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["request_id"], "order-7");
            assert_eq!(line["trace_id"], trace);
        }
        // Whatever is logged on nobody's behalf has none.
        let others = log.lines().filter(|it| it.contains("listening on"));
        assert_eq!(others.filter(|it| it.contains("request_id")).count(), 0);
    }
}
