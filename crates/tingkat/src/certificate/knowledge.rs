//! What a node knows of the change log, and how it judges an entry by it.

use std::time::Duration;

use super::dep::{Change, Dep};
use super::incarnation::{Certificate, Incarnation};
use super::known::{Known, hash};
use super::publication::{Observed, Publication};
use crate::ports::{History, Poll, Tick, Written};
use crate::switch::{Rule, Switches};
use crate::sync::{AtomicU64, Ordering, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A node that knows more deps than this forgets the older half, and refuses what has not seen it.
pub(crate) const MOST_DEPS: usize = 500_000;

/// What is checked of an entry.
#[derive(Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// The entity's name.
    pub(crate) entity: &'a str,
    /// Tells the canonical text of the entry's key; only patterns need it.
    pub(crate) key: &'a dyn Fn() -> String,
    /// What a change of it would be called.
    pub(crate) watched: &'a Watched,
    /// What its load had seen.
    pub(crate) certificate: &'a Certificate,
    /// The epoch in which this node last accepted it; 0 when it never did.
    pub(crate) accepted_in: u64,
}

/// The deps of an entry by their hashes, so that judging it takes no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched(Box<[u64]>);

impl Watched {
    /// Of the entry of a key that shows `deps`.
    pub(crate) fn new(entity: &str, key: &str, deps: &[Dep]) -> Self {
        let own = [Dep::of_key(entity, key), Dep::of_entity(entity)];
        let all = own.iter().chain(deps);
        Self(all.map(|dep| hash(dep.name())).collect())
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}

/// Whether an entry may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has seen all that this node knows.
    Accepted,
    /// It has not, or can not be judged.
    Refused(Refusal),
}

impl Verdict {
    /// Why it may not be served, if it may not.
    pub(crate) const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Accepted => None,
            Self::Refused(refusal) => Some(refusal),
        }
    }
}

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// One of its deps was forgotten: it must not be served at all.
    Forgotten,
    /// One of its deps was expired: it is usable as a stale value.
    Expired,
    /// It is older than this node's memory: usable as a stale value.
    Floor,
    /// It is of another lifetime of the log: usable as a stale value.
    Incarnation,
}

impl Refusal {
    /// Whether the value may still stand in, marked, while the truth is out of reach.
    pub const fn leaves_stale(self) -> bool {
        !matches!(self, Self::Forgotten)
    }
}

/// The change map, the cursor and the anchor of one node.
///
/// What is known and the epoch move under one lock, so that under it each epoch says exactly what
/// was known.
#[derive(Debug)]
pub(crate) struct Knowledge {
    published: Publication,
    bound: Duration,
    known: RwLock<Known>,
    /// The end of the newest position that an entry of the log that is followed came with.
    newest_load: AtomicU64,
    most_deps: usize,
    switches: Switches,
}

impl Knowledge {
    /// Nothing is known yet: nothing is accepted before the first history.
    pub(crate) fn empty(bound: Duration) -> Self {
        Self {
            published: Publication::new(Tick::from_nanos(0)),
            bound,
            known: RwLock::new(Known::default()),
            newest_load: AtomicU64::new(0),
            most_deps: MOST_DEPS,
            switches: Switches::default(),
        }
    }

    /// The log of one process, which the process itself always knows to the end.
    pub(crate) fn local(incarnation: Incarnation) -> Self {
        let published = Publication::new(Tick::from_nanos(u64::MAX));
        Self {
            published,
            bound: Duration::ZERO,
            known: RwLock::new(Known::local(incarnation)),
            newest_load: AtomicU64::new(0),
            most_deps: MOST_DEPS,
            switches: Switches::default(),
        }
    }

    /// The same, with these rules.
    pub(crate) fn with(self, switches: Switches) -> Self {
        Self { switches, ..self }
    }

    /// The same, remembering so many deps.
    #[cfg(test)]
    pub(super) fn remembering(self, most_deps: usize) -> Self {
        Self { most_deps, ..self }
    }

    /// How many deps it remembers.
    #[cfg(test)]
    pub(super) const fn most_deps(&self) -> usize {
        self.most_deps
    }

    /// Whether a rule holds.
    pub(crate) fn holds(&self, rule: Rule) -> bool {
        self.switches.holds(rule)
    }

    /// What a reader may rely on; to be called before it looks at an entry.
    pub(crate) fn observe(&self) -> Observed {
        self.published.observe()
    }

    /// The staleness bound.
    pub(crate) const fn bound(&self) -> Duration {
        self.bound
    }

    /// Whether a read that starts now may be answered with what was current then.
    pub(crate) fn reaches(&self, then: Tick, now: Tick) -> bool {
        // Points rather than lengths of time: a hit does this, and a `Duration` is a division.
        now <= then.after(self.bound)
    }

