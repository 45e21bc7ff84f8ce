//! Redis servers that belong together: Sentinel and Cluster.

use std::time::Duration;

use tingkat_testkit::redis::{Cluster, Sentinel};
use tingkat_testkit::{Certificates, Redis, eventually};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn sentinel_replaces_a_dead_master_and_the_old_one_returns_as_a_replica() {
    let set = Sentinel::start().await.unwrap();
    let old = set.master().await.unwrap();
    assert_eq!(old.port(), set.nodes[0].port());
    old.cmd(&["SET", "a", "b"]).await.unwrap();
    old.replicated(2).await.unwrap();

    old.kill();
    let new = set.failed_over_from(old).await.unwrap();
    assert_eq!(new.cmd(&["GET", "a"]).await.unwrap(), "b");
    new.cmd(&["SET", "c", "d"]).await.unwrap();

    old.restart().await.unwrap();
    eventually(SOON, async || old.cmd(&["GET", "c"]).await.unwrap() == "d")
        .await
        .unwrap();
}

#[tokio::test]
async fn sentinels_with_passwords_and_tls_work_as_well() {
    let certificates = Certificates::generate().unwrap();
    let set = Sentinel::config()
        .node(Redis::config().password("for nodes").tls(&certificates))
        .replicas(1)
        .password("for sentinels")
        .start()
        .await
        .unwrap();
    for url in set.urls() {
        assert!(
            url.starts_with("rediss://:for%20sentinels@127.0.0.1:"),
            "{url}"
        );
    }
    let stranger = set.sentinels[0].cmd_as("default", "guess", &["PING"]).await;
    assert!(stranger.unwrap_err().to_string().starts_with("WRONGPASS"));

    let old = set.master().await.unwrap();
    // A master that hangs is as good as a dead one.
    old.stop().unwrap();
    set.failed_over_from(old).await.unwrap();
}

#[tokio::test]
async fn a_cluster_serves_all_slots_and_says_where_a_key_lives() {
    let cluster = Cluster::start().await.unwrap();
    let mut owners = std::collections::BTreeSet::new();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let owner = cluster.owner_of(key).await.unwrap();
        owner.cmd(&["SET", key, "x"]).await.unwrap();
        owners.insert(owner.port());
        let other = cluster
            .nodes
            .iter()
            .find(|node| node.port() != owner.port())
            .unwrap();
        let moved = other.cmd(&["GET", key]).await.unwrap_err().to_string();
        let to = format!("127.0.0.1:{}", owner.port());
        assert!(
            moved.starts_with("MOVED") && moved.ends_with(&to),
            "{moved}"
        );
    }
    assert_eq!(
        owners.len(),
        3,
        "these keys are known to spread over all masters"
    );

    let node = &cluster.nodes[0];
    node.announce(1234).await.unwrap();
    eventually(SOON, async || {
        let nodes = cluster.nodes[1].cmd(&["CLUSTER", "NODES"]).await.unwrap();
        nodes.to_string().contains("127.0.0.1:1234@")
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_replica_takes_over_from_a_dead_cluster_master() {
    let cluster = Cluster::config().replicas().start().await.unwrap();
    let master = cluster.owner_of("a").await.unwrap();
    master.cmd(&["SET", "a", "b"]).await.unwrap();
    master.replicated(1).await.unwrap();

    master.kill();
    let heir = eventually(SOON, async || {
        let owner = cluster.owner_of("a").await.ok()?;
        (owner.port() != master.port()).then_some(owner)
    })
    .await
    .unwrap();
    cluster.is_ok().await.unwrap();
    assert_eq!(heir.cmd(&["GET", "a"]).await.unwrap(), "b");
}
