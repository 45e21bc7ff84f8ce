//! A crowd before one cold key: one load, however many callers and nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use tingkat::Options;
use tingkat_testkit::{Postgres, Redis, free_port};
use tokio::task::JoinSet;

use crate::inside::Inside;
use crate::scene::{Plan, Scene};
use crate::store::{DATABASE, Store};

const NODES: usize = 3;

/// Callers in this process, of all nodes together.
const CALLERS: usize = 10_000;

/// Callers over HTTP, of all nodes together.
const CLIENTS: usize = 600;

/// Redis is well, and this machine is busy: nobody gives up on Redis because of that.
const BUDGET: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_three_caches_make_one_load() {
    let redis = Redis::start().await.unwrap();
    assert_eq!(loads_of_a_crowd(&redis.url(), true).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_ten_thousand_callers_make_one_load_for_each_cache() {
    let nobody = format!("redis://127.0.0.1:{}/", free_port().unwrap());
    let loads = loads_of_a_crowd(&nobody, false).await;
    assert!((1..=NODES as u64).contains(&loads), "{loads} loads");
}

/// How many rows the database gave to ten thousand callers of one product.
async fn loads_of_a_crowd(redis: &str, is_up: bool) -> u64 {
    let store = Store::start(Postgres::config()).await;
    let database = store.primary().url(DATABASE);
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let node = Inside::start(&database, redis, "crowd:", BUDGET).await;
        node.is_anchored().await;
        if is_up {
            node.has_redis().await;
        }
        nodes.push(node);
    }
    store.count_anew().await;
    let id = "7".parse().unwrap();
    let mut callers = JoinSet::new();
    for (caller, node) in (0..CALLERS).zip(nodes.iter().cycle()) {
        let (shop, id) = (node.shop.clone(), Clone::clone(&id));
        callers.spawn(async move {
            let answer = shop.products.by_id(&id, Options::default()).await;
            let product = answer.unwrap().into_shared().unwrap();
            assert_eq!(product.id.as_str(), "7", "caller {caller}");
        });
    }
    callers.join_all().await;
    let loads = store.rows_loaded().await;
    for node in nodes {
        node.stop().await;
    }
    loads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_clients_of_three_nodes_make_one_load() {
    let scene = scene("stampede").await;
    for node in &scene.nodes {
        scene.sees_redis(node).await;
    }
    let (loads, ways) = loads_of_clients(&scene).await;
    assert_eq!(loads, 1, "{ways:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_six_hundred_clients_make_one_load_for_each_node() {
    let scene = scene("stampede without Redis").await;
    scene.redis.kill();
    let (loads, ways) = loads_of_clients(&scene).await;
    assert!((1..=NODES as u64).contains(&loads), "{loads}: {ways:?}");
}

async fn scene(name: &'static str) -> Scene {
    Scene::begin(Plan {
        nodes: NODES,
        writers: 0,
        readers_of_each: 0,
        budget: Some(BUDGET),
        ..Plan::new(name)
    })
    .await
}

/// How many rows the database gave to six hundred clients of one product, and how the answers came
/// about.
async fn loads_of_clients(scene: &Scene) -> (u64, BTreeMap<String, usize>) {
    scene.store.count_anew().await;
    let mut clients = JoinSet::new();
    for (_, node) in (0..CLIENTS).zip(scene.nodes.iter().cycle()) {
        let target = node.target().unwrap();
        clients.spawn(async move {
            let answer = target.get("/v1/products/9").await.unwrap();
            assert!(answer.status.is_success(), "{}", answer.text());
            answer.header("cache-status").unwrap().to_owned()
        });
    }
    let mut ways = BTreeMap::new();
    for way in clients.join_all().await {
        *ways.entry(way).or_default() += 1;
    }
    (scene.store.rows_loaded().await, ways)
}
