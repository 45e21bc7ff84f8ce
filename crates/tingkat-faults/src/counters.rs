//! What has passed through the proxy.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::direction::Way;

/// What a proxy has seen since it started; healing does not reset it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections carried, or that a fault ended later.
    pub accepted: u64,
    /// Connections reset as soon as they came: a fault said so, or there were too many.
    pub turned_away: u64,
    /// Connections open now.
    pub open: u64,
    /// Bytes handed to the upstream.
    pub bytes_up: u64,
    /// Bytes handed to clients.
    pub bytes_down: u64,
    /// Chunks that had to wait: a pause or a delay was in force when they came.
    pub held: u64,
    /// Connections that were closed because their allowance was used up.
    pub cut: u64,
}

/// The live counts behind [`Counters`]. They are independent statistics that order nothing, so
/// `Relaxed` is enough.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    accepted: AtomicU64,
    turned_away: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    held: AtomicU64,
    cut: AtomicU64,
}

impl Tally {
    pub(crate) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hold(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn carry(&self, way: Way, bytes: usize) {
        let total = match way {
            Way::Up => &self.bytes_up,
            Way::Down => &self.bytes_down,
        };
        total.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, open: usize) -> Counters {
        Counters {
            accepted: self.accepted.load(Ordering::Relaxed),
            turned_away: self.turned_away.load(Ordering::Relaxed),
            open: open as u64,
            bytes_up: self.bytes_up.load(Ordering::Relaxed),
            bytes_down: self.bytes_down.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            cut: self.cut.load(Ordering::Relaxed),
        }
    }
}
