//! Many keys in one call.

use futures::future::join_all;
use tingkat::error::{GetErrorKind, SourceError};
use tingkat::ports::{Found, Loaded};
use tingkat::{Options, Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Shop, Stage, hop, key, ms, product, still, version};

fn keys(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| format!("k{n:03}")).collect()
}

fn stock(stage: &Stage, keys: &[String]) {
    for (key, version) in keys.iter().zip(1..) {
        stage.database.write("product", key, version);
    }
}

async fn versions(shop: &Shop, keys: &[String]) -> Vec<Option<u64>> {
    let answers = shop.cache.get_many(keys).await;
    answers
        .into_iter()
        .map(|answer| answer.unwrap().map(|value| value.version))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn order_is_kept_and_duplicates_are_loaded_once() {
    let stage = Stage::new();
    stock(&stage, &keys(0..3));
    let shop = stage.node().await;
    let asked: Vec<String> = ["k002", "none", "k000", "k002", "k001", "k000"]
        .map(str::to_owned)
        .into();
    let expected = [Some(3), None, Some(1), Some(3), Some(2), Some(1)];
    assert_eq!(versions(&shop, &asked).await, expected);
    assert_eq!(stage.source.batches().len(), 1);
    assert_eq!(stage.source.batches()[0].len(), 4);
    assert_eq!(versions(&shop, &asked).await, expected);
    assert_eq!(stage.source.batches().len(), 1);
    assert!(shop.cache.get_many(&[]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn memory_redis_and_source_are_asked_once_each_for_what_is_left() {
    let stage = Stage::new();
    let all = keys(0..30);
    stock(&stage, &all);
    let (a, b) = (stage.node().await, stage.node().await);
    a.cache.get_many(&all[..20]).await;
    hop(5).await;
    b.cache.get_many(&all[..10]).await;
    let gets = b.redis.count("get_many");
    let answers = b.cache.look_up_many(&all, Options::default()).await;
    let tiers: Vec<Tier> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().trail().tier)
        .collect();
    assert!(tiers[..10].iter().all(|tier| *tier == Tier::Memory));
    assert!(tiers[10..20].iter().all(|tier| *tier == Tier::Remote));
    assert!(tiers[20..].iter().all(|tier| *tier == Tier::Source));
    assert_eq!(b.redis.count("get_many"), gets + 1);
    assert_eq!(b.redis.count("get"), 0);
    assert_eq!(stage.source.batches().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_key_that_fails_does_not_fail_the_others() {
    let stage = Stage::new();
    let shop = stage
        .plan()
        .load(|key, _| async move {
            Ok(match key.as_str() {
                "bad" => Loaded::new(Found::Failed(SourceError::transient("no"))),
                "none" => Loaded::absent(),
                _ => Loaded::value(product(&key, 1)),
            })
        })
        .open()
        .await;
    let asked: Vec<String> = ["7", "bad", "none", "8"].map(str::to_owned).into();
    let answers = shop.cache.get_many(&asked).await;
    assert!(answers[0].as_ref().is_ok_and(Option::is_some));
    assert_eq!(
        answers[1].as_ref().unwrap_err().kind(),
        GetErrorKind::Source
    );
    assert!(answers[2].as_ref().is_ok_and(Option::is_none));
    assert!(answers[3].as_ref().is_ok_and(Option::is_some));
    assert_eq!(shop.cache.stats().failed_keys.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_joins_loads_under_way_and_is_joined() {
    let stage = Stage::new();
    stock(&stage, &keys(0..10));
    let shop = stage.node().await;
    stage.source.switch.slow(ms(50));
    let one = "k000".to_owned();
    let (single, many, again) = tokio::join!(
        shop.cache.get(&one),
        async {
            hop(10).await;
            versions(&shop, &keys(0..5)).await
        },
        async {
            hop(20).await;
            versions(&shop, &keys(3..8)).await
        },
    );
    assert_eq!(single.unwrap().unwrap().version, 1);
    assert_eq!(many, [1, 2, 3, 4, 5].map(Some));
    assert_eq!(again, [4, 5, 6, 7, 8].map(Some));
    for key in keys(0..8) {
        assert_eq!(stage.source.loads(&key), 1, "{key}");
    }
}

/// Misses of one entity that begin within the batch window go to the source together.
#[tokio::test(start_paused = true)]
async fn misses_of_many_callers_become_one_batch() {
    let stage = Stage::new();
    let all = keys(0..150);
    stock(&stage, &all);
    let shop = stage.plan().without_redis().open().await;
    let gets = all.iter().map(|key| shop.cache.get(key));
    for answer in join_all(gets).await {
        assert!(answer.unwrap().is_some());
    }
    assert_eq!(stage.source.batches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_keys_are_few_batches() {
    let stage = Stage::new();
    let all = keys(0..1_000);
    stock(&stage, &all);
    let shop = stage.node().await;
    stage.source.switch.slow(ms(5));
    let gets = all.iter().map(|key| shop.cache.get(key));
    for answer in join_all(gets).await {
        assert!(answer.unwrap().is_some());
    }
    assert!(
        stage.source.batches().len() <= 20,
        "{}",
        stage.source.batches().len()
    );
    let largest = stage.source.batches().iter().map(Vec::len).max();
    assert!(largest <= Some(200));
}

/// Two nodes that ask for the same keys in opposite orders do not wait for each other.
#[tokio::test(start_paused = true)]
async fn two_nodes_with_crossing_batches_do_not_wait_for_each_other() {
    let stage = Stage::new();
    let all = keys(0..100);
    stock(&stage, &all);
    let (a, b) = (stage.node().await, stage.node().await);
    for shop in [&a, &b] {
        shop.redis.reads.slow(ms(1));
        shop.redis.writes.slow(ms(1));
    }
    stage.source.switch.slow(ms(20));
    let reversed: Vec<String> = all.iter().rev().cloned().collect();
    let began = stage.clock.elapsed();
    let (one, two) = tokio::join!(versions(&a, &all), versions(&b, &reversed));
    let took = stage.clock.elapsed() - began;
    assert!(took < ms(400), "{took:?}");
    let expected: Vec<_> = (1..=100).map(Some).collect();
    assert_eq!(one, expected);
    assert_eq!(two, expected.into_iter().rev().collect::<Vec<_>>());
    for key in &all {
        assert_eq!(stage.source.loads(key), 1, "{key}");
    }
}

/// The share of Redis is time: a hundred leases taken side by side are paid once, so who waits for
/// another node's loads goes on looking instead of running out.
#[tokio::test(start_paused = true)]
async fn leases_taken_side_by_side_do_not_eat_the_budget() {
    let stage = Stage::new();
    let all = keys(0..200);
    stock(&stage, &all);
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.slow(ms(100));
    b.redis.reads.slow(ms(2));
    b.redis.writes.slow(ms(2));
    let (one, two) = tokio::join!(versions(&a, &all[..100]), async {
        hop(5).await;
        let began = stage.clock.elapsed();
        let two = versions(&b, &all).await;
        (two, stage.clock.elapsed() - began)
    });
    assert!(one.iter().all(Option::is_some));
    let (two, took) = two;
    assert!(two.iter().all(Option::is_some));
    assert!(took < ms(400), "{took:?}");
    for key in &all {
        assert_eq!(stage.source.loads(key), 1, "{key}");
    }
}

/// A batch leads what it can and loads that, though another node holds the rest for long.
#[tokio::test(start_paused = true)]
async fn a_batch_loads_what_it_leads_before_it_waits_for_others() {
    let stage = Stage::new();
    let all = keys(0..10);
    stock(&stage, &all);
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.switch.cut();
    let stuck = a.cache.clone();
    let first = all[0].clone();
    let hung = futures::future::join(async move { stuck.get(&first).await.map(|_| ()) }, async {
        hop(10).await;
        let many = versions(&b, &all);
        let probe = async {
            hop(20).await;
            stage.source.batches().iter().map(Vec::len).sum::<usize>()
        };
        let ((), asked) = futures::future::join(
            async {
                hop(100).await;
                stage.source.switch.restore();
            },
            futures::future::join(many, probe),
        )
        .await;
        let (answers, loaded_meanwhile) = asked;
        assert!(answers.iter().all(Option::is_some));
        assert_eq!(loaded_meanwhile, 10, "one by a, nine by b");
    });
    let _ = hung.await;
}

/// Each way of insisting works for many keys as for one, in one round trip.
#[tokio::test(start_paused = true)]
async fn options_count_for_every_key_of_a_batch() {
    let stage = Stage::new();
    let all = keys(0..20);
    stock(&stage, &all);
    let (a, b) = (stage.node().await, stage.node().await);
    a.cache.get_many(&all).await;
    hop(5).await;
    for key in &all {
        stage.database.write("product", key, 50);
    }
    hop(1).await;
    let validated = Options::default().validated();
    for answer in b.cache.look_up_many(&all, validated).await {
        assert_eq!(version(&answer.unwrap()), Some(50));
    }
    assert_eq!(b.redis.count("get_many"), 1);
    assert_eq!(stage.source.batches().len(), 2);
    for key in &all {
        stage.database.write_silently("product", key, 60);
    }
    for answer in b
        .cache
        .look_up_many(&all, Options::default().reload())
        .await
    {
        assert_eq!(version(&answer.unwrap()), Some(60));
    }
    assert_eq!(stage.source.batches().len(), 3);
    b.log.switch.set(Mood::Failing);
    for answer in b.cache.look_up_many(&all, validated).await {
        assert_eq!(answer.unwrap_err().kind(), GetErrorKind::NotCurrent);
    }
}

/// A caller of a batch that leaves takes nobody else's load with it.
#[tokio::test(start_paused = true)]
async fn a_batch_whose_caller_leaves_does_not_poison_its_keys() {
    let stage = Stage::new();
    let all = keys(0..10);
    stock(&stage, &all);
    let shop = stage.node().await;
    shop.redis.reads.slow(ms(20));
    let left = tokio::time::timeout(ms(10), shop.cache.get_many(&all)).await;
    assert!(left.is_err());
    assert!(versions(&shop, &all).await.iter().all(Option::is_some));
    stage.source.switch.slow(ms(100));
    stock(&stage, &keys(10..20));
    let left = tokio::time::timeout(ms(50), shop.cache.get_many(&keys(10..20))).await;
    assert!(left.is_err());
    assert!(
        versions(&shop, &keys(10..20))
            .await
            .iter()
            .all(Option::is_some)
    );
}

/// A failing source: those that have a stale value get it, the others the error.
#[tokio::test(start_paused = true)]
async fn a_batch_whose_source_fails_serves_what_may_stand_in() {
    let stage = Stage::new();
    let all = keys(0..4);
    stock(&stage, &all);
    let policy = Policy {
        retry_after: ms(10_000),
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.cache.get_many(&all[..2]).await;
    shop.cache.expire_all().await.unwrap();
    stage.source.switch.set(Mood::Failing);
    for _ in 0..2 {
        let answers = shop.cache.look_up_many(&all, Options::default()).await;
        for (index, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.is_ok_and(|answer| answer.trail().stale), index < 2);
        }
        hop(600).await;
    }
    assert_eq!(stage.source.loads(&all[0]), 1 + 1, "it rests");
    let _ = key();
}
