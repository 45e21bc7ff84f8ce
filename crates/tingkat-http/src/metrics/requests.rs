//! Requests as they are counted: by route, method and what came of them.
//!
//! It stands around everything else, so that refusals and requests that were given up count as well.
//! An answer costs no allocation here.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use pin_project_lite::pin_project;
use tingkat::ports::{Clock, Tick};
use tower::Service;

use super::add;
use super::page::{Family, Page, Spread};

const REQUESTS: Family = Family::counter(
    "tingkat_http_requests",
    "Requests that were answered, or whose client went away before",
);
const TOOK: Family = Family::histogram(
    "tingkat_http_request_duration_seconds",
    "From the head of a request to the head of its answer",
);
const UNDER_WAY: Family = Family::gauge(
    "tingkat_http_requests_in_flight",
    "Requests that are being answered",
);

const REFUSED: Family = Family::counter(
    "tingkat_http_refused",
    "Requests that were refused without a look, by what there was too much of",
);

/// What there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Requests of one client: 429.
    RateLimit,
    /// Requests that are answered at a time: 503.
    InFlight,
}

const REFUSALS: [(Refusal, &str); 2] = [
    (Refusal::RateLimit, "rate_limit"),
    (Refusal::InFlight, "in_flight"),
];

/// What every address without a route is called: there is no end of those.
const NO_ROUTE: &str = "unknown";

/// Methods that routes have; what else a client may think of is one more.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PATCH", "OPTIONS", "other"];

/// What came of a request: the class of its status, or nothing at all.
const OUTCOMES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "gone"];
const GONE: usize = OUTCOMES.len() - 1;

/// Upper edges of the durations that are told apart, in microseconds.
const EDGES: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// All requests of this process.
pub(crate) struct Requests {
    clock: Arc<dyn Clock>,
    routes: matchit::Router<usize>,
    /// One for each route, and the last for what has none.
    counts: Vec<Counts>,
    under_way: AtomicU64,
    refused: [AtomicU64; REFUSALS.len()],
}

struct Counts {
    route: &'static str,
    answers: [[AtomicU64; OUTCOMES.len()]; METHODS.len()],
    /// One more than there are edges.
    took: [AtomicU64; EDGES.len() + 1],
    took_micros: AtomicU64,
}

impl Requests {
    pub(super) fn new(clock: Arc<dyn Clock>, templates: Vec<&'static str>) -> Self {
        let mut routes = matchit::Router::new();
        for (index, template) in templates.iter().enumerate() {
            // The table of contents has no two that collide; a test looks.
            let _ = routes.insert(*template, index);
        }
        let counts = templates.into_iter().chain([NO_ROUTE]).map(Counts::new);
        Self {
            clock,
            routes,
            counts: counts.collect(),
            under_way: AtomicU64::new(0),
            refused: Default::default(),
        }
    }

    /// Whether a path is one of a route, on whichever listener.
    pub(crate) fn has_route(&self, path: &str) -> bool {
        self.routes.at(path).is_ok()
    }

    /// The route of a path as the table of contents has it, without what stands in its place.
    pub(crate) fn template(&self, path: &str) -> &'static str {
        let counts = self.counts.get(self.index(path));
        counts.map_or(NO_ROUTE, |counts| counts.route)
    }

    fn index(&self, path: &str) -> usize {
        let found = self.routes.at(path).ok().map(|found| *found.value);
        found.unwrap_or(self.counts.len() - 1)
    }

    /// Requests that are being answered.
    pub(crate) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Counts a refusal.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let counts = REFUSALS.iter().zip(&self.refused);
        let mut counts = counts.filter(|((known, _), _)| *known == refusal);
        if let Some((_, count)) = counts.next() {
            add(count, 1);
        }
    }

    fn begin(self: &Arc<Self>, request: &Request) -> UnderWay {
        add(&self.under_way, 1);
        UnderWay {
            route: self.index(request.uri().path()),
            method: method(request.method()),
            began: self.clock.now(),
            outcome: GONE,
            requests: Arc::clone(self),
        }
    }

    fn end(&self, request: &UnderWay) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let Some(counts) = self.counts.get(request.route) else {
            return;
        };
        let answers = counts.answers.get(request.method);
        if let Some(count) = answers.and_then(|answers| answers.get(request.outcome)) {
            add(count, 1);
        }
        if request.outcome != GONE {
            counts.record(self.clock.now().since(request.began));
        }
    }

    pub(super) fn collect(&self, page: &mut Page<'_>) -> fmt::Result {
        let rows = self.counts.iter().flat_map(|counts| {
            let methods = METHODS.iter().zip(&counts.answers);
            methods.flat_map(|(method, answers)| {
                let answers = OUTCOMES.iter().zip(answers);
                answers.filter_map(|(outcome, count)| {
                    let count = count.load(Ordering::Relaxed);
                    let labels = [
                        ("route", counts.route),
                        ("method", *method),
                        ("status", *outcome),
                    ];
                    (count > 0).then_some((labels, count.into()))
                })
            })
        });
        page.rows(&REQUESTS, rows)?;
        let rows = self.counts.iter().filter_map(|counts| {
            let spread = counts.spread();
            let is_empty = spread.buckets.iter().all(|(_, count)| *count == 0);
            (!is_empty).then_some(([("route", counts.route)], spread))
        });
        page.spreads(&TOOK, rows)?;
        let refused = REFUSALS.iter().zip(&self.refused);
        let rows = refused
            .map(|((_, name), count)| ([("reason", *name)], count.load(Ordering::Relaxed).into()));
        page.rows(&REFUSED, rows)?;
        page.one(&UNDER_WAY, self.under_way())
    }
}

