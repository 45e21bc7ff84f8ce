//! What is told: three answers that are never mixed, with what they rest on.

use crate::alerts::Alert;
use crate::check::{Group, Status};
use crate::look::{Entity, Fact};
use crate::readiness::{self, Observed, RedisState};
use crate::score::Score;

/// How the service, the cache and the data are.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was looked, in milliseconds since 1970.
    pub looked_at_ms: u64,
    /// Whether the service can answer; Redis has no part in that.
    pub service: readiness::Status,
    /// How the cache is.
    pub cache: Score,
    /// How true the data is.
    pub data: Status,
    /// How long ago the last successful poll of the change log was sent, in milliseconds.
    pub poll_age_ms: Option<u64>,
    /// What that may be at most; nothing without a log.
    pub bound_ms: Option<u64>,
    /// Whether Redis is there.
    pub redis: RedisState,
    /// Since when it is as it is, in milliseconds since 1970; nothing while that is not known.
    pub redis_since_ms: Option<u64>,
    /// What each check says.
    pub checks: Vec<Said>,
    /// Checks that stayed bad.
    pub alerts: Vec<Alert>,
    /// What to do next, the most urgent first.
    pub recommendations: Vec<String>,
    /// The caches as they were seen last, and at the beginning of the window.
    pub entities: Vec<Counted>,
    /// What operators want to know about the things that are cached.
    pub facts: Vec<Fact>,
}

/// What one check says.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The check; that of an entity has its name behind a dot.
    pub id: String,
    /// What it is about.
    pub group: Group,
    /// How much it counts in its group.
    pub weight: u32,
    /// What it says.
    pub status: Status,
    /// What was measured.
    pub value: Option<f64>,
    /// What that is counted in.
    pub unit: &'static str,
    /// The limit that it has passed, or would pass next.
    pub threshold: Option<f64>,
    /// How far apart the looks were that it compared.
    pub window_s: Option<u64>,
    /// What was read for it.
    pub evidence: Vec<String>,
    /// What to do.
    pub recommendation: Option<String>,
    /// From 0 to 100.
    pub points: f64,
}

impl Said {
    /// Where it is explained.
    pub fn docs(&self) -> String {
        let check = self.id.split('.').next().unwrap_or_default();
        format!("docs/health.md#{check}")
    }
}

/// A cache and what it did within the window.
#[derive(Clone, Debug)]
pub struct Counted {
    /// As it is now.
    pub now: Entity,
    /// As it was at the beginning of the window; nothing before there is one.
    pub before: Option<Entity>,
}

impl Report {
    /// Whether somebody should look at it: the service, the data, or the cache is not as it should be.
    pub fn is_degraded(&self) -> bool {
        use crate::score::Grade;
        self.service != readiness::Status::Ready
            || self.data.is_bad()
            || !self.alerts.is_empty()
            || self.cache.grade.is_some_and(|grade| grade <= Grade::D)
    }
}

/// Whether the service can answer, whatever Redis does, unless its operator insists on that.
pub fn service(observed: &Observed) -> readiness::Status {
    if observed.required.iter().any(|it| !it.is_well(observed)) {
        return readiness::Readiness::of(observed).status;
    }
    let without_redis = Observed {
        redis: RedisState::Off,
        data: readiness::DataState::Whole,
        ..observed.clone()
    };
    readiness::Readiness::of(&without_redis).status
}
