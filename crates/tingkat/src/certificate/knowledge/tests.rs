//! What an own write does to what a node knows, where the log turned into another one.

use super::*;

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
    knowledge.judge(Evidence {
        entity: "product",
        key: "7",
        deps: &[],
        certificate: &Certificate {
            incarnation,
            position: position(next),
        },
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
