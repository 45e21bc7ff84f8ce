//! Each check that can be bad is raised by made numbers, and is as before when they are.

use std::collections::BTreeSet;
use std::time::Duration;

use tingkat_health::{
    Canary, Command, DataState, Entity, Field, Limits, Look, MasterSeen, Redis, Sentinels, Server,
    checks,
};

use crate::stage::{Stage, busy, said};

type Change = fn(&mut Look);

fn redis(look: &mut Look) -> &mut Redis {
    look.redis.as_mut().unwrap()
}

fn product(look: &mut Look) -> &mut Entity {
    look.entities.first_mut().unwrap()
}

fn server(look: &mut Look) -> &mut Server {
    redis(look).servers.first_mut().unwrap()
}

/// Numbers of the server that are bad by themselves.
const NUMBERS: &[(&str, &[(Field, f64)])] = &[
    ("redis_loading", &[(Field::Loading, 1.0)]),
    (
        "fork_time",
        &[(Field::Forks, 1.0), (Field::ForkMicros, 3e5)],
    ),
    ("cpu", &[(Field::CpuUserMain, 59.0)]),
    ("keys_command", &[(Field::KeysCalls, 1.0)]),
    (
        "memory_limit",
        &[(Field::MaxMemory, 0.0), (Field::UsedMemory, 24e9)],
    ),
    ("eviction_behind", &[(Field::EvictionExceeded, 5e3)]),
    (
        "memory_fragmentation",
        &[
            (Field::FragmentationRatio, 3.0),
            (Field::FragmentationBytes, 1e9),
        ],
    ),
    ("memory_swap", &[(Field::FragmentationRatio, 0.8)]),
    (
        "memory_left_over",
        &[
            (Field::FragmentationRatio, 9.9),
            (Field::FragmentationBytes, 2e8),
            (Field::UsedMemoryPeakPercent, 10.0),
        ],
    ),
    ("client_buffers", &[(Field::ClientBytes, 1e8)]),
    ("replica_buffers", &[(Field::ReplicaBytes, 5e7)]),
    ("cached_scripts", &[(Field::CachedScripts, 700.0)]),
    ("lazyfree_pending", &[(Field::LazyfreePending, 2e4)]),
    ("evictions", &[(Field::Evicted, 5e4)]),
    ("expired_stale", &[(Field::ExpiredStalePercent, 30.0)]),
    ("flushed", &[(Field::FlushCalls, 1.0)]),
    (
        "keys_of_others",
        &[(Field::KeysLookedAt, 180.0), (Field::KeysOfOthers, 90.0)],
    ),
    ("databases", &[(Field::Databases, 2.0)]),
    ("clients", &[(Field::ConnectedClients, 9e3)]),
    ("rejected_connections", &[(Field::Rejected, 3.0)]),
    ("connection_churn", &[(Field::Connections, 1e4)]),
    ("blocked_clients", &[(Field::BlockedClients, 1.0)]),
    ("evicted_clients", &[(Field::EvictedClients, 3.0)]),
    ("buffer_disconnects", &[(Field::OutputDisconnects, 3.0)]),
    ("latency_events", &[(Field::LatencyEvents, 1.0)]),
    ("redis_exposed", &[(Field::IsPublic, 1.0)]),
    ("writes_refused", &[(Field::RefusedOom, 3.0)]),
    ("error_replies", &[(Field::OtherErrors, 500.0)]),
    ("denied", &[(Field::Denied, 1.0)]),
    ("replication_lag", &[(Field::ReplicaLag, 5e7)]),
    ("replicas_lost", &[(Field::Replicas, 0.0)]),
    ("full_resyncs", &[(Field::FullResyncs, 5.0)]),
    ("save_failed", &[(Field::SaveFailed, 1.0)]),
    ("aof_failed", &[(Field::AofWriteFailed, 1.0)]),
    ("aof_delayed", &[(Field::AofDelayed, 3.0)]),
    ("save_running", &[(Field::SaveRunning, 700.0)]),
];

