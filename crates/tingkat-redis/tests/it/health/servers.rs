//! Several servers that should go together.

use tingkat_health::check::Status;
use tingkat_redis::{Address, Config, Mode, Sentinels};
use tingkat_testkit::Redis;
use tingkat_testkit::redis::{Cluster, Replicated, Sentinel};

use super::{Ward, evicting, populate};
use crate::stage::{PREFIX, SOON, connected, is_up, patient, start};

troubles! {
    a_replica_whose_link_is_cut raises ["replica_link"] beside ["redis_limited"];
    a_master_that_loses_its_replica raises ["replicas_lost"];
    replicas_that_copy_everything_again_and_again raises ["full_resyncs"];
    a_replica_that_stays_behind raises ["replica_buffers", "replication_lag"];
    a_master_of_a_cluster_that_nobody_takes_over raises ["cluster_state", "cluster_slots", "redis_limited"] beside ["redis_reachable", "redis_restarts", "replicas_lost", "primary_alone"];
    a_cluster_that_lost_a_slot raises ["cluster_state", "cluster_slots"] beside ["redis_limited"];
    a_master_of_a_cluster_that_loses_its_replica raises ["replicas_lost", "primary_alone"] beside ["redis_limited", "redis_reachable"];
    a_node_of_a_cluster_that_holds_more_than_the_others raises ["memory_imbalance"] beside ["replica_buffers", "replication_lag"];
    sentinels_without_a_quorum raises ["sentinel_quorum"] beside ["redis_limited"];
    a_master_that_nobody_takes_over raises ["sentinel_master", "redis_reachable", "redis_restarts"] beside ["redis_limited"];
    a_master_that_another_one_takes_over raises ["sentinel_failovers"] beside ["sentinel_master", "redis_reachable", "redis_limited"];
}

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

async fn a_replica_whose_link_is_cut() -> Ward {
    let set = Replicated::start_with(evicting(), 1).await.unwrap();
    let mut ward = Ward::of(connected(&set.replicas[0].url()).await).await;
    assert_eq!(look(&mut ward).await, [""; 0]);
    set.master.kill();
    becomes(&mut ward, &["replica_link"]).await;
    set.master.restart().await.unwrap();
    becomes(&mut ward, &[]).await;
    ward
}

async fn a_master_that_loses_its_replica() -> Ward {
    let set = Replicated::start_with(evicting(), 1).await.unwrap();
    let mut ward = Ward::of(connected(&set.master.url()).await).await;
    assert_eq!(ward.look().await, [""; 0]);
    set.replicas[0].kill();
    ward.becomes(&["replicas_lost"]).await;
    assert_eq!(ward.status("replicas_lost"), Status::Critical);
    set.replicas[0].restart().await.unwrap();
    ward.becomes(&[]).await;
    ward
}

async fn replicas_that_copy_everything_again_and_again() -> Ward {
    let (master, mut ward) = Ward::at(evicting()).await;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(evicting().replica_of(&master).start().await.unwrap());
    }
    ward.becomes(&["full_resyncs"]).await;
    ward.heals().await;
    ward
}

async fn a_replica_that_stays_behind() -> Ward {
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
    ward
}

async fn a_cluster_that_lost_a_slot() -> Ward {
    let (cluster, mut ward) = clustered().await;
    for node in &cluster.nodes {
        node.cmd(&["CLUSTER", "DELSLOTS", "7"]).await.unwrap();
    }
    becomes(&mut ward, &["cluster_state", "cluster_slots"]).await;
    assert!(ward.report.cache.score.unwrap() <= 19.0);
    cluster.nodes[0]
        .cmd(&["CLUSTER", "ADDSLOTS", "7"])
        .await
        .unwrap();
    becomes(&mut ward, &[]).await;
    ward
}

