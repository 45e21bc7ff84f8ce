//! How long after a commit another node shows it, with hints and without.

use std::time::Duration;

use serde_json::json;
use tingkat_lab::{Method, Target};
use tingkat_testkit::figures::{self, Limit};

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
    // Nothing announces these, so that they are seen by the poll alone.
    let delays = by_psql(&scene, reader).await;
    println!("{}", delays.told("psql", Some(60.0), 130.0));
    let delays = by_node(writer, reader).await;
    println!("{}", delays.told("a node, hints", None, 15.0));
    scene.redis.kill();
    let delays = by_node(writer, reader).await;
    println!("{}", delays.told("a node, no hints", Some(60.0), 130.0));
}

/// From the commit to the first answer that shows it, the shortest first.
struct Delays(Vec<Duration>);

impl Delays {
    fn of(mut delays: Vec<Duration>) -> Self {
        delays.sort_unstable();
        Self(delays)
    }

    fn ms_at(&self, share: usize) -> f64 {
        let index = (self.0.len() * share).div_ceil(100).saturating_sub(1);
        self.0.get(index).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    }

    /// In words, and noted beside what they shall be at most, in milliseconds.
    fn told(&self, who: &str, p50: Option<f64>, p99: f64) -> String {
        let [half, most] = [50, 99].map(|share| self.ms_at(share));
        let commits = self.0.len();
        let what = format!("commit to visible on another node, written by {who}");
        if let Some(p50) = p50 {
            figures::target(&format!("{what}, p50"), half, "ms", Limit::AtMost(p50));
        }
        figures::target(&format!("{what}, p99"), most, "ms", Limit::AtMost(p99));
        format!("{who:<18} p50 {half:.1} ms, p99 {most:.1} ms of {commits} commits")
    }
}

/// Commits of somebody else, which no hint announces.
async fn by_psql(scene: &Scene, reader: &Node) -> Delays {
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
    Delays::of(delays)
}

/// Commits that a node makes for a customer.
async fn by_node(writer: &Node, reader: &Node) -> Delays {
    let target = writer.target().unwrap();
    let mut delays = Vec::new();
    for _ in 0..COMMITS {
        let stock = add_one(&target).await;
        delays.push(until_seen(reader, stock).await);
        tokio::time::sleep(PAUSE).await;
    }
    Delays::of(delays)
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
