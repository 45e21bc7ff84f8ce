//! That each scenario does what it is chosen for, all the way into what the parts are given.

use std::time::Duration;

use super::Case;
use crate::config::Config;
use crate::config::keys::ENTITIES;
use crate::config::presets::{SCENARIO_PRESETS, reasons};

fn built(scenario: Option<&str>) -> Config {
    let case = scenario.map_or_else(Case::default, |name| {
        Case::variable("TINGKAT_SCENARIO", name)
    });
    let loaded = case.load();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    Config::build(loaded.settings).unwrap()
}

/// The usual configuration, and that of a scenario.
fn both(scenario: &str) -> [Config; 2] {
    [built(None), built(Some(scenario))]
}

fn memory(config: &Config) -> u64 {
    let policies = ENTITIES.iter().map(|it| config.policies.policy(it.name));
    policies.map(|it| it.unwrap().memory_bytes).sum()
}

fn loads(config: &Config) -> usize {
    let policies = ENTITIES.iter().map(|it| config.policies.policy(it.name));
    policies.map(|it| it.unwrap().max_loads).sum()
}

#[test]
fn high_throughput_holds_more_loads_more_and_takes_more_callers() {
    let [usual, many] = both("high-throughput");
    assert!(memory(&many) >= 3 * memory(&usual));
    assert!(loads(&many) > loads(&usual));
    assert!(many.limits.connections > usual.limits.connections);
    let [usual, many] = [&usual, &many].map(|it| it.policies.policy("product").unwrap());
    assert!(many.max_batch > usual.max_batch && many.max_queue > usual.max_queue);
    assert!(many.compress_above > usual.compress_above);
}

#[test]
fn low_latency_waits_less_for_everybody() {
    let [usual, fast] = both("low-latency");
    assert!(fast.redis_budget < usual.redis_budget);
    assert!(fast.breaker.slow < usual.breaker.slow);
    // An answer that is still within the budget may be the one that opens the breaker.
    assert!(fast.breaker.slow < fast.redis_budget);
    assert!(fast.feed.poll_interval < usual.feed.poll_interval);
    for entity in ["product", "postcode"] {
        let [usual, fast] = [&usual, &fast].map(|it| it.policies.policy(entity).unwrap());
        assert!(fast.soft_deadline < usual.soft_deadline, "{entity}");
        assert!(fast.batch_window < usual.batch_window, "{entity}");
    }
}

#[test]
fn resilient_lives_longer_without_its_neighbours_and_gives_up_sooner() {
    let [usual, firm] = both("resilient");
    assert!(firm.redis_budget < usual.redis_budget);
    assert!(firm.breaker.minimum < usual.breaker.minimum);
    assert!(firm.breaker.probes > usual.breaker.probes);
    for entity in ENTITIES {
        let [usual, firm] = [&usual, &firm].map(|it| it.policies.policy(entity.name).unwrap());
        assert!(firm.stale_for > usual.stale_for, "{}", entity.name);
        assert!(firm.stale_for >= Duration::from_hours(24 * 7));
    }
}

#[test]
fn memory_constrained_takes_a_third_of_the_memory_at_most() {
    let [usual, small] = both("memory-constrained");
    assert!(3 * memory(&small) <= memory(&usual));
    assert!(small.limits.connections < usual.limits.connections);
    assert!(small.limits.streams < usual.limits.streams);
    assert!(small.database.max_connections < usual.database.max_connections);
    for entity in ENTITIES {
        let [usual, small] = [&usual, &small].map(|it| it.policies.policy(entity.name).unwrap());
        assert!(small.memory_bytes < usual.memory_bytes, "{}", entity.name);
        assert!(small.max_loads < usual.max_loads, "{}", entity.name);
    }
}

#[test]
fn in_every_scenario_one_entity_that_hangs_leaves_connections_to_the_others() {
    let names = SCENARIO_PRESETS.iter().map(|it| Some(it.name));
    for scenario in names.chain([None]) {
        let config = built(scenario);
        let connections = config.database.max_connections;
        assert!(
            loads(&config) <= usize::try_from(connections).unwrap(),
            "{scenario:?}"
        );
    }
}

#[test]
fn no_scenario_says_what_is_so_without_it() {
    let usual = built(None).settings;
    for preset in SCENARIO_PRESETS {
        let settings = built(Some(preset.name)).settings;
        let differences = settings.differences(&usual);
        let differences: Vec<&str> = differences.iter().map(|key| key.path.as_str()).collect();
        for (path, ..) in reasons(preset) {
            assert!(
                differences.contains(&path.as_str()),
                "{}: {path}",
                preset.name
            );
        }
        // Its own name is the only other difference.
        assert_eq!(differences.len(), reasons(preset).len() + 1);
    }
}
