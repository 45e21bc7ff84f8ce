//! One load of each value: by all nodes together, as long as all is well; by each node, whatever
//! Redis does.
//!
//! Which loads there were is told by the readers who led them; that there were no others, by the
//! database's own count. A value that was loaded stays in memory until it changes, however often a
//! key is written.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{At, Failed, Harm, History, Key, Once, Read, Tier, Value};
use crate::probes::AGAIN;

/// A node from its start to its end.
type Life = (usize, usize);

/// The loads of one value: how many, from the first one's start to the last one's end.
struct Loads {
    times: usize,
    from: At,
    to: At,
}

pub(super) fn check(history: &History) -> Vec<Violation> {
    let Some(counted) = history.loads else {
        return Vec::new();
    };
    let mut loads: BTreeMap<(Option<Life>, Key, Value), Loads> = BTreeMap::new();
    let mut seen = counted.besides;
    for (read, value) in led(history) {
        seen += 1;
        let life = match counted.once {
            Once::Together => None,
            Once::EachNode => Some(history.life(read)),
        };
        let entry = loads.entry((life, read.key, value)).or_insert(Loads {
            times: 0,
            from: read.started,
            to: read.ended,
        });
        entry.times += 1;
        entry.from = entry.from.min(read.started);
        entry.to = entry.to.max(read.ended);
    }
    let twice = loads
        .into_iter()
        .filter(|(_, it)| it.times > 1 && !history.excuses_two(counted.once, it));
    let mut violations: Vec<Violation> = twice
        .map(|((life, key, value), it)| Violation::LoadedTwice {
            node: life.map(|(node, _)| node),
            key,
            value,
            times: it.times,
            at: it.from,
        })
        .collect();
    let unheard = history.reads.iter();
    let unheard = unheard.filter(|read| read.outcome == Err(Failed::Unanswered));
    // Whoever got no answer may have led a load.
    if counted.rows > seen + unheard.count() as u64 {
        violations.push(Violation::HiddenLoads {
            seen,
            counted: counted.rows,
        });
    }
    violations
}

/// The reads that led a load.
fn led(history: &History) -> impl Iterator<Item = (&Read, Value)> {
    history.reads.iter().filter_map(|read| {
        let seen = read.outcome.ok()?;
        matches!(seen.tier, Tier::Source { .. }).then_some((read, seen.value))
    })
}

impl History {
    /// Which life of its node a read met.
    fn life(&self, read: &Read) -> Life {
        let kills = self.faults.iter().filter(|fault| {
            fault.harm == Harm::Killed
                && fault.node.is_none_or(|node| node == read.node)
                && fault.from <= read.started
        });
        (read.node, kills.count())
    }

    /// Whether something was wrong that lets a value be loaded again.
    fn excuses_two(&self, once: Once, loads: &Loads) -> bool {
        self.faults.iter().any(|fault| {
            let (is_one, until) = match fault.harm {
                Harm::Nothing => (false, fault.to),
                // The nodes use it again soon after.
                Harm::Redis => (once == Once::Together, fault.to.saturating_add(AGAIN)),
                Harm::Database
                | Harm::Polls
                | Harm::Connections
                | Harm::Node
                | Harm::Killed
                | Harm::Forgotten
                | Harm::Source
                | Harm::Rows => (true, fault.to),
            };
            is_one && fault.from <= loads.to && until >= loads.from
        })
    }
}
