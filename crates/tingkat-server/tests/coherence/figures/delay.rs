//! How long after a commit another node shows it, with hints and without.

use std::time::Duration;

use serde_json::json;
use tingkat_lab::{Method, Target};

use crate::history::{How, now};
use crate::node::Node;
use crate::readers;
use crate::scene::{Plan, Scene, TOKEN};
use crate::store::{SPARE, id};

/// Commits of each kind.
const COMMITS: usize = 200;

/// Between two commits, so that they meet every moment between two polls.
const PAUSE: Duration = Duration::from_millis(37);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure"]
async fn how_long_a_commit_takes_to_be_seen() {
    let scene = Scene::begin(Plan {
        nodes: 2,
        bound: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        writers: 0,
        readers_of_each: 0,
        ..Plan::new("delay")
    })
    .await;
    for node in &scene.nodes {
        scene.sees_redis(node).await;
    }
    let [writer, reader] = scene.nodes.as_slice() else {
        panic!("two nodes")
    };
    println!("psql:              {}", by_psql(&scene, reader).await);
    println!("a node, hints:     {}", by_node(writer, reader).await);
    scene.redis.kill();
    println!("a node, no hints:  {}", by_node(writer, reader).await);
}

/// Commits of somebody else, which no hint announces.
async fn by_psql(scene: &Scene, reader: &Node) -> String {
    let mut session = scene.store.session();
    let mut delays = Vec::new();
    for _ in 0..COMMITS {
        let update = format!(
            "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '{}' \
             RETURNING stock_quantity;",
            id(SPARE)
        );
        let stock = session.run(&update).await.unwrap().parse().unwrap();
        delays.push(until_seen(reader, stock).await);
        tokio::time::sleep(PAUSE).await;
    }
    shown(&mut delays)
}

/// Commits that a node makes for a customer.
async fn by_node(writer: &Node, reader: &Node) -> String {
    let target = writer.target().unwrap();
    let mut delays = Vec::new();
    for _ in 0..COMMITS {
        let stock = add_one(&target).await;
        delays.push(until_seen(reader, stock).await);
        tokio::time::sleep(PAUSE).await;
    }
    shown(&mut delays)
}

async fn add_one(target: &Target) -> i64 {
    let path = format!("/v1/products/{}", id(SPARE));
    let body = json!({ "stock_delta": 1 }).to_string();
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str())];
    let answer = target.send_with(Method::PATCH, &path, &headers, body).await;
    let answer = answer.unwrap();
    assert!(answer.status.is_success(), "{}", answer.text());
    let body = answer.json().unwrap();
    body.get("stock_quantity").unwrap().as_i64().unwrap()
}

/// How long it takes from now on until the node shows this stock.
async fn until_seen(node: &Node, stock: i64) -> Duration {
    let committed = now();
    let target = node.target().unwrap();
    loop {
        let read = readers::ask(&target, node.index, SPARE, How::Usual).await;
        let seen = read.outcome.unwrap();
        if seen.value.stamp == stock {
            return read.ended.saturating_sub(committed);
        }
    }
}

fn shown(delays: &mut [Duration]) -> String {
    delays.sort_unstable();
    let at = |share: usize| {
        let index = (delays.len() * share).div_ceil(100).saturating_sub(1);
        delays.get(index).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    };
    format!(
        "p50 {:.1} ms, p99 {:.1} ms of {} commits",
        at(50),
        at(99),
        delays.len()
    )
}