impl Counts {
    fn new(route: &'static str) -> Self {
        Self {
            route,
            answers: Default::default(),
            took: Default::default(),
            took_micros: AtomicU64::new(0),
        }
    }

    fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = EDGES.partition_point(|edge| *edge < micros);
        if let Some(count) = self.took.get(bucket) {
            add(count, 1);
        }
        add(&self.took_micros, micros);
    }

    fn spread(&self) -> Spread {
        let edges = EDGES
            .iter()
            .map(|micros| Duration::from_micros(*micros).as_secs_f64());
        let counts = self.took.iter().map(|count| count.load(Ordering::Relaxed));
        let sum = self.took_micros.load(Ordering::Relaxed);
        Spread {
            sum: Duration::from_micros(sum).as_secs_f64(),
            buckets: edges.chain([f64::INFINITY]).zip(counts).collect(),
        }
    }
}

fn method(method: &Method) -> usize {
    let known = METHODS.iter().position(|name| *name == method.as_str());
    known.unwrap_or(METHODS.len() - 1)
}

/// Counts what goes through.
#[derive(Clone)]
pub(crate) struct Metered<S> {
    inner: S,
    requests: Arc<Requests>,
}

impl<S> Metered<S> {
    pub(crate) const fn new(inner: S, requests: Arc<Requests>) -> Self {
        Self { inner, requests }
    }
}

impl<S> Service<Request> for Metered<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Measured<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let under_way = self.requests.begin(&request);
        Measured {
            answer: self.inner.call(request),
            under_way,
        }
    }
}

/// A request that has begun; counted when it ends, however it does.
struct UnderWay {
    requests: Arc<Requests>,
    route: usize,
    method: usize,
    began: Tick,
    outcome: usize,
}

impl UnderWay {
    fn answered(&mut self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        self.outcome = class.saturating_sub(1).min(GONE - 1);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let this = &*self;
        this.requests.end(this);
    }
}

pin_project! {
    /// An answer that is on its way.
    pub(crate) struct Measured<F> {
        #[pin]
        answer: F,
        under_way: UnderWay,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Measured<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.answer.poll(cx));
        this.under_way.answered(response.status());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use tingkat::clock::SystemClock;

    use super::*;

    #[test]
    fn every_route_of_the_table_is_found_and_nothing_else_is() {
        let templates = crate::router::templates();
        let requests = Requests::new(Arc::new(SystemClock), templates.clone());
        for template in templates {
            let path = template.replace(['{', '}'], "");
            assert!(requests.has_route(&path));
            assert_eq!(requests.counts[requests.index(&path)].route, template);
        }
        for path in ["/nowhere", "", "*", "/v1/products/1/2", "/v1"] {
            assert!(!requests.has_route(path), "{path}");
            assert_eq!(requests.counts[requests.index(path)].route, NO_ROUTE);
        }
    }

    #[test]
    fn a_duration_on_an_edge_is_not_longer_than_it() {
        let counts = Counts::new("/");
        for micros in [50, 51, 10_000_000, 10_000_001] {
            counts.record(Duration::from_micros(micros));
        }
        let spread = counts.spread();
        let filled: Vec<_> = spread.buckets.into_iter().filter(|it| it.1 > 0).collect();
        let expected = [(5e-5, 1), (1e-4, 1), (10.0, 1), (f64::INFINITY, 1)];
        assert_eq!(filled, expected);
        assert!((spread.sum - 20.000_102).abs() < 1e-9);
    }
}
