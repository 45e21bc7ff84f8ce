//! The source panics, in a program that is built for it: no source of the program as it is does.

use tingkat_testkit::eventually;

use crate::history::Harm;
use crate::node::PATIENCE;
use crate::scene::{Plan, Scene};

/// With fewer panics of each node a run shows nothing.
const LEAST: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn the_source_panics() {
    let scene = Scene::begin(Plan::new("source: panics")).await;
    let fault = scene.fault("loads of products panic", Harm::Connections, None);
    for node in &scene.nodes {
        node.source_panics();
    }
    scene.goes_on(scene.plan.bound * 2).await;
    for node in &scene.nodes {
        eventually(PATIENCE, || {
            let panics = node.log().matches("the source was told to panic").count();
            std::future::ready(panics >= LEAST)
        })
        .await
        .unwrap_or_else(|_| panic!("few loads panicked:\n{}", node.log()));
        // It harms nobody else, and is no reason to send the node no requests.
        assert_eq!(scene.status(node, "/v1/postcodes/50450").await, 200);
        assert_eq!(scene.status(node, "/readyz").await, 200);
    }
    for node in &scene.nodes {
        node.source_is_well();
    }
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}
