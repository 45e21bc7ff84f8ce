//! What an own write does to what a node knows, where the log turned into another one; and what a
//! node still accepts when it remembers less than it knew.

use std::time::Duration;

use super::strays::MOST_STRAYS;
use super::*;
use crate::ports::{History, Poll, Tick, Written};

const OLD: Incarnation = Incarnation::from_bytes([1; 16]);
const NEW: Incarnation = Incarnation::from_bytes([2; 16]);

fn position(next: u64) -> Position {
    Position::snapshot(next, next, Vec::new()).unwrap()
}

fn poll(incarnation: Incarnation, next: u64) -> Poll {
    Poll {
        incarnation,
        position: position(next),
        floor: None,
        changes: Vec::new(),
        overflow: false,
    }
}

fn history(incarnation: Incarnation, next: u64) -> History {
    History {
        poll: poll(incarnation, next),
        compacted: Vec::new(),
    }
}

fn at(seconds: u64) -> Tick {
    Tick::from_nanos(0).after(Duration::from_secs(seconds))
}

fn change() -> Change {
    Change {
        dep: Dep::of_key("product", "7"),
        kind: ChangeKind::Forget,
    }
}

fn judge(knowledge: &Knowledge, incarnation: Incarnation, next: u64) -> Verdict {
    judge_accepted_in(
        knowledge,
        &Certificate {
            incarnation,
            position: position(next),
        },
        0,
    )
}

fn judge_accepted_in(
    knowledge: &Knowledge,
    certificate: &Certificate,
    accepted_in: u64,
) -> Verdict {
    knowledge.judge(Evidence {
        entity: "product",
        key: &|| "7".to_owned(),
        watched: &Watched::new("product", "7", &[]),
        certificate,
        accepted_in,
    })
}

fn knowing(incarnation: Incarnation, next: u64) -> Knowledge {
    let knowledge = Knowledge::empty(Duration::from_secs(1));
    knowledge.apply_history(&history(incarnation, next), at(100), 0);
    knowledge
}

fn write(incarnation: Incarnation, xid: u64) -> Written {
    Written { incarnation, xid }
}

#[test]
fn an_own_write_in_a_log_that_the_node_has_not_met_ends_what_it_knew() {
    let knowledge = knowing(OLD, 50);
    let before = knowledge.observe();
    assert_eq!(judge(&knowledge, OLD, 50), Verdict::Accepted);
    knowledge.own_write(write(NEW, 40), &[change()]);
    assert_ne!(judge(&knowledge, OLD, 50), Verdict::Accepted);
    assert_ne!(knowledge.observe().epoch, before.epoch);
    assert!(!knowledge.anchors(knowledge.observe(), at(100)));
}

#[test]
fn who_knows_a_log_by_an_own_write_only_knows_nothing() {
    let knowledge = knowing(OLD, 50);
    knowledge.own_write(write(NEW, 40), &[change()]);
    assert_eq!(knowledge.cursor(), None);
    assert_ne!(judge(&knowledge, NEW, 50), Verdict::Accepted);
}

#[test]
fn an_own_write_before_the_first_history_is_not_lost() {
    let knowledge = Knowledge::empty(Duration::from_secs(1));
    knowledge.own_write(write(NEW, 40), &[change()]);
    // Asked for before the write: it does not show it.
    knowledge.apply_history(&history(NEW, 40), at(100), 0);
    assert_ne!(judge(&knowledge, NEW, 40), Verdict::Accepted);
    assert_eq!(judge(&knowledge, NEW, 41), Verdict::Accepted);
}

