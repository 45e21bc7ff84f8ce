//! The database answers, but takes its time.

use std::time::Duration;

use crate::history::Harm;
use crate::scene::{Plan, Scene};

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
