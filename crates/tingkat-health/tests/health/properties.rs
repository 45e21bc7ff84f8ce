//! What holds for every server: a value that gets worse never raises the score, and a better score
//! never lowers the grade.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tingkat_health::check::{Bad, Status};
use tingkat_health::report::Report;
use tingkat_health::score::{Part, score as score_of};
use tingkat_health::{
    Buckets, Command, Entity, Field, Group, Limits, Look, Monitor, Redis, Sentinels, Server, checks,
};

use crate::stage::{busy, look};

/// What is watched.
#[derive(Clone, Copy, Debug)]
struct Base {
    policy: &'static str,
    /// Whether it has a limit of memory.
    is_limited: bool,
    /// Whether the machine swaps; else its memory may be in fragments.
    is_swapped: bool,
    /// Whether nobody but us asks it anything.
    is_quiet: bool,
    kind: Kind,
    others: Others,
}

/// How it goes together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alone,
    Replica,
    Cluster,
    Guarded,
}

/// The second server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    None,
    Well,
    Silent,
}

fn bases() -> impl Strategy<Value = Base> {
    let policy = prop_oneof![
        Just("noeviction"),
        Just("allkeys-lru"),
        Just("volatile-ttl")
    ];
    let kind = prop_oneof![
        Just(Kind::Alone),
        Just(Kind::Replica),
        Just(Kind::Cluster),
        Just(Kind::Guarded)
    ];
    let others = prop_oneof![Just(Others::None), Just(Others::Well), Just(Others::Silent)];
    (policy, any::<[bool; 3]>(), kind, others).prop_map(|(policy, is, kind, others)| Base {
        policy,
        is_limited: is[0],
        is_swapped: is[1],
        is_quiet: is[2],
        kind,
        others,
    })
}

impl Base {
    const ALONE: Self = Self {
        policy: "noeviction",
        is_limited: true,
        is_swapped: false,
        is_quiet: false,
        kind: Kind::Alone,
        others: Others::None,
    };

    fn server(self) -> Server {
        let mut server = busy();
        server.policy = Some(self.policy.into());
        for (field, value) in [
            (Field::MaxMemory, if self.is_limited { ROOM } else { 0.0 }),
            (Field::UsedMemory, 0.0),
            (Field::Replicas, REPLICAS),
            (Field::AofEnabled, 1.0),
            (Field::Commands, 0.0),
        ] {
            server.set(field, value);
        }
        server.commands = Some(vec![command(0.0, 0.0)]);
        match self.kind {
            Kind::Alone | Kind::Guarded => {}
            Kind::Replica => {
                server.role = Some("slave".into());
                server.set(Field::LinkDown, 0.0);
            }
            Kind::Cluster => {
                server.is_clustered = Some(true);
                server.set(Field::ClusterFailed, 0.0);
                server.set(Field::SlotsAssigned, SLOTS);
                server.set(Field::SlotsOk, SLOTS);
                server.set(Field::SlotsSuspected, 0.0);
                server.set(Field::SlotsFailed, 0.0);
            }
        }
        server
    }

    /// A look at it when all is well.
    fn look(self, at: Duration) -> Look {
        let server = self.server();
        let mut look = look(at, server.clone());
        let redis = redis(&mut look);
        if self.kind == Kind::Guarded {
            redis.sentinels = Some(Sentinels {
                known: SENTINELS,
                answering: SENTINELS,
                has_quorum: Some(true),
                ..Sentinels::default()
            });
        }
        match self.others {
            Others::None => {}
            Others::Well => {
                let mut other = server;
                OTHER.clone_into(&mut other.name);
                redis.servers.push(other);
            }
            Others::Silent => redis.servers.push(Server::unknown(OTHER)),
        }
        look
    }

