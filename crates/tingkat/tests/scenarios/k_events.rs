//! K. Events, counters, lifecycle.

use tingkat::certificate::{Change, ChangeKind, Dep};
use tingkat::error::SourceError;
use tingkat::warm::Checked;
use tingkat::{Mode, Node, Options};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Stage, hop, key, ms, product, version};

/// Scenario 129.
#[tokio::test(start_paused = true)]
async fn counters_match_what_was_done() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    let stats = shop.cache.stats();
    for _ in 0..5 {
        shop.version().await;
    }
    shop.version_of("none").await;
    shop.version_of("none").await;
    assert_eq!(stats.memory_misses.get(), 2);
    assert_eq!(stats.memory_hits.get(), 5);
    assert_eq!(stats.remote_misses.get(), 2);
    assert_eq!(stats.loaded_keys.get(), 2);
    assert_eq!(stats.absent_answers.get(), 2);
    hop(5).await;
    assert_eq!(stats.fills.get(), 2);
    let other = stage.plan().without_log().open().await;
    other.version().await;
    assert_eq!(other.cache.stats().remote_hits.get(), 1);
    shop.cache.insert(&key(), product("7", 2)).await.unwrap();
    shop.cache.forget(&"none".to_owned()).await.unwrap();
    assert_eq!(shop.events.count("Forgot"), 2);
    hop(3_600_001).await;
    stage.source.switch.set(Mood::Failing);
    for _ in 0..3 {
        assert!(shop.look().await.trail().stale);
    }
    assert_eq!(stats.stale_answers.get(), 3);
    assert_eq!(stats.failed_keys.get(), 1);
    assert_eq!(shop.events.count("LoadFailed"), 1);
    assert_eq!(shop.events.count("ServedStale"), 3);
}

/// Scenario 129. A batch counts what it counts one by one.
#[tokio::test(start_paused = true)]
async fn counters_of_a_batch_match_too() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let keys: Vec<String> = ["7", "8", "7", "9"].map(str::to_owned).into();
    shop.cache.get_many(&keys).await;
    let stats = shop.cache.stats();
    assert_eq!(stats.memory_misses.get(), 3);
    assert_eq!(stats.loaded_keys.get(), 3);
    assert_eq!(stats.batches.get(), 1);
    assert_eq!(stats.loads_queued.get(), 0);
    assert_eq!(stats.loads_running.get(), 0);
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.set(Mood::Failing);
    for _ in 0..2 {
        shop.cache.get_many(&keys[..1]).await;
    }
    assert_eq!(shop.events.count("ServedStale"), 2);
    assert_eq!(stats.stale_answers.get(), 2);
}

/// Scenario 130.
#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_marked_counted_and_told() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.set(Mood::Failing);
    let answer = shop.look().await;
    assert!(answer.trail().stale);
    assert_eq!(shop.cache.stats().stale_answers.get(), 1);
    assert_eq!(shop.cache.stats().memory_hits.get(), 0);
    assert!(
        shop.events
            .all()
            .iter()
            .any(|event| event.contains("ServedStale") && event.contains("product"))
    );
}

/// Scenario 131.
#[tokio::test(start_paused = true)]
async fn forgetting_is_told_though_redis_is_away() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.cut();
    shop.cache.forget(&key()).await.unwrap();
    shop.cache.forget_tag("state:SGR").await.unwrap();
    assert_eq!(shop.events.count("Forgot { dep: \"product:7\" }"), 1);
    assert_eq!(shop.events.count("Forgot { dep: \"state:SGR\" }"), 1);
}

/// Scenario 136. Counters are per entity: there is no label that a key could widen.
#[tokio::test(start_paused = true)]
async fn statistics_are_per_entity_whatever_the_keys() {
    let stage = Stage::new();
    let shop = stage.node().await;
    for n in 0..1_000 {
        shop.version_of(&format!("key-{n}")).await;
    }
    let caches = shop.node.registry().all();
    assert_eq!(caches.len(), 1);
    assert_eq!(caches[0].stats().loaded_keys.get(), 1_000);
    assert!(
        shop.events
            .all()
            .iter()
            .all(|event| !event.contains("key-"))
    );
}

