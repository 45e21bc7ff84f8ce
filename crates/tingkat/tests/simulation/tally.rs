//! What happened over many seeds, to show that a simulation that found nothing had looked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    pub(crate) fn add(&self, name: impl Into<String>) {
        self.add_many(name, 1);
    }

    pub(crate) fn add_many(&self, name: impl Into<String>, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(name.into()).or_default() += count;
    }

    pub(crate) fn get(&self, name: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn merge(&self, other: &Self) {
        let other = other.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in other.iter() {
            self.add_many(name, *count);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in counts.iter() {
            writeln!(f, "  {count:>9}  {name}")?;
        }
        Ok(())
    }
}
