//! Days and seconds as the tables have them: microseconds since 1970, UTC.

use jiff::civil::{Date, date};

const SECOND: i64 = 1_000_000;
pub(super) const DAY_SECONDS: i64 = 86_400;

/// Kuala Lumpur is eight hours ahead of UTC all year: a promotion starts and ends at its midnight.
const AHEAD: i64 = 8 * 3_600;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    /// Since 1970-01-01.
    number: i64,
}

impl Day {
    pub(super) fn of(date: Date) -> Self {
        Self {
            number: date.duration_since(EPOCH).as_secs().div_euclid(DAY_SECONDS),
        }
    }

    /// The day on which a second since 1970 lies.
    pub(super) const fn of_second(second: i64) -> Self {
        Self {
            number: second.div_euclid(DAY_SECONDS),
        }
    }

    pub(super) const fn plus(self, days: i64) -> Self {
        Self {
            number: self.number.saturating_add(days),
        }
    }

    /// How many days later than `earlier`.
    pub(super) const fn since(self, earlier: Self) -> i64 {
        self.number.saturating_sub(earlier.number)
    }

    /// Its midnight in Kuala Lumpur.
    pub(super) const fn local_midnight(self) -> i64 {
        micros(
            self.number
                .saturating_mul(DAY_SECONDS)
                .saturating_sub(AHEAD),
        )
    }

    /// So many seconds before its midnight in UTC.
    pub(super) const fn seconds_before(self, seconds: i64) -> i64 {
        micros(
            self.number
                .saturating_mul(DAY_SECONDS)
                .saturating_sub(seconds),
        )
    }
}

const EPOCH: Date = date(1970, 1, 1);

/// A second since 1970 as the tables have it.
pub(super) const fn micros(second: i64) -> i64 {
    second.saturating_mul(SECOND)
}
