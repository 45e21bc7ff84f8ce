//! What is known of the log at one moment, and how an entry is judged by it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::dep::{Change, ChangeKind};
use super::incarnation::Incarnation;
use super::knowledge::{Evidence, Refusal, Verdict};
use super::moment::{Moment, Seen};
use super::position::Position;
use super::strays::Strays;
use super::xids::Xids;
use crate::ports::{History, Poll};
use crate::switch::Switches;

/// More patterns than this become changes of their entities.
pub(super) const MOST_PATTERNS: usize = 64;

/// The change map and the cursor.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) incarnation: Option<Incarnation>,
    pub(super) cursor: Option<Position>,
    /// What has not seen this is refused: changes before it are not remembered.
    floor: Option<Moment>,
    log_floor: Option<Position>,
    /// When the map was half full: what is let go of first.
    half_full: Option<Moment>,
    forgotten: ChangeMap,
    expired: ChangeMap,
    patterns: Vec<(Box<str>, Xids)>,
    pub(super) strays: Strays,
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
pub(super) fn hash(dep: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(dep.as_bytes())
}

impl Known {
    /// The log of one process, before anything changed.
    pub(super) fn local(incarnation: Incarnation) -> Self {
        Self {
            incarnation: Some(incarnation),
            cursor: Some(Position::log_id(0)),
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.forgotten.len() + self.expired.len()
    }

    /// Knows nothing any more but what it wrote itself.
    pub(super) fn forget_log(&mut self) {
        *self = Self {
            strays: std::mem::take(&mut self.strays),
            ..Self::default()
        };
    }

    pub(super) fn judge(&self, evidence: Evidence<'_>) -> Verdict {
        if self.incarnation != Some(evidence.certificate.incarnation) {
            return Verdict::Refused(Refusal::Incarnation);
        }
        let seen = Seen {
            position: &evidence.certificate.position,
            accepted_in: evidence.accepted_in,
        };
        if self
            .floor
            .as_ref()
            .is_some_and(|floor| !seen.contains(floor))
        {
            return Verdict::Refused(Refusal::Floor);
        }
        let everything = hash("*");
        let changed_in = |map: &ChangeMap| {
            !map.is_empty()
                && evidence
                    .watched
                    .hashes()
                    .chain([everything])
                    .any(|dep| map.get(&dep).is_some_and(|xids| !xids.covered_by(seen)))
        };
        if self.is_matched(evidence, seen) || changed_in(&self.forgotten) {
            Verdict::Refused(Refusal::Forgotten)
        } else if changed_in(&self.expired) {
            Verdict::Refused(Refusal::Expired)
        } else {
            Verdict::Accepted
        }
    }

    /// Whether a pattern is about the entry that it has not seen.
    fn is_matched(&self, evidence: Evidence<'_>, seen: Seen<'_>) -> bool {
        let mut unseen = self
            .patterns
            .iter()
            .filter(|(_, xids)| !xids.covered_by(seen))
            .peekable();
        if unseen.peek().is_none() {
            return false;
        }
        let entity = evidence.entity;
        let own = format!("{entity}:{}", (evidence.key)());
        unseen.any(|(pattern, _)| pattern_matches(pattern, entity, &own))
    }

    /// Starts over from all that the log still knows; what this node wrote itself since stays.
    pub(super) fn apply_history(
        &mut self,
        history: &History,
        epoch: u64,
        most: usize,
        switches: Switches,
    ) {
        let incarnation = history.poll.incarnation;
        let since = epoch + 1;
        let mut unseen = std::mem::take(self);
        let strays = unseen.strays.take();
        let counted = std::mem::take(&mut unseen.strays);
        if unseen.incarnation != Some(incarnation) {
            unseen = Self::default();
        }
        for stray in strays {
            if stray.written.incarnation == incarnation {
                unseen.note(&stray.change, |xids| xids.add(stray.written.xid, since, []));
            }
        }
        let now = Moment {
            position: history.poll.position.clone(),
            since,
        };
        // What this node committed itself and the history does not show yet.
        unseen.forget_all_before(now.clone());
        *self = Self {
            incarnation: Some(incarnation),
            cursor: None,
            log_floor: history.poll.floor.clone(),
            floor: None,
            half_full: None,
            strays: counted,
            ..unseen
        };
        for (max, change) in &history.compacted {
            self.note(change, |xids| xids.merge_folded(*max, since));
        }
        self.apply(&history.poll, epoch, most, switches);
        if history.poll.overflow {
            self.forget_all_before(now);
        }
    }

    /// Takes in a poll in epoch `epoch`; whether anything is different now. If so, the next epoch
    /// is to begin.
    pub(super) fn apply(
        &mut self,
        poll: &Poll,
        epoch: u64,
        most: usize,
        switches: Switches,
    ) -> bool {
        let mut is_news = !poll.changes.is_empty();
        if poll.floor != self.log_floor {
            self.log_floor.clone_from(&poll.floor);
            self.fold(epoch, switches);
            is_news = true;
        }
        let since = epoch + 1;
        let before = self.cursor_in(epoch);
        let after = Moment {
            position: poll.position.clone(),
            since,
        };
        self.cursor = Some(poll.position.clone());
        for (xid, change) in &poll.changes {
            self.note(change, |xids| {
                xids.add(*xid, since, before.iter().chain([&after]));
            });
        }
        if is_news {
            self.shrink(most, before, after);
        }
        is_news
    }

    /// Appends to the log of one process in epoch `epoch`; the next one is to begin.
    pub(super) fn append(&mut self, changes: &[Change], epoch: u64, most: usize) -> Option<u64> {
        let before = self.cursor_in(epoch)?;
        let xid = before.position.xmax();
        self.add_own(xid, changes, epoch);
        let after = Moment {
            position: Position::log_id(xid),
            since: epoch + 1,
        };
        self.cursor = Some(after.position.clone());
        self.shrink(most, Some(before), after);
        Some(xid)
    }

    /// Notes what this node wrote itself, in epoch `epoch`; the next one is to begin.
    pub(super) fn add_own(&mut self, xid: u64, changes: &[Change], epoch: u64) {
        let cursor = self.cursor_in(epoch);
        for change in changes {
            self.note(change, |xids| xids.add(xid, epoch + 1, &cursor));
        }
    }

    /// What the node has seen, all of it known in epoch `epoch`.
    fn cursor_in(&self, epoch: u64) -> Option<Moment> {
        let position = self.cursor.clone()?;
        Some(Moment {
            position,
            since: epoch,
        })
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

    /// Folds what the log has folded, all of it known in epoch `epoch`, and lets go of what a floor
    /// of our own refuses anyway.
    fn fold(&mut self, epoch: u64, switches: Switches) {
        let Some(log_floor) = &self.log_floor else {
            return;
        };
        for xids in self.forgotten.values_mut().chain(self.expired.values_mut()) {
            xids.fold(log_floor, epoch, switches);
        }
        for (_, xids) in &mut self.patterns {
            xids.fold(log_floor, epoch, switches);
        }
        if let Some(floor) = &self.floor {
            let matters = |xids: &Xids| !xids.covered_by_all_that_contain(floor);
            self.forgotten.retain(|_, xids| matters(xids));
            self.expired.retain(|_, xids| matters(xids));
            self.patterns.retain(|(_, xids)| matters(xids));
        }
    }

    /// Keeps the map below `most` deps: lets go of the older half, else of all that came before the
    /// newest changes, else of those as well.
    fn shrink(&mut self, most: usize, before: Option<Moment>, after: Moment) {
        if self.len() > most {
            let moments = [self.half_full.take(), before, Some(after.clone())];
            for moment in moments.into_iter().flatten() {
                self.forget_all_before(moment);
                if self.len() <= most {
                    break;
                }
            }
        }
        if self.half_full.is_none() && self.len() > most / 2 {
            self.half_full = Some(after);
        }
    }

    /// Refuses everything that has not seen this instead of remembering what changed before it.
    fn forget_all_before(&mut self, moment: Moment) {
        // Own writes that the position has not seen yet must stay.
        let unseen = |xids: &Xids| {
            !xids.covered_by(Seen {
                position: &moment.position,
                accepted_in: 0,
            })
        };
        self.forgotten.retain(|_, xids| unseen(xids));
        self.expired.retain(|_, xids| unseen(xids));
        self.patterns.retain(|(_, xids)| unseen(xids));
        self.floor = Some(moment);
    }
}

/// `entity:glob` is about the keys of an entity, any other glob about whole deps.
fn pattern_matches(pattern: &str, entity: &str, own: &str) -> bool {
    let of_entity = pattern
        .strip_prefix(entity)
        .and_then(|rest| rest.strip_prefix(':'));
    match of_entity {
        Some(glob) => glob_matches(glob, own.get(entity.len() + 1..).unwrap_or_default()),
        None => glob_matches(pattern, own),
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
