//! A look-up fails only where the node can have nothing to show.

use super::*;

fn on(node: usize, read: Read) -> Read {
    Read { node, ..read }
}

fn unanswered(started: u64) -> Read {
    Read {
        outcome: Err(Failed::Unanswered),
        ..read(started, 1)
    }
}

/// What another node had from Redis.
fn shared(started: u64, version: i64) -> Read {
    let outcome = Ok(Seen {
        tier: Tier::Redis,
        ..seen(version)
    });
    Read {
        outcome,
        ..on(1, read(started, version))
    }
}

/// The names of what is found with these faults.
fn with(faults: Vec<Fault>, reads: impl IntoIterator<Item = Read>) -> Vec<&'static str> {
    let history = History {
        faults,
        ..history()
    };
    found_in(history, reads)
}

fn cut(node: Option<usize>) -> Vec<Fault> {
    vec![fault(Harm::Database, node, 20_000, 30_000)]
}

#[test]
fn no_answer_needs_something_that_is_away() {
    assert_eq!(found([failed(12_500)]), ["failed for nothing"]);
    for (harm, node, expected) in [
        (Harm::Database, None, &[][..]),
        (Harm::Database, Some(0), &[]),
        (Harm::Node, Some(0), &[]),
        (Harm::Connections, None, &[]),
        (Harm::Database, Some(1), &["failed for nothing"]),
        (Harm::Redis, None, &["failed for nothing"]),
        (Harm::Nothing, None, &["failed for nothing"]),
        // Loads work; the service is there; who has not waited has not met a slow load.
        (Harm::Polls, None, &["withheld"]),
        (Harm::Killed, Some(0), &["withheld"]),
        (Harm::Source, None, &["withheld"]),
        (Harm::Rows, None, &["withheld"]),
    ] {
        let faults = vec![fault(harm, node, 12_000, 13_000)];
        assert_eq!(with(faults, [failed(12_500)]), expected, "{harm:?}");
    }
}

/// Without this a service that answers 503 to everything would keep the promise.
#[test]
fn what_a_node_had_it_answers_while_the_database_is_away() {
    let all_fail = (20_010..30_000).step_by(100).map(failed);
    for node in [None, Some(0)] {
        let names = with(
            cut(node),
            [read(15_000, 3)].into_iter().chain(all_fail.clone()),
        );
        assert_eq!(names.len(), 100);
        assert!(names.iter().all(|name| *name == "withheld"));
        let marked = [read(15_000, 3), marked(25_000, 3)];
        assert_eq!(with(cut(node), marked), NOTHING);
    }
    // Who asks for a poll, or for a token, asks for more than there is.
    for how in [How::Validated, How::AtLeast(value(3))] {
        let insisting = Read {
            how,
            ..failed(25_000)
        };
        assert_eq!(with(cut(None), [read(15_000, 3), insisting]), NOTHING);
    }
}

#[test]
fn what_nobody_can_have_may_fail() {
    // Never shown, or shown by another node that loaded it, or as long as it was current.
    assert_eq!(with(cut(None), [failed(25_000)]), NOTHING);
    let elsewhere = on(1, loaded(15_000, 3));
    let mut history = history();
    history.faults = cut(None);
    history.loads = None;
    assert_eq!(found_in(history, [elsewhere, failed(25_000)]), NOTHING);
    // The node knows that version 2 is over, and has not read since.
    assert_eq!(with(cut(None), [read(11_000, 2), failed(25_000)]), NOTHING);
    // Or may know, because the cut had not begun.
    let mut faults = vec![fault(Harm::Database, None, 11_900, 30_000)];
    assert_eq!(
        with(faults.clone(), [read(11_000, 2), failed(25_000)]),
        ["withheld"]
    );
    faults[0].begun = ms(12_001);
    assert_eq!(with(faults, [read(11_000, 2), failed(25_000)]), NOTHING);
}

#[test]
fn what_another_node_had_from_redis_is_to_be_had() {
    assert_eq!(
        with(cut(Some(0)), [shared(15_000, 3), failed(25_000)]),
        ["withheld"]
    );
    // Loaded during the cut, by one who has the database.
    assert_eq!(
        with(cut(Some(0)), [shared(21_000, 3), failed(25_000)]),
        ["withheld"]
    );
    // Something happened to Redis since.
    let mut faults = cut(Some(0));
    faults.push(fault(Harm::Redis, None, 16_000, 16_001));
    assert_eq!(with(faults, [shared(15_000, 3), failed(25_000)]), NOTHING);
}

