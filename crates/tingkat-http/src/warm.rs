//! `POST /v1/warm`: loads what customers are about to ask for; `GET /v1/warm`: how far that is, what
//! the last run did, and when the next one begins; `DELETE /v1/warm`: ends it after what is under way.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tingkat::warm::{Reason, Report, Running, Standing, Wish};

use crate::app::{App, timestamp};
use crate::caches;
use crate::json_body;
use crate::problem::{Code, Problem};
use crate::query;
use crate::reply;
use crate::tokens::Scope;

/// Keys in one request.
const MOST_KEYS: usize = 10_000;

/// Room for that many.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// The largest `top`.
const MOST_TOP: usize = 1_000_000;

/// The largest `concurrency`.
const MOST_AT_A_TIME: usize = 1_000;

/// The longest `timeout_ms`: a day.
const LONGEST_MS: u64 = 86_400_000;

/// Keys of each entity that `validate` compares.
const CHECKED: usize = 100;

const MEMBERS: &str = "the body is such as {}, {\"entities\":[\"product\"],\"top\":500} or \
                       {\"keys\":{\"product\":[\"7\"]},\"validate\":true}";

/// What is to be warmed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, deserialize_with = "json_body::given")]
    entities: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json_body::given")]
    top: Option<usize>,
    #[serde(default, deserialize_with = "json_body::given")]
    keys: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default, deserialize_with = "json_body::given")]
    concurrency: Option<usize>,
    #[serde(default, deserialize_with = "json_body::given")]
    rate: Option<u64>,
    #[serde(default, deserialize_with = "json_body::given")]
    bytes: Option<u64>,
    #[serde(default, deserialize_with = "json_body::given")]
    timeout_ms: Option<u64>,
    #[serde(default, deserialize_with = "json_body::given")]
    validate: Option<bool>,
    #[serde(default, deserialize_with = "json_body::given")]
    dry_run: Option<bool>,
}

/// The answer to a start or a stop.
#[derive(Serialize)]
struct Begun {
    run: u64,
}

/// The answer to the question how it stands.
#[derive(Serialize)]
struct Shown {
    running: Option<ShownRun>,
    last: Option<ShownRun>,
    next_runs: Vec<Timestamp>,
}

#[derive(Serialize)]
struct ShownRun {
    run: u64,
    reason: &'static str,
    started_at: Timestamp,
    report: Report,
}

/// How it stands.
pub(crate) async fn standing(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    query::none(query.as_deref())?;
    reply::of_now(StatusCode::OK, &Shown::of(app.warming.standing()))
}

/// Begins a run.
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // First of all, so that nobody learns anything without one.
    app.tokens.check(&headers, Scope::Operate)?;
    query::none(query.as_deref())?;
    let invalid = Code::WarmInvalid;
    let document: Document = json_body::read(&headers, body, MOST_BYTES, invalid, MEMBERS).await?;
    let wish = wish(&app, document)?;
    let (run, _) = app
        .warming
        .start(Reason::Request, wish)
        .map_err(|busy| Problem::new(Code::WarmRunning, busy.to_string()).with("run", busy.run))?;
    tracing::info!(run, "warming on request");
    reply::of_now(StatusCode::ACCEPTED, &Begun { run })
}

/// Ends the run that goes on.
pub(crate) async fn stop(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.tokens.check(&headers, Scope::Operate)?;
    query::none(query.as_deref())?;
    match app.warming.stop() {
        Some(run) => {
            tracing::info!(run, "warming is stopped on request");
            reply::of_now(StatusCode::ACCEPTED, &Begun { run })
        }
        None => Ok((
            StatusCode::NO_CONTENT,
            [(header::CACHE_CONTROL, reply::NO_STORE)],
        )
            .into_response()),
    }
}

/// What a request wants, over what is usual.
fn wish(app: &App, document: Document) -> Result<Wish, Problem> {
    let mut wish = app.usual_warming.clone();
    if document.keys.is_some() && (document.entities.is_some() || document.top.is_some()) {
        let detail = "`keys` are given alone, or `entities` with `top`";
        return Err(Problem::new(Code::WarmInvalid, detail));
    }
    let keys = document.keys.as_ref();
    let named = document.entities.iter().flatten();
    for entity in named.chain(keys.into_iter().flatten().map(|(entity, _)| entity)) {
        caches::find(app, entity)?;
    }
    if let Some(keys) = keys {
        let count = keys.values().map(Vec::len).sum();
        within("keys", count, &(1..=MOST_KEYS))?;
    }
    if let Some(top) = document.top {
        wish.top = within("top", top, &(1..=MOST_TOP))?;
    }
    if let Some(concurrency) = document.concurrency {
        wish.limits.concurrency = within("concurrency", concurrency, &(1..=MOST_AT_A_TIME))?;
    }
    if let Some(rate) = document.rate {
        wish.limits.per_second = rate;
    }
    if let Some(bytes) = document.bytes {
        wish.limits.bytes = bytes;
    }
    if let Some(timeout) = document.timeout_ms {
        let timeout = within("timeout_ms", timeout, &(1..=LONGEST_MS))?;
        wish.limits.timeout = Duration::from_millis(timeout);
    }
    if let Some(validates) = document.validate {
        wish.check = if validates { CHECKED } else { 0 };
    }
    wish.entities = document.entities.unwrap_or_default();
    wish.keys = document.keys;
    wish.dry_run = document.dry_run.unwrap_or(false);
    Ok(wish)
}

fn within<T: PartialOrd + fmt::Display>(
    name: &str,
    found: T,
    range: &RangeInclusive<T>,
) -> Result<T, Problem> {
    if range.contains(&found) {
        return Ok(found);
    }
    let (least, most) = (range.start(), range.end());
    let detail = format!("found {found}; `{name}` is from {least} to {most}");
    Err(Problem::new(Code::WarmInvalid, detail))
}

impl Shown {
    fn of(standing: Standing) -> Self {
        Self {
            running: standing.running.map(ShownRun::of),
            last: standing.last.map(ShownRun::of),
            next_runs: standing.next_runs_ms.into_iter().map(timestamp).collect(),
        }
    }
}

impl ShownRun {
    fn of(running: Running) -> Self {
        Self {
            run: running.run,
            reason: running.reason.name(),
            started_at: timestamp(running.started_ms),
            report: running.report,
        }
    }
}
