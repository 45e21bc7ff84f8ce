//! C. Soft and hard deadlines, and loads that end after their callers have left.

use std::time::Duration;

use tingkat::error::GetErrorKind;
use tingkat::{Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Shop, Stage, hop, key, ms, still, version};

/// A node that holds an expired value, and a source that is about to be slow.
async fn expired(stage: &Stage) -> Shop {
    let shop = stage.node().await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    hop(10).await;
    shop
}

/// Scenario 36.
#[tokio::test(start_paused = true)]
async fn at_the_soft_deadline_a_stale_value_is_returned() {
    let stage = Stage::new();
    let shop = expired(&stage).await;
    stage.source.switch.slow(ms(2_000));
    let began = stage.clock.elapsed();
    let answer = shop.look().await;
    assert_eq!(stage.clock.elapsed() - began, ms(250));
    assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
}

/// Scenario 38.
#[tokio::test(start_paused = true)]
async fn at_the_hard_deadline_a_caller_without_a_stale_value_gets_an_error() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.cut();
    let began = stage.clock.elapsed();
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Deadline);
    assert_eq!(stage.clock.elapsed() - began, ms(5_000));
}

/// Scenario 39.
#[tokio::test(start_paused = true)]
async fn with_a_stale_value_the_hard_deadline_is_no_error_either() {
    let stage = Stage::new();
    let policy = Policy {
        soft_deadline: Duration::MAX,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.cut();
    let began = stage.clock.elapsed();
    let answer = shop.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    assert_eq!(stage.clock.elapsed() - began, ms(5_000));
}

/// Scenario 40.
#[tokio::test(start_paused = true)]
async fn a_load_that_outlives_its_callers_fills_both_tiers() {
    let stage = Stage::new();
    let shop = expired(&stage).await;
    stage.database.write_silently("product", "7", 2);
    stage.source.switch.slow(ms(2_000));
    assert!(shop.look().await.trail().stale);
    hop(2_000).await;
    assert_eq!(shop.in_memory(), Some(2));
    assert_eq!(shop.events.count("BackgroundCompleted"), 1);
    let other = stage.node().await;
    let answer = other.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(2), Tier::Remote)
    );
    assert_eq!(stage.loads(), 2);
}

/// Scenarios 41, 45.
#[tokio::test(start_paused = true)]
async fn a_load_that_fails_after_its_callers_have_left_leaves_the_stale_value() {
    let stage = Stage::new();
    let shop = expired(&stage).await;
    stage.source.switch.cut();
    assert!(shop.look().await.trail().stale);
    stage.source.switch.set(Mood::Failing);
    hop(1).await;
    assert_eq!(shop.cache.peek_stale(&key()).unwrap().version, 1);
    assert_eq!(shop.events.count("BackgroundCompleted"), 0);
    stage.source.switch.restore();
    hop(1_000).await;
    let answer = shop.look().await;
    assert_eq!(answer.trail().tier, Tier::Source, "the key is not locked");
    assert!(!answer.trail().stale);
}

/// Scenario 43. Nothing is published: peers refuse what they have, and find the fill in Redis.
#[tokio::test(start_paused = true)]
async fn a_load_that_outlives_its_callers_serves_the_other_nodes_too() {
    let stage = Stage::new();
    let a = expired(&stage).await;
    let b = stage.node().await;
    stage.source.switch.slow(ms(1_000));
    assert!(a.look().await.trail().stale);
    let waiting = b.caller();
    hop(1_000).await;
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.trail().tier, Tier::Remote);
    assert_eq!(stage.loads(), 2);
}

/// Scenario 46. The hard deadline cancels the load, the soft one leaves it running.
#[tokio::test(start_paused = true)]
async fn without_any_time_no_load_is_begun() {
    let stage = Stage::new();
    let policy = Policy {
        hard_deadline: Duration::ZERO,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Deadline);
    hop(100).await;
    assert_eq!(stage.loads(), 0);
    assert!(stage.redis.cells().is_empty());
}

/// Scenario 46.
#[tokio::test(start_paused = true)]
async fn without_time_to_wait_the_stale_value_is_returned_at_once_and_refreshed_behind() {
    let stage = Stage::new();
    let policy = Policy {
        soft_deadline: Duration::ZERO,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    stage.write(2);
    let began = stage.clock.elapsed();
    let answer = shop.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    assert_eq!(stage.clock.elapsed(), began);
    hop(150).await;
    assert_eq!(shop.version().await, Some(2));
}

/// Scenario 46.
#[tokio::test(start_paused = true)]
async fn a_load_is_cancelled_at_the_hard_deadline() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.cut();
    let _ = shop.try_look().await;
    hop(10).await;
    assert_eq!(shop.cache.stats().loads_running.get(), 0);
    assert_eq!(shop.cache.stats().hung_loads.get(), 1);
    assert_eq!(shop.events.count("LoadHung"), 1);
}

/// One load that comes in late is told once, however many callers have left.
#[tokio::test(start_paused = true)]
async fn a_late_load_is_told_once() {
    let stage = Stage::new();
    let shop = expired(&stage).await;
    stage.source.switch.slow(ms(1_000));
    let callers: Vec<_> = (0..50).map(|_| shop.caller()).collect();
    for caller in callers {
        assert!(caller.await.unwrap().unwrap().trail().stale);
    }
    hop(1_000).await;
    assert_eq!(shop.events.count("BackgroundCompleted"), 1);
    assert_eq!(shop.events.count("ServedStale"), 50);
}

/// What becomes known to be forgotten while a caller waits does not stand in for the load.
#[tokio::test(start_paused = true)]
async fn a_value_forgotten_meanwhile_is_not_returned_at_the_soft_deadline() {
    let stage = Stage::new();
    let shop = expired(&stage).await;
    stage.source.switch.slow(ms(600));
    let caller = shop.caller();
    hop(10).await;
    stage.write(2);
    let answer = caller.await.unwrap().unwrap();
    assert_eq!((version(&answer), answer.trail().stale), (Some(2), false));
}
