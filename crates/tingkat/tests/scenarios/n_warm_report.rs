//! What a report of warming says is so: nothing is called a success that is not known to be one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::error::SourceError;
use tingkat::warm::{End, Order, Plan, Reason, Stopped, Warming, Wish};
use tingkat::{Mode, Placement, Policy};
use tingkat_testkit::fakes::Mood;

use crate::n_warm::{plan_of, products, warm};
use crate::stage::{ENTITY, Stage, hop, key, ms, still};

/// The time of a run ends while it compares, or before.
#[tokio::test(start_paused = true)]
async fn what_was_to_be_compared_and_was_not_is_no_success() {
    let stage = Stage::new();
    let keys = products(&stage, 20);
    stage.source.switch.slow(ms(200));
    for timeout in [ms(190), ms(300)] {
        let shop = stage.node().await;
        let mut plan = Plan {
            check: 20,
            ..plan_of(&keys)
        };
        plan.limits.timeout = timeout;
        let report = warm(&shop, plan).await;
        let entity = &report.entities[0];
        assert_eq!((entity.loaded, entity.left), (20, 0), "{report:?}");
        assert_eq!(entity.checked.unwrap().unknown, 20, "{report:?}");
        assert_eq!((report.end, report.success), (End::TimedOut, false));
        stage.redis.flush();
    }
}

/// The source says nothing: whether what is warm is right is not known.
#[tokio::test(start_paused = true)]
async fn what_can_not_be_compared_is_no_success() {
    let stage = Stage::new();
    let keys = products(&stage, 20);
    let shop = stage.node().await;
    assert!(warm(&shop, plan_of(&keys)).await.success);
    stage.source.switch.set(Mood::Failing);
    let plan = Plan {
        check: 20,
        ..plan_of(&keys)
    };
    let report = warm(&shop, plan).await;
    assert_eq!(report.entities[0].checked.unwrap().unknown, 20);
    assert!(!report.success, "{report:?}");
    assert!(warm(&shop, plan_of(&keys)).await.success, "unless wanted");
}

/// Every other key is warm: the parts do not fail as a whole.
#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_given_up_though_some_keys_are_warm() {
    let stage = Stage::new();
    let keys = products(&stage, 4_000);
    let shop = stage.node().await;
    let every_other: Vec<String> = keys.iter().step_by(2).cloned().collect();
    assert!(warm(&shop, plan_of(&every_other)).await.success);
    stage.source.switch.set(Mood::Failing);
    let batches = stage.source.batches().len();
    let report = warm(&shop, plan_of(&keys)).await;
    let entity = &report.entities[0];
    assert_eq!(entity.stopped, Some(Stopped::Failing), "{report:?}");
    assert!(entity.left > 2_000, "{report:?}");
    assert!(stage.source.batches().len() < batches + 10);
}

/// The source is well; that its values are too large is no reason to spare it.
#[tokio::test(start_paused = true)]
async fn values_that_may_not_be_kept_are_no_failure_of_the_source() {
    let stage = Stage::new();
    let keys = products(&stage, 2_000);
    let policy = Policy {
        placement: Placement::Memory,
        max_value_bytes: 4,
        ..still()
    };
    let shop = stage.node_with(policy).await;
    let report = warm(&shop, plan_of(&keys)).await;
    let entity = &report.entities[0];
    assert_eq!((entity.stopped, entity.left), (None, 0), "{report:?}");
    assert_eq!(entity.failed[0].reason, "no tier may keep it");
    assert_eq!(entity.failures(), 2_000);
    assert!(!report.success && report.seconds < 1.0, "{report:?}");
}

/// A customer's load is joined, and Redis refuses what it writes.
#[tokio::test(start_paused = true)]
async fn what_another_load_brings_is_in_redis_only_if_redis_took_it() {
    for refuses in [false, true] {
        let stage = Stage::new();
        let shop = stage.node().await;
        stage.source.switch.slow(ms(300));
        let caller = shop.caller();
        hop(50).await;
        let (report, ()) = tokio::join!(warm(&shop, plan_of(&[key()])), async {
            hop(50).await;
            shop.redis.refuse_writes(refuses);
        });
        caller.await.unwrap().unwrap();
        assert_eq!(stage.loads(), 1);
        let entity = &report.entities[0];
        assert_eq!(entity.loaded + entity.already_warm.redis, 1, "{report:?}");
        assert_eq!(entity.not_in_redis, usize::from(refuses), "{report:?}");
        assert_eq!(report.success, !refuses, "{report:?}");
    }
}

/// How somebody who knows what is wanted may fail.
#[derive(Clone, Copy)]
enum Odd {
    Hangs,
    Panics,
    Knows,
}

