//! A. The basic contract.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::certificate::{Change, Incarnation, Position};
use tingkat::error::{ChangeErrorKind, GetErrorKind, LogError};
use tingkat::ports::{ChangeLog, History, Loaded, Poll, Written};
use tingkat::{Cache, Mode, Node, Options, Policy, Tier};
use tingkat_testkit::fakes::{LogHandle, Versioned};

use crate::stage::{ENTITY, Stage, hop, key, ms, product, still, version};

/// Scenario 1.
#[tokio::test(start_paused = true)]
async fn a_forgotten_key_is_not_found_where_there_is_no_source_to_ask() {
    let stage = Stage::new();
    let shop = stage.plan().without_source().open().await;
    shop.cache.insert(&key(), product("7", 5)).await.unwrap();
    assert_eq!(shop.version().await, Some(5));
    shop.cache.forget(&key()).await.unwrap();
    assert_eq!(shop.version().await, None);
    let all = shop.cache.get_many(&[key()]).await;
    assert!(all[0].as_ref().is_ok_and(Option::is_none));
}

/// Scenario 2.
#[tokio::test(start_paused = true)]
async fn an_insert_replaces_the_value_on_every_node() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.cache.insert(&key(), product("7", 5)).await.unwrap();
    a.cache.insert(&key(), product("7", 6)).await.unwrap();
    assert_eq!(a.version().await, Some(6));
    hop(150).await;
    let answer = b.look().await;
    assert_eq!(version(&answer), Some(6));
    assert_eq!(answer.trail().tier, Tier::Remote);
    assert_eq!(stage.loads(), 0);
}

/// Scenario 3.
#[tokio::test(start_paused = true)]
async fn a_live_entry_is_returned_without_running_the_load() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    let found = shop
        .cache
        .get_or_load(&key(), |_| async { panic!("nothing is to be loaded") })
        .await
        .unwrap();
    assert_eq!(found.unwrap().version, 1);
    assert_eq!(stage.loads(), 1);
}

/// Scenario 4.
#[tokio::test(start_paused = true)]
async fn a_default_is_returned_and_not_stored() {
    let stage = Stage::new();
    let shop = stage.node().await;
    for default in [8, 9] {
        let got = shop.cache.get_or(&key(), product("7", default)).await;
        assert_eq!(got.version, default);
    }
    assert_eq!(stage.loads(), 0, "nothing is loaded either");
    assert!(stage.redis.cells().is_empty());
    shop.version().await;
    assert_eq!(shop.cache.get_or(&key(), product("7", 9)).await.version, 1);
}

/// Scenario 5. Known to be absent, and not cached, are two answers.
#[tokio::test(start_paused = true)]
async fn absent_and_not_cached_are_told_apart() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let (nothing, cached) = ("none".to_owned(), Options::default().only_if_cached());
    let unknown = shop.cache.look_up(&nothing, cached).await.unwrap_err();
    assert_eq!(unknown.kind(), GetErrorKind::NotCached);
    assert_eq!(shop.version_of("none").await, None);
    let known = shop.cache.look_up(&nothing, cached).await.unwrap();
    assert!(known.value().is_none());
}

/// Scenario 6.
#[tokio::test(start_paused = true)]
async fn absence_is_cached_for_absent_for() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    for _ in 0..10 {
        assert_eq!(shop.version_of("none").await, None);
    }
    assert_eq!(stage.source.loads("none"), 1);
    hop(61_000).await;
    assert_eq!(shop.version_of("none").await, None);
    assert_eq!(stage.source.loads("none"), 2);
}

/// An INSERT writes the dep of the new key, so absence ends with it.
#[tokio::test(start_paused = true)]
async fn absence_ends_when_the_row_is_inserted() {
    let stage = Stage::new();
    let shop = stage.node().await;
    assert_eq!(shop.version_of("8").await, None);
    stage.database.write("product", "8", 1);
    hop(150).await;
    assert_eq!(shop.version_of("8").await, Some(1));
}

