//! `GET /v1/health`: can the service answer, how is the cache, how true is the data; with what they
//! rest on and what to do. Whatever the answer is, its status is 200: probes have `/readyz`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use tingkat::feed::FeedState;
use tingkat_health::check::Status as CheckStatus;
use tingkat_health::report::{Counted, service};
use tingkat_health::{Alert, Grade, Look, Monitor, Report, Said, Withheld};

use crate::app::{App, timestamp};
use crate::problem::Problem;
use crate::query;
use crate::reply;

#[derive(Serialize)]
struct Health<'a> {
    /// Nothing before the first look.
    looked_at: Option<Timestamp>,
    service: Service,
    cache: Cache,
    data: Data,
    redis: Redis,
    checks: Vec<Check<'a>>,
    alerts: Vec<Told<'a>>,
    recommendations: &'a [String],
    entities: Vec<Summary<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waived: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    privacy: Vec<Withheld>,
}

/// A report older than this is of another time: whoever looks hangs. Looks are a minute apart at most.
const OLD: Duration = Duration::from_mins(3);

#[derive(Serialize)]
struct Service {
    status: &'static str,
}

/// The grade is null while too little is known.
#[derive(Serialize)]
struct Cache {
    score: Option<f64>,
    grade: Option<Grade>,
    coverage: f64,
}

#[derive(Serialize)]
struct Data {
    status: &'static str,
    poll_age_ms: Option<u64>,
    bound_ms: Option<u64>,
}

#[derive(Serialize)]
struct Redis {
    status: &'static str,
    since: Option<Timestamp>,
}

#[derive(Serialize)]
struct Check<'a> {
    id: &'a str,
    status: &'static str,
    value: Option<f64>,
    unit: Option<&'static str>,
    threshold: Option<f64>,
    window_s: Option<u64>,
    evidence: &'a [String],
    recommendation: Option<&'a str>,
    docs: String,
}

#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    status: &'static str,
    since: Timestamp,
    value: Option<f64>,
    count: u64,
}

/// A cache within the last minutes.
#[derive(Serialize)]
struct Summary<'a> {
    entity: &'a str,
    hit_ratio: Option<f64>,
    memory_hit_ratio: Option<f64>,
    redis_hit_ratio: Option<f64>,
    absent_share: Option<f64>,
    p99_ms: Option<f64>,
    objective: Objective,
    entries: u64,
    bytes: u64,
    mean_age_ms: Option<u64>,
    facts: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct Objective {
    hit_ratio: f64,
    p99_ms: u64,
}

/// How all of it is.
pub(crate) async fn tell(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    let last = app.health.borrow().clone();
    let judged = of_late(last.clone(), &app).unwrap_or_else(|| without_a_look(&app));
    reply::of_now(StatusCode::OK, &Health::of(&judged, last.as_deref(), &app))
}

/// The last report, unless it is of another time.
pub(crate) fn lately(app: &App) -> Option<Arc<Report>> {
    of_late(app.health.borrow().clone(), app)
}

fn of_late(report: Option<Arc<Report>>, app: &App) -> Option<Arc<Report>> {
    let age = |report: &Report| app.clock.wall_ms().saturating_sub(report.looked_at_ms);
    report.filter(|report| u128::from(age(report)) <= OLD.as_millis())
}

/// What can be told without one.
fn without_a_look(app: &App) -> Arc<Report> {
    let report = Monitor::default().take(Look {
        wall_ms: app.clock.wall_ms(),
        observed: app.readiness.borrow().clone(),
        ..Look::default()
    });
    let mut report = Arc::unwrap_or_clone(report);
    for said in &mut report.checks {
        // What there is to judge nobody knows without a look.
        if said.status == CheckStatus::Skipped {
            said.status = CheckStatus::Unknown;
        }
    }
    Arc::new(report)
}

