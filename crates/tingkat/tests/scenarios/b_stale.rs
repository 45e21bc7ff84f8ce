//! B. Values that stand in while the source fails.
//!
//! Time-based freshness is shown on nodes without a log. With one, a value goes stale by `expire`,
//! a cold reset or a lost database; the ends of the change feed are in `away`.

use std::sync::Arc;

use tingkat::error::{GetErrorKind, SourceError};
use tingkat::ports::{Found, Loaded};
use tingkat::{Options, Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Shop, Stage, hop, key, ms, product, still, version};

/// Past `fresh_for` and well within `stale_for`.
const PAST_FRESH: u64 = 3_600_001;

/// A node without a log whose source has failed since its entry went past its life.
async fn failing(stage: &Stage) -> Shop {
    let shop = stage.plan().without_log().without_redis().open().await;
    shop.version().await;
    hop(PAST_FRESH).await;
    stage.source.switch.set(Mood::Failing);
    shop
}

/// Scenario 22.
#[tokio::test(start_paused = true)]
async fn a_stale_value_stands_in_and_the_source_rests_for_retry_after() {
    let stage = Stage::new();
    let shop = failing(&stage).await;
    for _ in 0..10 {
        let answer = shop.look().await;
        assert_eq!(version(&answer), Some(1));
        assert!(answer.trail().stale);
        assert_eq!(stage.loads(), 2, "one attempt");
        hop(99).await;
    }
    hop(11).await;
    assert!(shop.look().await.trail().stale);
    assert_eq!(stage.loads(), 3, "the next one after a second");
}

/// Scenario 22. The same where an expired entry is what stands in.
#[tokio::test(start_paused = true)]
async fn an_expired_value_stands_in_on_a_node_that_follows_the_log() {
    let stage = Stage::new();
    let shop = stage.plan().without_redis().open().await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.set(Mood::Failing);
    for _ in 0..5 {
        let answer = shop.look().await;
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    }
    assert_eq!(stage.loads(), 2);
}

/// Scenario 23.
#[tokio::test(start_paused = true)]
async fn after_retry_after_the_fresh_value_replaces_the_stale_one() {
    let stage = Stage::new();
    let shop = failing(&stage).await;
    assert!(shop.look().await.trail().stale);
    stage.write(2);
    stage.source.switch.restore();
    assert_eq!(version(&shop.look().await), Some(1), "not yet");
    hop(1_000).await;
    let answer = shop.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(2), false));
    assert_eq!(shop.in_memory(), Some(2));
}

/// Scenario 24.
#[tokio::test(start_paused = true)]
async fn a_strict_entity_gets_the_error_though_a_stale_value_exists() {
    let stage = Stage::new();
    let policy = Policy {
        strict: true,
        ..still()
    };
    let shop = stage.plan().without_log().policy(policy).open().await;
    shop.version().await;
    hop(PAST_FRESH).await;
    stage.source.switch.set(Mood::Failing);
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::NotCurrent);
    assert!(
        std::error::Error::source(&error).is_some(),
        "the cause is kept"
    );
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(
        error.kind(),
        GetErrorKind::NotCurrent,
        "not the second time either"
    );
}

/// Scenario 24.
#[tokio::test(start_paused = true)]
async fn without_time_for_stale_values_the_error_reaches_the_caller() {
    let stage = Stage::new();
    let policy = Policy {
        stale_for: ms(0),
        ..still()
    };
    let shop = stage.plan().without_log().policy(policy).open().await;
    shop.version().await;
    hop(PAST_FRESH).await;
    stage.source.switch.set(Mood::Failing);
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Source);
}

/// Scenario 25.
#[tokio::test(start_paused = true)]
async fn a_load_can_fail_one_key_without_failing_as_a_whole() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .without_log()
        .load(|key, call| async move {
            Ok(match call {
                0 => Loaded::value(product(&key, 1)),
                _ => Loaded::new(Found::Failed(SourceError::transient("why"))),
            })
        })
        .open()
        .await;
    shop.version().await;
    hop(PAST_FRESH).await;
    let answer = shop.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    let error = shop.cache.get(&"8".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Source);
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "why");
}

