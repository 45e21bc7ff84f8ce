//! `GET /v1/changes`: what changed, as server-sent events, for page caches that must purge.
//!
//! A cursor is what a node had seen of the log, not a place in this node's memory, so a client goes
//! on at any node of the same incarnation. Where a node can not tell what a cursor has missed, it
//! says `reset`: purge everything.

mod cursor;
mod ring;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tingkat::event::Event;
use tokio::sync::{Semaphore, watch};

use crate::app::App;
use crate::problem::{Code, Problem, shortened};
use crate::query::Query;
use cursor::Cursor;
use ring::{Place, Ring};
use stream::Follower;

pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// When a client that found no place may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The recent changes that a node learnt of, and who follows them.
#[derive(Debug)]
pub struct Changes {
    ring: Mutex<Ring>,
    /// Moves with every change.
    news: watch::Sender<u64>,
    places: Arc<Semaphore>,
    /// Clients that may follow at a time.
    most: usize,
}

impl Changes {
    /// Nothing yet; `streams` clients may follow at a time.
    pub fn new(streams: usize) -> Self {
        Self {
            ring: Mutex::default(),
            news: watch::channel(0).0,
            places: Arc::new(Semaphore::new(streams)),
            most: streams,
        }
    }

    /// Takes in an event of the node; only polls matter.
    pub fn hear(&self, event: Event<'_>) {
        if let Event::Polled {
            incarnation,
            since,
            position,
            changes,
        } = event
            && self.ring().learn(incarnation, since, position, changes)
        {
            self.news
                .send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// How many clients follow now, and how many may.
    pub(crate) fn streams(&self) -> (u64, u64) {
        let open = self.most - self.places.available_permits().min(self.most);
        (open as u64, self.most as u64)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // It is extended in steps that can not panic half-way.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changes from a cursor on, and then as they come.
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let from = cursor(query.as_deref(), &headers)?;
    if app.node.feed().is_none() {
        let detail = "this node follows no change log";
        return Err(Problem::new(Code::ChangesUnsupported, detail));
    }
    let Ok(place) = Arc::clone(&app.changes.places).try_acquire_owned() else {
        let detail = "as many clients follow the changes as this node serves at a time";
        return Err(Problem::new(Code::StreamsExhausted, detail).retry_after(RETRY_AFTER));
    };
    let follower = Follower::new(&app, Place::at(from), place);
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that collects answers would hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((headers, Body::from_stream(follower.frames())).into_response())
}

/// Where the client stopped. What its browser remembers is newer than the address that it began with.
fn cursor(query: Option<&str>, headers: &HeaderMap) -> Result<Option<Cursor>, Problem> {
    let query = Query::parse(query, &["from"])?;
    let header = headers
        .get(LAST_EVENT_ID)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .filter(|text| !text.is_empty());
    let text = header.or_else(|| query.get("from").map(str::to_owned));
    let Some(text) = text else { return Ok(None) };
    let cursor = text.parse().map_err(|_| {
        let found = shortened(&text);
        let expected = "expected the `id` of an event of this route, or none to begin anew";
        Problem::new(
            Code::CursorMalformed,
            format!("found {found:?}; {expected}"),
        )
    })?;
    Ok(Some(cursor))
}