#[test]
fn a_node_that_begins_anew_without_the_database_has_what_is_in_redis() {
    let mut faults = cut(Some(0));
    faults.push(fault(Harm::Killed, Some(0), 20_500, 21_000));
    // Its memory is empty.
    assert_eq!(
        with(faults.clone(), [read(15_000, 3), failed(25_000)]),
        NOTHING
    );
    // What it has shown since it has.
    assert_eq!(
        with(faults.clone(), [marked(22_000, 3), failed(25_000)]),
        ["withheld"]
    );
    // It knows of no change, so that it has old values as well.
    for (shown, version) in [(11_900, 2), (15_000, 3)] {
        let reads = [shared(shown, version), failed(25_000)];
        assert_eq!(with(faults.clone(), reads), ["withheld"]);
    }
    // It is down for a while, and answers when it is up.
    assert_eq!(with(faults.clone(), [unanswered(20_700)]), NOTHING);
    faults.remove(0);
    assert_eq!(with(faults.clone(), [unanswered(20_700)]), NOTHING);
    assert_eq!(with(faults.clone(), [failed(20_700)]), ["withheld"]);
    assert_eq!(with(faults, [failed(21_100)]), ["failed for nothing"]);
}

#[test]
fn once_the_database_is_back_only_what_is_still_current_is_surely_there() {
    let faults = || {
        let mut faults = vec![fault(Harm::Database, None, 10_500, 13_000)];
        faults[0].ending = ms(11_900);
        faults
    };
    // Version 2 may be known to be over once the cut ends.
    assert_eq!(
        with(faults(), [read(10_400, 2), failed(11_700)]),
        ["withheld"]
    );
    assert_eq!(with(faults(), [read(10_400, 2), failed(12_500)]), NOTHING);
    assert_eq!(
        with(faults(), [read(12_100, 3), failed(12_500)]),
        ["withheld"]
    );
    // A pool finds out.
    assert_eq!(with(faults(), [failed(13_500)]), NOTHING);
    assert_eq!(with(faults(), [failed(13_501)]), ["failed for nothing"]);
}

#[test]
fn what_was_forgotten_nobody_has() {
    let mut faults = cut(None);
    faults.push(fault(Harm::Forgotten, None, 16_000, 16_500));
    for shown in [read(15_000, 3), shared(15_000, 3), read(16_400, 3)] {
        assert_eq!(with(faults.clone(), [shown, failed(25_000)]), NOTHING);
    }
    for shown in [read(16_600, 3), shared(16_600, 3)] {
        let names = with(faults.clone(), [shown, failed(25_000)]);
        assert_eq!(names, ["withheld"]);
    }
    // It is no excuse by itself.
    assert_eq!(
        with(faults[1..].to_vec(), [failed(16_200)]),
        ["failed for nothing"]
    );
}

#[test]
fn connections_that_end_excuse_what_is_not_current_and_no_marks() {
    let faults = || vec![fault(Harm::Connections, None, 12_000, 13_000)];
    assert_eq!(with(faults(), [failed(12_500)]), NOTHING);
    assert_eq!(with(faults(), [read(11_500, 2), failed(12_500)]), NOTHING);
    assert_eq!(
        with(faults(), [read(12_100, 3), failed(12_500)]),
        ["withheld"]
    );
    // No excuse for a request that came later than all hear of it.
    assert_eq!(with(faults(), [failed(13_500)]), NOTHING);
    assert_eq!(with(faults(), [failed(13_501)]), ["failed for nothing"]);
    assert_eq!(with(faults(), [marked(12_500, 3)]), ["marked for nothing"]);
}

#[test]
fn a_node_that_stood_still_answers_with_what_it_has() {
    let faults = || vec![fault(Harm::Node, Some(0), 20_000, 30_000)];
    assert_eq!(
        with(faults(), [read(15_000, 3), unanswered(25_000)]),
        NOTHING
    );
    assert_eq!(
        with(faults(), [read(15_000, 3), failed(25_000)]),
        ["withheld"]
    );
}

#[test]
fn slow_loads_are_an_excuse_for_who_has_waited() {
    let waited = Read {
        ended: ms(12_750),
        ..failed(12_500)
    };
    let faults = || vec![fault(Harm::Source, None, 12_000, 13_000)];
    assert_eq!(with(faults(), [waited]), NOTHING);
    // While polls alone are away loads work; who has waited in vain has nothing else.
    let faults = vec![fault(Harm::Polls, None, 12_000, 13_000)];
    assert_eq!(with(faults.clone(), [waited]), NOTHING);
    assert_eq!(
        with(faults.clone(), [read(11_900, 2), waited]),
        ["withheld"]
    );
    let mark = |ended| Read {
        ended: ms(ended),
        ..marked(12_500, 3)
    };
    assert_eq!(with(faults.clone(), [mark(12_750)]), NOTHING);
    assert_eq!(with(faults, [mark(12_700)]), ["marked for nothing"]);
}

#[test]
fn a_table_without_its_rows_is_an_excuse_for_what_is_not_found() {
    let faults = || vec![fault(Harm::Rows, None, 12_000, 13_000)];
    let not_found = Read {
        outcome: Err(Failed::Status(404)),
        ..failed(12_500)
    };
    assert_eq!(with(faults(), [not_found]), NOTHING);
    assert_eq!(with(faults(), [failed(12_500)]), ["withheld"]);
}
