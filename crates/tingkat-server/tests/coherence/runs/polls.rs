//! The change log is out of reach while loads of the same database work.

use std::time::Duration;

use tingkat_testkit::eventually;

use crate::history::Harm;
use crate::lane::Lane;
use crate::node::PATIENCE;
use crate::scene::{Ongoing, Plan, Scene};

/// Every load takes so long where they are too many: below the deadline after which one who waits
/// takes what there is.
const SLOW: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn polls_are_away_and_loads_work() {
    let (scene, lanes) = begin(Plan::new("polls: away")).await;
    let fault = hold(&scene, &lanes).await;
    // Longer than the bound: nothing is known to be current but what was loaded a short time ago.
    scene.goes_on(scene.plan.bound * 3).await;
    let_go(&scene, &lanes, fault).await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn polls_are_away_and_loads_are_too_many() {
    let (scene, lanes) = begin(Plan {
        readers_of_each: 4,
        least_marks: 50,
        variables: &[
            ("TINGKAT__ENTITY__PRODUCT__MAX_LOADS", "1"),
            ("TINGKAT__ENTITY__PRODUCT__MAX_BATCH", "1"),
        ],
        ..Plan::new("polls: away, beyond the cap")
    })
    .await;
    scene.store.can_be_slow().await;
    let fault = hold(&scene, &lanes).await;
    scene.store.is_slow(SLOW).await;
    scene.goes_on(scene.plan.bound * 3).await;
    scene.store.is_slow(Duration::ZERO).await;
    let_go(&scene, &lanes, fault).await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

/// Everything, with a lane for each node.
async fn begin(plan: Plan) -> (Scene, Vec<Lane>) {
    let scene = Scene::begin(plan).await;
    let fault = scene.fault("nodes are led over lanes", Harm::Connections, None);
    let mut lanes = Vec::new();
    for node in &scene.nodes {
        let lane = Lane::to(scene.store.primary().addr()).await;
        node.database.lead_to(lane.address()).await;
        lanes.push(lane);
    }
    scene.is_over(fault);
    scene.is_busy().await;
    (scene, lanes)
}

/// Holds all polls, and sees that none comes through.
async fn hold(scene: &Scene, lanes: &[Lane]) -> Ongoing {
    let hold = async {
        for lane in lanes {
            lane.hold_polls();
        }
    };
    let fault = scene.hurts("polls are held", Harm::Polls, None, hold).await;
    // Those that were on their way come in.
    scene.goes_on(scene.plan.poll).await;
    scene.store.count_anew().await;
    scene.goes_on(scene.plan.bound).await;
    assert!(scene.store.polls().await < 1.0, "a poll came through");
    fault
}

async fn let_go(scene: &Scene, lanes: &[Lane], fault: Ongoing) {
    for lane in lanes {
        lane.let_go();
    }
    let polls = eventually(PATIENCE, async || scene.store.polls().await >= 1.0);
    polls.await.unwrap();
    scene.is_over(fault);
}
