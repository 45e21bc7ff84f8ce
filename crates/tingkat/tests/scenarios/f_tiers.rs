//! F. The memory tier in front of Redis.

use std::time::Duration;

use tingkat::envelope::Envelope;
use tingkat::error::{ChangeErrorKind, GetErrorKind};
use tingkat::{Options, Placement, Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Shop, Stage, cell, hop, key, ms, product, still, version};

/// Two nodes; the first has loaded product 7, so the second finds it in Redis alone.
async fn warm_redis(stage: &Stage) -> (Shop, Shop) {
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    (a, b)
}

/// Scenarios 68, 69.
#[tokio::test(start_paused = true)]
async fn what_redis_has_comes_into_memory_and_is_not_asked_for_again() {
    let stage = Stage::new();
    let (_a, b) = warm_redis(&stage).await;
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(1), Tier::Remote)
    );
    assert_eq!(stage.loads(), 1);
    let commands = b.redis.commands();
    assert_eq!(commands, ["get"]);
    for _ in 0..10 {
        assert_eq!(b.look().await.trail().tier, Tier::Memory);
    }
    assert_eq!(b.redis.commands(), commands);
}

/// Scenario 71.
#[tokio::test(start_paused = true)]
async fn a_redis_that_fails_is_a_miss_and_no_error() {
    for mood in [Mood::Failing, Mood::Hanging, Mood::Slow(ms(60))] {
        let stage = Stage::new();
        let (_a, b) = warm_redis(&stage).await;
        b.redis.reads.set(mood);
        b.redis.writes.set(mood);
        let answer = b.look().await;
        assert_eq!(
            (version(&answer), answer.trail().tier),
            (Some(1), Tier::Source)
        );
        assert!(!answer.trail().stale);
        assert_eq!(b.in_memory(), Some(1));
        assert!(b.cache.stats().remote_failures.get() > 0);
    }
}

/// Scenario 72. `DESIGN` §2: no failure of Redis reaches a caller; undecodable bytes are counted
/// apart from failed calls.
#[tokio::test(start_paused = true)]
async fn not_even_a_strict_entity_hears_of_redis() {
    let stage = Stage::new();
    let policy = Policy {
        strict: true,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    stage.redis.put(cell(), "no entry at all");
    assert_eq!(shop.version().await, Some(1));
    assert_eq!(shop.cache.stats().undecodable.get(), 1);
    assert_eq!(shop.cache.stats().remote_failures.get(), 0);
    shop.redis.reads.set(Mood::Failing);
    assert_eq!(shop.version_of("8").await, None);
    assert_eq!(shop.cache.stats().remote_failures.get(), 1);
}

/// Scenario 73.
#[tokio::test(start_paused = true)]
async fn a_request_spends_no_more_than_its_budget_on_redis() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.cut();
    let began = stage.clock.elapsed();
    assert_eq!(shop.version().await, Some(1));
    assert!(
        stage.clock.elapsed() - began <= ms(55),
        "{:?}",
        stage.clock.elapsed() - began
    );
}

/// Scenario 73. The budget is for all round trips of a request together, also those of a batch.
#[tokio::test(start_paused = true)]
async fn the_budget_is_one_for_all_round_trips() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.reads.slow(ms(40));
    shop.redis.writes.slow(ms(40));
    let began = stage.clock.elapsed();
    assert_eq!(shop.version().await, Some(1));
    let took = stage.clock.elapsed() - began;
    assert!(
        took <= ms(55),
        "the read took 40 ms, the lease had 10 left: {took:?}"
    );
    let keys: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let began = stage.clock.elapsed();
    for answer in shop.cache.get_many(&keys).await {
        answer.unwrap();
    }
    let took = stage.clock.elapsed() - began;
    assert!(took <= ms(55), "{took:?}");
}

/// Scenario 74. A stale value does not shorten what Redis may take, it shortens the whole wait.
#[tokio::test(start_paused = true)]
async fn with_redis_and_source_slow_a_stale_value_is_returned_at_the_soft_deadline() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    shop.redis.cut();
    stage.source.switch.cut();
    let began = stage.clock.elapsed();
    let answer = shop.look().await;
    assert!(answer.trail().stale);
    let took = stage.clock.elapsed() - began;
    assert!((ms(245)..=ms(305)).contains(&took), "{took:?}");
}

