//! Which versions were written when, so that it can be told how old an answer was.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tingkat::ports::Tick;

/// Writes of one key that are remembered. An answer that is older than all of them counts as one
/// that only the oldest of them has replaced: it is never judged older than it is.
const REMEMBERED: usize = 64;

/// The writes of all keys.
pub(super) struct Ledger(Vec<Mutex<VecDeque<(i64, Tick)>>>);

impl Ledger {
    pub(super) fn new(keys: usize) -> Self {
        Self((0..keys).map(|_| Mutex::default()).collect())
    }

    /// A write has returned: from now on at the latest the version is in the database.
    pub(super) fn wrote(&self, key: usize, version: i64, returned: Tick) {
        let Some(writes) = self.0.get(key) else {
            return;
        };
        let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
        // Writers of one key do not return in the order of their versions.
        let place = writes.partition_point(|(known, _)| *known < version);
        writes.insert(place, (version, returned));
        if writes.len() > REMEMBERED {
            writes.pop_front();
        }
    }

    /// For how long a version had been replaced when a look-up began that was answered with it. Nothing
    /// where no write of the key had returned by then: whatever it was answered with was current.
    pub(super) fn staleness(&self, key: usize, version: i64, began: Tick) -> Option<Duration> {
        let writes = self.0.get(key)?;
        let writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
        let returned = || writes.iter().filter(|(_, returned)| *returned <= began);
        returned().next()?;
        let later = returned().filter(|(known, _)| *known > version);
        // Any of them proves it, and the one that returned first proves most.
        let first = later.map(|(_, returned)| *returned).min();
        Some(first.map_or(Duration::ZERO, |replaced| began.since(replaced)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Tick {
        Tick::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn an_answer_is_as_old_as_the_first_write_that_replaced_it() {
        let ledger = Ledger::new(2);
        let age = |version, began| {
            let age = ledger.staleness(0, version, at(began));
            age.map(|age| age.as_millis())
        };
        assert_eq!(age(1, 500), None, "nothing was written");
        ledger.wrote(0, 3, at(300));
        ledger.wrote(0, 2, at(100));
        assert_eq!(age(1, 500), Some(400));
        assert_eq!(age(2, 500), Some(200));
        assert_eq!(age(3, 500), Some(0));
        let before = age(1, 50);
        assert_eq!(before, None, "the look-up began before the write returned");
        let of_another = ledger.staleness(1, 1, at(500));
        assert_eq!(of_another, None, "another key was written");
        // The write of version 9 returned before that of version 8.
        ledger.wrote(1, 9, at(10));
        ledger.wrote(1, 8, at(90));
        let age = ledger.staleness(1, 7, at(100)).unwrap();
        assert_eq!(age.as_millis(), 90);
    }

    #[test]
    fn it_forgets_old_writes_and_blames_nobody_for_it() {
        let ledger = Ledger::new(1);
        for version in 1..=200 {
            ledger.wrote(0, version, at(u64::try_from(version).unwrap()));
        }
        // Version 2 returned at 2 ms; the first that is remembered is 137.
        let age = ledger.staleness(0, 1, at(1000)).unwrap();
        assert_eq!(age.as_millis(), 863);
    }
}
