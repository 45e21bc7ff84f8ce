//! What a node knows of the change log, and how it judges an entry by it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::publication::{Observed, Publication};
use super::xids::Xids;
use super::{Certificate, Change, ChangeKind, Dep, Incarnation, Position};
use crate::ports::{History, Poll, Tick, Written};
use crate::switch::{Rule, Switches};

/// A node that knows more deps than this forgets them all and refuses what is older than now.
pub(crate) const MOST_DEPS: usize = 500_000;

/// More own writes than this in a log that the node does not follow, and it asks again.
const MOST_STRAYS: usize = 10_000;

/// More patterns than this become changes of their entities.
const MOST_PATTERNS: usize = 64;

/// What is checked of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// The entity's name.
    pub(crate) entity: &'a str,
    /// The canonical text of the entry's key.
    pub(crate) key: &'a str,
    /// What it shows besides its own key.
    pub(crate) deps: &'a [Dep],
    /// What its load had seen.
    pub(crate) certificate: &'a Certificate,
}

/// Whether an entry may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has seen all that this node knows.
    Accepted,
    /// It has not, or can not be judged.
    Refused(Refusal),
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
#[derive(Debug)]
pub(crate) struct Knowledge {
    published: Publication,
    bound: Duration,
    known: RwLock<Known>,
    /// The end of the newest position that an entry of the log that is followed came with.
    newest_load: AtomicU64,
    switches: Switches,
}

#[derive(Debug, Default)]
struct Known {
    incarnation: Option<Incarnation>,
    cursor: Option<Position>,
    floor: Option<Position>,
    log_floor: Option<Position>,
    forgotten: ChangeMap,
    expired: ChangeMap,
    patterns: Vec<(Box<str>, Xids)>,
    strays: Strays,
}

/// Own writes in a log that the node does not follow: not yet, or not any more. Answers may be late,
/// so which of two logs is the newer one is told only by a history that was asked for afterwards.
#[derive(Debug, Default)]
struct Strays {
    noted: u64,
    /// Those up to here are not all kept.
    lost: u64,
    kept: Vec<Stray>,
}

#[derive(Debug)]
struct Stray {
    number: u64,
    written: Written,
    change: Change,
}

impl Strays {
    fn note(&mut self, written: Written, changes: &[Change]) {
        self.noted += 1;
        if self.kept.len() + changes.len() > MOST_STRAYS {
            self.lost = self.noted;
            self.kept.clear();
            return;
        }
        self.kept.extend(changes.iter().map(|change| Stray {
            number: self.noted,
            written,
            change: change.clone(),
        }));
    }

    /// Whether a log can be the newest one, by a history asked for when `heard` had been noted.
    fn allow(&self, incarnation: Incarnation, heard: u64) -> bool {
        let is_in_it = |stray: &Stray| stray.written.incarnation == incarnation;
        let mut since = self.kept.iter().filter(|stray| stray.number > heard);
        heard >= self.lost && since.all(is_in_it)
    }
}

type ChangeMap = HashMap<u64, Xids, BuildHasherDefault<Hashed>>;

/// Dep hashes are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Two deps with the same hash refuse each other's entries, which costs a load and no truth.
fn hash(dep: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(dep.as_bytes())
}

impl Knowledge {
    /// Nothing is known yet: nothing is accepted before the first history.
    pub(crate) fn empty(bound: Duration) -> Self {
        Self {
            published: Publication::new(Tick::from_nanos(0)),
            bound,
            known: RwLock::default(),
            newest_load: AtomicU64::new(0),
            switches: Switches::default(),
        }
    }

    /// The log of one process, which the process itself always knows to the end.
    pub(crate) fn local(incarnation: Incarnation) -> Self {
        let known = Known {
            incarnation: Some(incarnation),
            cursor: Some(Position::log_id(0)),
            ..Known::default()
        };
        let published = Publication::new(Tick::from_nanos(u64::MAX));
        Self {
            published,
            bound: Duration::ZERO,
            known: RwLock::new(known),
            newest_load: AtomicU64::new(0),
            switches: Switches::default(),
        }
    }

