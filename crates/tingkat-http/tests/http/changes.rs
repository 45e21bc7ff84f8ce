//! The feed of changes, as a page cache follows it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use tingkat::certificate::{ChangeKind, Dep};

use tingkat_http::Limits;

use crate::store::{Store, shown, text};
use crate::tracked::Shared;
use crate::wire::{Server, patiently};

/// A client that reads events.
struct Client {
    body: Body,
    cursor: String,
}

impl Client {
    async fn from(store: &Store, uri: &str) -> Self {
        let response = store.send(Request::get(uri)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body();
        let mut client = Self {
            body,
            cursor: String::new(),
        };
        assert!(client.next().await.contains("retry: 1000"));
        client
    }

    async fn anew(store: &Store) -> Self {
        let mut client = Self::from(store, "/v1/changes").await;
        assert_eq!(client.event().await, r#"reset {"reason":"no_cursor"}"#);
        client
    }

    async fn resumed(&self, store: &Store) -> Self {
        Self::from(store, &format!("/v1/changes?from={}", self.cursor)).await
    }

    /// The next bytes.
    async fn next(&mut self) -> String {
        let frame = tokio::time::timeout(Duration::from_mins(1), self.body.frame());
        let bytes: Bytes = frame.await.unwrap().unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        if let Some((_, rest)) = text.rsplit_once("id: ") {
            rest.lines().next().unwrap().clone_into(&mut self.cursor);
        }
        text
    }

    /// The next event, by its name and data.
    async fn event(&mut self) -> String {
        loop {
            let text = self.next().await;
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                return format!("{name} {data}");
            }
        }
    }

    async fn ends(mut self) {
        let frame = tokio::time::timeout(Duration::from_mins(1), self.body.frame());
        assert!(frame.await.unwrap().is_none());
    }
}

fn forgot(dep: &str) -> String {
    format!(r#"changes {{"changes":[{{"kind":"forget","dep":"{dep}"}}]}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_new_client_purges_everything_and_then_hears_each_change() {
    let shared = Shared::new();
    let store = shared.store();
    let response = store.send(Request::get("/v1/changes")).await;
    let head: Vec<_> = [header::CONTENT_TYPE, header::CACHE_CONTROL]
        .iter()
        .map(|name| crate::store::header_of(&response, name))
        .collect();
    assert_eq!(head, ["text/event-stream", "no-store"]);
    drop(response);

    let mut client = Client::anew(&store).await;
    shared.write_past("3", 5);
    assert_eq!(client.event().await, forgot("product:3"));
    let mut transaction = shared.log.begin();
    transaction.change(Dep::new("state:SGR"), ChangeKind::Expire);
    transaction.change(Dep::new("postcode:50*"), ChangeKind::Pattern);
    transaction.change(Dep::new("state:SGR"), ChangeKind::Expire);
    transaction.commit();
    assert_snapshot!(client.event().await, @r#"changes {"changes":[{"kind":"expire","dep":"state:SGR"},{"kind":"pattern","dep":"postcode:50*"}]}"#);
}

#[tokio::test(start_paused = true)]
async fn a_client_resumes_at_any_node_and_misses_nothing() {
    let shared = Shared::new();
    let (first, second) = (shared.store(), shared.store());
    let mut client = Client::anew(&first).await;
    shared.write_past("1", 5);
    assert_eq!(client.event().await, forgot("product:1"));
    let slow = shared.log.begin();
    shared.write_past("2", 5);
    assert_eq!(client.event().await, forgot("product:2"));

    // What commits now began before the client's cursor.
    let mut slow = slow;
    slow.write("product", "3", 2);
    slow.commit();
    let mut resumed = client.resumed(&second).await;
    assert_eq!(resumed.event().await, forgot("product:3"));
    assert_eq!(client.event().await, forgot("product:3"));
    // A node that has just begun reads what the log still has.
    let third = shared.store();
    shared.write_past("1", 6);
    let mut again = resumed.resumed(&third).await;
    assert_eq!(again.event().await, forgot("product:1"));
}

#[tokio::test(start_paused = true)]
async fn the_id_that_a_browser_remembers_is_newer_than_the_address() {
    let shared = Shared::new();
    let store = shared.store();
    let mut client = Client::anew(&store).await;
    let old = client.cursor.clone();
    shared.write_past("1", 5);
    client.event().await;
    let request =
        Request::get(format!("/v1/changes?from={old}")).header("last-event-id", &client.cursor);
    let mut resumed = Client {
        body: store.send(request).await.into_body(),
        cursor: String::new(),
    };
    shared.write_past("2", 5);
    assert_eq!(resumed.event().await, forgot("product:2"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_may_have_missed_something_is_told_to_purge_everything() {
    let shared = Shared::new();
    let store = shared.store();
    let mut client = Client::anew(&store).await;
    let early = client.cursor.clone();
    shared.log.crash();
    assert_eq!(client.event().await, r#"reset {"reason":"incarnation"}"#);
    shared.write_past("1", 5);
    assert_eq!(client.event().await, forgot("product:1"));
    let mut late = Client::from(&store, &format!("/v1/changes?from={early}")).await;
    assert_eq!(late.event().await, r#"reset {"reason":"incarnation"}"#);
    drop(late);

    // The log forgets what everybody has long known, and a new node never knew it.
    let before = client.cursor.clone();
    shared.write_past("1", 6);
    shared.log.compact();
    let young = shared.store();
    let mut late = Client::from(&young, &format!("/v1/changes?from={before}")).await;
    assert_eq!(late.event().await, r#"reset {"reason":"cursor_too_old"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_beats_and_moves_its_cursor() {
    let shared = Shared::new();
    let store = shared.store();
    let mut client = Client::anew(&store).await;
    let before = client.cursor.clone();
    // Something was written that nobody caches.
    shared.log.begin().commit();
    let started = tokio::time::Duration::ZERO;
    let waited = async {
        #[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
        let since = tokio::time::Instant::now();
        let beat = client.next().await;
        (beat, since.elapsed())
    };
    let (beat, took) = waited.await;
    assert!(
        took > started && took <= Duration::from_secs(16),
        "{took:?}"
    );
    assert!(
        beat.starts_with(": heartbeat\nid: ") && beat.ends_with("\n\n"),
        "{beat}"
    );
    assert_ne!(client.cursor, before);
    shared.write_past("1", 5);
    assert_eq!(client.event().await, forgot("product:1"));
}

#[tokio::test(start_paused = true)]
async fn streams_are_few_and_a_place_is_free_again_when_a_client_leaves() {
    let store = Shared::new().store();
    let first = Client::anew(&store).await;
    let _second = Client::anew(&store).await;
    assert_snapshot!(store.get("/v1/changes").await, @r#"
    503 Service Unavailable
    cache-control: no-store
    content-length: 181
    content-type: application/problem+json
    retry-after: 5
    x-content-type-options: nosniff

    {"type":"/problems#streams_exhausted","title":"Too many streams","status":503,"detail":"as many clients follow the changes as this node serves at a time","code":"streams_exhausted"}
    "#);
    drop(first);
    Client::anew(&store).await;
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_server_stops() {
    let store = Shared::new().store();
    let client = Client::anew(&store).await;
    store.shutdown.cancel();
    client.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_knows_nothing_yet_says_nothing_until_it_does() {
    let shared = Shared::new();
    let log = shared.log.log();
    log.switch.cut();
    let store = shared.store_with(log.clone(), Duration::from_millis(100), |_| ());
    let mut client = Client::from(&store, "/v1/changes").await;
    assert_eq!(client.next().await, ": heartbeat\n\n");
    log.switch.restore();
    assert_eq!(client.event().await, r#"reset {"reason":"no_cursor"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_none_and_a_node_without_a_log_are_explained() {
    let store = Shared::new().store();
    assert_snapshot!(text(store.send(Request::get("/v1/changes?from=7")).await).await, @r#"{"type":"/problems#cursor_malformed","title":"Not a cursor","status":400,"detail":"found \"7\"; expected the `id` of an event of this route, or none to begin anew","code":"cursor_malformed"}"#);
    let bare = Request::get("/v1/changes").header("last-event-id", "x:y");
    assert_eq!(store.send(bare).await.status(), StatusCode::BAD_REQUEST);
    let without = Store::new().send(Request::get("/v1/changes")).await;
    assert_snapshot!(shown(without).await, @r#"
    501 Not Implemented
    cache-control: no-store
    content-length: 158
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#changes_unsupported","title":"There is no change log","status":501,"detail":"this node follows no change log","code":"changes_unsupported"}
    "#);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_its_place_is_free() {
    let shared = Shared::new();
    let store = shared.store();
    let limits = Limits {
        send_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::start(store.routes.clone(), limits).await;
    let request = "GET /v1/changes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut silent = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send(request).await;
        silent.push(client);
    }
    patiently(async {
        while store.send(Request::get("/v1/changes")).await.status() == StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // More than the kernel holds for somebody who does not read.
    let name = "x".repeat(500_000);
    patiently(async {
        while store.send(Request::get("/v1/changes")).await.status() != StatusCode::OK {
            shared.log.write("tag", &name, 1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
