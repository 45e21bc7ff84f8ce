//! Nodes die, stand still, or start when nothing is there.

use std::time::Duration;

use tingkat_faults::Direction;

use crate::history::Harm;
use crate::scene::{Plan, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_stopped_and_goes_on() {
    let scene = Scene::begin(Plan::new("node: SIGSTOP")).await;
    let node = scene.nodes.first().unwrap();
    let fault = scene.fault("node 0 is stopped", Harm::Node, Some(0));
    node.pause();
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(2))
        .await;
    node.go_on();
    scene.is_over(fault);
    scene.is_busy().await;
    // Again, for less than a lease: it comes back to loads that others have overtaken.
    let fault = scene.fault("node 0 is stopped for a moment", Harm::Node, Some(0));
    node.pause();
    scene.goes_on(Duration::from_millis(700)).await;
    node.go_on();
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn nodes_are_killed_and_start_again() {
    let scene = Scene::begin(Plan::new("node: killed")).await;
    for (index, node) in scene.nodes.iter().enumerate() {
        let fault = scene.fault("a node is killed", Harm::Node, Some(index));
        node.kill();
        scene.goes_on(Duration::from_secs(1)).await;
        node.start().await;
        scene.is_over(fault);
        scene.is_busy().await;
    }
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_node_starts_while_the_database_is_away() {
    let scene = Scene::begin(Plan::new("node: started without database")).await;
    let node = scene.nodes.first().unwrap();
    let fault = scene.fault("node 0 starts without database", Harm::Database, Some(0));
    node.kill();
    let way = node.database.control().await;
    way.down().await.unwrap();
    node.start().await;
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(1))
        .await;
    way.heal().await.unwrap();
    node.is_ready().await;
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_node_is_cut_from_the_database_alone() {
    let scene = Scene::begin(Plan::new("node: black hole to the database")).await;
    let way = scene.nodes.first().unwrap().database.control().await;
    let fault = scene.fault("node 0 is cut off", Harm::Database, Some(0));
    way.pause(Direction::Both);
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(2))
        .await;
    way.heal().await.unwrap();
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_nodes_way_to_the_database_breaks_and_heals() {
    let scene = Scene::begin(Plan::new("node: database reset")).await;
    let way = scene.nodes.first().unwrap().database.control().await;
    for _ in 0..3 {
        let fault = scene.fault("node 0 is cut off", Harm::Database, Some(0));
        way.down().await.unwrap();
        scene.goes_on(Duration::from_secs(1)).await;
        way.heal().await.unwrap();
        scene.is_over(fault);
        scene.is_busy().await;
    }
    scene.finish().await.must_be_kept();
}
