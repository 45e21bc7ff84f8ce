//! What happens in a cache, told to whoever wants to hear it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tracing::Level;

use crate::certificate::{Change, Incarnation, Position, Refusal};
use crate::{breaker, log};

/// Something that happened. Borrowed parts are valid during the call only.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A load failed; the callers got a stale value or an error.
    LoadFailed {
        /// The entity.
        entity: &'a str,
        /// The source's error.
        error: &'a dyn std::error::Error,
    },
    /// A load was given up at its hard deadline.
    LoadHung {
        /// The entity.
        entity: &'a str,
    },
    /// A stale value was served, marked.
    ServedStale {
        /// The entity.
        entity: &'a str,
    },
    /// A value came in that nobody waited for any more: by a refresh, or after its callers had
    /// been given a stale one.
    BackgroundCompleted {
        /// The entity.
        entity: &'a str,
    },
    /// An entry was refused.
    Refused {
        /// The entity.
        entity: &'a str,
        /// Why.
        refusal: Refusal,
    },
    /// A value was too large for the memory tier.
    Oversized {
        /// The entity.
        entity: &'a str,
        /// How large it is.
        bytes: usize,
    },
    /// The remote tier's breaker changed its state.
    Breaker {
        /// The new state.
        state: breaker::State,
        /// Whether it is the one for writes.
        writes: bool,
        /// The error that did it, if one did.
        error: Option<&'a str>,
    },
    /// A key, tag or pattern was forgotten or expired by a call to this node.
    Forgot {
        /// The dep or pattern.
        dep: &'a str,
    },
    /// The node knows nothing any more and begins again.
    ColdReset {
        /// Why.
        reason: &'a str,
    },
    /// A poll of the change log came back; nothing older than what it brought is served any more.
    Polled {
        /// The log that answered.
        incarnation: Incarnation,
        /// What the node had seen before, or since when this answer is complete: the changes are
        /// all that `position` has seen and this has not.
        since: &'a Position,
        /// What the node has seen now.
        position: &'a Position,
        /// The changes, with their transactions.
        changes: &'a [(u64, Change)],
    },
    /// The feed of changes answers again, or does not.
    Feed {
        /// Whether it answers.
        is_up: bool,
        /// The error when it does not.
        error: Option<&'a str>,
    },
    /// Answers of cache and source differed in shadow mode.
    Differed {
        /// The entity.
        entity: &'a str,
    },
}

impl Event<'_> {
    /// The entity that it is about, if it is about one.
    pub const fn entity(&self) -> Option<&str> {
        match *self {
            Self::LoadFailed { entity, .. }
            | Self::LoadHung { entity }
            | Self::ServedStale { entity }
            | Self::BackgroundCompleted { entity }
            | Self::Refused { entity, .. }
            | Self::Oversized { entity, .. }
            | Self::Differed { entity } => Some(entity),
            Self::Breaker { .. }
            | Self::Forgot { .. }
            | Self::ColdReset { .. }
            | Self::Polled { .. }
            | Self::Feed { .. } => None,
        }
    }
}

type Listener = dyn Fn(Event<'_>) + Send + Sync;

/// The listeners of a node. One that panics is not allowed to break an operation.
#[derive(Clone)]
pub(crate) struct Listeners {
    all: Vec<Arc<Listener>>,
    /// At which level a panic is logged.
    panic_level: Level,
}

impl Listeners {
    pub(crate) fn add(&mut self, listener: Arc<Listener>) {
        self.all.push(listener);
    }

    pub(crate) fn log_panics_at(&mut self, level: Level) {
        self.panic_level = level;
    }

    /// What they log says which node and which cache it is about.
    pub(crate) fn tell(&self, node: &str, event: Event<'_>) {
        if self.all.is_empty() {
            return;
        }
        log::about(node, event.entity()).in_scope(|| {
            for listener in &self.all {
                if std::panic::catch_unwind(AssertUnwindSafe(|| listener(event))).is_err() {
                    log::at(self.panic_level, "a listener panicked", &event);
                }
            }
        });
    }
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            panic_level: Level::WARN,
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} listeners", self.all.len())
    }
}