    /// The same, with these rules.
    pub(crate) fn with(self, switches: Switches) -> Self {
        Self { switches, ..self }
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
        let known = self.read();
        known.forgotten.len() + known.expired.len()
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
        let is_news = known.apply(poll, self.switches);
        let overfull = known.len() > MOST_DEPS;
        if overfull {
            known.forget_all_before(poll.position.clone());
        }
        drop(known);
        if !self.holds(Rule::PublicationOrder) {
            self.published.complete_as_of(sent_at);
        }
        if is_news || overfull {
            self.published.changed();
        }
        self.published.complete_as_of(sent_at);
    }

    /// How many own writes in logs that were not followed have been noted: for whoever asks for a
    /// history, before that.
    pub(crate) fn strays(&self) -> u64 {
        self.read().strays.noted
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
        let mut unseen = std::mem::take(&mut *known);
        let strays = std::mem::take(&mut unseen.strays.kept);
        let counted = std::mem::take(&mut unseen.strays);
        if unseen.incarnation != Some(incarnation) {
            unseen = Known::default();
            self.newest_load.store(0, Ordering::Release);
        }
        for stray in strays {
            if stray.written.incarnation == incarnation {
                unseen.note(&stray.change, |xids| xids.add(stray.written.xid, []));
            }
        }
        // What this node committed itself and the history does not show yet.
        unseen.forget_all_before(history.poll.position.clone());
        *known = Known {
            incarnation: Some(incarnation),
            log_floor: history.poll.floor.clone(),
            floor: None,
            strays: counted,
            ..unseen
        };
        for (max, change) in &history.compacted {
            known.note(change, |xids| xids.merge_folded(*max));
        }
        known.apply(&history.poll, self.switches);
        if history.poll.overflow || known.len() > MOST_DEPS {
            known.forget_all_before(history.poll.position.clone());
        }
        drop(known);
        self.published.changed();
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
        }
        let cursor = known.cursor.clone();
        for change in changes.iter().filter(|_| !is_other_log) {
            known.note(change, |xids| xids.add(written.xid, &cursor));
        }
        drop(known);
        self.published.changed();
        if is_other_log {
            self.published.distrust();
        }
    }

    /// Writes changes to the log of one process; returns the transaction that they became.
    pub(crate) fn append_local(&self, changes: &[Change]) -> Option<Written> {
        let mut known = self.write();
        let incarnation = known.incarnation?;
        let xid = known.cursor.as_ref()?.xmax();
        let cursor = Position::log_id(xid);
        for change in changes {
            known.note(change, |xids| xids.add(xid, [&cursor]));
        }
        if known.len() > MOST_DEPS {
            known.forget_all_before(cursor.clone());
        }
        known.cursor = Some(cursor);
        drop(known);
        self.published.changed();
        Some(Written { incarnation, xid })
    }

    /// Nothing is accepted until it is loaded again (rule R7); entries stay usable as stale.
    pub(crate) fn cold_reset(&self) {
        self.write().forget_log();
        self.published.changed();
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

impl Known {
    fn len(&self) -> usize {
        self.forgotten.len() + self.expired.len()
    }

    /// Knows nothing any more but what it wrote itself.
    fn forget_log(&mut self) {
        *self = Self {
            strays: std::mem::take(&mut self.strays),
            ..Self::default()
        };
    }

    fn judge(&self, evidence: Evidence<'_>) -> Verdict {
        let Evidence {
            entity,
            key,
            deps,
            certificate,
        } = evidence;
        if self.incarnation != Some(certificate.incarnation) {
            return Verdict::Refused(Refusal::Incarnation);
        }
        let position = &certificate.position;
        if self
            .floor
            .as_ref()
            .is_some_and(|floor| !position.contains(floor))
        {
            return Verdict::Refused(Refusal::Floor);
        }
        let own = Dep::of_key(entity, key);
        let of_entity = Dep::of_entity(entity);
        let everything = Dep::everything();
        let names = || {
            [&own, &of_entity, &everything]
                .into_iter()
                .chain(deps)
                .map(Dep::name)
        };
        let changed_in = |map: &ChangeMap| {
            !map.is_empty()
                && names().any(|name| {
                    map.get(&hash(name))
                        .is_some_and(|xids| !xids.covered_by(position))
                })
        };
        let matched = self.patterns.iter().any(|(pattern, xids)| {
            pattern_matches(pattern, entity, key, &own) && !xids.covered_by(position)
        });
        if matched || changed_in(&self.forgotten) {
            Verdict::Refused(Refusal::Forgotten)
        } else if changed_in(&self.expired) {
            Verdict::Refused(Refusal::Expired)
        } else {
            Verdict::Accepted
        }
    }

    /// Whether anything is different now.
    fn apply(&mut self, poll: &Poll, switches: Switches) -> bool {
        let mut is_news = !poll.changes.is_empty();
        let before = self.cursor.replace(poll.position.clone());
        for (xid, change) in &poll.changes {
            self.note(change, |xids| {
                xids.add(*xid, before.iter().chain([&poll.position]));
            });
        }
        if poll.floor != self.log_floor {
            self.log_floor.clone_from(&poll.floor);
            self.fold(switches);
            is_news = true;
        }
        is_news
    }

    fn note(&mut self, change: &Change, note: impl FnOnce(&mut Xids)) {
        let map = match change.kind {
            ChangeKind::Forget => &mut self.forgotten,
            ChangeKind::Expire => &mut self.expired,
            ChangeKind::Pattern => {
                let name = change.dep.name();
                if let Some((_, xids)) =
                    self.patterns.iter_mut().find(|(known, _)| **known == *name)
                {
                    return note(xids);
                }
                if self.patterns.len() < MOST_PATTERNS {
                    let mut xids = Xids::default();
                    note(&mut xids);
                    return self.patterns.push((name.into(), xids));
                }
                // A pattern whose entity is open may be about any.
                let entity = name
                    .split_once(':')
                    .filter(|(entity, _)| !entity.contains('*'))
                    .map_or("*".to_owned(), |(entity, _)| format!("{entity}.*"));
                return note(self.forgotten.entry(hash(&entity)).or_default());
            }
        };
        note(map.entry(hash(change.dep.name())).or_default());
    }

    /// Folds what the log has folded, and lets go of what a floor of our own refuses anyway.
    fn fold(&mut self, switches: Switches) {
        let Some(log_floor) = &self.log_floor else {
            return;
        };
        for xids in self.forgotten.values_mut().chain(self.expired.values_mut()) {
            xids.fold(log_floor, switches);
        }
        for (_, xids) in &mut self.patterns {
            xids.fold(log_floor, switches);
        }
        if let Some(floor) = &self.floor {
            // Whoever contains the floor has an xmin at or above the floor's.
            let matters = |xids: &Xids| !xids.covered_by_all_that_contain(floor);
            self.forgotten.retain(|_, xids| matters(xids));
            self.expired.retain(|_, xids| matters(xids));
            self.patterns.retain(|(_, xids)| matters(xids));
        }
    }

    /// Refuses everything older than `position` instead of remembering what changed before it.
    fn forget_all_before(&mut self, position: Position) {
        // Own writes that the position has not seen yet must stay.
        let unseen = |xids: &Xids| !xids.covered_by(&position);
        self.forgotten.retain(|_, xids| unseen(xids));
        self.expired.retain(|_, xids| unseen(xids));
        self.patterns.retain(|(_, xids)| unseen(xids));
        self.floor = Some(position);
    }
}

/// `entity:glob` is about the keys of an entity, any other glob about whole deps.
fn pattern_matches(pattern: &str, entity: &str, key: &str, own: &Dep) -> bool {
    let of_entity = pattern
        .strip_prefix(entity)
        .and_then(|rest| rest.strip_prefix(':'));
    match of_entity {
        Some(glob) => glob_matches(glob, key),
        None => glob_matches(pattern, own.name()),
    }
}

/// A `*` at either end stands for anything; elsewhere it is itself.
fn glob_matches(pattern: &str, name: &str) -> bool {
    let (open_start, rest) = pattern
        .strip_prefix('*')
        .map_or((false, pattern), |rest| (true, rest));
    let (open_end, middle) = rest
        .strip_suffix('*')
        .map_or((false, rest), |rest| (true, rest));
    match (open_start, open_end) {
        (false, false) => name == middle,
        (true, false) => name.ends_with(middle),
        (false, true) => name.starts_with(middle),
        (true, true) => name.contains(middle),
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
