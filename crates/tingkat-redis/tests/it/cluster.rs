//! A cluster: the tier follows slots to where they go, and a node that is away costs its own keys
//! alone.

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::join_all;
use tingkat::error::RemoteErrorKind;
use tingkat::ports::{Acquired, Remote};
use tingkat_redis::{Config, Mode, State};
use tingkat_testkit::redis::Cluster;
use tingkat_testkit::{Redis, eventually};

use crate::rush::{Rush, hurried};
use crate::stage::{
    HURRY, LONG, PREFIX, SOON, cell, hasty, is_up, kind, lease, patient, set, start, value,
    why_down, why_down_as, within,
};

/// A tier that is told of one node and finds the others.
fn found_by(node: &Redis) -> Config {
    Config {
        mode: Mode::Cluster,
        ..patient(&node.url())
    }
}

fn rushed(cluster: &Cluster) -> Config {
    Config {
        mode: Mode::Cluster,
        ..hurried(&cluster.nodes[0].url())
    }
}

/// Its nodes answer for their slots while others are away.
fn partial() -> tingkat_testkit::redis::Config {
    Redis::config().set("cluster-require-full-coverage", "no")
}

async fn is_whole(redis: &tingkat_redis::Redis) {
    let mut state = redis.state();
    let up = tokio::time::timeout(SOON, state.wait_for(|state| *state == State::Up)).await;
    assert!(up.is_ok(), "still {:?}", *redis.state().borrow());
}

/// Keys of every node.
fn many() -> Vec<String> {
    (0..100).map(|number| format!("{PREFIX}{number}")).collect()
}

