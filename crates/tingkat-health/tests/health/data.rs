//! How true the data is, and what is expected of the caches.

use std::time::Duration;

use tingkat_health::check::Status;
use tingkat_health::score::Grade;
use tingkat_health::{Canary, DataState, Look, SourceState, readiness};

use crate::stage::{Stage, bad, said};

/// What is bad after two looks between which this changed, and how the data is.
fn after(change: impl FnOnce(&mut Look)) -> (Vec<(String, Status)>, Status) {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, change);
    let bad = bad(report).into_iter();
    (
        bad.map(|(id, status)| (id.to_owned(), status)).collect(),
        report.data,
    )
}

#[test]
fn each_trouble_of_the_data_raises_its_own_check_and_no_other() {
    use Status::{Critical, Warning};
    type Change = fn(&mut Look);
    let ms = Duration::from_millis;
    let cases: [(&str, Status, Change); 12] = [
        ("poll_age", Warning, |look| {
            look.data.poll_age = Some(Duration::from_millis(700));
        }),
        ("poll_age", Critical, |look| {
            look.data.poll_age = Some(Duration::from_secs(3));
        }),
        ("change_log", Critical, |look| {
            look.observed.data = DataState::Critical {
                reasons: vec!["no triggers on product".into()],
            };
        }),
        ("canary", Critical, |look| {
            look.data.canary = Canary::Missing(Duration::from_secs(4));
        }),
        ("audit", Critical, |look| {
            (look.data.audited, look.data.differing) = (9, 1);
        }),
        ("audit", Critical, |look| look.entities[0].differences = 1),
        ("stale_answers", Warning, |look| {
            look.entities[1].stale_answers = 1;
        }),
        ("cold_resets", Warning, |look| look.data.cold_resets = 1),
        ("hung_loads", Critical, |look| {
            look.entities[0].hung_loads = 12;
        }),
        ("failed_loads", Warning, |look| {
            (look.entities[0].loaded_keys, look.entities[0].failed_keys) = (100, 5);
        }),
        ("load_queue", Warning, |look| look.entities[0].queued = 600),
        ("load_queue", Critical, |look| {
            look.entities[0].overloads = 1;
        }),
    ];
    for (id, status, change) in cases {
        let (bad, data) = after(change);
        assert_eq!(bad, [(id.to_owned(), status)]);
        assert_eq!(data, status, "{id}");
    }
    let (bad, data) = after(|look| look.data.canary = Canary::Seen(ms(80)));
    assert!(bad.is_empty() && data == Status::Ok, "{bad:?} {data:?}");
}

#[test]
fn entries_that_were_refused_are_told_by_reason() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| {
        look.entities[0].refused_changed = 5;
        look.entities[1].refused_changed = 2;
        look.entities[0].refused_floor = 11;
        look.entities[1].refused_incarnation = 13;
    });
    let told = said(report, "refused_entries");
    assert_eq!((told.status, told.value), (Status::Ok, Some(31.0)));
    assert_eq!(
        told.evidence,
        ["changed=7", "older_than_remembered=11", "of_another_log=13"]
    );
}

#[test]
fn wrong_data_does_not_lower_the_score_of_the_cache() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| look.data.differing = 5);
    assert_eq!(report.cache.grade, Some(Grade::A));
    assert_eq!(report.data, Status::Critical);
    assert!(report.is_degraded());
}

#[test]
fn a_service_without_its_database_is_degraded_and_one_without_redis_is_not() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| {
        look.observed.source = SourceState::Down {
            why: "refused".into(),
            since_ms: 1,
        };
    });
    assert_eq!(report.service, readiness::Status::Degraded);
}

#[test]
fn a_hit_ratio_is_judged_by_the_objective_of_its_entity() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server.clone(), |look| {
        for entity in &mut look.entities {
            (entity.memory_hits, entity.memory_misses) = (500, 500);
            (entity.redis_hits, entity.redis_misses) = (200, 300);
        }
    });
    // 70 % of both: enough for products, not for postcodes.
    assert_eq!(bad(report), [("hit_ratio.postcode", Status::Warning)]);
    let told = said(report, "hit_ratio.postcode");
    assert_eq!((told.value, told.threshold), (Some(70.0), Some(80.0)));
    assert_eq!(
        told.evidence,
        ["look_ups=1000", "memory_percent=50", "redis_percent=40"]
    );
    let ratios = report.entities[0].hit_ratios();
    assert_eq!(ratios, [Some(0.5), Some(0.4), Some(0.7)]);
    // What nobody was asked for is not judged, and neither is what does not count.
    let (mut stage, _) = Stage::busy();
    let report = stage.look(server, |look| {
        let entities = &mut look.entities;
        (entities[0].memory_hits, entities[0].memory_misses) = (0, 99);
        (entities[1].memory_hits, entities[1].memory_misses) = (0, 900);
        entities[1].objective.counts = false;
    });
    assert_eq!(said(report, "hit_ratio.product").status, Status::Unknown);
    let told = said(report, "hit_ratio.postcode");
    assert_eq!((told.status, told.weight), (Status::Critical, 0));
    assert_eq!(report.cache.grade, Some(Grade::A));
    // Of whom nothing is expected it is not bad to give nothing.
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| {
        (
            look.entities[0].memory_misses,
            look.entities[0].objective.hit_ratio,
        ) = (900, 0.0);
    });
    assert_eq!(said(report, "hit_ratio.product").status, Status::Ok);
}

#[test]
fn a_latency_is_judged_by_its_objective_and_hits_in_memory_count() {
    let slow = |hits: u64| {
        let (mut stage, server) = Stage::busy();
        let report = stage.look(server, |look| {
            let product = &mut look.entities[0];
            (product.memory_hits, product.memory_misses) = (hits, 200);
            (product.redis_hits, product.redis_misses) = (200, 0);
            (0..200).for_each(|_| product.answers.record(30_000));
        });
        said(report, "latency.product").status
    };
    assert_eq!(slow(100), Status::Warning);
    assert_eq!(slow(1_000_000), Status::Ok);
}
