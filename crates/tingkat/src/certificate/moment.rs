//! What a node had seen at one moment, and what an entry has seen through it.

use super::position::Position;

/// What a node's cursor had seen, and since which epoch every accepted entry has seen it as well.
///
/// An entry that was accepted in an epoch has seen all that the node knew then: that no change of
/// its deps was among it is why it was accepted. So its certificate moves forward with its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) position: Position,
    pub(crate) since: u64,
}

/// What an entry has seen: its load, and what this node knew when it last accepted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) position: &'a Position,
    /// 0 when it was never accepted.
    pub(crate) accepted_in: u64,
}

impl Seen<'_> {
    pub(crate) fn was_accepted_since(self, epoch: u64) -> bool {
        self.accepted_in != 0 && epoch <= self.accepted_in
    }

    pub(crate) fn contains(self, moment: &Moment) -> bool {
        self.was_accepted_since(moment.since) || self.position.contains(&moment.position)
    }
}
