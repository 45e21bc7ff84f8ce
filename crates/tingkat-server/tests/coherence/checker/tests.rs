//! The checker finds what is planted, and nothing else.

mod failures;
mod loads;

use super::*;
use crate::history::{Failed, Finding, Loads, Once, Outcome, Tier, Write};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The value of the write with this version.
const fn value(version: i64) -> Value {
    Value {
        version,
        stamp: 1_000 + version,
    }
}

fn write(version: i64, asked: u64) -> Write {
    Write {
        key: 0,
        value: value(version),
        over: value(version - 1),
        asked: ms(asked),
        outcome: Outcome::Committed(ms(asked + 10)),
    }
}

/// Key 0 is 1 from the beginning, 2 from 10 s on and 3 from 12 s on; key 1 stays what it is.
fn history() -> History {
    History {
        bound: ms(1_000),
        poll: ms(100),
        first: vec![value(1), value(51)],
        writes: vec![write(2, 10_000), write(3, 12_000)],
        loads: Some(counted(0)),
        ..History::default()
    }
}

const fn counted(rows: u64) -> Loads {
    Loads {
        once: Once::Together,
        rows,
        besides: 0,
    }
}

fn seen(version: i64) -> Seen {
    Seen {
        value: value(version),
        is_marked: false,
        tier: Tier::Memory,
    }
}

fn read(started: u64, version: i64) -> Read {
    Read {
        node: 0,
        key: 0,
        how: How::Usual,
        started: ms(started),
        ended: ms(started + 5),
        outcome: Ok(seen(version)),
    }
}

fn failed(started: u64) -> Read {
    Read {
        outcome: Err(Failed::Status(503)),
        ..read(started, 1)
    }
}

fn marked(started: u64, version: i64) -> Read {
    Read {
        outcome: Ok(Seen {
            is_marked: true,
            ..seen(version)
        }),
        ..read(started, version)
    }
}

fn loaded(started: u64, version: i64) -> Read {
    Read {
        outcome: Ok(Seen {
            tier: Tier::Source { asked_redis: true },
            ..seen(version)
        }),
        ..read(started, version)
    }
}

fn fault(harm: Harm, node: Option<usize>, from: u64, to: u64) -> Fault {
    Fault {
        name: "planted",
        harm,
        node,
        from: ms(from),
        begun: ms(from),
        ending: ms(to),
        to: ms(to),
    }
}

/// The names of what is found in the history with these reads.
fn found_in(history: History, reads: impl IntoIterator<Item = Read>) -> Vec<&'static str> {
    let mut history = history;
    history.reads.extend(reads);
    let verdict = check(&history);
    verdict.violations.iter().map(Violation::name).collect()
}

fn found(reads: impl IntoIterator<Item = Read>) -> Vec<&'static str> {
    found_in(history(), reads)
}

const NOTHING: [&str; 0] = [];

#[test]
fn what_was_current_within_the_bound_is_right() {
    // The commit of 2 was acknowledged at 10.01 s.
    let reads = [
        read(5_000, 1),
        read(11_010, 1),
        read(11_010, 2),
        read(99_000, 3),
    ];
    assert_eq!(found(reads), NOTHING);
    // A value that came while the request was under way.
    assert_eq!(found([read(9_998, 2)]), NOTHING);
}

#[test]
fn a_value_that_was_over_before_the_bound_is_too_old() {
    assert_eq!(found([read(11_011, 1)]), ["too old"]);
    assert_eq!(found([read(13_011, 2)]), ["too old"]);
    assert_eq!(found([read(30_000, 2)]), ["too old"]);
}

#[test]
fn a_validated_read_has_no_bound_to_spend() {
    let validated = |started, version| Read {
        how: How::Validated,
        ..read(started, version)
    };
    assert_eq!(found([validated(10_010, 1)]), NOTHING);
    assert_eq!(found([validated(10_011, 1)]), ["too old"]);
}

#[test]
fn a_token_asks_for_its_write_or_a_later_one() {
    let with_token = |started, version| Read {
        how: How::AtLeast(value(2)),
        ..read(started, version)
    };
    assert_eq!(found([with_token(10_020, 2)]), NOTHING);
    assert_eq!(found([with_token(12_020, 3)]), NOTHING);
    assert_eq!(found([with_token(10_020, 1)]), ["token unseen"]);
}

#[test]
fn a_token_that_was_lost_with_its_database_asks_for_nothing() {
    let mut history = history();
    history.findings = vec![Finding {
        at: ms(20_000),
        rows: vec![value(1), value(51)],
        is_other_database: true,
    }];
    let read = Read {
        how: How::AtLeast(value(3)),
        ..read(22_000, 1)
    };
    assert_eq!(found_in(history, [read]), NOTHING);
}

#[test]
fn a_token_of_a_new_database_asks_for_nothing_of_who_still_shows_the_old_one() {
    let mut history = history();
    history.findings = vec![Finding {
        at: ms(20_000),
        rows: vec![value(1), value(51)],
        is_other_database: true,
    }];
    let new = Value {
        version: 2,
        stamp: 2_002,
    };
    history.writes.push(Write {
        value: new,
        over: value(1),
        ..write(2, 20_100)
    });
    let with_token = |started, version| Read {
        how: How::AtLeast(new),
        ..read(started, version)
    };
    assert_eq!(found_in(history.clone(), [with_token(20_200, 3)]), NOTHING);
    // Within the bound, and only what the old one had at its end.
    assert_eq!(
        found_in(history.clone(), [with_token(21_001, 3)]),
        ["too old"]
    );
    assert_eq!(found_in(history, [with_token(20_200, 1)]), ["token unseen"]);
}

