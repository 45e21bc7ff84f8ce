//! Each fault as a client sees it, and how it heals.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy allows these in tests, but not in what tests share"
)]

mod echo;

use std::io::ErrorKind;
use std::time::Duration;

use tingkat_faults::{Direction, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::echo::{Echo, QUIET, deadline, end_of, exchange, hears, is_silent};

async fn proxied() -> (Echo, Proxy) {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.addr().to_string()).await.unwrap();
    (echo, proxy)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    deadline(TcpStream::connect(proxy.addr())).await.unwrap()
}

#[tokio::test]
async fn without_a_fault_bytes_pass_and_are_counted() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"hello").await;
    exchange(&mut client, &vec![7; 100_000]).await;
    let counters = proxy.counters();
    assert_eq!((counters.accepted, counters.turned_away), (1, 0));
    assert_eq!(counters.open, 1);
    assert_eq!(counters.bytes_up, 100_005);
    assert_eq!(counters.bytes_down, 100_005);
}

#[tokio::test]
async fn the_end_of_a_request_reaches_the_upstream_and_the_answer_still_comes_back() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    client.write_all(b"last words").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = Vec::new();
    deadline(client.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"last words");
}

#[tokio::test]
async fn a_refusing_proxy_refuses_new_connections_and_carries_open_ones() {
    let (_echo, proxy) = proxied().await;
    let mut open = connect(&proxy).await;
    exchange(&mut open, b"before").await;

    proxy.refuse().await.unwrap();
    for _ in 0..3 {
        let refused = deadline(TcpStream::connect(proxy.addr()))
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    exchange(&mut open, b"during").await;

    proxy.heal().await.unwrap();
    exchange(&mut connect(&proxy).await, b"after, on the same port").await;
}

#[tokio::test]
async fn the_port_of_a_refusing_proxy_is_not_free() {
    let (_echo, proxy) = proxied().await;
    proxy.refuse().await.unwrap();
    // Without SO_REUSEADDR, as the kernel looks when it is asked for any free port.
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    let taken = other.bind(proxy.addr()).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn healing_says_when_somebody_took_the_port_and_works_once_it_is_free() {
    let (_echo, proxy) = proxied().await;
    proxy.refuse().await.unwrap();
    let Ok(thief) = std::net::TcpListener::bind(proxy.addr()) else {
        return; // Not on Linux: here nobody can take a port that the proxy holds.
    };
    let failed = proxy.heal().await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::AddrInUse);

    drop(thief);
    proxy.heal().await.unwrap();
    exchange(&mut connect(&proxy).await, b"after").await;
}

#[tokio::test]
async fn a_resetting_proxy_resets_open_and_new_connections() {
    let (_echo, proxy) = proxied().await;
    let mut open = connect(&proxy).await;
    exchange(&mut open, b"before").await;

    proxy.reset().await.unwrap();
    assert_eq!(end_of(&mut open).await, Err(ErrorKind::ConnectionReset));
    let mut new = connect(&proxy).await;
    assert_eq!(end_of(&mut new).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(proxy.counters().turned_away, 1);
    assert_eq!(proxy.counters().open, 0);

    proxy.heal().await.unwrap();
    exchange(&mut connect(&proxy).await, b"after").await;
}

#[tokio::test]
async fn a_proxy_that_refuses_can_be_told_to_reset_instead() {
    let (_echo, proxy) = proxied().await;
    proxy.refuse().await.unwrap();
    proxy.reset().await.unwrap();
    let mut new = connect(&proxy).await;
    assert_eq!(end_of(&mut new).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn down_resets_what_is_open_and_refuses_what_is_new() {
    let (_echo, proxy) = proxied().await;
    let mut open = connect(&proxy).await;
    exchange(&mut open, b"before").await;

    proxy.down().await.unwrap();
    assert_eq!(end_of(&mut open).await, Err(ErrorKind::ConnectionReset));
    let refused = deadline(TcpStream::connect(proxy.addr()))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    proxy.heal().await.unwrap();
    exchange(&mut connect(&proxy).await, b"after").await;
}

#[tokio::test]
async fn a_paused_request_is_held_and_arrives_after_healing() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"before").await;
    let carried = proxy.counters().bytes_up;

    proxy.pause(Direction::Up);
    client.write_all(b"held").await.unwrap();
    assert!(is_silent(&mut client).await);
    assert_eq!(
        proxy.counters().bytes_up,
        carried,
        "the upstream must not see it"
    );

    proxy.heal().await.unwrap();
    hears(&mut client, b"held").await;
}

#[tokio::test]
async fn a_paused_reply_is_held_though_the_request_arrives() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"before").await;
    let carried = proxy.counters().bytes_up;

    proxy.pause(Direction::Down);
    client.write_all(b"held").await.unwrap();
    assert!(is_silent(&mut client).await);
    assert_eq!(proxy.counters().bytes_up, carried + 4);

    proxy.heal().await.unwrap();
    hears(&mut client, b"held").await;
}

#[tokio::test]
async fn a_paused_proxy_still_accepts_and_answers_nothing() {
    let (_echo, proxy) = proxied().await;
    proxy.pause(Direction::Both);
    let mut client = connect(&proxy).await;
    client.write_all(b"anyone there?").await.unwrap();
    assert!(is_silent(&mut client).await);
    proxy.heal().await.unwrap();
    hears(&mut client, b"anyone there?").await;
}

