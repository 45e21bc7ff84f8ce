//! What happens in a cache, told to whoever wants to hear it.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use crate::breaker;
use crate::certificate::{Change, Incarnation, Position, Refusal};

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

type Listener = dyn Fn(Event<'_>) + Send + Sync;

/// The listeners of a node. One that panics is not allowed to break an operation.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<Arc<Listener>>);

impl Listeners {
    pub(crate) fn add(&mut self, listener: Arc<Listener>) {
        self.0.push(listener);
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        for listener in &self.0 {
            if std::panic::catch_unwind(AssertUnwindSafe(|| listener(event))).is_err() {
                tracing::warn!("a listener panicked on {event:?}");
            }
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} listeners", self.0.len())
    }
}
