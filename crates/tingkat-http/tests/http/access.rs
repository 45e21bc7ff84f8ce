//! The access log: which requests it has, and what it says of them.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tingkat_http::edge::{Access, AccessLog};
use tingkat_http::{Scope, Tokens};
use tower::ServiceExt as _;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::store::{Mood, Store};

/// Keeps the lines for the target `access`, each as its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // What differs from run to run.
        if !["duration_us", "request_id", "trace_id"].contains(&field.name()) {
            let _ = write!(self.0, "{}={value:?} ", field.name());
        }
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "access"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0.trim_end().to_owned());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A store that logs so much, and a token of each scope.
fn store(access: Access) -> (Store, AccessLog) {
    let mut log = None;
    let store = Store::with(|app| {
        app.edge.access = AccessLog::new(access, Duration::from_millis(500), &app.clock);
        app.tokens = Tokens::default().with(Scope::Write, "hunter2-token");
        log = Some(app.edge.access.clone());
    });
    (store, log.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_line_has_the_route_and_never_what_was_asked_for() {
    let (lines, (store, _)) = (Lines::default(), store(Access::Share(1.0)));
    let _guard = tracing::subscriber::set_default(lines.clone());
    let bearer = |request: axum::http::request::Builder| {
        request.header(header::AUTHORIZATION, "Bearer hunter2-token")
    };
    store.send(bearer(Request::get("/v1/products/1"))).await;
    store.send(Request::get("/v1/products/1")).await;
    store.send(Request::get("/v1/products?sku=hunter2")).await;
    store.send(Request::get("/v1/products/hunter2")).await;
    store
        .send(Request::builder().method("HUNTER2").uri("/"))
        .await;
    let forged = Request::post("/v1/forget").header(header::AUTHORIZATION, "Bearer hunter2-x");
    store.send(forged).await;
    insta::assert_snapshot!(lines.taken().join("\n"), @r#"
    message=access method="GET" route="/v1/products/{id}" status=200 bytes=806 tier="source" scope="write"
    message=access method="GET" route="/v1/products/{id}" status=200 bytes=806 tier="memory"
    message=access method="GET" route="/v1/products" status=404 bytes=146 tier="source"
    message=access method="GET" route="/v1/products/{id}" status=404 bytes=145 tier="source"
    message=access method="other" route="/" status=405 bytes=294
    message=access method="POST" route="/v1/forget" status=401 bytes=269
    "#);
    // Its document has every route in it, so its size is another one's business.
    store.send(Request::get("/hunter2/x")).await;
    let [unknown] = lines.taken().try_into().unwrap();
    let begin = "message=access method=\"GET\" route=\"unknown\" status=404 bytes=";
    assert!(unknown.starts_with(begin), "{unknown}");
    assert!(!unknown.contains("hunter2"), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn errors_and_slow_requests_are_told_whatever_is_left_out() {
    let (lines, (store, log)) = (Lines::default(), store(Access::Errors));
    let _guard = tracing::subscriber::set_default(lines.clone());
    for uri in ["/v1/states", "/v1/products/9", "/nowhere", "/livez"] {
        store.send(Request::get(uri)).await;
    }
    assert_eq!(lines.taken(), Vec::<String>::new());
    store.send(Request::get("/%")).await;
    store.database.set(Mood::Fails);
    store.send(Request::get("/v1/products/1")).await;
    assert_eq!(lines.taken().len(), 2);

    store.database.set(Mood::Answers);
    for (seconds, told) in [(0, 0), (1, 1)] {
        let body = futures::stream::once(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Infallible>(r#"{"ids":["1"]}"#)
        });
        let request = Request::post("/v1/products:batchGet")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from_stream(body));
        let answer = store
            .routes
            .clone()
            .oneshot(request.unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(lines.taken().len(), told);
    }

    let off = AccessLog::default();
    log.replace(&off);
    store.send(Request::get("/%")).await;
    assert_eq!(lines.taken(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_errors_is_no_flood_of_lines() {
    let (lines, (store, _)) = (Lines::default(), store(Access::Errors));
    let _guard = tracing::subscriber::set_default(lines.clone());
    for _ in 0..1_000 {
        store.send(Request::get("/%")).await;
    }
    let told = lines.taken().len();
    assert_eq!(told, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    store.send(Request::get("/%")).await;
    let told = lines.taken();
    assert!(told[0].contains("left_out=800"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_share_is_about_that_share() {
    let (lines, (store, _)) = (Lines::default(), store(Access::Share(0.5)));
    let _guard = tracing::subscriber::set_default(lines.clone());
    for _ in 0..400 {
        store.send(Request::get("/v1/states")).await;
    }
    // Twelve standard deviations.
    let told = lines.taken().len();
    assert!((80..=320).contains(&told), "{told}");
}
