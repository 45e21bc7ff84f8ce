//! M. What no peer tests: slow loads, wrong clocks, lost writes, two releases at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tingkat::breaker::State;
use tingkat::error::GetErrorKind;
use tingkat::ports::{Found, Loaded};
use tingkat::warm::Warmer;
use tingkat::{Cache, Node, Policy, Tier};
use tingkat_testkit::TestClock;
use tingkat_testkit::fakes::{FakeSource, Mood};
use tokio_util::sync::CancellationToken;

use crate::n_warm::plan_of;
use crate::stage::{Stage, cell, hop, key, ms, product, still, version};

/// Scenario 145.
#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_a_forget_is_in_no_tier_afterwards() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.delay_after_read(ms(300));
    let slow = a.caller();
    hop(50).await;
    stage.write(2);
    b.cache.forget(&key()).await.unwrap();
    hop(101).await;
    a.cache.forget(&key()).await.unwrap();
    let old = slow.await.unwrap().unwrap();
    assert_eq!(
        version(&old),
        Some(1),
        "its own caller began before the change"
    );
    assert!(!old.trail().stored);
    hop(50).await;
    assert_eq!((a.in_memory(), b.in_memory()), (None, None));
    assert!(
        stage
            .redis
            .cells()
            .get(&cell())
            .is_none_or(|cell| cell[0] != b'V')
    );
    assert_eq!(a.cache.stats().overtaken.get(), 1);
    assert_eq!(b.version().await, Some(2));
    assert_eq!(a.version().await, Some(2));
}

/// Who joins a load after an own write must not have what it read before, though it is not kept.
#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_kept_does_not_reach_who_knows_more() {
    let stage = Stage::new();
    let stored = Arc::new(AtomicU64::new(1));
    let source = Arc::clone(&stored);
    let a = stage
        .plan()
        .load(move |key, _| {
            let version = source.load(Ordering::Relaxed);
            async move {
                tokio::time::sleep(ms(300)).await;
                Ok(Loaded::new(Found::Uncached(Some(product(&key, version)))))
            }
        })
        .open()
        .await;
    let early = a.caller();
    hop(50).await;
    stored.store(2, Ordering::Relaxed);
    a.cache.forget(&key()).await.unwrap();
    assert_eq!(a.version().await, Some(2));
    assert_eq!(version(&early.await.unwrap().unwrap()), Some(1));
}

/// Scenario 145. The same on a node without a log.
#[tokio::test(start_paused = true)]
async fn a_slow_load_does_not_undo_a_forget_without_a_log_either() {
    let stage = Stage::new();
    let a = stage.plan().without_log().open().await;
    let b = stage.plan().without_log().open().await;
    stage.source.delay_after_read(ms(300));
    let slow = a.caller();
    hop(50).await;
    stage.write(2);
    a.cache.forget(&key()).await.unwrap();
    slow.await.unwrap().unwrap();
    hop(5).await;
    assert_eq!(a.in_memory(), None);
    assert_eq!(b.version().await, Some(2), "nor did it fill Redis");
}

/// Scenario 147.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_began_before_its_tag_was_forgotten_is_rejected() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .deps(|_| vec![tingkat::certificate::Dep::new("state:SGR")])
        .open()
        .await;
    shop.version().await;
    hop(3_600_001).await;
    stage.source.delay_after_read(ms(300));
    shop.version().await;
    hop(50).await;
    stage.database.write_silently("product", "7", 2);
    shop.cache.forget_tag("state:SGR").await.unwrap();
    hop(400).await;
    assert_eq!(shop.in_memory(), None);
    stage.source.delay_after_read(ms(0));
    assert_eq!(shop.version().await, Some(2));
}

