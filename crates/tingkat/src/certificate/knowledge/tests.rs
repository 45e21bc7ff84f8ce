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
    knowledge.apply_history(&history(incarnation, next), at(100));
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
fn who_knows_a_log_by_an_own_write_only_has_seen_nothing_of_it() {
    let knowledge = knowing(OLD, 50);
    knowledge.own_write(write(NEW, 40), &[change()]);
    let cursor = knowledge.cursor().unwrap();
    assert_eq!(cursor.incarnation, NEW);
    assert!(!cursor.position.covers(0));
    assert_eq!(knowledge.followed_to(), None);
}

#[test]
fn an_own_write_before_the_first_history_is_not_lost() {
    let knowledge = Knowledge::empty(Duration::from_secs(1));
    knowledge.own_write(write(NEW, 40), &[change()]);
    // Asked for before the write: it does not show it.
    knowledge.apply_history(&history(NEW, 40), at(100));
    assert_ne!(judge(&knowledge, NEW, 40), Verdict::Accepted);
    assert_eq!(judge(&knowledge, NEW, 41), Verdict::Accepted);
}

#[test]
fn an_answer_of_the_log_that_ended_does_not_undo_an_own_write_in_the_next_one() {
    let knowledge = knowing(OLD, 50);
    knowledge.own_write(write(NEW, 40), &[change()]);
    knowledge.apply_poll(&poll(OLD, 60), at(101));
    assert_eq!(knowledge.followed_to(), None);
    knowledge.apply_history(&history(OLD, 60), at(101));
    assert_ne!(judge(&knowledge, OLD, 60), Verdict::Accepted);
    assert!(!knowledge.anchors(knowledge.observe(), at(101)));
    // Asked for after all that.
    knowledge.apply_history(&history(NEW, 41), at(102));
    assert_eq!(judge(&knowledge, NEW, 41), Verdict::Accepted);
    assert!(knowledge.anchors(knowledge.observe(), at(102)));
}

#[test]
fn a_late_own_write_of_a_log_that_ended_holds_the_node_up_for_two_histories_at_most() {
    let knowledge = knowing(NEW, 50);
    knowledge.own_write(write(OLD, 700), &[change()]);
    knowledge.apply_history(&history(NEW, 60), at(101));
    knowledge.apply_history(&history(NEW, 60), at(102));
    assert_eq!(judge(&knowledge, NEW, 60), Verdict::Accepted);
}