impl Order for Odd {
    fn top<'a>(
        &'a self,
        entity: &'a str,
        _most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        match self {
            Self::Hangs => Box::pin(std::future::pending()),
            Self::Panics => Box::pin(async { panic!("as it is meant to") }),
            Self::Knows if entity == ENTITY => {
                Box::pin(std::future::ready(Ok(vec!["7".to_owned()])))
            }
            Self::Knows => Box::pin(std::future::ready(Err(SourceError::fatal("no table")))),
        }
    }
}

fn wish(timeout: Duration) -> Wish {
    let mut wish = Wish {
        top: 10,
        ..Wish::default()
    };
    wish.limits.timeout = timeout;
    wish
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_does_not_go_on_for_ever() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let warming = Warming::new(&shop.node, Arc::new(Odd::Panics));
    for _ in 0..2 {
        let (run, outcome) = warming.start(Reason::Request, wish(ms(1_000))).unwrap();
        assert!(outcome.await.is_err());
        let standing = warming.standing();
        assert!(standing.running.is_none());
        let last = standing.last.unwrap();
        assert_eq!((last.run, last.report.end), (run, End::Broken));
        assert!(!last.report.success);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_in_time_though_nobody_says_what_is_wanted() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let warming = Warming::new(&shop.node, Arc::new(Odd::Hangs));
    let begun = stage.clock.elapsed();
    let (_, outcome) = warming.start(Reason::Request, wish(ms(700))).unwrap();
    let report = outcome.await.unwrap();
    assert_eq!((report.end, report.success), (End::TimedOut, false));
    assert!(stage.clock.elapsed().saturating_sub(begun) < ms(1_000));
    assert!((0.7..0.8).contains(&report.seconds), "{report:?}");

    let hour = Duration::from_hours(1);
    let (_, outcome) = warming.start(Reason::Request, wish(hour)).unwrap();
    let (report, ()) = tokio::join!(outcome, async {
        hop(100).await;
        shop.node.shut_down(Duration::from_secs(5)).await;
    });
    assert_eq!(report.unwrap().end, End::ShutDown);
    assert!(stage.clock.elapsed().saturating_sub(begun) < ms(5_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_from_the_tiers_is_left_out_unless_it_is_named() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let other = tingkat::Cache::<String, u64>::builder("other")
        .node(&shop.node)
        .build();
    let warming = Warming::new(&shop.node, Arc::new(Odd::Knows));
    let run = async |entities: &[&str]| {
        let wish = Wish {
            entities: entities.iter().map(|it| (*it).to_owned()).collect(),
            ..wish(ms(10_000))
        };
        let (_, outcome) = warming.start(Reason::Request, wish).unwrap();
        outcome.await.unwrap()
    };
    for mode in [Mode::Shadow, Mode::Bypass] {
        other.set_mode(mode);
        let report = run(&[]).await;
        assert!(report.success && report.entities.len() == 1, "{report:?}");
        let report = run(&["other"]).await;
        assert_eq!(report.entities[0].stopped, Some(Stopped::NotCached));
        assert!(!report.success);
    }
    let keys = BTreeMap::from([("other".to_owned(), vec!["7".to_owned()])]);
    let wish = Wish {
        keys: Some(keys),
        ..wish(ms(10_000))
    };
    let (_, outcome) = warming.start(Reason::Request, wish).unwrap();
    assert!(!outcome.await.unwrap().success, "its keys are named");
}

/// Half a million look-ups of rubbish, and as many cells that say so, would be done for nothing.
#[tokio::test(start_paused = true)]
async fn a_list_of_something_else_is_given_up_and_a_few_keys_of_the_past_are_not() {
    let stage = Stage::new();
    let real = products(&stage, 2_000);
    let shop = stage.node().await;
    let rubbish: Vec<String> = (0..5_000).map(|n| format!("rubbish{n}")).collect();
    let report = warm(&shop, plan_of(&rubbish)).await;
    let entity = &report.entities[0];
    assert_eq!(entity.stopped, Some(Stopped::NothingThere), "{report:?}");
    assert!(!report.success, "{report:?}");
    assert!(entity.left > 2_500, "{report:?}");
    assert_eq!(entity.absent, entity.loaded);
    // Every third is still sold.
    let mixed = rubbish.chunks(2).zip(&real);
    let mixed: Vec<String> = mixed
        .flat_map(|(gone, real)| [gone, std::slice::from_ref(real)].concat())
        .collect();
    let report = warm(&shop, plan_of(&mixed)).await;
    assert!(report.success, "{report:?}");
}
