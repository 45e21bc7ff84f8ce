//! Whether answers come from Redis, asked with products that nobody else reads: what one node has
//! loaded the others find in Redis, or not.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use tingkat_testkit::redis::{Cluster, Reply};

use crate::history::{How, Key, Tier, now};
use crate::node::PATIENCE;
use crate::reach::Remote;
use crate::readers;
use crate::scene::{Ongoing, PREFIX, Scene};
use crate::store::{KEYS, id};

/// Answers come from Redis again so soon after the end of a fault.
pub(crate) const AGAIN: Duration = Duration::from_secs(5);

/// Between two questions to one shard.
const PACE: Duration = Duration::from_millis(50);

/// Products that are asked for, each once: more than there are questions in a run.
const PRODUCTS: usize = 900;

/// Products to ask for, by where their cells are.
pub(crate) struct Probes {
    shards: Vec<Mutex<Vec<Key>>>,
}

impl Probes {
    /// For a Redis that has all cells in one place.
    pub(crate) fn of_one_place() -> Self {
        Self::of([(KEYS..KEYS + PRODUCTS).collect()])
    }

    /// For a cluster, by the node that has the cells now.
    pub(crate) async fn of_each_node(cluster: &Cluster) -> Self {
        let mut shards = vec![Vec::new(); cluster.nodes.len()];
        let stem = stem(cluster).await;
        for key in KEYS..KEYS + PRODUCTS {
            let owner = cluster.owner_of(&format!("{stem}{}", id(key))).await;
            let port = owner.unwrap().port();
            let place = cluster.nodes.iter().position(|node| node.port() == port);
            shards.get_mut(place.unwrap()).unwrap().push(key);
        }
        // Replicas have none.
        Self::of(shards.into_iter().filter(|shard| !shard.is_empty()))
    }

    fn of(shards: impl IntoIterator<Item = Vec<Key>>) -> Self {
        Self {
            shards: shards.into_iter().map(Mutex::new).collect(),
        }
    }

    /// Takes so many products of these shards away, as a place of their own.
    pub(crate) fn split_off(&self, shards: &[usize], count: usize) -> (Self, Vec<Key>) {
        let mut taken = Vec::new();
        for shard in shards {
            let mut shard = self.shards.get(*shard).unwrap().lock().unwrap();
            let left = shard.len().checked_sub(count).unwrap();
            taken.append(&mut shard.split_off(left));
        }
        (Self::of([taken.clone()]), taken)
    }

    /// Ends a fault, and waits until every node answers from Redis for every shard again, which must
    /// be soon.
    pub(crate) async fn come_again<R: Remote>(&self, scene: &Scene<R>, fault: Ongoing) {
        scene.is_over(fault);
        self.answer_within(AGAIN, scene).await;
        scene.is_used_again(fault);
    }

    /// Waits until every node answers from Redis for every shard, however long that takes.
    pub(crate) async fn answer<R: Remote>(&self, scene: &Scene<R>) {
        self.answer_within(PATIENCE, scene).await;
    }

    async fn answer_within<R: Remote>(&self, within: Duration, scene: &Scene<R>) {
        let since = now();
        for shard in 0..self.shards.len() {
            let left = within.saturating_sub(now().saturating_sub(since));
            assert!(
                self.hit(shard, left, scene).await,
                "shard {shard} is not used within {within:?}:\n{}",
                scene.logs()
            );
        }
    }

    /// Whether every node answers from Redis for this shard within this time.
    pub(crate) async fn hit<R: Remote>(
        &self,
        shard: usize,
        within: Duration,
        scene: &Scene<R>,
    ) -> bool {
        let until = now() + within;
        let mut leader = 0;
        let mut waiting: BTreeSet<usize> = (0..scene.nodes.len()).collect();
        loop {
            for node in self.ask(shard, leader, scene).await {
                waiting.remove(&node);
            }
            if now() >= until {
                return false;
            }
            if waiting.is_empty() {
                return true;
            }
            leader = (leader + 1) % scene.nodes.len();
            scene.goes_on(PACE).await;
        }
    }

    /// Asks the nodes for a product of the shard, the leader first; those that had it from Redis.
    async fn ask<R: Remote>(&self, shard: usize, leader: usize, scene: &Scene<R>) -> Vec<usize> {
        let product = self.shards.get(shard).unwrap().lock().unwrap().pop();
        let product = product.unwrap_or_else(|| panic!("shard {shard} has no product left"));
        let mut hits = Vec::new();
        for place in 0..scene.nodes.len() {
            let node = (leader + place) % scene.nodes.len();
            let target = scene.nodes.get(node).unwrap().target().unwrap();
            let read = readers::ask(&target, node, product, How::Usual).await;
            let seen = read.outcome.ok().filter(|seen| !seen.is_marked);
            let seen = seen.unwrap_or_else(|| panic!("{read}\n{}", scene.logs()));
            match seen.tier {
                Tier::Redis => hits.push(node),
                Tier::Source { .. } => scene.has_loaded_besides(),
                Tier::Memory | Tier::Joined => {}
            }
        }
        hits
    }
}

/// What the cells of products begin with.
pub(crate) async fn stem(cluster: &Cluster) -> String {
    let cells = cells(cluster).await;
    let (stem, _) = cells.first().unwrap().rsplit_once(':').unwrap();
    format!("{stem}:")
}

/// The cells of products in a cluster.
pub(crate) async fn cells(cluster: &Cluster) -> Vec<String> {
    let pattern = format!("{PREFIX}c:product.*");
    let mut cells = Vec::new();
    for node in &cluster.nodes {
        let keys = node.cmd(&["KEYS", &pattern]).await.unwrap();
        cells.extend(keys.items().iter().filter_map(Reply::text));
    }
    cells
}
