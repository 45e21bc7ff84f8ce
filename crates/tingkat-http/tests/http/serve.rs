//! The server under the routes, over real connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use tingkat_http::edge::{Proxies, ProxyHeader};
use tingkat_http::{Limits, Listener};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

use crate::store::Store;
use crate::wire::{Server, patiently};

/// A route that tells when it is entered, and answers when it is told to.
#[derive(Clone, Default)]
struct Gate {
    entered: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    fn routes(&self) -> Router {
        let gate = self.clone();
        let slow = async move || {
            gate.entered.notify_one();
            gate.open.notified().await;
            "at last"
        };
        Router::new()
            .route("/slow", get(slow))
            .route("/fast", get(async || "at once"))
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_nothing_new_is_taken() {
    let gate = Gate::default();
    let server = Server::start(gate.routes(), Limits::default()).await;
    let address = server.address;

    let mut idle = server.connect().await;
    assert!(idle.get("/fast").await.starts_with("HTTP/1.1 200"));
    let silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    patiently(gate.entered.notified()).await;

    server.stop();
    assert_eq!(
        idle.rest().await,
        "",
        "an idle connection is closed at once"
    );
    assert_eq!(silent.rest().await, "", "so is one that never asked");
    patiently(async { while TcpStream::connect(address).await.is_ok() {} }).await;

    gate.open.notify_one();
    let answer = busy.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with("at last"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_when_the_drain_is_over() {
    let gate = Gate::default();
    let limits = Limits {
        drain_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::start(gate.routes(), limits).await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    patiently(gate.entered.notified()).await;
    server.stop();
    server.stopped().await;
    assert_eq!(busy.rest().await, "");
}

#[tokio::test]
async fn who_sent_a_request_before_the_end_is_answered() {
    let gate = Gate::default();
    let server = Server::start(gate.routes(), Limits::default()).await;
    let mut known = server.connect().await;
    assert!(known.get("/fast").await.ends_with("at once"));

    // From here to the end the server has no turn: it has seen nothing of this when it stops.
    let request = "GET /fast HTTP/1.1\r\nhost: x\r\n\r\n";
    known.send_at_once(request);
    let new = server.connect_at_once(request);
    server.stop();
    for client in [known, new] {
        let answer = client.rest().await;
        assert!(answer.ends_with("at once"), "{answer}");
    }
    server.stopped().await;
}

/// The beginning of a head.
const SLOW: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ";

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up_before_an_idle_connection_is() {
    let limits = Limits {
        head_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::start(Store::new().routes, limits).await;
    let mut idle = server.connect().await;
    assert!(idle.get("/livez").await.starts_with("HTTP/1.1 200"));
    let silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.send(SLOW).await;
    let mut later = server.connect().await;
    assert!(later.get("/livez").await.starts_with("HTTP/1.1 200"));
    later.send(SLOW).await;
    for client in [silent, slow, later] {
        assert_eq!(client.rest().await, "");
    }
    assert!(idle.get("/livez").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::start(Store::new().routes, limits).await;
    let mut idle = server.connect().await;
    assert!(idle.get("/livez").await.starts_with("HTTP/1.1 200"));
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn slow_heads_give_the_places_of_connections_back() {
    let limits = Limits {
        connections: 3,
        head_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = Server::start(Store::new().routes, limits).await;
    let mut slow = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        client.send(SLOW).await;
        slow.push(client);
    }
    let mut late = server.connect().await;
    assert!(late.get("/livez").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_address_does_not_take_the_connections_of_others() {
    let limits = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let server = Server::start(Store::new().routes, limits).await;
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send(SLOW).await;
        greedy.push(client);
    }
    let third = server.connect().await;
    assert_eq!(third.rest().await, "", "it is closed at once");
    let mut other = server.connect_from("127.0.0.2").await;
    assert!(other.get("/livez").await.starts_with("HTTP/1.1 200"));
    // Those that it has are served on, and one that ends makes room.
    let mut first = greedy.pop().unwrap();
    first.send("\r\n\r\n").await;
    assert!(first.response().await.starts_with("HTTP/1.1 200"));
    drop(first);
    patiently(async {
        loop {
            let mut again = server.connect().await;
            let request = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            // It may be closed while this is sent.
            if again.try_send(request).await && again.rest().await.starts_with("HTTP/1.1 200") {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxy_has_as_many_connections_as_it_likes() {
    let limits = Limits {
        connections_per_address: 1,
        ..Limits::default()
    };
    let proxies = Proxies::new(["127.0.0.1".parse().unwrap()], ProxyHeader::default());
    let trust = |listener: Listener| listener.trusting(&proxies);
    let server = Server::with(Store::new().routes, limits, trust).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        assert!(client.get("/livez").await.starts_with("HTTP/1.1 200"));
        clients.push(client);
    }
    let first = server.connect_from("127.0.0.2").await;
    assert_eq!(server.connect_from("127.0.0.2").await.rest().await, "");
    drop(first);
}

#[tokio::test]
async fn a_client_that_never_reads_its_answer_is_cut() {
    /// Tells when nobody holds the answer any more.
    struct Answer(Vec<u8>, Arc<Notify>);
    impl AsRef<[u8]> for Answer {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Answer {
        fn drop(&mut self) {
            self.1.notify_one();
        }
    }
    // More than the kernel holds for both ends.
    const LONG: usize = 64 << 20;
    let gone = Arc::new(Notify::new());
    let routes = Router::new().route("/long", {
        let gone = Arc::clone(&gone);
        get(async move || Bytes::from_owner(Answer(vec![b'x'; LONG], Arc::clone(&gone))))
    });
    let limits = Limits {
        send_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::start(routes, limits).await;
    let mut deaf = server.connect().await;
    deaf.send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await;
    patiently(gone.notified()).await;
    let rest = deaf.rest().await;
    assert!(rest.starts_with("HTTP/1.1 200") && rest.len() < LONG);
    // Whoever reads has all of it.
    let mut reader = server.connect().await;
    let answer = reader.get("/long").await;
    assert!(answer.len() > LONG);
}

#[tokio::test]
async fn a_head_of_ten_thousand_headers_is_refused() {
    let server = Server::start(Store::new().routes, Limits::default()).await;
    let many = "a:b\r\n".repeat(10_000);
    let few_bytes = "a:b\r\n".repeat(101);
    let one = format!("x: {}\r\n", "y".repeat(40_000));
    for headers in [many, few_bytes, one] {
        let mut client = server.connect().await;
        client
            .send(format!("GET /livez HTTP/1.1\r\nhost: x\r\n{headers}\r\n"))
            .await;
        let answer = client.response().await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert!(
        server
            .connect()
            .await
            .get("/livez")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_no_other() {
    let server = Server::start(Store::new().routes, Limits::default()).await;
    let mut bystander = server.connect().await;
    assert!(bystander.get("/livez").await.starts_with("HTTP/1.1 200"));

    let mut client = server.connect().await;
    client.send("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n\u{0}\u{1}garbage\r\n\r\nGET /livez HTTP/1.1\r\n\r\n").await;
    assert!(client.response().await.starts_with("HTTP/1.1 200"));
    let rest = client.rest().await;
    assert!(rest.starts_with("HTTP/1.1 400"), "{rest}");
    assert_eq!(rest.matches("HTTP/1.1").count(), 1, "{rest}");

    assert!(bystander.get("/livez").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start(Store::new().routes, Limits::default()).await;
    let mut client = server.connect().await;
    let request = |uri| format!("GET {uri} HTTP/1.1\r\nhost: x\r\n\r\n");
    client
        .send(
            ["/livez", "/nowhere", "/v1/postcodes/50450"]
                .map(request)
                .concat(),
        )
        .await;
    assert!(client.response().await.contains("alive"));
    assert!(client.response().await.contains("route_unknown"));
    assert!(client.response().await.contains("Kuala Lumpur"));
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_not_waited_for() {
    let server = Server::start(Store::new().routes, Limits::default()).await;
    let refusals = [
        ("POST", "content-length: 9999999", "413"),
        ("POST", "content-length: 1000", "405"),
        ("PATCH", "transfer-encoding: chunked", "405"),
    ];
    for (method, header, status) in refusals {
        let mut client = server.connect().await;
        client
            .send(format!(
                "{method} /v1/states HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n"
            ))
            .await;
        let answer = client.response().await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{header}: {answer}"
        );
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert_eq!(
            client.rest().await,
            "",
            "the rest of the body is not awaited"
        );
    }
}

#[tokio::test]
async fn a_head_has_the_length_of_the_body_that_it_does_not_have() {
    let server = Server::start(Store::new().routes, Limits::default()).await;
    for uri in ["/v1/states", "/nowhere", "/"] {
        let mut client = server.connect().await;
        let length = |answer: &str| {
            let line = answer
                .lines()
                .find(|line| line.starts_with("content-length"));
            line.map(str::to_owned)
        };
        let get = length(&client.get(uri).await);
        client
            .send(format!(
                "HEAD {uri} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            ))
            .await;
        let head = client.rest().await;
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        assert!(get.is_some());
        assert_eq!(length(&head), get);
    }
}

#[tokio::test]
async fn a_connection_lives_on_after_an_answer_without_a_body() {
    let server = Server::start(Store::new().routes, Limits::default()).await;
    let mut client = server.connect().await;
    client
        .send("GET /v1/states HTTP/1.1\r\nhost: x\r\nif-none-match: *\r\n\r\n")
        .await;
    let answer = client.response().await;
    assert!(answer.starts_with("HTTP/1.1 304"), "{answer}");
    assert!(
        client
            .get("/livez")
            .await
            .ends_with(r#"{"status":"alive"}"#)
    );
}

#[tokio::test]
async fn at_the_cap_a_connection_waits_for_a_place() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let gate = Gate::default();
    let entered = Arc::new(Semaphore::new(0));
    let routes = gate.routes().route("/count", {
        let entered = Arc::clone(&entered);
        get(async move || {
            entered.add_permits(1);
            "counted"
        })
    });
    let server = Server::start(routes, limits).await;
    let mut first = server.connect().await;
    assert!(first.get("/fast").await.ends_with("at once"));
    let mut second = server.connect().await;
    second.send("GET /count HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // The server goes on with the first, and does not take the second.
    for _ in 0..10 {
        assert!(first.get("/fast").await.ends_with("at once"));
    }
    assert_eq!(entered.available_permits(), 0);
    drop(first);
    assert!(second.response().await.ends_with("counted"));
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    struct Ended(Arc<Notify>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (entered, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let routes = Router::new().route("/", {
        let (entered, ended) = (Arc::clone(&entered), Arc::clone(&ended));
        get(async move || {
            let _ended = Ended(ended);
            entered.notify_one();
            std::future::pending::<()>().await;
        })
    });
    let server = Server::start(routes, Limits::default()).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    patiently(entered.notified()).await;
    drop(client);
    patiently(ended.notified()).await;
}
