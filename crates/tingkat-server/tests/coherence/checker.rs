//! Whether a history keeps the promise. One pass over the reads; no search.
//!
//! A read is too old if the next value's commit had been acknowledged before the read's start less
//! the bound. That errs on the node's side only: the commit took effect some time before.

mod failures;
mod loads;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::history::{At, Fault, Harm, History, How, Key, Read, Seen, Value};
use crate::truth::{Contradiction, Span, Truth};

/// Who has waited for a load this long gets what there is.
const SOFT_DEADLINE: Duration = Duration::from_millis(250);

/// What a history did that it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// The writes do not fit together.
    Contradicted(Contradiction),
    /// No transaction ever wrote this.
    NeverWritten { read: Read },
    /// The transaction that wrote this was rolled back.
    RolledBack { read: Read },
    /// The value was seen before its transaction was asked to end.
    NotYetCommitted { read: Read },
    /// The columns are of different values.
    Torn { read: Read },
    /// The value was over before the bound.
    TooOld { read: Read, by: Duration },
    /// The token's value was over when this one was current no more.
    TokenUnseen { read: Read },
    /// Marked as stale, and nothing was wrong with this node's way to the database.
    MarkedForNothing { read: Read },
    /// No answer, and the database was there.
    FailedForNothing { read: Read },
    /// No answer, and the node had one that may be marked as stale.
    Withheld { read: Read },
    /// More than one load of a value, by one node or by all together.
    LoadedTwice {
        node: Option<usize>,
        key: Key,
        value: Value,
        times: usize,
        at: At,
    },
    /// The database was asked for more than the readers saw.
    HiddenLoads { seen: u64, counted: u64 },
}

impl Violation {
    /// One word for a table.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Contradicted(_) => "contradicted",
            Self::NeverWritten { .. } => "never written",
            Self::RolledBack { .. } => "rolled back",
            Self::NotYetCommitted { .. } => "not yet committed",
            Self::Torn { .. } => "torn",
            Self::TooOld { .. } => "too old",
            Self::TokenUnseen { .. } => "token unseen",
            Self::MarkedForNothing { .. } => "marked for nothing",
            Self::FailedForNothing { .. } => "failed for nothing",
            Self::Withheld { .. } => "withheld",
            Self::LoadedTwice { .. } => "loaded twice",
            Self::HiddenLoads { .. } => "hidden loads",
        }
    }

    /// The key that it is about.
    pub(crate) const fn key(&self) -> Option<Key> {
        match self {
            Self::Contradicted(contradiction) => Some(contradiction.key),
            Self::NeverWritten { read }
            | Self::RolledBack { read }
            | Self::NotYetCommitted { read }
            | Self::Torn { read }
            | Self::TooOld { read, .. }
            | Self::TokenUnseen { read }
            | Self::MarkedForNothing { read }
            | Self::FailedForNothing { read }
            | Self::Withheld { read } => Some(read.key),
            Self::LoadedTwice { key, .. } => Some(*key),
            Self::HiddenLoads { .. } => None,
        }
    }

    /// When it came to light.
    pub(crate) const fn at(&self) -> At {
        match self {
            Self::Contradicted(contradiction) => contradiction.at,
            Self::NeverWritten { read }
            | Self::RolledBack { read }
            | Self::NotYetCommitted { read }
            | Self::Torn { read }
            | Self::TooOld { read, .. }
            | Self::TokenUnseen { read }
            | Self::MarkedForNothing { read }
            | Self::FailedForNothing { read }
            | Self::Withheld { read } => read.started,
            Self::LoadedTwice { at, .. } => *at,
            Self::HiddenLoads { .. } => At::ZERO,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Contradicted(it) => write!(f, "{it:?}"),
            Self::TooOld { read, by } => write!(f, "by {by:?}: {read}"),
            Self::NeverWritten { read }
            | Self::RolledBack { read }
            | Self::NotYetCommitted { read }
            | Self::Torn { read }
            | Self::TokenUnseen { read }
            | Self::MarkedForNothing { read }
            | Self::FailedForNothing { read }
            | Self::Withheld { read } => write!(f, "{read}"),
            Self::LoadedTwice {
                node,
                key,
                value,
                times,
                ..
            } => match node {
                Some(node) => write!(f, "node {node}, key {key}, {value:?}: {times} times"),
                None => write!(f, "key {key}, {value:?}: {times} times"),
            },
            Self::HiddenLoads { seen, counted } => {
                write!(f, "the readers saw {seen} loads, the database {counted}")
            }
        }
    }
}

/// What came of a history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) violations: Vec<Violation>,
    /// How old each answer without a mark was: nothing for the newest there was.
    pub(crate) staleness: Vec<Duration>,
}

