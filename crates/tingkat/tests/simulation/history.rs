//! What was seen in a run.

use std::fmt;
use std::time::Duration;

use tingkat::{GetErrorKind, Tier};

use crate::truth::{Row, Truth, Version};

/// Everything that the checker needs to know.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// How fast the clock of each node runs.
    pub(crate) rates: Vec<f64>,
    /// The staleness bound, in each node's own time.
    pub(crate) bound: Duration,
    /// The pause between two polls.
    pub(crate) poll: Duration,
    /// After so long a caller gets a stale value while the load goes on.
    pub(crate) patience: Duration,
    /// For how long a lease of a stopped node holds the others up.
    pub(crate) lease: Duration,
    /// There were no faults: every version is loaded once.
    pub(crate) is_calm: bool,
    /// Some loads need the change log: a node that can not read it fails them, for all that wait.
    pub(crate) has_own_loads: bool,
    /// Entities that are strict carry no mark at all.
    pub(crate) strict: Vec<&'static str>,
    pub(crate) truth: Truth,
    pub(crate) reads: Vec<Read>,
    pub(crate) loads: Vec<Load>,
    pub(crate) faults: Vec<Window>,
    /// When the last write and the last fault were over.
    pub(crate) quiet_since: Duration,
}

/// One read of one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Read {
    pub(crate) node: usize,
    pub(crate) entity: &'static str,
    pub(crate) key: &'static str,
    pub(crate) how: How,
    pub(crate) start: Duration,
    pub(crate) end: Duration,
    /// Rows that this caller must see as of an instant or later: own writes, and tokens.
    pub(crate) floors: Vec<(Row, Duration)>,
    pub(crate) seen: Result<Seen, Failed>,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            entity,
            how,
            start,
            floors,
            ..
        } = self;
        write!(f, "node {node} reads {entity} ({how:?}) since {start:?}: ")?;
        match &self.seen {
            Err(failed) => write!(f, "{failed:?}")?,
            Ok(seen) => {
                let mark = if seen.is_stale { ", marked" } else { "" };
                write!(f, "{:?} from {:?}{mark}", seen.rows, seen.tier)?;
            }
        }
        if !floors.is_empty() {
            write!(f, ", at least {floors:?}")?;
        }
        Ok(())
    }
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Failed {
    Overloaded,
    Deadline,
    Source,
    NotCurrent,
    NotCached,
    ShutDown,
}

impl From<GetErrorKind> for Failed {
    fn from(kind: GetErrorKind) -> Self {
        match kind {
            GetErrorKind::Overloaded { .. } => Self::Overloaded,
            GetErrorKind::Deadline => Self::Deadline,
            GetErrorKind::NotCurrent => Self::NotCurrent,
            GetErrorKind::NotCached => Self::NotCached,
            GetErrorKind::ShutDown => Self::ShutDown,
            _ => Self::Source,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) rows: Vec<(Row, Version)>,
    pub(crate) is_stale: bool,
    pub(crate) tier: Tier,
}

/// What the reader asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Get,
    Many,
    AtLeast,
    Validated,
    MaxAge(Duration),
    OwnLoad,
    /// When all is over: the newest version, and nothing else.
    Final,
}

/// One key in one call to the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Load {
    pub(crate) node: usize,
    pub(crate) entity: &'static str,
    pub(crate) key: &'static str,
    pub(crate) at: Duration,
    pub(crate) rows: Vec<(Row, Version)>,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node, entity, rows, ..
        } = self;
        write!(f, "node {node} loads {entity}: {rows:?}")
    }
}

/// A fault and how long it lasted, with what was on its way when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    pub(crate) fault: Fault,
    /// The node, if it is one node's fault.
    pub(crate) node: Option<usize>,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    HintsLost,
    HintsLate,
    HintsRepeated,
    HintsForged,
    RedisCut,
    RedisSlow,
    RedisLate,
    RedisReadOnly,
    RedisFlushed,
    RedisRestored,
    RedisRubbish,
    RedisOtherLog,
    RedisMixedUp,
    LogCut,
    LogSlow,
    LogLate,
    LogFailing,
    SourceSlow,
    SourceLate,
    SourceFailing,
    SourcePanicking,
    SourceHanging,
    Paused,
    Restarted,
    Killed,
    Compaction,
    Burst,
    Patterns,
    Crash,
    FailOver,
    Restore,
}

impl Fault {
    pub(crate) const ALL: [Self; 31] = [
        Self::HintsLost,
        Self::HintsLate,
        Self::HintsRepeated,
        Self::HintsForged,
        Self::RedisCut,
        Self::RedisSlow,
        Self::RedisLate,
        Self::RedisReadOnly,
        Self::RedisFlushed,
        Self::RedisRestored,
        Self::RedisRubbish,
        Self::RedisOtherLog,
        Self::RedisMixedUp,
        Self::LogCut,
        Self::LogSlow,
        Self::LogLate,
        Self::LogFailing,
        Self::SourceSlow,
        Self::SourceLate,
        Self::SourceFailing,
        Self::SourcePanicking,
        Self::SourceHanging,
        Self::Paused,
        Self::Restarted,
        Self::Killed,
        Self::Compaction,
        Self::Burst,
        Self::Patterns,
        Self::Crash,
        Self::FailOver,
        Self::Restore,
    ];

    /// The node can not follow the log.
    pub(crate) const fn cuts_log(self) -> bool {
        matches!(
            self,
            Self::LogCut | Self::LogSlow | Self::LogLate | Self::LogFailing
        )
    }

    /// The node's loads fail or take long.
    pub(crate) const fn hurts_source(self) -> bool {
        matches!(
            self,
            Self::SourceSlow
                | Self::SourceLate
                | Self::SourceFailing
                | Self::SourcePanicking
                | Self::SourceHanging
        )
    }

    /// The node's fills take long, or are refused: its leases stay until they end.
    pub(crate) const fn holds_up_fills(self) -> bool {
        matches!(
            self,
            Self::RedisCut | Self::RedisSlow | Self::RedisLate | Self::RedisReadOnly
        )
    }

    /// The node's leases may be left behind.
    pub(crate) const fn stops_node(self) -> bool {
        matches!(self, Self::Paused | Self::Restarted | Self::Killed)
    }

    /// The database forgets what it had acknowledged.
    pub(crate) const fn loses_commits(self) -> bool {
        matches!(self, Self::FailOver | Self::Restore)
    }
}
