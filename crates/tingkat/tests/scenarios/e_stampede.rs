//! E. Many callers, one load.

use std::time::Duration;

use futures::future::join_all;
use tingkat::error::{GetErrorKind, SourceError};
use tingkat::ports::Loaded;
use tingkat::{Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Stage, hop, key, ms, product, still, version};

/// Scenario 59.
#[tokio::test(start_paused = true)]
async fn any_number_of_callers_on_a_cold_key_cause_one_load() {
    for callers in [10, 100, 1_000, 10_000] {
        let stage = Stage::new();
        let shop = stage.node().await;
        stage.source.switch.slow(ms(50));
        let callers: Vec<_> = (0..callers).map(|_| shop.caller()).collect();
        let mut collapsed = 0;
        let count = callers.len();
        for caller in callers {
            let answer = caller.await.unwrap().unwrap();
            assert_eq!(version(&answer), Some(1));
            collapsed += usize::from(answer.trail().collapsed);
        }
        assert_eq!(stage.loads(), 1);
        assert_eq!(collapsed, count - 1);
    }
}

/// Scenario 61.
#[tokio::test(start_paused = true)]
async fn callers_of_a_key_that_only_redis_has_ask_redis_once() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(1).await;
    b.redis.reads.slow(ms(5));
    let callers: Vec<_> = (0..100).map(|_| b.caller()).collect();
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap().unwrap().trail().tier, Tier::Remote);
    }
    assert_eq!(b.redis.count("get"), 1);
    assert_eq!(stage.loads(), 1);
}

/// Scenario 62.
#[tokio::test(start_paused = true)]
async fn after_a_failed_load_the_next_caller_runs_another() {
    let stage = Stage::new();
    let shop = stage.plan().without_redis().open().await;
    stage.source.switch.set(Mood::Failing);
    for loads in 1..=3 {
        assert_eq!(
            shop.try_look().await.unwrap_err().kind(),
            GetErrorKind::Source
        );
        assert_eq!(stage.loads(), loads);
    }
    stage.source.switch.restore();
    assert_eq!(shop.version().await, Some(1));
}

/// Scenario 62. With Redis a failure is shared for up to half a second, then the next one loads.
#[tokio::test(start_paused = true)]
async fn nodes_share_a_failure_for_a_moment_instead_of_failing_in_turn() {
    let stage = Stage::new();
    let mut shops = Vec::new();
    for _ in 0..5 {
        shops.push(stage.node().await);
    }
    stage.source.switch.set(Mood::Failing);
    for shop in &shops {
        assert_eq!(
            shop.try_look().await.unwrap_err().kind(),
            GetErrorKind::Source
        );
        hop(1).await;
    }
    assert_eq!(stage.loads(), 1);
    stage.source.switch.restore();
    hop(500).await;
    for shop in &shops {
        assert_eq!(shop.version().await, Some(1));
    }
    assert_eq!(stage.loads(), 2);
}

/// That a node does not reach the source says something about that node.
#[tokio::test(start_paused = true)]
async fn a_node_that_has_lost_the_source_does_not_fail_the_others() {
    let stage = Stage::new();
    let lost = stage
        .plan()
        .load(|_, _| async { Err(SourceError::disconnected("no way there")) })
        .open()
        .await;
    let well = stage.node().await;
    assert!(lost.try_look().await.is_err());
    assert_eq!(version(&well.try_look().await.unwrap()), Some(1));
}

/// A load that hangs keeps its lease, unless the node has lost the database with it.
#[tokio::test(start_paused = true)]
async fn a_node_that_has_lost_the_database_lets_go_of_its_leases() {
    let stage = Stage::new();
    let lost = stage
        .plan()
        .load(|_, _| futures::future::pending())
        .open()
        .await;
    let well = stage.node().await;
    lost.log.switch.cut();
    let _hanging = lost.caller();
    hop(10).await;
    let began = stage.clock.elapsed();
    assert_eq!(well.version().await, Some(1));
    let waited = stage.clock.elapsed() - began;
    assert!(waited >= ms(500) && waited <= ms(2_300), "{waited:?}");
}

