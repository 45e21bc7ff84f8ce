//! Each check that can be bad is raised on a real server and heals there, or stands in a list that
//! says why not. What counts as raised is what a test expects to be bad, and nothing else that is
//! written there.

use std::collections::BTreeSet;

use tingkat_health::{Check, Group, Limits, checks};

const SOURCES: [&str; 5] = [
    include_str!("memory.rs"),
    include_str!("clients.rs"),
    include_str!("commands.rs"),
    include_str!("servers.rs"),
    include_str!("rights.rs"),
];

/// Raised and healed with made numbers alone, in the tests of `tingkat-health`, as all others are as
/// well: no server gets there in a test.
const MADE_NUMBERS_ALONE: [(&str, &str); 16] = [
    ("redis_version", "a server older than any that tests run"),
    (
        "round_trip_p99",
        "the time of a network, which the counters of callers tell",
    ),
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
    (
        "tier_failures",
        "the counters of caches and not of a server",
    ),
];

/// Raised on a real server, and healed with made numbers alone.
const NOT_HEALED: [(&str, &str); 1] = [(
    "primary_alone",
    "a cluster with a replica, which the other tests of clusters do without",
)];

/// How a test says what is bad.
const EXPECTS: [&str; 6] = [
    "becomes(&[",
    "becomes(&mutward,&[",
    "look().await,[",
    ".bad(),[",
    "assert_eq!(bad,[",
    "includes(",
];

/// How it says that nothing is, or that one is not any more.
const HEALS: [&str; 6] = [
    "heals()",
    "becomes(&[])",
    "becomes(&mutward,&[])",
    "look().await,[\"\";0]",
    "<[String]>::is_empty",
    "includes_not(",
];

/// What a test raises, and where in it.
fn raised(test: &str) -> Vec<(String, usize)> {
    let lists = EXPECTS.iter().flat_map(|start| {
        let found = test.match_indices(start);
        found.map(|(at, start)| (at, &test[at + start.len()..]))
    });
    let ids = lists.flat_map(|(at, rest)| {
        let list = rest.split([']', ')']).next().unwrap_or_default();
        let quoted = list.split('"').skip(1).step_by(2);
        let quoted = quoted.filter(|id| !id.is_empty());
        quoted.map(move |id| (id.to_owned(), at))
    });
    ids.collect()
}

/// The checks that real servers raise, and those that heal there.
fn on_real_servers() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut all, mut healed) = (BTreeSet::new(), BTreeSet::new());
    for source in SOURCES {
        let text: String = source.split_whitespace().collect();
        for test in text.split("#[tokio::test]").skip(1) {
            let raised = raised(test);
            for (id, at) in &raised {
                all.insert(id.clone());
                let heals = HEALS.iter().any(|word| test[*at..].contains(word));
                // What is expected later without it has healed as well.
                let last = raised.iter().map(|(_, at)| *at).max();
                let stays = raised
                    .iter()
                    .any(|(other, at)| other == id && Some(*at) == last);
                if heals || !stays {
                    healed.insert(id.clone());
                }
            }
        }
    }
    (all, healed)
}

/// What can be bad of a server. Where the node is, and not the server, is the trouble: the tests of
/// `tingkat-health` and of the program raise that.
fn of_a_server() -> impl Iterator<Item = &'static Check> {
    let can_be_bad = |check: &&Check| check.limits != Limits::default() || check.weight > 0;
    checks::all()
        .filter(|check| check.group != Group::Data)
        .filter(can_be_bad)
}

fn ids(list: &[(&str, &str)]) -> Vec<String> {
    let mut ids: Vec<String> = list.iter().map(|(id, _)| (*id).to_owned()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn every_check_was_raised_on_a_real_server_and_healed_or_is_named_here() {
    let (raised, healed) = on_real_servers();
    let without = |list: &BTreeSet<String>| {
        let left = of_a_server().map(|check| check.id.to_owned());
        let mut left: Vec<String> = left.filter(|id| !list.contains(id)).collect();
        left.sort_unstable();
        left
    };
    assert_eq!(without(&raised), ids(&MADE_NUMBERS_ALONE));
    let stays: Vec<String> = raised.difference(&healed).cloned().collect();
    assert_eq!(stays, ids(&NOT_HEALED));
    let unknown = raised.iter().find(|id| checks::find(id).is_none());
    assert_eq!(unknown, None);
}

#[test]
fn what_is_only_looked_at_is_not_taken_for_raised() {
    let test = "assert_eq!(ward.status(\"clients\"),Status::Ok);ward.becomes(&[\"cpu\",\"flushed\"]).await;";
    let ids: Vec<String> = raised(test).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["cpu", "flushed"]);
}
