//! Warming: what it takes from where, what it leaves alone, and what it says about it.

use std::sync::Arc;
use std::time::Duration;

use tingkat::warm::{Limits, Plan, PlanEntity, Report, Stopped, Warmer};
use tingkat::{Placement, Policy};
use tingkat_testkit::fakes::{FakeSource, Mood};
use tokio_util::sync::CancellationToken;

use crate::stage::{ENTITY, Shop, Stage, cell, hop, key, ms, still};

/// A plan for the products of these keys.
pub(crate) fn plan_of(keys: &[String]) -> Plan {
    let entity = PlanEntity {
        entity: ENTITY.to_owned(),
        keys: keys.to_vec(),
        ..PlanEntity::default()
    };
    Plan {
        entities: vec![entity],
        limits: Limits {
            timeout: Duration::from_hours(1),
            ..Limits::default()
        },
        ..Plan::default()
    }
}

/// Runs a plan to its end.
pub(crate) async fn warm(shop: &Shop, plan: Plan) -> Report {
    let stop = CancellationToken::new();
    Warmer::new(&shop.node).run(plan, &stop, |_| ()).await
}

/// So many products that exist.
pub(crate) fn products(stage: &Stage, count: usize) -> Vec<String> {
    let keys: Vec<String> = (0..count).map(|n| format!("k{n}")).collect();
    for key in &keys {
        stage.database.write(ENTITY, key, 1);
    }
    keys
}

#[tokio::test(start_paused = true)]
async fn what_was_warmed_is_answered_by_memory_here_and_by_redis_elsewhere() {
    let stage = Stage::new();
    let keys = products(&stage, 450);
    let (a, b) = (stage.node().await, stage.node().await);
    let report = warm(&a, plan_of(&keys)).await;
    assert!(report.success, "{report:?}");
    let entity = &report.entities[0];
    assert_eq!((entity.wanted, entity.loaded, entity.left), (450, 450, 0));
    assert!(entity.bytes > 450 * 20, "{entity:?}");
    let batches = stage.source.batches();
    assert_eq!(batches.len(), 3, "in batches");
    for shop in [&a, &b] {
        for key in &keys {
            assert_eq!(shop.version_of(key).await, Some(1));
        }
    }
    assert_eq!(stage.source.batches().len(), 3, "nothing was loaded again");
    assert_eq!(a.cache.stats().memory_hits.get(), 450);
    assert_eq!(b.cache.stats().remote_hits.get(), 450);
}

/// What nobody asked for says nothing about how well the cache works.
#[tokio::test(start_paused = true)]
async fn warming_is_no_look_up() {
    let stage = Stage::new();
    let keys = products(&stage, 50);
    let shop = stage
        .plan()
        .tune(|node| node.track_accesses(100))
        .open()
        .await;
    for _ in 0..2 {
        warm(&shop, plan_of(&keys)).await;
    }
    let stats = shop.cache.stats();
    let counted = [
        &stats.memory_misses,
        &stats.remote_hits,
        &stats.remote_misses,
        &stats.joined,
    ];
    assert_eq!(counted.map(tingkat::stats::Counter::get), [0; 4]);
    assert_eq!(stats.memory_hits.get(), 0);
    let cache = shop.node.registry().find(ENTITY).unwrap();
    assert_eq!(cache.take_accesses(), []);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_comes_again_or_does_not_exist_is_counted() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let keys = ["7", " 7 ", "nowhere", "7"].map(str::to_owned);
    let report = warm(&shop, plan_of(&keys)).await;
    assert!(report.success, "that there is none is known: {report:?}");
    let entity = &report.entities[0];
    assert_eq!((entity.wanted, entity.duplicates), (2, 2));
    assert_eq!((entity.loaded, entity.absent), (2, 1));
}

