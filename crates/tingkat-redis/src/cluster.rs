//! A cluster: a connection and breakers per node, and a map from slots to nodes that follows what
//! the nodes say.
//!
//! A node that is away costs its own keys and nobody else anything: they are misses at once. The
//! map is looked up in the background; a command follows redirects to nodes that are connected, and
//! waits for nothing. `docs/adr/0003` says why this is not the client's own cluster connection.

mod follow;
mod map;
mod node;
mod scatter;
mod view;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redis::{RedisError, Value};
use tingkat::error::{RemoteError, RemoteErrorKind};
use tingkat::ports::{Clock, Tick};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use self::map::Map;
use self::node::Node;
use crate::config::Config;
use crate::link::{Trouble, pong};
use crate::order::Order;
use crate::place::Place;
use crate::refusal::{self, Access};
use crate::state::State;

/// A command is sent on at most this often: to where a slot has gone, and to where it goes.
const MOST_REDIRECTS: usize = 3;

/// So many nodes that redirects name and the map does not are remembered.
const MOST_STRANGERS: usize = 16;

/// The answer of a server, or its complaint about the value, or why there is none.
pub(crate) type Answer = Result<Result<Value, RedisError>, RemoteError>;

pub(crate) struct Cluster {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    map: RwLock<Arc<Map>>,
    /// Places that redirects named and that are not in the map.
    strangers: Mutex<Vec<Place>>,
    /// Why the last look failed; nothing if it did not.
    blind: Mutex<Option<String>>,
    look: Notify,
    /// Told of every change of a node's state.
    heard: Arc<Notify>,
    /// Told of every change of the state.
    changed: Arc<Notify>,
    turn: AtomicUsize,
}

