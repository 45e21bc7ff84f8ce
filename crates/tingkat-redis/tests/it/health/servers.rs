//! Several servers that should go together.

use tingkat_health::check::Status;
use tingkat_redis::{Address, Config, Mode, Sentinels};
use tingkat_testkit::Redis;
use tingkat_testkit::redis::{Cluster, Replicated, Sentinel};

use super::{Ward, evicting};
use crate::stage::{SOON, connected, is_up, patient, start};

/// What is bad, but for what the tier says about the same.
async fn look(ward: &mut Ward) -> Vec<String> {
    ward.look().await;
    ward.bad()
        .into_iter()
        .filter(|id| id != "redis_limited")
        .collect()
}

async fn becomes(ward: &mut Ward, expected: &[&str]) {
    let is_right = |bad: &[String]| {
        let bad = bad.iter().filter(|id| *id != "redis_limited");
        bad.eq(expected.iter())
    };
    ward.becomes_so(3 * SOON, is_right).await;
}

#[tokio::test]
async fn a_replica_whose_link_is_cut() {
    let set = Replicated::start_with(evicting(), 1).await.unwrap();
    let mut ward = Ward::of(connected(&set.replicas[0].url()).await).await;
    assert_eq!(look(&mut ward).await, [""; 0]);
    set.master.kill();
    becomes(&mut ward, &["replica_link"]).await;
    set.master.restart().await.unwrap();
    becomes(&mut ward, &[]).await;
}

#[tokio::test]
async fn a_master_that_loses_its_replica() {
    let set = Replicated::start_with(evicting(), 1).await.unwrap();
    let mut ward = Ward::of(connected(&set.master.url()).await).await;
    assert_eq!(ward.look().await, [""; 0]);
    set.replicas[0].kill();
    ward.becomes(&["replicas_lost"]).await;
    assert_eq!(ward.status("replicas_lost"), Status::Critical);
    set.replicas[0].restart().await.unwrap();
    ward.becomes(&[]).await;
}

#[tokio::test]
async fn replicas_that_copy_everything_again_and_again() {
    let (master, mut ward) = Ward::at(evicting()).await;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(evicting().replica_of(&master).start().await.unwrap());
    }
    ward.becomes(&["full_resyncs"]).await;
    ward.heals().await;
}

#[tokio::test]
async fn a_replica_that_stays_behind() {
    let set = Replicated::start_with(evicting(), 1).await.unwrap();
    let mut ward = Ward::of(connected(&set.master.url()).await).await;
    set.replicas[0].stop().unwrap();
    let value = "x".repeat(1 << 20);
    for n in 0..14 {
        let key = format!("shop:{n}");
        set.master
            .cmd(&["SET", &key, &value, "EX", "600"])
            .await
            .unwrap();
    }
    // What the replica does not take waits in a buffer.
    ward.becomes(&["replica_buffers", "replication_lag"]).await;
    set.replicas[0].cont().unwrap();
    ward.becomes(&[]).await;
}

#[tokio::test]
async fn a_cluster_that_lost_a_slot() {
    let cluster = Cluster::start().await.unwrap();
    let tier = start(Config {
        mode: Mode::Cluster,
        ..patient(&cluster.nodes[0].url())
    });
    is_up(&tier).await;
    let mut ward = Ward::of(tier).await;
    becomes(&mut ward, &["primary_alone"]).await;
    for node in &cluster.nodes {
        node.cmd(&["CLUSTER", "DELSLOTS", "7"]).await.unwrap();
    }
    becomes(
        &mut ward,
        &["cluster_state", "cluster_slots", "primary_alone"],
    )
    .await;
    assert!(ward.report.cache.score.unwrap() <= 19.0);
    cluster.nodes[0]
        .cmd(&["CLUSTER", "ADDSLOTS", "7"])
        .await
        .unwrap();
    becomes(&mut ward, &["primary_alone"]).await;
}

#[tokio::test]
async fn sentinels_without_a_quorum() {
    let set = Sentinel::config().node(evicting()).start().await.unwrap();
    let hosts: Vec<String> = set.sentinels.iter().map(Redis::addr).collect();
    let tier = start(Config {
        mode: Mode::Sentinel,
        sentinels: Sentinels {
            address: Some(Address::of_hosts(&hosts.join(","), 26_379).unwrap()),
            master: Some(Sentinel::SERVICE.to_owned()),
        },
        ..patient("redis://nowhere")
    });
    is_up(&tier).await;
    let mut ward = Ward::of(tier).await;
    becomes(&mut ward, &[]).await;
    for sentinel in &set.sentinels[..2] {
        sentinel.kill();
    }
    becomes(&mut ward, &["sentinel_quorum"]).await;
    assert_eq!(ward.status("sentinel_quorum"), Status::Critical);
    for sentinel in &set.sentinels[..2] {
        sentinel.restart().await.unwrap();
    }
    becomes(&mut ward, &[]).await;
}