/// Scenario 138.
#[tokio::test(start_paused = true)]
async fn caches_of_one_node_share_no_entries() {
    let stage = Stage::new();
    let node = Node::builder()
        .remote(std::sync::Arc::new(stage.redis.handle()))
        .build();
    let build = |name: &'static str, schema| {
        tingkat::Cache::<String, u64>::builder(name)
            .node(&node)
            .schema(schema)
            .build()
    };
    let (a, b, c) = (build("a", 1), build("b", 1), build("a", 2));
    for (cache, value) in [(&a, 1), (&b, 2), (&c, 3)] {
        cache.insert(&key(), value).await.unwrap();
    }
    for (cache, value) in [(&a, 1), (&b, 2), (&c, 3)] {
        assert_eq!(cache.get(&key()).await.unwrap().as_deref(), Some(&value));
    }
    assert_eq!(stage.redis.cells().len(), 3);
    assert_eq!(node.registry().all().len(), 3);
}

/// The registry does not keep a cache alive, and finds those that live by their entity.
#[tokio::test(start_paused = true)]
async fn the_registry_lists_the_caches_that_live() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let passing = tingkat::Cache::<u64, u64>::builder("passing")
        .node(&shop.node)
        .build();
    assert!(shop.node.registry().find("passing").is_some());
    drop(passing);
    assert!(shop.node.registry().find("passing").is_none());
    let product = shop.node.registry().find("product").unwrap();
    shop.version().await;
    assert_eq!(product.entries(), 1);
    assert_eq!(product.keys(10), ["7"]);
    product.forget(vec!["7".to_owned()]).await.unwrap();
    assert_eq!(product.inspect("7"), Ok(None));
}

/// Shadow: answers from the source, counts what the cache would have said otherwise.
#[tokio::test(start_paused = true)]
async fn shadow_mode_counts_differences_and_answers_the_truth() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    shop.cache.set_mode(Mode::Shadow);
    assert_eq!(shop.version().await, Some(1));
    let stats = shop.cache.stats();
    assert_eq!(stats.differences.get(), 0);
    stage.database.write_silently("product", "7", 2);
    assert_eq!(shop.version().await, Some(2));
    assert_eq!(stats.differences.get(), 1);
    assert_eq!(shop.events.count("Differed"), 1);
    assert_eq!(shop.version().await, Some(2));
    assert_eq!(stats.differences.get(), 1);
    let other = stage.node().await;
    other.cache.set_mode(Mode::Shadow);
    assert_eq!(other.version().await, Some(2));
    assert_eq!(
        other.cache.stats().differences.get(),
        1,
        "Redis would have said 1"
    );
}

/// Shadow: what the cache would refuse, or is about to hear of, is no difference.
#[tokio::test(start_paused = true)]
async fn shadow_mode_does_not_count_what_is_within_the_promise() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(5).await;
    shop.cache.set_mode(Mode::Shadow);
    stage.write(2);
    assert_eq!(
        shop.version().await,
        Some(2),
        "the poll has not brought it yet"
    );
    hop(150).await;
    stage.write(3);
    hop(150).await;
    assert_eq!(shop.version().await, Some(3), "the poll has brought it");
    assert_eq!(shop.cache.stats().differences.get(), 0);
}

