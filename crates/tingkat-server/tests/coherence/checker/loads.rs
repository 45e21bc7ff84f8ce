//! Exactly one load of each value, as long as Redis is well.
//!
//! Which loads there were is told by the readers who led them; that there were no others, by the
//! database's own count.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{At, Harm, History, Key, Read, Tier, Value};

/// After so many writes of a key a second load of it proves nothing: the nodes tell its changes by
/// their sum.
const WRITES_TOLD_APART: i64 = 8;

/// The loads of one value: how many, from the first one's start to the last one's end.
struct Loads {
    times: usize,
    from: At,
    to: At,
}

pub(super) fn check(history: &History) -> Vec<Violation> {
    let Some(counted) = history.rows_loaded else {
        return Vec::new();
    };
    let mut loads: BTreeMap<(Key, Value), Loads> = BTreeMap::new();
    for (read, value) in led(history) {
        let entry = loads.entry((read.key, value)).or_insert(Loads {
            times: 0,
            from: read.started,
            to: read.ended,
        });
        entry.times += 1;
        entry.from = entry.from.min(read.started);
        entry.to = entry.to.max(read.ended);
    }
    let seen: usize = loads.values().map(|it| it.times).sum();
    let twice = loads
        .into_iter()
        .filter(|((key, value), it)| it.times > 1 && history.allows_one(*key, *value, it));
    let mut violations: Vec<Violation> = twice
        .map(|((key, value), it)| Violation::LoadedTwice {
            key,
            value,
            times: it.times,
            at: it.from,
        })
        .collect();
    let seen = seen as u64;
    if counted > seen {
        violations.push(Violation::HiddenLoads { seen, counted });
    }
    violations
}

/// The reads that led a load.
pub(crate) fn led(history: &History) -> impl Iterator<Item = (&Read, Value)> {
    history.reads.iter().filter_map(|read| {
        let seen = read.outcome.ok()?;
        matches!(seen.tier, Tier::Source { .. }).then_some((read, seen.value))
    })
}

impl History {
    /// Whether a second load of the value would be one too many.
    fn allows_one(&self, key: Key, value: Value, loads: &Loads) -> bool {
        let first = self.first.get(key).map_or(0, |first| first.version);
        let is_excused = self.faults.iter().any(|fault| {
            fault.harm != Harm::Nothing && fault.from <= loads.to && fault.to >= loads.from
        });
        value.version - first <= WRITES_TOLD_APART && !is_excused
    }
}
