//! Nodes die, stand still, or start when nothing is there.

use std::sync::Arc;
use std::time::Duration;

use tingkat_faults::Direction;
use tokio::task::JoinSet;

use crate::history::{Harm, How, Read};
use crate::node::Node;
use crate::readers;
use crate::scene::{Plan, Scene};
use crate::store::KEYS;

/// Between two requests to a node that stands still.
const PACE: Duration = Duration::from_millis(100);

/// Keys that are written several times a second.
const WANTED_MOST: usize = 8;

/// A node that is cut off for longer than the bound answers with marks: many more than these.
const MARKS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_stopped_and_goes_on() {
    let scene = Scene::begin(Plan::new("node: SIGSTOP")).await;
    let node = scene.nodes.first().unwrap();
    let fault = scene.fault("node 0 is stopped", Harm::Node, Some(0));
    node.pause();
    scene
        .goes_on(scene.plan.bound + Duration::from_millis(500))
        .await;
    // These wait in its sockets. They are few and come late, so that it gets to them before it hears of
    // what others wrote more than a bound ago.
    let rest = Duration::from_millis(1_500);
    let asked = ask_on(node, rest);
    scene.goes_on(rest).await;
    node.go_on();
    scene.is_over(fault);
    scene.record(asked.join_all().await);
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

/// Asks a node for what is written most, again and again for so long, whether it answers or not.
fn ask_on(node: &Arc<Node>, duration: Duration) -> JoinSet<Read> {
    let mut asking = JoinSet::new();
    let times = u32::try_from(duration.as_millis() / PACE.as_millis()).unwrap();
    for number in 0..times {
        let node = Arc::clone(node);
        asking.spawn(async move {
            tokio::time::sleep(PACE * number).await;
            let target = node.target().unwrap();
            let key = usize::try_from(number).unwrap() % WANTED_MOST;
            readers::ask(&target, node.index, key, How::Usual).await
        });
    }
    asking
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn nodes_are_killed_and_start_again() {
    let scene = Scene::begin(Plan::new("node: killed")).await;
    for (index, node) in scene.nodes.iter().enumerate() {
        let fault = scene.fault("a node is killed", Harm::Killed, Some(index));
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
    let scene = Scene::begin(Plan {
        least_marks: MARKS,
        ..Plan::new("node: started without database")
    })
    .await;
    let node = scene.nodes.first().unwrap();
    let way = node.database.control().await;
    let down = async { way.down().await.unwrap() };
    let name = "node 0 has no database";
    let fault = scene.hurts(name, Harm::Database, Some(0), down).await;
    let restart = scene.fault("node 0 starts again", Harm::Killed, Some(0));
    node.kill();
    node.start().await;
    scene.is_over(restart);
    // All that others have loaded is to be had, so it takes requests.
    node.is_ready().await;
    let answer = node.target().unwrap().get("/readyz").await.unwrap();
    let body = answer.json().unwrap();
    assert_eq!(
        (&body["status"], &body["source"]),
        (&"degraded".into(), &"down".into())
    );
    scene.record(readers::read_all(node).await);
    // What it fails to load, others do not fail to load.
    let other = scene.nodes.last().unwrap();
    for unknown in KEYS..KEYS + 3 {
        let in_vain = readers::read(node, unknown).await;
        assert!(in_vain.outcome.is_err(), "{in_vain}");
        let read = readers::read(other, unknown).await;
        assert!(read.outcome.is_ok(), "{read}\n{}", scene.logs());
    }
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(1))
        .await;
    scene
        .mends(fault, async { way.heal().await.unwrap() })
        .await;
    node.is_ready().await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_node_is_cut_from_the_database_alone() {
    let scene = Scene::begin(Plan {
        // Who asks for a poll waits for it, and looks at nothing meanwhile.
        validates: false,
        readers_of_each: 4,
        least_marks: MARKS,
        ..Plan::new("node: black hole to the database")
    })
    .await;
    let way = scene.nodes.first().unwrap().database.control().await;
    let cut = async { way.pause(Direction::Both) };
    let name = "node 0 is cut off";
    let fault = scene.hurts(name, Harm::Database, Some(0), cut).await;
    scene
        .goes_on(scene.plan.bound + Duration::from_secs(4))
        .await;
    scene
        .mends(fault, async { way.heal().await.unwrap() })
        .await;
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_nodes_way_to_the_database_breaks_and_heals() {
    let scene = Scene::begin(Plan::new("node: database reset")).await;
    let way = scene.nodes.first().unwrap().database.control().await;
    for _ in 0..3 {
        let down = async { way.down().await.unwrap() };
        let name = "node 0 is cut off";
        let fault = scene.hurts(name, Harm::Database, Some(0), down).await;
        scene.goes_on(Duration::from_secs(1)).await;
        scene
            .mends(fault, async { way.heal().await.unwrap() })
            .await;
        scene.is_busy().await;
    }
    scene.finish().await.must_be_kept();
}