#[test]
fn an_answer_of_the_log_that_ended_does_not_undo_an_own_write_in_the_next_one() {
    let knowledge = knowing(OLD, 50);
    knowledge.own_write(write(NEW, 40), &[change()]);
    knowledge.apply_poll(&poll(OLD, 60), at(101));
    assert_eq!(knowledge.cursor(), None);
    knowledge.apply_history(&history(OLD, 60), at(101), 0);
    assert_ne!(judge(&knowledge, OLD, 60), Verdict::Accepted);
    assert!(!knowledge.anchors(knowledge.observe(), at(101)));
    // Asked for after all that.
    knowledge.apply_history(&history(NEW, 41), at(102), knowledge.strays());
    assert_eq!(judge(&knowledge, NEW, 41), Verdict::Accepted);
    assert!(knowledge.anchors(knowledge.observe(), at(102)));
}

/// The answer to a write may come after what the node has learned of the next log since.
#[test]
fn a_late_own_write_of_a_log_that_ended_does_not_bring_that_log_back() {
    let knowledge = knowing(NEW, 50);
    knowledge.own_write(write(OLD, 700), &[change()]);
    assert_ne!(judge(&knowledge, OLD, 800), Verdict::Accepted);
    let heard = knowledge.strays();
    knowledge.apply_history(&history(NEW, 60), at(101), heard);
    assert_eq!(judge(&knowledge, NEW, 60), Verdict::Accepted);
    assert_ne!(judge(&knowledge, OLD, 800), Verdict::Accepted);
}

#[test]
fn own_writes_that_go_on_do_not_keep_a_history_out() {
    let knowledge = Knowledge::empty(Duration::from_secs(1));
    for xid in 40..60 {
        knowledge.own_write(write(NEW, xid), &[change()]);
    }
    knowledge.apply_history(&history(NEW, 50), at(100), 0);
    assert_ne!(judge(&knowledge, NEW, 59), Verdict::Accepted);
    assert_eq!(judge(&knowledge, NEW, 60), Verdict::Accepted);
}

#[test]
fn more_own_writes_than_are_kept_are_in_the_next_history() {
    let knowledge = Knowledge::empty(Duration::from_secs(1));
    for xid in 0..=u64::try_from(MOST_STRAYS).unwrap() {
        knowledge.own_write(write(NEW, xid), &[change()]);
    }
    knowledge.apply_history(&history(NEW, 50), at(100), 0);
    assert_eq!(knowledge.cursor(), None);
    knowledge.apply_history(&history(NEW, 20_000), at(101), knowledge.strays());
    assert_eq!(judge(&knowledge, NEW, 20_000), Verdict::Accepted);
}

/// A load that ran beside transaction 40.
fn beside_a_long_write() -> Certificate {
    Certificate {
        incarnation: NEW,
        position: Position::snapshot(40, 60, vec![40]).unwrap(),
    }
}

fn change_of(key: &str) -> Change {
    Change {
        dep: Dep::of_key("product", key),
        kind: ChangeKind::Forget,
    }
}

fn poll_of(next: u64, changes: Vec<(u64, Change)>) -> Poll {
    Poll {
        changes,
        ..poll(NEW, next)
    }
}

fn epoch(knowledge: &Knowledge) -> u64 {
    knowledge.observe().epoch
}

const FLOOR: Verdict = Verdict::Refused(Refusal::Floor);
const FORGOTTEN: Verdict = Verdict::Refused(Refusal::Forgotten);

#[test]
fn what_was_accepted_outlives_the_folding_of_what_it_had_seen() {
    let knowledge = knowing(NEW, 45);
    let entry = beside_a_long_write();
    knowledge.apply_poll(&poll_of(55, vec![(50, change())]), at(101));
    assert_eq!(judge_accepted_in(&knowledge, &entry, 0), Verdict::Accepted);
    let accepted_in = epoch(&knowledge);
    let folded = Poll {
        floor: Some(position(55)),
        ..poll(NEW, 61)
    };
    knowledge.apply_poll(&folded, at(102));
    assert_eq!(epoch(&knowledge), accepted_in + 1);
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, accepted_in),
        Verdict::Accepted
    );
    // Nobody knows of it whether it had seen transaction 50.
    assert_eq!(judge_accepted_in(&knowledge, &entry, 0), FORGOTTEN);
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, accepted_in - 1),
        FORGOTTEN
    );
    // What changes afterwards is seen by no acceptance.
    knowledge.apply_poll(&poll_of(63, vec![(62, change())]), at(103));
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, accepted_in),
        FORGOTTEN
    );
}

