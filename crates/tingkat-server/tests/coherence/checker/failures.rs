//! Whether a look-up may have failed: not while the node had something to show.
//!
//! What a node has is told by what was seen of it: what it showed before, it keeps in memory, and
//! what another node had from Redis is there. Knowing of a change, a node may not show what was
//! before it, not even marked; so only values count of which it can not know that they are over.

use std::time::Duration;

use super::{Judge, SOFT_DEADLINE, Violation};
use crate::history::{At, Failed, Fault, Harm, How, Read, Seen, Tier};

/// For so long nodes tell each other of a load that failed, at most, and a pool finds out that its
/// connections are dead.
const SHARED_FAILURE: Duration = Duration::from_millis(500);

/// An answer goes out before its value is in Redis.
const SETTLES: Duration = Duration::from_millis(100);

impl Judge<'_> {
    pub(super) fn check_failure(&self, read: &Read, failed: Failed) -> Option<Violation> {
        let mut is_harmed = false;
        for fault in &self.history.faults {
            if !fault.is_of(read.node) || !fault.touches(read, self.noticed(fault.harm)) {
                continue;
            }
            if self.excuses(fault, read, failed) {
                return None;
            }
            is_harmed |= !matches!(fault.harm, Harm::Forgotten | Harm::Redis | Harm::Nothing);
        }
        let read = *read;
        Some(if is_harmed {
            Violation::Withheld { read }
        } else {
            Violation::FailedForNothing { read }
        })
    }

    /// So long after a fault it may show.
    fn noticed(&self, harm: Harm) -> Duration {
        match harm {
            Harm::Source | Harm::Rows => self.history.bound + self.history.poll,
            Harm::Killed | Harm::Forgotten => Duration::ZERO,
            Harm::Database
            | Harm::Polls
            | Harm::Connections
            | Harm::Node
            | Harm::Redis
            | Harm::Nothing => SHARED_FAILURE,
        }
    }

    fn excuses(&self, fault: &Fault, read: &Read, failed: Failed) -> bool {
        let has_waited = read.ended.saturating_sub(read.started) >= SOFT_DEADLINE;
        match fault.harm {
            Harm::Database => insists(read) || !self.has_any(read, fault),
            Harm::Node => {
                failed == Failed::Unanswered || insists(read) || !self.has_any(read, fault)
            }
            Harm::Connections => insists(read) || !self.has_newest(read),
            Harm::Killed => failed == Failed::Unanswered,
            // Loads work, but there may be too many.
            Harm::Polls => insists(read) || (has_waited && !self.has_any(read, fault)),
            Harm::Source => has_waited,
            Harm::Rows => failed == Failed::Status(404),
            Harm::Forgotten | Harm::Redis | Harm::Nothing => false,
        }
    }

    /// Whether the node has a value that it may show while the fault cuts it off.
    fn has_any(&self, read: &Read, fault: &Fault) -> bool {
        if read.ended >= fault.ending {
            return self.has_newest(read);
        }
        // A node that began anew meanwhile knows of no change at all.
        let is_ignorant = self.began(read) >= fault.from;
        self.holds(read, if is_ignorant { At::ZERO } else { fault.begun })
    }

    /// Whether the node has the value that is current, whatever it knows.
    fn has_newest(&self, read: &Read) -> bool {
        self.holds(read, read.ended)
    }

    /// Whether the node has a value that was not over before `until`, in memory or in Redis.
    fn holds(&self, read: &Read, until: At) -> bool {
        let (began, forgotten) = (self.began(read), self.forgotten(read));
        let mut earlier = self.history.reads.iter().filter(|earlier| {
            earlier.key == read.key && earlier.ended.saturating_add(SETTLES) <= read.started
        });
        earlier.any(|earlier| {
            let Ok(seen) = earlier.outcome else {
                return false;
            };
            let is_there = if earlier.node == read.node {
                earlier.started >= began
            } else {
                seen.tier == Tier::Redis && self.has_redis_since(earlier, read)
            };
            let is_there = is_there && earlier.started >= forgotten;
            is_there && self.lasted(earlier, seen, until)
        })
    }

    fn lasted(&self, earlier: &Read, seen: Seen, until: At) -> bool {
        let span = self.span(earlier, seen.value);
        span.is_some_and(|span| span.kept.is_none_or(|kept| kept >= until))
    }

    /// Whether nothing happened to Redis since an earlier read.
    fn has_redis_since(&self, earlier: &Read, read: &Read) -> bool {
        !self.history.faults.iter().any(|fault| {
            fault.harm == Harm::Redis && fault.from <= read.ended && fault.to >= earlier.started
        })
    }

    /// When everything was last forgotten.
    fn forgotten(&self, read: &Read) -> At {
        let faults = self.history.faults.iter();
        let forgotten =
            faults.filter(|fault| fault.harm == Harm::Forgotten && fault.from <= read.ended);
        forgotten.map(|fault| fault.to).max().unwrap_or_default()
    }

    /// When the node last began anew.
    fn began(&self, read: &Read) -> At {
        let kills = self.history.faults.iter().filter(|fault| {
            fault.harm == Harm::Killed && fault.is_of(read.node) && fault.from <= read.started
        });
        kills.map(|fault| fault.from).max().unwrap_or_default()
    }
}

/// Whether the reader asks for more than what there is.
fn insists(read: &Read) -> bool {
    read.how != How::Usual
}
