//! D. Early refresh, and loads that choose how their value is cached.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tingkat::certificate::Dep;
use tingkat::error::SourceError;
use tingkat::ports::{Found, Loaded};
use tingkat::{Options, Placement, Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Plan, Shop, Stage, hop, key, ms, product, still, version};

/// Refreshes early with near certainty: β is so large that nearly every draw comes out.
fn eager() -> Policy {
    Policy {
        early_refresh: 1e6,
        ..still()
    }
}

/// A node whose entry was loaded in 100 ms, shortly before its end.
async fn near_the_end(stage: &Stage, policy: Policy) -> Shop {
    let shop = stage.plan().without_log().policy(policy).open().await;
    stage.source.switch.slow(ms(100));
    shop.version().await;
    hop(3_600_000 - 150).await;
    shop
}

/// Scenarios 47, 51. Redis is slow, and nobody waits for it.
#[tokio::test(start_paused = true)]
async fn a_hit_near_the_end_answers_at_once_and_refreshes_once_behind() {
    let stage = Stage::new();
    let shop = near_the_end(&stage, eager()).await;
    stage.write(2);
    shop.redis.reads.slow(ms(30));
    let began = stage.clock.elapsed();
    for _ in 0..100 {
        let answer = shop.look().await;
        assert_eq!(
            (version(&answer), answer.trail().tier),
            (Some(1), Tier::Memory)
        );
        assert!(!answer.trail().stale);
    }
    assert_eq!(stage.clock.elapsed(), began);
    hop(140).await;
    assert_eq!(stage.loads(), 2, "exactly one");
    assert_eq!(shop.cache.stats().refreshes.get(), 1);
    assert_eq!(shop.events.count("BackgroundCompleted"), 1);
    assert_eq!(shop.in_memory(), Some(2));
}

/// Scenario 47. The draw is `XFetch`'s: the further from the end, the rarer.
#[tokio::test(start_paused = true)]
async fn early_refreshes_are_rare_far_from_the_end_and_sure_at_it() {
    let stage = Stage::new();
    let mut shares = Vec::new();
    // Load time δ = 100 ms, β = 1: the chance at a distance of n·δ is e^-n.
    for distance in [500, 200, 50] {
        let policy = Policy {
            early_refresh: 1.0,
            ..still()
        };
        let shop = stage
            .plan()
            .without_log()
            .without_redis()
            .policy(policy)
            .open()
            .await;
        let keys: Vec<String> = (0..400).map(|n| format!("d{distance}-{n}")).collect();
        for key in &keys {
            stage.database.write("product", key, 1);
        }
        stage.source.switch.slow(ms(100));
        shop.cache.get_many(&keys).await;
        hop(3_600_000 - 101 - distance).await;
        stage.source.switch.cut();
        shop.cache.get_many(&keys).await;
        shares.push(shop.cache.stats().refreshes.get());
        stage.source.switch.restore();
    }
    assert!(shares[0] < 15, "{shares:?}");
    assert!((25..90).contains(&shares[1]), "{shares:?}");
    assert!((200..290).contains(&shares[2]), "{shares:?}");
}

/// What is known to be wanted most is refreshed sooner: at a distance of 3δ the chance is e^-3 for
/// others, and e^-(3/4) for favourites.
#[tokio::test(start_paused = true)]
async fn favourites_are_refreshed_sooner() {
    let stage = Stage::new();
    let mut counts = Vec::new();
    for is_favoured in [false, true] {
        let policy = Policy {
            early_refresh: 1.0,
            ..still()
        };
        let plan = stage.plan().without_log().without_redis();
        let shop = plan.policy(policy).open().await;
        let keys: Vec<String> = (0..400).map(|n| format!("{is_favoured}-{n}")).collect();
        if is_favoured {
            shop.cache.favour(keys.clone());
        }
        for key in &keys {
            stage.database.write("product", key, 1);
        }
        stage.source.switch.slow(ms(100));
        shop.cache.get_many(&keys).await;
        hop(3_600_000 - 101 - 300).await;
        stage.source.switch.cut();
        shop.cache.get_many(&keys).await;
        counts.push(shop.cache.stats().refreshes.get());
        stage.source.switch.restore();
    }
    assert!((3..50).contains(&counts[0]), "{counts:?}");
    assert!((140..240).contains(&counts[1]), "{counts:?}");
}