/// Keys of another form are dropped and shown, also where nothing else is left.
#[tokio::test(start_paused = true)]
async fn what_is_no_key_is_dropped_and_does_not_pass_for_success() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let squares = tingkat::Cache::<u64, u64>::builder("square")
        .node(&shop.node)
        .load(|n: u64| async move { Ok(tingkat::ports::Loaded::value(n * n)) })
        .build();
    let mut plan = plan_of(&["7", "07", "seven", "\u{7}x"].map(str::to_owned));
    plan.entities[0].entity = "square".to_owned();
    let report = warm(&shop, plan.clone()).await;
    let entity = &report.entities[0];
    assert_eq!((entity.wanted, entity.malformed), (1, 3));
    assert_eq!(entity.malformed_examples, ["07", "seven", "\u{fffd}x"]);
    assert!(report.success);
    assert_eq!(squares.peek(&7).as_deref(), Some(&49));
    plan.entities[0].keys.remove(0);
    let report = warm(&shop, plan).await;
    assert!(!report.success && report.wanted() == 0, "{report:?}");
}

/// After Redis lost everything, what memory has is written there again and not loaded.
#[tokio::test(start_paused = true)]
async fn redis_takes_from_memory_what_it_has_lost_and_other_nodes_accept_it() {
    let stage = Stage::new();
    let keys = products(&stage, 30);
    let (a, b) = (stage.node().await, stage.node().await);
    warm(&a, plan_of(&keys)).await;
    stage.redis.flush();
    let report = warm(&a, plan_of(&keys)).await;
    assert!(report.success, "{report:?}");
    assert_eq!(report.entities[0].already_warm.memory, 30);
    assert!(report.entities[0].bytes > 0);
    for key in &keys {
        assert_eq!(b.version_of(key).await, Some(1));
    }
    assert_eq!(b.cache.stats().remote_hits.get(), 30);
    assert!(keys.iter().all(|key| stage.source.loads(key) == 1));
}