impl Cluster {
    pub(crate) fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            config,
            clock,
            tasks,
            map: RwLock::new(Arc::new(Map::empty())),
            strangers: Mutex::default(),
            blind: Mutex::default(),
            look: Notify::new(),
            heard: Arc::default(),
            changed,
            turn: AtomicUsize::new(0),
        }
    }

    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether at least one node can be asked.
    pub(crate) fn is_connected(&self) -> bool {
        self.map().nodes().iter().any(|node| node.is_usable())
    }

    /// Where its nodes are.
    pub(crate) fn places(&self) -> Vec<Place> {
        let map = self.map();
        map.nodes()
            .iter()
            .map(|node| node.place().clone())
            .collect()
    }

    /// A node that can be asked, another one each time.
    fn any(&self) -> Option<Arc<Node>> {
        let map = self.map();
        let usable: Vec<&Arc<Node>> = map.nodes().iter().filter(|node| node.is_usable()).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        usable
            .get(turn % usable.len().max(1))
            .map(|&node| Arc::clone(node))
    }

    /// Where a listener may connect to.
    pub(crate) fn somewhere(&self) -> Option<Place> {
        self.any().map(|node| node.place().clone())
    }

    /// Sends a command that any node can carry out.
    pub(crate) async fn call_any(&self, order: &Order) -> Result<Value, RemoteError> {
        let Some(node) = self.any() else {
            return Err(no_node());
        };
        let patience = self.config.response_timeout;
        node.call(Access::Read, order, false, patience)
            .await
            .map_err(|trouble| self.translate(&node, Access::Read, &trouble))
    }

    /// Whether any node answers to this PING.
    pub(crate) async fn ping(&self, order: &Order) -> Result<(), RemoteError> {
        let Some(node) = self.any() else {
            return Err(no_node());
        };
        let patience = self.config.response_timeout;
        let answer = node.call(Access::Read, order, false, patience).await;
        pong(answer).map_err(|trouble| self.translate(&node, Access::Read, &trouble))
    }

    /// Sends a command to the node that has the key, and to where that one says that it is.
    pub(crate) async fn call(&self, access: Access, key: &str, order: &Order) -> Answer {
        self.call_since(self.clock.now(), access, key, order).await
    }

    /// The same for what is left of the time since `sent_at`.
    async fn call_since(&self, sent_at: Tick, access: Access, key: &str, order: &Order) -> Answer {
        let Some(mut node) = self.map().owner(key.as_bytes()).map(Arc::clone) else {
            self.look.notify_one();
            return Err(self.part_away("no node serves the slot"));
        };
        let mut is_asking = false;
        for _ in 0..=MOST_REDIRECTS {
            if !node.allows(access) {
                return Err(self.translate(&node, access, &Trouble::Away));
            }
            let waited = self.clock.now().since(sent_at);
            let patience = self.config.response_timeout.saturating_sub(waited);
            let error = match node.call(access, order, is_asking, patience).await {
                Ok(value) => return Ok(Ok(value)),
                Err(Trouble::Failed(error)) => error,
                Err(Trouble::Away) => {
                    return Err(self.translate(&node, access, &Trouble::Away));
                }
            };
            if error.redirect_node().is_none() {
                return self.conclude(&node, access, error);
            }
            match self.follow(&node, &error) {
                Some((next, asking)) => (node, is_asking) = (next, asking),
                None => {
                    return Err(
                        self.part_away("the slot has moved to a node that is not connected yet")
                    );
                }
            }
        }
        Err(self.part_away("the nodes do not agree who serves the slot"))
    }

    /// An error about the value is for the caller; the others are about the node.
    fn conclude(&self, node: &Arc<Node>, access: Access, error: RedisError) -> Answer {
        if refusal::is_wrong_type(&error) {
            return Ok(Err(error));
        }
        if refusal::is_cluster_down(&error) || refusal::is_connection_gone(&error) {
            self.look.notify_one();
        }
        Err(self.translate(node, access, &Trouble::Failed(error)))
    }

    /// Where a redirect leads, and whether to ask there. One to a stranger leads nowhere for now.
    fn follow(&self, from: &Arc<Node>, error: &RedisError) -> Option<(Arc<Node>, bool)> {
        let (text, slot) = error.redirect_node()?;
        let is_moved = refusal::is_moved(error);
        if is_moved {
            self.look.notify_one();
        }
        // A node that does not know its own name is where we asked.
        let place = match text.strip_prefix(':') {
            Some(port) => Place::net(from.place().host()?, port.parse().ok()?),
            None => Place::parse(text, None)?,
        };
        let map = self.map();
        let Some(node) = map.nodes().iter().find(|node| *node.place() == place) else {
            let mut strangers = self
                .strangers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if strangers.len() < MOST_STRANGERS && !strangers.contains(&place) {
                strangers.push(place);
            }
            drop(strangers);
            self.look.notify_one();
            return None;
        };
        node.is_named();
        if is_moved {
            map.moved(slot, node);
        }
        Some((Arc::clone(node), !is_moved))
    }

    /// What trouble with one node is to the engine: as long as others are there, it is theirs alone.
    fn translate(&self, node: &Arc<Node>, access: Access, trouble: &Trouble) -> RemoteError {
        let (kind, why) = match trouble {
            Trouble::Away => (
                RemoteErrorKind::Disconnected,
                "it is not used now".to_owned(),
            ),
            Trouble::Failed(error) => (
                refusal::translate(error, access).kind(),
                refusal::describe(error),
            ),
        };
        let text = format!("{}: {why}", node.place());
        let map = self.map();
        let mut others = map.nodes().iter().filter(|other| !Arc::ptr_eq(other, node));
        let kind = if others.any(|other| other.allows(access)) {
            RemoteErrorKind::PartAway
        } else {
            kind
        };
        RemoteError::new(kind, text)
    }

    fn part_away(&self, why: &str) -> RemoteError {
        if self.is_connected() {
            RemoteError::new(RemoteErrorKind::PartAway, why)
        } else {
            no_node()
        }
    }

    pub(crate) fn state(&self) -> State {
        let map = self.map();
        let blind = self
            .blind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let nodes = map.nodes();
        if nodes.is_empty() {
            return blind.map_or(State::Connecting, State::Down);
        }
        let mut lines: Vec<String> = nodes.iter().filter_map(|node| node.trouble()).collect();
        if map.unserved() > 0 {
            lines.push(format!("{} slots have no node", map.unserved()));
        }
        let usable = nodes.iter().filter(|node| node.is_usable()).count();
        if usable == 0 {
            if nodes.iter().any(|node| node.is_connecting()) {
                return State::Connecting;
            }
            return State::Down(format!("no node of the cluster: {}", lines.join("; ")));
        }
        lines.extend(blind.map(|why| format!("the slots can not be looked up: {why}")));
        if nodes.iter().any(|node| node.is_connecting()) {
            lines.push("some nodes are being connected".to_owned());
        }
        if lines.is_empty() {
            return State::Up;
        }
        let count = nodes.len();
        State::Limited(format!("{usable} of {count} nodes: {}", lines.join("; ")))
    }

    /// Ends all connections, for good.
    pub(crate) fn close(&self) {
        for node in self.map().nodes() {
            node.stop.cancel();
        }
    }
}

fn no_node() -> RemoteError {
    let text = "no connection to any node of the cluster";
    RemoteError::new(RemoteErrorKind::Disconnected, text)
}