/// Scenario 26.
#[tokio::test(start_paused = true)]
async fn a_stale_value_stands_in_no_longer_than_stale_for() {
    let stage = Stage::new();
    let shop = failing(&stage).await;
    hop(24 * 3_600_000 - 2_000).await;
    assert!(shop.look().await.trail().stale);
    hop(2_001).await;
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Source);
    assert!(shop.cache.peek_stale(&key()).is_none());
}

/// Scenario 28.
#[tokio::test(start_paused = true)]
async fn a_read_that_loads_nothing_gets_a_stale_value_only_on_request() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().open().await;
    shop.version().await;
    hop(PAST_FRESH).await;
    let cached = Options::default().only_if_cached();
    assert_eq!(shop.in_memory(), None);
    let error = shop.look_with(cached).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::NotCached);
    assert_eq!(shop.cache.peek_stale(&key()).unwrap().version, 1);
    assert_eq!(
        shop.in_memory(),
        None,
        "looking did not give it another life"
    );
    assert_eq!(
        shop.look().await.trail().tier,
        Tier::Source,
        "nor put off the load"
    );
    assert_eq!(stage.loads(), 2);
}

/// Scenario 28. `DESIGN` §2: a mark while the node is not cut off is a bug.
#[tokio::test(start_paused = true)]
async fn a_read_that_loads_nothing_is_not_marked_on_a_node_that_is_well() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    let cached = Options::default().only_if_cached();
    let error = shop.look_with(cached).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::NotCached);
}

/// Scenario 29.
#[tokio::test(start_paused = true)]
async fn expire_leaves_a_value_to_stand_in_and_forget_does_not() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    stage.source.switch.set(Mood::Failing);
    shop.cache.expire(&key()).await.unwrap();
    assert!(shop.look().await.trail().stale);
    shop.cache.forget(&key()).await.unwrap();
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::Source);
    assert!(shop.cache.peek_stale(&key()).is_none());
}

/// Scenario 30.
#[tokio::test(start_paused = true)]
async fn jitter_shortens_lives_within_its_bounds_and_nothing_else() {
    let stage = Stage::new();
    let policy = Policy {
        jitter: 0.5,
        ..still()
    };
    let shop = stage.plan().without_log().policy(policy).open().await;
    let keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    for key in &keys {
        stage.database.write("product", key, 1);
    }
    shop.cache.get_many(&keys).await;
    let registry = shop.node.registry().find("product").unwrap();
    let lives: Vec<u64> = keys
        .iter()
        .map(|key| registry.inspect(key).unwrap().unwrap().fresh_for.as_secs())
        .collect();
    let (shortest, longest) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
    assert!((1_799..1_900).contains(shortest), "{shortest}");
    assert!((3_500..=3_600).contains(longest), "{longest}");
    hop(PAST_FRESH).await;
    stage.source.switch.set(Mood::Failing);
    shop.cache.get(&keys[0]).await.unwrap();
    let loads = stage.source.batches().len();
    hop(998).await;
    shop.cache.get(&keys[0]).await.unwrap();
    assert_eq!(stage.source.batches().len(), loads, "a whole second");
    hop(2).await;
    shop.cache.get(&keys[0]).await.unwrap();
    assert_eq!(stage.source.batches().len(), loads + 1, "and no more");
}

/// Scenario 32.
#[tokio::test(start_paused = true)]
async fn a_stale_value_in_redis_alone_stands_in_unless_the_entity_is_strict() {
    for has_log in [true, false] {
        let stage = Stage::new();
        let plan = |stage| {
            let plan = Stage::plan(stage);
            if has_log { plan } else { plan.without_log() }
        };
        let a = plan(&stage).open().await;
        let b = plan(&stage).open().await;
        let strict = Policy {
            strict: true,
            ..still()
        };
        let c = plan(&stage).policy(strict).open().await;
        a.version().await;
        hop(1).await;
        if has_log {
            a.cache.expire(&key()).await.unwrap();
            hop(150).await;
        } else {
            hop(PAST_FRESH).await;
        }
        stage.source.switch.set(Mood::Failing);
        let error = c.try_look().await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::NotCurrent);
        if has_log {
            // The table of §6 has replaced the refused entry by a lease, and that by the error
            // marker; another node keeps what it holds.
            let answer = a.look().await;
            assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
        } else {
            let answer = b.look().await;
            assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
        }
    }
}

