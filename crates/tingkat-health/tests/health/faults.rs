//! Ten faults that monitors of caches have been seen to have. Each test is named for one.

use tingkat_health::check::Status;
use tingkat_health::score::{Grade, Part, score as score_of};
use tingkat_health::{Field, Group, RedisState, Server, readiness};

use crate::stage::{Stage, bad, busy, fresh, look, said, score};

#[test]
fn fault_1_what_happened_a_year_ago_counts_for_ever() {
    let mut server = busy();
    for (field, count) in [
        (Field::Rejected, 1.0),
        (Field::Evicted, 5e6),
        (Field::KeyspaceMisses, 1e9),
        (Field::RefusedOom, 40.0),
        (Field::FlushCalls, 3.0),
    ] {
        server.set(field, count);
    }
    let stage = Stage::seen(&server, 4);
    assert_eq!(bad(&stage.last), []);
    assert_eq!(stage.last.cache.grade, Some(Grade::A));
    // And what happens now counts while it is within the window.
    let mut stage = stage;
    server.add(Field::Rejected, 1.0);
    assert_eq!(
        bad(stage.see(server.clone())),
        [("rejected_connections", Status::Warning)]
    );
    assert_eq!(bad(stage.see_again(&server, 6)), []);
}

#[test]
fn fault_2_a_fresh_redis_is_unhealthy_because_nobody_has_asked_it_for_anything() {
    for looks in 1..4 {
        let stage = Stage::seen(&fresh(), looks);
        assert_eq!(bad(&stage.last), []);
        assert_eq!(
            said(&stage.last, "hit_ratio.product").status,
            Status::Unknown
        );
        assert!(matches!(stage.last.cache.grade, None | Some(Grade::A)));
    }
}

#[test]
fn fault_3_a_ratio_of_fragmentation_without_a_floor_of_bytes() {
    let mut server = fresh();
    server.set(Field::FragmentationRatio, 9.9);
    assert_eq!(bad(&Stage::seen(&server, 2).last), []);
    server.set(Field::FragmentationBytes, 3e8);
    let stage = Stage::seen(&server, 2);
    assert_eq!(
        bad(&stage.last),
        [("memory_fragmentation", Status::Critical)]
    );
}

#[test]
fn fault_4_a_server_that_is_swapped_out_is_never_noticed() {
    let (mut stage, mut server) = Stage::busy();
    server.set(Field::FragmentationRatio, 0.8);
    server.set(Field::UsedMemoryRss, 8e8);
    server.set(Field::FragmentationBytes, -2e8);
    assert_eq!(
        bad(stage.see(server.clone())),
        [("memory_swap", Status::Critical)]
    );
    // A service that tells no resident size is not swapped out.
    server.set(Field::UsedMemoryRss, 0.0);
    assert_eq!(
        said(stage.see(server), "memory_swap").status,
        Status::Unknown
    );
}

#[test]
fn fault_5_a_full_server_that_evicts_nothing_is_well() {
    for (policy, ends) in [("noeviction", 100_000.0), ("volatile-lru", 0.0)] {
        let mut server = busy();
        server.policy = Some(policy.into());
        server.set(Field::UsedMemory, 1.9e9);
        server.set(Field::Expires, ends);
        let stage = Stage::seen(&server, 3);
        let told = said(&stage.last, "memory_cannot_evict");
        assert_eq!(told.status, Status::Critical, "{policy}");
        assert!(told.recommendation.as_ref().unwrap().contains("95 %"));
        assert!(score(&stage.last) <= 69.0);
    }
    // Where it evicts, being full is what a cache is for.
    let mut server = busy();
    server.set(Field::UsedMemory, 2e9);
    assert_eq!(bad(&Stage::seen(&server, 3).last), []);
    // And a server without a limit may take the whole machine.
    let mut server = fresh();
    server.set(Field::UsedMemory, 24e9);
    server.set(Field::UsedMemoryRss, 24e9);
    server.set(Field::FragmentationRatio, 1.0);
    assert_eq!(
        bad(&Stage::seen(&server, 3).last),
        [("memory_limit", Status::Critical)]
    );
}

#[test]
fn fault_6_the_grade_is_no_function_of_the_score() {
    let mut last = Grade::F;
    for tenth in 0..=1_000_u32 {
        let score = f64::from(tenth) / 10.0;
        let grade = Grade::of(score);
        assert!(grade >= last, "{score}");
        last = grade;
        let expected = match score {
            90.0.. => "A",
            80.0.. => "B",
            70.0.. => "C",
            60.0.. => "D",
            _ => "F",
        };
        assert_eq!(grade.name(), expected, "{score}");
    }
    // One that is critical leaves no better than D, two leave F, however good the rest is.
    let part = |points, status| Part {
        group: Group::Memory,
        weight: 1,
        status,
        points,
        most: 69,
        share: 1.0,
    };
    let well = [part(100.0, Status::Ok); 30];
    for (critical, best) in [(0, Grade::A), (1, Grade::D), (2, Grade::F), (3, Grade::F)] {
        let mut parts = well.to_vec();
        parts.extend(vec![part(0.0, Status::Critical); critical]);
        let told = score_of(&parts, false);
        assert_eq!(told.grade, Some(best));
        assert_eq!(told.grade, told.score.map(Grade::of));
    }
}