/// A database that begins a new life answers: between its first poll and its history the lease of
/// a load stays, or another node would load beside it.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_anew_keeps_its_leases() {
    let stage = Stage::new();
    let policy = Policy {
        hard_deadline: ms(20_000),
        ..still()
    };
    let (a, b) = (
        stage.node_with(policy.clone()).await,
        stage.node_with(policy).await,
    );
    stage.source.switch.slow(ms(3_000));
    let loading = a.caller();
    hop(700).await;
    let waiting = b.caller();
    stage.database.crash();
    // The lease is renewed a second after it was taken, while the history is on its way.
    a.log.switch.slow(ms(150));
    hop(300).await;
    assert_eq!(a.events.count("ColdReset"), 1);
    assert_eq!(a.node.feed().unwrap().poll_age, None);
    for caller in [loading, waiting] {
        assert_eq!(version(&caller.await.unwrap().unwrap()), Some(1));
    }
    assert_eq!(stage.loads(), 1);
}

/// Scenario 63. `PROTOCOL` §6: never a load beside a live lease; who waits, waits up to its own
/// deadline, and a deadline of zero is over at once.
#[tokio::test(start_paused = true)]
async fn a_node_that_waits_for_a_lease_gives_up_at_its_own_deadline_and_does_not_load() {
    let stage = Stage::new();
    let a = stage.node().await;
    for deadline in [1_000, 0] {
        let policy = Policy {
            hard_deadline: ms(deadline),
            ..still()
        };
        let b = stage.node_with(policy).await;
        stage.source.switch.cut();
        let loading = a.caller();
        hop(10).await;
        let began = stage.clock.elapsed();
        let error = b.try_look().await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::Deadline);
        assert_eq!(stage.clock.elapsed() - began, ms(deadline));
        assert_eq!(stage.loads(), 1);
        loading.abort();
    }
}

/// Scenario 63. A stale value ends the wait at the soft deadline.
#[tokio::test(start_paused = true)]
async fn a_node_that_waits_for_a_lease_returns_a_stale_value_at_the_soft_deadline() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(1).await;
    b.version().await;
    a.cache.expire(&key()).await.unwrap();
    hop(150).await;
    stage.source.switch.cut();
    let _loading = a.caller();
    hop(10).await;
    let began = stage.clock.elapsed();
    assert!(b.look().await.trail().stale);
    assert_eq!(stage.clock.elapsed() - began, ms(250));
    assert_eq!(stage.loads(), 2);
}

/// Scenario 64.
#[tokio::test(start_paused = true)]
async fn nodes_on_a_cold_key_cause_one_load_in_total() {
    let stage = Stage::new();
    let mut shops = Vec::new();
    for _ in 0..8 {
        shops.push(stage.node().await);
    }
    stage.source.switch.slow(ms(300));
    let callers: Vec<_> = shops
        .iter()
        .flat_map(|shop| [shop.caller(), shop.caller()])
        .collect();
    let answers = join_all(callers).await;
    let tiers: Vec<Tier> = answers
        .into_iter()
        .map(|answer| answer.unwrap().unwrap().trail().tier)
        .collect();
    assert_eq!(stage.loads(), 1);
    let from_source = tiers.iter().filter(|tier| **tier == Tier::Source).count();
    assert_eq!(from_source, 2, "the two callers of one node: {tiers:?}");
}

/// Scenario 64. A node that dies holds its lease for at most its length.
#[tokio::test(start_paused = true)]
async fn the_lease_of_a_dead_node_ends() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.cut();
    let _dying = a.caller();
    hop(10).await;
    a.redis.cut();
    stage.source.switch.restore();
    stage.source.switch.cut();
    let waiting = b.caller();
    hop(2_900).await;
    assert_eq!(stage.loads(), 1);
    stage.source.switch.restore();
    hop(200).await;
    assert_eq!(version(&waiting.await.unwrap().unwrap()), Some(1));
}

/// A lease is renewed while its load runs, so a load longer than the lease stays alone.
#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_for_a_slow_load() {
    let stage = Stage::new();
    let policy = Policy {
        hard_deadline: ms(20_000),
        ..still()
    };
    let (a, b) = (
        stage.node_with(policy.clone()).await,
        stage.node_with(policy).await,
    );
    stage.source.switch.slow(ms(10_000));
    let (one, two) = tokio::join!(a.look(), b.look());
    assert_eq!((version(&one), version(&two)), (Some(1), Some(1)));
    assert_eq!(stage.loads(), 1);
}

