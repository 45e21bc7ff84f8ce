//! What the database really held, and when: the measure of every answer.

use std::collections::BTreeMap;
use std::time::Duration;

/// A row's name.
pub(crate) type Row = &'static str;

/// A row's version; 0 when there is no such row. No version is ever given to two writes.
pub(crate) type Version = u64;

/// From when to when (not included) a version may be called current.
///
/// A version that was written around the change log stays current until the change is made known,
/// and one that a restored backup has lost until the log has noticed: before that nobody can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) version: Version,
    pub(crate) from: Duration,
    pub(crate) to: Option<Duration>,
}

impl Span {
    /// Whether it was current at some instant in `after..=end`; an end at `after` is too early.
    pub(crate) fn is_current_in(&self, after: Duration, end: Duration) -> bool {
        self.from <= end && self.to.is_none_or(|to| to > after)
    }
}

/// The spans of every row.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Truth(BTreeMap<Row, Vec<Span>>);

impl Truth {
    /// From now on the row has this version.
    pub(crate) fn set(&mut self, row: Row, version: Version, now: Duration) {
        self.open(row, version, now);
        self.close_others(row, version, now);
    }

    /// From now on the version is one that the row may have.
    pub(crate) fn open(&mut self, row: Row, version: Version, now: Duration) {
        let spans = self.0.entry(row).or_default();
        let is_open = spans
            .iter()
            .any(|span| span.version == version && span.to.is_none());
        if !is_open {
            spans.push(Span {
                version,
                from: now,
                to: None,
            });
        }
    }

    /// From now on the row has no version but this one.
    pub(crate) fn close_others(&mut self, row: Row, version: Version, now: Duration) {
        for span in self.0.entry(row).or_default() {
            if span.version != version && span.to.is_none() {
                span.to = Some(now);
            }
        }
    }

    pub(crate) fn spans(&self, row: Row) -> &[Span] {
        self.0.get(row).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn of(&self, row: Row, version: Version) -> impl Iterator<Item = &Span> {
        self.spans(row)
            .iter()
            .filter(move |span| span.version == version)
    }
}
