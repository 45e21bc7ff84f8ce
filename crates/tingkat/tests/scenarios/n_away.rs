//! The table of `PROTOCOL` §8: what happens when parts are away, line by line. A mark appears in
//! these cases and in no other.

use tingkat::error::GetErrorKind;
use tingkat::{Options, Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Shop, Stage, cell, hop, key, ms, product, still, version};

/// The bound of every node here.
const BOUND_MS: u64 = 1_000;

/// Cuts a node from the database: its polls and every load.
pub(crate) fn cut_off(stage: &Stage, shop: &Shop, mood: Mood) {
    shop.log.switch.set(mood);
    stage.source.switch.set(mood);
}

/// Line 1: Redis is away.
#[tokio::test(start_paused = true)]
async fn without_redis_there_is_one_load_per_key_and_node_and_no_mark() {
    let stage = Stage::new();
    let shops = [stage.node().await, stage.node().await];
    for shop in &shops {
        shop.redis.cut();
    }
    stage.source.switch.slow(ms(20));
    let callers: Vec<_> = shops
        .iter()
        .flat_map(|shop| (0..100).map(|_| shop.caller()))
        .collect();
    for caller in callers {
        let answer = caller.await.unwrap().unwrap();
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), false));
    }
    assert_eq!(stage.loads(), 2);
    stage.write(2);
    hop(101).await;
    for shop in &shops {
        assert_eq!(
            shop.version().await,
            Some(2),
            "coherence does not need Redis"
        );
    }
}

/// Line 1: the node joins a Redis that comes later.
#[tokio::test(start_paused = true)]
async fn a_node_that_began_without_redis_joins_it_later() {
    let stage = Stage::new();
    let redis = stage.redis.handle();
    redis.cut();
    let shop = stage.plan().open_over(redis, stage.database.log());
    for n in 100..110 {
        shop.version_of(&n.to_string()).await;
    }
    shop.redis.restore();
    hop(6_000).await;
    shop.version().await;
    hop(5).await;
    assert!(stage.redis.cells().contains_key(&cell()));
}

/// Line 2: polls fail, loads work.
#[tokio::test(start_paused = true)]
async fn while_only_polls_fail_own_loads_serve_for_the_bound() {
    for mood in [Mood::Failing, Mood::Hanging] {
        let stage = Stage::new();
        let (a, b) = (stage.node().await, stage.node().await);
        a.version().await;
        hop(5).await;
        b.log.switch.set(mood);
        hop(BOUND_MS + 200).await;
        for _ in 0..3 {
            let began = stage.clock.elapsed();
            let answer = b.look().await;
            assert_eq!(
                answer.trail().tier,
                Tier::Source,
                "what Redis has can not be judged"
            );
            assert!(!answer.trail().stale);
            assert!(stage.clock.elapsed() - began < ms(20), "{mood:?}");
            hop(BOUND_MS - 100).await;
            assert_eq!(b.look().await.trail().tier, Tier::Memory);
            hop(200).await;
        }
        assert_eq!(
            b.redis.count("acquire"),
            0,
            "never a lease in place of a good entry"
        );
        assert_eq!(stage.redis.cells()[&cell()][0], b'V');
        assert_eq!(a.look().await.trail().tier, Tier::Memory);
    }
}

/// Line 2: closures that bring no certificate of their own are loads like any other.
#[tokio::test(start_paused = true)]
async fn while_only_polls_fail_sources_without_certificates_work_too() {
    for mood in [Mood::Failing, Mood::Hanging] {
        let stage = Stage::new();
        let shop = stage
            .plan()
            .load(|key, call| async move { Ok(tingkat::ports::Loaded::value(product(&key, call))) })
            .open()
            .await;
        shop.log.switch.set(mood);
        hop(BOUND_MS + 200).await;
        let began = stage.clock.elapsed();
        let answer = shop.look().await;
        assert!(!answer.trail().stale);
        assert!(stage.clock.elapsed() - began < ms(20), "{mood:?}");
        hop(500).await;
        assert_eq!(shop.look().await.trail().tier, Tier::Memory);
    }
}