#[tokio::test]
async fn every_command_finds_the_node_of_its_key() {
    let cluster = Cluster::start().await.unwrap();
    let redis = start(found_by(&cluster.nodes[1]));
    is_whole(&redis).await;
    let keys = many();
    let cells = keys
        .iter()
        .map(|key| (key.clone(), key.clone().into(), LONG));
    redis.set_many(cells.collect()).await.unwrap();
    let read = redis.get_many(&keys).await.unwrap();
    for (key, read) in keys.iter().zip(read) {
        assert_eq!(read.unwrap(), key.as_bytes());
        assert_eq!(redis.get(key).await.unwrap().unwrap(), key.as_bytes());
        let owner = cluster.owner_of(key).await.unwrap();
        assert_eq!(owner.cmd(&["GET", key]).await.unwrap(), key.as_str());
    }
    redis.remove(&keys).await.unwrap();
    assert_eq!(redis.get_many(&keys).await.unwrap(), vec![None; keys.len()]);
    for key in keys.iter().take(9) {
        assert_eq!(
            redis
                .acquire(key, None, Bytes::copy_from_slice(&lease(1)), LONG)
                .await
                .unwrap(),
            Acquired::Granted
        );
        assert!(redis.renew(key, &lease(1), LONG).await.unwrap());
        let filled = redis.fill(key, &lease(1), cell(value(1), b"x"), LONG).await;
        assert!(filled.unwrap());
        assert!(
            !redis
                .set_if_absent(key, cell(value(2), b"y"), LONG)
                .await
                .unwrap()
        );
    }
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn a_key_that_holds_no_string_is_foreign_among_many() {
    let cluster = Cluster::start().await.unwrap();
    let redis = start(found_by(&cluster.nodes[0]));
    is_whole(&redis).await;
    let owner = cluster.owner_of("shop:1").await.unwrap();
    owner.cmd(&["HSET", "shop:1", "f", "1"]).await.unwrap();
    let read = redis.get_many(&many()).await.unwrap();
    assert_eq!(read.iter().flatten().collect::<Vec<_>>(), ["?"]);
}

#[tokio::test]
async fn a_killed_node_is_replaced_by_its_replica_and_no_read_fails() {
    let config = Cluster::config().node(partial()).replicas();
    let cluster = config.start().await.unwrap();
    let rush = Rush::start(|| rushed(&cluster)).await;
    let master = &cluster.nodes[1];
    master.kill();
    let hit = rush.keys_hit().await;
    println!("while a third of the slots has no node: {hit} keys from redis");
    let heir = &cluster.nodes[4];
    eventually(SOON, async || heir.info("role").await.unwrap() == "master")
        .await
        .unwrap();
    rush.recovers("a node was SIGKILLed and its replica took over")
        .await;
    master.restart().await.unwrap();
    rush.goes_on(500).await;
    rush.recovers("the old master came back").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn a_takeover_by_a_replica_is_followed_and_no_read_fails() {
    let cluster = Cluster::config().replicas().start().await.unwrap();
    let rush = Rush::start(|| rushed(&cluster)).await;
    for replica in &cluster.nodes[3..] {
        cluster.take_over(replica).await.unwrap();
        rush.recovers("CLUSTER FAILOVER TAKEOVER").await;
    }
    rush.ends_well().await;
}

#[tokio::test]
async fn slots_that_move_under_readers_and_writers_are_followed() {
    let cluster = Cluster::start().await.unwrap();
    let rush = Rush::start(|| rushed(&cluster)).await;
    // The slots of cells that are in use, all to one node.
    let to = &cluster.nodes[2];
    let mut moved = 0;
    for node in &cluster.nodes[..2] {
        for key in crate::server::keys(node, "shop:c:*").await {
            if cluster.owner_of(&key).await.unwrap().port() == to.port() {
                continue;
            }
            let slot = cluster.begin_to_move(&key, to).await.unwrap();
            rush.goes_on(20).await;
            slot.keys().await.unwrap();
            rush.goes_on(20).await;
            slot.finish().await.unwrap();
            moved += 1;
        }
    }
    assert!(moved > 20, "{moved}");
    rush.recovers(&format!("{moved} slots in use were moved"))
        .await;
    assert_eq!(
        crate::server::keys(&cluster.nodes[0], "shop:c:*")
            .await
            .len(),
        0
    );
    rush.ends_well().await;
}

#[tokio::test]
async fn a_shard_without_a_master_costs_its_keys_alone() {
    let config = Cluster::config().node(partial());
    let cluster = config.start().await.unwrap();
    let rush = Rush::start(|| rushed(&cluster)).await;
    cluster.nodes[0].kill();
    others_are_used(&rush, &cluster.nodes[0], "a shard without a master").await;
    cluster.nodes[0].restart().await.unwrap();
    rush.recovers("a shard had its master again").await;
    rush.ends_well().await;
}

/// The node is named as what is wrong, and the cells of the others are read all the same.
async fn others_are_used(rush: &Rush, away: &Redis, what: &str) {
    why_limited(&rush.remotes[0], &away.addr()).await;
    let hit = rush.keys_hit().await;
    println!("{what}: {hit} keys still from redis");
    assert!(hit > 20, "{hit}");
    assert!(rush.is_used());
}

async fn why_limited(redis: &tingkat_redis::Redis, text: &str) {
    let mut state = redis.state();
    let limited =
        state.wait_for(|state| matches!(state, State::Limited(why) if why.contains(text)));
    let limited = tokio::time::timeout(SOON, limited).await;
    assert!(limited.is_ok(), "{text}: {:?}", *redis.state().borrow());
}

#[tokio::test]
async fn a_cluster_that_answers_for_all_slots_or_none_fails_no_read_either() {
    let cluster = Cluster::start().await.unwrap();
    let rush = Rush::start(|| rushed(&cluster)).await;
    cluster.nodes[0].kill();
    let node = &cluster.nodes[1];
    eventually(SOON, async || {
        let info = node.cmd(&["CLUSTER", "INFO"]).await.unwrap().to_string();
        info.contains("cluster_state:fail")
    })
    .await
    .unwrap();
    rush.goes_on(500).await;
    cluster.nodes[0].restart().await.unwrap();
    cluster.is_ok().await.unwrap();
    rush.recovers("the cluster was whole again").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn a_node_that_hangs_is_left_alone_and_the_others_are_not() {
    let config = Cluster::config().node(partial());
    let cluster = config.start().await.unwrap();
    let rush = Rush::start(|| rushed(&cluster)).await;
    cluster.nodes[0].stop().unwrap();
    others_are_used(&rush, &cluster.nodes[0], "a node hangs").await;
    cluster.nodes[0].cont().unwrap();
    rush.recovers("a node went on").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn a_node_that_is_away_costs_a_reader_of_many_only_its_keys() {
    let cluster = Cluster::config().node(partial()).start().await.unwrap();
    let mut config = hasty(&cluster.nodes[0].url());
    config.mode = Mode::Cluster;
    let redis = start(config);
    is_whole(&redis).await;
    let keys = many();
    let cells = keys
        .iter()
        .map(|key| (key.clone(), key.clone().into(), LONG));
    redis.set_many(cells.collect()).await.unwrap();
    let mut lost = Vec::new();
    for key in &keys {
        let owner = cluster.owner_of(key).await.unwrap();
        if owner.port() == cluster.nodes[0].port() {
            lost.push(key);
        }
    }
    assert!(lost.len() > 10);
    // It hangs: the first reader waits for it, and no longer than for one answer.
    cluster.nodes[0].stop().unwrap();
    for _ in 0..5 {
        let read = within(HURRY, redis.get_many(&keys)).await.unwrap();
        assert_eq!(read.iter().flatten().count(), keys.len() - lost.len());
    }
    for key in lost {
        let read = redis.get(key).now_or_never().expect("nobody waits for it");
        assert_eq!(kind(read), RemoteErrorKind::PartAway);
    }
    cluster.nodes[0].cont().unwrap();
}

#[tokio::test]
async fn a_full_node_refuses_writes_alone_and_the_others_take_them() {
    let cluster = Cluster::start().await.unwrap();
    let redis = start(found_by(&cluster.nodes[0]));
    is_whole(&redis).await;
    let full = &cluster.nodes[0];
    let (mut on_full, mut elsewhere) = (Vec::new(), Vec::new());
    for key in many() {
        let owner = cluster.owner_of(&key).await.unwrap();
        if owner.port() == full.port() {
            on_full.push(key);
        } else {
            elsewhere.push(key);
        }
    }
    set(&redis, &on_full[0], "cell").await;
    full.cmd(&["CONFIG", "SET", "maxmemory", "1"])
        .await
        .unwrap();
    for key in on_full.iter().take(8) {
        let set = redis.set_if_absent(key, "x".into(), LONG).await;
        assert_eq!(kind(set), RemoteErrorKind::PartAway);
    }
    why_limited(&redis, "nothing is written to").await;
    // Reads go on, and writes elsewhere.
    assert_eq!(redis.get(&on_full[0]).await.unwrap().unwrap(), "cell");
    set(&redis, &elsewhere[0], "cell").await;
    full.cmd(&["CONFIG", "SET", "maxmemory", "0"])
        .await
        .unwrap();
    is_whole(&redis).await;
    set(&redis, &on_full[1], "cell").await;
}

#[tokio::test]
async fn a_database_number_is_refused_in_one_line() {
    let cluster = Cluster::start().await.unwrap();
    let url = format!("{}3", cluster.nodes[0].url());
    let said = "a cluster has no databases";
    let redis = start(Config {
        mode: Mode::Cluster,
        ..patient(&url)
    });
    why_down_as(&redis, said).await;
    // What the server says: Valkey's clusters may have some.
    let redis = start(patient(&url));
    let why = why_down(&redis).await;
    assert!(why.contains(said) || why.contains("out of range"), "{why}");
}

#[tokio::test]
async fn one_server_is_no_cluster_and_that_is_named() {
    let server = Redis::start().await.unwrap();
    let redis = start(found_by(&server));
    why_down_as(&redis, "cluster support disabled").await;
}

#[tokio::test]
async fn a_node_of_a_cluster_taken_for_one_server_is_named() {
    let cluster = Cluster::start().await.unwrap();
    let redis = start(Config {
        mode: Mode::Standalone,
        ..patient(&cluster.nodes[0].url())
    });
    is_up(&redis).await;
    why_limited(&redis, "redis.mode should be cluster").await;
}

#[tokio::test]
async fn at_one_node_of_a_cluster_a_crowd_is_read_though_its_keys_have_many_slots() {
    let cluster = Cluster::start().await.unwrap();
    let node = &cluster.nodes[0];
    let redis = start(Config {
        mode: Mode::Standalone,
        ..patient(&node.url())
    });
    is_up(&redis).await;
    let mut names = Vec::new();
    for number in 0..60 {
        let name = format!("k{number}");
        if cluster.owner_of(&name).await.unwrap().port() == node.port() {
            set(&redis, &name, name.clone()).await;
            names.push(name);
        }
    }
    assert!(names.len() > 5, "{names:?}");
    for _ in 0..2 {
        let found = join_all(names.iter().map(|name| redis.get(name))).await;
        for (name, found) in names.iter().zip(found) {
            assert_eq!(found.unwrap().unwrap(), *name);
        }
    }
}

#[tokio::test]
async fn a_slot_on_its_way_is_read_and_written_where_its_keys_are() {
    let cluster = Cluster::start().await.unwrap();
    let redis = start(found_by(&cluster.nodes[0]));
    is_whole(&redis).await;
    let from = cluster.owner_of("shop:1").await.unwrap();
    let mut others = cluster.nodes.iter();
    let to = others.find(|node| node.port() != from.port()).unwrap();
    set(&redis, "shop:1", "cell").await;
    let moving = cluster.begin_to_move("shop:1", to).await.unwrap();
    assert_eq!(redis.get("shop:1").await.unwrap().unwrap(), "cell");

    // Its old owner asks to ask the new one, which answers nobody else.
    moving.keys().await.unwrap();
    assert_eq!(redis.get("shop:1").await.unwrap().unwrap(), "cell");
    let keys = ["shop:1".to_owned()];
    let read = redis.get_many(&keys).await.unwrap();
    assert_eq!(read[0].as_ref().unwrap(), "cell");
    redis.remove(&keys).await.unwrap();
    let lease_cell = Bytes::copy_from_slice(&lease(1));
    let taken = redis.acquire("shop:1", None, lease_cell, LONG).await;
    assert_eq!(taken.unwrap(), Acquired::Granted);

    moving.finish().await.unwrap();
    let (held, entry) = (lease(1), cell(value(1), b"x"));
    assert!(redis.fill("shop:1", &held, entry, LONG).await.unwrap());
    let owner = cluster.owner_of("shop:1").await.unwrap();
    assert_eq!(owner.port(), to.port());
    assert!(crate::server::bytes_of(owner, "shop:1").await.is_some());
}
