//! How fast a run may go: it begins slowly, speeds up while all is well, and gives way at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ports::Tick;

/// A part that takes more than twice as long as usual and this much says that the source slows down.
const SLACK: Duration = Duration::from_millis(20);

/// The first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// So many failures in a row are enough: the source is away, and somebody else must mend it.
const MOST_FAILURES: u32 = 4;

/// After so many keys in a row of which there is no such thing the others are not tried: it is a list of
/// something else, and each costs a load and room in the tiers.
const MOST_ABSENT: usize = 1_000;

/// How many loads of one entity may be under way: one more for each round that goes well, half as
/// many when something is in the way.
#[derive(Debug)]
pub(super) struct Pace {
    most: f64,
    allowed: f64,
    /// How long a load takes when nothing is in its way.
    usual: Option<Duration>,
    pause: Duration,
    failures: u32,
    /// Keys in a row that the source does not know.
    absent: usize,
    is_full: bool,
}

impl Pace {
    /// At most so many loads at a time.
    pub(super) fn new(most: usize) -> Self {
        let most = u32::try_from(most.max(1)).unwrap_or(u32::MAX);
        Self {
            most: f64::from(most),
            allowed: 1.0,
            usual: None,
            pause: Duration::ZERO,
            failures: 0,
            absent: 0,
            is_full: false,
        }
    }

    /// How many loads may be under way now.
    pub(super) fn allowed(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to a number that was one"
        )]
        let allowed = self.allowed as usize;
        allowed.max(1)
    }

    /// How long to wait before the next one.
    pub(super) const fn pause(&self) -> Duration {
        self.pause
    }

    /// Nothing comes of going on.
    pub(super) const fn is_hopeless(&self) -> bool {
        self.failures >= MOST_FAILURES
    }

    /// Whether nothing was there for so long that nothing will be.
    pub(super) const fn is_in_vain(&self) -> bool {
        self.absent >= MOST_ABSENT
    }

    /// There is no room for what comes next.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// What was loaded found no room.
    pub(super) const fn fill(&mut self) {
        self.is_full = true;
    }

    /// Of a part, so many keys are there, and so many are known not to be.
    pub(super) fn found(&mut self, there: usize, absent: usize) {
        self.absent = match there {
            0 => self.absent.saturating_add(absent),
            _ => 0,
        };
    }

    /// A load went well and took so long.
    pub(super) fn went_well(&mut self, took: Duration) {
        self.failures = 0;
        let usual = self.usual.unwrap_or(took);
        if took > usual.saturating_mul(2).saturating_add(SLACK) {
            // The new speed becomes the usual one, slowly: a source that stays slow is not waited
            // for.
            self.usual = Some(usual.saturating_add(took.saturating_sub(usual) / 16));
            return self.give_way();
        }
        // Fast ones tell what is usual, slower ones only bit by bit.
        let next = usual.min(took);
        self.usual = Some(next.saturating_add(took.saturating_sub(next) / 16));
        self.pause = Duration::ZERO;
        self.allowed = (self.allowed + 1.0 / self.allowed).min(self.most);
    }

    /// Customers wait, or the source slows down.
    pub(super) fn give_way(&mut self) {
        self.allowed = (self.allowed / 2.0).max(1.0);
        self.pause = self
            .pause
            .saturating_mul(2)
            .clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }

    /// A load failed as a whole.
    pub(super) fn failed(&mut self) {
        self.failures += 1;
        self.give_way();
    }
}

/// Keys in a second, over all entities; what is not used is not saved up.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u64,
    next_at: Mutex<Tick>,
}

impl Rate {
    pub(super) const fn new(per_second: u64, now: Tick) -> Self {
        Self {
            per_second,
            next_at: Mutex::new(now),
        }
    }

    /// How many keys are a part, if `most` are one without a rate: a quarter of a second's.
    pub(super) fn part(&self, most: usize) -> usize {
        if self.per_second == 0 {
            return most;
        }
        let part = usize::try_from((self.per_second / 4).max(1)).unwrap_or(most);
        part.min(most)
    }