/// Scenario 48.
#[tokio::test(start_paused = true)]
async fn a_life_without_end_is_never_refreshed_early() {
    let stage = Stage::new();
    let policy = Policy {
        fresh_for: Duration::MAX,
        ..eager()
    };
    let shop = stage.plan().without_log().policy(policy).open().await;
    for _ in 0..100 {
        assert_eq!(shop.version().await, Some(1));
        hop(60_000).await;
    }
    assert_eq!(shop.cache.stats().refreshes.get(), 0);
}

/// Scenario 49.
#[tokio::test(start_paused = true)]
async fn a_refresh_goes_on_when_the_caller_that_began_it_leaves() {
    let stage = Stage::new();
    let shop = near_the_end(&stage, eager()).await;
    stage.write(2);
    let caller = shop.caller();
    tokio::task::yield_now().await;
    caller.abort();
    hop(140).await;
    assert_eq!(shop.in_memory(), Some(2));
}

/// Scenario 52.
#[tokio::test(start_paused = true)]
async fn one_refresh_runs_among_all_nodes() {
    for has_log in [false, true] {
        let stage = Stage::new();
        let mut shops = Vec::new();
        for _ in 0..4 {
            let plan = stage.plan().policy(eager());
            let plan = if has_log { plan } else { plan.without_log() };
            shops.push(plan.open().await);
        }
        stage.source.switch.slow(ms(100));
        for shop in &shops {
            shop.version().await;
            hop(2).await;
        }
        assert_eq!(stage.loads(), 1);
        hop(3_600_000 - 170).await;
        for shop in &shops {
            assert_eq!(shop.look().await.trail().tier, Tier::Memory);
        }
        hop(130).await;
        assert_eq!(stage.loads(), 2, "with a log: {has_log}");
    }
}

/// Scenario 52. Past its life as well: who does not hold the lease waits for who does.
#[tokio::test(start_paused = true)]
async fn one_load_runs_among_all_nodes_when_a_life_has_ended() {
    let stage = Stage::new();
    let a = stage.plan().without_log().open().await;
    let b = stage.plan().without_log().open().await;
    a.version().await;
    hop(3_600_001).await;
    stage.write(2);
    stage.source.switch.slow(ms(100));
    let (one, two) = tokio::join!(a.look(), b.look());
    assert_eq!((version(&one), version(&two)), (Some(2), Some(2)));
    assert_eq!(stage.loads(), 2);
}

/// A value past `fresh_for` that is accepted and anchored is current: no mark, one refresh behind.
#[tokio::test(start_paused = true)]
async fn past_fresh_for_an_accepted_value_is_served_unmarked_and_refreshed() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(3_600_001).await;
    stage.source.switch.slow(ms(100));
    for _ in 0..10 {
        let answer = shop.look().await;
        assert_eq!(answer.trail().tier, Tier::Memory);
        assert!(!answer.trail().stale);
    }
    hop(150).await;
    assert_eq!(stage.loads(), 2);
    stage.source.switch.set(Mood::Failing);
    hop(3_600_000).await;
    for _ in 0..10 {
        assert!(
            !shop.look().await.trail().stale,
            "a failing source changes nothing"
        );
        hop(10).await;
    }
    assert_eq!(stage.loads(), 3, "it rests for retry_after");
}

/// Scenario 53.
#[tokio::test(start_paused = true)]
async fn a_refresh_replaces_the_tags() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .policy(eager())
        .load(|key, call| async move {
            tokio::time::sleep(ms(100)).await;
            let tag = if call == 0 { "old" } else { "new" };
            Ok(Loaded::value(product(&key, call)).deps([Dep::new(tag)]))
        })
        .open()
        .await;
    shop.version().await;
    hop(3_600_000 - 150).await;
    shop.version().await;
    hop(140).await;
    assert_eq!(shop.in_memory(), Some(1));
    shop.cache.forget_tag("old").await.unwrap();
    assert_eq!(shop.in_memory(), Some(1));
    shop.cache.forget_tag("new").await.unwrap();
    assert_eq!(shop.in_memory(), None);
}

