//! Nothing is wrong.

use std::time::Duration;

use crate::history::Once;
use crate::scene::{Plan, Scene};

/// The usual bound holds when nothing is wrong, and every value is loaded once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_faults_the_usual_bound_holds_and_each_value_is_loaded_once() {
    let scene = Scene::begin(Plan {
        nodes: 5,
        readers_of_each: 1,
        bound: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        budget: Some(Duration::from_secs(2)),
        counts_loads: Some(Once::Together),
        ..Plan::new("no fault")
    })
    .await;
    scene.goes_on(Duration::from_secs(8)).await;
    scene.finish().await.must_be_kept();
}
