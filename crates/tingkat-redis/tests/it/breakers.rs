//! Breakers before a real server: they open on failures, cost nothing while open, and close by
//! probes of their own.

use std::sync::Arc;
use std::time::Duration;

use tingkat::Tier;
use tingkat::breaker::{self, State};
use tingkat::clock::SystemClock;
use tingkat::event::Event;
use tingkat::ports::Clock as _;
use tingkat_faults::{Direction, Proxy};
use tingkat_testkit::{Redis, eventually};
use tokio::sync::mpsc;

use crate::nodes::{Prices, answer, has_filled, node, shop, tier};
use crate::server::{calls_of, keys};
use crate::stage::{HURRY, PREFIX, SOON, connected, hasty, is_up, patient, start, why_down};

/// Opens at the fifth failure, and is probed after `open_for` again and again.
fn breaker(open_for: Duration) -> breaker::Config {
    breaker::Config {
        slow: SOON,
        open_for,
        open_for_most: open_for,
        ..breaker::Config::default()
    }
}

/// Looks up keys that nobody has, until the breaker of a node is open; counts them.
async fn failures_until_open(cache: &tingkat::Cache<String, String>) -> usize {
    for failures in 1..=100 {
        assert_eq!(tier(cache, &format!("cold {failures}")).await, Tier::Source);
        if cache.node().breaker() == Some(State::Open) {
            return failures;
        }
    }
    panic!("still closed");
}

/// An answer after this long is as bad as none.
const SLOW: Duration = Duration::from_millis(50);

/// A node whose server answers through a proxy, and whose breaker minds slow answers.
async fn behind(proxy: &Proxy, server: &Redis, open_for: Duration) -> tingkat::Node {
    let remote = start(patient(&server.url_at(proxy.addr().port())));
    is_up(&remote).await;
    let breaker = breaker::Config {
        slow: SLOW,
        ..breaker(open_for)
    };
    node(remote).remote_budget(SOON).breaker(breaker).build()
}

#[tokio::test]
async fn a_black_hole_costs_a_few_requests_their_budget_and_then_nobody_anything() {
    let server = Redis::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let remote = Arc::new(start(hasty(&server.url_at(proxy.addr().port()))));
    is_up(&remote).await;
    let node = tingkat::Node::builder()
        .prefix(PREFIX)
        .remote(Arc::<tingkat_redis::Redis>::clone(&remote))
        .remote_budget(2 * HURRY)
        .breaker(breaker(Duration::from_hours(1)))
        .build();
    let cache = Prices::new().cache(&node);

    proxy.pause(Direction::Both);
    let mut waited = 0;
    for n in 0..100 {
        let since = SystemClock.now();
        answer(&cache, &format!("cold {n}")).await;
        waited += usize::from(SystemClock.now().since(since) >= HURRY * 9 / 10);
    }
    assert!(
        (1..=5).contains(&waited),
        "{waited} waited for the black hole"
    );

    proxy.heal().await.unwrap();
    is_up(&remote).await;
    answer(&cache, "mug").await;
    has_filled(&cache, 1).await;
}

#[tokio::test]
async fn a_slow_server_opens_the_breaker_and_then_costs_nothing() {
    let server = Redis::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let node = behind(&proxy, &server, Duration::from_hours(1)).await;
    let prices = Prices::new();
    let cache = prices.cache(&node);

    proxy.delay(Direction::Down, 2 * SLOW, Duration::ZERO);
    assert!(failures_until_open(&cache).await <= 5);

    // The network heals; the breaker does not know it yet.
    proxy.heal().await.unwrap();
    let (gets, asked) = (calls_of(&server, "get").await, prices.asked());
    for n in 0..100 {
        assert_eq!(tier(&cache, &format!("open {n}")).await, Tier::Source);
    }
    assert_eq!(calls_of(&server, "get").await, gets);
    assert_eq!(prices.asked(), asked + 100);
    assert_eq!(node.breaker(), Some(State::Open));
}