/// Scenario 8.
#[tokio::test(start_paused = true)]
async fn a_constant_is_stored_and_returned() {
    let stage = Stage::new();
    let shop = stage.plan().without_source().open().await;
    for constant in [5, 6] {
        let got = shop
            .cache
            .get_or_insert(&key(), product("7", constant))
            .await;
        assert_eq!(got.unwrap().unwrap().version, 5);
    }
    assert_eq!(shop.version().await, Some(5));
}

/// Scenario 9.
#[tokio::test(start_paused = true)]
async fn an_entry_past_its_life_is_not_there_though_it_could_stand_in() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    assert!(!shop.cache.has(&key()).await);
    shop.version().await;
    assert!(shop.cache.has(&key()).await);
    hop(3_600_001).await;
    assert!(!shop.cache.has(&key()).await);
    assert!(shop.cache.peek_stale(&key()).is_some());
    assert_eq!(stage.loads(), 1);
}

/// Scenario 9. With a log, `DESIGN` §2: accepted and anchored is current, however old.
#[tokio::test(start_paused = true)]
async fn an_expired_key_is_not_there_and_one_past_fresh_for_is() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(3_600_001).await;
    assert!(shop.cache.has(&key()).await);
    hop(2_000).await;
    shop.cache.expire(&key()).await.unwrap();
    assert!(!shop.cache.has(&key()).await);
    assert!(shop.cache.peek_stale(&key()).is_some());
}

/// Scenario 10.
#[tokio::test(start_paused = true)]
async fn a_pulled_value_is_gone_from_every_tier() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    // B has it in Redis only.
    let pulled = b.cache.pull(&key()).await.unwrap();
    assert_eq!(pulled.unwrap().version, 1);
    assert!(b.cache.pull(&key()).await.unwrap().is_none());
    assert!(stage.redis.cells().is_empty());
    hop(150).await;
    assert_eq!(a.in_memory(), None);
    assert_eq!(stage.loads(), 1);
}

/// Scenario 11.
#[tokio::test(start_paused = true)]
async fn many_keys_are_forgotten_in_both_tiers() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let keys: Vec<String> = ["7", "8", "9"].map(str::to_owned).into();
    shop.cache.get_many(&keys).await;
    hop(1).await;
    assert_eq!(stage.redis.cells().len(), 3);
    shop.cache.forget_many(&keys[..2]).await.unwrap();
    assert_eq!(stage.redis.cells().len(), 1);
    assert!(!shop.cache.has(&keys[0]).await);
    assert!(!shop.cache.has(&keys[1]).await);
    assert!(shop.cache.peek(&keys[2]).is_none(), "9 is absent");
    shop.cache.forget_many(&[]).await.unwrap();
}

/// Scenario 12.
#[tokio::test(start_paused = true)]
async fn a_reload_runs_though_memory_has_a_live_value() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    stage.database.write_silently("product", "7", 2);
    let answer = shop.look_with(Options::default().reload()).await.unwrap();
    assert_eq!(version(&answer), Some(2));
    assert_eq!(answer.trail().tier, Tier::Source);
    assert_eq!(shop.in_memory(), Some(2));
    assert_eq!(stage.loads(), 2);
}

/// Scenario 13.
#[tokio::test(start_paused = true)]
async fn a_reload_replaces_what_redis_alone_has() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    stage.database.write_silently("product", "7", 2);
    let answer = b.look_with(Options::default().reload()).await.unwrap();
    assert_eq!(version(&answer), Some(2));
    assert_eq!(b.in_memory(), Some(2));
    hop(1).await;
    let c = stage.node().await;
    let answer = c.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(2), Tier::Remote)
    );
}

/// A reload never comes back with what an ordinary look-up found in Redis meanwhile.
#[tokio::test(start_paused = true)]
async fn a_reload_that_meets_a_look_up_under_way_still_loads() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(1).await;
    stage.database.write_silently("product", "7", 2);
    b.redis.reads.slow(ms(20));
    let usual = b.caller();
    hop(5).await;
    let reloaded = b.look_with(Options::default().reload()).await.unwrap();
    assert_eq!(version(&reloaded), Some(2));
    assert_eq!(version(&usual.await.unwrap().unwrap()), Some(1));
}

