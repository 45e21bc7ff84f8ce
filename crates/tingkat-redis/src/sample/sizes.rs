//! How large the entries are that this node writes.

use std::sync::atomic::{AtomicU64, Ordering};

use tingkat_health::Buckets;

/// Counts of sizes in bytes, by powers of two.
#[derive(Debug, Default)]
pub(crate) struct Sizes([AtomicU64; Buckets::COUNT]);

impl Sizes {
    /// Counts one.
    pub(crate) fn record(&self, bytes: usize) {
        let bucket = (usize::BITS - bytes.leading_zeros()) as usize;
        if let Some(count) = self.0.get(bucket.min(Buckets::COUNT - 1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Buckets {
        let mut counts = Buckets::default();
        for (bucket, count) in self.0.iter().enumerate() {
            counts.add(bucket, count.load(Ordering::Relaxed));
        }
        counts
    }
}
