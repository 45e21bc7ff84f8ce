//! How long after a commit another node shows it, with hints and without.

use std::time::Duration;

use serde_json::json;
use tingkat_lab::{Method, Target};
use tingkat_testkit::figures::{self, Limit};

use crate::chance::Chance;
use crate::environment::seed;
use crate::history::{How, now};
use crate::node::Node;
use crate::readers;
use crate::scene::{Plan, Scene, TOKEN};
use crate::store::{SPARE, id};

/// Commits of each kind.
const COMMITS: usize = 200;

const POLL: Duration = Duration::from_millis(100);

/// Between two commits at most. Each waits for the poll that showed the one before it, so only a
/// pause by chance, over whole intervals, has them meet every moment between two polls alike.
const PAUSE: Duration = POLL.saturating_mul(2);

const TABLE: &str = "commit to visible on another node";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure"]
async fn how_long_a_commit_takes_to_be_seen() {
    let scene = Scene::begin(Plan {
        nodes: 2,
        bound: Duration::from_secs(1),
        poll: POLL,
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
    let mut chance = Chance::of(seed(), 0);
    // The node whose poll sees them first announces them to the other.
    by_psql(&scene, reader, &mut chance)
        .await
        .are_told("psql, announced by the node that sees it first");
    by_node(writer, reader, &mut chance)
        .await
        .are_judged("a node, hints", None, 15.0);
    // From here on nothing announces anything: a commit is seen by the reader's own poll alone.
    scene.redis.kill();
    by_psql(&scene, reader, &mut chance)
        .await
        .are_judged("psql, no hints", Some(60.0), 130.0);
    by_node(writer, reader, &mut chance)
        .await
        .are_judged("a node, no hints", Some(60.0), 130.0);
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

    /// Prints and notes them.
    #[expect(clippy::print_stdout, reason = "a figure is for people")]
    fn are_told(&self, who: &str) {
        let [half, most] = [50, 99].map(|share| format!("{:.1} ms", self.ms_at(share)));
        println!("{who}: p50 {half}, p99 {most} of {} commits", self.0.len());
        figures::row(TABLE, who, &[("p50", half), ("p99", most)]);
    }

    /// The same, beside what they shall be at most, in milliseconds.
    fn are_judged(&self, who: &str, p50: Option<f64>, p99: f64) {
        self.are_told(who);
        let what = format!("{TABLE}, written by {who}");
        if let Some(p50) = p50 {
            let limit = Limit::AtMost(p50);
            figures::target(&format!("{what}, p50"), self.ms_at(50), "ms", limit);
        }
        let limit = Limit::AtMost(p99);
        figures::target(&format!("{what}, p99"), self.ms_at(99), "ms", limit);
    }
}

/// Commits of somebody else, who announces nothing.
async fn by_psql(scene: &Scene, reader: &Node, chance: &mut Chance) -> Delays {
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
        tokio::time::sleep(chance.up_to(PAUSE)).await;
    }
    Delays::of(delays)
}

/// Commits that a node makes for a customer.
async fn by_node(writer: &Node, reader: &Node, chance: &mut Chance) -> Delays {
    let target = writer.target().unwrap();
    let mut delays = Vec::new();
    for _ in 0..COMMITS {
        let stock = add_one(&target).await;
        delays.push(until_seen(reader, stock).await);
        tokio::time::sleep(chance.up_to(PAUSE)).await;
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
