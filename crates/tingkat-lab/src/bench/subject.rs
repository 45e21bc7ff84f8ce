//! What is measured: the port by which the generator asks it, and what it may answer.

use std::error::Error;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tingkat_faults::Control;

/// One thing that a customer, or the store, does. Keys are named by their place in the list of the
/// subject's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Looks one key up.
    Read(usize),
    /// Looks up a key that does not exist; the number tells such keys apart.
    Absent(usize),
    /// Looks up many keys at once.
    Batch(Vec<usize>),
    /// Writes one key, so that its version rises and nothing else changes.
    Write(usize),
    /// Writes many keys by one statement, as an import does.
    Import(Vec<usize>),
}

/// What kind of operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One key.
    Read,
    /// A key that does not exist.
    Absent,
    /// Many keys.
    Batch,
    /// A write.
    Write,
    /// A write of many keys.
    Import,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Read,
        Self::Absent,
        Self::Batch,
        Self::Write,
        Self::Import,
    ];

    /// Whether a customer wants to know something.
    pub(super) const fn is_look_up(self) -> bool {
        !matches!(self, Self::Write | Self::Import)
    }
}

impl Operation {
    /// What kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Read(_) => Kind::Read,
            Self::Absent(_) => Kind::Absent,
            Self::Batch(_) => Kind::Batch,
            Self::Write(_) => Kind::Write,
            Self::Import(_) => Kind::Import,
        }
    }

    /// How many keys it looks up.
    pub(super) fn looked_up(&self) -> u64 {
        match self {
            Self::Read(_) | Self::Absent(_) => 1,
            Self::Batch(keys) => u64::try_from(keys.len()).unwrap_or_default(),
            Self::Write(_) | Self::Import(_) => 0,
        }
    }
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The memory of the process.
    Memory,
    /// Redis.
    Redis,
    /// The database.
    Database,
    /// Nowhere, or it does not say.
    Unknown,
}

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A value, known to be current.
    Current,
    /// A value that is marked stale.
    Stale,
    /// There is no such thing.
    Absent,
    /// No answer.
    Error,
    /// An answer for another key than was asked for.
    Wrong,
}

impl State {
    /// Whether it is no answer to what was asked.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Error | Self::Wrong)
    }
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where the answer came from.
    pub tier: Tier,
    /// What it was.
    pub state: State,
    /// The version of the one thing that was read or written, where it has one.
    pub version: Option<i64>,
}

impl Outcome {
    /// An answer without a version.
    pub const fn new(tier: Tier, state: State) -> Self {
        Self {
            tier,
            state,
            version: None,
        }
    }

    /// No answer.
    pub const fn error() -> Self {
        Self::new(Tier::Unknown, State::Error)
    }

    /// This one, if it is for the key that was asked for.
    pub fn if_right(self, is_right: bool) -> Self {
        if is_right {
            return self;
        }
        Self::new(self.tier, State::Wrong)
    }

    /// Of many together: as far away as the farthest, wrong where one is, an error where one is, and stale
    /// where one is. What is absent among others is none of these.
    pub fn of_all(each: impl IntoIterator<Item = Self>) -> Self {
        let join = |one: Self, other: Self| {
            if one.state == State::Wrong || other.state == State::Wrong {
                return Self::new(one.tier.max(other.tier), State::Wrong);
            }
            if one.state == State::Error || other.state == State::Error {
                return Self::error();
            }
            let found = |state: State| state.min(State::Stale);
            let state = found(one.state).max(found(other.state));
            Self::new(one.tier.max(other.tier), state)
        };
        let worst = each.into_iter().reduce(join);
        let worst = worst.unwrap_or(Self::new(Tier::Memory, State::Absent));
        Self::new(worst.tier, worst.state)
    }
}

/// What came of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Of all of it.
    pub outcome: Outcome,
    /// The keys that were written, with their versions now.
    pub versions: Vec<(usize, i64)>,
}

impl Imported {
    /// Nothing was written.
    pub const fn failed() -> Self {
        Self {
            outcome: Outcome::error(),
            versions: Vec::new(),
        }
    }
}

/// What the tiers have when a phase begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Whatever is there.
    #[default]
    AsIs,
    /// Every key of the workload, in every tier that has room for it.
    Filled,
    /// Nothing in memory, as after a restart; Redis has every key of the workload.
    Restarted,
    /// Nothing at all.
    Empty,
}

/// Which tiers may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Those that are configured.
    #[default]
    All,
    /// Redis, and the database behind it.
    Redis,
    /// Those for which a caller waits: in process all behind memory, and over HTTP the whole service.
    Network,
    /// The database alone.
    Database,
}

