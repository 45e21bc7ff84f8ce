//! What holds for every server: a value that gets worse never raises the score, and a better score
//! never lowers the grade.

use std::time::Duration;

use proptest::prelude::*;
use tingkat_health::check::{Bad, Status};
use tingkat_health::score::{Grade, Part, score as score_of};
use tingkat_health::{Buckets, Entity, Field, Group, Limits, Look, Monitor, Redis, Server};

use crate::stage::{busy, look};

/// Numbers of a server of which one direction is worse, whatever the others are, with the range
/// that is tried.
const WORSE: &[(Field, f64, f64)] = &[
    (Field::Loading, 0.0, 1.0),
    (Field::UsedMemory, 2.2e9, 0.0),
    (Field::FragmentationBytes, 0.0, 1e9),
    (Field::EvictionExceeded, 0.0, 1e5),
    (Field::SaveFailed, 0.0, 1.0),
    (Field::Connections, 0.0, 1e5),
    (Field::Rejected, 0.0, 100.0),
    (Field::FullResyncs, 0.0, 9.0),
    (Field::ExpiredStalePercent, 0.0, 60.0),
    (Field::Evicted, 0.0, 1e5),
    (Field::RefusedOom, 0.0, 200.0),
    (Field::RefusedMisconf, 0.0, 200.0),
    (Field::OtherErrors, 0.0, 500.0),
    (Field::KeysCalls, 0.0, 5.0),
    (Field::FlushCalls, 0.0, 5.0),
    (Field::CpuUserMain, 0.0, 60.0),
    (Field::ReplicaLag, 0.0, 3e8),
    (Field::ClientBytes, 0.0, 3e7),
    (Field::FragmentationRatio, 1.0, 9.0),
    (Field::RefusedReadOnly, 0.0, 200.0),
    (Field::ForkMicros, 0.0, 1e6),
    (Field::AofWriteFailed, 0.0, 1.0),
];

type Worsen = fn(&mut Look, u64);

/// The same of what a node counts by itself, with the most that is tried.
const WORSE_OF_THE_NODE: &[(Worsen, u64)] = &[
    (|look, count| redis(look).failures = count, 300),
    (|look, count| slow(&mut redis(look).round_trips, count), 100),
    (|look, count| slow(&mut redis(look).written, count), 100),
    (|look, count| product(look).memory_misses = count, 3_000),
    (|look, count| slow(&mut product(look).answers, count), 100),
];

fn redis(look: &mut Look) -> &mut Redis {
    look.redis.as_mut().unwrap()
}

fn product(look: &mut Look) -> &mut Entity {
    look.entities.first_mut().unwrap()
}

/// A thousand that are quick or small, of which so many are neither.
fn slow(buckets: &mut Buckets, count: u64) {
    buckets.add(3, 1_000 - count);
    buckets.add(21, count);
}

/// The score of a node that counted this.
fn counted(values: &[u64]) -> f64 {
    let mut monitor = Monitor::default();
    for at in 0..7 {
        monitor.take(look(Duration::from_secs(at * 10), busy()));
    }
    let mut last = look(Duration::from_secs(70), busy());
    product(&mut last).memory_hits = 1_000;
    for ((worsen, _), value) in WORSE_OF_THE_NODE.iter().zip(values) {
        worsen(&mut last, *value);
    }
    monitor.take(last).cache.score.unwrap()
}

