//! What a node keeps, what is in Redis, and everything that can happen.

use crate::transactions::Transactions;

/// A value with its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub value: u8,
    pub seen: Transactions,
    pub incarnation: u8,
}

/// The cell of the key in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    Empty,
    Lease(u8),
    Value(Entry),
}

/// An entry in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub entry: Entry,
    /// For the node's own loads.
    pub loaded_at: Option<u8>,
    /// In the present epoch; else it may only stand in.
    pub is_accepted: bool,
}

/// What a node knows of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    pub incarnation: u8,
    pub cursor: Transactions,
    pub changes: Transactions,
    pub floor: Transactions,
    pub fresh_at: u8,
}

/// A poll on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Poll {
    None,
    Sent { at: u8 },
    Answered { at: u8, news: Known },
}

/// A load on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    None,
    Leased {
        token: u8,
    },
    /// One of the snapshot and the value is there; the rest of the entry is not.
    Half {
        token: u8,
        at: u8,
        entry: Entry,
    },
    Read {
        token: u8,
        at: u8,
        entry: Entry,
    },
    /// In memory; still to be written to Redis.
    Filling {
        token: u8,
        entry: Entry,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Nothing before the first poll.
    pub known: Option<Known>,
    pub memory: Option<Held>,
    pub poll: Poll,
    /// An answer of Redis on its way, and when its read started.
    pub answer: Option<(Entry, u8)>,
    pub load: Load,
}

impl Node {
    /// A node that knows the empty log.
    pub fn booted() -> Self {
        let known = Known {
            incarnation: 0,
            cursor: Transactions::default(),
            changes: Transactions::default(),
            floor: Transactions::default(),
            fresh_at: 0,
        };
        Self {
            known: Some(known),
            ..Self::started()
        }
    }

    /// A node that knows nothing yet.
    pub const fn started() -> Self {
        Self {
            known: None,
            memory: None,
            poll: Poll::None,
            answer: None,
            load: Load::None,
        }
    }
}

/// One step; the number is the node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Tick,
    Begin(u8),
    Commit(u8),
    Abort(u8),
    Crash,
    LoseLastCommit,
    Replicate,
    RedisFailover,
    Flush,
    Restart(usize),
    Poll(usize, PollStep),
    AskRedis(usize),
    TakeAnswer(usize),
    Load(usize, LoadStep),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PollStep {
    Send,
    Execute,
    Apply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadStep {
    Lease,
    BesideRedis,
    Snapshot,
    Read,
    EnterMemory,
    Fill,
    GiveUpFill,
}