/// What has changed since, or is past its freshness, is not warm.
#[tokio::test(start_paused = true)]
async fn what_is_refused_or_not_fresh_is_loaded_again() {
    let stage = Stage::new();
    let keys = products(&stage, 3);
    let shop = stage.node().await;
    warm(&shop, plan_of(&keys)).await;
    stage.database.write(ENTITY, "k1", 2);
    hop(150).await;
    let report = warm(&shop, plan_of(&keys)).await;
    assert_eq!(report.entities[0].loaded, 1, "{report:?}");
    assert_eq!(shop.version_of("k1").await, Some(2));
    tokio::time::advance(Duration::from_mins(61)).await;
    hop(150).await;
    let report = warm(&shop, plan_of(&keys)).await;
    assert_eq!(report.entities[0].loaded, 3, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn without_redis_memory_is_warmed_and_the_report_says_that_it_is_all() {
    let stage = Stage::new();
    let keys = products(&stage, 10);
    let shop = stage.node().await;
    shop.redis.cut();
    shop.redis.disconnect(true);
    let report = warm(&shop, plan_of(&keys)).await;
    let entity = &report.entities[0];
    assert!(!report.success, "redis has nothing: {report:?}");
    assert_eq!((entity.loaded, entity.not_in_redis), (10, 10));
    assert!(keys.iter().all(|key| shop.cache.peek(key).is_some()));
    let alone = stage.plan().without_redis().open().await;
    let report = warm(&alone, plan_of(&keys)).await;
    assert!(report.success, "it belongs to memory alone: {report:?}");
}

/// Where nothing can be kept the source is not asked.
#[tokio::test(start_paused = true)]
async fn an_entity_of_redis_alone_is_not_loaded_while_redis_is_away() {
    let stage = Stage::new();
    let keys = products(&stage, 10);
    let policy = Policy {
        placement: Placement::Remote,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.redis.cut();
    shop.redis.disconnect(true);
    let report = warm(&shop, plan_of(&keys)).await;
    assert_eq!(report.entities[0].failed[0].reason, "redis did not take it");
    assert_eq!(report.entities[0].failures(), 10);
    assert!(!report.success && stage.source.batches().is_empty());
}

/// The most wanted come first, so that what does not fit into memory goes to Redis alone.
#[tokio::test(start_paused = true)]
async fn memory_that_is_full_is_not_filled_again_and_again() {
    let stage = Stage::new();
    let keys = products(&stage, 1_000);
    let policy = Policy {
        memory_bytes: 100_000,
        max_batch: 20,
        ..still()
    };
    let shop = stage.node_with(policy.clone()).await;
    let report = warm(&shop, plan_of(&keys)).await;
    assert!(report.success, "redis has the rest: {report:?}");
    assert_eq!(stage.redis.cells().len(), 1_000);
    let lacking = report.entities[0].not_in_memory;
    let in_memory = keys
        .iter()
        .filter(|key| shop.cache.peek(key).is_some())
        .count();
    assert!(in_memory > 150, "{in_memory}");
    assert!(
        lacking.abs_diff(1_000 - in_memory) < 50,
        "{lacking}, {in_memory}"
    );
    let filled = shop.node.registry().find(ENTITY).unwrap().bytes();
    assert!(filled < 92_000, "nine tenths and no part more: {filled}");
    // Who comes later takes from Redis what fits, and says what does not.
    let next = stage.node_with(policy.clone()).await;
    let told = warm(&next, plan_of(&keys)).await;
    assert!(told.success, "{told:?}");
    assert_eq!(told.entities[0].already_warm.redis, 1_000, "{told:?}");
    assert!(
        told.entities[0].not_in_memory.abs_diff(lacking) < 50,
        "{told:?}"
    );
    let held = keys
        .iter()
        .take(100)
        .filter(|key| shop.cache.peek(key).is_some());
    assert!(held.count() >= 95, "the most wanted stay");
    assert!(shop.cache.stats().evictions.get() < 50);

    let in_memory = Policy {
        placement: Placement::Memory,
        ..policy
    };
    let other = stage.node_with(in_memory.clone()).await;
    let report = warm(&other, plan_of(&keys)).await;
    let entity = &report.entities[0];
    assert_eq!(entity.stopped, Some(Stopped::MemoryFull));
    assert!(!report.success && entity.left > 500, "{entity:?}");
    // With nowhere else to go it is the same.
    let both = Policy {
        placement: Placement::Both,
        ..in_memory
    };
    let alone = stage.plan().policy(both).without_redis().open().await;
    let report = warm(&alone, plan_of(&keys)).await;
    let entity = &report.entities[0];
    assert_eq!(entity.stopped, Some(Stopped::MemoryFull));
    assert_eq!(entity.failed[0].reason, "memory is full");
    assert!(!report.success && entity.left > 500, "{entity:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_loads_nothing_and_writes_nothing() {
    let stage = Stage::new();
    let keys = products(&stage, 10);
    let (a, b) = (stage.node().await, stage.node().await);
    warm(&a, plan_of(&keys[..4])).await;
    let before = stage.redis.cells();
    let dry = |keys: &[String]| Plan {
        dry_run: true,
        ..plan_of(keys)
    };
    let report = warm(&b, dry(&keys)).await;
    let entity = &report.entities[0];
    assert_eq!((entity.already_warm.redis, entity.left), (4, 6));
    assert!(!report.success && entity.loaded == 0 && report.dry_run);
    assert_eq!(stage.source.batches().len(), 1);
    assert_eq!(stage.redis.cells(), before);
    assert_eq!(b.node.registry().find(ENTITY).unwrap().entries(), 0);
    assert!(warm(&b, dry(&keys[..4])).await.success);
}

/// A trigger was bypassed: nobody else would notice.
#[tokio::test(start_paused = true)]
async fn what_is_checked_is_compared_with_the_source() {
    let stage = Stage::new();
    let keys = products(&stage, 20);
    let shop = stage.node().await;
    let plan = || Plan {
        check: 20,
        ..plan_of(&keys)
    };
    let report = warm(&shop, plan()).await;
    let checked = report.entities[0].checked.unwrap();
    assert!(report.success && checked.same == 20, "{checked:?}");
    stage.database.write_silently(ENTITY, "k3", 9);
    let report = warm(&shop, plan()).await;
    let checked = report.entities[0].checked.unwrap();
    assert_eq!((checked.same, checked.different), (19, 1), "{checked:?}");
    assert!(!report.success);
    // A change that the log tells is no difference.
    stage.database.write(ENTITY, "k3", 10);
    stage.database.write(ENTITY, "k4", 2);
    let report = warm(&shop, plan()).await;
    assert_eq!(
        report.entities[0].checked.unwrap().different,
        0,
        "{report:?}"
    );
    let some = Plan {
        check: 5,
        ..plan_of(&keys)
    };
    let checked = warm(&shop, some).await.entities[0].checked.unwrap();
    assert_eq!(checked.same, 5);
}

/// Another node holds the lease: what it brings is waited for.
#[tokio::test(start_paused = true)]
async fn what_another_node_loads_is_not_loaded_as_well() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.slow(ms(300));
    let caller = a.caller();
    hop(50).await;
    let report = warm(&b, plan_of(&[key()])).await;
    caller.await.unwrap().unwrap();
    assert!(report.success, "{report:?}");
    assert_eq!(report.entities[0].already_warm.redis, 1);
    assert_eq!(stage.loads(), 1);
    assert!(stage.redis.cells().contains_key(&cell()));
}

/// A customer who comes while a key is being warmed waits for that load.
#[tokio::test(start_paused = true)]
async fn a_customer_joins_the_load_of_a_key_that_is_being_warmed() {
    let stage = Stage::new();
    let shop = Arc::new(stage.node().await);
    stage.source.switch.slow(ms(100));
    let (report, answer) = tokio::join!(warm(&shop, plan_of(&[key()])), async {
        hop(50).await;
        shop.look().await
    });
    assert!(report.success && answer.trail().collapsed);
    assert_eq!(stage.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_entity_does_not_stop_another_and_is_given_up() {
    let stage = Stage::new();
    let keys = products(&stage, 2_000);
    let failing = stage.node().await;
    let well = FakeSource::new(&stage.database, ENTITY);
    let other = tingkat::Cache::builder("other")
        .node(&failing.node)
        .policy(still())
        .source(Arc::new(well.clone()))
        .build();
    for mood in [Mood::Failing, Mood::Hanging] {
        stage.source.switch.set(mood);
        let mut plan = plan_of(&keys);
        plan.entities.push(PlanEntity {
            entity: "other".to_owned(),
            ..plan.entities[0].clone()
        });
        plan.entities.push(PlanEntity {
            entity: "basket".to_owned(),
            ..PlanEntity::default()
        });
        let report = warm(&failing, plan).await;
        let [bad, good, unknown] = &report.entities[..] else {
            panic!("{report:?}")
        };
        assert_eq!(bad.stopped, Some(Stopped::Failing), "{mood:?}");
        assert_eq!(bad.failures() + bad.left, 2_000, "{bad:?}");
        assert!(bad.left > 1_000, "it is not asked again and again");
        assert_eq!(unknown.stopped, Some(Stopped::UnknownEntity));
        assert!(good.stopped.is_none() && good.left == 0, "{good:?}");
        assert!(good.seconds < 2.0, "{good:?}");
        assert!(!report.success);
        other.clear().await.unwrap();
    }
}

/// More entities than loads at a time: none waits for a turn that itself holds.
#[tokio::test(start_paused = true)]
async fn many_entities_share_few_turns() {
    let stage = Stage::new();
    let keys = products(&stage, 600);
    let shop = stage.node().await;
    stage.source.switch.slow(ms(20));
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let caches = names.map(|name| {
        tingkat::Cache::builder(name)
            .node(&shop.node)
            .policy(Policy {
                max_batch: 20,
                ..still()
            })
            .source(Arc::new(stage.source.clone()))
            .build()
    });
    let mut plan = plan_of(&keys);
    plan.limits.concurrency = 2;
    plan.entities = names
        .map(|name| PlanEntity {
            entity: name.to_owned(),
            ..plan.entities[0].clone()
        })
        .to_vec();
    let report = warm(&shop, plan).await;
    assert!(report.success, "{report:?}");
    assert!(report.seconds < 60.0, "{report:?}");
    for cache in &caches {
        assert_eq!(cache.stats().loaded_keys.get(), 600);
    }
}
