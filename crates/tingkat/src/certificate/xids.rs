//! The transactions in which one dep changed, as far as a node must remember them.

use super::moment::{Moment, Seen};
use super::position::Position;
use crate::switch::{Rule, Switches};

/// Recent transactions are kept one by one up to this many.
///
/// They can not be told by their maximum alone: the snapshot `100:110:100` covers 105 and not 100.
const MOST_RECENT: usize = 8;

/// Between two polls a node may add this many writes of its own before they are folded.
const MOST_OWN: usize = 64;

/// Which transactions changed a dep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Xids {
    /// The newest of the folded ones; covered once it is below a snapshot's xmin.
    old_max: u64,
    /// The epoch from which on all folded ones were known.
    old_since: u64,
    /// The others, one by one.
    recent: Vec<u64>,
    /// A moment at which all were known that were cut off the list.
    cut: Option<Box<Moment>>,
}

impl Xids {
    /// Whether an entry has seen all of them.
    pub(crate) fn covered_by(&self, seen: Seen<'_>) -> bool {
        let is_old_covered = self.old_max == 0
            || self.old_max < seen.position.xmin()
            || seen.was_accepted_since(self.old_since);
        is_old_covered
            && self.recent.iter().all(|&xid| seen.position.covers(xid))
            && self.cut.as_ref().is_none_or(|cut| seen.contains(cut))
    }

