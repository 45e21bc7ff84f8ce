//! Which value each row had when, made out of the writes and of what was found in the database.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::history::{At, Finding, History, Key, Outcome, Value, Write};

/// The spans of every value that was ever committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    spans: HashMap<(Key, i64), Vec<Span>>,
    rolled_back: HashSet<(Key, i64)>,
}

/// A time in which a row had a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) value: Value,
    /// Its place among the values of the row.
    pub(crate) place: usize,
    /// It was not there before.
    pub(crate) from: At,
    /// It was not over before; nothing while it is the newest.
    pub(crate) kept: Option<At>,
    /// It was over by then; nothing while it is the newest.
    pub(crate) to: Option<At>,
}

/// The writes contradict each other: the database lost or mixed up what it had acknowledged, or
/// this suite did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    pub(crate) key: Key,
    pub(crate) at: At,
    /// What the row should have been.
    pub(crate) expected: Value,
    pub(crate) found: Value,
}

impl Truth {
    pub(crate) fn of(history: &History) -> Result<Self, Contradiction> {
        let mut truth = Self::default();
        for write in &history.writes {
            if write.outcome == Outcome::RolledBack {
                truth.rolled_back.insert((write.key, write.value.stamp));
            }
        }
        for (key, first) in history.first.iter().enumerate() {
            let events = events(key, history);
            truth.tell(key, *first, &events)?;
        }
        Ok(truth)
    }

    /// When a row had the value with this stamp.
    pub(crate) fn spans(&self, key: Key, stamp: i64) -> &[Span] {
        self.spans.get(&(key, stamp)).map_or(&[], Vec::as_slice)
    }

    /// Whether the value was written by a transaction that was rolled back.
    pub(crate) fn was_rolled_back(&self, key: Key, value: Value) -> bool {
        self.rolled_back.contains(&(key, value.stamp))
    }

    /// Goes through all that happened to a row.
    fn tell(&mut self, key: Key, first: Value, events: &[Event]) -> Result<(), Contradiction> {
        let mut current = first;
        self.begin(key, first, 0, Duration::ZERO);
        for (place, event) in events.iter().enumerate() {
            let expected = match event.kind {
                Kind::Write { over } => over,
                Kind::Seen => event.value,
                Kind::Replaced => current,
            };
            if expected != current {
                return Err(Contradiction {
                    key,
                    at: event.from,
                    expected: current,
                    found: expected,
                });
            }
            if event.value != current {
                self.end(key, current, event);
                self.begin(key, event.value, place + 1, event.from);
                current = event.value;
            }
        }
        Ok(())
    }

    fn begin(&mut self, key: Key, value: Value, place: usize, from: At) {
        let spans = self.spans.entry((key, value.stamp)).or_default();
        spans.push(Span {
            value,
            place,
            from,
            kept: None,
            to: None,
        });
    }

    fn end(&mut self, key: Key, value: Value, by: &Event) {
        let spans = self.spans.get_mut(&(key, value.stamp));
        if let Some(span) = spans.and_then(|spans| spans.last_mut()) {
            span.kept = Some(by.from);
            span.to = Some(by.settled);
        }
    }
}

/// Something that made or showed the value of a row.
struct Event {
    value: Value,
    kind: Kind,
    /// Not before.
    from: At,
    /// Surely by then.
    settled: At,
}

enum Kind {
    Write {
        over: Value,
    },
    /// Somebody looked.
    Seen,
    /// The database is another one.
    Replaced,
}

/// The events of a row in their order. A writer holds the row's lock until its transaction has
/// ended, so the order in which their ends were asked for is the order in which they took effect.
fn events(key: Key, history: &History) -> Vec<Event> {
    let writes = || history.writes.iter().filter(|write| write.key == key);
    let mut events: Vec<Event> = history
        .findings
        .iter()
        .filter_map(|finding| seen(key, finding))
        .collect();
    // From the last to the first: one whose end is unknown took effect if a later one saw it.
    let mut sorted: Vec<&Write> = writes().collect();
    sorted.sort_by_key(|write| std::cmp::Reverse(write.asked));
    for write in sorted {
        let settled = match write.outcome {
            Outcome::Committed(answered) => Some(answered),
            Outcome::RolledBack => None,
            Outcome::Unknown => seen_by(write, &events),
        };
        if let Some(settled) = settled {
            events.push(Event {
                value: write.value,
                kind: Kind::Write { over: write.over },
                from: write.asked,
                settled,
            });
        }
    }
    events.sort_by_key(|event| event.from);
    events
}

fn seen(key: Key, finding: &Finding) -> Option<Event> {
    Some(Event {
        value: *finding.rows.get(key)?,
        kind: if finding.is_other_database {
            Kind::Replaced
        } else {
            Kind::Seen
        },
        from: finding.at,
        settled: finding.at,
    })
}

/// When somebody had seen what this write made.
fn seen_by(write: &Write, later: &[Event]) -> Option<At> {
    later
        .iter()
        .filter(|event| match event.kind {
            Kind::Write { over } => over == write.value,
            Kind::Seen | Kind::Replaced => event.value == write.value,
        })
        .map(|event| event.settled)
        .min()
}
