//! A node and its Redis, as they look when all is well, and what can be changed about them.

use std::sync::Arc;
use std::time::Duration;

use tingkat_health::check::Status;
use tingkat_health::report::Report;
use tingkat_health::{
    Data, DataState, Entity, Field, Look, Monitor, Objective, Observed, Redis, RedisState, Said,
    Server, SourceState,
};

/// How far apart the looks are.
pub(crate) const STEP: Duration = Duration::from_secs(10);

/// What a fresh and empty Redis 7.0 says.
pub(crate) fn fresh() -> Server {
    let mut server = Server::unknown("127.0.0.1:6379");
    server.is_reached = true;
    server.answer_ms = Some(0.3);
    server.run_id = Some("a".repeat(40));
    server.role = Some("master".into());
    server.policy = Some("noeviction".into());
    server.version = Some("7.0.15".into());
    server.is_clustered = Some(false);
    server.commands = Some(Vec::new());
    for &field in Field::ALL {
        server.set(field, 0.0);
    }
    for (field, value) in [
        (Field::Uptime, 5.0),
        (Field::ConnectedClients, 3.0),
        (Field::MaxClients, 10_000.0),
        (Field::UsedMemory, 916_416.0),
        (Field::UsedMemoryRss, 6_656_000.0),
        (Field::UsedMemoryPeakPercent, 102.51),
        (Field::TotalSystemMemory, 25_276_510_208.0),
        (Field::FragmentationRatio, 7.6),
        (Field::FragmentationBytes, 5_779_656.0),
        (Field::SaveRunning, -1.0),
    ] {
        server.set(field, value);
    }
    server.unset(Field::LoadingEta);
    server.unset(Field::AofDelayed);
    server.unset(Field::LinkDown);
    server.unset(Field::LinkDownSince);
    for field in [
        Field::ClusterFailed,
        Field::SlotsAssigned,
        Field::SlotsOk,
        Field::SlotsSuspected,
        Field::SlotsFailed,
    ] {
        server.unset(field);
    }
    server
}

/// A Redis with a limit and work to do.
pub(crate) fn busy() -> Server {
    let mut server = fresh();
    server.policy = Some("allkeys-lfu".into());
    for (field, value) in [
        (Field::MaxMemory, 2e9),
        (Field::UsedMemory, 1e9),
        (Field::UsedMemoryRss, 1.1e9),
        (Field::FragmentationRatio, 1.1),
        (Field::FragmentationBytes, 1e8),
        (Field::UsedMemoryPeakPercent, 99.0),
        (Field::Keys, 100_000.0),
        (Field::Expires, 100_000.0),
        (Field::Commands, 1e6),
        (Field::Databases, 1.0),
        (Field::KeysLookedAt, 80.0),
    ] {
        server.set(field, value);
    }
    server
}

/// A node that is well, at this time, with this Redis.
pub(crate) fn look(at: Duration, server: Server) -> Look {
    Look {
        at,
        wall_ms: 1_767_225_600_000 + u64::try_from(at.as_millis()).unwrap(),
        redis: Some(Redis {
            servers: vec![server],
            is_usable: true,
            ..Redis::default()
        }),
        entities: vec![entity("product", 0.6), entity("postcode", 0.8)],
        data: Data {
            has_log: true,
            poll_age: Some(Duration::from_millis(40)),
            bound: Duration::from_secs(1),
            ..Data::default()
        },
        observed: Observed {
            source: SourceState::Up,
            source_was_ever_up: true,
            redis: RedisState::Up,
            data: DataState::Whole,
            ..Observed::default()
        },
        ..Look::default()
    }
}

pub(crate) fn entity(name: &str, hit_ratio: f64) -> Entity {
    Entity {
        name: name.into(),
        objective: Objective {
            hit_ratio,
            p99: Duration::from_millis(10),
            counts: true,
        },
        room_bytes: 64 << 20,
        most_queued: 1_000,
        ..Entity::default()
    }
}

/// A monitor, and the time of its next look.
pub(crate) struct Stage {
    pub(crate) monitor: Monitor,
    pub(crate) now: Duration,
    pub(crate) last: Arc<Report>,
}

impl Stage {
    /// One that has seen `server` this many times.
    pub(crate) fn seen(server: &Server, times: u32) -> Self {
        let mut monitor = Monitor::default();
        let last = monitor.take(look(Duration::ZERO, server.clone()));
        let mut stage = Self {
            monitor,
            now: STEP,
            last,
        };
        for _ in 1..times {
            stage.see(server.clone());
        }
        stage
    }

    /// One that has seen a busy server for a minute.
    pub(crate) fn busy() -> (Self, Server) {
        (Self::seen(&busy(), 7), busy())
    }

    pub(crate) fn see(&mut self, server: Server) -> &Report {
        self.look(server, |_| {})
    }

    /// The next look, with something changed.
    pub(crate) fn look(&mut self, server: Server, change: impl FnOnce(&mut Look)) -> &Report {
        let mut look = look(self.now, server);
        change(&mut look);
        self.now += STEP;
        self.last = self.monitor.take(look);
        &self.last
    }

    /// The next look of a server that counts on from where it was.
    pub(crate) fn see_again(&mut self, server: &Server, times: u32) -> &Report {
        for _ in 0..times {
            self.see(server.clone());
        }
        &self.last
    }
}

/// What a check says.
pub(crate) fn said<'a>(report: &'a Report, id: &str) -> &'a Said {
    report.checks.iter().find(|said| said.id == id).expect(id)
}

/// The checks that are bad, with how bad.
pub(crate) fn bad(report: &Report) -> Vec<(&str, Status)> {
    let bad = report.checks.iter().filter(|said| said.status.is_bad());
    bad.map(|said| (said.id.as_str(), said.status)).collect()
}

/// The score, which must be known.
pub(crate) fn score(report: &Report) -> f64 {
    report.cache.score.expect("a score")
}