/// Scenario 32. With a log: the node that finds the expired value in Redis keeps it to stand in.
#[tokio::test(start_paused = true)]
async fn an_expired_value_in_redis_alone_stands_in() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(1).await;
    a.cache.expire(&key()).await.unwrap();
    hop(150).await;
    stage.source.switch.set(Mood::Failing);
    for _ in 0..3 {
        let answer = b.look().await;
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    }
}

/// Scenario 33.
#[tokio::test(start_paused = true)]
async fn a_final_error_is_not_hidden_by_a_stale_value() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .without_log()
        .load(|key, call| async move {
            match call {
                0 => Ok(Loaded::value(product(&key, 1))),
                _ => Err(SourceError::fatal("410 gone")),
            }
        })
        .open()
        .await;
    shop.version().await;
    hop(PAST_FRESH).await;
    for _ in 0..3 {
        let error = shop.try_look().await.unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::Source);
        hop(600).await;
    }
}

/// Scenario 34.
#[tokio::test(start_paused = true)]
async fn a_load_sees_the_value_that_it_replaces() {
    let stage = Stage::new();
    let shop = stage.plan().without_log().without_source().open().await;
    let load = |known: Option<Arc<_>>| async move {
        let known: Option<Arc<tingkat_testkit::fakes::Versioned>> = known;
        Ok(Loaded::value(product(
            "7",
            known.map_or(1, |known| known.version + 1),
        )))
    };
    assert_eq!(
        shop.cache
            .get_or_load(&key(), load)
            .await
            .unwrap()
            .unwrap()
            .version,
        1
    );
    hop(PAST_FRESH).await;
    assert_eq!(
        shop.cache
            .get_or_load(&key(), load)
            .await
            .unwrap()
            .unwrap()
            .version,
        2
    );
}

/// Scenario 34. "Not modified" gives the known value another life, with the deps that it had.
#[tokio::test(start_paused = true)]
async fn a_load_that_says_not_modified_gives_the_value_another_life() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .load(|key, call| async move {
            Ok(match call {
                0 => Loaded::value(product(&key, 1))
                    .deps([tingkat::certificate::Dep::new("state:SGR")]),
                1 => Loaded::new(Found::NotModified),
                _ => Loaded::value(product(&key, 9)),
            })
        })
        .open()
        .await;
    let first = shop.cache.get(&key()).await.unwrap().unwrap();
    shop.cache.expire(&key()).await.unwrap();
    let second = shop.cache.get(&key()).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(shop.in_memory(), Some(1));
    hop(150).await;
    assert_eq!(shop.in_memory(), Some(1), "alive");
    shop.cache.forget_tag("state:SGR").await.unwrap();
    assert_eq!(shop.version().await, Some(9), "it still has its tag");
}

/// Scenario 35.
#[tokio::test(start_paused = true)]
async fn an_uncached_answer_goes_to_its_callers_and_nowhere_else() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .without_log()
        .load(|key, call| async move {
            Ok(match call {
                0 => Loaded::value(product(&key, 1)),
                1 => Loaded::new(Found::Uncached(None)),
                _ => Loaded::new(Found::Uncached(Some(product(&key, call)))),
            })
        })
        .open()
        .await;
    shop.version().await;
    hop(PAST_FRESH).await;
    let answer = shop.look().await;
    assert!(answer.value().is_none(), "and not the stale value");
    assert!(!answer.trail().stored && !answer.trail().stale);
    assert_eq!(shop.version().await, Some(2));
    assert_eq!(shop.version().await, Some(3));
}