#[test]
fn a_value_must_have_been_committed() {
    assert_eq!(found([read(15_000, 4)]), ["never written"]);
    assert_eq!(found([read(9_900, 2)]), ["not yet committed"]);
    let mut history = history();
    history.writes.push(Write {
        outcome: Outcome::RolledBack,
        ..write(4, 13_000)
    });
    assert_eq!(
        found_in(history.clone(), [read(13_020, 4)]),
        ["rolled back"]
    );
    assert_eq!(found_in(history, [marked(13_020, 4)]), ["rolled back"]);
}

#[test]
fn columns_of_two_values_are_torn() {
    let mut torn = read(12_500, 3);
    torn.outcome = Ok(Seen {
        value: Value {
            version: 2,
            ..value(3)
        },
        ..seen(3)
    });
    assert_eq!(found([torn]), ["torn"]);
}

#[test]
fn a_mark_needs_a_node_that_is_cut_from_the_database() {
    assert_eq!(found([marked(12_500, 3)]), ["marked for nothing"]);
    let with = |harm, node, read| {
        let mut history = history();
        history.faults = vec![fault(harm, node, 12_000, 13_000)];
        found_in(history, [read])
    };
    // During the fault, and up to a bound and a poll after it; not before and not later.
    assert_eq!(with(Harm::Database, Some(0), marked(12_500, 1)), NOTHING);
    assert_eq!(with(Harm::Database, None, marked(14_100, 1)), NOTHING);
    assert_eq!(
        with(Harm::Database, Some(0), marked(14_101, 1)),
        ["marked for nothing"]
    );
    assert_eq!(
        with(Harm::Database, Some(0), marked(11_990, 1)),
        ["marked for nothing"]
    );
    // Another node's fault, and Redis, are no excuse.
    for (harm, node) in [
        (Harm::Database, Some(1)),
        (Harm::Redis, None),
        (Harm::Redis, Some(0)),
        (Harm::Source, None),
        (Harm::Nothing, None),
    ] {
        // Nor are slow loads, for who has not waited for one.
        let read = marked(12_500, 1);
        assert_eq!(with(harm, node, read), ["marked for nothing"], "{harm:?}");
    }
    let waited = Read {
        ended: ms(12_750),
        ..marked(12_500, 1)
    };
    assert_eq!(with(Harm::Source, None, waited), NOTHING);
    assert_eq!(with(Harm::Redis, None, waited), ["marked for nothing"]);
}

#[test]
fn an_unmarked_answer_keeps_the_bound_whatever_is_wrong() {
    let mut history = history();
    history.faults = vec![
        fault(Harm::Database, None, 10_000, 20_000),
        fault(Harm::Redis, None, 10_000, 20_000),
        fault(Harm::Node, Some(0), 10_000, 20_000),
    ];
    assert_eq!(found_in(history, [read(11_011, 1)]), ["too old"]);
}

#[test]
fn a_write_whose_end_is_unknown_counts_if_a_later_one_saw_it() {
    let mut history = history();
    history.writes[0].outcome = Outcome::Unknown;
    // It took effect some time before the next writer had an answer.
    assert_eq!(found_in(history.clone(), [read(13_010, 1)]), NOTHING);
    assert_eq!(found_in(history.clone(), [read(13_011, 1)]), ["too old"]);
    // Nobody saw it: it never was.
    history.writes[0].outcome = Outcome::Committed(ms(10_010));
    history.writes[1].outcome = Outcome::Unknown;
    assert_eq!(found_in(history.clone(), [read(20_000, 2)]), NOTHING);
    assert_eq!(
        found_in(history.clone(), [read(20_000, 3)]),
        ["never written"]
    );
    // It is found in the database.
    history.findings = vec![Finding {
        at: ms(19_000),
        rows: vec![value(3), value(51)],
        is_other_database: false,
    }];
    assert_eq!(found_in(history.clone(), [read(20_000, 3)]), NOTHING);
    assert_eq!(found_in(history, [read(20_001, 2)]), ["too old"]);
}

#[test]
fn a_database_that_came_back_with_an_old_value_made_it_current_again() {
    let mut history = history();
    history.findings = vec![Finding {
        at: ms(20_000),
        rows: vec![value(2), value(51)],
        is_other_database: true,
    }];
    let reads = [read(15_000, 3), read(20_500, 3), read(30_000, 2)];
    assert_eq!(found_in(history.clone(), reads), NOTHING);
    // A token of before is for what was before.
    let with_token = Read {
        how: How::AtLeast(value(2)),
        ..read(10_500, 2)
    };
    assert_eq!(found_in(history.clone(), [with_token]), NOTHING);
    // What was lost is over, and what came back had been over before.
    assert_eq!(found_in(history.clone(), [read(21_001, 3)]), ["too old"]);
    assert_eq!(found_in(history.clone(), [read(15_000, 2)]), ["too old"]);
    history.writes.push(Write {
        value: Value {
            version: 3,
            stamp: 2_003,
        },
        over: value(2),
        ..write(3, 22_000)
    });
    assert_eq!(found_in(history, [read(23_011, 2)]), ["too old"]);
}

#[test]
fn writes_that_do_not_follow_each_other_are_found() {
    let mut lost = history();
    lost.writes.remove(0);
    assert_eq!(found_in(lost, []), ["contradicted"]);
    let mut undone = history();
    undone.findings = vec![Finding {
        at: ms(20_000),
        rows: vec![value(2), value(51)],
        is_other_database: false,
    }];
    assert_eq!(found_in(undone, []), ["contradicted"]);
}

#[test]
fn staleness_is_since_the_value_was_over() {
    let mut history = history();
    history.reads = vec![
        read(10_500, 1),
        read(10_500, 2),
        marked(10_500, 1),
        failed(1),
    ];
    assert_eq!(check(&history).staleness, [ms(490), ms(0)]);
}
