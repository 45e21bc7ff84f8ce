//! A Redis Cluster.

use super::config::{Config, Role};
use super::replicated::is_following;
use super::reply::Reply;
use super::server::Redis;
use crate::deadline::eventually;
use crate::error::{Error, Result};
use crate::process::READY_WITHIN;

/// How many slots a cluster has.
const SLOTS: usize = 16_384;

/// How many masters ours has.
const MASTERS: usize = 3;

/// Three masters with a third of the slots each, and maybe replicas.
#[derive(Debug)]
pub struct Cluster {
    /// The masters at the start, in the order of their slots, then the replicas in the order of
    /// their masters.
    pub nodes: Vec<Redis>,
}

/// A slot on its way from one node to another.
#[derive(Debug)]
pub struct Move<'a> {
    cluster: &'a Cluster,
    from: &'a Redis,
    slot: String,
    port: u16,
    to_id: String,
}

impl Move<'_> {
    /// Moves the keys that the slot has now.
    ///
    /// # Errors
    /// A node refuses.
    pub async fn keys(&self) -> Result<()> {
        loop {
            let some = ["CLUSTER", "GETKEYSINSLOT", &self.slot, "100"];
            let keys = self.from.cmd(&some).await?;
            if keys.items().is_empty() {
                return Ok(());
            }
            let port = self.port.to_string();
            let mut command: Vec<String> =
                ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE"]
                    .map(str::to_owned)
                    .to_vec();
            if let Some(password) = self.from.password() {
                command.extend(["AUTH".to_owned(), password.to_owned()]);
            }
            command.push("KEYS".to_owned());
            command.extend(keys.items().iter().filter_map(Reply::text));
            self.from.cmd(&command).await?;
        }
    }

    /// Tells every node that the slot has moved.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub async fn finish(self) -> Result<()> {
        self.keys().await?;
        let command = ["CLUSTER", "SETSLOT", &self.slot, "NODE", &self.to_id];
        let is_to = |node: &&Redis| node.port() == self.port;
        // The new owner first: between the two nobody would have it.
        let nodes = self.cluster.nodes.iter();
        let (to, others): (Vec<_>, Vec<_>) = nodes.partition(is_to);
        for node in to.into_iter().chain(others) {
            if node.pid().is_some() && node.info("role").await? == "master" {
                node.cmd(&command).await?;
            }
        }
        Ok(())
    }
}

async fn my_id(node: &Redis) -> Result<String> {
    Ok(node.cmd(&["CLUSTER", "MYID"]).await?.to_string())
}

/// The options of a [`Cluster`].
#[derive(Clone, Debug, Default)]
pub struct ClusterConfig {
    node: Config,
    has_replicas: bool,
}

impl Cluster {
    /// Starts three masters.
    ///
    /// # Errors
    /// A node does not come up, or they do not find each other.
    pub async fn start() -> Result<Self> {
        Self::config().start().await
    }

    /// The options of a cluster to start.
    pub fn config() -> ClusterConfig {
        ClusterConfig::default()
    }