/// Scenario 65.
#[tokio::test(start_paused = true)]
async fn caches_that_share_a_redis_do_not_wait_for_each_other() {
    let stage = Stage::new();
    let plans = [
        stage.plan(),
        stage.plan().name("category"),
        stage.plan().schema(2),
        stage.plan().tune(|node| node.prefix("other:")),
    ];
    let mut shops = Vec::new();
    for plan in plans {
        shops.push(plan.open().await);
    }
    stage.source.switch.slow(ms(100));
    let began = stage.clock.elapsed();
    join_all(shops.iter().map(super::stage::Shop::look)).await;
    assert!(stage.clock.elapsed() - began < ms(110));
    assert_eq!(stage.loads(), 4);
}

/// Scenario 66.
#[tokio::test(start_paused = true)]
async fn leaving_while_another_node_loads_is_no_failure() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.slow(ms(500));
    let loading = a.caller();
    hop(10).await;
    let waiting = b.caller();
    hop(100).await;
    waiting.abort();
    hop(1_000).await;
    loading.await.unwrap().unwrap();
    assert_eq!(b.events.all(), Vec::<String>::new());
    assert_eq!(b.cache.stats().failed_keys.get(), 0);
    assert_eq!(b.version().await, Some(1));
    assert_eq!(stage.loads(), 1);
}

/// A cancelled leader hands over: the others do not wait for nothing.
#[tokio::test(start_paused = true)]
async fn callers_are_served_though_the_one_that_led_has_left() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.reads.slow(ms(20));
    let leader = shop.caller();
    hop(5).await;
    let others: Vec<_> = (0..10).map(|_| shop.caller()).collect();
    hop(5).await;
    leader.abort();
    for other in others {
        assert_eq!(version(&other.await.unwrap().unwrap()), Some(1));
    }
    assert_eq!(stage.loads(), 1);
}

/// A panic is an error to all who wait, at once, and the next caller loads again.
#[tokio::test(start_paused = true)]
async fn a_load_that_panics_is_an_error_to_all_and_not_a_hang() {
    let stage = Stage::new();
    let shop = stage.plan().without_redis().open().await;
    stage.source.switch.set(Mood::Panicking);
    let began = stage.clock.elapsed();
    let callers: Vec<_> = (0..10).map(|_| shop.caller()).collect();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::Source);
    }
    assert!(stage.clock.elapsed() - began < ms(10));
    stage.source.switch.restore();
    assert_eq!(shop.version().await, Some(1));
}

/// What a value's own code does must not take the key with it either.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_deps_of_a_value_is_an_error_and_not_a_hang() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .deps(|_| panic!("as the test wants"))
        .open()
        .await;
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Source);
    assert_eq!(stage.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_answers_too_few_keys_fails_the_batch() {
    struct Forgetful;
    impl tingkat::ports::Source<String, tingkat_testkit::fakes::Versioned> for Forgetful {
        fn load<'a>(
            &'a self,
            wanted: &'a [tingkat::ports::Wanted<String, tingkat_testkit::fakes::Versioned>],
        ) -> futures::future::BoxFuture<
            'a,
            Result<tingkat::ports::Batch<tingkat_testkit::fakes::Versioned>, SourceError>,
        > {
            let loaded = wanted
                .iter()
                .skip(1)
                .map(|wanted| Loaded::value(product(&wanted.key, 1)))
                .collect();
            Box::pin(async move {
                Ok(tingkat::ports::Batch {
                    certificate: None,
                    loaded,
                })
            })
        }
    }
    let stage = Stage::new();
    let shop = stage
        .plan()
        .source(std::sync::Arc::new(Forgetful))
        .open()
        .await;
    let answers = shop.cache.get_many(&[key(), "8".to_owned()]).await;
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind(), GetErrorKind::Source);
    }
}

/// Two calls with loads of their own: the second joins the first one's.
#[tokio::test(start_paused = true)]
async fn own_loads_of_one_key_run_once_at_a_time() {
    let stage = Stage::new();
    let shop = stage.plan().without_source().open().await;
    let load = |version| {
        move |_| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(Loaded::value(product("7", version)))
        }
    };
    let id = key();
    let (one, two) = tokio::join!(
        shop.cache.get_or_load(&id, load(1)),
        shop.cache.get_or_load(&id, load(2)),
    );
    assert_eq!(one.unwrap().unwrap().version, 1);
    assert_eq!(two.unwrap().unwrap().version, 1);
}
