//! What a flight brings to all who wait for it.

use std::sync::Arc;

use super::Tier;
use super::load::Priority;
use crate::error::GetError;
use crate::memory::Slot;
use crate::ports::Tick;

/// What a flight brings to all who wait for it.
pub(super) struct Landing<V> {
    pub(super) outcome: Result<Landed<V>, GetError>,
    /// What the remote tier had, though it may only stand in.
    pub(super) stale: Option<Arc<Slot<V>>>,
    /// Its load waited behind those of customers.
    pub(super) is_background: bool,
}

/// A value that was found.
pub(super) struct Landed<V> {
    pub(super) value: Option<Arc<V>>,
    pub(super) tier: Tier,
    /// Who began in this epoch or before may have the value: the one in which it was accepted, else
    /// the one in which its load was sent.
    pub(super) good_in: u64,
    /// When the value is known to have been current.
    pub(super) current_at: Tick,
    /// As of when that was complete by which it was accepted; a load proves itself.
    pub(super) proven_at: Option<Tick>,
    pub(super) is_stored: bool,
    pub(super) searched_remote: bool,
}

impl<V> Clone for Landed<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            ..*self
        }
    }
}

impl<V> Clone for Landing<V> {
    fn clone(&self) -> Self {
        Self {
            outcome: self.outcome.clone(),
            stale: self.stale.clone(),
            is_background: self.is_background,
        }
    }
}

impl<V> Landing<V> {
    pub(super) fn failed(error: GetError, stale: Option<Arc<Slot<V>>>, priority: Priority) -> Self {
        Self {
            outcome: Err(error),
            stale,
            is_background: priority == Priority::Background,
        }
    }

    pub(super) const fn landed(landed: Landed<V>) -> Self {
        Self {
            outcome: Ok(landed),
            stale: None,
            is_background: false,
        }
    }
}
