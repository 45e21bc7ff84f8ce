//! The same table, line 4: a node begins while the database, and for a moment Redis, is away.

use std::sync::Arc;

use tingkat::{Options, Placement, Policy, Tier};
use tingkat_testkit::fakes::{FakeSource, Mood};

use crate::n_away::cut_off;
use crate::stage::{ENTITY, Stage, cell, hop, key, ms, product, still, version};

/// Line 4: a node that begins without the database.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_without_the_database_serves_marked_what_redis_has() {
    for mood in [Mood::Failing, Mood::Hanging] {
        let stage = Stage::new();
        let a = stage.node().await;
        a.version().await;
        hop(5).await;
        let log = stage.database.log();
        log.switch.set(mood);
        stage.source.switch.set(mood);
        let b = stage.plan().open_over(stage.redis.handle(), log.clone());
        for _ in 0..3 {
            let answer = b.look().await;
            assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
            assert_eq!(b.in_memory(), None, "never as accepted");
        }
        assert_eq!(b.node.feed().unwrap().poll_age, None, "not ready");
        assert_eq!(
            stage.redis.cells()[&cell()][0],
            b'V',
            "left for the next node"
        );
        let c = stage.plan().open_over(stage.redis.handle(), log.clone());
        assert!(c.look().await.trail().stale);
        let only_cached = Options::default().only_if_cached();
        assert!(c.look_with(only_cached).await.unwrap().trail().stale);
        stage.source.switch.restore();
        log.switch.restore();
        hop(1_500).await;
        let answer = b.look().await;
        assert!(
            !answer.trail().stale,
            "the poll has judged it: {:?}",
            answer.trail()
        );
        assert_eq!(stage.source.batches().len(), stage.loads());
    }
}

/// Line 4: a node is connected to Redis a moment after it begins, and waits for that moment.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_waits_a_moment_for_redis_and_only_once() {
    let stage = Stage::new();
    let a = stage.node().await;
    a.version().await;
    hop(5).await;
    let (redis, log) = (stage.redis.handle(), stage.database.log());
    log.switch.set(Mood::Failing);
    stage.source.switch.set(Mood::Failing);
    redis.disconnect(true);
    let b = stage.plan().open_over(redis, log.clone());
    let callers = [b.caller(), b.caller()];
    hop(15).await;
    b.redis.restore();
    for caller in callers {
        let answer = caller.await.unwrap().unwrap();
        assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
    }
    let redis = stage.redis.handle();
    redis.disconnect(true);
    let c = stage.plan().open_over(redis, log);
    for longest in [ms(50), ms(0)] {
        let began = stage.clock.elapsed();
        assert!(c.cache.get(&"9".to_owned()).await.is_err());
        let took = stage.clock.elapsed() - began;
        assert!(took <= longest + ms(2), "{took:?} instead of {longest:?}");
    }
}

/// Line 4: a Redis that comes while loads hang or before they fail is asked then, for those who
/// began without it and for those who joined.
#[tokio::test(start_paused = true)]
async fn a_redis_that_comes_while_loads_are_in_vain_is_asked_then() {
    for (fails_first, is_only_in_redis) in [(true, false), (true, true), (false, false)] {
        let stage = Stage::new();
        let policy = Policy {
            placement: if is_only_in_redis {
                Placement::Remote
            } else {
                Placement::Both
            },
            ..still()
        };
        let a = stage.node_with(policy.clone()).await;
        a.version().await;
        hop(5).await;
        let (redis, log) = (stage.redis.handle(), stage.database.log());
        log.switch.set(Mood::Failing);
        stage.source.switch.set(Mood::Hanging);
        redis.disconnect(true);
        let b = stage.plan().policy(policy).open_over(redis, log);
        let first = b.caller();
        hop(60).await;
        b.redis.restore();
        let second = b.caller();
        hop(1).await;
        assert_eq!(b.redis.count("get"), 0, "nobody has looked yet");
        if fails_first {
            stage.source.switch.set(Mood::Failing);
        }
        for caller in [first, second] {
            let began = stage.clock.elapsed();
            let answer = caller.await.unwrap().unwrap();
            assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
            let took = stage.clock.elapsed() - began;
            assert!(took <= ms(255), "{took:?}");
        }
        assert_eq!(b.redis.count("get"), 1, "one look for all who wait");
        let at_once = b.caller();
        hop(5).await;
        assert_eq!(at_once.is_finished(), fails_first, "the next one knows");
    }
}

