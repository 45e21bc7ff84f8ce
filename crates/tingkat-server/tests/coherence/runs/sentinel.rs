//! The master that Sentinels watch changes, or one of them is lost.

use tingkat_testkit::redis::Sentinel;
use tingkat_testkit::{Redis, eventually};

use crate::history::Harm;
use crate::node::PATIENCE;
use crate::probes::Probes;
use crate::scene::{Plan, Scene};

/// Everything, and every node answers from Redis.
async fn begin(name: &'static str) -> (Scene<Sentinel>, Probes) {
    let scene = Scene::begin_over(Plan::new(name), Sentinel::start()).await;
    let probes = Probes::of_one_place();
    probes.answer(&scene).await;
    (scene, probes)
}

/// Waits until one of the others is master, whatever the Sentinels have heard of it.
async fn is_replaced(set: &Sentinel, old: &Redis) {
    eventually(PATIENCE, async || {
        for node in set.nodes.iter().filter(|node| node.port() != old.port()) {
            if node.info("role").await.is_ok_and(|role| role == "master") {
                return true;
            }
        }
        false
    })
    .await
    .unwrap();
}

async fn becomes_a_replica(old: &Redis) {
    let is_replica = async || old.info("role").await.is_ok_and(|role| role == "slave");
    eventually(PATIENCE, is_replica).await.unwrap();
}

async fn end(scene: Scene<Sentinel>) {
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_is_killed_and_replaced() {
    let (scene, probes) = begin("sentinel: master killed").await;
    let set = &scene.redis;
    let old = set.master().await.unwrap();
    let fault = scene.fault("the master is killed", Harm::Redis, None);
    old.kill();
    is_replaced(set, old).await;
    probes.come_again(&scene, fault).await;
    let fault = scene.fault("the old master comes back", Harm::Redis, None);
    old.restart().await.unwrap();
    becomes_a_replica(old).await;
    probes.come_again(&scene, fault).await;
    end(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_master_is_stopped_and_replaced() {
    let (scene, probes) = begin("sentinel: master SIGSTOPped").await;
    let set = &scene.redis;
    let old = set.master().await.unwrap();
    let fault = scene.fault("the master is stopped", Harm::Redis, None);
    old.stop().unwrap();
    is_replaced(set, old).await;
    probes.come_again(&scene, fault).await;
    scene.goes_on(scene.plan.bound).await;
    let fault = scene.fault("the old master goes on", Harm::Redis, None);
    old.cont().unwrap();
    becomes_a_replica(old).await;
    probes.come_again(&scene, fault).await;
    end(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn masters_are_changed_by_order() {
    let (scene, probes) = begin("sentinel: SENTINEL FAILOVER").await;
    let set = &scene.redis;
    for _ in 0..2 {
        let old = set.master().await.unwrap();
        let fault = scene.fault("SENTINEL FAILOVER", Harm::Redis, None);
        let order = ["SENTINEL", "FAILOVER", Sentinel::SERVICE];
        // Refused for a while after another one.
        eventually(PATIENCE, async || {
            let sentinel = set.sentinels.first().unwrap();
            sentinel.cmd(&order).await.is_ok()
        })
        .await
        .unwrap();
        set.failed_over_from(old).await.unwrap();
        // From here on it is the new one that answers.
        becomes_a_replica(old).await;
        probes.come_again(&scene, fault).await;
        scene.is_busy().await;
    }
    end(scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_sentinel_is_lost_and_then_the_master() {
    let (scene, probes) = begin("sentinel: sentinel lost").await;
    let set = &scene.redis;
    let sentinel = set.sentinels.first().unwrap();
    let lost = scene.fault("a Sentinel is lost", Harm::Redis, None);
    sentinel.kill();
    scene.goes_on(scene.plan.bound).await;
    // Nobody needs it.
    probes.answer(&scene).await;
    let old = set.master().await.unwrap();
    let fault = scene.fault("the master is killed as well", Harm::Redis, None);
    old.kill();
    is_replaced(set, old).await;
    probes.come_again(&scene, fault).await;
    sentinel.restart().await.unwrap();
    probes.come_again(&scene, lost).await;
    end(scene).await;
}
