//! `GET /livez` and `GET /readyz`: whether to restart the node, and whether to send it requests.
//!
//! Liveness asks nobody: a database that is down is no reason to restart every node. Queries are
//! ignored, because a probe that answers 400 takes a node out for a spelling mistake.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tingkat::feed::FeedState;
use tingkat_health::{Readiness, Status, Withheld};

use crate::app::App;
use crate::problem::Problem;
use crate::reply::json;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: Status,
    source: &'static str,
    redis: &'static str,
    data: &'static str,
    feed: Option<Feed>,
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waived: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    privacy: Vec<Withheld>,
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
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            incarnation: state.incarnation.map(|it| it.to_string()),
            poll_age_ms: state.poll_age.map(millis),
            bound_ms: millis(state.bound),
            anchored: state.poll_age.is_some_and(|age| age <= state.bound),
        }
    }
}

/// That the node answers is the answer.
pub(crate) async fn alive() -> Result<Response, Problem> {
    probe(StatusCode::OK, &Alive { status: "alive" })
}

/// Whether the node should be sent requests, and what is missing.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Response, Problem> {
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
            waived: observed.waived.clone(),
            privacy: observed.privacy.clone(),
        }
    };
    let status = if body.status.takes_requests() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    probe(status, &body)
}

fn probe(status: StatusCode, body: &impl Serialize) -> Result<Response, Problem> {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, crate::reply::NO_STORE),
    ];
    Ok((status, headers, json(body)?).into_response())
}
