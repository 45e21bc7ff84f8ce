//! `redis.mode = auto`: whatever stands at the address is found out, also where little is told.

use tingkat::ports::Remote;
use tingkat_redis::{Redis as Tier, State};
use tingkat_testkit::Redis;
use tingkat_testkit::redis::{Cluster, Replicated, Sentinel};

use crate::stage::{LONG, SOON, patient, set, start};

async fn is_whole(tier: &Tier) {
    let mut state = tier.state();
    let up = tokio::time::timeout(SOON, state.wait_for(|state| *state == State::Up)).await;
    assert!(up.is_ok(), "still {:?}", *tier.state().borrow());
}

#[tokio::test]
async fn one_server_is_used_as_one() {
    let server = Redis::start().await.unwrap();
    let tier = start(patient(&server.url()));
    is_whole(&tier).await;
    set(&tier, "k", "cell").await;
    assert_eq!(server.cmd(&["GET", "k"]).await.unwrap(), "cell");
}

#[tokio::test]
async fn a_cluster_is_used_as_one() {
    let cluster = Cluster::start().await.unwrap();
    let tier = start(patient(&cluster.nodes[0].url()));
    is_whole(&tier).await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        set(&tier, key, "cell").await;
        let owner = cluster.owner_of(key).await.unwrap();
        assert_eq!(owner.cmd(&["GET", key]).await.unwrap(), "cell");
    }
}

#[tokio::test]
async fn sentinels_are_asked_for_the_master() {
    let sentinel = Sentinel::config().replicas(1).start().await.unwrap();
    let hosts: Vec<String> = sentinel.sentinels.iter().map(Redis::addr).collect();
    let tier = start(patient(&format!("redis://{}", hosts.join(","))));
    is_whole(&tier).await;
    set(&tier, "k", "cell").await;
    let master = sentinel.master().await.unwrap();
    assert_eq!(master.cmd(&["GET", "k"]).await.unwrap(), "cell");
}

#[tokio::test]
async fn a_replica_is_read_and_named_and_its_promotion_is_noticed() {
    let replicated = Replicated::start(1).await.unwrap();
    let replica = &replicated.replicas[0];
    let tier = start(patient(&replica.url()));
    let mut state = tier.state();
    let limited = state.wait_for(
        |state| matches!(state, State::Limited(why) if why.contains("this is a replica")),
    );
    tokio::time::timeout(SOON, limited).await.unwrap().unwrap();
    replica.cmd(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    is_whole(&tier).await;
}

#[tokio::test]
async fn a_server_that_tells_little_is_used_as_one() {
    // The tier has no use for INFO either, but the kit has.
    let config = ["CONFIG", "ROLE", "CLUSTER", "ACL", "CLIENT", "DEBUG"]
        .iter()
        .fold(Redis::config(), |config, name| {
            config.set("rename-command", format!("{name} \"\""))
        });
    let server = config.start().await.unwrap();
    let tier = start(patient(&server.url()));
    is_whole(&tier).await;
    set(&tier, "k", "cell").await;
    assert_eq!(tier.get("k").await.unwrap().unwrap(), "cell");
}

#[tokio::test]
async fn what_calls_itself_a_node_of_a_cluster_and_tells_no_slots_is_used_as_one_server() {
    // A proxy in front of a cluster, as far as a client can tell: one node has all slots.
    let mut config = Redis::config().set("cluster-enabled", "yes");
    config = config.set("rename-command", "CLUSTER tingkat-test-cluster");
    let server = config.start().await.unwrap();
    let mut all = vec!["tingkat-test-cluster".to_owned(), "ADDSLOTS".to_owned()];
    all.extend((0..16_384).map(|slot| slot.to_string()));
    server.cmd(&all).await.unwrap();
    let tier = start(patient(&server.url()));
    is_whole(&tier).await;
    tingkat_testkit::eventually(SOON, async || {
        tier.set_if_absent("k", "cell".into(), LONG).await.is_ok()
    })
    .await
    .unwrap();
    assert_eq!(tier.get("k").await.unwrap().unwrap(), "cell");
}