/// Scenarios 55, 58.
#[tokio::test(start_paused = true)]
async fn a_load_chooses_the_life_and_the_tags_of_its_own_value() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .without_log()
        .load(|key, call| async move {
            let loaded = Loaded::value(product(&key, call));
            Ok(match key.as_str() {
                "7" => loaded.fresh_for(ms(40_000)).deps([Dep::new("promotion")]),
                _ => loaded,
            })
        })
        .open()
        .await;
    let before = shop.cache.policy();
    shop.version().await;
    shop.version_of("8").await;
    let registry = shop.node.registry().find("product").unwrap();
    let inspected = registry.inspect("7").unwrap().unwrap();
    assert!((39_990..=40_000).contains(&inspected.fresh_for.as_millis()));
    assert_eq!(inspected.deps, ["promotion"]);
    hop(40_001).await;
    assert_eq!(shop.version().await, Some(2), "its own life is over");
    assert_eq!(shop.version_of("8").await, Some(1));
    assert_eq!(shop.cache.policy(), before);
}

/// Scenario 56. The chosen life counts where the load ended in the background, in both tiers.
#[tokio::test(start_paused = true)]
async fn a_chosen_life_counts_in_the_background_too() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .without_log()
        .load(|key, call| async move {
            if call > 0 {
                tokio::time::sleep(ms(1_000)).await;
            }
            Ok(Loaded::value(product(&key, call)).fresh_for(ms(40_000)))
        })
        .open()
        .await;
    shop.version().await;
    hop(40_001).await;
    assert!(shop.look().await.trail().stale);
    hop(1_000).await;
    assert_eq!(shop.in_memory(), Some(1));
    let other = stage.plan().without_log().open().await;
    assert_eq!(version(&other.look().await), Some(1));
    hop(39_200).await;
    assert_eq!(
        other.in_memory(),
        None,
        "a value found in Redis keeps its remaining life"
    );
}

/// Scenario 57.
#[tokio::test(start_paused = true)]
async fn a_load_chooses_the_tiers_of_its_own_value() {
    for (placement, in_memory, in_redis) in [
        (Placement::Both, true, true),
        (Placement::Memory, true, false),
        (Placement::Remote, false, true),
        (Placement::Nowhere, false, false),
    ] {
        let stage = Stage::new();
        let shop =
            stage
                .plan()
                .load(move |key, _| async move {
                    Ok(Loaded::value(product(&key, 1)).placement(placement))
                })
                .open()
                .await;
        let answer = shop.look().await;
        assert_eq!(
            answer.trail().stored,
            in_memory || in_redis,
            "{placement:?}"
        );
        hop(5).await;
        assert_eq!(shop.in_memory().is_some(), in_memory, "{placement:?}");
        assert_eq!(!stage.redis.cells().is_empty(), in_redis, "{placement:?}");
    }
}

/// Scenario 57. The same as the entity's policy.
#[tokio::test(start_paused = true)]
async fn a_policy_chooses_the_tiers_of_an_entity() {
    for (placement, tier, cells) in [
        (Placement::Both, Tier::Memory, 1),
        (Placement::Memory, Tier::Memory, 0),
        (Placement::Remote, Tier::Remote, 1),
        (Placement::Nowhere, Tier::Source, 0),
    ] {
        let stage = Stage::new();
        let policy = Policy {
            placement,
            ..still()
        };
        let shop = stage.node_with(policy).await;
        shop.version().await;
        hop(5).await;
        assert_eq!(shop.look().await.trail().tier, tier, "{placement:?}");
        hop(5).await;
        assert_eq!(stage.redis.cells().len(), cells, "{placement:?}");
        stage.write(2);
        hop(150).await;
        assert_eq!(shop.version().await, Some(2), "{placement:?}");
    }
}

/// "Not modified" without anything known is a fault of the source, and an error.
#[tokio::test(start_paused = true)]
async fn not_modified_without_a_known_value_is_an_error() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .load(|_, _| async { Ok(Loaded::new(Found::NotModified)) })
        .open()
        .await;
    assert!(shop.try_look().await.is_err());
}