/// What else is bad of Redis.
const OF_REDIS: &[(&str, Change)] = &[
    ("redis_reachable", |look| redis(look).is_usable = false),
    ("redis_limited", |look| {
        redis(look).limit = Some("a part of it is away".into());
    }),
    ("redis_restarts", |look| {
        server(look).run_id = Some("b".repeat(40));
    }),
    ("redis_version", |look| {
        server(look).version = Some("4.0.9".into());
    }),
    ("round_trip_p99", |look| {
        server(look).answer_ms = Some(50.0);
    }),
    ("command_time", |look| {
        server(look).commands = Some(vec![Command {
            name: "get".into(),
            calls: 100.0,
            micros: 1e6,
        }]);
    }),
    ("memory_cannot_evict", |look| {
        server(look).policy = Some("noeviction".into());
        server(look).set(Field::UsedMemory, 1.9e9);
    }),
    ("memory_time_to_full", |look| {
        server(look).policy = Some("noeviction".into());
        server(look).set(Field::UsedMemory, 2e9);
    }),
    ("big_values", |look| {
        (0..200).for_each(|_| redis(look).written.record(2 << 20));
    }),
    ("keys_without_ttl", |look| {
        server(look).policy = Some("volatile-lru".into());
        server(look).set(Field::Expires, 100.0);
    }),
    ("tier_failures", |look| redis(look).failures = 50),
    ("replica_link", |look| {
        server(look).role = Some("slave".into());
        server(look).set(Field::LinkDown, 1.0);
    }),
    ("cluster_state", |look| clustered(look, 1.0, 0.0)),
    ("cluster_slots", |look| clustered(look, 0.0, 3.0)),
    ("primary_alone", |look| {
        clustered(look, 0.0, 0.0);
        server(look).set(Field::Replicas, 0.0);
    }),
    ("sentinel_quorum", |look| {
        redis(look).sentinels = Some(Sentinels {
            known: 3,
            answering: 1,
            has_quorum: Some(false),
            ..Sentinels::default()
        });
    }),
    ("sentinel_master", |look| {
        redis(look).sentinels = Some(watched(Some(MasterSeen::Failed), 4));
    }),
    ("sentinel_failovers", |look| {
        // Another one in each look.
        let epoch = look.at.as_secs();
        redis(look).sentinels = Some(watched(Some(MasterSeen::Up), epoch));
    }),
    ("memory_imbalance", |look| {
        let mut small = server(look).clone();
        small.name = "10.0.0.2:6379".into();
        small.set(Field::UsedMemory, 1e7);
        redis(look).servers.push(small);
    }),
];

/// What three Sentinels say that are well.
fn watched(master: Option<MasterSeen>, epoch: u64) -> Sentinels {
    Sentinels {
        known: 3,
        answering: 3,
        has_quorum: Some(true),
        is_tilted: Some(false),
        master,
        epoch: Some(epoch),
    }
}

fn clustered(look: &mut Look, is_failed: f64, slots_failed: f64) {
    let server = server(look);
    server.is_clustered = Some(true);
    server.set(Field::ClusterFailed, is_failed);
    server.set(Field::SlotsAssigned, 16_384.0);
    server.set(Field::SlotsFailed, slots_failed);
    server.set(Field::SlotsSuspected, 0.0);
}

/// What is bad of the caches and the data.
const OF_THE_NODE: &[(&str, Change)] = &[
    ("latency.product", |look| {
        product(look).memory_misses = 200;
        (0..200).for_each(|_| product(look).answers.record(60_000));
    }),
    ("hit_ratio.product", |look| {
        product(look).memory_misses = 900;
    }),
    ("change_log", |look| {
        look.observed.data = DataState::Critical {
            reasons: vec!["no triggers on product".into()],
        };
    }),
    ("poll_age", |look| {
        look.data.poll_age = Some(Duration::from_secs(3));
    }),
    ("canary", |look| {
        look.data.canary = Canary::Missing(Duration::from_secs(4));
    }),
    ("audit", |look| {
        (look.data.audited, look.data.differing) = (9, 1);
    }),
    ("stale_answers", |look| {
        product(look).stale_answers = 1;
    }),
    ("cold_resets", |look| look.data.cold_resets = 1),
    ("hung_loads", |look| product(look).hung_loads = 12),
    ("failed_loads", |look| {
        (product(look).loaded_keys, product(look).failed_keys) = (100, 5);
    }),
    ("load_queue", |look| product(look).queued = 600),
];

/// A server of which every check can tell something.
fn telling() -> Server {
    let mut server = busy();
    server.set(Field::AofEnabled, 1.0);
    server.set(Field::AofDelayed, 0.0);
    server.set(Field::Replicas, 1.0);
    server
}

/// Raises a check, and lets what did it leave every window.
fn raise(id: &str, change: impl Fn(&mut Look)) {
    let mut stage = Stage::seen(&telling(), 7);
    let status = |stage: &Stage| said(&stage.last, id).status;
    let before = status(&stage);
    assert!(!before.is_bad(), "{id} is bad from the start");
    let looks = match id {
        // Only who waits all the time is told of.
        "blocked_clients" => 31,
        // There is something to compare with then.
        "sentinel_failovers" => 2,
        _ => 1,
    };
    for _ in 0..looks {
        stage.look(telling(), &change);
    }
    assert!(status(&stage).is_bad(), "{id}: {:?}", status(&stage));
    let is_counted = said(&stage.last, id).recommendation.is_some();
    assert!(is_counted, "{id} says nothing of what to do");
    stage.see_again(&telling(), 62);
    assert_eq!(status(&stage), before, "{id} does not heal");
}

#[test]
fn every_check_that_can_be_bad_is_raised_and_heals() {
    let mut seen = BTreeSet::new();
    for (id, numbers) in NUMBERS {
        raise(id, |look| {
            for (field, value) in *numbers {
                server(look).set(*field, *value);
            }
        });
        seen.insert(*id);
    }
    for (id, change) in OF_REDIS.iter().chain(OF_THE_NODE) {
        raise(id, change);
        seen.insert(id.split('.').next().unwrap());
    }
    let can_be_bad = checks::all().filter(|check| {
        check.limits != Limits::default() || check.id == "latency" || check.id == "hit_ratio"
    });
    let all: BTreeSet<&str> = can_be_bad.map(|check| check.id).collect();
    assert_eq!(seen, all);
}