/// Scenario 75. `DESIGN` has one life for both tiers: what comes out of Redis keeps what is left.
#[tokio::test(start_paused = true)]
async fn an_entry_from_redis_keeps_its_remaining_life() {
    let stage = Stage::new();
    let a = stage.plan().without_log().open().await;
    let b = stage.plan().without_log().open().await;
    a.version().await;
    hop(3_000_000).await;
    assert_eq!(b.look().await.trail().tier, Tier::Remote);
    let registry = b.node.registry().find("product").unwrap();
    let left = registry.inspect("7").unwrap().unwrap().fresh_for;
    assert!((ms(599_000)..=ms(600_000)).contains(&left), "{left:?}");
}

/// Scenario 76.
#[tokio::test(start_paused = true)]
async fn what_memory_has_let_go_is_read_from_redis_again() {
    let stage = Stage::new();
    let policy = Policy {
        memory_bytes: 4_000,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    for n in 0..100 {
        shop.version_of(&n.to_string()).await;
        hop(2).await;
    }
    let batches = stage.source.batches().len();
    assert_eq!(batches, 100);
    for n in 0..100 {
        shop.version_of(&n.to_string()).await;
    }
    assert_eq!(stage.source.batches().len(), batches);
    assert!(shop.cache.stats().remote_hits.get() > 50);
}

/// Scenario 77. `PROTOCOL` §6: the life in Redis is `fresh_for` + `stale_for`.
#[tokio::test(start_paused = true)]
async fn redis_keeps_an_entry_for_both_lives() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    shop.version().await;
    hop(5).await;
    hop(25 * 3_600_000 - 2_000).await;
    assert_eq!(stage.redis.cells().len(), 1);
    hop(2_001).await;
    assert_eq!(stage.redis.cells().len(), 0);
}

/// Scenario 78. `DESIGN`'s switches: placement, validated, only if cached, reload; the first two
/// and the last are shown in `d_refresh` and `a_contract`.
#[tokio::test(start_paused = true)]
async fn only_if_cached_asks_both_tiers_and_loads_nothing() {
    let stage = Stage::new();
    let (_a, b) = warm_redis(&stage).await;
    let cached = Options::default().only_if_cached();
    let answer = b.look_with(cached).await.unwrap();
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(1), Tier::Remote)
    );
    let answer = b.look_with(cached).await.unwrap();
    assert_eq!(answer.trail().tier, Tier::Memory);
    let keys = [key(), "8".to_owned()];
    let many = b.cache.look_up_many(&keys, cached).await;
    assert_eq!(version(many[0].as_ref().unwrap()), Some(1));
    assert_eq!(
        many[1].as_ref().unwrap_err().kind(),
        GetErrorKind::NotCached
    );
    assert_eq!(stage.source.batches().len(), 1);
    assert_eq!(b.redis.count("acquire"), 0);
}

/// A caller who wants a load is not served by one who did not.
#[tokio::test(start_paused = true)]
async fn an_ordinary_look_up_beside_one_that_loads_nothing_loads() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.reads.slow(ms(20));
    let (id, cached) = (key(), Options::default().only_if_cached());
    let (one, two) = tokio::join!(shop.cache.look_up(&id, cached), shop.look());
    assert_eq!(one.unwrap_err().kind(), GetErrorKind::NotCached);
    assert_eq!(version(&two), Some(1));
}

/// Scenario 80.
#[tokio::test(start_paused = true)]
async fn a_fill_of_redis_is_not_waited_for() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.slow(ms(10));
    let caller = shop.caller();
    hop(5).await;
    shop.redis.writes.slow(ms(40));
    let began = stage.clock.elapsed();
    assert_eq!(version(&caller.await.unwrap().unwrap()), Some(1));
    assert!(stage.clock.elapsed() - began < ms(10));
    assert_eq!(stage.redis.cells()[&cell()][0], b'L');
    hop(45).await;
    assert_eq!(stage.redis.cells()[&cell()][0], b'V');
}

/// Scenario 81.
#[tokio::test(start_paused = true)]
async fn a_flush_in_the_middle_of_a_load_is_no_error() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.slow(ms(100));
    let (one, two) = (a.caller(), b.caller());
    hop(50).await;
    stage.redis.flush();
    assert_eq!(version(&one.await.unwrap().unwrap()), Some(1));
    assert_eq!(version(&two.await.unwrap().unwrap()), Some(1));
    hop(300).await;
    assert_eq!(stage.redis.cells()[&cell()][0], b'V');
}

/// Scenario 82. There is no queue of repairs: what Redis has left over is refused by every node.
#[tokio::test(start_paused = true)]
async fn redis_may_keep_an_old_value_that_nobody_is_shown() {
    let stage = Stage::new();
    let (a, b) = warm_redis(&stage).await;
    a.redis.writes.cut();
    stage.write(2);
    hop(150).await;
    assert_eq!(a.version().await, Some(2));
    hop(100).await;
    let old = stage.redis.cells()[&cell()].clone();
    let old = Envelope::decode(&old, "7").unwrap();
    assert!(old.payload.is_some());
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(2), Tier::Source)
    );
}