    /// What is said after quiet minutes, as many as a trend needs, and then all of this.
    fn report(self, shares: &[f64]) -> std::sync::Arc<Report> {
        let mut monitor = Monitor::default();
        for at in 0..14 {
            monitor.take(self.look(Duration::from_secs(at * 10)));
        }
        let mut last = self.look(Duration::from_secs(140));
        for server in &mut redis(&mut last).servers {
            if server.is_reached {
                server.set(Field::Commands, 1e6);
            }
        }
        for ((_, worsen), share) in WORSE.iter().zip(shares) {
            worsen(&mut last, self, *share);
        }
        monitor.take(last)
    }
}

const ROOM: f64 = 2e9;
const REPLICAS: f64 = 3.0;
const SLOTS: f64 = 16_384.0;
const SENTINELS: usize = 5;
const OTHER: &str = "10.0.0.2:6379";

fn command(calls: f64, micros: f64) -> Command {
    Command {
        name: "get".into(),
        calls,
        micros,
    }
}

/// Makes one thing worse: with 0 it is well, with 1 as bad as is tried.
type Worsen = fn(&mut Look, Base, f64);

/// A number of the server that is worse the higher it is.
macro_rules! number {
    ($field:ident, $most:expr) => {
        (stringify!($field), |look, _, share| {
            server(look).set(Field::$field, $most * share);
        })
    };
}

