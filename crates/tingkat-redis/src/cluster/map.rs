//! Which node of a cluster has which slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::node::Node;
use super::view::{SLOTS, View};
use crate::config::Config;

/// Stands for a slot that no node has.
const NOBODY: u16 = u16::MAX;

/// The slots and nodes as of the last look, with what redirects have taught since.
pub(super) struct Map {
    /// For each slot the place of its node in the list.
    slots: Box<[AtomicU16]>,
    nodes: Vec<Arc<Node>>,
    unserved: usize,
}

impl Map {
    /// The map before the first look.
    pub(super) fn empty() -> Self {
        Self::new(&View::default(), Vec::new())
    }

    /// `nodes` are those of the view, and maybe others that have no slot yet.
    pub(super) fn new(view: &View, nodes: Vec<Arc<Node>>) -> Self {
        let slots: Box<[AtomicU16]> = (0..SLOTS).map(|_| AtomicU16::new(NOBODY)).collect();
        for (range, place) in &view.ranges {
            let owner = nodes.iter().position(|node| node.place() == place);
            let owner = owner.and_then(|owner| u16::try_from(owner).ok());
            for slot in slots.get(range.clone()).into_iter().flatten() {
                slot.store(owner.unwrap_or(NOBODY), Ordering::Relaxed);
            }
        }
        let served = slots
            .iter()
            .filter(|slot| slot.load(Ordering::Relaxed) != NOBODY);
        Self {
            unserved: slots.len() - served.count(),
            slots,
            nodes,
        }
    }

    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The slots that nobody had at the last look.
    pub(super) const fn unserved(&self) -> usize {
        self.unserved
    }

    /// The node that has a key.
    pub(super) fn owner(&self, key: &[u8]) -> Option<&Arc<Node>> {
        let owner = self.slots.get(slot_of(key))?.load(Ordering::Relaxed);
        self.nodes.get(usize::from(owner))
    }

    /// Tells each node a key of its own to probe its writes with.
    pub(super) fn share_out_write_keys(&self, config: &Config) {
        let mut left = self.nodes.len();
        for node in &self.nodes {
            let is_own = |key: &String| {
                self.owner(key.as_bytes())
                    .is_some_and(|owner| Arc::ptr_eq(owner, node))
            };
            let key = node.write_key().filter(is_own);
            left -= usize::from(key.is_some());
            node.set_write_key(key);
        }
        // A node without slots finds none; one with a single slot may not either.
        for number in 0..SLOTS {
            if left == 0 {
                break;
            }
            let key = format!("{}{number}", config.scratch_key());
            let owner = self.owner(key.as_bytes());
            if let Some(owner) = owner.filter(|owner| owner.write_key().is_none()) {
                owner.set_write_key(Some(key));
                left -= 1;
            }
        }
    }

    /// Takes in where a slot has moved to, if it is a node that we know.
    pub(super) fn moved(&self, slot: u16, node: &Arc<Node>) {
        let owner = self.nodes.iter().position(|known| Arc::ptr_eq(known, node));
        if let (Some(slot), Some(owner)) = (self.slots.get(usize::from(slot)), owner) {
            // Any mixture of old and new owners is corrected by the nodes themselves.
            slot.store(u16::try_from(owner).unwrap_or(NOBODY), Ordering::Relaxed);
        }
    }
}

/// The slot of a key. Only what is between the first `{` and the next `}` counts, if anything is.
pub(super) fn slot_of(key: &[u8]) -> usize {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let length = rest.iter().position(|&byte| byte == b'}')?;
        rest.get(..length).filter(|tag| !tag.is_empty())
    });
    usize::from(crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key))) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_slot_that_the_specification_gives_it() {
        assert_eq!(slot_of(b"123456789"), 0x31C3);
        // As redis-cli CLUSTER KEYSLOT says.
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"{foo}bar"), 12_182);
        assert_eq!(slot_of(b"a{foo}b{x}"), 12_182);
        assert_eq!(slot_of(b"{}foo"), slot_of(b"{}foo"));
        assert_ne!(slot_of(b"{}foo"), slot_of(b""));
    }
}
