//! `GET /livez` and `GET /readyz`: whether to restart the node, and whether to send it requests.
//!
//! Liveness asks nobody: a database that is down is no reason to restart every node. Queries are
//! ignored, because a probe that answers 400 takes a node out for a spelling mistake.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tingkat_health::{Readiness, Status};

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
    reasons: Vec<String>,
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
            reasons,
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
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((status, headers, json(body)?).into_response())
}
