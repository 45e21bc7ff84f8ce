//! Following a cluster: looking up who has which slot, and taking that over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::join_all;

use super::map::Map;
use super::node::Node;
use super::view::{Blind, View};
use super::{Cluster, MOST_STRANGERS};
use crate::dial::dial;
use crate::link::{Expected, Link, Way};
use crate::place::Place;
use crate::refusal;
use crate::state::State;

/// The map is looked up this often when all is well, and when something is not.
const CALM: Duration = Duration::from_secs(10);
const TROUBLED: Duration = Duration::from_millis(500);

/// And never more often than this, however many redirects there are.
const BREATH: Duration = Duration::from_millis(100);

/// So many nodes are asked, and the youngest view is believed.
const MOST_ASKED: usize = 5;

/// A node that has no slot yet is kept this long after a redirect has named it.
const NAMED_FOR: Duration = Duration::from_secs(30);

impl Cluster {
    /// Follows the cluster until the servers turn out to be none: why.
    pub(crate) async fn keep(&self) -> String {
        if self.config.address.database() != 0 {
            self.set_blind(Some(refusal::NO_DATABASES.to_owned()));
            return futures::future::pending().await;
        }
        tokio::select! {
            why = self.look_up() => why,
            () = self.hear_nodes() => String::new(),
        }
    }

    /// A node that went may have an heir, and one that came slots.
    async fn hear_nodes(&self) {
        loop {
            self.heard.notified().await;
            self.changed.notify_one();
            if self.state() != State::Up {
                self.look.notify_one();
            }
        }
    }

    /// Looks up the slots until the servers turn out to be no cluster: why.
    async fn look_up(&self) -> String {
        loop {
            match self.view().await {
                Ok(view) => {
                    self.set_blind(None);
                    self.apply(&view);
                }
                Err(Blind::NoCluster(why)) if self.map().nodes().is_empty() => {
                    self.set_blind(Some(why.clone()));
                    return why;
                }
                Err(Blind::NoCluster(why) | Blind::Failed(why)) => self.set_blind(Some(why)),
            }
            self.clock.sleep(BREATH).await;
            let until = if self.state() == State::Up {
                CALM
            } else {
                TROUBLED
            };
            tokio::select! {
                () = self.look.notified() => {}
                () = self.clock.sleep(until) => {}
            }
        }
    }

    fn set_blind(&self, why: Option<String>) {
        let mut blind = self.blind.lock().unwrap_or_else(PoisonError::into_inner);
        if *blind != why {
            *blind = why;
            drop(blind);
            self.changed.notify_one();
        }
    }

    /// The youngest view of some nodes; of those that are connected, if they have one.
    async fn view(&self) -> Result<View, Blind> {
        let map = self.map();
        let connected: Vec<&Arc<Node>> = map
            .nodes()
            .iter()
            .filter(|node| node.link().is_connected())
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % connected.len().max(1);
        let turns = connected.iter().cycle().skip(turn).take(connected.len());
        let asked = turns.take(MOST_ASKED).map(|node| async move {
            let Some((_, mut connection)) = node.link().connection() else {
                return Err(Blind::Failed("it is away".to_owned()));
            };
            let patience = self.config.response_timeout;
            View::ask(&mut connection, node.place(), &self.config, patience).await
        });
        let views = join_all(asked).await.into_iter().flatten();
        // One that was made to forget the cluster knows of no slot.
        let views = views.filter(|view| !view.ranges.is_empty());
        if let Some(view) = views.max_by_key(|view| view.epoch) {
            return Ok(view);
        }
        self.view_of_strangers(&map).await
    }

    /// The view of the first server that answers, of those that we were told of or knew once.
    async fn view_of_strangers(&self, map: &Map) -> Result<View, Blind> {
        let mut places = self.config.address.places().to_vec();
        for node in map.nodes() {
            if !places.contains(node.place()) {
                places.push(node.place().clone());
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % places.len().max(1);
        places.rotate_left(turn);
        let mut blind = Blind::Failed("there is no server to connect to".to_owned());
        for place in places {
            let config = &self.config;
            let view = match dial(&place, &config.address, config, |_| ()).await {
                Ok(mut connection) => {
                    View::ask(&mut connection, &place, config, config.connect_timeout).await
                }
                Err(why) => Err(Blind::Failed(why)),
            };
            blind = match view {
                Ok(view) if view.ranges.is_empty() => Blind::Failed(format!(
                    "{place}: the cluster has given its slots to no node"
                )),
                Ok(view) => return Ok(view),
                Err(Blind::Failed(why)) => Blind::Failed(format!("{place}: {why}")),
                Err(Blind::NoCluster(why)) => Blind::NoCluster(format!("{place}: {why}")),
            };
        }
        Err(blind)
    }

    /// Takes over a view: nodes stay with their connections, others come and go.
    fn apply(&self, view: &View) {
        let old = self.map();
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut places: Vec<Place> = view.places().into_iter().cloned().collect();
        let named = old
            .nodes()
            .iter()
            .filter(|node| node.was_named_within(NAMED_FOR))
            .map(|node| node.place().clone());
        let strangers = std::mem::take(&mut *strangers);
        for place in named.chain(strangers).take(MOST_STRANGERS) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let nodes = places.into_iter().map(|place| self.node(&old, place));
        let map = Arc::new(Map::new(view, nodes.collect()));
        map.share_out_write_keys(&self.config);
        for node in old.nodes() {
            if !map.nodes().iter().any(|kept| Arc::ptr_eq(kept, node)) {
                node.stop.cancel();
            }
        }
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
        self.changed.notify_one();
    }

    fn node(&self, old: &Map, place: Place) -> Arc<Node> {
        if let Some(node) = old.nodes().iter().find(|node| *node.place() == place) {
            return Arc::clone(node);
        }
        let link = Link::new(
            Arc::clone(&self.config),
            Arc::clone(&self.clock),
            Way::Fixed(vec![place.clone()]),
            Expected::ClusterNode,
            Arc::clone(&self.heard),
        );
        let node = Arc::new(Node::new(
            place,
            link,
            Arc::clone(&self.config),
            Arc::clone(&self.clock),
            Arc::clone(&self.heard),
        ));
        self.tasks.spawn(Arc::clone(&node).keep());
        node
    }
}
