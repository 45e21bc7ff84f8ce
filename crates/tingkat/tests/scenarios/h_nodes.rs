//! H. A change made on one node, seen by the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tingkat::Tier;
use tingkat::certificate::{Change, ChangeKind, Dep, Incarnation};
use tingkat::ports::{Hint, Written};
use tingkat_testkit::fakes::{FakeDatabase, Mood};

use crate::stage::{Shop, Stage, hop, key, ms, product, version};

/// Lets hints reach a node.
fn listen(stage: &Stage, shop: &Shop) {
    let node = shop.node.clone();
    stage.redis.on_hint(move |hint| node.hinted(hint));
}

/// Scenario 93. Without a log freshness is by time alone.
#[tokio::test(start_paused = true)]
async fn without_a_log_another_node_keeps_its_value_until_its_life_ends() {
    let stage = Stage::new();
    let a = stage.plan().without_log().open().await;
    let b = stage.plan().without_log().open().await;
    b.version().await;
    hop(1_000_000).await;
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    hop(1_000_000).await;
    assert_eq!(b.version().await, Some(1));
    hop(1_600_001).await;
    assert_eq!(b.version().await, Some(5));
}

/// Scenario 94.
#[tokio::test(start_paused = true)]
async fn a_change_is_seen_by_every_node_after_its_next_poll() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    b.version().await;
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    assert_eq!(a.version().await, Some(5));
    hop(101).await;
    assert_eq!(b.version().await, Some(5));
}

/// Scenario 94. A hint makes the next poll come sooner.
#[tokio::test(start_paused = true)]
async fn after_a_hint_a_change_is_seen_within_milliseconds() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    listen(&stage, &b);
    b.version().await;
    // Well before the next poll of b, and long after its last one.
    hop(40).await;
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    hop(3).await;
    assert_eq!(b.version().await, Some(5));
}

/// Nobody announced the change of a foreign program: the first node that polls it does.
#[tokio::test(start_paused = true)]
async fn the_first_node_that_finds_a_foreign_change_wakes_the_others() {
    let stage = Stage::new();
    let a = stage.node().await;
    hop(50).await;
    let b = stage.node().await;
    listen(&stage, &a);
    listen(&stage, &b);
    b.version().await;
    hop(100).await;
    // Both have just polled, b half an interval after a.
    stage.write(2);
    let mut waited = 0;
    while b.version().await == Some(1) {
        hop(1).await;
        waited += 1;
    }
    assert!(
        waited <= 60,
        "b waited {waited} ms, as long as its own poll took"
    );
    hop(500).await;
    assert_eq!(a.redis.count("hint") + b.redis.count("hint"), 1);
}

/// A node's own announcement is no reason to pass over the next foreign change.
#[tokio::test(start_paused = true)]
async fn every_poll_that_finds_a_foreign_change_wakes_the_others() {
    let stage = Stage::new();
    let a = stage.node().await;
    for change in 2..7 {
        stage.write(change);
        hop(100).await;
    }
    assert_eq!(a.redis.count("hint"), 5);
}

/// Scenario 95.
#[tokio::test(start_paused = true)]
async fn a_forgotten_key_leaves_the_memory_of_every_node() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    b.version().await;
    a.cache.forget(&key()).await.unwrap();
    hop(101).await;
    assert_eq!(b.in_memory(), None);
    assert!(b.cache.peek_stale(&key()).is_none());
}

/// Scenario 96.
#[tokio::test(start_paused = true)]
async fn an_expired_key_can_stand_in_where_it_was_and_nowhere_else() {
    let stage = Stage::new();
    let (a, b, c) = (stage.node().await, stage.node().await, stage.node().await);
    a.version().await;
    hop(2).await;
    b.version().await;
    a.cache.expire(&key()).await.unwrap();
    hop(101).await;
    stage.redis.flush();
    stage.source.switch.set(Mood::Failing);
    let answer = b.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    assert!(c.cache.peek_stale(&key()).is_none());
    assert!(c.try_look().await.is_err());
}

/// Scenario 98.
#[tokio::test(start_paused = true)]
async fn a_node_that_hears_of_a_change_tells_nobody() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    listen(&stage, &a);
    listen(&stage, &b);
    b.version().await;
    a.cache.forget(&key()).await.unwrap();
    hop(500).await;
    assert_eq!(a.redis.count("hint"), 1);
    assert_eq!(b.redis.count("hint"), 0);
}