/// Line 2: beyond the load cap, what is at hand is served, marked.
#[tokio::test(start_paused = true)]
async fn while_only_polls_fail_and_the_queue_is_full_old_values_are_served_marked() {
    let stage = Stage::new();
    let policy = Policy {
        max_queue: 1,
        max_loads: 1,
        max_batch: 1,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.version().await;
    shop.log.switch.set(Mood::Failing);
    hop(BOUND_MS + 200).await;
    stage.source.switch.cut();
    let cache = shop.cache.clone();
    let fill = [8, 9].map(|n| {
        let cache = cache.clone();
        async move { cache.get(&n.to_string()).await }
    });
    let [one, two] = fill;
    let crowd = futures::future::join(one, async {
        hop(5).await;
        two.await
    });
    let look = async {
        hop(10).await;
        let began = stage.clock.elapsed();
        let answer = shop.look().await;
        assert!(answer.trail().stale);
        assert!(stage.clock.elapsed() - began < ms(5), "at once");
        stage.source.switch.restore();
    };
    let _ = futures::future::join(crowd, look).await;
}

/// Line 3: the database is away, and the node was anchored.
#[tokio::test(start_paused = true)]
async fn cut_off_a_node_serves_the_last_known_value_marked_and_its_age_grows() {
    for mood in [Mood::Failing, Mood::Hanging] {
        let stage = Stage::new();
        let shop = stage.node().await;
        shop.version().await;
        hop(10_000).await;
        cut_off(&stage, &shop, mood);
        hop(500).await;
        let answer = shop.look().await;
        assert!(!answer.trail().stale, "within the bound");
        assert!(answer.trail().age <= ms(700));
        hop(1_000).await;
        let mut last = ms(1_000);
        for _ in 0..5 {
            let answer = shop.look().await;
            assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
            assert!(answer.trail().age > last, "since last known to be current");
            assert!(
                answer.trail().age < last + ms(2_600),
                "{:?}",
                answer.trail().age
            );
            last = answer.trail().age;
            hop(2_000).await;
        }
        stage.source.switch.restore();
        shop.log.switch.restore();
        hop(1_500).await;
        let answer = shop.look().await;
        assert!(!answer.trail().stale);
        assert!(answer.trail().age < ms(1_000));
    }
}

/// Line 3: for `stale_for` since it was last known to be current, and then no more.
#[tokio::test(start_paused = true)]
async fn cut_off_a_node_serves_for_stale_for_since_its_last_poll() {
    let stage = Stage::new();
    let policy = Policy {
        fresh_for: ms(100_000),
        stale_for: ms(30_000),
        ..still()
    };
    let shop = stage.node_with(policy).await;
    shop.version().await;
    hop(50_000).await;
    cut_off(&stage, &shop, Mood::Failing);
    hop(29_000).await;
    assert!(
        shop.look().await.trail().stale,
        "long after stale_for of the load"
    );
    hop(1_500).await;
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(
        error.kind(),
        GetErrorKind::Source,
        "within fresh_for, and still too old"
    );
}

/// Line 3: who insists gets a fast error.
#[tokio::test(start_paused = true)]
async fn cut_off_a_node_refuses_fast_who_insists() {
    for mood in [Mood::Failing, Mood::Hanging] {
        let stage = Stage::new();
        let strict = Policy {
            strict: true,
            ..still()
        };
        let shop = stage.node().await;
        let strict = stage.node_with(strict).await;
        shop.version().await;
        strict.version().await;
        cut_off(&stage, &shop, mood);
        strict.log.switch.set(mood);
        hop(BOUND_MS + 500).await;
        let usual = Options::default();
        for (shop, options) in [
            (&strict, usual),
            (&shop, usual.validated()),
            (&shop, usual.max_age(ms(200))),
            (&shop, usual.max_age(ms(0))),
        ] {
            let began = stage.clock.elapsed();
            let error = shop.look_with(options).await.unwrap_err();
            assert_eq!(
                error.kind(),
                GetErrorKind::NotCurrent,
                "{mood:?} {options:?}"
            );
            let took = stage.clock.elapsed() - began;
            assert!(took <= ms(BOUND_MS + 5), "{took:?} {mood:?} {options:?}");
        }
        let answer = shop.look_with(usual.max_age(ms(600_000))).await;
        assert!(answer.is_err() || !answer.unwrap().trail().stale);
        assert!(shop.look().await.trail().stale);
    }
}

/// Line 3: a value that was forgotten before the cut never comes back.
#[tokio::test(start_paused = true)]
async fn cut_off_a_node_does_not_serve_what_it_knows_was_forgotten() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    b.version().await;
    stage.write(2);
    hop(101).await;
    cut_off(&stage, &a, Mood::Failing);
    b.log.switch.set(Mood::Failing);
    hop(2_000).await;
    assert!(a.try_look().await.is_err());
    assert!(b.try_look().await.is_err());
}