#[test]
fn what_was_accepted_outlives_a_list_that_is_cut() {
    let knowledge = knowing(NEW, 45);
    for xid in 46..54 {
        knowledge.apply_poll(&poll_of(xid + 1, vec![(xid, change())]), at(xid));
    }
    let entry = Certificate {
        incarnation: NEW,
        position: Position::snapshot(45, 70, vec![45]).unwrap(),
    };
    let accepted_in = epoch(&knowledge);
    assert_eq!(judge_accepted_in(&knowledge, &entry, 0), Verdict::Accepted);
    // The ninth cuts the list at a position that has seen 45, which the load has not.
    knowledge.apply_poll(&poll_of(55, vec![(54, change())]), at(100));
    assert_eq!(judge_accepted_in(&knowledge, &entry, 0), FORGOTTEN);
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, accepted_in),
        Verdict::Accepted
    );
}

/// Takes in one change of another key with each poll.
fn flood(knowledge: &Knowledge, xids: std::ops::Range<u64>) {
    for xid in xids {
        let change = change_of(&format!("other{xid}"));
        knowledge.apply_poll(&poll_of(xid + 1, vec![(xid, change)]), at(xid));
    }
}

#[test]
fn a_full_map_forgets_its_older_half() {
    let knowledge = knowing(NEW, 100).remembering(8);
    let entry = Certificate {
        incarnation: NEW,
        position: position(100),
    };
    let at_first = epoch(&knowledge);
    // Half full with the fifth dep.
    flood(&knowledge, 100..105);
    let at_half = epoch(&knowledge);
    flood(&knowledge, 105..108);
    assert_eq!(judge_accepted_in(&knowledge, &entry, 0), Verdict::Accepted);
    assert_eq!(knowledge.deps(), 8);
    flood(&knowledge, 108..109);
    assert_eq!(knowledge.deps(), 4);
    assert_eq!(judge_accepted_in(&knowledge, &entry, at_first), FLOOR);
    assert_eq!(judge_accepted_in(&knowledge, &entry, at_half - 1), FLOOR);
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, at_half),
        Verdict::Accepted
    );
    knowledge.apply_poll(&poll_of(110, vec![(109, change())]), at(110));
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, epoch(&knowledge) - 1),
        FORGOTTEN
    );
}

#[test]
fn more_changes_at_once_than_are_remembered_spare_nothing() {
    let knowledge = knowing(NEW, 100).remembering(8);
    let entry = Certificate {
        incarnation: NEW,
        position: position(100),
    };
    let accepted_in = epoch(&knowledge);
    let changes = (0..9).map(|n| (100, change_of(&format!("other{n}"))));
    knowledge.apply_poll(&poll_of(101, changes.collect()), at(101));
    assert_eq!(knowledge.deps(), 0);
    assert_eq!(judge_accepted_in(&knowledge, &entry, accepted_in), FLOOR);
}

#[test]
fn what_was_accepted_before_a_history_counts_for_nothing_after_it() {
    let knowledge = knowing(NEW, 45);
    let entry = beside_a_long_write();
    let accepted_in = epoch(&knowledge);
    assert_eq!(judge_accepted_in(&knowledge, &entry, 0), Verdict::Accepted);
    knowledge.cold_reset();
    let history = History {
        compacted: vec![(50, change())],
        ..history(NEW, 61)
    };
    knowledge.apply_history(&history, at(102), 0);
    assert_eq!(
        judge_accepted_in(&knowledge, &entry, accepted_in),
        FORGOTTEN
    );
}