/// Scenario 100.
#[tokio::test(start_paused = true)]
async fn peers_drop_a_key_though_redis_could_not() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(2).await;
    b.version().await;
    a.redis.cut();
    a.cache.forget(&key()).await.unwrap();
    hop(101).await;
    assert_eq!(b.in_memory(), None);
    assert_eq!(b.look().await.trail().tier, Tier::Source);
}

/// Scenario 101. Hints carry no truth: a node that hears none learns of the change by its poll.
#[tokio::test(start_paused = true)]
async fn a_node_that_ignores_hints_is_behind_by_one_poll_at_most() {
    let stage = Stage::new();
    let (a, deaf) = (stage.node().await, stage.node().await);
    for change in 2..10 {
        deaf.version().await;
        a.cache.insert(&key(), product("7", change)).await.unwrap();
        hop(101).await;
        assert_eq!(deaf.version().await, Some(change));
    }
}

/// Scenario 102. Another prefix on the same Redis, and another database on the same channel.
#[tokio::test(start_paused = true)]
async fn caches_of_other_stores_do_not_affect_each_other() {
    let stage = Stage::new();
    let a = stage.node().await;
    let other = stage.plan().tune(|node| node.prefix("other:"));
    let elsewhere = FakeDatabase::new();
    let b = other.open_over(stage.redis.handle(), elsewhere.log());
    listen(&stage, &b);
    hop(5).await;
    b.cache.insert(&key(), product("7", 50)).await.unwrap();
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    a.cache.clear().await.unwrap();
    hop(200).await;
    assert_eq!(b.in_memory(), Some(50));
    assert_eq!(a.version().await, Some(1));
}

/// Scenario 102. A hint of another log, or a forged one, does not even cause a poll.
#[tokio::test(start_paused = true)]
async fn a_foreign_hint_wakes_nobody_and_a_forged_one_harms_nobody() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    let polls = shop.log.switch.calls();
    let foreign = Incarnation::from_bytes([9; 16]);
    for n in 0..1_000 {
        shop.node.hinted(Hint {
            incarnation: foreign,
            n,
        });
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.log.switch.calls(), polls);
    let own = shop.node.feed().unwrap().incarnation.unwrap();
    for n in 0..1_000 {
        shop.node.hinted(Hint {
            incarnation: own,
            n,
        });
        if n % 10 == 0 {
            hop(1).await;
        }
    }
    let polls = shop.log.switch.calls() - polls;
    assert!(polls <= 7, "at most every 20 ms: {polls} polls in 100 ms");
    assert_eq!(shop.look().await.trail().tier, Tier::Memory);
}

/// Scenario 103.
#[tokio::test(start_paused = true)]
async fn clearing_an_entity_empties_the_memory_of_every_node_and_no_other_entity() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    let category = stage.plan().name("category").open().await;
    for shop in [&a, &b, &category] {
        shop.version().await;
        hop(2).await;
    }
    a.cache.clear().await.unwrap();
    hop(101).await;
    assert_eq!((a.in_memory(), b.in_memory()), (None, None));
    assert_eq!(category.look().await.trail().tier, Tier::Memory);
    assert_eq!(
        b.look().await.trail().tier,
        Tier::Source,
        "refused in Redis as well"
    );
}

/// Scenarios 105, 106. A hint that fails, or is slow, is nobody's business.
#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_its_hint_nor_fail_with_it() {
    for mood in [Mood::Failing, Mood::Hanging, Mood::Slow(ms(40))] {
        let stage = Stage::new();
        let (a, b) = (stage.node().await, stage.node().await);
        b.version().await;
        a.redis.reads.set(mood);
        let began = stage.clock.elapsed();
        a.cache.insert(&key(), product("7", 5)).await.unwrap();
        assert!(stage.clock.elapsed() - began < ms(5), "{mood:?}");
        hop(101).await;
        assert_eq!(b.version().await, Some(5));
    }
}

