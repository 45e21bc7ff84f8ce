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
use super::owed::Owed;

/// Where nodes write, each in a place of its own; where there are more of them, some take turns.
const PLACES: usize = 64;

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

/// The canaries of a node.
pub(super) struct Canaries {
    redis: Option<Arc<Redis>>,
    node: Node,
    keys: Vec<String>,
    own: usize,
    /// Counts what was written.
    n: u64,
    peers: Vec<Peer>,
    /// How long the last ones took, at worst; nothing before another node was heard of.
    took: Option<Duration>,
}

impl Canaries {
    pub(super) fn new(node: &Node, redis: Option<Arc<Redis>>, prefix: &str) -> Self {
        let keys = (0..PLACES).map(|place| format!("{prefix}canary:{place}"));
        Self {
            redis: redis.filter(|_| node.feed().is_some()),
            node: node.clone(),
            keys: keys.collect(),
            own: spread(node.id()),
            n: 0,
            peers: Vec::new(),
            took: None,
        }
    }

    /// Reads what others know, and writes what is known here. A Redis that fails tells nothing.
    pub(super) async fn exchange(&mut self, counts: &Counts, clock: &dyn Clock) {
        let Some(redis) = self.redis.clone().filter(|redis| redis.is_connected()) else {
            counts.owed(|owed| owed.retain(|_| false));
            self.took = None;
            return;
        };
        let Some((incarnation, position)) = counts.position() else {
            return;
        };
        let Ok(cells) = redis.get_many(&self.keys).await else {
            return;
        };
        self.own = free_place(self.own, self.node.id(), &cells);
        if let Some(key) = self.keys.get(self.own) {
            self.n += 1;
            let text = format!("{} {} {incarnation} {position}", self.node.id(), self.n);
            let cell = (key.clone(), Bytes::from(text), KEPT);
            let _ = redis.set_many(vec![cell]).await;
        }
        let now = clock.now();
        let cells: Vec<Bytes> = cells.into_iter().flatten().collect();
        for cell in &cells {
            self.read(cell, counts, now);
        }
        let is_there = |peer: &Peer| {
            let nodes = cells.iter().filter_map(|cell| parse(cell));
            nodes.into_iter().any(|(node, ..)| node == peer.node)
        };
        self.peers.retain(is_there);
        let is_alive = |peer: &Peer| peer.changed_at.is_some_and(|at| now.since(at) < ALIVE);
        let peers = &self.peers;
        let is_owed = |node: &str| peers.iter().any(|peer| peer.node == node && is_alive(peer));
        let settled = counts.owed(|owed| {
            owed.retain(is_owed);
            owed.settled()
        });
        // What took long once says nothing when nobody is there any more.
        let is_alone = !self.peers.iter().any(is_alive);
        self.took = settled.or(self.took).filter(|_| !is_alone);
    }

    fn read(&mut self, cell: &[u8], counts: &Counts, now: Tick) {
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
        counts.owe(Owed {
            node: node.to_owned(),
            incarnation,
            position,
            since: now,
        });
    }

    /// How it stands.
    pub(super) fn state(&self, counts: &Counts, clock: &dyn Clock) -> Canary {
        let Some(took) = self.took.filter(|_| self.redis.is_some()) else {
            return Canary::Silent;
        };
        let bound = self.node.feed().map(|feed| feed.bound).unwrap_or_default();
        let now = clock.now();
        let missing = counts.owed(|owed| owed.oldest()).map(|at| now.since(at));
        match missing.filter(|missing| *missing > bound) {
            Some(missing) => Canary::Missing(missing),
            None => Canary::Seen(took),
        }
    }
}

/// Where a node begins to look for a place; any spread will do.
fn spread(node: &str) -> usize {
    node.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    }) % PLACES
}

/// The place to write to: `own`, unless another node is there; then the next one that is free. What a
/// node wrote goes by itself when it is gone. Where none is free two nodes take turns.
fn free_place(own: usize, node: &str, cells: &[Option<Bytes>]) -> usize {
    let is_free = |place: usize| match cells.get(place) {
        Some(Some(cell)) => parse(cell).is_none_or(|(other, ..)| other == node),
        Some(None) | None => true,
    };
    let places = (0..PLACES).map(|step| (own + step) % PLACES);
    places
        .into_iter()
        .find(|place| is_free(*place))
        .unwrap_or(own)
}

/// `node n incarnation position`, as another node wrote it; whatever else is there is none.
fn parse(cell: &[u8]) -> Option<(&str, u64, Incarnation, Position)> {
    let text = std::str::from_utf8(cell).ok()?;
    let mut words = text.splitn(4, ' ');
    let (node, n) = (words.next()?, words.next()?.parse().ok()?);
    let (incarnation, position) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((node, n, incarnation, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(node: &str) -> Bytes {
        let incarnation = Incarnation::from_bytes([1; 16]);
        let position = Position::log_id(1);
        Bytes::from(format!("{node} 1 {incarnation} {position}"))
    }

    #[test]
    fn a_node_keeps_its_place_and_takes_none_of_another_one() {
        let mut cells = vec![None; PLACES];
        assert_eq!(free_place(63, "a", &cells), 63);
        cells[63] = Some(cell("a"));
        assert_eq!(free_place(63, "a", &cells), 63);
        // One whose name is spread to the same place goes on to the next.
        assert_eq!(free_place(63, "b", &cells), 0);
        cells[0] = Some(cell("c"));
        assert_eq!(free_place(63, "b", &cells), 1);
        // What nobody can read is nobody's.
        cells[0] = Some(Bytes::from_static(b"?"));
        assert_eq!(free_place(63, "b", &cells), 0);
        assert_eq!(free_place(5, "b", &vec![Some(cell("a")); PLACES]), 5);
        assert!(spread("shop-1") < PLACES);
    }
}
