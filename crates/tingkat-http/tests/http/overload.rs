//! Too much: of one client, and of all together.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use futures::FutureExt as _;
use serde_json::Value;
use tingkat::ports::Clock;
use tingkat_http::edge::{Proxies, ProxyHeader, Rate, RateLimits, Rates};
use tingkat_http::{App, Limits, Scope, Tokens};

use crate::store::{Broken, Mood, Store, header_of, text};
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