/// Scenarios 15, 16. A `Duration` can not be negative; the shortest one is zero.
#[tokio::test(start_paused = true)]
async fn a_value_that_is_fresh_for_no_time_is_returned_and_not_kept() {
    let stage = Stage::new();
    let policy = Policy {
        fresh_for: Duration::ZERO,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    for expected in 1..=3 {
        let answer = shop.look().await;
        assert_eq!(version(&answer), Some(1));
        assert!(!answer.trail().stored);
        assert_eq!(stage.loads(), expected);
    }
}

/// Scenario 17.
#[tokio::test(start_paused = true)]
async fn a_life_without_end_does_not_overflow() {
    let stage = Stage::new();
    let policy = Policy {
        fresh_for: Duration::MAX,
        stale_for: Duration::MAX,
        absent_for: Duration::MAX,
        early_refresh: 1.0,
        jitter: 1.0,
        ..Policy::default()
    };
    for plan in [stage.plan(), stage.plan().without_log()] {
        let shop = plan.policy(policy.clone()).open().await;
        assert_eq!(shop.version().await, Some(1));
        assert_eq!(shop.version_of("none").await, None);
        hop(1_000).await;
        assert_eq!(shop.in_memory(), Some(1));
    }
}

/// Scenario 18.
#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_poison_the_key() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.slow(ms(4_000));
    let left = tokio::time::timeout(ms(200), shop.version()).await;
    assert!(left.is_err());
    assert_eq!(stage.clock.elapsed(), ms(201), "at once");
    assert_eq!(shop.version().await, Some(1));
    assert_eq!(stage.loads(), 1, "the load went on for whoever comes next");
    hop(10_000).await;
    assert_eq!(shop.version().await, Some(1));
}

/// Scenario 19. Values are shared and immutable, so nothing is cloned and nobody can change one.
#[tokio::test(start_paused = true)]
async fn two_callers_hold_the_same_value() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let first = shop.cache.get(&key()).await.unwrap().unwrap();
    let second = shop.cache.get(&key()).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &second));
}

/// Scenario 20.
#[tokio::test(start_paused = true)]
async fn a_bypassed_cache_asks_the_source_each_time_and_stores_nothing() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.cache.set_mode(Mode::Bypass);
    for expected in 1..=3 {
        let answer = shop.look().await;
        assert_eq!(version(&answer), Some(1));
        assert!(!answer.trail().stored);
        assert_eq!(stage.loads(), expected);
    }
    assert_eq!(shop.redis.commands(), Vec::<&str>::new());
    shop.cache.set_mode(Mode::Cache);
    assert_eq!(shop.in_memory(), None);
}

struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Scenario 21. Memory goes on answering what is current for a moment; the rest is refused.
#[tokio::test(start_paused = true)]
async fn a_cache_that_is_shut_down_says_so() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.node.shut_down(ms(1_000)).await;
    assert_eq!(shop.version().await, Some(1));
    let other = shop.cache.get(&"8".to_owned()).await.unwrap_err();
    assert_eq!(other.kind(), GetErrorKind::ShutDown);
    let many = shop.cache.get_many(&["8".to_owned()]).await;
    assert_eq!(many[0].as_ref().unwrap_err().kind(), GetErrorKind::ShutDown);
    let began = stage.clock.elapsed();
    let forgotten = shop.cache.forget(&key()).await.unwrap_err();
    assert_eq!(forgotten.kind(), ChangeErrorKind::ShutDown);
    let inserted = shop.cache.insert(&key(), product("7", 2)).await;
    assert_eq!(inserted.unwrap_err().kind(), ChangeErrorKind::ShutDown);
    assert_eq!(stage.clock.elapsed(), began, "at once");
    hop(2_000).await;
    let late = shop.try_look().await.unwrap_err();
    assert_eq!(late.kind(), GetErrorKind::ShutDown);
}

