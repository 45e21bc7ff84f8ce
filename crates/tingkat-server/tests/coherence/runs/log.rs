//! The change log: compacted under everybody's feet, announced by hints that lie.

use std::time::Duration;

use tingkat::envelope::Envelope;
use tingkat_testkit::redis::Reply;
use tingkat_testkit::{Redis, eventually};

use crate::history::{Harm, now};
use crate::node::PATIENCE;
use crate::scene::{PREFIX, Plan, Scene};
use crate::store::id;

/// Between two compactions: instead of minutes, so that a run sees many.
const TICK: Duration = Duration::from_millis(700);

/// Forged hints are published in bursts of so many.
const BURST: u64 = 50;

/// Hints wake a feed at most every 20 ms, whatever their number.
const MOST_POLLS_A_SECOND: f64 = 60.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_log_is_compacted_all_the_time() {
    let scene = Scene::begin(Plan::new("log: compacted all the time")).await;
    let fault = scene.fault("the log is compacted", Harm::Nothing, None);
    let mut folded = 0;
    for _ in 0..16 {
        // What the previous tick saw is folded, and another tick is taken.
        let compact = "SELECT tingkat.compact(interval '0', 500000);
            INSERT INTO tingkat.tick (snapshot) SELECT pg_current_snapshot();";
        let rows = scene.store.sql(compact).await;
        folded += rows.trim().parse::<u64>().unwrap_or(0);
        scene.goes_on(TICK).await;
    }
    assert!(folded > 100, "{folded} rows were folded");
    // A node that remembers nothing learns the compacted history.
    let node = scene.nodes.first().unwrap();
    let restart = scene.fault("node 0 starts again", Harm::Killed, Some(0));
    node.kill();
    node.start().await;
    scene.is_over(restart);
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn hints_are_forged() {
    let scene = Scene::begin(Plan {
        // Who asks for a poll would be counted with those whom hints wake.
        validates: false,
        ..Plan::new("log: forged hints")
    })
    .await;
    let fault = scene.fault("hints are forged", Harm::Nothing, None);
    let polls = forge(&scene, scene.plan.bound).await;
    assert!(polls < MOST_POLLS_A_SECOND, "{polls} polls a second");
    // Nobody announces anything now, so that what wakes the feeds is forged.
    scene.writers.pause().await;
    scene.goes_on(scene.plan.poll * 2).await;
    let polls = forge(&scene, scene.plan.bound).await;
    let idle = scene.plan.poll.as_secs_f64().recip();
    assert!(
        (idle * 3.0..MOST_POLLS_A_SECOND).contains(&polls),
        "{polls} polls a second, {idle} without hints"
    );
    scene.writers.go_on();
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

/// Forges hints for so long, each of which every node hears; how often a node polls a second.
async fn forge(scene: &Scene, duration: Duration) -> f64 {
    let incarnation = incarnation(&scene.redis).await;
    let channel = format!("{PREFIX}hint");
    let nodes = u32::try_from(scene.nodes.len()).unwrap();
    eventually(PATIENCE, async || {
        let heard = scene
            .redis
            .cmd(&["PUBSUB", "NUMSUB", &channel])
            .await
            .ok()?;
        let nodes_heard = heard.items().last().and_then(Reply::int)?;
        (nodes_heard == i64::from(nodes)).then_some(())
    })
    .await
    .unwrap();
    scene.store.count_anew().await;
    let (from, until) = (now(), now() + duration);
    let mut number = 0;
    while now() < until {
        for _ in 0..BURST {
            number += 1;
            let forged = match number % 4 {
                0 => format!("{incarnation} {number:016x}"),
                1 => format!("{number:032x} {number:016x}"),
                2 => format!("{incarnation} {}", "f".repeat(16)),
                _ => "not a hint at all \r\n \0".to_owned(),
            };
            let publish = ["PUBLISH", &channel, &forged];
            let heard = scene.redis.cmd(&publish).await.unwrap();
            assert_eq!(heard, Reply::Int(nodes.into()), "nodes hear {forged:?}");
        }
        scene.goes_on(Duration::from_millis(50)).await;
    }
    let seconds = now().saturating_sub(from).as_secs_f64();
    scene.store.polls().await / f64::from(nodes) / seconds
}

/// The incarnation of the log, as an entry in Redis tells it.
async fn incarnation(redis: &Redis) -> String {
    eventually(PATIENCE, async || {
        let pattern = format!("{PREFIX}c:product.*:{}", id(0));
        let keys = redis.cmd(&["KEYS", &pattern]).await.ok()?;
        let key = keys.items().first().and_then(Reply::text)?;
        let Reply::Bulk(cell) = redis.cmd(&["GET", &key]).await.ok()? else {
            return None;
        };
        let envelope = Envelope::decode(&cell, &id(0)).ok()?;
        Some(envelope.certificate?.incarnation.to_string())
    })
    .await
    .unwrap()
}