/// Scenario 148.
#[tokio::test(start_paused = true)]
async fn wrong_wall_clocks_do_not_change_the_order_of_writes() {
    let stage = Stage::new();
    let mut shops = Vec::new();
    for offset in [-10_000, 0, 10_000] {
        let clock = TestClock::new().with_wall_offset_ms(offset);
        shops.push(stage.plan().clock(clock).open().await);
    }
    for round in 0..6 {
        let expected = 10 + round;
        let writer = &shops[usize::try_from(round).unwrap() % 3];
        stage.write(expected);
        writer
            .cache
            .insert(&key(), product("7", expected))
            .await
            .unwrap();
        hop(101).await;
        for shop in &shops {
            let answer = shop.look().await;
            assert_eq!(
                (version(&answer), answer.trail().stale),
                (Some(expected), false)
            );
        }
    }
}

/// Scenario 148. Without a log lives are told by wall clocks, and are wrong by their difference.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_far_ahead_makes_no_entry_immortal() {
    let stage = Stage::new();
    let ahead = TestClock::new().with_wall_offset_ms(3_600_000_000);
    let a = stage.plan().without_log().clock(ahead).open().await;
    a.version().await;
    hop(5).await;
    let b = stage.plan().without_log().open().await;
    assert_eq!(b.look().await.trail().tier, Tier::Remote);
    hop(3_600_001).await;
    assert_eq!(
        b.in_memory(),
        None,
        "a life from when it was found, at most"
    );
}

/// Scenario 151.
#[tokio::test(start_paused = true)]
async fn a_brown_out_of_redis_is_bounded_and_opens_the_breaker() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.reads.slow(ms(200));
    shop.redis.writes.slow(ms(200));
    let mut times = Vec::new();
    for n in 0..200 {
        let began = stage.clock.elapsed();
        shop.version_of(&n.to_string()).await;
        times.push(stage.clock.elapsed() - began);
    }
    times.sort();
    assert!(times[199] <= ms(55), "{:?}", times[199]);
    assert!(times[190] <= ms(5), "p95 {:?}", times[190]);
    assert_eq!(shop.node.breaker(), Some(State::Open));
}

/// Scenario 153, but for the node's health, of which the engine has no verdict: it counts and tells.
#[tokio::test(start_paused = true)]
async fn a_hung_load_loses_its_lease_is_cancelled_and_shows() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.cut();
    let hung = a.caller();
    hop(10).await;
    // B can not reach the hung source's node but has a way of its own to the database.
    let other = FakeSource::new(&stage.database, "product");
    let c = stage.plan().source(Arc::new(other)).open().await;
    let began = stage.clock.elapsed();
    let waits = c.caller();
    let error = hung.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Deadline);
    hop(5).await;
    assert_eq!(a.cache.stats().hung_loads.get(), 1);
    assert_eq!(a.cache.stats().loads_running.get(), 0);
    assert_eq!(a.events.count("LoadHung"), 1);
    // Who waited for the lease has a deadline of his own, and the next one loads.
    let shared = waits.await.unwrap().unwrap_err();
    assert_eq!(shared.kind(), GetErrorKind::Deadline);
    hop(600).await;
    let is_leased = |cell: &bytes::Bytes| cell[0] == b'L';
    assert!(!stage.redis.cells().get(&cell()).is_some_and(is_leased));
    assert_eq!(c.version().await, Some(1));
    assert!(stage.clock.elapsed() - began < ms(9_000));
    assert_eq!(b.version().await, Some(1), "and fills Redis for all");
}

