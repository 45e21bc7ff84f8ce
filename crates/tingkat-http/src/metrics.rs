//! `GET /metrics`: what this process counts, for Prometheus and whoever reads its formats.
//!
//! It is read from the counters that the node, its caches and the server keep anyway, at the moment
//! it is asked for. Labels come from closed sets: entities, tiers, routes as they are written in the
//! table of contents; never a key, an address or a header.

mod caches;
mod health;
mod neighbours;
mod page;
mod process;
mod requests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;
use tingkat::breaker;
use tingkat::event::Event;
use tingkat::ports::Clock;

use crate::app::App;
use crate::problem::Problem;
use crate::reply::NO_STORE;
use crate::serve::Connections;
use page::{Family, Page};

pub(crate) use requests::{Metered, Refusal, Requests};

/// The two formats, as they are named in `Content-Type`.
const TEXT: HeaderValue = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What is counted for `/metrics` alone. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    requests: Arc<Requests>,
    /// The open connections of each listener.
    listeners: Mutex<Vec<(&'static str, Connections)>>,
    heard: Heard,
    /// When this began, in milliseconds since 1970.
    started_ms: u64,
}

/// Events of the node that nobody else counts.
#[derive(Default)]
struct Heard {
    polls: AtomicU64,
    changes: AtomicU64,
    cold_resets: AtomicU64,
    /// How often the breaker for everything opened, and the one for writes.
    opened: [AtomicU64; 2],
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            started_ms: clock.wall_ms(),
            requests: Arc::new(Requests::new(clock, crate::router::templates())),
            listeners: Mutex::default(),
            heard: Heard::default(),
        }))
    }

    /// Takes in an event of the node.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the caches count the other events themselves"
    )]
    pub fn hear(&self, event: Event<'_>) {
        let heard = &self.0.heard;
        match event {
            Event::Polled { changes, .. } => {
                add(&heard.polls, 1);
                add(&heard.changes, changes.len() as u64);
            }
            Event::ColdReset { .. } => add(&heard.cold_resets, 1),
            Event::Breaker {
                state: breaker::State::Open,
                writes,
                ..
            } => {
                let [all, for_writes] = &heard.opened;
                add(if writes { for_writes } else { all }, 1);
            }
            _ => {}
        }
    }

    /// The connections of a listener, by a name of this program's own.
    pub fn connections(&self, listener: &'static str) -> Connections {
        let connections = Connections::default();
        let mut listeners = self.listeners();
        listeners.push((listener, connections.clone()));
        connections
    }

    pub(crate) fn requests(&self) -> Arc<Requests> {
        Arc::clone(&self.0.requests)
    }

    /// When this process began to count, in milliseconds since 1970.
    pub(crate) fn started_ms(&self) -> u64 {
        self.0.started_ms
    }

    fn listeners(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, Connections)>> {
        let listeners = self.0.listeners.lock();
        listeners.unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Everything at this moment.
pub(crate) async fn scrape(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let is_open = wants_open_metrics(&headers);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Everything(app)));
    let mut body = String::new();
    let (written, format) = if is_open {
        (text::encode(&mut body, &registry), OPEN_METRICS)
    } else {
        (prometheus_text::encode(&mut body, &registry), TEXT)
    };
    if written.is_err() {
        tracing::error!("failed to write the metrics");
        return Err(Problem::internal());
    }
    let headers = [
        (header::CONTENT_TYPE, format),
        (header::CACHE_CONTROL, NO_STORE),
        // What a scraper accepts decides what it gets.
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    Ok((headers, body).into_response())
}

#[derive(Debug)]
struct Everything(Arc<App>);

impl Collector for Everything {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (app, mut page) = (&*self.0, Page::new(encoder));
        server(app, &mut page)?;
        caches::collect(app, &mut page)?;
        neighbours::collect(app, &mut page)?;
        health::collect(app, &mut page)?;
        process::collect(app, &mut page)
    }
}

const CONNECTIONS: Family =
    Family::gauge("tingkat_http_connections", "Open connections, by listener");
const CLOSED: Family = Family::counter(
    "tingkat_http_connections_refused",
    "Connections that were closed at once, as their address had too many, by listener",
);
const STREAMS: Family = Family::gauge("tingkat_http_streams", "Clients that follow the changes");
const STREAMS_MOST: Family = Family::gauge(
    "tingkat_http_streams_limit",
    "Clients that may follow the changes at a time",
);

fn server(app: &App, page: &mut Page<'_>) -> fmt::Result {
    app.metrics.0.requests.collect(page)?;
    let open = app.metrics.listeners().clone();
    let rows = |count: fn(&Connections) -> u64| {
        open.iter().map(move |(name, connections)| {
            let labels = [("listener", *name)];
            (labels, count(connections).into())
        })
    };
    page.rows(&CONNECTIONS, rows(Connections::open))?;
    page.rows(&CLOSED, rows(Connections::refused))?;
    let (streams, most) = app.changes.streams();
    page.one(&STREAMS, streams)?;
    page.one(&STREAMS_MOST, most)
}

/// Whether a scraper likes `OpenMetrics` at least as much as the older text.
fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    let (mut open, mut plain) = (0, 0);
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .map(thousandths);
        let quality = quality.unwrap_or(1000);
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            open = quality.max(open);
        } else if media_type.eq_ignore_ascii_case("text/plain") {
            plain = quality.max(plain);
        }
    }
    open > 0 && open >= plain
}

/// A weight as in `q=0.5`; what is none counts as nothing.
fn thousandths(weight: &str) -> u32 {
    let weight: f32 = weight.trim().parse().unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number from 0 to 1000"
    )]
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_the_scraper_likes_best() {
        let wants = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            wants_open_metrics(&headers)
        };
        assert!(!wants_open_metrics(&HeaderMap::new()));
        for (accept, is_open) in [
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            (
                "Application/OpenMetrics-Text; version=1.0.0, text/plain",
                true,
            ),
            (
                "application/openmetrics-text;q=0.2, text/plain;q=0.5",
                false,
            ),
            ("application/openmetrics-text;q=0, text/plain;q=0", false),
            ("application/openmetrics-text;q=x", false),
            // What a Prometheus of today sends.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
                true,
            ),
        ] {
            assert_eq!(wants(accept), is_open, "{accept}");
        }
    }
}
