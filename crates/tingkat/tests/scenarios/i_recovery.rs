//! I. After an outage. There is no queue of failed writes and no replay: what Redis kept is judged
//! by the log like everything else, so all of it converges by itself.

use tingkat::Tier;
use tingkat_testkit::fakes::Mood;

use crate::stage::{Stage, hop, key, product, version};

/// Scenario 108.
#[tokio::test(start_paused = true)]
async fn after_an_outage_of_redis_all_nodes_show_the_newest_value() {
    let stage = Stage::new();
    let shops = [stage.node().await, stage.node().await, stage.node().await];
    for shop in &shops {
        shop.version().await;
        hop(2).await;
        shop.redis.cut();
    }
    for (shop, version) in shops.iter().zip(11..) {
        shop.cache
            .insert(&key(), product("7", version))
            .await
            .unwrap();
        hop(20).await;
    }
    stage.write(14);
    hop(150).await;
    for shop in &shops {
        assert_eq!(shop.version().await, Some(14));
    }
    for shop in &shops {
        shop.redis.restore();
    }
    hop(10_000).await;
    for shop in &shops {
        assert_eq!(shop.version().await, Some(14));
    }
    let late = stage.node().await;
    assert_eq!(
        late.version().await,
        Some(14),
        "whatever Redis has left over"
    );
}

/// Scenario 110. The hint goes through, the entry does not: nothing is retried, nothing is wrong.
#[tokio::test(start_paused = true)]
async fn a_fill_that_failed_is_not_retried_and_not_missed() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    a.redis.writes.set(Mood::Failing);
    a.cache.insert(&key(), product("7", 6)).await.unwrap();
    let writes = a.redis.writes.calls();
    a.redis.restore();
    hop(60_000).await;
    assert_eq!(a.redis.writes.calls(), writes);
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(1), Tier::Source),
        "the truth"
    );
    assert_eq!(a.version().await, Some(6), "accepted where it was put in");
}

/// Scenario 111.
#[tokio::test(start_paused = true)]
async fn with_memory_and_log_alone_peers_drop_what_changed_in_an_outage() {
    let stage = Stage::new();
    let a = stage.plan().without_redis().open().await;
    let b = stage.plan().without_redis().open().await;
    b.version().await;
    b.log.switch.set(Mood::Failing);
    stage.write(2);
    assert_eq!(a.version().await, Some(2));
    hop(500).await;
    assert_eq!(b.version().await, Some(1), "within the bound");
    b.log.switch.restore();
    hop(150).await;
    assert_eq!(b.version().await, Some(2));
}

/// Scenario 112. Without a log there is no recovery at all: nodes differ until a life ends.
#[tokio::test(start_paused = true)]
async fn without_a_log_nodes_differ_after_an_outage_until_a_life_ends() {
    let stage = Stage::new();
    let a = stage.plan().without_log().open().await;
    let b = stage.plan().without_log().open().await;
    b.version().await;
    hop(1_000_000).await;
    a.redis.cut();
    let _ = a.cache.insert(&key(), product("7", 5)).await;
    a.redis.restore();
    hop(60_000).await;
    assert_eq!((a.version().await, b.version().await), (Some(5), Some(1)));
    stage.write(5);
    hop(2_540_001).await;
    assert_eq!((a.version().await, b.version().await), (Some(5), Some(5)));
}

/// Scenarios 114, 115. A lost hint is lost; the poll brings the change.
#[tokio::test(start_paused = true)]
async fn a_lost_hint_is_not_repeated() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    b.version().await;
    a.redis.reads.set(Mood::Failing);
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    hop(1).await;
    a.redis.restore();
    hop(101).await;
    assert_eq!(b.version().await, Some(5));
    hop(10_000).await;
    assert_eq!(a.redis.count("hint"), 1);
}
