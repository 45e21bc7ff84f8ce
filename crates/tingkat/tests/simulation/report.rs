//! What a set of seeds showed: how stale answers were, and whether everything was seen.

use std::time::Duration;

use crate::history::{History, How};
use crate::tally::Tally;

/// The staleness of every answer that bore no mark, in its node's own time.
#[derive(Debug, Default)]
pub(crate) struct Staleness(Vec<Duration>);

impl Staleness {
    pub(crate) fn add(&mut self, history: &History) {
        for read in &history.reads {
            let Ok(seen) = &read.seen else { continue };
            if seen.is_stale || matches!(read.how, How::OwnLoad | How::Final) {
                continue;
            }
            let oldest = seen
                .rows
                .iter()
                .filter_map(|(row, version)| history.ended(row, *version))
                .map(|ended| read.start.saturating_sub(ended))
                .max();
            let staleness = oldest.unwrap_or(Duration::ZERO);
            self.0.push(staleness.mul_f64(history.rates[read.node]));
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }

    pub(crate) fn print(&mut self) {
        self.0.sort_unstable();
        let stale = self.0.iter().filter(|staleness| !staleness.is_zero());
        println!("{} answers, {} not the newest", self.0.len(), stale.count());
        for share in [0.9, 0.99, 0.999, 0.9999, 1.0] {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index, rounded"
            )]
            let index = ((self.0.len() as f64 * share) as usize).saturating_sub(1);
            let staleness = self.0.get(index).copied().unwrap_or_default();
            println!("  {:>7.3} % at most {staleness:?}", share * 100.0);
        }
    }
}

/// What must have happened at least once, or the seeds prove nothing.
const SOMETIMES: [&str; 45] = [
    "memory hit",
    "redis hit",
    "redis failure",
    "undecodable cell",
    "joined a flight",
    "stale answer",
    "absent answer",
    "lease wait",
    "lease renewal",
    "refresh lease",
    "fill",
    "fill rejected",
    "load overtaken",
    "refresh",
    "load hung",
    "load failed",
    "load ended behind a stale answer",
    "error marker",
    "error marker read",
    "not modified",
    "list cut",
    "poll beside open transactions",
    "history",
    "incarnation replaced",
    "restored with its incarnation",
    "rollback",
    "long transaction",
    "transaction lost in a crash",
    "insert",
    "hint",
    "hint lost",
    "refused: Forgotten",
    "refused: Expired",
    "refused: Floor",
    "refused: Incarnation",
    "cold reset: the change log began a new life",
    "cold reset: the database went back in time",
    "cold reset: too many changes at once",
    "breaker Open (writes: false)",
    "breaker Open (writes: true)",
    "breaker Closed (writes: false)",
    "feed is up: false",
    "feed is up: true",
    "read \"get\" from Remote",
    "read \"get\" from Memory, marked",
];

/// Names of what never happened.
pub(crate) fn never_seen(tally: &Tally) -> Vec<String> {
    let faults = crate::history::Fault::ALL
        .iter()
        .map(|fault| format!("fault {fault:?}"));
    let ways = (0..9).map(|way| format!("forget {way}"));
    let kinds = ["get", "get_many", "get_at_least", "validated", "max_age"];
    let reads = kinds
        .iter()
        .flat_map(|kind| ["Memory", "Source"].map(|tier| format!("read \"{kind}\" from {tier}")));
    SOMETIMES
        .iter()
        .map(|name| (*name).to_owned())
        .chain(faults)
        .chain(ways)
        .chain(reads)
        .filter(|name| tally.get(name) == 0)
        .collect()
}
