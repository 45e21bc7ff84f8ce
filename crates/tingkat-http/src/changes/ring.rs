//! The recent changes of the log, as many as fit, and since when they are complete.

use std::collections::{HashSet, VecDeque};

use tingkat::certificate::{Change, ChangeKind, Incarnation, Position};

use super::cursor::Cursor;

/// Changes that are remembered, and the bytes of their names.
const MOST_CHANGES: usize = 10_000;
const MOST_BYTES: usize = 2 << 20;

/// All changes that `known.position` has seen and `known.floor` has not.
#[derive(Debug, Default)]
pub(super) struct Ring {
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    incarnation: Incarnation,
    floor: Position,
    position: Position,
    groups: VecDeque<Group>,
    /// The number of the next group; never used twice.
    next: u64,
    changes: usize,
    bytes: usize,
}

/// What one poll brought.
#[derive(Debug)]
struct Group {
    number: u64,
    /// What had been seen with it.
    position: Position,
    changes: Vec<(u64, Change)>,
}

impl Group {
    fn bytes(&self) -> usize {
        let names = self.changes.iter().map(|(_, it)| it.dep.name().len());
        names.sum()
    }
}

/// Where one client is.
#[derive(Debug)]
pub(super) struct Place {
    seen: Option<Cursor>,
    /// Groups with lower numbers were looked at.
    next: u64,
}

impl Place {
    pub(super) const fn at(seen: Option<Cursor>) -> Self {
        Self { seen, next: 0 }
    }

    /// What the client has seen; nothing before its first event.
    pub(super) const fn seen(&self) -> Option<&Cursor> {
        self.seen.as_ref()
    }
}

/// What a client is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It may have missed anything.
    Reset(Reason),
    /// These, each once.
    Changes(Vec<Change>),
}

/// Why nobody knows what a client has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NoCursor,
    Incarnation,
    CursorTooOld,
}

impl Reason {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoCursor => "no_cursor",
            Self::Incarnation => "incarnation",
            Self::CursorTooOld => "cursor_too_old",
        }
    }
}

impl Ring {
    /// Takes in the answer to a poll; whether there is anything to tell.
    pub(super) fn learn(
        &mut self,
        incarnation: Incarnation,
        since: &Position,
        position: &Position,
        changes: &[(u64, Change)],
    ) -> bool {
        let goes_on = self.known.as_ref().is_some_and(|known| {
            known.incarnation == incarnation
                && known.position.contains(since)
                && position.contains(&known.position)
        });
        if !goes_on {
            let next = self.known.as_ref().map_or(0, |known| known.next);
            self.known = Some(Known {
                incarnation,
                floor: since.clone(),
                position: since.clone(),
                groups: VecDeque::new(),
                next,
                changes: 0,
                bytes: 0,
            });
        }
        let Some(known) = &mut self.known else {
            return false;
        };
        let is_news = known.push(position, changes);
        is_news || !goes_on
    }

    /// What a client that is at `place` has to be told, and moves it on.
    pub(super) fn after(&self, place: &mut Place) -> Option<News> {
        let known = self.known.as_ref()?;
        let reset = match &place.seen {
            None => Some(Reason::NoCursor),
            Some(seen) if seen.incarnation != known.incarnation => Some(Reason::Incarnation),
            Some(seen) if !seen.position.contains(&known.floor) => Some(Reason::CursorTooOld),
            Some(_) => None,
        };
        let (seen, news) = match (&place.seen, reset) {
            (Some(seen), None) => {
                let changes = known.changes(&seen.position, place.next);
                let news = (!changes.is_empty()).then_some(News::Changes(changes));
                // A client that comes from another node may be ahead of this one.
                let is_ahead = !known.position.contains(&seen.position);
                (is_ahead.then(|| seen.position.clone()), news)
            }
            (_, reason) => (None, reason.map(News::Reset)),
        };
        *place = Place {
            seen: Some(Cursor {
                incarnation: known.incarnation,
                position: seen.unwrap_or_else(|| known.position.clone()),
            }),
            next: known.next,
        };
        news
    }
}

