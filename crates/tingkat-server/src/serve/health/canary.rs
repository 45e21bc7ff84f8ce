//! Whether what one node knows reaches the others.
//!
//! Each node writes down in Redis how far it has read the change log, and reads what the others wrote.
//! Whatever another node knew must be known here a bound later. No clock is compared with another,
//! and the database is asked for nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tingkat::Node;
use tingkat::certificate::{Incarnation, Position};
use tingkat::ports::{Clock, Remote as _, Tick};
use tingkat_health::Canary;
use tingkat_redis::Redis;

use super::Counts;

/// Where nodes write; two that share a place take turns.
const PLACES: u64 = 16;

/// What a node wrote stays so long.
const KEPT: Duration = Duration::from_mins(2);

/// A node that wrote nothing new for so long may be gone: what it knew may be of another life.
const ALIVE: Duration = Duration::from_mins(1);

/// Another node.
struct Peer {
    node: String,
    /// What it wrote last, and when that was new here; at first sight nobody knows how old it is.
    n: u64,
    changed_at: Option<Tick>,
}

/// What another node knew, and since when it is not known here.
struct Owed {
    node: String,
    incarnation: Incarnation,
    position: Position,
    since: Tick,
}

/// The canaries of a node.
pub(super) struct Canaries {
    redis: Option<Arc<Redis>>,
    node: Node,
    keys: Vec<String>,
    own: usize,
    /// Counts what was written.
    n: u64,
    peers: Vec<Peer>,
    owed: Vec<Owed>,
    /// How long the last ones took, at worst; nothing before another node was heard of.
    took: Option<Duration>,
}

impl Canaries {
    pub(super) fn new(node: &Node, redis: Option<Arc<Redis>>, prefix: &str) -> Self {
        let keys = (0..PLACES).map(|place| format!("{prefix}canary:{place}"));
        // Any spread will do.
        let own = node.id().bytes().fold(0_u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        }) % PLACES;
        Self {
            redis: redis.filter(|_| node.feed().is_some()),
            node: node.clone(),
            keys: keys.collect(),
            own: usize::try_from(own).unwrap_or(0),
            n: 0,
            peers: Vec::new(),
            owed: Vec::new(),
            took: None,
        }
    }

    /// Writes what is known here, and reads what others know. A Redis that fails tells nothing.
    pub(super) async fn exchange(&mut self, counts: &Counts, clock: &dyn Clock) {
        let Some(redis) = self.redis.clone().filter(|redis| redis.is_connected()) else {
            self.owed.clear();
            return;
        };
        let Some((incarnation, position)) = counts.position() else {
            return;
        };
        self.settle(incarnation, &position, clock);
        let Ok(cells) = redis.get_many(&self.keys).await else {
            return;
        };
        // Two nodes may have begun at the same place: who finds the other there makes room.
        let there = cells.get(self.own).and_then(Option::as_ref);
        if there.is_some_and(|cell| parse(cell).is_some_and(|(node, ..)| node != self.node.id())) {
            self.own = (self.own + 1) % self.keys.len().max(1);
        }
        if let Some(key) = self.keys.get(self.own) {
            self.n += 1;
            let text = format!("{} {} {incarnation} {position}", self.node.id(), self.n);
            let cell = (key.clone(), Bytes::from(text), KEPT);
            let _ = redis.set_many(vec![cell]).await;
        }
        let now = clock.now();
        let cells: Vec<Bytes> = cells.into_iter().flatten().collect();
        for cell in &cells {
            self.read(cell, now);
        }
        let is_there = |peer: &Peer| {
            cells
                .iter()
                .filter_map(|cell| parse(cell))
                .any(|(node, ..)| node == peer.node)
        };
        self.peers.retain(is_there);
        let is_alive = |peer: &Peer| peer.changed_at.is_some_and(|at| now.since(at) < ALIVE);
        let peers = &self.peers;
        self.owed.retain(|owed| {
            peers
                .iter()
                .any(|peer| peer.node == owed.node && is_alive(peer))
        });
        if let Some((incarnation, position)) = counts.position() {
            self.settle(incarnation, &position, clock);
        }
    }

    fn read(&mut self, cell: &[u8], now: Tick) {
        let Some((node, n, incarnation, position)) = parse(cell) else {
            return;
        };
        if node == self.node.id() {
            return;
        }
        match self.peers.iter_mut().find(|peer| peer.node == node) {
            None => {
                self.peers.push(Peer {
                    node: node.to_owned(),
                    n,
                    changed_at: None,
                });
                return;
            }
            Some(peer) if peer.n == n => return,
            Some(peer) => (peer.n, peer.changed_at) = (n, Some(now)),
        }
        self.took.get_or_insert(Duration::ZERO);
        // What it knew of another life of the log is nothing to wait for.
        self.owed
            .retain(|owed| owed.node != node || owed.incarnation == incarnation);
        if !self.owed.iter().any(|owed| owed.node == node) {
            self.owed.push(Owed {
                node: node.to_owned(),
                incarnation,
                position,
                since: now,
            });
        }
    }

    /// Takes off what is known here by now.
    fn settle(&mut self, incarnation: Incarnation, position: &Position, clock: &dyn Clock) {
        let now = clock.now();
        let poll_age = self.node.feed().and_then(|feed| feed.poll_age);
        let known_at = now.before(poll_age.unwrap_or_default());
        let mut worst = None;
        self.owed.retain(|owed| {
            // Of another life of the log only time tells whether this node follows.
            let is_known = owed.incarnation == incarnation && position.contains(&owed.position);
            if is_known {
                // The last poll has it, if not an earlier one.
                worst = worst.max(Some(known_at.since(owed.since)));
            }
            !is_known
        });
        if worst.is_some() {
            self.took = worst;
        }
    }

    /// How it stands.
    pub(super) fn state(&self, clock: &dyn Clock) -> Canary {
        let Some(took) = self.took.filter(|_| self.redis.is_some()) else {
            return Canary::Silent;
        };
        let bound = self.node.feed().map(|feed| feed.bound).unwrap_or_default();
        let now = clock.now();
        let missing = self.owed.iter().map(|owed| now.since(owed.since)).max();
        match missing.filter(|missing| *missing > bound) {
            Some(missing) => Canary::Missing(missing),
            None => Canary::Seen(took),
        }
    }
}

/// `node n incarnation position`, as another node wrote it; whatever else is there is none.
fn parse(cell: &[u8]) -> Option<(&str, u64, Incarnation, Position)> {
    let text = std::str::from_utf8(cell).ok()?;
    let mut words = text.splitn(4, ' ');
    let (node, n) = (words.next()?, words.next()?.parse().ok()?);
    let (incarnation, position) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((node, n, incarnation, position))
}
