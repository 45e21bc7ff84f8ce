//! Too much: of one client, and of all together.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use futures::FutureExt as _;
use futures::channel::mpsc;
use insta::assert_snapshot;
use serde_json::Value;
use tingkat::ports::Clock;
use tingkat_http::edge::{Proxies, ProxyHeader, Rate, RateLimits, Rates};
use tingkat_http::{App, Limits, Scope, Tokens, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::store::{Broken, Mood, Store, header_of, shown, text};
use crate::wire::Server;

fn rate(per_second: u32, burst: u32) -> Rate {
    let [per_second, burst] = [per_second, burst].map(|it| NonZeroU32::new(it).unwrap());
    Rate { per_second, burst }
}

/// Two look-ups at once and one a second, one write at once; tokens for two clients.
fn limit(app: &mut App) {
    let clock = Arc::clone(&app.clock);
    limit_by(app, &clock);
}

fn limit_by(app: &mut App, clock: &Arc<dyn Clock>) {
    let limits = RateLimits {
        look_ups: Some(rate(1, 2)),
        writes: Some(rate(1, 1)),
        clients: 100,
    };
    app.edge.rates = Rates::new(&limits, clock);
    app.tokens = Tokens::default()
        .with(Scope::Write, "foo")
        .with(Scope::Operate, "bar");
}

async fn ask(store: &Store, token: &str) -> StatusCode {
    let request = Request::get("/v1/states");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    store.send(request).await.status()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let store = Store::with(limit);
    for _ in 0..2 {
        assert_eq!(ask(&store, "foo").await, StatusCode::OK);
    }
    let request = Request::get("/v1/states").header(header::AUTHORIZATION, "Bearer foo");
    let refusal = store.send(request).await;
    assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header_of(&refusal, &header::RETRY_AFTER), "1");
    let problem: Value = serde_json::from_str(&text(refusal).await).unwrap();
    assert_eq!(problem["code"], "rate_limited");
    assert_eq!(
        problem["detail"],
        "this client may send 1 look-ups a second, and 2 at once after a pause"
    );
    // Another client is another matter, and a second later so is this one.
    assert_eq!(ask(&store, "bar").await, StatusCode::OK);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&store, "foo").await, StatusCode::OK);
    assert_eq!(ask(&store, "foo").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_nobody_knows_makes_no_client() {
    let store = Store::with(limit);
    for guess in ["one", "two"] {
        assert_eq!(ask(&store, guess).await, StatusCode::OK);
    }
    assert_eq!(ask(&store, "three").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn look_ups_and_writes_are_counted_apart() {
    let store = Store::with(limit);
    let post = |uri: &'static str| store.send(Request::post(uri));
    // Without a token it is refused, and counts: whoever guesses tokens is a client like any other.
    assert_eq!(post("/v1/forget").await.status(), StatusCode::UNAUTHORIZED);
    let refused = post("/v1/forget").await.status();
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
    let batch = post("/v1/products:batchGet").await.status();
    assert_eq!(batch, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let look_up = || store.send(Request::get("/v1/states"));
    assert_eq!(look_up().await.status(), StatusCode::OK);
    assert_eq!(look_up().await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn probes_are_never_limited() {
    let store = Store::with(limit);
    for _ in 0..10 {
        for probe in ["/livez", "/readyz"] {
            let status = store.send(Request::get(probe)).await.status();
            assert_eq!(status, StatusCode::OK);
        }
        let metrics = store.send(Request::get("/metrics")).await.status();
        assert_ne!(metrics, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_are_replaced_under_way() {
    let mut rates = None;
    let mut clock = None;
    let store = Store::with(|app| {
        limit(app);
        rates = Some(app.edge.rates.clone());
        clock = Some(Arc::clone(&app.clock));
    });
    for _ in 0..3 {
        ask(&store, "foo").await;
    }
    assert_eq!(ask(&store, "foo").await, StatusCode::TOO_MANY_REQUESTS);
    let limits = RateLimits {
        look_ups: Some(rate(1, 5)),
        writes: None,
        clients: 100,
    };
    rates
        .unwrap()
        .replace(&Rates::new(&limits, &clock.unwrap()));
    for _ in 0..5 {
        assert_eq!(ask(&store, "foo").await, StatusCode::OK);
    }
    assert_eq!(ask(&store, "foo").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn clients_without_a_token_are_told_apart_by_their_addresses() {
    let trusting = |proxy: Option<&'static str>| {
        Store::with(move |app| {
            // It stands still, so nothing depends on how long the requests take.
            let clock: Arc<dyn Clock> = Arc::new(Broken);
            limit_by(app, &clock);
            let trusted = proxy.map(|it| it.parse().unwrap());
            app.edge.proxies = Proxies::new(trusted, ProxyHeader::XForwardedFor);
        })
    };
    let statuses = async |store: Store, addresses: [&str; 6]| {
        let server = Server::start(store.routes, Limits::default()).await;
        let mut client = server.connect().await;
        let mut statuses = Vec::new();
        for address in addresses {
            let request = format!(
                "GET /v1/states HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 6.6.6.6, {address}\r\n\r\n"
            );
            client.send(request).await;
            statuses.push(client.response().await[9..12].to_owned());
        }
        statuses
    };
    let (one, two) = ("203.0.113.1", "203.0.113.2");
    let behind = statuses(
        trusting(Some("127.0.0.0/8")),
        [one, one, one, two, two, two],
    );
    assert_eq!(behind.await, ["200", "200", "429", "200", "200", "429"]);
    let alone = statuses(trusting(None), [one, two, one, two, one, two]);
    assert_eq!(alone.await, ["200", "200", "429", "429", "429", "429"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_for_the_server_is_refused_at_once_and_probes_are_not() {
    let store = Store::with(|app| app.limits.in_flight = 2);
    store.database.set(Mood::Hangs);
    let mut waiting = [
        Box::pin(store.send(Request::get("/v1/products/1"))),
        Box::pin(store.send(Request::get("/v1/products/2"))),
    ];
    for request in &mut waiting {
        assert!(request.as_mut().now_or_never().is_none());
    }
    let refusal = store.send(Request::get("/v1/states")).now_or_never();
    let refusal = refusal.expect("it is refused without waiting");
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header_of(&refusal, &header::RETRY_AFTER), "1");
    let problem: Value = serde_json::from_str(&text(refusal).await).unwrap();
    assert_eq!(problem["code"], "overloaded");
    for probe in ["/livez", "/readyz"] {
        let status = store.send(Request::get(probe)).await.status();
        assert_eq!(status, StatusCode::OK);
    }
    // A client that goes away gives its place back.
    drop(waiting);
    store.database.set(Mood::Answers);
    let status = store.send(Request::get("/v1/states")).await.status();
    assert_eq!(status, StatusCode::OK);
}

/// A batch whose body is sent by the test.
fn batch(body: Body) -> Request<Body> {
    let request = Request::post("/v1/products:batchGet");
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request.body(body).unwrap()
}

type Part = Result<&'static str, std::io::Error>;

/// A body of which the sender has the parts.
fn body() -> (mpsc::UnboundedSender<Part>, Body) {
    let (sender, parts) = mpsc::unbounded();
    (sender, Body::from_stream(parts))
}

async fn code(answer: Response<Body>) -> String {
    let problem: Value = serde_json::from_str(&text(answer).await).unwrap();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn who_sends_a_body_slowly_takes_no_place_from_others() {
    let store = Store::with(|app| app.limits.in_flight = 1);
    let (sender, parts) = body();
    let mut slow = Box::pin(store.answer(batch(parts)));
    assert!(slow.as_mut().now_or_never().is_none());
    let other = || store.send(Request::get("/v1/states"));
    assert_eq!(other().await.status(), StatusCode::OK);
    sender.unbounded_send(Ok("{\"ids\":[")).unwrap();
    assert!(slow.as_mut().now_or_never().is_none());
    assert_eq!(other().await.status(), StatusCode::OK);
    sender.unbounded_send(Ok("\"1\"]}")).unwrap();
    drop(sender);
    assert_eq!(slow.await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_whole_needs_a_place_again() {
    let store = Store::with(|app| app.limits.in_flight = 1);
    let (sender, parts) = body();
    let mut slow = Box::pin(store.answer(batch(parts)));
    assert!(slow.as_mut().now_or_never().is_none());
    store.database.set(Mood::Hangs);
    let mut other = Box::pin(store.send(Request::get("/v1/products/1")));
    assert!(other.as_mut().now_or_never().is_none());
    sender.unbounded_send(Ok("{\"ids\":[\"2\"]}")).unwrap();
    drop(sender);
    let refusal = slow.now_or_never().expect("it is refused without waiting");
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(code(refusal).await, "overloaded");
    // While it is answered it has its place, and gives it back.
    drop(other);
    let (sender, parts) = body();
    sender.unbounded_send(Ok("{\"ids\":[\"2\"]}")).unwrap();
    drop(sender);
    let mut answering = Box::pin(store.answer(batch(parts)));
    assert!(answering.as_mut().now_or_never().is_none());
    let refusal = store.send(Request::get("/v1/states")).await;
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(answering);
    store.database.set(Mood::Answers);
    let status = store.send(Request::get("/v1/states")).await.status();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_the_doing_of_the_client() {
    let store = Store::new();
    let (_sender, parts) = body();
    assert_snapshot!(shown(store.answer(batch(parts)).await).await, @r#"
    408 Request Timeout
    cache-control: no-store
    connection: close
    content-length: 155
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#body_too_slow","title":"The body took too long","status":408,"detail":"the body did not arrive whole within 5 s","code":"body_too_slow"}
    "#);
    // Some of the time of a request is left for its answer, however little it has.
    let store = Store::with(|app| app.limits.request_timeout = Duration::from_secs(3));
    let (_sender, parts) = body();
    let answer = store.answer(batch(parts)).await;
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_no_body_that_is_too_large() {
    let store = Store::new();
    let (sender, parts) = body();
    sender.unbounded_send(Ok("{\"ids\":[")).unwrap();
    let broken = std::io::ErrorKind::ConnectionReset;
    sender.unbounded_send(Err(broken.into())).unwrap();
    assert_snapshot!(shown(store.answer(batch(parts)).await).await, @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 188
    content-type: application/problem+json
    x-content-type-options: nosniff

    {"type":"/problems#body_broken","title":"The body broke off","status":400,"detail":"the body ended before its length was reached, or is not framed as its headers say","code":"body_broken"}
    "#);
    let large = batch(Body::from(vec![b' '; 1 << 17]));
    let answer = store.answer(large).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.headers()[header::CONNECTION], "close");
    assert_eq!(code(answer).await, "body_too_large");
}

#[tokio::test]
async fn bodies_over_a_connection_are_told_apart_as_well() {
    let head =
        "POST /v1/products:batchGet HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let store = Store::with(|app| app.limits.body_timeout = Duration::from_millis(100));
    let server = Server::start(store.routes.clone(), Limits::default()).await;
    let mut slow = server.connect().await;
    slow.send(format!("{head}content-length: 100\r\n\r\n{{\"ids\""))
        .await;
    let answer = slow.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");

    let server = Server::start(Store::new().routes, Limits::default()).await;
    let mut broken = server.connect().await;
    broken
        .send(format!("{head}transfer-encoding: chunked\r\n\r\nno length"))
        .await;
    let answer = broken.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("body_broken"), "{answer}");
}

#[tokio::test]
async fn a_sidecar_is_limited_by_those_whom_it_names() {
    let store = Store::with(|app| {
        let clock: Arc<dyn Clock> = Arc::new(Broken);
        limit_by(app, &clock);
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let stop = CancellationToken::new();
    let served = TaskTracker::new().spawn(serve(
        listener,
        store.routes,
        Limits::default(),
        stop.clone(),
    ));
    let ask = async |forwarded: &str| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let request =
            format!("GET /v1/states HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{forwarded}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer[9..12].to_owned()
    };
    for _ in 0..5 {
        assert_eq!(ask("").await, "200", "it is our own");
    }
    let (one, two) = (
        "x-forwarded-for: 203.0.113.1\r\n",
        "x-forwarded-for: 203.0.113.2\r\n",
    );
    for (client, status) in [(one, "200"), (one, "200"), (one, "429"), (two, "200")] {
        assert_eq!(ask(client).await, status, "{client}");
    }
    stop.cancel();
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_memory_has_is_answered_whatever_else_is_under_way() {
    for is_limited in [false, true] {
        let store = Store::with(|app| {
            app.limits.in_flight = 1;
            if is_limited {
                let limits = RateLimits {
                    look_ups: Some(rate(1000, 1000)),
                    writes: None,
                    clients: 8,
                };
                app.edge.rates = Rates::new(&limits, &app.clock);
            }
        });
        let ask = |uri: &'static str| store.send(Request::get(uri));
        assert_eq!(ask("/v1/products/1").await.status(), StatusCode::OK);
        store.database.set(Mood::Hangs);
        let mut waiting = Box::pin(ask("/v1/products/2"));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(ask("/v1/products/1").await.status(), StatusCode::OK);
        let refused = ask("/v1/products/3").await.status();
        assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    }
}