#[tokio::test]
async fn a_breaker_closes_by_pings_of_its_own_when_the_network_heals() {
    let server = Redis::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let node = behind(&proxy, &server, Duration::from_millis(100)).await;
    let cache = Prices::new().cache(&node);
    proxy.delay(Direction::Down, 2 * SLOW, Duration::ZERO);
    failures_until_open(&cache).await;

    // Whoever asks the server directly is not behind the proxy.
    let pings = calls_of(&server, "ping").await;
    proxy.heal().await.unwrap();
    eventually(SOON, async || node.breaker() == Some(State::Closed))
        .await
        .unwrap();
    // Two in a row that went well.
    assert!(calls_of(&server, "ping").await >= pings + 2);
    answer(&cache, "mug").await;
    eventually(SOON, async || {
        keys(&server, "shop:c:*:mug").await.len() == 1
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_full_server_opens_the_breaker_for_writes_alone_and_closes_it_when_there_is_room() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    for key in ["mug", "cup"] {
        answer(&first, key).await;
    }
    has_filled(&first, 2).await;
    let (tell, mut events) = mpsc::unbounded_channel();
    let node = node(connected(&server.url()).await)
        .breaker(breaker(Duration::from_millis(100)))
        .on_event(move |event| {
            if let Event::Breaker {
                state,
                writes,
                error,
            } = event
            {
                let _ = tell.send((state, writes, error.map(str::to_owned)));
            }
        })
        .build();
    let prices = Prices::new();
    let cache = prices.cache(&node);
    let memory = async |bytes: &str| {
        let command = ["CONFIG", "SET", "maxmemory", bytes];
        server.cmd(&command).await.unwrap();
    };

    memory("1").await;
    // A load is refused its lease and its fill, so that the fifth load is late enough.
    let mut loads = 0;
    while events.is_empty() {
        assert_eq!(tier(&cache, &format!("cold {loads}")).await, Tier::Source);
        loads += 1;
        assert!(loads <= 5, "still closed");
    }
    let (state, writes, error) = events.recv().await.unwrap();
    assert_eq!((state, writes), (State::Open, true));
    assert!(error.unwrap().contains("OOM"));
    for key in ["mug", "cup"] {
        assert_eq!(tier(&cache, key).await, Tier::Remote);
    }
    assert_eq!(node.breaker(), Some(State::Closed), "the one for reads");
    // Who may not write does not try, and loads on.
    let scripts = calls_of(&server, "evalsha").await;
    assert_eq!(tier(&cache, "jug").await, Tier::Source);
    assert_eq!(calls_of(&server, "evalsha").await, scripts);

    memory("0").await;
    let closed = tokio::time::timeout(SOON, events.recv()).await.unwrap();
    assert_eq!(closed, Some((State::Closed, true, None)));
    answer(&cache, "pot").await;
    has_filled(&cache, 1).await;
    assert!(keys(&server, "shop:c:*:pot").await.len() == 1);
}

#[tokio::test]
async fn a_server_that_is_not_connected_yet_has_failed_nobody() {
    let server = Redis::start().await.unwrap();
    server.kill();
    let remote = Arc::new(start(patient(&server.url())));
    let node = tingkat::Node::builder()
        .prefix(PREFIX)
        .remote(Arc::<tingkat_redis::Redis>::clone(&remote))
        .breaker(breaker(Duration::from_hours(1)))
        .build();
    let cache = Prices::new().cache(&node);
    for n in 0..100 {
        assert_eq!(tier(&cache, &format!("cold {n}")).await, Tier::Source);
    }
    assert_eq!(node.breaker(), Some(State::Closed));

    server.restart().await.unwrap();
    is_up(&remote).await;
    answer(&cache, "mug").await;
    has_filled(&cache, 1).await;
}

#[tokio::test]
async fn a_killed_server_costs_no_round_trip_and_is_used_as_soon_as_it_is_back() {
    let server = Redis::start().await.unwrap();
    let remote = Arc::new(connected(&server.url()).await);
    let node = tingkat::Node::builder()
        .prefix(PREFIX)
        .remote(Arc::<tingkat_redis::Redis>::clone(&remote))
        .breaker(breaker(Duration::from_hours(1)))
        .build();
    let cache = Prices::new().cache(&node);
    answer(&cache, "mug").await;
    has_filled(&cache, 1).await;

    server.kill();
    why_down(&remote).await;
    for n in 0..100 {
        let answer = answer(&cache, &format!("cold {n}")).await;
        assert!(!answer.trail().searched_remote);
    }
    assert_eq!(tier(&cache, "mug").await, Tier::Memory);
    assert_eq!(node.breaker(), Some(State::Closed));

    server.restart().await.unwrap();
    is_up(&remote).await;
    answer(&cache, "jug").await;
    has_filled(&cache, 2).await;
}
