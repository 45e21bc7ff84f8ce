//! The checker finds what is planted.

use super::*;
use crate::history::{Load, Window};
use crate::truth::Truth;
use tingkat::Tier;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// `p0` was 1 from the beginning and 2 from 10 s on; `p1` was 3 from 5 s on, and 4 from 12 s on.
fn history() -> History {
    let mut truth = Truth::default();
    truth.set("p0", 1, ms(0));
    truth.set("p1", 3, ms(5_000));
    truth.set("p0", 2, ms(10_000));
    truth.set("p1", 4, ms(12_000));
    History {
        rates: vec![1.0, 0.9, 1.1],
        bound: ms(1_000),
        poll: ms(100),
        patience: ms(250),
        lease: ms(3_000),
        is_calm: false,
        has_own_loads: false,
        strict: Vec::new(),
        truth,
        reads: Vec::new(),
        loads: Vec::new(),
        faults: Vec::new(),
        quiet_since: ms(20_000),
    }
}

fn read(node: usize, start: u64, version: Version) -> Read {
    Read {
        node,
        entity: "product",
        key: "p0",
        how: How::Get,
        start: ms(start),
        end: ms(start + 5),
        floors: Vec::new(),
        seen: Ok(Seen {
            rows: vec![("p0", version)],
            is_stale: false,
            tier: Tier::Memory,
        }),
    }
}

fn marked(mut read: Read) -> Read {
    if let Ok(seen) = &mut read.seen {
        seen.is_stale = true;
    }
    read
}

fn found(history: &mut History, reads: impl IntoIterator<Item = Read>) -> Vec<Violation> {
    history.reads = reads.into_iter().collect();
    check(history)
}

#[test]
fn a_right_history_is_right() {
    let reads = [
        read(0, 9_000, 1),
        read(0, 10_900, 1),
        read(0, 10_000, 2),
        read(0, 30_000, 2),
    ];
    assert_eq!(found(&mut history(), reads), []);
}

#[test]
fn a_read_beyond_the_bound_is_found() {
    let violations = found(&mut history(), [read(0, 11_001, 1)]);
    assert!(matches!(violations[..], [Violation::TooOld { .. }]));
}

#[test]
fn the_bound_is_in_the_nodes_own_time() {
    let slow = found(&mut history(), [read(1, 11_110, 1)]);
    assert_eq!(slow, []);
    let slow = found(&mut history(), [read(1, 11_113, 1)]);
    assert!(matches!(slow[..], [Violation::TooOld { .. }]));
    let fast = found(&mut history(), [read(2, 10_911, 1)]);
    assert!(matches!(fast[..], [Violation::TooOld { .. }]));
}

#[test]
fn a_validated_read_of_what_was_over_before_is_found() {
    let mut late = read(0, 10_010, 1);
    late.how = How::Validated;
    let violations = found(&mut history(), [late]);
    assert!(matches!(violations[..], [Violation::TooOld { .. }]));
}

#[test]
fn a_read_older_than_its_max_age_is_found() {
    let mut old = read(0, 10_500, 1);
    old.how = How::MaxAge(ms(400));
    let violations = found(&mut history(), [old.clone()]);
    assert!(matches!(violations[..], [Violation::TooOld { .. }]));
    old.how = How::MaxAge(ms(600));
    assert_eq!(found(&mut history(), [old]), []);
}

#[test]
fn a_version_that_was_never_committed_is_found() {
    let violations = found(&mut history(), [read(0, 9_000, 77)]);
    assert!(matches!(violations[..], [Violation::NeverCommitted { .. }]));
    let from_the_future = found(&mut history(), [read(0, 9_000, 2)]);
    assert!(matches!(
        from_the_future[..],
        [Violation::NeverCommitted { .. }]
    ));
}

#[test]
fn a_stale_mark_without_a_fault_is_found() {
    let violations = found(&mut history(), [marked(read(0, 13_000, 1))]);
    assert!(matches!(
        violations[..],
        [Violation::MarkedForNothing { .. }]
    ));
}

#[test]
fn a_stale_mark_is_excused_by_a_fault_of_the_node_and_a_bound_and_a_poll_after_it() {
    let mut history = history();
    history.faults = vec![Window {
        fault: Fault::LogCut,
        node: Some(0),
        from: ms(12_000),
        to: ms(13_000),
    }];
    assert_eq!(found(&mut history, [marked(read(0, 14_099, 1))]), []);
    let late = found(&mut history, [marked(read(0, 14_101, 1))]);
    assert!(matches!(late[..], [Violation::MarkedForNothing { .. }]));
    let elsewhere = found(&mut history, [marked(read(2, 13_000, 1))]);
    assert!(matches!(
        elsewhere[..],
        [Violation::MarkedForNothing { .. }]
    ));
    history.strict = vec!["product"];
    let strict = found(&mut history, [marked(read(0, 13_000, 1))]);
    assert!(matches!(strict[..], [Violation::MarkedForNothing { .. }]));
}

#[test]
fn a_fault_does_not_excuse_an_old_answer_without_a_mark() {
    let mut history = history();
    history.faults = vec![Window {
        fault: Fault::LogCut,
        node: Some(0),
        from: ms(9_000),
        to: ms(20_000),
    }];
    let violations = found(&mut history, [read(0, 12_000, 1)]);
    assert!(matches!(violations[..], [Violation::TooOld { .. }]));
}

#[test]
fn an_own_write_or_a_token_that_is_not_seen_is_found() {
    let mut unseen = read(0, 10_020, 1);
    unseen.floors = vec![("p0", ms(10_000))];
    let violations = found(&mut history(), [unseen]);
    assert!(matches!(violations[..], [Violation::OwnWriteUnseen { .. }]));
    let mut earlier = read(0, 10_020, 1);
    earlier.floors = vec![("p0", ms(9_999))];
    assert_eq!(found(&mut history(), [earlier]), []);
}

#[test]
fn rows_that_no_instant_had_together_are_found() {
    let mut torn = read(0, 12_500, 1);
    torn.seen = Ok(Seen {
        rows: vec![("p0", 2), ("p1", 3)],
        is_stale: false,
        tier: Tier::Source,
    });
    assert_eq!(found(&mut history(), [torn.clone()]), []);
    torn.start = ms(10_400);
    torn.end = ms(13_000);
    torn.seen = Ok(Seen {
        rows: vec![("p0", 1), ("p1", 4)],
        is_stale: false,
        tier: Tier::Source,
    });
    let violations = found(&mut history(), [torn]);
    assert!(matches!(violations[..], [Violation::Torn { .. }]));
}

#[test]
fn a_failure_without_a_fault_is_found() {
    let mut failed = read(0, 9_000, 1);
    failed.seen = Err(Failed::Deadline);
    let violations = found(&mut history(), [failed]);
    assert!(matches!(
        violations[..],
        [Violation::FailedForNothing { .. }]
    ));
}

#[test]
fn a_node_that_does_not_converge_is_found() {
    let mut last = read(0, 21_500, 1);
    last.how = How::Final;
    let violations = found(&mut history(), [last]);
    assert!(matches!(violations[..], [Violation::NotConverged { .. }]));
}

#[test]
fn a_second_load_without_faults_is_found() {
    let load = |node, at| Load {
        node,
        entity: "product",
        key: "p0",
        at: ms(at),
        rows: vec![("p0", 2)],
    };
    let mut history = history();
    history.is_calm = true;
    history.loads = vec![load(0, 10_010)];
    assert_eq!(check(&history), []);
    history.loads.push(load(1, 10_020));
    assert!(matches!(
        check(&history)[..],
        [Violation::LoadedTwice { .. }]
    ));
}