impl Known {
    fn push(&mut self, position: &Position, changes: &[(u64, Change)]) -> bool {
        let unseen = |it: &&(u64, Change)| !self.position.covers(it.0);
        let changes: Vec<_> = changes.iter().filter(unseen).cloned().collect();
        self.position = position.clone();
        if changes.is_empty() {
            return false;
        }
        let group = Group {
            number: self.next,
            position: position.clone(),
            changes,
        };
        self.next += 1;
        self.changes += group.changes.len();
        self.bytes += group.bytes();
        self.groups.push_back(group);
        while self.changes > MOST_CHANGES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.groups.pop_front() else {
                break;
            };
            self.changes -= oldest.changes.len();
            self.bytes -= oldest.bytes();
            self.floor = oldest.position;
        }
        true
    }

    /// The changes from group `next` on that `seen` has not seen, each once.
    fn changes(&self, seen: &Position, next: u64) -> Vec<Change> {
        let mut told: HashSet<(&str, ChangeKind)> = HashSet::new();
        let groups = self.groups.iter().filter(|group| group.number >= next);
        groups
            .flat_map(|group| &group.changes)
            .filter(|(xid, _)| !seen.covers(*xid))
            .filter(|(_, change)| told.insert((change.dep.name(), change.kind)))
            .map(|(_, change)| change.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use tingkat::certificate::Dep;

    use super::*;

    const LIFE: Incarnation = Incarnation::from_bytes([1; 16]);
    const OTHER: Incarnation = Incarnation::from_bytes([2; 16]);

    fn at(id: u64) -> Position {
        Position::log_id(id)
    }

    fn change(name: &str) -> Change {
        Change {
            dep: Dep::new(name),
            kind: ChangeKind::Forget,
        }
    }

    /// A ring that knows all from 10 on, and three changes since.
    fn ring() -> Ring {
        let mut ring = Ring::default();
        assert!(ring.learn(LIFE, &at(10), &at(10), &[]));
        assert!(!ring.learn(LIFE, &at(10), &at(11), &[]));
        let two = [(12, change("a")), (13, change("b"))];
        assert!(ring.learn(LIFE, &at(11), &at(13), &two));
        assert!(ring.learn(LIFE, &at(13), &at(14), &[(14, change("a"))]));
        ring
    }

    fn place(incarnation: Incarnation, position: Position) -> Place {
        Place::at(Some(Cursor {
            incarnation,
            position,
        }))
    }

    fn names(news: Option<News>) -> Vec<String> {
        match news {
            Some(News::Changes(changes)) => changes.iter().map(|it| it.dep.to_string()).collect(),
            Some(News::Reset(reason)) => vec![format!("reset: {}", reason.name())],
            None => Vec::new(),
        }
    }

    #[test]
    fn a_client_is_told_what_it_has_not_seen_and_each_thing_once() {
        let mut ring = ring();
        let mut client = place(LIFE, at(10));
        assert_eq!(names(ring.after(&mut client)), ["a", "b"]);
        assert_eq!(client.seen().unwrap().position, at(14));
        assert_eq!(names(ring.after(&mut client)), [""; 0]);
        ring.learn(LIFE, &at(14), &at(15), &[(15, change("c"))]);
        assert_eq!(names(ring.after(&mut client)), ["c"]);
        assert_eq!(names(ring.after(&mut place(LIFE, at(12)))), ["b", "a", "c"]);
        assert_eq!(names(ring.after(&mut place(LIFE, at(15)))), [""; 0]);
    }

    #[test]
    fn a_change_that_commits_late_is_told_to_those_who_did_not_see_it() {
        let mut ring = ring();
        let open = Position::snapshot(15, 17, vec![15]).unwrap();
        ring.learn(LIFE, &at(14), &open, &[(16, change("c"))]);
        let mut early = place(LIFE, open.clone());
        assert_eq!(names(ring.after(&mut early)), [""; 0]);
        ring.learn(LIFE, &open, &at(16), &[(15, change("late"))]);
        assert_eq!(names(ring.after(&mut early)), ["late"]);
        assert_eq!(names(ring.after(&mut place(LIFE, open))), ["late"]);
    }

    #[test]
    fn a_client_that_may_have_missed_something_is_reset_once() {
        let ring = ring();
        for (mut client, reason) in [
            (Place::at(None), "reset: no_cursor"),
            (place(OTHER, at(14)), "reset: incarnation"),
            (place(LIFE, at(9)), "reset: cursor_too_old"),
        ] {
            assert_eq!(names(ring.after(&mut client)), [reason]);
            assert_eq!(client.seen().unwrap().position, at(14));
            assert_eq!(names(ring.after(&mut client)), [""; 0]);
        }
    }

    #[test]
    fn a_client_that_is_ahead_goes_on_where_it_was() {
        let mut ring = ring();
        let mut ahead = place(LIFE, at(16));
        assert_eq!(names(ring.after(&mut ahead)), [""; 0]);
        assert_eq!(ahead.seen().unwrap().position, at(16));
        ring.learn(
            LIFE,
            &at(14),
            &at(17),
            &[(15, change("old")), (17, change("new"))],
        );
        assert_eq!(names(ring.after(&mut ahead)), ["new"]);
        assert_eq!(ahead.seen().unwrap().position, at(17));
    }

    #[test]
    fn what_does_not_go_on_begins_anew() {
        let gap = |ring: &mut Ring| ring.learn(LIFE, &at(20), &at(20), &[]);
        let back = |ring: &mut Ring| ring.learn(LIFE, &at(5), &at(12), &[(12, change("x"))]);
        let life = |ring: &mut Ring| ring.learn(OTHER, &at(14), &at(15), &[]);
        let steps: [fn(&mut Ring) -> bool; 2] = [gap, life];
        for step in steps {
            let mut ring = ring();
            let mut client = place(LIFE, at(14));
            assert!(step(&mut ring));
            assert_eq!(names(ring.after(&mut client)).len(), 1);
        }
        // What another database says that claims the same life is told from its own beginning.
        let mut ring = ring();
        assert!(back(&mut ring));
        assert_eq!(names(ring.after(&mut place(LIFE, at(5)))), ["x"]);
    }

    #[test]
    fn a_log_that_is_read_again_from_its_floor_repeats_nothing() {
        let mut ring = ring();
        let mut client = place(LIFE, at(14));
        let history = [(13, change("b")), (14, change("a")), (15, change("c"))];
        assert!(ring.learn(LIFE, &at(12), &at(15), &history));
        assert_eq!(names(ring.after(&mut client)), ["c"]);
        assert_eq!(names(ring.after(&mut place(LIFE, at(10)))), ["a", "b", "c"]);
    }

    #[test]
    fn old_changes_make_room_and_their_clients_are_reset() {
        let mut ring = ring();
        let mut slow = place(LIFE, at(14));
        let many: Vec<_> = (0..MOST_CHANGES as u64)
            .map(|id| (15 + id, change("m")))
            .collect();
        let end = 14 + MOST_CHANGES as u64;
        ring.learn(LIFE, &at(14), &at(end), &many);
        assert_eq!(names(ring.after(&mut slow)), ["m"]);
        assert_eq!(
            names(ring.after(&mut place(LIFE, at(13)))),
            ["reset: cursor_too_old"]
        );
        ring.learn(LIFE, &at(end), &at(end + 1), &[(end + 1, change("n"))]);
        assert_eq!(
            names(ring.after(&mut place(LIFE, at(14)))),
            ["reset: cursor_too_old"]
        );
        assert_eq!(names(ring.after(&mut slow)), ["n"]);
        let wide = change(&"x".repeat(MOST_BYTES + 1));
        ring.learn(LIFE, &at(end + 1), &at(end + 2), &[(end + 2, wide)]);
        assert_eq!(names(ring.after(&mut slow)), ["reset: cursor_too_old"]);
        let known = ring.known.unwrap();
        assert_eq!((known.changes, known.bytes), (0, 0));
    }
}
