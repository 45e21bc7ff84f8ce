//! The database stumbles, or somebody keeps a transaction open.

use std::time::Duration;

use crate::history::Harm;
use crate::scene::{Plan, Scene};
use crate::store::SPARE;
use crate::transaction::Transaction;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_are_killed() {
    let scene = Scene::begin(Plan::new("postgres: backends killed")).await;
    for _ in 0..4 {
        let fault = scene.fault("all backends are killed", Harm::Connections, None);
        let killed = scene.store.primary().kill_backends().await.unwrap();
        assert!(killed > 0);
        scene.is_over(fault);
        scene.goes_on(Duration::from_secs(1)).await;
    }
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_crashes() {
    let plan = Plan {
        // Nobody writes for most of the time.
        least_writes: 20,
        // For longer than the bound: who keeps answering, marks.
        least_marks: 50,
        ..Plan::new("postgres: immediate stop")
    };
    let scene = Scene::begin(plan).await;
    let primary = scene.store.primary();
    let crash = async { primary.kill_immediate().await.unwrap() };
    let name = "the database crashes";
    let fault = scene.hurts(name, Harm::Database, None, crash).await;
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(1))
        .await;
    let restart = async { primary.restart().await.unwrap() };
    scene.mends(fault, restart).await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_transaction_stays_open() {
    let scene = Scene::begin(Plan::new("postgres: long write transaction")).await;
    let open = Transaction::begin(&scene, SPARE).await;
    let fault = scene.fault("a transaction stays open", Harm::Nothing, None);
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(2))
        .await;
    open.end(&scene, "COMMIT;").await;
    scene.is_over(fault);
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_prepared_transaction_waits() {
    let scene = Scene::begin(Plan::new("postgres: prepared transaction")).await;
    let mut open = Transaction::begin(&scene, SPARE).await;
    let prepare = "PREPARE TRANSACTION 'coherence';";
    open.session.run(prepare).await.unwrap();
    let fault = scene.fault("a transaction stays prepared", Harm::Nothing, None);
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(2))
        .await;
    open.end(&scene, "COMMIT PREPARED 'coherence';").await;
    scene.is_over(fault);
    scene.finish().await.must_be_kept();
}