impl<'a> Health<'a> {
    /// What can be told at any time is told as it is now, the rest as it was judged lately.
    fn of(report: &'a Report, last: Option<&Report>, app: &App) -> Self {
        let observed = app.readiness.borrow();
        let feed = app.node.feed();
        let redis = observed.redis.name();
        let as_judged = last.filter(|last| redis == last.redis.name());
        Self {
            looked_at: last.map(|last| timestamp(last.looked_at_ms)),
            service: Service {
                status: service(&observed).name(),
            },
            cache: Cache {
                score: report.cache.score.map(rounded),
                grade: report.cache.grade,
                coverage: rounded(report.cache.coverage),
            },
            data: Data {
                status: data(report, last, feed.as_ref()).name(),
                poll_age_ms: feed.and_then(|feed| feed.poll_age).map(millis),
                bound_ms: feed.map(|feed| millis(feed.bound)),
            },
            redis: Redis {
                status: redis,
                since: as_judged
                    .and_then(|last| last.redis_since_ms)
                    .map(timestamp),
            },
            checks: report.checks.iter().map(Check::of).collect(),
            alerts: report.alerts.iter().map(Told::of).collect(),
            recommendations: &report.recommendations,
            entities: report
                .entities
                .iter()
                .map(|counted| Summary::of(counted, report))
                .collect(),
            waived: observed.waived.clone(),
            privacy: observed.privacy.clone(),
        }
    }
}

/// How true the data is: as it was judged, if that was lately; else by what can be told at any time. What
/// was critical when somebody looked last is not forgotten.
fn data(report: &Report, last: Option<&Report>, feed: Option<&FeedState>) -> CheckStatus {
    let Some(last) = last else {
        return report.data;
    };
    if report.looked_at_ms == last.looked_at_ms {
        return report.data;
    }
    let is_late = |feed: &FeedState| feed.poll_age.is_some_and(|age| age >= feed.bound);
    if last.data == CheckStatus::Critical || feed.is_some_and(is_late) {
        CheckStatus::Critical
    } else {
        CheckStatus::Unknown
    }
}

impl<'a> Check<'a> {
    fn of(said: &'a Said) -> Self {
        Self {
            id: &said.id,
            status: said.status.name(),
            value: said.value.map(rounded),
            unit: Some(said.unit).filter(|unit| !unit.is_empty()),
            threshold: said.threshold,
            window_s: said.window_s,
            evidence: &said.evidence,
            recommendation: said.recommendation.as_deref(),
            docs: said.docs(),
        }
    }
}

impl<'a> Told<'a> {
    fn of(alert: &'a Alert) -> Self {
        Self {
            id: &alert.id,
            status: alert.status.name(),
            since: timestamp(alert.since_ms),
            value: alert.value.map(rounded),
            count: alert.count,
        }
    }
}

impl<'a> Summary<'a> {
    fn of(counted: &'a Counted, report: &'a Report) -> Self {
        let now = &counted.now;
        let [memory, redis, both] = counted.hit_ratios();
        let p99 = report
            .checks
            .iter()
            .find(|said| said.id.strip_prefix("latency.") == Some(now.name.as_str()));
        let facts = report.facts.iter().filter(|fact| fact.entity == now.name);
        Self {
            entity: &now.name,
            hit_ratio: both.map(rounded),
            memory_hit_ratio: memory.map(rounded),
            redis_hit_ratio: redis.map(rounded),
            absent_share: counted.absent_share().map(rounded),
            p99_ms: p99.and_then(|said| said.value).map(rounded),
            objective: Objective {
                hit_ratio: now.objective.hit_ratio,
                p99_ms: millis(now.objective.p99),
            },
            entries: now.entries,
            bytes: now.bytes,
            mean_age_ms: now.mean_age.map(millis),
            facts: facts.map(|fact| (fact.name.as_str(), fact.value)).collect(),
        }
    }
}

/// Four digits behind the point are more than anybody reads.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
