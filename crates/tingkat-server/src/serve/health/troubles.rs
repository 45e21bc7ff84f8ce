//! A node in front of a real PostgreSQL and a real Redis, in real trouble: each raises its own check and
//! no other, and heals when its cause is gone. Looks are on a clock of the test, so nobody waits for a
//! window.

/// What each test raises, all of it and nothing else, and heals in the end. What it names behind `beside`
/// may be bad for a moment meanwhile.
macro_rules! troubles {
    ($($name:ident raises [$($id:literal),+] $(beside [$($other:literal),+])?;)+) => {
        const TROUBLES: &[&[&str]] = &[$(&[$($id),+]),+];

        mod shown {
            $(
                #[tokio::test]
                async fn $name() {
                    let ward = super::node::$name().await;
                    ward.has_shown(&[$($id),+], &[$($($other),+)?]).await;
                }
            )+
        }
    };
}

mod node;
mod ward;

use std::collections::BTreeSet;

use tingkat_health::{Check, Group, Limits, checks};

troubles! {
    a_database_that_is_out_of_reach raises ["poll_age", "stale_answers"] beside ["failed_loads"];
    triggers_that_are_gone raises ["change_log"];
    a_change_that_the_triggers_do_not_see raises ["audit"];
    a_key_among_many_that_was_changed_before raises ["audit"] beside ["hit_ratio.product", "latency.product"];
    a_node_that_learns_of_changes_late raises ["canary", "poll_age"] beside ["failed_loads"];
    a_log_that_begins_anew raises ["cold_resets"] beside ["poll_age", "change_log", "stale_answers", "failed_loads"];
    loads_that_hang raises ["hung_loads"] beside ["failed_loads", "stale_answers"];
    loads_that_fail raises ["failed_loads"] beside ["change_log"];
    more_loads_than_may_wait raises ["load_queue"] beside ["hung_loads", "failed_loads", "hit_ratio.product", "latency.product"];
    a_cache_that_has_nothing_of_what_is_asked_for raises ["hit_ratio.product"];
    answers_that_take_longer_than_promised raises ["latency.product"];
    calls_that_redis_does_not_answer raises ["tier_failures"] beside ["redis_reachable"];
}

/// What the counters of a node tell, and not a server.
const OF_THE_NODE: [&str; 3] = ["hit_ratio", "latency", "tier_failures"];

#[test]
fn every_check_of_the_node_is_raised_and_heals() {
    let raised = TROUBLES.iter().copied().flatten();
    let raised = raised.filter_map(|id| id.split('.').next());
    let raised: BTreeSet<&str> = raised.collect();
    let can_be_bad = |check: &&Check| {
        check.group == Group::Data && check.limits != Limits::default()
            || OF_THE_NODE.contains(&check.id)
    };
    let all: BTreeSet<&str> = checks::all()
        .filter(can_be_bad)
        .map(|check| check.id)
        .collect();
    assert_eq!(raised, all);
}
