//! What other nodes have seen of the change log, until it is known here.

use std::time::Duration;

use tingkat::certificate::{Incarnation, Position};
use tingkat::ports::Tick;

/// What another node knew, and since when it is not known here.
#[derive(Debug)]
pub(in crate::serve) struct Owed {
    pub(super) node: String,
    pub(super) incarnation: Incarnation,
    pub(super) position: Position,
    pub(super) since: Tick,
}

/// All of it.
#[derive(Debug, Default)]
pub(in crate::serve) struct OwedList {
    all: Vec<Owed>,
    /// How long what became known took, at worst, since somebody asked.
    settled: Option<Duration>,
}

impl OwedList {
    /// Takes in what a node knew; while something of it is not known here, that is what counts.
    pub(super) fn push(&mut self, owed: Owed) {
        // What it knew of another life of the log is nothing to wait for.
        self.all
            .retain(|it| it.node != owed.node || it.incarnation == owed.incarnation);
        if !self.all.iter().any(|it| it.node == owed.node) {
            self.all.push(owed);
        }
    }

    /// Takes off what is known here from now on.
    pub(super) fn settle(&mut self, incarnation: Incarnation, position: &Position, now: Tick) {
        let mut worst = self.settled;
        self.all.retain(|owed| {
            // Of another life of the log only time tells whether this node follows.
            let is_known = owed.incarnation == incarnation && position.contains(&owed.position);
            if is_known {
                worst = worst.max(Some(now.since(owed.since)));
            }
            !is_known
        });
        self.settled = worst;
    }

    /// How long what became known since the last question took, at worst.
    pub(super) const fn settled(&mut self) -> Option<Duration> {
        self.settled.take()
    }

    /// Since when something is not known here.
    pub(super) fn oldest(&self) -> Option<Tick> {
        self.all.iter().map(|owed| owed.since).min()
    }

    /// Waits for nodes no longer of which this is not so.
    pub(super) fn retain(&mut self, is_alive: impl Fn(&str) -> bool) {
        self.all.retain(|owed| is_alive(&owed.node));
    }
}
