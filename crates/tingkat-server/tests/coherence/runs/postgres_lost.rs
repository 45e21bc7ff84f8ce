//! The database comes back as another one, which lacks what it had acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use crate::history::Harm;
use crate::scene::{Plan, Scene};
use crate::store::DATABASE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_standby_that_missed_commits_is_promoted() {
    let scene = Scene::begin(Plan::new("postgres: promotion of the standby")).await;
    let old = scene.store.primary();
    let standby = old.standby().await.unwrap();
    // From here on it misses everything.
    let cut = "ALTER SYSTEM SET primary_conninfo = ''";
    standby.psql(cut).await.unwrap();
    standby.psql("SELECT pg_reload_conf()").await.unwrap();
    scene.goes_on(Duration::from_secs(2)).await;

    scene.writers.pause().await;
    let kill = async { old.kill_immediate().await.unwrap() };
    let name = "a standby takes over";
    let fault = scene.hurts(name, Harm::Database, None, kill).await;
    scene.goes_on(Duration::from_secs(1)).await;
    let promote = async {
        standby.promote().await.unwrap();
        let address = standby.addr();
        scene.store.moves_to(Arc::new(standby));
        // Before any node can see what is there.
        scene.look(true).await;
        for node in &scene.nodes {
            node.database.lead_to(address.clone()).await;
        }
    };
    scene.mends(fault, promote).await;
    scene.writers.go_on();
    scene.is_busy().await;
    scene.goes_on(scene.plan.bound).await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_standby_does_not_answer_for_the_primary() {
    let scene = Scene::begin(Plan::new("postgres: led to the standby")).await;
    let primary = scene.store.primary();
    let standby = primary.standby().await.unwrap();
    let node = scene.nodes.first().unwrap();
    let lead_away = node.database.lead_to(standby.addr());
    let name = "node 0 is led to the standby";
    let fault = scene.hurts(name, Harm::Database, Some(0), lead_away).await;
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(1))
        .await;
    let lead_back = node.database.lead_to(primary.addr());
    scene.mends(fault, lead_back).await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_database_is_restored_from_a_copy_of_its_files() {
    let scene = Scene::begin(Plan::new("postgres: files restored")).await;
    let server = scene.store.primary();
    let (data, copy) = (server.dir().join("data"), server.dir().join("copy"));
    // A clean stop keeps unlogged tables, so that nothing but the position tells.
    scene.writers.pause().await;
    let stop = async { server.shut_down().await.unwrap() };
    let name = "the files are copied";
    let fault = scene.hurts(name, Harm::Database, None, stop).await;
    copy_folder(&data, &copy).await;
    let restart = async { server.restart().await.unwrap() };
    scene.mends(fault, restart).await;
    scene.writers.go_on();
    scene.is_busy().await;
    scene.goes_on(Duration::from_secs(1)).await;

    scene.writers.pause().await;
    let stop = async { server.shut_down().await.unwrap() };
    let name = "the files are restored";
    let fault = scene.hurts(name, Harm::Database, None, stop).await;
    tokio::fs::remove_dir_all(&data).await.unwrap();
    copy_folder(&copy, &data).await;
    let restart = async { server.restart().await.unwrap() };
    scene.mends(fault, unseen(&scene, restart)).await;
    scene.goes_on(scene.plan.poll * 3).await;
    scene.writers.go_on();
    scene.is_busy().await;
    scene.goes_on(scene.plan.bound).await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_database_is_replaced_by_an_older_copy() {
    let scene = Scene::begin(Plan::new("postgres: copy restored")).await;
    let server = scene.store.primary();
    scene.writers.pause().await;
    let fault = scene.fault("the database is copied", Harm::Database, None);
    // A template may have no connections.
    let copy = format!(
        "ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false;
         SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{DATABASE}';
         CREATE DATABASE older TEMPLATE {DATABASE};
         ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true;"
    );
    server.psql(&copy).await.unwrap();
    scene.is_over(fault);
    scene.writers.go_on();
    scene.is_busy().await;
    scene.goes_on(Duration::from_secs(1)).await;

    scene.writers.pause().await;
    let fault = scene.fault("the copy takes its place", Harm::Database, None);
    let replace = format!(
        "DROP DATABASE {DATABASE} WITH (FORCE);
         ALTER DATABASE older RENAME TO {DATABASE};"
    );
    let replace = async { drop(server.psql(&replace).await.unwrap()) };
    unseen(&scene, replace).await;
    scene.is_over(fault);
    scene.writers.go_on();
    scene.is_busy().await;
    scene.goes_on(scene.plan.bound).await;
    scene.finish().await.must_be_kept();
}

/// Brings another database up while no node can see it, so that what is in it is known before.
async fn unseen(scene: &Scene, bring: impl Future<Output = ()>) {
    for node in &scene.nodes {
        node.database.control().await.down().await.unwrap();
    }
    bring.await;
    scene.look(true).await;
    for node in &scene.nodes {
        node.database.control().await.heal().await.unwrap();
    }
}

/// Copies a folder with its owners.
async fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().await;
    assert!(copied.unwrap().success());
}
