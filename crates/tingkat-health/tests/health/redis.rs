//! Windows, resets, restarts, several servers, and limits that the operator sets.

use tingkat_health::check::Status;
use tingkat_health::{Field, Limits, Patience, Sentinels, Thresholds, checks};

use crate::stage::{Stage, bad, busy, said};

#[test]
fn the_first_look_after_a_reset_tells_no_rates_and_raises_nothing() {
    let (mut stage, mut server) = Stage::busy();
    server.set(Field::Commands, 50.0);
    server.set(Field::Connections, 0.0);
    let report = stage.see(server.clone());
    assert_eq!(bad(report), []);
    let told = said(report, "connection_churn");
    assert_eq!((told.status, told.value), (Status::Unknown, None));
    server.add(Field::Connections, 5.0);
    let told = said(stage.see(server), "connection_churn");
    assert_eq!(told.value, Some(0.5));
}

#[test]
fn a_restart_is_told_and_forgotten_after_five_minutes() {
    let (mut stage, mut server) = Stage::busy();
    server.run_id = Some("b".repeat(40));
    server.set(Field::Uptime, 1.0);
    server.set(Field::Commands, 9e9);
    let report = stage.see(server.clone());
    assert_eq!(bad(report), [("redis_restarts", Status::Warning)]);
    assert!(
        said(report, "redis_restarts")
            .recommendation
            .as_ref()
            .unwrap()
            .contains("1 s ago")
    );
    assert_eq!(bad(stage.see_again(&server, 31)), []);
}

#[test]
fn the_server_that_is_worst_off_speaks_for_all_and_is_named() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server.clone(), |look| {
        let servers = &mut look.redis.as_mut().unwrap().servers;
        let mut second = server.clone();
        second.name = "10.0.0.2:6379".into();
        second.set(Field::ConnectedClients, 9_900.0);
        servers.push(second);
        let mut third = server;
        third.name = "10.0.0.3:6379".into();
        servers.push(third);
    });
    let told = said(report, "clients");
    assert_eq!(told.status, Status::Critical);
    assert_eq!(told.evidence[0], "server=10.0.0.2:6379");
}

#[test]
fn sentinels_without_a_quorum_are_critical_and_one_that_is_away_is_a_warning() {
    let (mut stage, server) = Stage::busy();
    let mut with = |answering, has_quorum| {
        let report = stage.look(server.clone(), |look| {
            look.redis.as_mut().unwrap().sentinels = Some(Sentinels {
                known: 3,
                answering,
                has_quorum,
                ..Sentinels::default()
            });
        });
        said(report, "sentinel_quorum").status
    };
    assert_eq!(with(3, Some(true)), Status::Ok);
    assert_eq!(with(2, Some(true)), Status::Warning);
    assert_eq!(with(1, Some(false)), Status::Critical);
    assert_eq!(with(0, None), Status::Critical);
}

#[test]
fn a_sentinel_that_judges_nothing_for_a_while_is_as_good_as_silent() {
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| {
        look.redis.as_mut().unwrap().sentinels = Some(Sentinels {
            known: 3,
            answering: 3,
            has_quorum: Some(true),
            is_tilted: Some(true),
            ..Sentinels::default()
        });
    });
    let told = said(report, "sentinel_quorum");
    assert_eq!(told.status, Status::Warning);
    assert!(told.evidence.contains(&"sentinel_tilt=1".to_owned()));
    // What it thinks of the master is not known.
    assert_eq!(said(report, "sentinel_master").status, Status::Unknown);
}

#[test]
fn limits_are_what_the_operator_says_and_can_be_changed_under_way() {
    let (mut stage, mut server) = Stage::busy();
    server.set(Field::ConnectedClients, 3_000.0);
    assert_eq!(bad(stage.see(server.clone())), []);
    let strict = Thresholds::default().with(
        checks::find("clients").unwrap(),
        Limits {
            warning: Some(20.0),
            critical: Some(25.0),
        },
    );
    stage.monitor.set(
        strict,
        Patience {
            critical: 1,
            ..Patience::default()
        },
    );
    let report = stage.see(server.clone());
    assert_eq!(bad(report), [("clients", Status::Critical)]);
    assert_eq!(said(report, "clients").threshold, Some(25.0));
    assert_eq!(report.alerts.len(), 1);
    stage
        .monitor
        .set(Thresholds::default(), Patience::default());
    assert_eq!(bad(stage.see(server)), []);
}

#[test]
fn memory_that_fills_up_is_told_hours_before() {
    let mut server = busy();
    server.policy = Some("noeviction".into());
    server.set(Field::UsedMemory, 1e9);
    let mut stage = Stage::seen(&server, 1);
    for _ in 0..12 {
        // A hundred kilobytes a second: a billion bytes last 2.7 hours.
        server.add(Field::UsedMemory, 1e6);
        stage.see(server.clone());
    }
    let told = said(&stage.last, "memory_time_to_full");
    assert_eq!(told.status, Status::Warning, "{told:?}");
    assert!((2.5..3.0).contains(&told.value.unwrap()), "{told:?}");
    assert_eq!(bad(&stage.last), [("memory_time_to_full", Status::Warning)]);
    server.policy = Some("allkeys-lru".into());
    assert_eq!(bad(stage.see(server)), []);
}

#[test]
fn what_fragments_a_server_is_told_from_what_an_old_peak_left() {
    let (mut stage, mut server) = Stage::busy();
    server.set(Field::FragmentationRatio, 9.91);
    server.set(Field::FragmentationBytes, 1.97e8);
    server.set(Field::UsedMemoryPeakPercent, 10.5);
    let report = stage.see(server.clone());
    assert_eq!(bad(report), [("memory_left_over", Status::Warning)]);
    assert_eq!(said(report, "memory_left_over").weight, 0);
    assert!(report.cache.score.unwrap() > 99.0);
    server.set(Field::UsedMemoryPeakPercent, 90.0);
    assert_eq!(bad(stage.see(server))[0].0, "memory_fragmentation");
}