/// An audit compares what the tiers would say with the source, and leaves no trace.
#[tokio::test(start_paused = true)]
async fn an_audit_finds_what_was_written_behind_the_log_and_nothing_else() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let product = shop.node.registry().find("product").unwrap();
    let audit = async || product.check(vec!["7".to_owned()]).await;
    assert_eq!(audit().await, [Checked::Missing], "nothing is cached");
    shop.version().await;
    hop(5).await;
    let (hits, loads) = {
        let stats = shop.cache.stats();
        (stats.memory_hits.get(), stats.loaded_keys.get())
    };
    assert_eq!(audit().await, [Checked::Same]);
    assert_eq!(shop.cache.stats().loaded_keys.get(), loads + 1);
    assert_eq!(shop.cache.stats().memory_hits.get(), hits);
    stage.write(2);
    assert_eq!(
        audit().await,
        [Checked::Same],
        "the poll has not brought it yet"
    );
    hop(150).await;
    assert_eq!(
        audit().await,
        [Checked::Missing],
        "what is cached is refused"
    );
    shop.version().await;
    assert_eq!(audit().await, [Checked::Same]);
    stage.database.write_silently("product", "7", 3);
    assert_eq!(audit().await, [Checked::Different]);
    // While no poll comes it may be a change that is on its way.
    shop.log.switch.set(Mood::Failing);
    assert_eq!(audit().await, [Checked::Unknown]);
    shop.log.switch.restore();
    hop(150).await;
    assert_eq!(audit().await, [Checked::Different]);
    assert_eq!(shop.version().await, Some(2), "an audit mends nothing");
    assert_eq!(shop.cache.stats().differences.get(), 0);
}

/// Modes change at run time, and the tiers are as good as before afterwards.
#[tokio::test(start_paused = true)]
async fn a_cache_comes_back_from_bypass_without_showing_the_past() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.cache.set_mode(Mode::Bypass);
    stage.write(2);
    hop(150).await;
    shop.cache.set_mode(Mode::Cache);
    assert_eq!(shop.version().await, Some(2));
    let registry = shop.node.registry().find("product").unwrap();
    registry.set_mode(Mode::Shadow);
    assert_eq!(shop.cache.mode(), Mode::Shadow);
}

/// The state of the feed is told when it changes, not with every poll.
#[tokio::test(start_paused = true)]
async fn the_feed_is_told_once_when_it_goes_and_once_when_it_comes() {
    let stage = Stage::new();
    let shop = stage.node().await;
    assert!(shop.node.feed().unwrap().poll_age.unwrap() <= ms(100));
    shop.log.switch.set(Mood::Failing);
    hop(3_000).await;
    assert_eq!(shop.events.count("Feed { is_up: false"), 1);
    assert!(shop.node.feed().unwrap().poll_age.unwrap() >= ms(3_000));
    shop.log.switch.restore();
    hop(200).await;
    assert_eq!(shop.events.count("Feed { is_up: true"), 1);
    let change = Change {
        dep: Dep::everything(),
        kind: ChangeKind::Forget,
    };
    let written = stage.database.write("x", "y", 1);
    shop.node.committed(written, &[change]);
    assert!(shop.node.feed().unwrap().deps >= 1);
}

/// The changes of every poll, with what the node had seen before and has seen then: nothing is
/// told twice and nothing is left out.
#[tokio::test(start_paused = true)]
async fn what_a_poll_brings_is_told_with_the_positions_that_it_lies_between() {
    let stage = Stage::new();
    stage.database.write("product", "early", 1);
    let polls = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&polls);
    let _shop = stage
        .plan()
        .tune(move |node| {
            node.on_event(move |event| {
                if let tingkat::event::Event::Polled {
                    since,
                    position,
                    changes,
                    ..
                } = event
                {
                    let changes: Vec<_> = changes.iter().map(|it| it.1.dep.to_string()).collect();
                    let poll = (since.clone(), position.clone(), changes);
                    told.lock().unwrap().push(poll);
                }
            })
        })
        .open()
        .await;
    hop(1_000).await;
    let slow = stage.database.begin();
    stage.database.write("product", "8", 1);
    hop(1_000).await;
    slow.commit();
    stage.database.write("product", "9", 1);
    hop(1_000).await;
    let polls = polls.lock().unwrap();
    let (first, rest) = polls.split_first().unwrap();
    assert_eq!(first.0.to_string(), "0:0:");
    assert_eq!(first.2, ["product:7", "product:early"]);
    let mut before = &first.1;
    for (since, position, _) in rest {
        assert_eq!(since, before);
        assert!(position.contains(since));
        before = position;
    }
    let changes: Vec<_> = rest.iter().flat_map(|poll| poll.2.clone()).collect();
    assert_eq!(changes, ["product:8", "product:9"]);
}

