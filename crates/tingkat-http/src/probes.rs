//! `GET /livez` and `GET /readyz`: whether to restart the node, and whether to send it requests.
//!
//! Liveness asks nobody: a database that is down is no reason to restart every node. Of queries
//! `verbose` tells more, and any other is ignored, because a probe that answers 400 takes a node out
//! for a spelling mistake.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use tingkat::feed::FeedState;
use tingkat_health::{Neighbour, Observed, Readiness, Status, WarmState, Withheld};

use crate::app::App;
use crate::problem::Problem;
use crate::reply;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
    #[serde(flatten)]
    detail: Option<Detail>,
}

/// What a person wants to know who looks at a probe.
#[derive(Serialize)]
struct Detail {
    node: String,
    version: &'static str,
    uptime_ms: u64,
    /// Nothing where nobody keeps it beating.
    heartbeat_age_ms: Option<u64>,
    requests_in_flight: u64,
}

impl Detail {
    /// Nothing, unless the query asks for it.
    fn wanted(app: &App, query: Option<&str>) -> Option<Self> {
        let query = query.unwrap_or_default().as_bytes();
        let mut names = form_urlencoded::parse(query);
        names.any(|(name, _)| name == "verbose").then(|| Self {
            node: app.node.id().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            uptime_ms: app.clock.wall_ms().saturating_sub(app.metrics.started_ms()),
            heartbeat_age_ms: app.heartbeat.age(&*app.clock).map(millis),
            requests_in_flight: app.metrics.requests().under_way(),
        })
    }
}

/// A neighbour, and whether anything is missing of it.
#[derive(Serialize)]
struct Check {
    id: &'static str,
    ok: bool,
    required: bool,
}

impl Check {
    fn all(observed: &Observed) -> Vec<Self> {
        let check = |neighbour: Neighbour| Self {
            id: neighbour.name(),
            ok: neighbour.is_well(observed),
            required: observed.required.contains(&neighbour),
        };
        Neighbour::ALL.map(check).into()
    }
}

#[derive(Serialize)]
struct Ready {
    status: Status,
    source: &'static str,
    redis: &'static str,
    data: &'static str,
    feed: Option<Feed>,
    reasons: Vec<String>,
    /// How warming at the start went; nothing where it was not wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    warm: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waived: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    privacy: Vec<Withheld>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<Check>>,
    #[serde(flatten)]
    detail: Option<Detail>,
}

/// How far the node follows the change log.
#[derive(Serialize)]
struct Feed {
    incarnation: Option<String>,
    poll_age_ms: Option<u64>,
    bound_ms: u64,
    anchored: bool,
}

impl Feed {
    fn of(state: &FeedState) -> Self {
        Self {
            incarnation: state.incarnation.map(|it| it.to_string()),
            poll_age_ms: state.poll_age.map(millis),
            bound_ms: millis(state.bound),
            anchored: state.poll_age.is_some_and(|age| age <= state.bound),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// That the node answers is nearly the answer: timers and tasks must run as well.
pub(crate) async fn alive(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (code, status) = if app.heartbeat.is_alive(&*app.clock) {
        (StatusCode::OK, "alive")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stuck")
    };
    let detail = Detail::wanted(&app, query.as_deref());
    reply::of_now(code, &Alive { status, detail })
}

/// Whether the node should be sent requests, and what is missing.
pub(crate) async fn ready(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let detail = Detail::wanted(&app, query.as_deref());
    let body = {
        let observed = app.readiness.borrow();
        let Readiness { status, reasons } = Readiness::of(&observed);
        Ready {
            status,
            source: observed.source.name(),
            redis: observed.redis.name(),
            data: observed.data.name(),
            feed: app.node.feed().as_ref().map(Feed::of),
            reasons,
            warm: (observed.warm != WarmState::Off).then(|| observed.warm.name()),
            waived: observed.waived.clone(),
            privacy: observed.privacy.clone(),
            checks: detail.is_some().then(|| Check::all(&observed)),
            detail,
        }
    };
    let status = if body.status.takes_requests() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    reply::of_now(status, &body)
}
