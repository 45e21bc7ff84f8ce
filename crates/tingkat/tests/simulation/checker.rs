//! Whether a history keeps the promise. One pass over the reads; no search.
//!
//! # The bound in true time
//!
//! The promise is in the node's own time: a node whose clock runs at rate 0.9 takes 1.11 s of true
//! time for a second. So a read that starts at `s` on a node of rate `r` must show a version that
//! was current at some instant after `s − B/r`. A version that ended at that very instant is too
//! old; what the clocks round off is given as [`ROUNDING`].

mod loads;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::history::{Failed, Fault, History, How, Read, Seen};
use crate::truth::{Row, Version};

/// Ticks are rounded to nanoseconds at the node's rate.
const ROUNDING: Duration = Duration::from_micros(1);

/// What a history did that it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// No such version was ever committed to the row.
    NeverCommitted { read: Read, row: Row },
    /// The version was over before the bound.
    TooOld { read: Read, row: Row, by: Duration },
    /// The version was over when this node, or the holder of this token, wrote the next one.
    OwnWriteUnseen { read: Read, row: Row },
    /// No instant had all these rows.
    Torn { read: Read },
    /// Marked as stale, and nothing was wrong.
    MarkedForNothing { read: Read },
    /// No answer, and nothing was wrong.
    FailedForNothing { read: Read },
    /// Not the newest version, though all was over.
    NotConverged { read: Read },
    /// A version was loaded more than once without faults.
    LoadedTwice {
        key: &'static str,
        rows: Vec<(Row, Version)>,
        at: Duration,
    },
}

impl Violation {
    /// The read that shows it, if one does.
    pub(crate) const fn read(&self) -> Option<&Read> {
        match self {
            Self::NeverCommitted { read, .. }
            | Self::TooOld { read, .. }
            | Self::OwnWriteUnseen { read, .. }
            | Self::Torn { read }
            | Self::MarkedForNothing { read }
            | Self::FailedForNothing { read }
            | Self::NotConverged { read } => Some(read),
            Self::LoadedTwice { .. } => None,
        }
    }