#[tokio::test]
async fn a_sender_feels_that_a_direction_is_paused() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    proxy.pause(Direction::Up);
    // More than the kernel's buffers on the way can ever hold.
    let flood = vec![1; 64 << 20];
    let sent = tokio::time::timeout(QUIET, client.write_all(&flood)).await;
    assert!(sent.is_err(), "a paused direction must not swallow bytes");
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a delay of real sockets can only be seen on the real clock"
)]
async fn a_delayed_reply_is_late_and_healing_ends_the_wait() {
    const DELAY: Duration = Duration::from_millis(60);
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;

    proxy.delay(Direction::Down, DELAY, Duration::from_millis(5));
    let sent_at = std::time::Instant::now();
    exchange(&mut client, b"late").await;
    assert!(sent_at.elapsed() >= DELAY);

    proxy.delay(Direction::Both, Duration::from_hours(1), Duration::ZERO);
    client.write_all(b"very late").await.unwrap();
    assert!(is_silent(&mut client).await);
    proxy.heal().await.unwrap();
    hears(&mut client, b"very late").await;
}

#[tokio::test]
async fn a_cut_ends_each_connection_in_the_middle_of_a_reply() {
    let (_echo, proxy) = proxied().await;
    let mut open = connect(&proxy).await;
    exchange(&mut open, b"before").await;

    proxy.cut_after(Direction::Down, 10);
    exchange(&mut open, b"12345").await;
    open.write_all(b"0123456789").await.unwrap();
    assert_eq!(end_of(&mut open).await, Ok(b"01234".to_vec()));

    let mut new = connect(&proxy).await;
    new.write_all(b"a new connection has its own ten bytes")
        .await
        .unwrap();
    assert_eq!(end_of(&mut new).await, Ok(b"a new conn".to_vec()));

    proxy.heal().await.unwrap();
    exchange(&mut connect(&proxy).await, b"longer than ten bytes").await;
}

#[tokio::test]
async fn a_request_can_be_cut_and_a_second_order_counts_afresh() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    proxy.cut_after(Direction::Up, 4);
    exchange(&mut client, b"abc").await;
    proxy.cut_after(Direction::Up, 4);
    client.write_all(b"defghi").await.unwrap();
    // The answer may be lost with the connection; what was cut off cannot be answered.
    let rest = end_of(&mut client).await.unwrap();
    assert!(b"defg".starts_with(&rest), "{rest:?}");
    assert_eq!(proxy.counters().bytes_up, 7);
}

#[tokio::test]
async fn half_closing_replies_ends_them_and_lets_requests_through() {
    let (_echo, proxy) = proxied().await;
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"before").await;
    let carried = proxy.counters().bytes_up;

    proxy.half_close(Direction::Down);
    assert_eq!(end_of(&mut client).await, Ok(Vec::new()));
    // More than all buffers hold: the answers must be taken off the upstream's hands.
    let flood = vec![1; 32 << 20];
    deadline(client.write_all(&flood)).await.unwrap();
    deadline(async {
        while proxy.counters().bytes_up != carried + flood.len() as u64 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    exchange(&mut connect(&proxy).await, b"new ones are whole").await;
}

#[tokio::test]
async fn severed_connections_are_closed_and_new_ones_carried() {
    let (_echo, proxy) = proxied().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = connect(&proxy).await;
        exchange(&mut client, b"before").await;
        clients.push(client);
    }
    assert_eq!(proxy.counters().open, 3);

    proxy.sever().await;
    assert_eq!(proxy.counters().open, 0);
    for mut client in clients {
        assert_eq!(end_of(&mut client).await, Ok(Vec::new()));
    }
    exchange(&mut connect(&proxy).await, b"after, without healing").await;
}

#[tokio::test]
async fn a_fault_is_switched_from_another_task_through_a_control() {
    let (_echo, proxy) = proxied().await;
    let control = proxy.control();
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"before").await;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { control.down().await });
    deadline(tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(end_of(&mut client).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_client_is_reset_when_the_upstream_is_dead() {
    let (echo, proxy) = proxied().await;
    drop(echo);
    let mut client = connect(&proxy).await;
    assert_eq!(end_of(&mut client).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn one_connection_too_many_is_reset_and_the_others_live() {
    let (_echo, proxy) = proxied().await;
    let mut first = connect(&proxy).await;
    exchange(&mut first, b"first").await;

    proxy.limit(1);
    let mut extra = connect(&proxy).await;
    assert_eq!(end_of(&mut extra).await, Err(ErrorKind::ConnectionReset));
    exchange(&mut first, b"still here").await;

    proxy.heal().await.unwrap();
    exchange(&mut connect(&proxy).await, b"room again").await;
}

#[tokio::test]
async fn a_dropped_or_stopped_proxy_closes_everything() {
    let (echo, proxy) = proxied().await;
    let (addr, control) = (proxy.addr(), proxy.control());
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"before").await;
    proxy.stop().await;
    assert_eq!(control.counters().open, 0);
    assert_eq!(end_of(&mut client).await, Ok(Vec::new()));
    assert!(
        control.heal().await.is_err(),
        "it must not wait for a dead proxy"
    );
    let refused = deadline(TcpStream::connect(addr)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let proxy = Proxy::start(echo.addr().to_string()).await.unwrap();
    let mut client = connect(&proxy).await;
    exchange(&mut client, b"before").await;
    drop(proxy);
    assert_eq!(end_of(&mut client).await, Ok(Vec::new()));
}
