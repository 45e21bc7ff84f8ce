//! Between counts and measures, where what is lost does not matter.

use std::time::Duration;

/// A count as a measure; above 2^53 it is rounded.
#[expect(
    clippy::cast_precision_loss,
    reason = "no run counts as far as to where this rounds"
)]
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}

/// The same for what is in memory.
pub(super) fn real_size(count: usize) -> f64 {
    real(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A measure as a count: what is below zero or no number is zero, what is too large the largest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` between these saturates, which is what is wanted"
)]
pub(super) const fn whole(measure: f64) -> u64 {
    measure as u64
}

/// The same for what is in memory.
pub(super) fn whole_size(measure: f64) -> usize {
    usize::try_from(whole(measure)).unwrap_or(usize::MAX)
}

/// A duration in nanoseconds.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds in microseconds.
pub(super) const fn micros(nanos: u64) -> f64 {
    real(nanos) / 1e3
}

/// A share of a whole; nothing of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        real(part) / real(whole)
    }
}