/// Scenario 154. Never older than the bound, and never older than what a poll of the node brought.
#[tokio::test(start_paused = true)]
async fn a_failover_of_redis_that_lost_writes_takes_no_reader_back() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    let replica = stage.redis.dump();
    let mut seen = 1;
    for change in 2..10 {
        stage.write(change);
        hop(101).await;
        a.version().await;
        hop(5).await;
        stage.redis.load(replica.clone());
        for shop in [&a, &b] {
            let got = shop.version().await.unwrap();
            assert!(got >= seen, "{got} after {seen}");
            assert_eq!(got, change);
        }
        seen = change;
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Old {
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct New {
    name: String,
    #[serde(default)]
    stock: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Other {
    name: u64,
}

fn release<V>(stage: &Stage, schema: u32, value: V) -> Cache<String, V>
where
    V: Clone + Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let node = Node::builder()
        .clock(Arc::new(stage.clock))
        .remote(Arc::new(stage.redis.handle()))
        .build();
    Cache::builder("thing")
        .node(&node)
        .schema(schema)
        .policy(still())
        .load(move |_| {
            let value = value.clone();
            async move { Ok(Loaded::value(value)) }
        })
        .build()
}

/// Scenario 156.
#[tokio::test(start_paused = true)]
async fn two_releases_read_what_they_can_of_each_other_and_miss_the_rest() {
    let stage = Stage::new();
    let name = || "old".to_owned();
    let old = release(&stage, 1, Old { name: name() });
    let new = release(
        &stage,
        1,
        New {
            name: "new".to_owned(),
            stock: 3,
        },
    );
    let next = release(
        &stage,
        2,
        New {
            name: "next".to_owned(),
            stock: 4,
        },
    );
    let other = release(&stage, 1, Other { name: 9 });
    assert_eq!(old.get(&key()).await.unwrap().unwrap().name, "old");
    hop(5).await;
    let read = new.get(&key()).await.unwrap().unwrap();
    assert_eq!(
        (read.name.as_str(), read.stock),
        ("old", 0),
        "a field that has a default"
    );
    let read = next.get(&key()).await.unwrap().unwrap();
    assert_eq!(
        (read.name.as_str(), read.stock),
        ("next", 4),
        "another schema, another key"
    );
    assert_eq!(
        other.get(&key()).await.unwrap().unwrap().name,
        9,
        "a shape that does not fit"
    );
    assert_eq!(other.stats().undecodable.get(), 1);
    assert_eq!(stage.redis.cells().len(), 2);
}

/// Scenario 157. Nothing is pending in a process that dies: what it left in Redis is judged.
#[tokio::test(start_paused = true)]
async fn a_node_that_died_before_it_told_anybody_leaves_nothing_wrong() {
    let stage = Stage::new();
    let a = stage.node().await;
    a.version().await;
    hop(5).await;
    a.redis.cut();
    stage.write(2);
    drop((a, ()));
    let b = stage.node().await;
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(2), Tier::Source)
    );
}

/// Scenario 159.
#[tokio::test(start_paused = true)]
async fn a_large_value_lives_compressed_in_redis_alone() {
    let stage = Stage::new();
    let open = || {
        let node = Node::builder()
            .clock(Arc::new(stage.clock))
            .remote(Arc::new(stage.redis.handle()))
            .build();
        Cache::<u64, Vec<u8>>::builder("blob")
            .node(&node)
            .load(|_| async { Ok(Loaded::value(vec![7_u8; 3 << 20])) })
            .build()
    };
    let (a, b) = (open(), open());
    a.get(&1).await.unwrap();
    hop(5).await;
    assert!(a.peek(&1).is_none());
    let answer = b.look_up(&1, tingkat::Options::default()).await.unwrap();
    assert_eq!(answer.trail().tier, Tier::Remote);
    assert_eq!(answer.value().unwrap().len(), 3 << 20);
    assert!(b.peek(&1).is_none());
    let size: usize = stage.redis.cells().values().map(bytes::Bytes::len).sum();
    assert!(size < 100_000, "{size}");
    assert_eq!(b.stats().loaded_keys.get(), 0);
}

