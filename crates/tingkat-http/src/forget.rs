//! `POST /v1/forget`: keys, a pattern, tags, or all; on every node.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tingkat::certificate::ChangeKind;
use tingkat::error::{ChangeError, ChangeErrorKind};
use tingkat::registry::ForgetError;

use crate::app::App;
use crate::caches;
use crate::json_body;
use crate::problem::{Code, Problem, SOON};
use crate::query;
use crate::reply;
use crate::tokens::Scope;

/// Keys or tags in one request.
const MOST: usize = 1_000;

/// Room for that many of the longest keys.
pub(crate) const MOST_BYTES: usize = 256 << 10;

const MEMBERS: &str = "the body is such as {\"entity\":\"product\",\"keys\":[\"7\"]}, \
                       {\"entity\":\"postcode\",\"pattern\":\"50*\"}, {\"tags\":[\"state:SGR\"]}, \
                       {\"entity\":\"product\",\"all\":true} or {\"all\":true}";

/// What is to be forgotten.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
}

/// The answer: what is forgotten by now.
#[derive(Serialize)]
struct Forgotten {
    forgotten: Document,
}

/// Forgets what the body names.
pub(crate) async fn forget(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // First of all, so that nobody learns anything without one.
    app.tokens.check(&headers, Scope::Operate)?;
    query::none(query.as_deref())?;
    let invalid = Code::ForgetInvalid;
    let document: Document = json_body::read(&headers, body, MOST_BYTES, invalid, MEMBERS).await?;
    carry_out(&app, &document).await?;
    tracing::info!(what = %summary(&document), "forgotten on request");
    let body = Forgotten {
        forgotten: document,
    };
    reply::of_now(StatusCode::OK, &body)
}

async fn carry_out(app: &App, document: &Document) -> Result<(), Problem> {
    let Document {
        entity,
        keys,
        pattern,
        tags,
        all,
    } = document;
    let cache = entity
        .as_deref()
        .map(|name| caches::find(app, name))
        .transpose()?;
    match (cache, keys, pattern, tags, all) {
        (Some(cache), Some(keys), None, None, None) => {
            bounded("keys", keys)?;
            cache
                .forget(keys.clone())
                .await
                .map_err(|error| match error {
                    ForgetError::Key(error) => Problem::new(Code::KeyMalformed, error.to_string()),
                    ForgetError::Change(error) => problem(&error),
                })
        }
        (Some(cache), None, Some(pattern), None, None) => {
            let forgotten = cache.forget_pattern(pattern).await;
            forgotten.map_err(|error| problem(&error))
        }
        (None, None, None, Some(tags), None) => {
            bounded("tags", tags)?;
            let forgotten = app.node.forget_tags(tags, ChangeKind::Forget).await;
            forgotten.map_err(|error| problem(&error))
        }
        (Some(cache), None, None, None, Some(true)) => {
            cache.clear().await.map_err(|error| problem(&error))
        }
        (None, None, None, None, Some(true)) => app
            .node
            .forget_everything()
            .await
            .map_err(|error| problem(&error)),
        _ => {
            let detail = format!("the body does not say one thing to forget; {MEMBERS}");
            Err(Problem::new(Code::ForgetInvalid, detail))
        }
    }
}

fn bounded(name: &str, texts: &[String]) -> Result<(), Problem> {
    let found = texts.len();
    let is_named = texts.iter().all(|text| !text.is_empty());
    if is_named && (1..=MOST).contains(&found) {
        return Ok(());
    }
    let detail = format!("found {found}; `{name}` has 1 to {MOST} texts, none of them empty");
    Err(Problem::new(Code::ForgetInvalid, detail).with("most", MOST))
}

/// For the log: keys may be of persons, so that they are counted.
fn summary(document: &Document) -> String {
    let entity = document.entity.as_deref().unwrap_or("everything");
    match document {
        Document {
            keys: Some(keys), ..
        } => format!("{} keys of {entity}", keys.len()),
        Document {
            pattern: Some(_), ..
        } => format!("a pattern of {entity}"),
        Document {
            tags: Some(tags), ..
        } => format!("{} tags", tags.len()),
        Document { .. } => entity.to_owned(),
    }
}

fn problem(error: &ChangeError) -> Problem {
    let said = error.to_string();
    match error.kind() {
        ChangeErrorKind::Pattern => Problem::new(Code::ForgetInvalid, said),
        ChangeErrorKind::NeedsLog => Problem::new(Code::ChangesUnsupported, said),
        ChangeErrorKind::ShutDown => Problem::new(Code::ShuttingDown, said),
        ChangeErrorKind::Log | ChangeErrorKind::Unproven | ChangeErrorKind::Remote => {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "failed to forget");
            Problem::new(Code::ForgetUnavailable, said).retry_after(SOON)
        }
    }
}