/// Line 4: what another node brings while this one waits for a lease may stand in, however late.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_without_the_database_gets_what_came_after_a_lease() {
    for mood in [Mood::Failing, Mood::Hanging] {
        let stage = Stage::new();
        let a = stage.node().await;
        let log = stage.database.log();
        log.switch.set(mood);
        let source = FakeSource::new(&stage.database, ENTITY);
        source.switch.set(mood);
        // Of a node that died, in place of what it was about to load again.
        stage.redis.put_for(cell(), vec![b'L'; 17], ms(2_000));
        let b = stage
            .plan()
            .source(Arc::new(source))
            .open_over(stage.redis.handle(), log);
        let first = b.caller();
        hop(1_000).await;
        let second = b.caller();
        hop(100).await;
        assert!(!first.is_finished() && !second.is_finished());
        a.cache.insert(&key(), product("7", 1)).await.unwrap();
        hop(400).await;
        for caller in [first, second] {
            assert!(caller.is_finished(), "not at the hard deadline");
            let answer = caller.await.unwrap().unwrap();
            assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
        }
    }
}

/// A node that never reached the database keeps nobody from loading by a lease that is in vain.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_without_the_database_lets_go_of_a_lease() {
    let stage = Stage::new();
    let a = stage.node().await;
    let log = stage.database.log();
    log.switch.cut();
    let source = FakeSource::new(&stage.database, ENTITY);
    source.switch.cut();
    let b = stage
        .plan()
        .source(Arc::new(source.clone()))
        .open_over(stage.redis.handle(), log);
    let in_vain = b.caller();
    hop(300).await;
    assert_eq!(stage.redis.cells()[&cell()][0], b'L');
    let began = stage.clock.elapsed();
    assert_eq!(a.version().await, Some(1));
    let took = stage.clock.elapsed() - began;
    assert!(took < ms(1_300), "{took:?}: it is not renewed");
    hop(5).await;
    assert!(!in_vain.is_finished());
    source.switch.set(Mood::Failing);
    let answer = in_vain.await.unwrap().unwrap();
    assert_eq!((version(&answer), answer.trail().stale), (Some(1), true));
}

/// What comes with Redis while a load hangs is as good as if it had been there: not marked.
#[tokio::test(start_paused = true)]
async fn a_current_value_that_comes_with_redis_ends_a_load_that_hangs() {
    for age in [5, 3_700_000] {
        let stage = Stage::new();
        let a = stage.node().await;
        a.version().await;
        hop(5).await;
        let (redis, log) = (stage.redis.handle(), stage.database.log());
        redis.disconnect(true);
        let b = stage.plan().open_over(redis, log);
        hop(age).await;
        stage.source.switch.set(Mood::Hanging);
        let caller = b.caller();
        hop(60).await;
        b.redis.restore();
        hop(60).await;
        assert!(caller.is_finished());
        let answer = caller.await.unwrap().unwrap();
        let trail = answer.trail();
        assert_eq!((trail.tier, trail.stale), (Tier::Remote, false), "{age}");
        assert_eq!(b.in_memory(), Some(1));
    }
}

/// Line 4: by age, up to `stale_for`.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_without_the_database_serves_nothing_older_than_stale_for() {
    let stage = Stage::new();
    let policy = Policy {
        stale_for: ms(30_000),
        ..still()
    };
    let a = stage.node_with(policy.clone()).await;
    a.version().await;
    let log = stage.database.log();
    cut_off(&stage, &a, Mood::Failing);
    log.switch.set(Mood::Failing);
    hop(29_000).await;
    let b = stage
        .plan()
        .policy(policy.clone())
        .open_over(stage.redis.handle(), log.clone());
    assert!(b.look().await.trail().stale);
    hop(2_000).await;
    let c = stage
        .plan()
        .policy(policy)
        .open_over(stage.redis.handle(), log);
    assert!(c.try_look().await.is_err());
    assert!(b.try_look().await.is_err());
}

/// A node that has just begun waits a moment for its first poll instead of loading all again.
#[tokio::test(start_paused = true)]
async fn a_node_that_has_just_begun_uses_a_hot_redis() {
    let stage = Stage::new();
    let a = stage.node().await;
    a.version().await;
    hop(5).await;
    let log = stage.database.log();
    log.switch.slow(ms(30));
    let b = stage.plan().open_over(stage.redis.handle(), log);
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(1), Tier::Remote)
    );
    assert_eq!(stage.loads(), 1);
}