    /// Takes the turn of so many keys; how long to wait for it.
    pub(super) fn take(&self, keys: usize, now: Tick) -> Duration {
        let mut next_at = self.next_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = (*next_at).max(now);
        *next_at = begin.after(self.time_of(keys));
        begin.since(now)
    }

    /// Gives back what turned out not to be loaded.
    pub(super) fn give_back(&self, keys: usize) {
        let mut next_at = self.next_at.lock().unwrap_or_else(PoisonError::into_inner);
        *next_at = next_at.before(self.time_of(keys));
    }

    fn time_of(&self, keys: usize) -> Duration {
        let keys = u64::try_from(keys).unwrap_or(u64::MAX);
        let nanos = keys
            .saturating_mul(1_000_000_000)
            .checked_div(self.per_second);
        Duration::from_nanos(nanos.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_millis(200);

    fn fast() -> Pace {
        let mut pace = Pace::new(8);
        for _ in 0..60 {
            pace.went_well(USUAL);
        }
        pace
    }

    #[test]
    fn it_begins_with_one_and_speeds_up_to_the_limit_while_all_is_well() {
        let pace = Pace::new(8);
        assert_eq!(pace.allowed(), 1);
        assert_eq!(fast().allowed(), 8);
    }

    #[test]
    fn a_slow_source_is_no_source_that_slows_down() {
        let mut pace = fast();
        pace.went_well(USUAL + USUAL / 2);
        assert_eq!((pace.allowed(), pace.pause()), (8, Duration::ZERO));
    }

    #[test]
    fn it_gives_way_to_a_source_that_slows_down_and_comes_back() {
        let mut pace = fast();
        pace.went_well(USUAL * 5);
        assert_eq!((pace.allowed(), pace.pause()), (4, FIRST_PAUSE));
        for _ in 0..9 {
            pace.went_well(USUAL * 20);
        }
        assert_eq!(pace.allowed(), 1);
        assert!(pace.pause() <= LONGEST_PAUSE);
        for _ in 0..60 {
            pace.went_well(USUAL);
        }
        assert_eq!((pace.allowed(), pace.pause()), (8, Duration::ZERO));
    }

    #[test]
    fn a_source_that_stays_slow_is_the_usual_one_after_a_while() {
        let mut pace = fast();
        for _ in 0..200 {
            pace.went_well(USUAL * 5);
        }
        assert_eq!((pace.allowed(), pace.pause()), (8, Duration::ZERO));
    }

    #[test]
    fn it_gives_up_after_failures_in_a_row_and_not_after_others() {
        let mut pace = fast();
        for _ in 0..20 {
            pace.failed();
            assert!(!pace.is_hopeless());
            pace.went_well(USUAL);
        }
        for _ in 0..MOST_FAILURES {
            assert!(!pace.is_hopeless());
            pace.failed();
        }
        assert!(pace.is_hopeless());
    }

    #[test]
    fn a_rate_is_kept_and_not_saved_up() {
        let at = |ms: u64| Tick::from_nanos(ms * 1_000_000);
        let rate = Rate::new(100, at(0));
        assert_eq!(rate.part(200), 25);
        assert_eq!(rate.take(25, at(0)), Duration::ZERO);
        assert_eq!(rate.take(25, at(0)), Duration::from_millis(250));
        rate.give_back(20);
        assert_eq!(rate.take(25, at(100)), Duration::from_millis(200));
        // An hour later there is a turn at once, and one.
        assert_eq!(rate.take(25, at(3_600_000)), Duration::ZERO);
        assert_eq!(rate.take(25, at(3_600_000)), Duration::from_millis(250));
        let any = Rate::new(0, at(0));
        assert_eq!((any.part(200), any.take(200, at(0))), (200, Duration::ZERO));
        assert_eq!(any.take(200, at(0)), Duration::ZERO);
    }

    #[test]
    fn keys_that_are_nowhere_are_given_up_after_a_thousand_in_a_row() {
        let mut pace = Pace::new(4);
        for _ in 0..4 {
            pace.found(0, 200);
        }
        pace.found(1, 199);
        for _ in 0..4 {
            pace.found(0, 200);
            assert!(!pace.is_in_vain());
        }
        pace.found(0, 200);
        assert!(pace.is_in_vain());
    }
}