/// All that the score rests on, whatever else is. What can not be together is not tried together: a
/// server over its limit that is not full, and a lag of replicas that are all gone.
const WORSE: &[(&str, Worsen)] = &[
    number!(Connections, 1e5),
    number!(Rejected, 100.0),
    number!(FullResyncs, 9.0),
    number!(ExpiredStalePercent, 60.0),
    number!(Evicted, 1e5),
    number!(RefusedOom, 200.0),
    number!(RefusedMisconf, 200.0),
    number!(RefusedReadOnly, 200.0),
    number!(OtherErrors, 2e4),
    number!(KeysCalls, 5.0),
    number!(FlushCalls, 5.0),
    number!(CpuUserMain, 60.0),
    number!(ReplicaLag, 3e8),
    ("Loading", |look, _, share| {
        server(look).set(Field::Loading, flag(share));
        server(look).set(Field::LoadingEta, 100.0 * share);
    }),
    ("SaveFailed", |look, _, share| {
        server(look).set(Field::SaveFailed, flag(share));
    }),
    ("AofWriteFailed", |look, _, share| {
        server(look).set(Field::AofWriteFailed, flag(share));
    }),
    ("ForkMicros", |look, _, share| {
        server(look).set(Field::Forks, 1.0);
        server(look).set(Field::ForkMicros, 1e6 * share);
    }),
    ("UsedMemory", |look, base, share| {
        let most = if base.is_limited { 1.1 * ROOM } else { 25e9 };
        server(look).set(Field::UsedMemory, most * share);
    }),
    ("EvictionExceeded", |look, base, share| {
        if base.is_limited && share > 0.0 {
            let used = server(look).number(Field::UsedMemory).unwrap();
            server(look).set(Field::UsedMemory, used.max(ROOM));
            server(look).set(Field::EvictionExceeded, 2e4 * share);
        }
    }),
    ("Expires", |look, _, share| {
        server(look).set(Field::Expires, 1e5 * (1.0 - share));
    }),
    ("fragments", |look, base, share| {
        if !base.is_swapped {
            server(look).set(Field::FragmentationRatio, 1.0 + 8.0 * share);
            server(look).set(Field::FragmentationBytes, 1e9 * share);
        }
    }),
    ("swap", |look, base, share| {
        if base.is_swapped {
            // Whoever holds next to nothing is not judged by it.
            let used = server(look).number(Field::UsedMemory).unwrap();
            server(look).set(Field::UsedMemory, used.max(2e8));
            server(look).set(Field::FragmentationRatio, 1.0 - 0.5 * share);
        }
    }),
    ("bytes a client", |look, _, share| {
        server(look).set(Field::ClientBytes, share);
    }),
    // Each holds as much as before.
    ("clients", |look, _, share| {
        let each = 2e6 * server(look).number(Field::ClientBytes).unwrap();
        let clients = 3.0 + 9_990.0 * share;
        server(look).set(Field::ConnectedClients, clients);
        server(look).set(Field::ClientBytes, each * clients);
    }),
    // Somebody else takes the connection of each.
    ("replicas", |look, _, share| {
        let lost = (REPLICAS * share).floor().min(REPLICAS - 1.0);
        let server = server(look);
        server.set(Field::Replicas, REPLICAS - lost);
        server.add(Field::ClusterConnections, lost);
    }),
    ("time of commands", |look, _, share| {
        server(look).commands = Some(vec![command(1e3, 1e7 * share)]);
    }),
    ("link to the master", |look, base, share| {
        if base.kind == Kind::Replica {
            server(look).set(Field::LinkDown, flag(share));
            server(look).set(Field::LinkDownSince, 100.0 * share);
        }
    }),
    ("state of the cluster", |look, base, share| {
        if base.kind == Kind::Cluster {
            server(look).set(Field::ClusterFailed, flag(share));
        }
    }),
    ("slots with a node", |look, base, share| {
        if base.kind == Kind::Cluster {
            server(look).set(Field::SlotsAssigned, SLOTS - (9.0 * share).floor());
        }
    }),
    ("slots of nodes that are suspected", |look, base, share| {
        if base.kind == Kind::Cluster {
            server(look).set(Field::SlotsSuspected, (9.0 * share).floor());
        }
    }),
    ("slots of nodes that failed", |look, base, share| {
        if base.kind == Kind::Cluster {
            server(look).set(Field::SlotsFailed, (9.0 * share).floor());
        }
    }),
    ("silent Sentinels", |look, _, share| {
        if let Some(sentinels) = &mut redis(look).sentinels {
            sentinels.answering -= usize::try_from(counted(share, SENTINELS as u64)).unwrap();
            sentinels.has_quorum = Some(2 * sentinels.answering > SENTINELS);
        }
    }),
    ("tilt", |look, _, share| {
        if let Some(sentinels) = &mut redis(look).sentinels {
            sentinels.is_tilted = Some(share > 0.5);
        }
    }),
    ("a part that can not be used", |look, _, share| {
        redis(look).limit = (share > 0.5).then(|| "no +unlink".to_owned());
    }),
    ("failures", |look, _, share| {
        redis(look).failures = counted(share, 3_000);
    }),
    ("slow round trips", |look, base, share| {
        if !base.is_quiet {
            slow(&mut redis(look).round_trips, share);
        }
    }),
    ("slow answers to ourselves", |look, base, share| {
        if base.is_quiet {
            for server in &mut redis(look).servers {
                server.answer_ms = Some(0.3 + 40.0 * share);
            }
        }
    }),
    ("big values", |look, _, share| {
        slow(&mut redis(look).written, share);
    }),
    ("misses", |look, _, share| {
        product(look).memory_hits = 1_000;
        product(look).memory_misses = counted(share, 3_000);
    }),
    ("slow look-ups", |look, _, share| {
        slow(&mut product(look).answers, share);
    }),
];

fn redis(look: &mut Look) -> &mut Redis {
    look.redis.as_mut().unwrap()
}

fn server(look: &mut Look) -> &mut Server {
    redis(look).servers.first_mut().unwrap()
}

fn product(look: &mut Look) -> &mut Entity {
    look.entities.first_mut().unwrap()
}

/// Whether it is at all.
fn flag(share: f64) -> f64 {
    f64::from(u8::from(share > 0.0))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few thousand at most"
)]
fn counted(share: f64, most: u64) -> u64 {
    (share * f64::from(u32::try_from(most).unwrap())) as u64
}

/// A thousand that are quick or small, of which so many are neither.
fn slow(buckets: &mut Buckets, share: f64) {
    let count = counted(share, 100);
    buckets.add(3, 1_000 - count);
    buckets.add(21, count);
}

