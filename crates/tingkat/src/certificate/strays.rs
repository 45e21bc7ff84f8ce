//! Own writes in a log that the node does not follow: not yet, or not any more.

use super::dep::Change;
use super::incarnation::Incarnation;
use crate::ports::Written;

/// More own writes than this in a log that the node does not follow, and it asks again.
pub(super) const MOST_STRAYS: usize = 10_000;

/// Answers may be late, so which of two logs is the newer one is told only by a history that was
/// asked for afterwards.
#[derive(Debug, Default)]
pub(super) struct Strays {
    noted: u64,
    /// Those up to here are not all kept.
    lost: u64,
    kept: Vec<Stray>,
}

#[derive(Debug)]
pub(super) struct Stray {
    number: u64,
    pub(super) written: Written,
    pub(super) change: Change,
}

impl Strays {
    /// How many there were.
    pub(super) const fn noted(&self) -> u64 {
        self.noted
    }

    pub(super) fn note(&mut self, written: Written, changes: &[Change]) {
        self.noted += 1;
        if self.kept.len() + changes.len() > MOST_STRAYS {
            self.lost = self.noted;
            self.kept.clear();
            return;
        }
        self.kept.extend(changes.iter().map(|change| Stray {
            number: self.noted,
            written,
            change: change.clone(),
        }));
    }

    /// Whether a log can be the newest one, by a history asked for when `heard` had been noted.
    pub(super) fn allow(&self, incarnation: Incarnation, heard: u64) -> bool {
        let is_in_it = |stray: &Stray| stray.written.incarnation == incarnation;
        let mut since = self.kept.iter().filter(|stray| stray.number > heard);
        heard >= self.lost && since.all(is_in_it)
    }

    /// Hands out those that are kept; that there were any stays known.
    pub(super) fn take(&mut self) -> Vec<Stray> {
        std::mem::take(&mut self.kept)
    }
}