/// Scenario 161. The feed says how long ago it heard; what readiness makes of that is shown in
/// `tingkat-health`.
#[tokio::test(start_paused = true)]
async fn a_canary_written_on_one_node_is_seen_on_another_in_time_or_the_feed_says_so() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    for canary in 10..30 {
        b.version().await;
        a.cache.insert(&key(), product("7", canary)).await.unwrap();
        let written = stage.clock.elapsed();
        while b.version().await != Some(canary) {
            hop(1).await;
        }
        let took = stage.clock.elapsed() - written;
        assert!(took <= ms(105), "{took:?}");
        hop(7).await;
    }
    b.log.switch.cut();
    hop(3_000).await;
    assert_eq!(b.events.count("Feed { is_up: false"), 1);
    let feed = b.node.feed().unwrap();
    assert!(feed.poll_age.unwrap() > feed.bound);
}

/// Scenario 162.
#[tokio::test(start_paused = true)]
async fn warming_takes_what_redis_has_loads_the_rest_once_and_can_be_resumed() {
    let stage = Stage::new();
    let keys: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
    for key in &keys {
        stage.database.write("product", key, 1);
    }
    let a = stage.node().await;
    a.cache.get_many(&keys[..300]).await;
    hop(5).await;
    let policy = Policy {
        memory_bytes: 64 << 20,
        ..still()
    };
    let b = stage.node_with(policy).await;
    stage.source.switch.slow(ms(100));
    let twice: Vec<String> = keys.iter().chain(&keys).cloned().collect();
    let plan = || plan_of(&twice);
    let stop = CancellationToken::new();
    let warmer = Warmer::new(&b.node);
    let aborted = tokio::time::timeout(ms(50), warmer.run(plan(), &stop, |_| ())).await;
    assert!(aborted.is_err());
    hop(500).await;
    assert!(stage.source.batches().len() < 8);
    let report = warmer.run(plan(), &stop, |_| ()).await;
    assert!(report.success, "{report:?}");
    let loads = keys.iter().map(|key| stage.source.loads(key));
    assert_eq!(loads.max().unwrap(), 1, "no key twice");
    let entity = &report.entities[0];
    assert_eq!((entity.wanted, entity.duplicates), (1_000, 1_000));
    let already = entity.already_warm.memory + entity.already_warm.redis;
    assert!(already >= 300 && entity.loaded > 0);
    assert_eq!(already + entity.loaded, 1_000);
    assert_eq!(b.node.registry().find("product").unwrap().entries(), 1_000);
}

/// Scenario 164. A tag is one row in the log and no command to Redis, however many entries have it.
#[tokio::test(start_paused = true)]
async fn forgetting_a_tag_costs_the_same_for_any_number_of_entries() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .deps(|_| vec![tingkat::certificate::Dep::new("all")])
        .open()
        .await;
    let keys: Vec<String> = (0..20_000).map(|n| format!("k{n}")).collect();
    for keys in keys.chunks(5_000) {
        for answer in shop.cache.get_many(keys).await {
            answer.unwrap();
        }
    }
    hop(20).await;
    let (commands, deps) = (shop.redis.commands().len(), shop.node.feed().unwrap().deps);
    shop.cache.forget_tag("all").await.unwrap();
    hop(1).await;
    assert_eq!(shop.redis.commands()[commands..], ["hint"]);
    assert_eq!(shop.node.feed().unwrap().deps, deps + 1);
    assert_eq!(shop.cache.peek(&keys[0]), None);
    assert_eq!(shop.cache.peek(&keys[19_999]), None);
}

/// Rows are read at one instant and arrive much later: a change in between refuses them.
#[tokio::test(start_paused = true)]
async fn a_value_that_was_old_when_it_arrived_is_not_kept() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.delay_after_read(ms(500));
    let caller = shop.caller();
    hop(100).await;
    stage.write(2);
    hop(200).await;
    let late = shop.caller();
    assert_eq!(version(&caller.await.unwrap().unwrap()), Some(1));
    stage.source.delay_after_read(ms(0));
    assert_eq!(
        version(&late.await.unwrap().unwrap()),
        Some(2),
        "it began after the change was known"
    );
    assert_eq!(shop.in_memory(), Some(2));
    stage.source.switch.set(Mood::Failing);
    assert!(!shop.look().await.trail().stale);
}