/// Line 5: another life of the database.
#[tokio::test(start_paused = true)]
async fn after_a_failover_nothing_old_is_served_unmarked_and_all_of_it_may_stand_in() {
    for restore in [false, true] {
        let stage = Stage::new();
        let backup = stage.database.backup();
        let shop = stage.node().await;
        stage.write(5);
        hop(101).await;
        assert_eq!(shop.version().await, Some(5));
        for n in 0..20 {
            stage.database.write("product", &n.to_string(), 9);
        }
        hop(101).await;
        if restore {
            stage.database.restore(&backup);
        } else {
            stage.database.fail_over(&backup);
        }
        stage.source.switch.set(Mood::Failing);
        hop(201).await;
        assert_eq!(shop.events.count("ColdReset"), 1, "{:?}", shop.events.all());
        let answer = shop.look().await;
        assert!(
            answer.trail().stale || answer.value().is_none(),
            "{answer:?}"
        );
        stage.source.switch.restore();
        hop(1_001).await;
        let answer = shop.look().await;
        assert_eq!(
            (version(&answer), answer.trail().tier),
            (Some(1), Tier::Source)
        );
        assert!(!answer.trail().stale);
    }
}

/// Line 5: a demoted entry stands in, marked, and is current again when it was loaded again.
#[tokio::test(start_paused = true)]
async fn after_a_crash_of_the_database_entries_are_demoted_and_not_lost() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    b.version().await;
    stage.database.crash();
    stage.source.switch.set(Mood::Failing);
    hop(150).await;
    for shop in [&a, &b] {
        assert_eq!(shop.in_memory(), None);
        let answer = shop.look().await;
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    }
    stage.source.switch.restore();
    hop(1_500).await;
    for shop in [&a, &b] {
        let answer = shop.look().await;
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), false));
    }
    assert_eq!(
        stage.loads(),
        3,
        "once before, one failure for both, once after"
    );
}

/// A mark appears at no other time: a day of reads with changes, and nothing away.
#[tokio::test(start_paused = true)]
async fn nothing_is_marked_while_nothing_is_away() {
    let stage = Stage::new();
    let shops = [stage.node().await, stage.node().await];
    shops[0].redis.reads.slow(ms(30));
    stage.source.switch.slow(ms(20));
    for step in 2..400 {
        for shop in &shops {
            let answer = shop.look().await;
            assert!(!answer.trail().stale);
            assert!(answer.trail().age <= ms(BOUND_MS));
        }
        match step % 4 {
            0 => stage.write(step),
            1 => shops[0].cache.expire(&key()).await.unwrap(),
            2 => shops[1].cache.forget(&key()).await.unwrap(),
            _ => hop(3_700_000 / 100).await,
        }
        hop(step % 90).await;
    }
    for shop in &shops {
        assert_eq!(shop.cache.stats().stale_answers.get(), 0);
    }
}

/// A machine that was suspended trusts nothing before its next poll.
#[tokio::test(start_paused = true)]
async fn validated_means_a_poll_sent_after_the_request_and_never_a_load() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    hop(30).await;
    stage.write(2);
    assert_eq!(shop.version().await, Some(1), "the last poll was before");
    hop(1).await;
    let validated = Options::default().validated();
    assert_eq!(version(&shop.look_with(validated).await.unwrap()), Some(2));
    for _ in 0..10 {
        hop(7).await;
        let answer = shop.look_with(validated).await.unwrap();
        assert_eq!(answer.trail().tier, Tier::Memory);
        assert_eq!(answer.trail().age, ms(0));
    }
    assert_eq!(stage.loads(), 2);
}

/// The history of a busy store takes longer than a poll may: the node gets it all the same.
#[tokio::test(start_paused = true)]
async fn a_history_that_takes_longer_than_the_bound_is_waited_for() {
    let stage = Stage::new();
    let log = stage.database.log();
    log.switch.slow(ms(4_000));
    let shop = stage.plan().open_over(stage.redis.handle(), log.clone());
    hop(4_010).await;
    assert!(
        shop.node
            .feed()
            .is_some_and(|feed| feed.incarnation.is_some())
    );
    // What is sent from now on is quick again, and anchors.
    log.switch.restore();
    hop(4_200).await;
    assert!(shop.node.feed().unwrap().poll_age.unwrap() <= ms(200));
}
