//! Which keys there are: those of a prefix, on every server, and no others.

use tingkat::ports::Remote as _;
use tingkat_redis::{Config, Mode, State};
use tingkat_testkit::Redis;
use tingkat_testkit::redis::Cluster;

use crate::server::keys;
use crate::stage::{LONG, SOON, is_up, patient, start};

/// Would match other keys if it were a pattern.
const ODD: &str = "it:[a]*?:";

async fn fill(redis: &tingkat_redis::Redis, prefix: &str, count: usize) {
    let cells = (0..count).map(|number| (format!("{prefix}{number}"), "x".into(), LONG));
    redis.set_many(cells.collect()).await.unwrap();
}

#[tokio::test]
async fn the_keys_of_a_prefix_are_found_and_no_others() {
    let server = Redis::start().await.unwrap();
    let redis = start(patient(&server.url()));
    is_up(&redis).await;
    fill(&redis, ODD, 2500).await;
    fill(&redis, "it:a__:", 3).await;
    let mut found = redis.keys(ODD, 10_000).await.unwrap();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 2500);
    assert!(found.iter().all(|key| key.starts_with(ODD)));
    assert_eq!(redis.keys(ODD, 10).await.unwrap().len(), 10);
    redis.remove(&found).await.unwrap();
    assert_eq!(redis.keys(ODD, 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(keys(&server, "*").await.len(), 3);
    let version = redis.version().await.unwrap();
    assert!(
        version.starts_with("redis ") || version.starts_with("valkey "),
        "{version}"
    );
    redis.close().await;
}

#[tokio::test]
async fn every_node_of_a_cluster_is_looked_through() {
    let cluster = Cluster::start().await.unwrap();
    let redis = start(Config {
        mode: Mode::Cluster,
        ..patient(&cluster.nodes[0].url())
    });
    let mut state = redis.state();
    let up = tokio::time::timeout(SOON, state.wait_for(|state| *state == State::Up)).await;
    assert!(up.is_ok(), "some nodes are still not used");
    drop(up);
    fill(&redis, ODD, 300).await;
    let mut found = redis.keys(ODD, 10_000).await.unwrap();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 300);
    redis.close().await;
}