    /// Adds one that is known from epoch `since` on. `moments` are positions up to which the node
    /// knows the log, the oldest first; what they cover may be cut off.
    ///
    /// The oldest that makes room is taken: a load that was sent before this node heard of the
    /// newest change contains the position before it, and must not be refused for what it saw.
    pub(crate) fn add<'a>(
        &mut self,
        xid: u64,
        since: u64,
        moments: impl IntoIterator<Item = &'a Moment>,
    ) {
        if self.recent.contains(&xid) {
            return;
        }
        self.recent.push(xid);
        for moment in moments {
            if self.recent.len() <= MOST_RECENT {
                break;
            }
            let before = self.recent.len();
            self.recent.retain(|&xid| !moment.position.covers(xid));
            // Positions only grow, so the newer one has seen what the older cut had seen. Where it
            // has seen none of these, such as own writes since, nothing is cut.
            if self.recent.len() < before {
                self.cut = Some(Box::new(moment.clone()));
            }
        }
        if self.recent.len() > MOST_OWN {
            let newest = self.recent.drain(..).max().unwrap_or(0);
            self.merge_folded(newest, since);
        }
    }

    /// Folds what a compacted log has folded: all below the floor's xmin. All that is here was known
    /// in epoch `since` already.
    pub(crate) fn fold(&mut self, floor: &Position, since: u64, switches: Switches) {
        let below = self
            .recent
            .iter()
            .copied()
            .filter(|&xid| xid < floor.xmin())
            .max();
        if let Some(newest) = below {
            if switches.holds(Rule::Fold) {
                self.merge_folded(newest, since);
            }
            self.recent.retain(|&xid| xid >= floor.xmin());
        }
    }

    /// Merges what was folded, and is known from epoch `since` on.
    pub(crate) fn merge_folded(&mut self, max: u64, since: u64) {
        self.old_max = self.old_max.max(max);
        self.old_since = self.old_since.max(since);
    }

    /// Whether every entry that has seen `floor` has seen them, so that they need not be kept.
    pub(crate) fn covered_by_all_that_contain(&self, floor: &Moment) -> bool {
        // What contains the floor has an xmin at or above the floor's.
        let xmin = floor.position.xmin();
        self.recent.iter().all(|&xid| xid < xmin)
            && self.old_max < xmin
            && self
                .cut
                .as_ref()
                .is_none_or(|cut| floor.position.contains(&cut.position))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn position(xmin: u64, xmax: u64, xip: &[u64]) -> Position {
        Position::snapshot(xmin, xmax, xip.to_vec()).unwrap()
    }

    /// The epoch of tests in which nothing was accepted before.
    const NOW: u64 = 1;

    fn moment(position: Position) -> Moment {
        Moment {
            position,
            since: NOW,
        }
    }

    impl Xids {
        fn are_seen_by(&self, position: &Position) -> bool {
            self.covered_by(Seen {
                position,
                accepted_in: 0,
            })
        }
    }

    #[test]
    fn a_gap_is_not_covered_by_a_newer_neighbour() {
        let mut xids = Xids::default();
        xids.add(100, NOW, []);
        xids.add(105, NOW, []);
        assert!(!xids.are_seen_by(&position(100, 110, &[100])));
        assert!(xids.are_seen_by(&position(101, 110, &[])));
    }

    #[test]
    fn an_own_write_that_the_cursor_has_not_seen_survives_the_cut() {
        let mut xids = Xids::default();
        let cursor = moment(position(50, 50, &[]));
        for xid in 40..49 {
            xids.add(xid, NOW, [&cursor]);
        }
        xids.add(60, NOW, [&cursor]);
        for xid in 30..39 {
            xids.add(xid, NOW, [&cursor]);
        }
        assert!(!xids.are_seen_by(&position(55, 55, &[])));
        assert!(xids.are_seen_by(&position(61, 61, &[])));
    }

    #[test]
    fn own_writes_that_the_cursor_has_not_seen_cut_nothing() {
        let mut xids = Xids::default();
        let cursor = moment(position(11, 11, &[]));
        for xid in 11..21 {
            xids.add(xid, 2, [&cursor]);
        }
        assert!(xids.are_seen_by(&position(10, 21, &[10])));
        assert!(!xids.are_seen_by(&position(10, 20, &[10])));
    }

    #[test]
    fn the_ninth_change_does_not_refuse_a_load_that_saw_it_before_the_poll() {
        let mut xids = Xids::default();
        let (before, poll) = (moment(position(49, 49, &[])), moment(position(60, 60, &[])));
        for xid in (40..48).chain([50]) {
            xids.add(xid, NOW, [&before, &poll]);
        }
        assert!(xids.are_seen_by(&position(55, 55, &[])));
        assert!(!xids.are_seen_by(&position(50, 50, &[])));
        assert!(!xids.are_seen_by(&position(47, 55, &[47])));
    }

    #[test]
    fn more_changes_in_one_poll_than_a_list_holds_are_cut_at_the_poll() {
        let mut xids = Xids::default();
        let (before, poll) = (moment(position(40, 40, &[])), moment(position(60, 60, &[])));
        for xid in 40..50 {
            xids.add(xid, NOW, [&before, &poll]);
        }
        assert!(xids.recent.len() <= MOST_RECENT);
        assert!(!xids.are_seen_by(&position(49, 49, &[])));
        assert!(xids.are_seen_by(&position(60, 60, &[])));
    }

    /// A position as the set of what it has seen, among the transactions below 40.
    fn seen(position: &Position) -> BTreeSet<u64> {
        (1..40)
            .filter(|&xid| xid < position.xmax() && !position.xip().contains(&xid))
            .collect()
    }

    prop_compose! {
        /// As PostgreSQL tells them: the newest below `xmax` has ended.
        fn positions()(xmax in 1_u64..40, holes in prop::collection::btree_set(1_u64..40, 0..6)) -> Position {
            let xip: Vec<u64> = holes.into_iter().filter(|&xid| xid + 1 < xmax).collect();
            let xmin = xip.first().copied().unwrap_or(xmax);
            Position::snapshot(xmin, xmax, xip).unwrap()
        }
    }

    proptest! {
        #[test]
        fn contains_is_the_subset_of_what_was_seen(a in positions(), b in positions()) {
            prop_assert_eq!(a.contains(&b), seen(&b).is_subset(&seen(&a)));
        }

        #[test]
        fn covers_is_membership(a in positions(), xid in 1_u64..40) {
            prop_assert_eq!(a.covers(xid), seen(&a).contains(&xid));
        }

        #[test]
        fn a_position_reads_back(a in positions()) {
            prop_assert_eq!(a.to_string().parse::<Position>(), Ok(a));
        }

        /// Whatever was cut or folded: what is accepted has seen every change.
        #[test]
        fn nothing_unseen_is_ever_covered(
            steps in prop::collection::vec((1_u64..40, positions(), any::<bool>()), 0..40),
            load in positions(),
        ) {
            let mut xids = Xids::default();
            let mut all = BTreeSet::new();
            let mut cursor: Option<Moment> = None;
            for (xid, step, fold) in steps {
                let before = cursor.clone();
                // A node's cursor only grows.
                if cursor.as_ref().is_none_or(|cursor| step.contains(&cursor.position)) {
                    cursor = Some(moment(step));
                }
                xids.add(xid, NOW, before.iter().chain(&cursor));
                all.insert(xid);
                if fold && let Some(cursor) = &cursor {
                    xids.fold(&cursor.position, NOW, Switches::default());
                }
            }
            if xids.are_seen_by(&load) {
                prop_assert!(all.is_subset(&seen(&load)), "{xids:?} accepts {load}");
            }
        }

        /// Short lists are exact: what has seen every change is accepted.
        #[test]
        fn a_short_list_refuses_nothing_that_has_seen_all(
            changes in prop::collection::btree_set(1_u64..40, 0..8),
            load in positions(),
        ) {
            let mut xids = Xids::default();
            for &xid in &changes {
                xids.add(xid, NOW, []);
            }
            prop_assert_eq!(xids.are_seen_by(&load), changes.is_subset(&seen(&load)));
        }
    }
}
