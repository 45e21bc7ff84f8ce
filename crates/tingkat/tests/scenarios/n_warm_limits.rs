//! Warming gives way: to its limits, to customers, to whoever stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tingkat::Policy;
use tingkat::warm::{End, Limits, Plan, Warmer};
use tingkat_testkit::fakes::FakeSource;
use tokio_util::sync::CancellationToken;

use crate::n_warm::{plan_of, products, warm};
use crate::stage::{ENTITY, Shop, Stage, hop, ms, still};

fn limited(keys: &[String], change: impl FnOnce(&mut Limits)) -> Plan {
    let mut plan = plan_of(keys);
    change(&mut plan.limits);
    plan
}

fn small_batches() -> Policy {
    Policy {
        max_batch: 10,
        ..still()
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_loads_run_than_allowed_and_half_of_the_places_stay_free() {
    let stage = Stage::new();
    let keys = products(&stage, 600);
    for (concurrency, most) in [(2, 2), (100, 4)] {
        stage.redis.flush();
        let shop = stage.node_with(small_batches()).await;
        stage.source.switch.slow(ms(50));
        let plan = limited(&keys, |limits| limits.concurrency = concurrency);
        let is_over = AtomicBool::new(false);
        let watch = async {
            let mut seen = 0;
            while !is_over.load(Ordering::Relaxed) {
                seen = seen.max(shop.cache.stats().loads_running.get());
                hop(5).await;
            }
            seen
        };
        let run = async {
            let report = warm(&shop, plan).await;
            is_over.store(true, Ordering::Relaxed);
            report
        };
        let (report, seen) = tokio::join!(run, watch);
        assert!(report.success, "{report:?}");
        assert_eq!(seen, most, "of {concurrency}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_keys_are_loaded_in_a_second_than_allowed_and_warm_ones_are_free() {
    let stage = Stage::new();
    let keys = products(&stage, 500);
    let shop = stage.node().await;
    let plan = || limited(&keys, |limits| limits.per_second = 100);
    let report = warm(&shop, plan()).await;
    assert!(report.success);
    assert!((4.5..6.0).contains(&report.seconds), "{report:?}");
    let report = warm(&shop, plan()).await;
    assert!(report.seconds < 1.0, "nothing was loaded: {report:?}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_in_time_and_after_so_many_bytes_and_says_what_is_left() {
    let stage = Stage::new();
    let keys = products(&stage, 1_000);
    let shop = stage.node_with(small_batches()).await;
    stage.source.switch.slow(ms(200));
    let report = warm(&shop, limited(&keys, |limits| limits.timeout = ms(2_000))).await;
    assert_eq!(report.end, End::TimedOut);
    let entity = &report.entities[0];
    assert!(
        entity.loaded > 0 && entity.loaded + entity.left == 1_000,
        "{report:?}"
    );
    assert!(!report.success && report.seconds < 3.0, "{report:?}");

    let report = warm(&shop, limited(&keys, |limits| limits.bytes = 5_000)).await;
    assert_eq!(report.end, End::BytesReached);
    let entity = &report.entities[0];
    // What is under way when the limit is reached is finished.
    assert!((5_000..15_000).contains(&entity.bytes), "{entity:?}");
    assert!(!report.success && entity.left > 0);
}

/// However a run ends, the next one goes on where it was, and no key is loaded twice.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_cancelled_goes_on_where_it_stopped() {
    let stage = Stage::new();
    let keys = products(&stage, 1_000);
    let shop = stage.node_with(small_batches()).await;
    stage.source.switch.slow(ms(100));
    let mut cancelled = 0;
    loop {
        let stop = CancellationToken::new();
        let warmer = Warmer::new(&shop.node);
        let run = warmer.run(plan_of(&keys), &stop, |_| ());
        let (report, ()) = tokio::join!(run, async {
            hop(700).await;
            stop.cancel();
        });
        let entity = &report.entities[0];
        let warm = entity.already_warm.memory + entity.already_warm.redis + entity.loaded;
        assert_eq!(warm + entity.left, 1_000, "{report:?}");
        if report.end == End::Completed {
            break;
        }
        assert_eq!(report.end, End::Cancelled);
        cancelled += 1;
        assert!(cancelled < 100, "it gets somewhere");
    }
    assert!(cancelled > 2);
    assert!(keys.iter().all(|key| stage.source.loads(key) == 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_ends_the_run_and_loses_nothing_that_was_loaded() {
    let stage = Stage::new();
    let keys = products(&stage, 1_000);
    let shop = stage.node_with(small_batches()).await;
    stage.source.switch.slow(ms(100));
    let (report, ()) = tokio::join!(warm(&shop, plan_of(&keys)), async {
        hop(750).await;
        shop.node.shut_down(Duration::from_secs(5)).await;
    });
    assert_eq!(report.end, End::ShutDown, "{report:?}");
    let entity = &report.entities[0];
    assert!(
        entity.loaded > 0 && entity.left > 0 && entity.failures() == 0,
        "{entity:?}"
    );
    let next = stage.node().await;
    assert!(warm(&next, plan_of(&keys)).await.success);
    assert!(keys.iter().all(|key| stage.source.loads(key) == 1));
}

/// The times of customers who each ask for something that is not cached, a few at a time.
async fn customers(shop: &Shop, stage: &Stage, from: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for round in 0..50 {
        let ask = async |n: usize| {
            let begun = stage.clock.elapsed();
            let key = format!("c{}", from + round * 6 + n);
            shop.cache.get(&key).await.unwrap();
            stage.clock.elapsed().saturating_sub(begun)
        };
        let asked = futures::future::join_all((0..6).map(ask)).await;
        times.extend(asked);
        hop(37).await;
    }
    times.sort();
    times
}

/// A source that takes 200 ms for a statement: customers who need it hardly notice.
#[tokio::test(start_paused = true)]
async fn customers_of_a_slow_source_do_not_wait_for_what_is_warmed() {
    let stage = Stage::new();
    let keys = products(&stage, 80_000);
    let shop = stage.node().await;
    stage.source.switch.slow(ms(200));
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
    let without = p99(&customers(&shop, &stage, 0).await);
    let stop = CancellationToken::new();
    let warmer = Warmer::new(&shop.node);
    let run = warmer.run(plan_of(&keys), &stop, |_| ());
    let (report, with) = tokio::join!(run, async {
        let times = customers(&shop, &stage, 10_000).await;
        stop.cancel();
        p99(&times)
    });
    println!("p99 of customers: {without:?} without, {with:?} while warming");
    assert!(with <= without.mul_f64(1.3), "{without:?}, then {with:?}");
    assert!(
        report.entities[0].loaded > 2_000,
        "and it gets somewhere: {report:?}"
    );
}

/// Customers take all places: nothing is added to what they wait for.
#[tokio::test(start_paused = true)]
async fn while_customers_queue_nothing_is_warmed() {
    let stage = Stage::new();
    let keys = products(&stage, 100);
    let policy = Policy {
        max_loads: 2,
        max_batch: 1,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    stage.source.switch.slow(ms(100));
    let crowd: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    let waiting = futures::future::join_all(crowd.iter().map(|key| shop.cache.get(key)));
    let (report, _) = tokio::join!(
        async {
            hop(20).await;
            warm(&shop, plan_of(&keys)).await
        },
        waiting
    );
    assert!(report.success, "{report:?}");
    let batches = stage.source.batches();
    let first_warmed = batches.iter().position(|batch| batch[0].starts_with('k'));
    assert!(first_warmed.unwrap() >= 57, "{first_warmed:?}");
}

/// Customers of one entity queue: another one is warmed slower, and not held up until they are served.
#[tokio::test(start_paused = true)]
async fn customers_of_another_entity_slow_a_run_down_and_do_not_stop_it() {
    let stage = Stage::new();
    let keys = products(&stage, 2_000);
    let policy = Policy {
        max_loads: 1,
        max_batch: 1,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    let well = FakeSource::new(&stage.database, ENTITY);
    let _other = tingkat::Cache::builder("other")
        .node(&shop.node)
        .policy(still())
        .source(Arc::new(well.clone()))
        .build();
    well.switch.slow(ms(10));
    stage.source.switch.slow(ms(100));
    let run = async || {
        stage.redis.flush();
        let mut plan = plan_of(&keys);
        plan.entities[0].entity = "other".to_owned();
        let begun = stage.clock.elapsed();
        let report = warm(&shop, plan).await;
        assert!(report.success, "{report:?}");
        stage.clock.elapsed().saturating_sub(begun)
    };
    let alone = run().await;
    shop.node
        .registry()
        .find("other")
        .unwrap()
        .clear()
        .await
        .unwrap();
    let crowd: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
    let waiting = async {
        let begun = stage.clock.elapsed();
        futures::future::join_all(crowd.iter().map(|key| shop.cache.get(key))).await;
        stage.clock.elapsed().saturating_sub(begun)
    };
    let (beside, crowd) = tokio::join!(
        async {
            hop(20).await;
            run().await
        },
        waiting
    );
    println!("{alone:?} alone, {beside:?} beside a crowd of {crowd:?}");
    assert!(beside > alone * 3, "{alone:?}, then {beside:?}");
    assert!(beside * 2 < crowd, "{beside:?}, and the crowd {crowd:?}");
}

/// Customers leave no room for what nobody waits for: the run ends all the same when its time is over.
#[tokio::test(start_paused = true)]
async fn a_run_ends_in_time_though_its_loads_never_get_their_turn() {
    let stage = Stage::new();
    let keys = products(&stage, 100);
    let policy = Policy {
        max_loads: 1,
        max_batch: 1,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    stage.source.switch.slow(ms(100));
    let crowd: Vec<String> = (0..2_000).map(|n| format!("c{n}")).collect();
    let begins = async {
        hop(150).await;
        futures::future::join_all(crowd.iter().map(|key| shop.cache.get(key))).await
    };
    let plan = limited(&keys, |limits| limits.timeout = ms(1_000));
    let begun = stage.clock.elapsed();
    let (report, _) = tokio::join!(
        async {
            let report = warm(&shop, plan).await;
            (report, stage.clock.elapsed().saturating_sub(begun))
        },
        begins
    );
    let (report, took) = report;
    assert_eq!(report.end, End::TimedOut, "{report:?}");
    assert!(report.entities[0].left > 50, "{report:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// A batch of customers is no longer for keys that nobody waits for.
#[tokio::test(start_paused = true)]
async fn customers_and_what_nobody_waits_for_share_no_batch() {
    let stage = Stage::new();
    let keys = products(&stage, 10);
    let policy = Policy {
        max_loads: 1,
        ..small_batches()
    };
    let shop = stage.node_with(policy).await;
    stage.source.switch.slow(ms(100));
    let asks = async |after: u64, keys: &[&str]| {
        hop(after).await;
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        futures::future::join_all(keys.iter().map(|key| shop.cache.get(key))).await;
    };
    let (report, (), ()) = tokio::join!(
        async {
            hop(30).await;
            warm(&shop, plan_of(&keys)).await
        },
        asks(0, &["c1"]),
        asks(60, &["c2", "c3", "c4"])
    );
    assert!(report.success, "{report:?}");
    let batches = stage.source.batches();
    assert_eq!(batches[1], ["c2", "c3", "c4"], "{batches:?}");
    for batch in &batches {
        let warmed = batch.iter().filter(|key| key.starts_with('k')).count();
        assert!(warmed == 0 || warmed == batch.len(), "{batches:?}");
    }
}
