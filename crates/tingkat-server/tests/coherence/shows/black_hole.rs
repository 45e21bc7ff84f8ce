//! A Redis that swallows everything costs each request its budget, and after a few of them nothing.

use std::time::Duration;

use tingkat_faults::Direction;

use crate::history::now;
use crate::scene::{Plan, Scene};

/// What one request may spend on Redis.
const BUDGET: Duration = Duration::from_millis(50);

/// A request that takes so long has waited for Redis, which is given up after 40 ms: a load alone
/// takes a few milliseconds. A busy machine may make it look so once in a while.
const PAID: Duration = Duration::from_millis(35);

/// The breaker looks at no fewer calls.
const MINIMUM: usize = 5;

/// A load, and this busy machine.
const SLACK: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_costs_a_few_requests_their_budget_and_then_nothing() {
    let scene = Scene::begin(Plan {
        nodes: 1,
        writers: 0,
        readers_of_each: 0,
        ..Plan::new("black hole")
    })
    .await;
    let node = scene.nodes.first().unwrap();
    scene.sees_redis(node).await;
    let target = node.target().unwrap();
    let way = node.redis().control().await;
    let said_before = node.log().len();
    way.pause(Direction::Both);
    // Each is asked for the first time, so that none is in memory.
    let mut slow = 0;
    for id in 100..300 {
        let started = now();
        let answer = target.get(&format!("/v1/products/{id}")).await.unwrap();
        let took = now().saturating_sub(started);
        assert!(answer.status.is_success(), "{}", answer.text());
        assert!(took < BUDGET + SLACK, "product {id} took {took:?}");
        slow += usize::from(took >= PAID);
    }
    // A few for the machine.
    assert!((1..=2 * MINIMUM).contains(&slow), "{slow} requests paid");
    scene.goes_on(Duration::from_secs(3)).await;
    way.heal().await.unwrap();
    scene.sees_redis(node).await;

    let log = node.log();
    let log = log.get(said_before..).unwrap();
    let lines = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(lines("redis is away"), 1, "{log}");
    assert_eq!(lines("redis is connected"), 1, "{log}");
    assert!(lines("redis is left alone") <= 1, "{log}");
    let answers_again = lines("redis answers again");
    assert_eq!(answers_again, lines("redis is left alone"), "{log}");
}
