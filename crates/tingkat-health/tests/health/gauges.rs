//! Health as numbers: what is known has one, and nothing else.

use std::collections::HashSet;

use tingkat_health::gauges::{GAUGES, Gauge, gauges};
use tingkat_health::look::Fact;

use crate::stage::{Stage, busy, fresh};

fn value(gauges: &[Gauge], name: &str, check: Option<&str>) -> Option<f64> {
    let labels: Vec<_> = check
        .map(|check| ("check", check.to_owned()))
        .into_iter()
        .collect();
    let mut found = gauges
        .iter()
        .filter(|it| it.name == name && it.labels == labels);
    Some(found.next()?.value)
}

#[test]
fn what_is_known_has_a_gauge_and_what_is_not_has_none() {
    let (stage, _) = Stage::busy();
    let told = gauges(&stage.last);
    assert_eq!(value(&told, "tingkat_health_score", None), Some(100.0));
    assert_eq!(value(&told, "tingkat_health_service_up", None), Some(1.0));
    assert_eq!(
        value(&told, "tingkat_health_check_status", Some("clients")),
        Some(0.0)
    );
    assert_eq!(
        value(&told, "tingkat_health_check_value", Some("clients")),
        Some(0.03)
    );
    assert_eq!(
        value(&told, "tingkat_health_poll_age_seconds", None),
        Some(0.04)
    );
    let (mut stage, server) = Stage::busy();
    let low = Fact {
        entity: "product".to_owned(),
        name: "low_stock".to_owned(),
        value: 7,
    };
    stage.look(server, |look| look.facts = vec![low]);
    let told = gauges(&stage.last);
    let fact = told
        .iter()
        .find(|gauge| gauge.name == "tingkat_health_fact")
        .unwrap();
    let labels = [("entity", "product"), ("fact", "low_stock")];
    assert_eq!(fact.labels, labels.map(|(name, it)| (name, it.to_owned())));
    assert!((fact.value - 7.0).abs() < 1e-9);
    let first = gauges(&Stage::seen(&fresh(), 1).last);
    assert_eq!(
        value(
            &first,
            "tingkat_health_check_value",
            Some("rejected_connections")
        ),
        None
    );
}

#[test]
fn names_are_declared_and_no_gauge_is_there_twice() {
    let told = gauges(&Stage::seen(&busy(), 2).last);
    let declared: HashSet<&str> = GAUGES.iter().map(|(name, _)| *name).collect();
    let mut seen = HashSet::new();
    for gauge in &told {
        assert!(declared.contains(gauge.name), "{}", gauge.name);
        assert!(
            seen.insert((gauge.name, gauge.labels.clone())),
            "{gauge:?} is there twice"
        );
    }
}
