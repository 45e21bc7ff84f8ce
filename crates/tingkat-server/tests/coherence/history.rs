//! What was seen in a run: who wrote what when, who read what when, and what was wrong meanwhile.
//!
//! All times are of one machine's monotonic clock, so that they compare whoever took them.

use std::fmt;
use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;

/// A point on the machine's monotonic clock.
pub(crate) type At = Duration;

/// The monotonic clock.
pub(crate) fn now() -> At {
    Duration::from_nanos(SystemClock.now().as_nanos())
}

/// A product, by its place in the workload.
pub(crate) type Key = usize;

/// What a row shows: a counter that each write moves on, and a number that no other write has, not
/// even one that was rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Value {
    pub(crate) version: i64,
    pub(crate) stamp: i64,
}

/// Everything that the checker needs to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The staleness bound of every node.
    pub(crate) bound: Duration,
    /// The pause between two polls.
    pub(crate) poll: Duration,
    /// What each key was before the first write.
    pub(crate) first: Vec<Value>,
    pub(crate) writes: Vec<Write>,
    /// What the database was found to hold, by whoever looked at every row.
    pub(crate) findings: Vec<Finding>,
    pub(crate) reads: Vec<Read>,
    pub(crate) faults: Vec<Fault>,
    /// What the database counted, where loads are.
    pub(crate) loads: Option<Loads>,
}

/// How often values may be loaded, and how often rows were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loads {
    pub(crate) once: Once,
    /// Rows that the database gave to the loads of products.
    pub(crate) rows: u64,
    /// Those of them that are none of the workload's: the run asked for them itself.
    pub(crate) besides: u64,
}

/// Who loads a value once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once {
    /// All nodes together, as long as nothing is wrong: Redis is quick enough for every request.
    Together,
    /// Each node, whatever happens to Redis: what it loaded is in its memory.
    EachNode,
}

/// One row changed by one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) value: Value,
    /// What the row was under the transaction's lock.
    pub(crate) over: Value,
    /// When the end of the transaction was asked for.
    pub(crate) asked: At,
    pub(crate) outcome: Outcome,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The database said by then that it is committed.
    Committed(At),
    RolledBack,
    /// The connection ended before the answer came.
    Unknown,
}

/// Every row of the workload, as somebody found it while nobody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) at: At,
    pub(crate) rows: Vec<Value>,
    /// The database is another one than before: what it lacks is lost, and was current until now.
    pub(crate) is_other_database: bool,
}

/// One look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) node: usize,
    pub(crate) key: Key,
    pub(crate) how: How,
    pub(crate) started: At,
    pub(crate) ended: At,
    pub(crate) outcome: Result<Seen, Failed>,
}

/// What the reader asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Usual,
    /// With `Cache-Control: no-cache`: current when the request began.
    Validated,
    /// With the token of a write: that one or a later one.
    AtLeast(Value),
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) value: Value,
    /// It says that it may be stale.
    pub(crate) is_marked: bool,
    pub(crate) tier: Tier,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tier {
    Memory,
    Redis,
    /// A load that this reader led, which had asked Redis before or not.
    Source {
        asked_redis: bool,
    },
    /// A load that another reader led.
    Joined,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// An answer with this status.
    Status(u16),
    /// No answer at all.
    Unanswered,
}

/// Something that was wrong, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) harm: Harm,
    /// The node, if it is one node's fault.
    pub(crate) node: Option<usize>,
    pub(crate) from: At,
    /// By then it had taken effect.
    pub(crate) begun: At,
    /// Up to then it was in effect; some time up to `to` it was not any more.
    pub(crate) ending: At,
    pub(crate) to: At,
}

/// What a fault is an excuse for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Loads beside each other; nothing that a reader would see.
    Redis,
    /// The node can not reach the database: marks, and errors where it can have nothing to show.
    Database,
    /// The same for polls alone: marks and errors for those who have waited for a load, and errors
    /// for those who ask for a poll.
    Polls,
    /// Loads fail while the database is up, as where their connections are ended: no marks, and
    /// errors where the node has nothing that is current.
    Connections,
    /// The node stands still: marks, and errors where it has nothing to show or gave no answer.
    Node,
    /// The node is killed and begins anew, with nothing in memory: marks, and no answers.
    Killed,
    /// Everything is forgotten: nobody has anything.
    Forgotten,
    /// Loads take long and may be given up: errors and marks for those who have waited.
    Source,
    /// A table is seen without its rows: they are not found.
    Rows,
    /// Nothing at all.
    Nothing,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            key,
            how,
            started,
            ended,
            outcome,
        } = self;
        let took = ended.saturating_sub(*started);
        write!(
            f,
            "{started:?} node {node} reads key {key} ({how:?}), took {took:?}: "
        )?;
        match outcome {
            Err(failed) => write!(f, "{failed:?}"),
            Ok(seen) => {
                let mark = if seen.is_marked { ", marked" } else { "" };
                let Value { version, stamp } = seen.value;
                write!(f, "v{version} (#{stamp}) from {:?}{mark}", seen.tier)
            }
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            value,
            over,
            asked,
            outcome,
        } = self;
        write!(
            f,
            "{asked:?} key {key}: v{} (#{}) over v{} (#{}): {outcome:?}",
            value.version, value.stamp, over.version, over.stamp
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            node,
            from,
            to,
            ..
        } = self;
        match node {
            Some(node) => write!(f, "{from:?} to {to:?}: {name} (node {node})"),
            None => write!(f, "{from:?} to {to:?}: {name}"),
        }
    }
}