    /// The URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The node that serves this key now.
    ///
    /// # Errors
    /// No node knows one.
    pub async fn owner_of(&self, key: &str) -> Result<&Redis> {
        for node in self.nodes.iter().filter(|node| node.pid().is_some()) {
            let slot = node.cmd(&["CLUSTER", "KEYSLOT", key]).await?.int();
            let ranges = node.cmd(&["CLUSTER", "SLOTS"]).await?;
            let owner = ranges
                .items()
                .iter()
                .find_map(|range| owner_in(range, slot?));
            let found = owner.and_then(|port| {
                self.nodes
                    .iter()
                    .find(|node| i64::from(node.port()) == port)
            });
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(Error::new(format!("no node serves the slot of {key}")))
    }

    /// Makes a replica the master of its slots, without asking anybody.
    ///
    /// # Errors
    /// It refuses, or is not believed within 20 s.
    pub async fn take_over(&self, replica: &Redis) -> Result<()> {
        replica.cmd(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await?;
        eventually(READY_WITHIN, || async {
            replica
                .info("role")
                .await
                .is_ok_and(|role| role == "master")
        })
        .await
        .map_err(|_| failed("a replica does not take over", replica))?;
        self.is_ok().await
    }

    /// Begins to move the slot of this key: new keys of it are for the other node from now on.
    ///
    /// # Errors
    /// A node refuses.
    pub async fn begin_to_move(&self, key: &str, to: &Redis) -> Result<Move<'_>> {
        let from = self.owner_of(key).await?;
        let slot = from.cmd(&["CLUSTER", "KEYSLOT", key]).await?.to_string();
        let [from_id, to_id] = [my_id(from).await?, my_id(to).await?];
        let begin = ["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id];
        to.cmd(&begin).await?;
        let begin = ["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id];
        from.cmd(&begin).await?;
        let port = to.port();
        Ok(Move {
            cluster: self,
            from,
            slot,
            port,
            to_id,
        })
    }

    /// Waits until every node that runs says that all slots are served.
    ///
    /// # Errors
    /// It takes more than 20 s.
    pub async fn is_ok(&self) -> Result<()> {
        for node in self.nodes.iter().filter(|node| node.pid().is_some()) {
            eventually(READY_WITHIN, || serves_all(node))
                .await
                .map_err(|_| failed("the cluster is not ok", node))?;
        }
        Ok(())
    }
}

impl ClusterConfig {
    /// The options of each node.
    pub fn node(mut self, config: Config) -> Self {
        self.node = config;
        self
    }

    /// One replica for each master.
    pub fn replicas(mut self) -> Self {
        self.has_replicas = true;
        self
    }

    /// Starts it and waits until every node serves.
    ///
    /// # Errors
    /// A node does not come up, or they do not find each other.
    pub async fn start(self) -> Result<Cluster> {
        let count = if self.has_replicas {
            2 * MASTERS
        } else {
            MASTERS
        };
        let mut nodes = Vec::new();
        for _ in 0..count {
            let config = self.node.clone().role(Role::ClusterNode);
            // Long enough for two busy cores, short enough to wait for a failover.
            nodes.push(config.set("cluster-node-timeout", 2000).start().await?);
        }
        let (masters, replicas) = nodes.split_at(MASTERS);
        share_slots(masters).await?;
        introduce(&nodes).await?;
        for (replica, master) in replicas.iter().zip(masters) {
            follow(replica, master).await?;
        }
        let cluster = Cluster { nodes };
        cluster.is_ok().await?;
        for replica in cluster.nodes.iter().skip(MASTERS) {
            is_following(replica).await?;
        }
        Ok(cluster)
    }
}

/// Gives each master its third. A cluster that is told so from the beginning need not vote.
async fn share_slots(masters: &[Redis]) -> Result<()> {
    for (index, master) in masters.iter().enumerate() {
        let first = index * SLOTS / masters.len();
        let end = (index + 1) * SLOTS / masters.len();
        let mut command = vec!["CLUSTER".to_owned(), "ADDSLOTS".to_owned()];
        command.extend((first..end).map(|slot| slot.to_string()));
        master.cmd(&command).await?;
        let epoch = (index + 1).to_string();
        master.cmd(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?;
    }
    Ok(())
}

/// Makes every node meet every other, which is faster than waiting for gossip.
async fn introduce(nodes: &[Redis]) -> Result<()> {
    for (index, node) in nodes.iter().enumerate() {
        for other in nodes.iter().skip(index + 1) {
            let port = other.port().to_string();
            node.cmd(&["CLUSTER", "MEET", "127.0.0.1", &port]).await?;
        }
    }
    for node in nodes {
        eventually(READY_WITHIN, || async {
            let known = cluster_info(node, "cluster_known_nodes").await;
            known == Some(nodes.len().to_string())
        })
        .await
        .map_err(|_| failed("a node does not find the others", node))?;
    }
    Ok(())
}

async fn follow(replica: &Redis, master: &Redis) -> Result<()> {
    let id = my_id(master).await?;
    // Refused until the replica knows that the other is a master, which gossip tells it.
    eventually(READY_WITHIN, || async {
        replica.cmd(&["CLUSTER", "REPLICATE", &id]).await.is_ok()
    })
    .await
    .map_err(|_| failed("a replica does not find its master", replica))
}

async fn serves_all(node: &Redis) -> bool {
    cluster_info(node, "cluster_state").await.as_deref() == Some("ok")
        && cluster_info(node, "cluster_slots_ok").await == Some(SLOTS.to_string())
}

async fn cluster_info(node: &Redis, field: &str) -> Option<String> {
    let info = node.cmd(&["CLUSTER", "INFO"]).await.ok()?.text()?;
    info.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .map(str::to_owned)
}

/// The port of the master of this range of `CLUSTER SLOTS`, if it has the slot.
fn owner_in(range: &Reply, slot: i64) -> Option<i64> {
    let [first, last, master, ..] = range.items() else {
        return None;
    };
    let has_slot = (first.int()?..=last.int()?).contains(&slot);
    has_slot.then(|| master.items().get(1)?.int()).flatten()
}

fn failed(what: &str, node: &Redis) -> Error {
    Error::new(format!("{what}; the log of one:\n{}", node.log()))
}
