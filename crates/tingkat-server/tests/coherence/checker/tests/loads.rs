//! Loads are counted, by all nodes together or by each.

use super::*;

/// Key 0 with many more values than a node tells apart.
fn hot() -> History {
    let mut history = history();
    let more = (4..=40).map(|version| write(version, 10_000 + 1_000 * version.unsigned_abs()));
    history.writes.extend(more);
    history
}

fn by(once: Once, mut history: History) -> History {
    history.loads = Some(Loads { once, ..counted(0) });
    history
}

fn on(node: usize, read: Read) -> Read {
    Read { node, ..read }
}

#[test]
fn a_value_is_loaded_once() {
    assert_eq!(found([loaded(10_100, 2), loaded(12_100, 3)]), NOTHING);
    let twice = [loaded(10_100, 2), on(1, loaded(10_200, 2))];
    assert_eq!(found(twice), ["loaded twice"]);
    // Redis was away between the two, or at one of them, or had just come back.
    let with = |from, to| {
        let mut history = history();
        history.faults = vec![fault(Harm::Redis, Some(0), from, to)];
        found_in(history, twice)
    };
    assert_eq!(with(10_150, 10_160), NOTHING);
    assert_eq!(with(5_100, 5_101), NOTHING);
    assert_eq!(with(10_250, 10_260), ["loaded twice"]);
    assert_eq!(with(5_000, 5_050), ["loaded twice"]);
    // Nobody counts.
    let mut history = history();
    history.loads = None;
    assert_eq!(found_in(history, twice), NOTHING);
}

#[test]
fn a_value_of_a_key_that_is_often_written_is_loaded_once_as_well() {
    let twice = |version, at| [loaded(at, version), on(1, loaded(at + 100, version))];
    assert_eq!(found_in(hot(), twice(9, 19_100)), ["loaded twice"]);
    assert_eq!(found_in(hot(), twice(40, 50_100)), ["loaded twice"]);
}

#[test]
fn without_redis_each_node_loads_a_value_once() {
    let history = || {
        let mut history = by(Once::EachNode, hot());
        history.faults = vec![fault(Harm::Redis, None, 9_000, 60_000)];
        history
    };
    let one_each = [loaded(50_100, 40), on(1, loaded(50_100, 40))];
    assert_eq!(found_in(history(), one_each), NOTHING);
    let twice = [loaded(50_100, 40), loaded(50_900, 40)];
    assert_eq!(found_in(history(), twice), ["loaded twice"]);
    // It was killed in between, or had no database.
    for harm in [Harm::Killed, Harm::Database, Harm::Connections] {
        let mut history = history();
        history.faults.push(fault(harm, Some(0), 50_500, 50_600));
        assert_eq!(found_in(history, twice), NOTHING, "{harm:?}");
    }
    // Another node was killed: this one has what it had once that is over.
    let mut history = history();
    history
        .faults
        .push(fault(Harm::Killed, Some(1), 40_500, 40_600));
    assert_eq!(found_in(history, twice), ["loaded twice"]);
}

#[test]
fn a_load_that_no_reader_saw_is_found_by_the_databases_count() {
    let with = |rows, besides, more: Vec<Read>| {
        let mut history = history();
        history.loads = Some(Loads {
            besides,
            ..counted(rows)
        });
        let reads = [loaded(10_100, 2), loaded(12_100, 3)];
        found_in(history, reads.into_iter().chain(more))
    };
    assert_eq!(with(2, 0, vec![]), NOTHING);
    assert_eq!(with(3, 0, vec![]), ["hidden loads"]);
    // One that the run made itself.
    assert_eq!(with(3, 1, vec![]), NOTHING);
    assert_eq!(with(4, 1, vec![]), ["hidden loads"]);
    // One whose reader got no answer.
    let unheard = Read {
        outcome: Err(Failed::Unanswered),
        ..read(12_200, 3)
    };
    let names = ["failed for nothing", "hidden loads"];
    assert_eq!(with(3, 0, vec![unheard]), names[..1]);
    assert_eq!(with(4, 0, vec![unheard]), names);
}
