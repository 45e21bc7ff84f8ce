//! Each check that can be bad was raised on a real server, or stands in a list that says why not.

use tingkat_health::checks;

const SOURCES: [&str; 4] = [
    include_str!("memory.rs"),
    include_str!("clients.rs"),
    include_str!("commands.rs"),
    include_str!("servers.rs"),
];

/// Raised with made numbers alone, in the tests of `tingkat-health`: no server gets there in a test.
const MADE_NUMBERS_ALONE: [(&str, &str); 16] = [
    ("redis_version", "a server older than any that tests run"),
    (
        "round_trip_p99",
        "the time of a network, which the counters of callers tell",
    ),
    ("fork_time", "a process of many gigabytes"),
    ("cpu", "a minute of one core"),
    (
        "eviction_behind",
        "a server that writes faster than it evicts for a whole look",
    ),
    (
        "memory_fragmentation",
        "hundreds of megabytes of values of changing sizes",
    ),
    ("memory_swap", "a machine that swaps"),
    ("lazyfree_pending", "a machine without time to free memory"),
    ("expired_stale", "millions of keys that end together"),
    (
        "evicted_clients",
        "a limit for clients, which servers before 7.0 do not have",
    ),
    ("aof_failed", "a disk that is full"),
    ("aof_delayed", "a disk that is slow"),
    ("save_running", "a snapshot of ten minutes"),
    ("memory_imbalance", "gigabytes on one node of a cluster"),
    ("hit_ratio", "the counters of caches and not of a server"),
    ("latency", "the counters of caches and not of a server"),
];

/// Where the node is, and not the server, is the trouble: the tests of `tingkat-health` and of the
/// program raise these.
fn is_about_a_server(check: &tingkat_health::Check) -> bool {
    check.group != tingkat_health::Group::Data
}

#[test]
fn every_check_was_raised_on_a_real_server_or_is_named_here() {
    let rights = include_str!("rights.rs");
    let is_raised = |id: &str| {
        let quoted = format!("\"{id}\"");
        SOURCES
            .iter()
            .chain([&rights])
            .any(|source| source.contains(&quoted))
    };
    let can_be_bad = |check: &&tingkat_health::Check| {
        check.limits != tingkat_health::Limits::default() || check.weight > 0
    };
    let checks = checks::all()
        .filter(|check| is_about_a_server(check))
        .filter(can_be_bad);
    let without: Vec<&str> = checks
        .map(|check| check.id)
        .filter(|id| !is_raised(id))
        .collect();
    let mut named: Vec<&str> = MADE_NUMBERS_ALONE.iter().map(|(id, _)| *id).collect();
    named.sort_unstable();
    let mut sorted = without;
    sorted.sort_unstable();
    assert_eq!(sorted, named);
}