/// Scenario 21. What a value holds is let go of once.
#[tokio::test(start_paused = true)]
async fn a_value_is_dropped_once_when_it_leaves() {
    let drops = Arc::new(AtomicU64::new(0));
    let cache: Cache<u64, Counted> = Cache::memory_builder("counted").build();
    cache.insert(&1, Counted(Arc::clone(&drops))).await.unwrap();
    cache.insert(&1, Counted(Arc::clone(&drops))).await.unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    cache.forget(&1).await.unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_waits_for_the_load_under_way() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.slow(ms(300));
    let caller = shop.caller();
    hop(10).await;
    shop.node.shut_down(ms(1_000)).await;
    assert!((301..305).contains(&stage.clock.elapsed().as_millis()));
    assert_eq!(version(&caller.await.unwrap().unwrap()), Some(1));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_ever() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.cut();
    let _caller = shop.caller();
    hop(10).await;
    shop.node.shut_down(ms(1_000)).await;
    assert_eq!(stage.clock.elapsed(), ms(1_011));
}

/// A hit returns a future that is embedded in every caller's: it must stay small.
#[tokio::test(start_paused = true)]
async fn the_future_of_get_is_small() {
    let cache: Cache<String, Versioned> = Cache::builder("product").node(&Node::default()).build();
    let key = key();
    let size = size_of_val(&cache.get(&key));
    assert!(size <= 256, "{size} bytes");
}

/// A cache of its own with nothing but a closure, as the crate's first example has it.
#[tokio::test(start_paused = true)]
async fn a_closure_is_enough_of_a_source() {
    let cache: Cache<u64, u64> = Cache::builder("square")
        .load(|key: u64| async move { Ok(Loaded::value(key * key)) })
        .build();
    assert_eq!(cache.get(&4).await.unwrap().as_deref(), Some(&16));
}

/// Polls through one way to the log, and writes through another.
struct TwoWays {
    polls: LogHandle,
    writes: LogHandle,
}

impl ChangeLog for TwoWays {
    fn poll<'a>(
        &'a self,
        after: &'a Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Poll, LogError>> {
        self.polls.poll(after, limit)
    }

    fn history(&self, limit: usize) -> BoxFuture<'_, Result<History, LogError>> {
        self.polls.history(limit)
    }

    fn replace_incarnation(&self, seen: Incarnation) -> BoxFuture<'_, Result<(), LogError>> {
        self.polls.replace_incarnation(seen)
    }

    fn append(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<Written, LogError>> {
        self.writes.append(changes)
    }
}

/// PROTOCOL section 5: an insert takes the position that its value has seen. Without one it keeps
/// nothing, and says so.
#[tokio::test(start_paused = true)]
async fn an_insert_whose_place_in_the_log_is_not_known_keeps_nothing_and_says_so() {
    let stage = Stage::new();
    let polls = stage.database.log();
    let log = TwoWays {
        polls: polls.clone(),
        writes: stage.database.log(),
    };
    let node = Node::builder()
        .clock(Arc::new(stage.clock))
        .remote(Arc::new(stage.redis.handle()))
        .change_log(Arc::new(log))
        .build();
    let cache: Cache<String, Versioned> = Cache::builder(ENTITY)
        .node(&node)
        .policy(still())
        .source(Arc::new(stage.source.clone()))
        .build();
    hop(1).await;
    cache.insert(&key(), product("7", 5)).await.unwrap();
    polls.switch.cut();
    let error = cache.insert(&key(), product("7", 6)).await.unwrap_err();
    assert_eq!(error.kind(), ChangeErrorKind::Unproven);
    assert_eq!(cache.peek(&key()), None, "the old value is forgotten");
    polls.switch.restore();
    hop(101).await;
    assert_eq!(
        cache.get(&key()).await.unwrap().unwrap().version,
        1,
        "loaded"
    );
}