/// Scenario 84. With a log Redis is not needed to forget.
#[tokio::test(start_paused = true)]
async fn forgetting_works_without_redis() {
    let stage = Stage::new();
    let (a, b) = warm_redis(&stage).await;
    b.version().await;
    a.redis.writes.set(Mood::Failing);
    a.cache.forget(&key()).await.unwrap();
    a.cache.forget_many(&[key(), "8".to_owned()]).await.unwrap();
    assert_eq!(a.in_memory(), None);
    hop(150).await;
    assert_eq!(b.in_memory(), None);
    assert_eq!(
        b.look().await.trail().tier,
        Tier::Source,
        "refused, though Redis has it"
    );
}

/// Scenario 84. Without a log Redis is all that the other nodes have, so it is an error.
#[tokio::test(start_paused = true)]
async fn without_a_log_forgetting_needs_redis() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    shop.version().await;
    hop(5).await;
    shop.redis.writes.set(Mood::Failing);
    let error = shop.cache.forget(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ChangeErrorKind::Remote);
    assert_eq!(shop.in_memory(), None);
    let error = shop
        .cache
        .insert(&key(), product("7", 2))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ChangeErrorKind::Remote);
    assert_eq!(shop.in_memory(), Some(2));
}

/// Scenario 85. Bytes of another version, cut short, changed, of another key, of a stranger.
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_entry_of_ours_are_a_miss() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    let good = stage.redis.cells()[&cell()].clone();
    let mut bad = vec![b"".to_vec(), b"x".to_vec(), good[..30].to_vec()];
    for place in [17, 19, 20, 40, good.len() - 1] {
        let mut changed = good.to_vec();
        changed[place] ^= 0x10;
        bad.push(changed);
    }
    bad.push([&good[..], b"tail"].concat());
    let count = bad.len();
    for bytes in bad {
        let other = stage.node().await;
        stage.redis.put(cell(), bytes);
        assert_eq!(other.version().await, Some(1));
        hop(5).await;
        assert_eq!(other.look().await.trail().tier, Tier::Memory);
    }
    assert_eq!(stage.loads(), 1 + count);
    let other = stage.node().await;
    stage.redis.put(cell().replace(":7", ":8"), good);
    assert_eq!(
        other.version_of("8").await,
        None,
        "the entry of 7 under the key of 8"
    );
}

/// Scenario 86.
#[tokio::test(start_paused = true)]
async fn nodes_with_different_limits_share_redis() {
    let stage = Stage::new();
    let small = Policy {
        max_value_bytes: 10,
        ..still()
    };
    let (small, large) = (stage.node_with(small).await, stage.node().await);
    small.version().await;
    hop(5).await;
    assert_eq!(large.look().await.trail().tier, Tier::Remote);
    assert_eq!(large.look().await.trail().tier, Tier::Memory);
    assert_eq!(small.look().await.trail().tier, Tier::Remote);
    assert_eq!(small.look().await.trail().tier, Tier::Remote);
    assert_eq!(stage.loads(), 1);
}

/// Scenario 88.
#[tokio::test(start_paused = true)]
async fn a_value_over_the_limit_is_returned_and_told_and_not_kept_in_memory() {
    let stage = Stage::new();
    let policy = Policy {
        max_value_bytes: 10,
        placement: Placement::Memory,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    let answer = shop.look().await;
    assert_eq!(version(&answer), Some(1));
    assert!(!answer.trail().stored);
    assert_eq!(shop.in_memory(), None);
    assert_eq!(shop.events.count("Oversized"), 1);
    assert_eq!(shop.cache.stats().oversized.get(), 1);
}

/// A value without an encoding stays in memory, whatever the policy says.
#[tokio::test(start_paused = true)]
async fn a_value_that_has_no_encoding_stays_in_memory() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let cache: tingkat::Cache<u64, Duration> = tingkat::Cache::memory_builder("plain")
        .node(&shop.node)
        .policy(Policy {
            placement: Placement::Remote,
            ..still()
        })
        .load(|_| async { Ok(tingkat::ports::Loaded::value(Duration::ZERO)) })
        .build();
    cache.get(&1).await.unwrap();
    cache.set_policy(still());
    cache.get(&2).await.unwrap();
    assert!(cache.peek(&1).is_some() && cache.peek(&2).is_some());
    assert!(stage.redis.cells().is_empty());
}