/// The score after so many looks at nothing, or after so many restarts within five minutes.
fn after(looks: u64, change: impl Fn(u64, &mut Look)) -> f64 {
    let base = Base {
        others: Others::Well,
        ..Base::ALONE
    };
    let mut monitor = Monitor::default();
    for at in 0..looks {
        let mut look = base.look(Duration::from_secs(at * 10));
        change(at, &mut look);
        monitor.take(look);
    }
    monitor.report().unwrap().cache.score.unwrap()
}

#[test]
fn each_look_that_redis_is_away_lowers_the_score_until_nothing_is_left() {
    let away = |looks: u64| {
        after(20, |at, look| {
            if at >= 20 - looks {
                redis(look)
                    .servers
                    .iter_mut()
                    .for_each(|it| *it = Server::unknown(it.name.clone()));
            }
        })
    };
    let scores = [0, 1, 2, 3, 4].map(away);
    assert!(scores.is_sorted_by(|one, two| one >= two), "{scores:?}");
    assert!(scores[0] > scores[1] && scores[3] <= 0.0, "{scores:?}");
    let silent = after(20, |at, look| {
        if at == 19 {
            redis(look).servers[1] = Server::unknown(OTHER);
        }
    });
    assert!(silent < scores[0], "{silent} {scores:?}");
}

#[test]
fn each_restart_lowers_the_score() {
    let restarted = |times: u64| {
        after(20, |at, look| {
            // The last one is always with the last look.
            let lives = (at + times).saturating_sub(19);
            server(look).run_id = Some(lives.to_string());
        })
    };
    let scores = [1, 2, 3, 4].map(restarted);
    assert!(scores.is_sorted_by(|one, two| one >= two), "{scores:?}");
    assert!(scores[0] > scores[2], "{scores:?}");
}

#[test]
fn all_that_counts_is_made_worse() {
    let mut raised = BTreeSet::new();
    let quiet = Base {
        is_quiet: true,
        is_limited: false,
        is_swapped: true,
        ..Base::ALONE
    };
    for kind in [Kind::Alone, Kind::Replica, Kind::Cluster, Kind::Guarded] {
        for policy in ["noeviction", "volatile-ttl", "allkeys-lru"] {
            for base in [Base::ALONE, quiet] {
                let base = Base {
                    policy,
                    kind,
                    ..base
                };
                for worst in 0..WORSE.len() {
                    let mut shares = vec![0.0; WORSE.len()];
                    shares[worst] = 1.0;
                    let report = base.report(&shares);
                    let bad = report.checks.iter().filter(|said| said.status.is_bad());
                    raised.extend(bad.map(|said| said.id.split('.').next().unwrap().to_owned()));
                }
            }
        }
    }
    let weighted = checks::all().filter(|check| check.weight > 0);
    let missing: Vec<&str> = weighted
        .map(|check| check.id)
        .filter(|id| !raised.contains(*id))
        .collect();
    // Of these two the tests above tell.
    assert_eq!(missing, ["redis_reachable", "redis_restarts"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_value_that_gets_worse_never_raises_the_score(
        shares in prop::collection::vec(prop_oneof![4 => Just(0.0), 1 => 0.0..1.0_f64], WORSE.len()),
        which in 0..WORSE.len(),
        worse in 0.0..1.0_f64,
        base in bases(),
    ) {
        let mut changed = shares.clone();
        changed[which] = worse.max(shares[which]);
        let (before, after) = (base.report(&shares).cache, base.report(&changed).cache);
        // What is plain needs no more to be known.
        if let Some(score) = before.score {
            let worse = after.score.unwrap();
            prop_assert!(worse <= score + 1e-9, "{}: {score} to {worse}", WORSE[which].0);
            prop_assert!(after.grade <= before.grade);
        }
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
            share: 1.0,
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
