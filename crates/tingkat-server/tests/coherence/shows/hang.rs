//! One entity's source hangs; the others do not notice.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::scene::{Plan, Scene};

/// Far less than a load that hangs would take.
const SOON: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_loads_of_products_hang_postcodes_are_answered() {
    let scene = Scene::begin(Plan {
        nodes: 1,
        writers: 0,
        readers_of_each: 0,
        ..Plan::new("products hang")
    })
    .await;
    let target = scene.nodes.first().unwrap().target().unwrap();
    let codes = "SELECT DISTINCT code FROM postcode ORDER BY code LIMIT 300";
    let codes = scene.store.sql(codes).await;
    let mut lock = scene.store.session();
    let lock_table = "BEGIN; LOCK TABLE product IN ACCESS EXCLUSIVE MODE;";
    lock.run(lock_table).await.unwrap();
    let mut customers = JoinSet::new();
    for id in 1..=300 {
        let target = std::sync::Arc::clone(&target);
        customers.spawn(async move { target.get(&format!("/v1/products/{id}")).await });
    }
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    tingkat_testkit::eventually(crate::node::PATIENCE, async || {
        scene.store.sql(waits).await == "t"
    })
    .await
    .unwrap();
    let mut count = 0;
    for code in codes.lines() {
        let answer = target.get(&format!("/v1/postcodes/{code}")).await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text());
        assert!(answer.took < SOON, "{code} took {:?}", answer.took);
        count += 1;
    }
    assert_eq!(count, 300);
    lock.run("ROLLBACK;").await.unwrap();
    let hung = customers.join_all().await;
    assert!(hung.iter().all(Result::is_ok));
    let answer = target.get("/v1/products/1").await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.text());
}
