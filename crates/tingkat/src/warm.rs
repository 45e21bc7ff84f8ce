//! Warming: keys are loaded before anybody asks for them, the most wanted first.
//!
//! Which keys those are is the data's business ([`Order`]); a [`Warmer`] has them in the tiers by one
//! round trip to the remote tier for many, and by batches from the source for what is missing. It
//! works on caches with their types erased, so that any entity is warmed without code of its own, and
//! it gives way: to customers, to a source that slows down, to its limits. [`Warming`] runs one plan
//! at a time on a node and tells how far it is; [`Frequent`] counts what is looked up.

mod frequent;
mod pace;
mod report;
mod warmer;
mod warming;

use std::time::Duration;

use futures::future::BoxFuture;

pub use self::frequent::Frequent;
pub use self::report::{AlreadyWarm, CheckCount, End, EntityReport, FailureCount, Report, Stopped};
pub use self::warmer::{Plan, PlanEntity, Warmer};
pub use self::warming::{Busy, Finished, Reason, Running, Standing, Warming, Wish, ordered};

use crate::error::{GetError, GetErrorKind, SourceError};

/// Whoever knows which keys are wanted.
pub trait Order: Send + Sync + 'static {
    /// The keys of an entity that are wanted most, the most wanted first, at most `most`. Nothing
    /// for an entity of which nobody can tell.
    fn top<'a>(
        &'a self,
        entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, SourceError>>;
}

/// What a run may take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Loads under way at a time, over all entities; never more than half of an entity's own.
    pub concurrency: usize,
    /// Keys that are loaded from the source in a second, over all entities; any number at 0.
    pub per_second: u64,
    /// How long it may take.
    pub timeout: Duration,
    /// Bytes that are loaded; any number at 0.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            per_second: 0,
            timeout: Duration::from_mins(5),
            bytes: 0,
        }
    }
}

/// How keys are warmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The memory tier is filled as well, where the entity is kept there, up to nine tenths.
    pub into_memory: bool,
    /// Nothing is loaded and nothing is written.
    pub only_looks: bool,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmed {
    /// The memory tier had it; whether the remote tier, if it belongs there, is known to have it too.
    Memory {
        /// In every tier where it belongs.
        is_everywhere: bool,
    },
    /// The remote tier had it.
    Remote {
        /// It belongs into memory as well, which had no room for it.
        lacks_memory: bool,
    },
    /// The memory tier had it, and the remote tier took it from there.
    Copied {
        /// As they are written.
        bytes: usize,
    },
    /// The source had it.
    Loaded {
        /// As they are written, or as memory is charged.
        bytes: usize,
        /// There is no such thing, which is known now.
        is_absent: bool,
        /// In the remote tier, if it belongs there.
        is_everywhere: bool,
        /// It belongs into memory as well, which had no room for it.
        lacks_memory: bool,
    },
    /// No tier has it, and it was only looked for.
    Cold,
    /// It is in no tier.
    Failed(Cause),
}

/// Why a key is in no tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It is no key of the entity.
    Malformed,
    /// The queue before the source was full.
    Overloaded,
    /// The source did not answer in time.
    Deadline,
    /// The source failed.
    Source,
    /// The node does not know what is current.
    NotCurrent,
    /// It was loaded, and it changed meanwhile, is too large, or may not be kept.
    NotKept,
    /// It belongs into the remote tier, which did not take it.
    RemoteAway,
    /// It belongs into memory alone, which is full.
    MemoryFull,
    /// The node was shut down.
    ShutDown,
}

impl Cause {
    /// In a few words, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "not a key of the entity",
            Self::Overloaded => "too many loads were waiting",
            Self::Deadline => "the source did not answer in time",
            Self::Source => "the source failed",
            Self::NotCurrent => "the node does not know what is current",
            Self::NotKept => "no tier may keep it",
            Self::RemoteAway => "redis did not take it",
            Self::MemoryFull => "memory is full",
            Self::ShutDown => "the node is stopping",
        }
    }

    pub(crate) fn of(error: &GetError) -> Self {
        match error.kind() {
            GetErrorKind::Overloaded { .. } => Self::Overloaded,
            GetErrorKind::Deadline => Self::Deadline,
            GetErrorKind::Source => Self::Source,
            GetErrorKind::NotCurrent | GetErrorKind::NotCached => Self::NotCurrent,
            GetErrorKind::ShutDown => Self::ShutDown,
        }
    }
}

/// What the tiers have under a key, beside what the source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Every tier that has it has the same.
    Same,
    /// A tier would answer otherwise.
    Different,
    /// No tier has it any more.
    Missing,
    /// The source did not say, or its values can not be compared.
    Unknown,
}
