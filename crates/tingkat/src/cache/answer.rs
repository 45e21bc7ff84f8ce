//! What a look-up asks for and what it gets.

use std::sync::Arc;
use std::time::Duration;

/// What a caller wants of one look-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub(crate) freshness: Freshness,
    pub(crate) only_if_cached: bool,
    pub(crate) is_background: bool,
}

/// How current an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// As the entity's policy says.
    #[default]
    Usual,
    /// Current at some instant after the call began.
    Validated,
    /// Last known to be current no longer ago than this.
    MaxAge(Duration),
    /// Loaded after the call began.
    Reloaded,
}

impl Options {
    /// An answer that was current at some instant after the call began, or an error.
    pub const fn validated(mut self) -> Self {
        self.freshness = Freshness::Validated;
        self
    }

    /// An answer known to be current no longer ago than this, or an error.
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.freshness = if max_age.is_zero() {
            Freshness::Validated
        } else {
            Freshness::MaxAge(max_age)
        };
        self
    }

    /// An answer that was loaded after the call began, even if a tier has one that is current; it
    /// replaces what the tiers have.
    pub const fn reload(mut self) -> Self {
        self.freshness = Freshness::Reloaded;
        self
    }

    /// Nobody waits for the answer: its load goes behind those that customers wait for.
    pub const fn background(mut self) -> Self {
        self.is_background = true;
        self
    }

    /// No load: what the tiers have, or an error.
    pub const fn only_if_cached(mut self) -> Self {
        self.only_if_cached = true;
        self
    }
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The memory tier.
    Memory,
    /// The remote tier.
    Remote,
    /// The source.
    Source,
}

/// What happened on the way to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that do not depend on each other"
)]
pub struct Trail {
    /// Who answered.
    pub tier: Tier,
    /// The answer is not known to be current.
    pub stale: bool,
    /// The answer came with another caller's load.
    pub collapsed: bool,
    /// The answer is kept in a tier now.
    pub stored: bool,
    /// The remote tier was asked.
    pub searched_remote: bool,
    /// How long ago the answer was last known to be current.
    pub age: Duration,
}

/// A value, or the knowledge that there is none, and how it came.
#[derive(Debug)]
pub struct Answer<V> {
    value: Option<Arc<V>>,
    trail: Trail,
}

impl<V> Clone for Answer<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            trail: self.trail,
        }
    }
}

impl<V> Answer<V> {
    pub(crate) const fn new(value: Option<Arc<V>>, trail: Trail) -> Self {
        Self { value, trail }
    }

    /// The value; nothing when it is known that there is none.
    pub fn value(&self) -> Option<&V> {
        self.value.as_deref()
    }

    /// The value, shared with the memory tier.
    pub const fn shared(&self) -> Option<&Arc<V>> {
        self.value.as_ref()
    }

    /// The value by itself.
    pub fn into_shared(self) -> Option<Arc<V>> {
        self.value
    }

    /// What happened on the way.
    pub const fn trail(&self) -> Trail {
        self.trail
    }

    /// The same answer with a value where there was none.
    pub fn or_else(mut self, value: impl FnOnce() -> Arc<V>) -> Self {
        self.value = self.value.or_else(|| Some(value()));
        self
    }

    /// "There is none" of another type, by the same way.
    pub const fn without_value<W>(&self) -> Answer<W> {
        Answer {
            value: None,
            trail: self.trail,
        }
    }

    /// Adds how the key of this answer was found: the worse of both counts.
    pub fn found_by<W>(mut self, finder: &Answer<W>) -> Self {
        let rank = |tier| match tier {
            Tier::Memory => 0,
            Tier::Remote => 1,
            Tier::Source => 2,
        };
        if rank(finder.trail.tier) > rank(self.trail.tier) {
            self.trail.tier = finder.trail.tier;
            self.trail.stored = finder.trail.stored;
        }
        self.trail.stale |= finder.trail.stale;
        self.trail.collapsed |= finder.trail.collapsed;
        self.trail.searched_remote |= finder.trail.searched_remote;
        self.trail.age = self.trail.age.max(finder.trail.age);
        self
    }
}