/// How long answers took, by tier and by what came of it.
#[tokio::test(start_paused = true)]
async fn times_are_told_by_tier_and_outcome() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.slow(ms(40));
    a.version().await;
    hop(5).await;
    b.version().await;
    let (first, second) = (a.cache.stats(), b.cache.stats());
    assert_eq!(first.remote_miss_time.count(), 1);
    assert_eq!(first.source_time.count(), 1);
    assert!(first.source_time.sum() >= ms(40));
    assert_eq!((first.load_time.count(), second.load_time.count()), (1, 0));
    assert!(first.load_time.sum() >= ms(40));
    for mode in [Mode::Cache, Mode::Shadow] {
        a.cache.set_mode(mode);
        assert_eq!(a.version_of("none").await, None);
    }
    a.cache.set_mode(Mode::Cache);
    assert_eq!(first.source_absent_time.count(), 2);
    assert!(first.source_absent_time.sum() >= ms(80));
    assert_eq!(first.source_time.count(), 1);
    assert_eq!(first.load_time.count(), 3);
    assert_eq!(
        (second.remote_time.count(), second.source_time.count()),
        (1, 0)
    );

    stage.source.switch.set(Mood::Failing);
    assert!(a.cache.get(&"8".to_owned()).await.is_err());
    assert_eq!(first.failure_time.count(), 1);
    a.redis.cut();
    assert!(a.cache.get(&"9".to_owned()).await.is_err());
    assert_eq!(first.remote_failure_time.count(), 1);
    b.cache.expire(&key()).await.unwrap();
    assert_eq!(version(&b.look().await), Some(1));
    assert_eq!(second.stale_time.count(), 1);
}

/// Every answer that is less than current is timed, however soon it came and whatever it was asked
/// by; that nothing is cached is none.
#[tokio::test(start_paused = true)]
async fn every_answer_that_is_not_current_is_timed() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let stats = shop.cache.stats();
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.set(Mood::Failing);
    for _ in 0..3 {
        assert!(shop.look().await.trail().stale);
    }
    shop.cache.get_many(&[key()]).await;
    assert_eq!(stats.stale_answers.get(), 4);
    assert_eq!(stats.stale_time.count(), 4);
    let keys = ["8", "9"].map(str::to_owned);
    assert!(shop.cache.get_many(&keys).await.iter().all(Result::is_err));
    assert_eq!(stats.failure_time.count(), 2);
    assert!(!shop.cache.has(&keys[0]).await);
    assert_eq!(stats.failure_time.count(), 2);
    shop.log.switch.cut();
    hop(2_000).await;
    let insisting = Options::default().validated();
    assert!(shop.look_with(insisting).await.is_err());
    assert_eq!(stats.failure_time.count(), 3);
    shop.cache.look_up_many(&keys, insisting).await;
    assert_eq!(stats.failure_time.count(), 5);
    let token = stage.database.write("product", "7", 2);
    assert!(shop.cache.get_at_least(&key(), token).await.is_err());
    assert_eq!(stats.failure_time.count(), 6);
    assert!(stats.failure_time.sum() >= ms(3_000));
    let stubborn = stage
        .plan()
        .load(|_, _| async { Err(SourceError::fatal("never")) })
        .open()
        .await;
    assert!(stubborn.try_look().await.is_err());
    assert_eq!(stubborn.cache.stats().failure_time.count(), 1);
    stubborn.cache.set_mode(Mode::Bypass);
    assert!(stubborn.try_look().await.is_err());
    assert_eq!(stubborn.cache.stats().failure_time.count(), 2);
}
