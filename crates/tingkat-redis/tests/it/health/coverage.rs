//! Each check that can be bad is raised on a real server and heals there, or stands in a list that
//! says why not. What counts as raised is what a test declares, which fails where that is not what it
//! has seen.

use std::collections::BTreeSet;

use tingkat_health::{Check, Group, Limits, checks};

use super::{clients, commands, lives, memory, rights, servers};

const TROUBLES: [&[&[&str]]; 6] = [
    clients::TROUBLES,
    commands::TROUBLES,
    lives::TROUBLES,
    memory::TROUBLES,
    rights::TROUBLES,
    servers::TROUBLES,
];

/// Raised and healed by the tests of the program, in front of a real server and a real database: the
/// counters of caches tell them.
const OF_THE_NODE: [&str; 3] = ["hit_ratio", "latency", "tier_failures"];

/// Raised and healed with made numbers alone, in the tests of `tingkat-health`, as all others are as
/// well: no server gets there in a test.
const MADE_NUMBERS_ALONE: [(&str, &str); 7] = [
    ("redis_version", "a server older than any that tests run"),
    ("memory_swap", "a machine that swaps"),
    ("lazyfree_pending", "a machine without time to free memory"),
    ("aof_failed", "a disk that is full"),
    ("aof_delayed", "a disk that is slow"),
    ("redis_exposed", "a server with a public address"),
    (
        "buffer_disconnects",
        "a counter that the server of the tests does not tell",
    ),
];

/// Raised on a real server that is in such trouble, judged by lower limits than usual: no test makes it as
/// bad as that.
const LOWERED: [(&str, &str); 4] = [
    ("memory_limit", "twenty megabytes are little of any machine"),
    ("fork_time", "a fork takes some microseconds here"),
    ("save_running", "a snapshot of a second, not of ten minutes"),
    ("cpu", "a script that keeps the thread busy for a moment"),
];

const PAGE: &str = include_str!("../../../../../docs/health.md");

/// What can be bad of a server. Where the node is, and not the server, is the trouble: the tests of the
/// program raise that.
fn of_a_server() -> impl Iterator<Item = &'static Check> {
    let can_be_bad = |check: &&Check| check.limits != Limits::default() || check.weight > 0;
    checks::all()
        .filter(|check| check.group != Group::Data)
        .filter(can_be_bad)
}

#[test]
fn every_check_is_raised_on_a_real_server_and_heals_or_is_named_here() {
    let raised = TROUBLES.iter().copied().flatten().copied().flatten();
    let raised: BTreeSet<&str> = raised.copied().collect();
    let unknown = raised.iter().find(|id| checks::find(id).is_none());
    assert_eq!(unknown, None);
    let left = of_a_server().map(|check| check.id);
    let left: BTreeSet<&str> = left.filter(|id| !raised.contains(id)).collect();
    let named = MADE_NUMBERS_ALONE.iter().map(|(id, _)| *id);
    let named: BTreeSet<&str> = named.chain(OF_THE_NODE).collect();
    assert_eq!(left, named);
}

#[test]
fn the_page_says_which_checks_no_server_raises() {
    for (id, why) in MADE_NUMBERS_ALONE {
        let line = format!("- `{id}`: {why}\n");
        assert!(PAGE.contains(&line), "{line}");
    }
    let lines = |title: &str| {
        let (_, list) = PAGE.split_once(title).unwrap();
        list.split("\n\n").next().unwrap().lines().count()
    };
    assert_eq!(
        lines("with made numbers alone:\n\n"),
        MADE_NUMBERS_ALONE.len()
    );
    for (id, why) in LOWERED {
        let line = format!("- `{id}`: {why}\n");
        assert!(PAGE.contains(&line), "{line}");
    }
    assert_eq!(lines("with lower limits than usual:\n\n"), LOWERED.len());
}

/// The tests say by which limits they judge.
#[test]
fn no_other_check_is_raised_with_lowered_limits() {
    let tests = [
        include_str!("clients.rs"),
        include_str!("commands.rs"),
        include_str!("lives.rs"),
        include_str!("memory.rs"),
        include_str!("rights.rs"),
        include_str!("servers.rs"),
    ];
    let lowered = tests
        .iter()
        .flat_map(|text| text.split("judged_by(").skip(1));
    let lowered: BTreeSet<&str> = lowered.filter_map(|call| call.split('"').nth(1)).collect();
    assert_eq!(lowered, LOWERED.iter().map(|(id, _)| *id).collect());
}