/// The score after quiet minutes, as many as a trend needs, and then this server.
fn scored(server: &Server) -> (f64, Option<Grade>) {
    let mut monitor = Monitor::default();
    for at in 0..14 {
        let mut before = busy();
        before.policy.clone_from(&server.policy);
        before.set(Field::Commands, 0.0);
        for (field, ..) in WORSE {
            before.set(*field, 0.0);
        }
        before.set(Field::Replicas, 1.0);
        before.set(Field::AofEnabled, 1.0);
        monitor.take(look(Duration::from_secs(at * 10), before));
    }
    let report = monitor.take(look(Duration::from_secs(140), server.clone()));
    (report.cache.score.unwrap(), report.cache.grade)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few thousand at most"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn server(values: &[f64], policy: &str) -> Server {
    let mut server = busy();
    server.policy = Some(policy.into());
    server.set(Field::Replicas, 1.0);
    server.set(Field::AofEnabled, 1.0);
    server.set(Field::Forks, 1.0);
    for ((field, least, most), share) in WORSE.iter().zip(values) {
        let (least, most) = (least.min(*most), least.max(*most));
        server.set(*field, least + (most - least) * share);
    }
    server
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_value_that_gets_worse_never_raises_the_score(
        values in prop::collection::vec(prop_oneof![3 => Just(0.0), 1 => 0.0..1.0_f64], WORSE.len()),
        which in 0..WORSE.len(),
        worse in 0.0..1.0_f64,
        policy in prop_oneof![Just("noeviction"), Just("allkeys-lru"), Just("volatile-ttl")],
    ) {
        // Where it evicts, more memory in use is not worse; a server in swap is, with more of it.
        prop_assume!(WORSE[which].0 != Field::UsedMemory || policy != "allkeys-lru");
        let mut changed = values.clone();
        changed[which] = worse.max(values[which]);
        let (before, old) = scored(&server(&values, policy));
        let (after, new) = scored(&server(&changed, policy));
        prop_assert!(after <= before + 1e-9, "{}: {before} to {after}", WORSE[which].0.name());
        prop_assert!(new <= old);
    }

    #[test]
    fn what_a_node_counts_never_raises_the_score_when_it_is_worse(
        shares in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1.0_f64], WORSE_OF_THE_NODE.len()),
        which in 0..WORSE_OF_THE_NODE.len(),
        worse in 0.0..1.0_f64,
    ) {
        let values = |shares: &[f64]| -> Vec<u64> {
            let most = WORSE_OF_THE_NODE.iter().map(|(_, most)| *most);
            most.zip(shares).map(|(most, share)| whole(share * f64::from(u32::try_from(most).unwrap()))).collect()
        };
        let mut changed = shares.clone();
        changed[which] = worse.max(shares[which]);
        let (before, after) = (counted(&values(&shares)), counted(&values(&changed)));
        prop_assert!(after <= before + 1e-9, "{which}: {before} to {after}");
    }

    #[test]
    fn points_never_rise_with_a_worse_value(
        warning in -1e3..1e3_f64,
        span in 0.0..1e3_f64,
        one in -3e3..3e3_f64,
        two in -3e3..3e3_f64,
        has in any::<[bool; 2]>(),
    ) {
        let limits = |sign: f64| Limits {
            warning: has[0].then_some(warning * sign),
            critical: has[1].then_some((warning + span) * sign),
        };
        let (better, worse) = (one.min(two), one.max(two));
        let high = limits(1.0);
        prop_assert!(high.points(Bad::High, worse) <= high.points(Bad::High, better));
        prop_assert!(high.status(Bad::High, worse) >= high.status(Bad::High, better));
        let low = limits(-1.0);
        prop_assert!(low.points(Bad::Low, -worse) <= low.points(Bad::Low, -better));
    }

    #[test]
    fn the_score_follows_each_of_its_parts_without_a_leap(
        points in prop::collection::vec((0..8_usize, 1..10_u32, 0.0..=100.0_f64, 0..3_usize), 1..30),
        which in 0..30_usize,
        less in 0.0..1.0_f64,
    ) {
        let groups = [
            Group::Availability, Group::Latency, Group::Memory, Group::Effect,
            Group::Connections, Group::Errors, Group::Replication, Group::Persistence,
        ];
        let parts: Vec<Part> = points.iter().map(|&(group, weight, points, most)| Part {
            group: groups[group],
            weight,
            status: Status::Ok,
            points,
            most: [69, 39, 0][most],
        }).collect();
        let mut worse = parts.clone();
        let part = &mut worse[which % points.len()];
        part.points = (part.points - less).max(0.0);
        let (before, after) = (score_of(&parts, false), score_of(&worse, false));
        let (before_score, after_score) = (before.score.unwrap(), after.score.unwrap());
        prop_assert!(after_score <= before_score + 1e-9);
        prop_assert!(before_score - after_score <= 1.2 * less + 1e-9, "{before_score} to {after_score}");
        prop_assert!(after.grade <= before.grade);
        prop_assert!((0.0..=100.0).contains(&after_score));
    }

    /// Whatever a server says, nothing panics and nothing is out of range.
    #[test]
    fn any_numbers_give_a_report(
        values in prop::collection::vec(any::<Option<f64>>(), Field::COUNT),
        later in prop::collection::vec(any::<Option<f64>>(), Field::COUNT),
        policy in ".{0,20}",
        version in ".{0,8}",
        is_clustered in any::<Option<bool>>(),
    ) {
        let server = |values: &[Option<f64>]| {
            let mut server = Server::unknown("one");
            server.is_reached = true;
            server.policy = Some(policy.clone());
            server.version = Some(version.clone());
            server.is_clustered = is_clustered;
            server.role = Some("slave".into());
            for (field, value) in Field::ALL.iter().zip(values) {
                if let Some(value) = value {
                    server.set(*field, *value);
                }
            }
            server
        };
        let mut monitor = Monitor::default();
        monitor.take(look(Duration::ZERO, server(&values)));
        let looked: Look = look(Duration::from_secs(10), server(&later));
        let report = monitor.take(looked);
        prop_assert!((0.0..=1.0).contains(&report.cache.coverage));
        prop_assert!(report.cache.score.is_none_or(|score| (0.0..=100.0).contains(&score)));
        prop_assert!(report.checks.iter().all(|said| said.value.is_none_or(f64::is_finite)));
    }
}