#[test]
fn fault_7_latency_is_the_mean_of_a_few_pings_in_whole_milliseconds() {
    let (mut stage, server) = Stage::busy();
    // A thousand commands of a tenth of a millisecond, and twenty that took thirty.
    let report = stage.look(server, |look| {
        let redis = look.redis.as_mut().unwrap();
        (0..1_000).for_each(|_| redis.round_trips.record(100));
        (0..20).for_each(|_| redis.round_trips.record(30_000));
    });
    let told = said(report, "round_trip_p99");
    assert_eq!(told.status, Status::Critical, "{told:?}");
    assert!(told.value.unwrap() > 15.0, "{told:?}");
    // Without them the same server is fast, to a part of a millisecond.
    let (mut stage, server) = Stage::busy();
    let report = stage.look(server, |look| {
        let redis = look.redis.as_mut().unwrap();
        (0..1_000).for_each(|_| redis.round_trips.record(100));
    });
    let told = said(report, "round_trip_p99");
    assert_eq!(told.status, Status::Ok);
    assert!((0.05..0.2).contains(&told.value.unwrap()), "{told:?}");
}

#[test]
fn fault_8_what_is_missing_looks_healthy() {
    let mut server = Server::unknown("one");
    server.is_reached = true;
    let stage = Stage::seen(&server, 3);
    let known: Vec<&str> = stage
        .last
        .checks
        .iter()
        .filter(|said| said.value.is_some() && said.group != Group::Data)
        .map(|said| said.id.as_str())
        .collect();
    assert_eq!(known, ["redis_reachable", "redis_limited"]);
    assert_eq!(stage.last.cache.grade, None, "{:?}", stage.last.cache);
    assert!(stage.last.cache.coverage < 0.5);
}

#[test]
fn fault_9_replication_persistence_cluster_cpu_and_errors_are_not_looked_at() {
    let (mut stage, server) = Stage::busy();
    let cases: [(&str, &[(Field, f64)]); 6] = [
        ("cpu", &[(Field::CpuUserMain, 59.0)]),
        ("error_replies", &[(Field::OtherErrors, 500.0)]),
        ("writes_refused", &[(Field::RefusedOom, 500.0)]),
        ("save_failed", &[(Field::SaveFailed, 1.0)]),
        (
            "replication_lag",
            &[(Field::Replicas, 1.0), (Field::ReplicaLag, 5e7)],
        ),
        ("full_resyncs", &[(Field::FullResyncs, 5.0)]),
    ];
    for (id, changes) in cases {
        let mut server = server.clone();
        for (field, value) in changes {
            server.set(*field, *value);
        }
        let report = stage.see(server);
        assert_eq!(bad(report).iter().map(|it| it.0).collect::<Vec<_>>(), [id]);
        stage = Stage::busy().0;
    }
    let mut replica = server.clone();
    replica.role = Some("slave".into());
    replica.set(Field::LinkDown, 1.0);
    replica.set(Field::LinkDownSince, 90.0);
    assert_eq!(
        bad(stage.see(replica)),
        [("replica_link", Status::Critical)]
    );
    let mut node = server;
    node.is_clustered = Some(true);
    node.set(Field::Replicas, 1.0);
    node.set(Field::ClusterFailed, 1.0);
    node.set(Field::SlotsAssigned, 16_383.0);
    node.set(Field::SlotsFailed, 0.0);
    node.set(Field::SlotsSuspected, 0.0);
    let report = stage.see(node);
    assert_eq!(
        bad(report),
        [
            ("cluster_state", Status::Critical),
            ("cluster_slots", Status::Critical)
        ]
    );
    assert!(score(report) <= 19.0);
}

#[test]
fn fault_10_it_flaps_it_shows_no_evidence_and_redis_down_is_a_dead_service() {
    let (mut stage, server) = Stage::busy();
    let mut full = server.clone();
    full.set(Field::ConnectedClients, 8_200.0);
    for _ in 0..10 {
        let told = said(stage.see(full.clone()), "clients").clone();
        assert_eq!(told.status, Status::Warning);
        assert_eq!(told.evidence[0], "connected_clients=8200");
        assert_eq!(told.evidence[1], "maxclients=10000");
        assert!(told.recommendation.unwrap().contains("8200 of 10000"));
        assert_eq!(stage.see(server.clone()).alerts, [], "one bad look in two");
    }
    for _ in 0..3 {
        let report = stage.look(Server::unknown("127.0.0.1:6379"), |look| {
            look.redis.as_mut().unwrap().is_usable = false;
            look.observed.redis = RedisState::Down {
                why: "refused".into(),
            };
        });
        assert_eq!(report.service, readiness::Status::Ready);
        assert_eq!(report.redis.name(), "down");
    }
    assert!(score(&stage.last) < 1.0);
    assert_eq!(stage.last.cache.grade, Some(Grade::F));
    assert_eq!(stage.last.alerts[0].id, "redis_reachable");
    // It heals with its cause.
    assert!(bad(stage.see(server.clone())).is_empty());
    assert!(stage.see_again(&server, 5).alerts.is_empty());
    assert_eq!(stage.last.cache.grade, Some(Grade::A));
}

#[test]
fn a_look_that_is_late_changes_nothing() {
    let (mut stage, server) = Stage::busy();
    let mut old = server;
    old.set(Field::ConnectedClients, 9_999.0);
    let report = stage.monitor.take(look(std::time::Duration::ZERO, old));
    assert!(bad(&report).is_empty());
}
