//! The queue before the source: its cap, its bound, who goes first.

use futures::future::join_all;
use tingkat::error::GetErrorKind;
use tingkat::{Options, Policy};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Stage, hop, key, ms, still, version};

fn narrow() -> Policy {
    Policy {
        max_loads: 2,
        max_batch: 1,
        max_queue: 10,
        batch_window: ms(0),
        ..still()
    }
}

#[tokio::test(start_paused = true)]
async fn never_more_loads_than_the_cap_run_at_a_time() {
    for has_redis in [true, false] {
        let stage = Stage::new();
        let policy = Policy {
            max_loads: 3,
            max_batch: 2,
            ..still()
        };
        let plan = stage.plan().policy(policy);
        let plan = if has_redis {
            plan
        } else {
            plan.without_redis()
        };
        let shop = plan.open().await;
        stage.source.switch.slow(ms(50));
        let stats = shop.cache.stats();
        let keys: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let watch = async {
            let mut most = 0;
            for _ in 0..600 {
                most = most.max(stats.loads_running.get());
                hop(1).await;
            }
            most
        };
        let gets = join_all(keys.iter().map(|key| shop.cache.get(key)));
        let (answers, most) = tokio::join!(gets, watch);
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(most, 3);
        assert_eq!(stats.loads_queued.get(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_entity_does_not_hold_up_another() {
    let stage = Stage::new();
    let hanging = stage.node_with(narrow()).await;
    let other = tingkat_testkit::fakes::FakeSource::new(&stage.database, "product");
    let well = stage
        .plan()
        .name("category")
        .source(std::sync::Arc::new(other))
        .open()
        .await;
    stage.source.switch.cut();
    let _stuck: Vec<_> = (0..5).map(|_| hanging.caller()).collect();
    hop(10).await;
    assert_eq!(well.version().await, Some(1));
}

/// Over the bound: a stale value if there may be one, else a fast error that says when to come back.
#[tokio::test(start_paused = true)]
async fn one_key_too_many_is_refused_at_once() {
    let stage = Stage::new();
    let shop = stage.node_with(narrow()).await;
    shop.version().await;
    shop.cache.expire(&key()).await.unwrap();
    stage.source.switch.cut();
    let keys: Vec<String> = (100..112).map(|n| n.to_string()).collect();
    let crowd = join_all(keys.iter().map(|key| shop.cache.get(key)));
    let late = async {
        hop(20).await;
        let began = stage.clock.elapsed();
        let error = shop.cache.get(&"late".to_owned()).await.unwrap_err();
        let expected = GetErrorKind::Overloaded {
            retry_after: ms(1_000),
        };
        assert_eq!(error.kind(), expected);
        let answer = shop.look().await;
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
        let error = shop
            .look_with(Options::default().validated())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), expected);
        assert!(stage.clock.elapsed() - began < ms(5), "at once");
        assert!(shop.cache.stats().overloads.get() >= 2);
        stage.source.switch.restore();
    };
    let (crowd, ()) = tokio::join!(crowd, late);
    assert!(crowd.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn customers_go_before_background_loads() {
    let stage = Stage::new();
    let policy = Policy {
        max_loads: 1,
        max_queue: 100,
        ..narrow()
    };
    let shop = stage.plan().without_redis().policy(policy).open().await;
    stage.source.switch.slow(ms(10));
    let warmed: Vec<String> = (0..10).map(|n| format!("w{n}")).collect();
    let options = Options::default().background();
    let warm = shop.cache.look_up_many(&warmed, options);
    let customers = async {
        hop(15).await;
        let began = stage.clock.elapsed();
        let keys: Vec<String> = (0..3).map(|n| format!("c{n}")).collect();
        join_all(keys.iter().map(|key| shop.cache.get(key))).await;
        stage.clock.elapsed() - began
    };
    let (_, took) = tokio::join!(warm, customers);
    assert!(took <= ms(45), "{took:?}");
    let order: Vec<String> = stage.source.batches().concat();
    let last_customer = order.iter().rposition(|key| key.starts_with('c')).unwrap();
    assert!(last_customer <= 5, "{order:?}");
}

/// A customer who joins a background load takes it along.
#[tokio::test(start_paused = true)]
async fn a_background_load_that_a_customer_waits_for_is_a_customers_load() {
    let stage = Stage::new();
    let policy = Policy {
        max_loads: 1,
        max_queue: 100,
        ..narrow()
    };
    let shop = stage.plan().without_redis().policy(policy).open().await;
    stage.source.switch.slow(ms(10));
    let warmed: Vec<String> = (0..20).map(|n| format!("w{n:02}")).collect();
    let warm = shop
        .cache
        .look_up_many(&warmed, Options::default().background());
    let customer = async {
        hop(5).await;
        let began = stage.clock.elapsed();
        shop.cache.get(&warmed[19]).await.unwrap();
        stage.clock.elapsed() - began
    };
    let (_, took) = tokio::join!(warm, customer);
    assert!(took <= ms(30), "{took:?}");
}

/// Background work fills at most half of the queue, so there is always room for customers.
#[tokio::test(start_paused = true)]
async fn background_loads_leave_room_for_customers() {
    let stage = Stage::new();
    let shop = stage.plan().without_redis().policy(narrow()).open().await;
    stage.source.switch.slow(ms(10));
    let warmed: Vec<String> = (0..50).map(|n| format!("w{n}")).collect();
    let warm = shop
        .cache
        .look_up_many(&warmed, Options::default().background());
    let customers = async {
        hop(2).await;
        let keys: Vec<String> = (0..4).map(|n| format!("c{n}")).collect();
        join_all(keys.iter().map(|key| shop.cache.get(key))).await
    };
    let (warmed, customers) = tokio::join!(warm, customers);
    assert!(customers.iter().all(Result::is_ok));
    assert!(warmed.iter().any(Result::is_err));
}

/// A customer who joined a background load that found no room tries for himself.
#[tokio::test(start_paused = true)]
async fn a_customer_is_not_refused_for_want_of_room_in_the_background() {
    let stage = Stage::new();
    let shop = stage.node_with(narrow()).await;
    shop.redis.reads.slow(ms(10));
    stage.source.switch.slow(ms(50));
    let crowd: Vec<String> = (0..7).map(|n| format!("w{n}")).collect();
    let crowd = shop.cache.look_up_many(&crowd, Options::default());
    let background = async {
        hop(20).await;
        shop.look_with(Options::default().background()).await
    };
    let customer = async {
        hop(25).await;
        shop.try_look().await
    };
    let (_, background, customer) = tokio::join!(crowd, background, customer);
    assert!(matches!(
        background.unwrap_err().kind(),
        GetErrorKind::Overloaded { .. }
    ));
    assert_eq!(version(&customer.unwrap()), Some(1));
}

/// A refresh that fails leaves the others' loads alone.
#[tokio::test(start_paused = true)]
async fn an_own_load_that_fails_does_not_put_off_the_source() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    shop.version_of("8").await;
    shop.cache.expire_all().await.unwrap();
    stage.database.write_silently("product", "7", 2);
    let failing = |_| async { Err(tingkat::error::SourceError::transient("mine")) };
    let stale = shop.cache.get_or_load(&"8".to_owned(), failing).await;
    assert!(stale.is_ok());
    let answer = shop.look().await;
    assert_eq!((version(&answer), answer.trail().stale), (Some(2), false));
}

/// A source that fails rests as a whole: nobody asks it for other keys that have a stale value.
#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_spared_for_all_keys_that_can_do_without() {
    let stage = Stage::new();
    let shop = stage.plan().without_redis().open().await;
    let keys: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    shop.cache.get_many(&keys).await;
    shop.cache.expire_all().await.unwrap();
    stage.source.switch.set(Mood::Failing);
    let batches = stage.source.batches().len();
    for key in &keys {
        let answer = shop.cache.look_up(key, Options::default()).await.unwrap();
        assert!(answer.trail().stale);
    }
    assert_eq!(stage.source.batches().len(), batches + 1);
}

/// A closure that refreshes what only it can load: past `fresh_for` it runs in the background.
#[tokio::test(start_paused = true)]
async fn an_own_load_refreshes_its_entry_past_fresh_for() {
    let stage = Stage::new();
    let shop = stage.plan().without_source().open().await;
    let load = |version| {
        move |_| async move {
            Ok(tingkat::ports::Loaded::value(crate::stage::product(
                "7", version,
            )))
        }
    };
    let got = shop
        .cache
        .get_or_load(&key(), load(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got.version, 1);
    hop(3_600_001).await;
    let got = shop
        .cache
        .get_or_load(&key(), load(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got.version, 1, "current, and refreshed behind");
    hop(50).await;
    let got = shop
        .cache
        .get_or_load(&key(), load(3))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got.version, 2);
}