async fn a_master_of_a_cluster_that_nobody_takes_over() -> Ward {
    let (cluster, mut ward) = clustered().await;
    let (master, replica) = (&cluster.nodes[0], &cluster.nodes[3]);
    replica.kill();
    master.kill();
    ward.until(3 * SOON, |ward| {
        ward.bad().iter().any(|id| id == "cluster_state")
    })
    .await;
    let cache = ward.report.cache;
    assert!(cache.score.unwrap() <= 19.0, "{cache:?}");
    assert!(cache.coverage < 0.9, "{cache:?}");
    let told = ward.report.recommendations.join(" ");
    assert!(told.contains(&master.addr()), "{told}");
    master.restart().await.unwrap();
    replica.restart().await.unwrap();
    is_up(&ward.tier).await;
    // Past the windows in which restarts are counted.
    ward.becomes_so(3 * SOON, <[String]>::is_empty).await;
    ward
}

async fn a_master_of_a_cluster_that_loses_its_replica() -> Ward {
    let (cluster, mut ward) = clustered().await;
    let replica = &cluster.nodes[3];
    replica.kill();
    ward.becomes_so(3 * SOON, |bad| {
        let bad = bad.iter().filter(|id| *id != "redis_limited");
        bad.eq(["replicas_lost", "primary_alone"])
    })
    .await;
    replica.restart().await.unwrap();
    becomes(&mut ward, &[]).await;
    ward
}

async fn a_node_of_a_cluster_that_holds_more_than_the_others() -> Ward {
    let (cluster, mut ward) = clustered().await;
    // Everything with this in its name has one slot.
    let one_slot = format!("{PREFIX}{{sale}}");
    let owner = cluster.owner_of(&one_slot).await.unwrap();
    populate(owner, &one_slot, 30_000, 1_000).await;
    becomes(&mut ward, &["memory_imbalance"]).await;
    let delete = "for i = 0, 29999 do redis.call('UNLINK', ARGV[1] .. ':' .. i) end";
    owner.cmd(&["EVAL", delete, "0", &one_slot]).await.unwrap();
    becomes(&mut ward, &[]).await;
    ward
}

/// A cluster with replicas, which is well.
async fn clustered() -> (Cluster, Ward) {
    let config = Cluster::config().node(evicting()).replicas();
    let cluster = config.start().await.unwrap();
    let tier = start(Config {
        mode: Mode::Cluster,
        ..patient(&cluster.nodes[0].url())
    });
    is_up(&tier).await;
    let mut ward = Ward::of(tier).await;
    becomes(&mut ward, &[]).await;
    (cluster, ward)
}

async fn sentinels_without_a_quorum() -> Ward {
    let (set, mut ward) = guarded(1).await;
    for sentinel in &set.sentinels[..2] {
        sentinel.kill();
    }
    becomes(&mut ward, &["sentinel_quorum"]).await;
    assert_eq!(ward.status("sentinel_quorum"), Status::Critical);
    for sentinel in &set.sentinels[..2] {
        sentinel.restart().await.unwrap();
    }
    becomes(&mut ward, &[]).await;
    ward
}

async fn a_master_that_nobody_takes_over() -> Ward {
    let (set, mut ward) = guarded(0).await;
    let master = set.master().await.unwrap();
    master.kill();
    ward.includes("sentinel_master").await;
    master.restart().await.unwrap();
    is_up(&ward.tier).await;
    becomes(&mut ward, &["redis_restarts"]).await;
    ward.look_after(301).await;
    becomes(&mut ward, &[]).await;
    ward
}

async fn a_master_that_another_one_takes_over() -> Ward {
    let (set, mut ward) = guarded(1).await;
    let old = set.master().await.unwrap();
    old.kill();
    set.failed_over_from(old).await.unwrap();
    is_up(&ward.tier).await;
    becomes(&mut ward, &["sentinel_failovers"]).await;
    // The other one comes back as its replica.
    old.restart().await.unwrap();
    ward.look_after(301).await;
    becomes(&mut ward, &[]).await;
    ward
}

/// A master with so many replicas and three Sentinels, which is well.
async fn guarded(replicas: usize) -> (Sentinel, Ward) {
    let config = Sentinel::config().node(evicting()).replicas(replicas);
    let set = config.start().await.unwrap();
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
    (set, ward)
}