/// Checks everything.
pub(crate) fn check(history: &History) -> Verdict {
    let truth = match Truth::of(history) {
        Ok(truth) => truth,
        Err(contradiction) => {
            return Verdict {
                violations: vec![Violation::Contradicted(contradiction)],
                ..Verdict::default()
            };
        }
    };
    let judge = Judge { history, truth };
    let mut verdict = Verdict::default();
    for read in &history.reads {
        verdict.violations.extend(judge.check(read));
        verdict.staleness.extend(judge.staleness(read));
    }
    verdict.violations.extend(loads::check(history));
    verdict
}

struct Judge<'a> {
    history: &'a History,
    truth: Truth,
}

impl Judge<'_> {
    fn check(&self, read: &Read) -> Option<Violation> {
        let read = *read;
        let seen = match read.outcome {
            Ok(seen) => seen,
            Err(failed) => return self.check_failure(&read, failed),
        };
        if let Some(violation) = self.check_value(&read, seen.value) {
            return Some(violation);
        }
        if seen.is_marked {
            let has_waited = read.ended.saturating_sub(read.started) >= SOFT_DEADLINE;
            let is_excused = self.has(&read, |harm, here| match harm {
                Harm::Database | Harm::Node | Harm::Killed => here,
                Harm::Polls => here && has_waited,
                Harm::Source => has_waited,
                Harm::Connections | Harm::Forgotten | Harm::Redis | Harm::Rows | Harm::Nothing => {
                    false
                }
            });
            return (!is_excused).then_some(Violation::MarkedForNothing { read });
        }
        self.check_age(&read, seen)
    }

    /// Whether there was such a value.
    fn check_value(&self, read: &Read, value: Value) -> Option<Violation> {
        let read = *read;
        let spans = self.truth.spans(read.key, value.stamp);
        if self.truth.was_rolled_back(read.key, value) {
            return Some(Violation::RolledBack { read });
        }
        let Some(span) = spans.first() else {
            return Some(Violation::NeverWritten { read });
        };
        if span.value != value {
            return Some(Violation::Torn { read });
        }
        (span.from > read.ended).then_some(Violation::NotYetCommitted { read })
    }

    fn check_age(&self, read: &Read, seen: Seen) -> Option<Violation> {
        let read = *read;
        let span = self.span(&read, seen.value)?;
        let after = self.oldest_instant(&read);
        if let Some(ended) = span.to.filter(|ended| *ended < after) {
            let by = after.saturating_sub(ended);
            return Some(Violation::TooOld { read, by });
        }
        if let How::AtLeast(token) = read.how {
            let wanted = self.span(&read, token)?;
            // The token of a write that was lost with its database asks for nothing, and one of the
            // new database for nothing of a node that still shows what the old one had: it has not
            // heard of the new one, and may not have, for the bound.
            let is_lost = self.history.findings.iter().any(|finding| {
                finding.is_other_database
                    && [wanted.to, span.to]
                        .iter()
                        .flatten()
                        .any(|to| *to == finding.at)
            });
            if span.place < wanted.place && !is_lost {
                return Some(Violation::TokenUnseen { read });
            }
        }
        None
    }

    /// The last time that the row had this value, as far as this read can know.
    fn span(&self, read: &Read, value: Value) -> Option<Span> {
        let spans = self.truth.spans(read.key, value.stamp);
        let begun = spans.iter().rev().find(|span| span.from <= read.ended);
        begun.copied()
    }

    /// The read must show what was current after this.
    fn oldest_instant(&self, read: &Read) -> At {
        match read.how {
            How::Usual | How::AtLeast(_) => read.started.saturating_sub(self.history.bound),
            How::Validated => read.started,
        }
    }

    /// For how long the value had been over; nothing for an answer that is marked or missing.
    fn staleness(&self, read: &Read) -> Option<Duration> {
        let seen = read.outcome.ok().filter(|seen| !seen.is_marked)?;
        let ended = self.span(read, seen.value)?.to;
        Some(ended.map_or(Duration::ZERO, |ended| read.started.saturating_sub(ended)))
    }

    /// Whether such a fault was at work during the read, or so short a time before it that the node
    /// may not have noticed its end: a bound and a poll.
    fn has(&self, read: &Read, which: impl Fn(Harm, bool) -> bool) -> bool {
        let noticed = self.history.bound + self.history.poll;
        self.history
            .faults
            .iter()
            .filter(|fault| fault.touches(read, noticed))
            .any(|fault| which(fault.harm, fault.is_of(read.node)))
    }
}

impl Fault {
    /// Whether it was at work during the read, or at most `after` before it.
    fn touches(&self, read: &Read, after: Duration) -> bool {
        self.from <= read.ended && self.to.saturating_add(after) >= read.started
    }

    fn is_of(&self, node: usize) -> bool {
        self.node.is_none_or(|of| of == node)
    }
}