/// A refreshed value is another one; whoever holds the old one keeps it.
#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_change_a_value_that_somebody_holds() {
    let stage = Stage::new();
    let shop = near_the_end(&stage, eager()).await;
    stage.write(2);
    let held = shop.cache.get(&key()).await.unwrap().unwrap();
    hop(140).await;
    let new = shop.cache.get(&key()).await.unwrap().unwrap();
    assert!(!Arc::ptr_eq(&held, &new));
    assert_eq!((held.version, new.version), (1, 2));
}

/// A source that says when its answer changes by itself ends its freshness then, and no later than
/// the entity's.
#[tokio::test(start_paused = true)]
async fn an_answer_that_changes_by_itself_is_fresh_until_then_at_most() {
    for (changes_in, fresh_for) in [(40_000, 40_000), (7_200_000, 3_600_000)] {
        let stage = Stage::new();
        let price = Price::default();
        let shop = price.plan(&stage, changes_in).without_log().open().await;
        shop.version().await;
        let registry = shop.node.registry().find("product").unwrap();
        let inspected = registry.inspect("7").unwrap().unwrap();
        assert!(inspected.fresh_for <= ms(fresh_for));
        assert!(inspected.fresh_for >= ms(fresh_for - 10));
        hop(fresh_for + 1).await;
        assert_eq!(shop.version().await, Some(2));
    }
}

/// Nobody told of a change, and yet there is one: what is known to have changed is not shown as
/// current, on whichever node, from whichever tier and by whichever way it is asked for.
#[tokio::test(start_paused = true)]
async fn an_answer_that_has_changed_by_itself_is_not_shown_as_current() {
    let stage = Stage::new();
    let price = Price::default();
    let open = || price.plan(&stage, 40_000).open();
    let (a, b) = (open().await, open().await);
    for shop in [&a, &b] {
        assert_eq!(shop.version().await, Some(1));
        hop(5).await;
    }
    hop(40_000).await;
    let late = open().await;
    for shop in [&a, &b, &late] {
        assert_eq!(shop.in_memory(), None);
        assert!(!shop.cache.has(&key()).await, "nor from Redis");
    }
    let answer = a.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(2), false));
    hop(5).await;
    for shop in [&b, &late] {
        let answer = shop.look().await;
        let tier = answer.trail().tier;
        assert_eq!((version(&answer), tier), (Some(2), Tier::Remote));
    }
    hop(40_000).await;
    let validated = Options::default().validated();
    let answer = b.look_with(validated).await.unwrap();
    assert_eq!(version(&answer), Some(3), "a poll can not tell");
    hop(40_005).await;
    let many = b.cache.get_many(&[key()]).await;
    assert_eq!(many[0].as_ref().unwrap().as_ref().unwrap().version, 4);
}

/// It may stand in, marked, and was current until it changed.
#[tokio::test(start_paused = true)]
async fn an_answer_that_has_changed_by_itself_may_stand_in() {
    let stage = Stage::new();
    let price = Price::default();
    let shop = price.plan(&stage, 40_000).open().await;
    shop.version().await;
    price.fails.store(true, Ordering::Relaxed);
    hop(50_000).await;
    let answer = shop.look().await;
    let trail = answer.trail();
    assert_eq!((version(&answer), trail.stale), (Some(1), true));
    assert!(
        trail.age >= ms(9_900) && trail.age <= ms(10_100),
        "{trail:?}"
    );
}

/// A price that is another one each time it is loaded, for all nodes.
#[derive(Clone, Default)]
struct Price {
    loads: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

impl Price {
    /// A node whose source knows when the price changes by itself.
    fn plan<'a>(&self, stage: &'a Stage, changes_in: u64) -> Plan<'a> {
        let price = self.clone();
        stage.plan().load(move |key, _| {
            let outcome = if price.fails.load(Ordering::Relaxed) {
                Err(SourceError::transient("closed"))
            } else {
                let version = price.loads.fetch_add(1, Ordering::Relaxed) + 1;
                Ok(Loaded::value(product(&key, version)).changes_in(ms(changes_in)))
            };
            async move { outcome }
        })
    }
}
