//! How a node tells its readers, without a lock, that it knows something new.

use crate::ports::Tick;
use crate::sync::{AtomicU64, Ordering};

/// The epoch of what the node knows, and since when it is known to be complete.
///
/// Order is everything. The publisher changes what is known, then moves the epoch, then moves
/// `fresh_at`. A reader reads `fresh_at`, then the epoch, then the entry. So whoever sees the new
/// `fresh_at` sees the new epoch as well, and looks again at what it holds; any other order lets
/// a reader that was stopped in between serve a value beyond the bound.
#[derive(Debug)]
pub(crate) struct Publication {
    epoch: AtomicU64,
    fresh_at: AtomicU64,
}

/// What a reader saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// What is known is complete as of here.
    pub(crate) fresh_at: Tick,
    /// Entries accepted in this epoch are accepted still.
    pub(crate) epoch: u64,
}

impl Publication {
    /// Epochs begin at 1; an entry of epoch 0 was never accepted.
    pub(crate) fn new(fresh_at: Tick) -> Self {
        Self {
            epoch: AtomicU64::new(1),
            fresh_at: AtomicU64::new(fresh_at.as_nanos()),
        }
    }

    /// What a reader may rely on; to be called before it looks at an entry.
    pub(crate) fn observe(&self) -> Observed {
        let fresh_at = Tick::from_nanos(self.fresh_at.load(Ordering::Acquire));
        let epoch = self.epoch.load(Ordering::Acquire);
        Observed { fresh_at, epoch }
    }

    /// The epoch of what is known now.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Says that what is known has changed; to be called after the change.
    pub(crate) fn changed(&self) {
        // AcqRel: the change happens before it for whoever reads the new epoch.
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Says that what is known is complete as of `sent_at`; to be called after [`Self::changed`].
    pub(crate) fn complete_as_of(&self, sent_at: Tick) {
        self.fresh_at
            .fetch_max(sent_at.as_nanos(), Ordering::AcqRel);
    }

    /// Says that nothing is known to be complete any more.
    pub(crate) fn distrust(&self) {
        self.fresh_at.store(0, Ordering::Release);
    }
}