/// How a subject is to be when a phase begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What the tiers have.
    pub start: Start,
    /// Which tiers may answer.
    pub way: Way,
    /// How much memory the entity may take, where that is not as configured.
    pub memory_bytes: Option<u64>,
    /// So many keys are used.
    pub keys: usize,
    /// Many are written by one statement.
    pub imports: bool,
    /// It is watched how long it takes until a write is seen.
    pub lag: bool,
}

/// What a subject counts by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Answers from memory.
    pub memory_hits: u64,
    /// Answers from Redis.
    pub redis_hits: u64,
    /// Statements sent to the database to load something.
    pub loads: u64,
    /// Keys that they asked for.
    pub loaded_keys: u64,
    /// Callers who joined the load of another.
    pub joined: u64,
    /// Entries that memory had no room for.
    pub evictions: u64,
    /// Calls of Redis that failed or took too long.
    pub redis_failures: u64,
    /// Keys that were refused because too many loads were waiting.
    pub overloads: u64,
    /// Entries in memory now.
    pub entries: u64,
    /// Bytes that they take.
    pub bytes: u64,
}

impl Counters {
    /// What was counted since; what is in memory now stays as it is.
    pub const fn since(self, before: Self) -> Self {
        Self {
            memory_hits: self.memory_hits.saturating_sub(before.memory_hits),
            redis_hits: self.redis_hits.saturating_sub(before.redis_hits),
            loads: self.loads.saturating_sub(before.loads),
            loaded_keys: self.loaded_keys.saturating_sub(before.loaded_keys),
            joined: self.joined.saturating_sub(before.joined),
            evictions: self.evictions.saturating_sub(before.evictions),
            redis_failures: self.redis_failures.saturating_sub(before.redis_failures),
            overloads: self.overloads.saturating_sub(before.overloads),
            entries: self.entries,
            bytes: self.bytes,
        }
    }
}

/// A subject that is ready for a phase. Lanes on several threads ask it at the same time.
pub trait Session: Send + Sync {
    /// How many keys it has; at least one.
    fn keys(&self) -> usize;

    /// The place of the key of the product with this sku, if it has one and knows it.
    fn place_of(&self, sku: &str) -> Option<usize> {
        let _ = sku;
        None
    }

    /// The outcome of an operation that needs no wait, such as a hit in memory.
    fn at_once(&self, operation: &Operation) -> Option<Outcome> {
        let _ = operation;
        None
    }

    /// Carries an operation out. It ends by itself.
    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome>;

    /// Writes many keys by one statement, with the versions that they have after it. It ends by itself.
    fn import<'a>(&'a self, keys: &'a [usize]) -> BoxFuture<'a, Imported> {
        let _ = keys;
        Box::pin(async { Imported::failed() })
    }

    /// What it has counted so far; nothing where it can not tell.
    fn counters(&self) -> BoxFuture<'_, Option<Counters>> {
        Box::pin(async { None })
    }
}

/// Something that can be measured.
pub trait Subject: Send + Sync {
    /// What the report calls it.
    fn name(&self) -> &str;

    /// One sentence about what is measured.
    fn about(&self) -> &str;

    /// Makes it ready for a phase.
    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>>;

    /// Whether it runs in the process that measures it, so that both use the same cores.
    fn is_in_process(&self) -> bool {
        false
    }

    /// Whether whoever answers look-ups has carried the writes out, and so knows them at once: how old the
    /// answers of others are is then not seen.
    fn knows_writes(&self) -> bool {
        false
    }

    /// Something that does nothing and is asked in the same way, to find out what asking costs; nothing where
    /// that way has no cost of its own.
    fn idle(&self) -> BoxFuture<'_, std::io::Result<Option<Arc<dyn Session>>>> {
        Box::pin(async { Ok(None) })
    }

    /// Lets go of what it holds, when no phase will follow.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// The faults between it and its Redis, if there is a proxy.
    fn redis_faults(&self) -> Option<Control> {
        None
    }

    /// How long a value may be shown after it was replaced; nothing without a promise.
    fn staleness_bound(&self) -> Option<std::time::Duration> {
        None
    }
}

/// Why a subject can not be measured like this.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SubjectError {
    what: String,
    is_unreachable: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SubjectError {
    /// It can not do what the workload asks for.
    pub fn unsuited(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is_unreachable: false,
            source: None,
        }
    }

    /// It does not answer.
    pub fn unreachable(what: impl Into<String>) -> Self {
        Self {
            is_unreachable: true,
            ..Self::unsuited(what)
        }
    }

    /// Names the error below.
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether it does not answer.
    pub const fn is_unreachable(&self) -> bool {
        self.is_unreachable
    }
}
