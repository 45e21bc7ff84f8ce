//! Nodes of a cluster go, come and change places, and slots move.

use std::time::Duration;

use tingkat_testkit::redis::{Cluster, ClusterConfig};
use tingkat_testkit::{Redis, eventually};

use crate::history::Harm;
use crate::node::PATIENCE;
use crate::probes::{Probes, cells, stem};
use crate::scene::{Plan, Scene};
use crate::store::id;

/// Products that nobody has asked for, of each of two nodes, whose slots move.
const MOVED: usize = 50;

/// For so long a slot stays on its way before its cells move, and after.
const ON_ITS_WAY: Duration = Duration::from_millis(10);

/// For so long a shard without a master is asked whether it answers.
const SILENCE: Duration = Duration::from_secs(1);

/// Its nodes answer for their slots while others are away, as is advised for a cache.
fn partial() -> ClusterConfig {
    Cluster::config().node(Redis::config().set("cluster-require-full-coverage", "no"))
}

/// Everything, and every node answers from Redis for the cells of every master.
async fn begin(name: &'static str, config: ClusterConfig) -> (Scene<Cluster>, Probes) {
    let scene = Scene::begin_over(Plan::new(name), config.start()).await;
    let probes = Probes::of_each_node(&scene.redis).await;
    probes.answer(&scene).await;
    (scene, probes)
}

async fn becomes(node: &Redis, wanted: &str) {
    let is_so = async || node.info("role").await.is_ok_and(|role| role == wanted);
    eventually(PATIENCE, is_so).await.unwrap();
}

async fn end(scene: Scene<Cluster>) {
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_killed_and_replaced() {
    let (scene, probes) = begin("cluster: node killed", partial().replicas()).await;
    let cluster = &scene.redis;
    let [_, master, _, _, heir, _] = cluster.nodes.as_slice() else {
        panic!("{} nodes", cluster.nodes.len());
    };
    let fault = scene.fault("a node is killed", Harm::Redis, None);
    master.kill();
    becomes(heir, "master").await;
    probes.come_again(&scene, fault).await;
    let fault = scene.fault("the old master comes back", Harm::Redis, None);
    master.restart().await.unwrap();
    becomes(master, "slave").await;
    probes.come_again(&scene, fault).await;
    end(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn replicas_take_over() {
    let (scene, probes) = begin("cluster: TAKEOVER", Cluster::config().replicas()).await;
    let cluster = &scene.redis;
    let (masters, replicas) = cluster.nodes.split_at(cluster.nodes.len() / 2);
    for (master, replica) in masters.iter().zip(replicas) {
        let fault = scene.fault("CLUSTER FAILOVER TAKEOVER", Harm::Redis, None);
        cluster.take_over(replica).await.unwrap();
        // From here on it is the new one that answers.
        becomes(master, "slave").await;
        probes.come_again(&scene, fault).await;
        scene.is_busy().await;
    }
    end(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn slots_move_under_readers_and_writers() {
    let (scene, probes) = begin("cluster: slots moved", Cluster::config()).await;
    let cluster = &scene.redis;
    let to = cluster.nodes.last().unwrap();
    let (moved, products) = probes.split_off(&[0, 1], MOVED);
    let stem = stem(cluster).await;
    let mut keys = cells(cluster).await;
    keys.extend(products.into_iter().map(|key| format!("{stem}{}", id(key))));
    let fault = scene.fault("slots move", Harm::Redis, None);
    let mut slots = 0;
    for key in &keys {
        if cluster.owner_of(key).await.unwrap().port() == to.port() {
            continue;
        }
        let slot = cluster.begin_to_move(key, to).await.unwrap();
        scene.goes_on(ON_ITS_WAY).await;
        slot.keys().await.unwrap();
        scene.goes_on(ON_ITS_WAY).await;
        slot.finish().await.unwrap();
        slots += 1;
    }
    assert!(slots > 2 * MOVED, "{slots} slots were moved");
    moved.come_again(&scene, fault).await;
    probes.answer(&scene).await;
    end(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_shard_is_without_a_master() {
    let (scene, probes) = begin("cluster: shard without master", partial()).await;
    let cluster = &scene.redis;
    let node = cluster.nodes.first().unwrap();
    let fault = scene.fault("a shard has no master", Harm::Redis, None);
    node.kill();
    scene.goes_on(scene.plan.bound).await;
    assert!(
        !probes.hit(0, SILENCE, &scene).await,
        "the cells of a node that is away come from Redis"
    );
    for other in [1, 2] {
        assert!(
            probes.hit(other, PATIENCE, &scene).await,
            "shard {other} is not used beside one that is away"
        );
    }
    node.restart().await.unwrap();
    probes.come_again(&scene, fault).await;
    end(scene).await;
}