    /// Whether what was observed is complete enough for a read that starts now.
    pub(crate) fn anchors(&self, observed: Observed, now: Tick) -> bool {
        self.reaches(observed.fresh_at, now) || !self.holds(Rule::Anchor)
    }

    /// What this node has seen of its log, where the next poll continues; nothing before the first
    /// history.
    pub(crate) fn cursor(&self) -> Option<Certificate> {
        let known = self.read();
        Some(Certificate {
            incarnation: known.incarnation?,
            position: known.cursor.clone()?,
        })
    }

    /// The log that is followed.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        self.read().incarnation
    }

    /// Deps that are remembered.
    pub(crate) fn deps(&self) -> usize {
        self.read().len()
    }

    /// Judges an entry by all that is known now (rule R2).
    pub(crate) fn judge(&self, evidence: Evidence<'_>) -> Verdict {
        if !self.holds(Rule::Accept) {
            return Verdict::Accepted;
        }
        self.read().judge(evidence)
    }

    /// Takes in with which certificate an entry came from the remote tier. One that is ahead of a
    /// poll sent afterwards is of a later life of the database, which was restored since.
    pub(crate) fn met(&self, certificate: &Certificate) {
        let known = self.read();
        if known.incarnation == Some(certificate.incarnation) {
            // Under the lock, so that it is not taken for one of the next log.
            self.newest_load
                .fetch_max(certificate.position.xmax(), Ordering::AcqRel);
        }
    }

    /// What the newest entry that was met had seen of the log that is followed.
    pub(crate) fn newest_load(&self) -> u64 {
        self.newest_load.load(Ordering::Acquire)
    }

    /// Takes in what a poll brought that was sent at `sent_at` (rule R7 is the caller's).
    pub(crate) fn apply_poll(&self, poll: &Poll, sent_at: Tick) {
        let mut known = self.write();
        if known.cursor.is_none() || known.incarnation != Some(poll.incarnation) {
            // Everything was forgotten while the answer was on its way: it continues nothing.
            return;
        }
        let is_news = known.apply(poll, self.published.epoch(), self.most_deps, self.switches);
        if !self.holds(Rule::PublicationOrder) {
            self.published.complete_as_of(sent_at);
        }
        if is_news {
            self.published.changed();
        }
        drop(known);
        self.published.complete_as_of(sent_at);
    }

    /// How many own writes in logs that were not followed have been noted: for whoever asks for a
    /// history, before that.
    pub(crate) fn strays(&self) -> u64 {
        self.read().strays.noted()
    }

    /// Starts over from all that the log still knows. What does not fit is replaced by a floor.
    /// `heard` is what [`Self::strays`] said before the history was asked for.
    pub(crate) fn apply_history(&self, history: &History, sent_at: Tick, heard: u64) {
        let mut known = self.write();
        let incarnation = history.poll.incarnation;
        if !known.strays.allow(incarnation, heard) {
            // An own write since then is of another log. Which one is newer shows the next history.
            return;
        }
        if known.incarnation != Some(incarnation) {
            self.newest_load.store(0, Ordering::Release);
        }
        let epoch = self.published.epoch();
        known.apply_history(history, epoch, self.most_deps, self.switches);
        self.published.changed();
        drop(known);
        self.published.complete_as_of(sent_at);
    }

    /// Takes in a change that this node itself committed, before the write returns (rule R8).
    pub(crate) fn own_write(&self, written: Written, changes: &[Change]) {
        let mut known = self.write();
        let is_other_log = known.incarnation != Some(written.incarnation);
        if is_other_log {
            // Either log may be the one that has ended. Until that is known, nothing is.
            known.forget_log();
            known.strays.note(written, changes);
        } else {
            known.add_own(written.xid, changes, self.published.epoch());
        }
        self.published.changed();
        drop(known);
        if is_other_log {
            self.published.distrust();
        }
    }

    /// Writes changes to the log of one process; returns the transaction that they became.
    pub(crate) fn append_local(&self, changes: &[Change]) -> Option<Written> {
        let mut known = self.write();
        let incarnation = known.incarnation?;
        let xid = known.append(changes, self.published.epoch(), self.most_deps)?;
        self.published.changed();
        drop(known);
        Some(Written { incarnation, xid })
    }

    /// Nothing is accepted until it is loaded again (rule R7); entries stay usable as stale.
    pub(crate) fn cold_reset(&self) {
        let mut known = self.write();
        known.forget_log();
        self.published.changed();
        drop(known);
        self.published.distrust();
    }

    /// Does not serve by what is known any more, because time itself can not be trusted.
    pub(crate) fn distrust(&self) {
        self.published.distrust();
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        // What is known is replaced or extended in steps that can not panic half-way.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
