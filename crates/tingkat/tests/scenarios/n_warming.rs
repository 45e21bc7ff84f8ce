//! One run at a time on a node, in an order that somebody knows; and what customers look up.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tingkat::Options;
use tingkat::error::SourceError;
use tingkat::warm::{End, Order, Reason, Warming, Wish};

use crate::n_warm::products;
use crate::stage::{ENTITY, Stage, hop, ms};

/// Knows the order of products, and nothing of others.
struct Known(Vec<String>);

impl Order for Known {
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>> {
        let top = if entity == ENTITY {
            Ok(self.0.iter().take(most).cloned().collect())
        } else {
            Err(SourceError::transient("no such table"))
        };
        Box::pin(std::future::ready(top))
    }
}

fn wish(top: usize) -> Wish {
    Wish {
        top,
        ..Wish::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_the_most_wanted_keys_and_tells_how_far_it_is() {
    let stage = Stage::new();
    let keys = products(&stage, 500);
    let shop = stage.node().await;
    stage.source.switch.slow(ms(100));
    let warming = Warming::new(&shop.node, Arc::new(Known(keys.clone())));
    assert!(warming.standing().running.is_none() && warming.stop().is_none());
    let (run, outcome) = warming.start(Reason::Request, wish(450)).unwrap();
    hop(150).await;
    let running = warming.standing().running.unwrap();
    assert_eq!((running.run, running.reason), (run, Reason::Request));
    assert_eq!(running.report.end, End::Running);
    assert_eq!(running.report.wanted(), 450);
    assert!((1..450).contains(&running.report.done()), "{running:?}");
    let busy = warming.start(Reason::Schedule, wish(1)).unwrap_err();
    assert_eq!(busy.run, run);
    let report = outcome.await.unwrap();
    assert!(report.success, "{report:?}");
    let last = warming.standing().last.unwrap();
    assert_eq!(last.report, report);
    assert!(warming.standing().running.is_none());
    assert!(shop.cache.peek(&keys[449]).is_some() && shop.cache.peek(&keys[450]).is_none());
    warming.set_next_runs(vec![7, u64::MAX]);
    let next = warming.standing().next_runs_ms;
    assert_eq!(next, [u64::MAX], "what is past comes no more");
    let (next, _) = warming.start(Reason::Start, wish(1)).unwrap();
    assert_ne!(next, run);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_named_are_warmed_in_the_place_of_the_order() {
    let stage = Stage::new();
    let keys = products(&stage, 10);
    let shop = stage.node().await;
    let warming = Warming::new(&shop.node, Arc::new(Known(keys.clone())));
    let named = BTreeMap::from([(ENTITY.to_owned(), vec!["7".to_owned()])]);
    let named = Wish {
        keys: Some(named),
        ..Wish::default()
    };
    let (_, outcome) = warming.start(Reason::Request, named).unwrap();
    assert!(outcome.await.unwrap().success);
    assert!(shop.in_memory().is_some() && shop.cache.peek(&keys[0]).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_entity_whose_order_is_not_known_is_no_success_and_hinders_no_other() {
    let stage = Stage::new();
    let keys = products(&stage, 10);
    let shop = stage.node().await;
    let _other = tingkat::Cache::<String, u64>::builder("other")
        .node(&shop.node)
        .build();
    let warming = Warming::new(&shop.node, Arc::new(Known(keys.clone())));
    let (_, outcome) = warming.start(Reason::Start, wish(10)).unwrap();
    let report = outcome.await.unwrap();
    assert!(!report.success, "{report:?}");
    assert_eq!(report.entities[0].loaded, 10);
    let stopped = serde_json::to_value(report.entities[1].stopped).unwrap();
    assert_eq!(stopped, "no_order");
}

/// Nobody counts what is wanted of it: that is no failure, and it is told.
#[tokio::test(start_paused = true)]
async fn an_entity_that_nobody_ranks_is_told_as_such() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let warming = Warming::new(&shop.node, Arc::new(Known(Vec::new())));
    let (_, outcome) = warming.start(Reason::Start, wish(10)).unwrap();
    let report = outcome.await.unwrap();
    assert!(report.success && report.entities[0].unranked, "{report:?}");
    let told = serde_json::to_value(&report.entities[0]).unwrap();
    assert_eq!(told["unranked"], true);
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_stopped_and_makes_room_for_the_next() {
    let stage = Stage::new();
    let keys = products(&stage, 2_000);
    let shop = stage.node().await;
    stage.source.switch.slow(ms(100));
    let warming = Warming::new(&shop.node, Arc::new(Known(keys)));
    let (run, outcome) = warming.start(Reason::Request, wish(2_000)).unwrap();
    hop(150).await;
    assert_eq!(warming.stop(), Some(run));
    let report = outcome.await.unwrap();
    assert_eq!(report.end, End::Cancelled);
    assert!(report.entities[0].left > 0);
    let (_, outcome) = warming.start(Reason::Request, wish(2_000)).unwrap();
    assert!(outcome.await.unwrap().success);
}

#[tokio::test(start_paused = true)]
async fn what_customers_look_up_is_counted_and_what_nobody_waits_for_is_not() {
    let stage = Stage::new();
    let keys = products(&stage, 20);
    let untracked = stage.node().await;
    let shop = stage
        .plan()
        .tune(|node| node.track_accesses(100))
        .open()
        .await;
    for _ in 0..6_400 {
        shop.cache.get(&keys[0]).await.unwrap();
    }
    for key in &keys[1..5] {
        shop.cache.get(key).await.unwrap();
    }
    shop.cache.get_many(&keys[5..10]).await;
    let background = Options::default().background();
    shop.cache.look_up(&keys[10], background).await.unwrap();
    untracked.cache.get(&keys[0]).await.unwrap();
    let cache = shop.node.registry().find(ENTITY).unwrap();
    let mut counted = cache.take_accesses();
    counted.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), key.clone()));
    let (first, count) = counted[0].clone();
    assert_eq!(first, keys[0]);
    assert!((5_000..8_000).contains(&count), "about as often: {count}");
    let others: Vec<&str> = counted[1..].iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        others,
        ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"]
    );
    assert!(counted[1..].iter().all(|(_, count)| *count == 1));
    assert_eq!(cache.take_accesses(), [], "it is counted anew");
    let untracked = untracked.node.registry().find(ENTITY).unwrap();
    assert_eq!(untracked.take_accesses(), []);
}
