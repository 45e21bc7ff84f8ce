//! What is missing is unknown: for every check and everything that it needs.

use std::time::Duration;

use tingkat_health::check::Status;
use tingkat_health::{Field, Look, Monitor, Server, checks};

use crate::stage::{busy, look, said};

/// A server of which every check can tell something.
fn telling() -> Server {
    let mut server = busy();
    server.set(Field::AofEnabled, 1.0);
    server.set(Field::AofDelayed, 0.0);
    server.set(Field::Replicas, 1.0);
    server.set(Field::ReplicaLag, 0.0);
    server
}

/// Without a limit of its own.
fn unlimited() -> Server {
    let mut server = telling();
    server.set(Field::MaxMemory, 0.0);
    server
}

fn status(server: &Server, id: &str) -> Status {
    let mut monitor = Monitor::default();
    for at in 0..30 {
        monitor.take(look(Duration::from_secs(at * 10), server.clone()));
    }
    said(monitor.report().unwrap(), id).status
}

#[test]
fn every_check_is_unknown_without_any_of_its_inputs() {
    let mut judged = 0;
    for check in checks::all() {
        for &input in check.inputs {
            // That of the limit speaks of servers without one, all others of those with one.
            let mut server = if check.id == "memory_limit" {
                unlimited()
            } else {
                telling()
            };
            if check.id == "memory_time_to_full" {
                server.policy = Some("noeviction".into());
            }
            if check.id == "keys_without_ttl" {
                server.policy = Some("volatile-lru".into());
            }
            let before = status(&server, check.id);
            let known = [Status::Ok, Status::Warning, Status::Critical];
            let may_skip = check.id == "server_hit_ratio" || check.id == "keys_of_others";
            assert!(
                known.contains(&before) || may_skip,
                "{}: {before:?}",
                check.id
            );
            server.unset(input);
            let without = status(&server, check.id);
            assert_eq!(
                without,
                Status::Unknown,
                "{} without {}",
                check.id,
                input.name()
            );
            judged += 1;
        }
    }
    assert!(judged > 50, "{judged}");
}

#[test]
fn without_redis_nothing_of_it_is_judged_and_the_rest_is() {
    let mut monitor = Monitor::default();
    for at in 0..3 {
        let mut look = Look {
            redis: None,
            ..look(Duration::from_secs(at * 10), busy())
        };
        let product = &mut look.entities[0];
        (product.memory_hits, product.memory_misses) = (at * 900, at * 100);
        monitor.take(look);
    }
    let report = monitor.report().unwrap();
    let known: Vec<&str> = report
        .checks
        .iter()
        .filter(|said| said.status == Status::Ok && said.weight > 0)
        .map(|said| said.id.as_str())
        .collect();
    assert_eq!(known, ["latency.product", "hit_ratio.product"]);
    assert!(report.checks.iter().all(|said| !said.status.is_bad()));
    assert!(
        (report.cache.coverage - 0.5).abs() < 0.01,
        "{:?}",
        report.cache
    );
}
