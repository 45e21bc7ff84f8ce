//! The database answers, but takes its time, or not to the end.
//!
//! A source that panics is not among these: it has a program of its own, in `panics`.

use std::sync::Arc;
use std::time::Duration;

use tingkat_faults::Direction;
use tokio::task::JoinSet;

use crate::history::{Harm, How, Read, now};
use crate::readers;
use crate::scene::{Plan, Scene};
use crate::store::SPARE;
use crate::transaction::Transaction;

/// Between two look-ups that a run makes by itself.
const PACE: Duration = Duration::from_millis(40);

/// Every answer of the database comes so much later.
const LATE: Duration = Duration::from_millis(200);

/// An answer to a load is shorter; connections are cut after a few of them, or of polls.
const CUT_AFTER_BYTES: u64 = 6_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_database_is_slow() {
    let scene = Scene::begin(Plan::new("postgres: 200 ms slow")).await;
    let fault = scene.fault("all answers are late", Harm::Source, None);
    for node in &scene.nodes {
        let way = node.database.control().await;
        way.delay(Direction::Down, LATE, LATE / 10);
    }
    scene.goes_on(scene.plan.bound * 2).await;
    heal(&scene).await;
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_database_is_cut_in_the_middle_of_answers() {
    let scene = Scene::begin(Plan::new("postgres: cut in mid-reply")).await;
    let opened = opened(&scene).await;
    let fault = scene.fault("answers are cut", Harm::Connections, None);
    for node in &scene.nodes {
        let way = node.database.control().await;
        way.cut_after(Direction::Down, CUT_AFTER_BYTES);
    }
    scene.goes_on(scene.plan.bound * 2).await;
    heal(&scene).await;
    scene.is_over(fault);
    let cut = self::opened(&scene).await - opened;
    assert!(cut >= 20, "{cut} connections were made anew");
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

async fn heal(scene: &Scene) {
    for node in &scene.nodes {
        node.database.control().await.heal().await.unwrap();
    }
}

/// Connections to the database so far.
async fn opened(scene: &Scene) -> u64 {
    let mut opened = 0;
    for node in &scene.nodes {
        opened += node.database.control().await.counters().accepted;
    }
    opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn loads_take_three_times_the_bound() {
    let plan = Plan {
        // Below the deadline of a load.
        bound: Duration::from_millis(1_500),
        ..Plan::new("source: three times the bound")
    };
    let bound = plan.bound;
    let scene = Scene::begin(plan).await;
    scene.store.can_be_slow().await;
    let fault = scene.fault("loads are slow", Harm::Source, None);
    scene.store.is_slow(bound * 3).await;
    scene.goes_on(bound * 6).await;
    scene.store.is_slow(Duration::ZERO).await;
    scene.goes_on(bound * 3).await;
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn slow_loads_are_overtaken_by_writes() {
    let scene = Scene::begin(Plan {
        nodes: 2,
        bound: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        // Nothing else changes, so that nobody looks again at what he has.
        writers: 0,
        least_writes: 8,
        ..Plan::new("source: slow load overtaken")
    })
    .await;
    scene.store.can_be_slow().await;
    for round in 0..4 {
        let slow = scene.plan.bound * 5 / 2;
        let fault = scene.fault("a load is slow", Harm::Source, None);
        scene.store.is_slow(slow).await;
        change(&scene).await;
        scene.goes_on(scene.plan.poll * 2).await;
        // These cause the load, which sees that change, and not the next one.
        let mut first = ask_for(&scene, PACE * 3);
        scene.goes_on(scene.plan.poll).await;
        change(&scene).await;
        let landed = now() + slow;
        if round % 2 == 0 {
            // The next ones come when the load is old, and may not wait for it.
            scene.goes_on(scene.plan.bound + scene.plan.poll * 3).await;
            let mut late = ask_for(&scene, PACE * 20);
            scene.record(finished(&mut late).await);
        }
        scene.record(finished(&mut first).await);
        scene.goes_on(landed.saturating_sub(now())).await;
        scene.store.is_slow(Duration::ZERO).await;
        // The next ones come when the load has landed, and may not have what it brought.
        let mut last = ask_for(&scene, scene.plan.bound);
        scene.record(finished(&mut last).await);
        scene.is_over(fault);
    }
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

/// Commits a change of the row.
async fn change(scene: &Scene) {
    let transaction = Transaction::begin(scene, SPARE).await;
    transaction.end(scene, "COMMIT;").await;
}

/// Asks every node again and again for so long, whether it has answered or not.
fn ask_for(scene: &Scene, duration: Duration) -> JoinSet<Read> {
    let mut asking = JoinSet::new();
    for node in &scene.nodes {
        let times = duration.as_millis() / PACE.as_millis();
        for number in 0..u32::try_from(times).unwrap() {
            let node = Arc::clone(node);
            asking.spawn(async move {
                tokio::time::sleep(PACE * number).await;
                let target = node.target().unwrap();
                readers::ask(&target, node.index, SPARE, How::Usual).await
            });
        }
    }
    asking
}

async fn finished(asking: &mut JoinSet<Read>) -> Vec<Read> {
    std::mem::take(asking).join_all().await
}
