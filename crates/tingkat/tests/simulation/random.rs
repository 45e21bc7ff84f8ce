//! Random numbers of one seed. Each part of a run has a stream of its own, so that a part that
//! draws once more does not change what the others do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A stream of `splitmix64` (Steele, Lea, Flood, 2014).
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A stream of its own for the part with this name.
    pub(crate) fn of(seed: u64, part: &str, number: u64) -> Self {
        let mut mixed = seed;
        for byte in part.bytes().map(u64::from).chain([number]) {
            mixed = mix(mixed ^ byte.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        Self::new(mixed)
    }

    pub(crate) fn bits(&self) -> u64 {
        // One thread draws at a time.
        mix(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// From 0 to below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.bits() % end.max(1)
    }

    /// From `low` to `high`.
    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// True in this many of a hundred cases.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// The first ones come more often.
    pub(crate) fn skewed(&self, end: u64) -> u64 {
        self.below(end).min(self.below(end))
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        &from[index]
    }
}

const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
