//! The truth: transactions whose ids are given out before they commit, the value that they leave,
//! and what a crash does to both.

use crate::transactions::Transactions;

/// Values that one run can have.
const MOST_VALUES: usize = 6;

/// Stands for a value that is current still.
const CURRENT: u8 = u8::MAX;

/// A primary with its clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    /// The one clock of the model; nodes read it, and nothing depends on its distance from others.
    pub now: u8,
    pub incarnation: u8,
    pub begun: Transactions,
    pub committed: Transactions,
    /// Committed, aborted or dead: what a snapshot sees as settled.
    pub settled: Transactions,
    /// The committed writes that are not lost, in their order.
    writes: Vec<Write>,
    /// When each value that ever was ceased to be current.
    ended: [u8; MOST_VALUES],
    values: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Write {
    id: u8,
    value: u8,
}

impl Database {
    pub fn new() -> Self {
        Self {
            now: 0,
            incarnation: 0,
            begun: Transactions::default(),
            committed: Transactions::default(),
            settled: Transactions::default(),
            writes: Vec::new(),
            ended: [CURRENT; MOST_VALUES],
            values: 1,
        }
    }

    /// The next id, if there are fewer than `most` transactions.
    pub fn next_id(&self, most: u8) -> Option<u8> {
        let next = self.begun.highest().map_or(0, |id| id + 1);
        (next < most && usize::from(self.values) < MOST_VALUES).then_some(next)
    }

    pub fn running(&self) -> Transactions {
        self.begun.but(self.settled)
    }

    /// The value that a read finds now.
    pub fn value(&self) -> u8 {
        self.writes.last().map_or(0, |write| write.value)
    }

    pub fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Whether `value` was current at some instant at or after `since`.
    pub fn was_current(&self, value: u8, since: u8) -> bool {
        self.ended[usize::from(value)] >= since
    }

    pub fn is_current(&self, value: u8) -> bool {
        self.ended[usize::from(value)] == CURRENT
    }

    pub fn begin(&mut self, id: u8) {
        self.begun = self.begun.with(id);
    }

    pub fn abort(&mut self, id: u8) {
        self.settled = self.settled.with(id);
    }

    /// Commits a write; the value before it ends now.
    pub fn commit(&mut self, id: u8) {
        self.ended[usize::from(self.value())] = self.now;
        let value = self.values;
        self.values += 1;
        self.writes.push(Write { id, value });
        self.committed = self.committed.with(id);
        self.settled = self.settled.with(id);
    }

    /// Crash recovery, or the promotion of a standby that lacks the last commit. Ids above the
    /// last commit that survived are given out again.
    pub fn crash(&mut self, loses_last: bool) {
        if loses_last && let Some(lost) = self.writes.pop() {
            self.ended[usize::from(lost.value)] = self.now;
            self.ended[usize::from(self.value())] = CURRENT;
            self.committed = self.committed.but(Transactions::of(&[lost.id]));
        }
        self.settled = self
            .committed
            .highest()
            .map_or_else(Transactions::default, Transactions::up_to);
        self.begun = self.settled;
        self.incarnation += 1;
    }
}
