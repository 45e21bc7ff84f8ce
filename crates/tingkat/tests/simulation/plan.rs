//! What a seed stands for.

use std::collections::BTreeSet;
use std::time::Duration;

use tingkat::Policy;

use crate::history::Fault;
use crate::random::Random;
use crate::truth::Row;

/// The staleness bound and the pause between polls of every node.
pub(crate) const BOUND: Duration = Duration::from_secs(1);
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// How long a lease lives without renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
/// How fast the clocks of the nodes run, and how wrong their wall clocks are.
pub(crate) const CLOCKS: [(f64, i64); 5] = [
    (1.0, 0),
    (0.9, 10_000),
    (1.1, -10_000),
    (1.0, 7_000),
    (0.9, -3_000),
];

/// Rows that are written with their changes.
pub(crate) const TRACKED: [Row; 4] = ["p0", "p1", "p2", "p3"];
/// Rows that are written around the log and then forgotten, by key, tag, pattern or entity.
pub(crate) const SILENT: [Row; 2] = ["s0", "s1"];
/// The row whose values are put in.
pub(crate) const INSERTED: Row = "i0";
/// All of them; the keys of the products as well.
pub(crate) const ROWS: [Row; 7] = ["p0", "p1", "p2", "p3", "s0", "s1", INSERTED];
/// Keys of entries that show two rows.
pub(crate) const PAIRS: [&str; 2] = ["p0+p1", "p2+p3"];

/// The rows that an entry shows.
pub(crate) fn rows_of(key: &str) -> Vec<Row> {
    ROWS.into_iter()
        .filter(|row| key.split('+').any(|part| part == *row))
        .collect()
}

/// A run.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing that a run has or has not"
)]
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    /// No faults, and every load is counted.
    pub(crate) is_calm: bool,
    pub(crate) faults: Vec<Fault>,
    /// Lives of a second, so that refreshes happen.
    pub(crate) has_short_lives: bool,
    /// Pairs are served only when they are known to be current.
    pub(crate) has_strict_pairs: bool,
    /// Some callers bring their own loads, which need the change log.
    pub(crate) has_own_loads: bool,
    pub(crate) length: Duration,
    /// What every node does without.
    #[cfg(feature = "broken-rules")]
    pub(crate) without: Option<tingkat::node::Rule>,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let random = Random::of(seed, "plan", 0);
        let nodes = usize::try_from(random.between(3, 5)).unwrap_or(3);
        let is_calm = seed % 10 == 9;
        let count = if is_calm { 0 } else { random.between(2, 7) };
        let faults: BTreeSet<Fault> = (0..count).map(|_| *random.pick(&Fault::ALL)).collect();
        Self {
            seed,
            nodes,
            is_calm,
            faults: faults.into_iter().collect(),
            has_short_lives: !is_calm && random.chance(25),
            has_strict_pairs: random.chance(30),
            has_own_loads: !is_calm && random.chance(40),
            length: Duration::from_secs(random.between(8, 14)),
            #[cfg(feature = "broken-rules")]
            without: None,
        }
    }

    /// Whether values can be put in: that is no transaction with the database, so a database that
    /// loses commits would leave the cache with what the database never had.
    pub(crate) fn allows_inserts(&self) -> bool {
        !self.is_calm && !self.faults.iter().any(|fault| fault.loses_commits())
    }

    /// Whether something may be left behind that takes a deadline to go away.
    pub(crate) fn leaves_traces(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.hurts_source() || fault.stops_node() || fault.cuts_log())
    }

    pub(crate) fn policy(&self) -> Policy {
        let fresh_for = if self.has_short_lives {
            Duration::from_secs(1)
        } else {
            Duration::from_hours(2)
        };
        Policy {
            fresh_for,
            absent_for: fresh_for,
            retry_after: Duration::from_millis(500),
            memory_bytes: 4 << 20,
            ..Policy::default()
        }
    }
}