    /// The key that it is about.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::LoadedTwice { key, .. } => key,
            _ => self.read().map_or("", |read| read.key),
        }
    }

    /// When it came to light.
    pub(crate) fn at(&self) -> Duration {
        match self {
            Self::LoadedTwice { at, .. } => *at,
            _ => self.read().map_or(Duration::ZERO, |read| read.end),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Checks everything.
pub(crate) fn check(history: &History) -> Vec<Violation> {
    let mut violations: Vec<Violation> = history
        .reads
        .iter()
        .filter_map(|read| history.check_read(read))
        .collect();
    if history.is_calm {
        violations.extend(loads::loaded_twice(&history.loads));
    }
    violations
}

impl History {
    fn check_read(&self, read: &Read) -> Option<Violation> {
        let seen = match &read.seen {
            Ok(seen) => seen,
            Err(failed) => return self.check_failure(read, *failed),
        };
        let unknown = seen.rows.iter().find(|(row, version)| {
            !self
                .truth
                .of(row, *version)
                .any(|span| span.from <= read.end)
        });
        if let Some((row, _)) = unknown {
            return Some(Violation::NeverCommitted {
                read: read.clone(),
                row,
            });
        }
        if read.how == How::Final {
            let is_newest = !seen.is_stale && self.shows_one_instant(seen, self.quiet_since, read);
            return (!is_newest).then(|| Violation::NotConverged { read: read.clone() });
        }
        if seen.is_stale {
            let is_excused = self.excuses_mark(read);
            return (!is_excused).then(|| Violation::MarkedForNothing { read: read.clone() });
        }
        // A load of the caller's own bears no mark; where one would be right nothing can be said.
        if read.how == How::OwnLoad && self.excuses_mark(read) {
            return None;
        }
        self.check_current(read, seen)
    }

    fn check_current(&self, read: &Read, seen: &Seen) -> Option<Violation> {
        let after = self.oldest_instant(read);
        for (row, version) in &seen.rows {
            let ended = self.ended(row, *version);
            if ended.is_some_and(|ended| ended <= after) {
                return Some(Violation::TooOld {
                    read: read.clone(),
                    row,
                    by: ended.map_or(Duration::ZERO, |ended| after.saturating_sub(ended)),
                });
            }
            let floor = read
                .floors
                .iter()
                .filter(|(of, _)| of == row)
                .map(|(_, at)| *at)
                .max();
            if let (Some(ended), Some(floor)) = (ended, floor)
                && ended <= floor
            {
                return Some(Violation::OwnWriteUnseen {
                    read: read.clone(),
                    row,
                });
            }
        }
        (!self.shows_one_instant(seen, after, read)).then(|| Violation::Torn { read: read.clone() })
    }

    /// The read must show what was current after this.
    pub(crate) fn oldest_instant(&self, read: &Read) -> Duration {
        let bound = match read.how {
            How::Validated => Duration::ZERO,
            How::MaxAge(most) => most.min(self.bound),
            How::Get | How::Many | How::AtLeast | How::OwnLoad | How::Final => self.bound,
        };
        read.start
            .saturating_sub(self.true_time(bound, read.node))
            .saturating_sub(ROUNDING)
    }

    /// What a node takes for `duration`, in true time.
    fn true_time(&self, duration: Duration, node: usize) -> Duration {
        duration.div_f64(self.rates[node])
    }

    /// When the version was last current; nothing while it still is.
    pub(crate) fn ended(&self, row: Row, version: Version) -> Option<Duration> {
        let ends = self.truth.of(row, version).map(|span| span.to);
        ends.max_by_key(|end| end.unwrap_or(Duration::MAX))?
    }

    /// Whether some instant after `after` had all the rows as they were seen.
    fn shows_one_instant(&self, seen: &Seen, after: Duration, read: &Read) -> bool {
        let mut common = vec![(Duration::ZERO, Duration::MAX)];
        for (row, version) in &seen.rows {
            common = self
                .truth
                .of(row, *version)
                .filter(|span| span.is_current_in(after, read.end))
                .flat_map(|span| {
                    let (from, to) = (span.from, span.to.unwrap_or(Duration::MAX));
                    common
                        .iter()
                        .map(move |&(begin, end)| (begin.max(from), end.min(to)))
                })
                // Time stands still while much happens: what follows at once was there as well.
                .filter(|(begin, end)| begin <= end && *end > after)
                .collect();
        }
        !common.is_empty()
    }

    /// A mark is right while the node is cut from the database, and a bound and a poll after that,
    /// and while loads are hurt. One that was waited for is right as well while another node may
    /// hold a lease for long, because it was stopped, its loads or its Redis are slow or its Redis refuses fills, or while
    /// Redis may have brought back a lease of the past. A node's own Redis is no excuse.
    fn excuses_mark(&self, read: &Read) -> bool {
        let after = self.true_time(self.bound + self.poll, read.node);
        let has_waited =
            read.end - read.start + ROUNDING >= self.true_time(self.patience, read.node);
        !self.strict.contains(&read.entity)
            && (self.has(read, after, |fault, here| here && fault.cuts_log())
                || self.has(read, after, |fault, _| self.hurts_loads(fault))
                || (has_waited && self.may_wait_for_lease(read, after)))
    }

    fn may_wait_for_lease(&self, read: &Read, after: Duration) -> bool {
        let lease = after + self.lease.mul_f64(1.2);
        self.has(read, lease, |fault, _| {
            fault.stops_node() || fault == Fault::RedisRestored || self.hurts_loads(fault)
        }) || self.has(read, lease, |fault, here| !here && fault.holds_up_fills())
    }

    fn check_failure(&self, read: &Read, failed: Failed) -> Option<Violation> {
        let after = self.true_time(self.bound + self.poll, read.node);
        let is_excused = self.has(read, after, |fault, _| self.hurts_loads(fault))
            || self.has(read, after, |fault, here| here && fault.stops_node())
            || (matches!(failed, Failed::NotCurrent | Failed::Source)
                && self.has(read, after, |fault, here| here && fault.cuts_log()));
        (!is_excused).then(|| Violation::FailedForNothing { read: read.clone() })
    }

    /// Loads are slow or fail, on whichever node: nodes wait for each other's loads, and share
    /// their failures. A load that its caller brings needs the change log as well.
    const fn hurts_loads(&self, fault: Fault) -> bool {
        fault.hurts_source() || (self.has_own_loads && fault.cuts_log())
    }

    /// Whether a fault was at work during the read or at most `after` before it.
    fn has(&self, read: &Read, after: Duration, which: impl Fn(Fault, bool) -> bool) -> bool {
        self.faults.iter().any(|window| {
            let here = window.node == Some(read.node);
            which(window.fault, here)
                && window.from <= read.end
                && window.to.saturating_add(after) >= read.start
        })
    }
}
