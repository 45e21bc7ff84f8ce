//! G. The breaker of the redis tier.

use tingkat::Tier;
use tingkat::breaker::{Config, State};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Shop, Stage, cell, hop, key, ms, product};

/// Opens the breaker with five failed reads.
async fn trip(shop: &Shop) {
    shop.redis.reads.set(Mood::Failing);
    for n in 100..105 {
        shop.version_of(&n.to_string()).await;
    }
    assert_eq!(shop.node.breaker(), Some(State::Open));
}

/// Scenario 90.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_spares_redis_and_its_callers() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    trip(&shop).await;
    let asked = shop.redis.commands().len();
    let began = stage.clock.elapsed();
    for n in 0..50 {
        shop.version_of(&format!("x{n}")).await;
    }
    assert_eq!(shop.version().await, Some(1), "memory goes on");
    assert_eq!(shop.redis.commands().len(), asked);
    assert!(
        stage.clock.elapsed() - began < ms(200),
        "a load each, and nothing for Redis"
    );
    assert_eq!(shop.events.count("Breaker"), 1);
}

/// Scenario 90. `PROTOCOL` §6: half-open probes are the tier's own pings, never a customer.
#[tokio::test(start_paused = true)]
async fn probes_close_the_breaker_and_customers_do_not() {
    let stage = Stage::new();
    let shop = stage.node().await;
    trip(&shop).await;
    let gets = shop.redis.count("get");
    hop(5_000).await;
    assert!(shop.redis.count("ping") >= 2);
    for n in 0..10 {
        shop.version_of(&format!("y{n}")).await;
    }
    assert_eq!(shop.redis.count("get"), gets, "still open, still not asked");
    shop.redis.restore();
    hop(6_000).await;
    assert_eq!(shop.node.breaker(), Some(State::Closed));
    shop.version_of("z").await;
    assert_eq!(shop.redis.count("get"), gets + 1);
    assert_eq!(shop.events.count("Breaker"), 2);
}

/// Scenario 91.
#[tokio::test(start_paused = true)]
async fn writes_are_skipped_while_it_is_open_and_reach_redis_again_later() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.cache.insert(&key(), product("7", 5)).await.unwrap();
    let before = stage.redis.cells()[&cell()].clone();
    trip(&shop).await;
    let asked = shop.redis.count("set_many");
    shop.cache.insert(&key(), product("7", 6)).await.unwrap();
    assert_eq!(shop.redis.count("set_many"), asked);
    assert_eq!(stage.redis.cells()[&cell()], before);
    assert_eq!(shop.version().await, Some(6));
    shop.redis.restore();
    hop(6_000).await;
    shop.cache.insert(&key(), product("7", 7)).await.unwrap();
    assert_ne!(stage.redis.cells()[&cell()], before);
}

/// Scenario 92.
#[tokio::test(start_paused = true)]
async fn a_breaker_that_never_opens_lets_every_call_try() {
    let stage = Stage::new();
    let never = Config {
        minimum: u32::MAX,
        ..Config::default()
    };
    let shop = stage.plan().tune(|node| node.breaker(never)).open().await;
    shop.redis.reads.set(Mood::Failing);
    for n in 0..50 {
        shop.version_of(&n.to_string()).await;
    }
    assert_eq!(shop.redis.count("get"), 50);
    assert_eq!(shop.node.breaker(), Some(State::Closed));
}

/// Refusals to write (out of memory, read only) open a breaker for writes alone: reads still hit.
#[tokio::test(start_paused = true)]
async fn a_redis_that_refuses_writes_is_read_from() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    b.redis.refuse_writes(true);
    for n in 100..110 {
        b.version_of(&n.to_string()).await;
    }
    let tried = b.redis.count("acquire");
    assert!(tried < 10, "{tried}");
    assert_eq!(b.look().await.trail().tier, Tier::Remote);
    assert_eq!(b.node.breaker(), Some(State::Closed));
    b.redis.restore();
    hop(6_000).await;
    b.version_of("new").await;
    assert_eq!(b.redis.count("acquire"), tried + 1);
}

/// A black hole costs each request at most its budget, and after five of them nothing.
#[tokio::test(start_paused = true)]
async fn after_the_minimum_of_calls_a_black_hole_costs_nothing() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.cut();
    for n in 0..20 {
        let began = stage.clock.elapsed();
        shop.version_of(&n.to_string()).await;
        let took = stage.clock.elapsed() - began;
        let most = if n < 5 { ms(55) } else { ms(4) };
        assert!(took <= most, "request {n}: {took:?}");
    }
}

/// Scenario 151. Who gives up with the rest of his budget has not waited for a server that fails.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_budget_says_nothing_about_the_server() {
    let stage = Stage::new();
    // Each look-up is answered once and gives up once.
    let config = Config {
        failure_share: 0.3,
        ..Config::default()
    };
    let shop = stage.plan().tune(|node| node.breaker(config)).open().await;
    shop.redis.reads.slow(ms(30));
    shop.redis.writes.slow(ms(30));
    for n in 0..20 {
        shop.version_of(&n.to_string()).await;
    }
    assert!(
        shop.redis.count("acquire") >= 20,
        "each went on to ask for a lease"
    );
    assert_eq!(shop.node.breaker(), Some(State::Closed));
    // With most of a budget it does. What was before is out of the window.
    hop(11_000).await;
    shop.redis.reads.slow(ms(0));
    shop.redis.writes.slow(ms(60));
    for n in 20..40 {
        shop.version_of(&n.to_string()).await;
    }
    assert_ne!(shop.node.breaker(), Some(State::Closed));
}

/// A tier that ends its calls by itself, within what a request has left, is not hurried by another
/// timer; one that may take longer is.
#[tokio::test(start_paused = true)]
async fn only_a_tier_that_ends_in_time_is_waited_for_without_a_timer() {
    let budget = ms(100);
    for (patience, ends_after) in [(ms(99), 300), (budget, 300), (ms(101), 100)] {
        let stage = Stage::new();
        let shop = stage
            .plan()
            .tune(move |node| node.remote_budget(budget))
            .open()
            .await;
        shop.redis.promise(patience);
        // It breaks its word, so that it shows who believed it.
        shop.redis.reads.slow(ms(300));
        let began = stage.clock.elapsed();
        assert_eq!(shop.version().await, Some(1), "{patience:?}");
        let took = stage.clock.elapsed() - began;
        assert!(
            took >= ms(ends_after) && took < ms(ends_after + 10),
            "{patience:?}: {took:?}"
        );
    }
}
