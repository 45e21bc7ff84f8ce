//! A network that refuses, resets, swallows, cuts and dawdles.

use std::time::Duration;

use bytes::Bytes;
use tingkat::clock::SystemClock;
use tingkat::error::RemoteErrorKind;
use tingkat::ports::{Clock as _, Remote};
use tingkat_faults::{Direction, Proxy};
use tingkat_redis::{Redis as Tier, State};
use tingkat_testkit::{Redis, eventually};

use crate::outages::fails_at_once;
use crate::server::bytes_of;
use crate::stage::{
    HURRY, LONG, SOON, hasty, is_up, kind, patient, set, start, why_down, why_down_as, within,
};

/// A server, the proxy before it, and the URL of the proxy.
async fn proxied() -> (Redis, Proxy, String) {
    let server = Redis::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let url = server.url_at(proxy.addr().port());
    (server, proxy, url)
}

async fn up(config: tingkat_redis::Config) -> Tier {
    let redis = start(config);
    is_up(&redis).await;
    redis
}

#[tokio::test]
async fn a_port_that_refuses_is_tried_until_it_opens() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    proxy.down().await.unwrap();
    let why = why_down_as(&redis, "refused").await;
    fails_at_once(&redis);
    assert!(!why.is_empty());

    proxy.heal().await.unwrap();
    is_up(&redis).await;
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn a_reset_ends_the_calls_under_way() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    proxy.pause(Direction::Both);
    let reads = within(HURRY, redis.get("k"));
    let cells = vec![("k".to_owned(), Bytes::from("cell"), LONG)];
    let writes = within(HURRY, redis.set_many(cells));
    let (read, written, reset) = tokio::join!(reads, writes, proxy.reset());
    reset.unwrap();
    assert_eq!(kind(read), RemoteErrorKind::Disconnected);
    assert_eq!(kind(written), RemoteErrorKind::Disconnected);
    why_down(&redis).await;
    fails_at_once(&redis);

    proxy.heal().await.unwrap();
    is_up(&redis).await;
    assert_eq!(redis.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_black_hole_costs_three_calls_their_time_and_the_rest_nothing() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(hasty(&url)).await;
    proxy.pause(Direction::Both);
    for _ in 0..3 {
        assert_eq!(*redis.state().borrow(), State::Up);
        let answer = within(HURRY, redis.get("k")).await;
        assert_eq!(kind(answer), RemoteErrorKind::Timeout);
    }
    fails_at_once(&redis);
    // Also a new connection that nobody answers is given up.
    why_down_as(&redis, "no answer within").await;
    fails_at_once(&redis);

    proxy.heal().await.unwrap();
    is_up(&redis).await;
    eventually(SOON, async || redis.ping().await.is_ok())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_black_hole_at_the_start_is_named() {
    let (_server, proxy, url) = proxied().await;
    proxy.pause(Direction::Both);
    let redis = start(hasty(&url));
    why_down_as(&redis, "no answer within").await;
    proxy.heal().await.unwrap();
    is_up(&redis).await;
}

#[tokio::test]
async fn a_command_whose_answer_is_lost_may_have_been_carried_out() {
    let (server, proxy, url) = proxied().await;
    let redis = up(hasty(&url)).await;
    proxy.pause(Direction::Down);
    let set = redis.set_if_absent("k", Bytes::from("cell"), LONG);
    assert_eq!(kind(within(HURRY, set).await), RemoteErrorKind::Timeout);
    assert_eq!(bytes_of(&server, "k").await.unwrap(), "cell");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_never_half_a_cell() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    let large = Bytes::from(vec![b'x'; 100_000]);
    set(&redis, "k", large.clone()).await;
    proxy.cut_after(Direction::Down, 50_000);
    let answer = within(HURRY, redis.get("k")).await;
    assert_eq!(kind(answer), RemoteErrorKind::Disconnected);

    proxy.heal().await.unwrap();
    is_up(&redis).await;
    assert_eq!(redis.get("k").await.unwrap().unwrap(), large);
}

#[tokio::test]
async fn a_command_that_is_cut_ends_at_once() {
    let (server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    proxy.cut_after(Direction::Up, 50_000);
    let large = Bytes::from(vec![b'x'; 100_000]);
    let set = redis.set_if_absent("k", large, LONG);
    assert_eq!(
        kind(within(HURRY, set).await),
        RemoteErrorKind::Disconnected
    );
    proxy.heal().await.unwrap();
    is_up(&redis).await;
    assert_eq!(bytes_of(&server, "k").await, None);
}

#[tokio::test]
async fn a_slow_network_is_waited_for_as_long_as_allowed() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    set(&redis, "k", "cell").await;
    let (slow, started) = (Duration::from_millis(80), SystemClock.now());
    proxy.delay(Direction::Down, slow, Duration::ZERO);
    assert_eq!(redis.get("k").await.unwrap().unwrap(), "cell");
    assert!(SystemClock.now().since(started) >= slow);
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_that_of_another_call() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(hasty(&url)).await;
    for key in ["a", "b"] {
        set(&redis, key, key).await;
    }
    proxy.pause(Direction::Down);
    let late = within(HURRY, redis.get("a")).await;
    assert_eq!(kind(late), RemoteErrorKind::Timeout);
    proxy.heal().await.unwrap();
    eventually(SOON, async || match redis.get("b").await {
        Ok(found) => {
            assert_eq!(found.unwrap(), "b");
            true
        }
        Err(_) => false,
    })
    .await
    .unwrap();
    assert_eq!(proxy.counters().accepted, 1, "over the same connection");
}

#[tokio::test]
async fn an_idle_connection_that_is_closed_is_made_again_without_a_call() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    for round in 2..=3 {
        if round == 2 {
            proxy.sever().await;
        } else {
            proxy.half_close(Direction::Down);
        }
        eventually(SOON, async || proxy.counters().accepted == round)
            .await
            .unwrap();
        is_up(&redis).await;
        eventually(SOON, async || redis.ping().await.is_ok())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_server_that_closes_each_connection_is_asked_ever_more_rarely() {
    let (_server, proxy, url) = proxied().await;
    let redis = up(patient(&url)).await;
    // Enough to log in, and not a byte more.
    let greeting = proxy.counters().bytes_down;
    proxy.cut_after(Direction::Down, greeting);
    let started = SystemClock.now();
    proxy.sever().await;
    eventually(SOON, async || proxy.counters().accepted >= 6)
        .await
        .unwrap();
    // Half of 50, 100, 200 and 400 ms.
    let took = SystemClock.now().since(started);
    assert!(took >= Duration::from_millis(375), "{took:?}");

    proxy.heal().await.unwrap();
    eventually(SOON, async || redis.ping().await.is_ok())
        .await
        .unwrap();
}