/// Scenario 107. Nothing in a key chooses a slot, and every script touches one key; that calls for
/// many keys are split is shown with a real Cluster in tingkat-redis.
#[tokio::test(start_paused = true)]
async fn no_key_asks_for_a_slot_of_its_own_choice() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let keys: Vec<String> = ["{a}1", "{a}2", "%7Ba%7D1", "plain"]
        .map(str::to_owned)
        .into();
    for (key, version) in keys.iter().zip(1..) {
        stage.database.write("product", key, version);
    }
    hop(150).await;
    for (answer, version) in shop.cache.get_many(&keys).await.into_iter().zip(1..) {
        assert_eq!(answer.unwrap().unwrap().version, version);
    }
    hop(5).await;
    let cells = stage.redis.cells();
    assert_eq!(cells.len(), 4);
    assert!(
        cells.keys().all(|key| !key.contains(['{', '}'])),
        "{cells:?}"
    );
    let other = stage.node().await;
    for (answer, version) in other.cache.get_many(&keys).await.into_iter().zip(1..) {
        assert_eq!(answer.unwrap().unwrap().version, version);
    }
    assert_eq!(stage.source.batches().len(), 1);
    other.cache.forget_many(&keys).await.unwrap();
    assert!(stage.redis.cells().is_empty());
}

/// A change that the store committed by its own means is taken in at once.
#[tokio::test(start_paused = true)]
async fn a_write_of_the_store_is_known_to_its_node_when_the_call_returns() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    let written = stage.database.write("product", "7", 2);
    let change = Change {
        dep: Dep::of_key("product", "7"),
        kind: ChangeKind::Forget,
    };
    shop.node.committed(written, &[change]);
    assert_eq!(shop.version().await, Some(2));
}

/// A token makes another node poll; without one it may be behind.
#[tokio::test(start_paused = true)]
async fn a_token_brings_what_its_writer_wrote() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    let written = stage.database.write("product", "7", 2);
    assert_eq!(shop.version().await, Some(1));
    hop(1).await;
    let answer = shop.cache.get_at_least(&key(), written).await.unwrap();
    assert_eq!(version(&answer), Some(2));
    let polls = shop.log.switch.calls();
    shop.cache.get_at_least(&key(), written).await.unwrap();
    assert_eq!(shop.log.switch.calls(), polls, "known by now");
}

/// A token of a far future costs one poll, one of another log nothing; neither harms.
#[tokio::test(start_paused = true)]
async fn a_forged_token_is_ignored() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(1).await;
    let incarnation = shop.node.feed().unwrap().incarnation.unwrap();
    let polls = shop.log.switch.calls();
    let future = Written {
        incarnation,
        xid: u64::MAX,
    };
    let answer = shop.cache.get_at_least(&key(), future).await.unwrap();
    assert_eq!(answer.trail().tier, Tier::Memory);
    assert!(shop.log.switch.calls() - polls <= 2);
    let polls = shop.log.switch.calls();
    let foreign = Written {
        incarnation: Incarnation::from_bytes([9; 16]),
        xid: 1,
    };
    shop.cache.get_at_least(&key(), foreign).await.unwrap();
    assert_eq!(shop.log.switch.calls(), polls);
    assert_eq!(stage.loads(), 1);
}

/// A token that the log can not be asked about: the caller insists, so it is an error.
#[tokio::test(start_paused = true)]
async fn a_token_is_not_answered_with_what_may_be_older() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    let written = stage.database.write("product", "7", 2);
    shop.log.switch.set(Mood::Failing);
    let error = shop.cache.get_at_least(&key(), written).await.unwrap_err();
    assert_eq!(error.kind(), tingkat::GetErrorKind::NotCurrent);
}

/// Polls of many callers who insist are one poll at a time.
#[tokio::test(start_paused = true)]
async fn validated_look_ups_share_polls() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    shop.log.switch.slow(ms(10));
    let polls = shop.log.switch.calls();
    let served = Arc::new(AtomicU64::new(0));
    let validated = tingkat::Options::default().validated();
    let looks = (0..100).map(|_| async {
        let answer = shop.look_with(validated).await.unwrap();
        assert_eq!(answer.trail().tier, Tier::Memory);
        served.fetch_add(1, Ordering::Relaxed);
    });
    futures::future::join_all(looks).await;
    assert_eq!(served.load(Ordering::Relaxed), 100);
    assert!(shop.log.switch.calls() - polls <= 3);
    assert_eq!(stage.loads(), 1, "never a forced load");
}
