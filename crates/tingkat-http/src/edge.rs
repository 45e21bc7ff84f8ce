//! What every request passes through, whatever its route: it gets its names, is counted and checked,
//! and has a net below.
//!
//! It stands around the router and not inside, so that it sees the answers of the router itself. No
//! request leaves without an answer, and no error leaves without a problem document.

mod access;
mod check;
pub(crate) mod client;
mod cors;
mod ids;
pub(crate) mod places;
mod rates;
mod trace;

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Either};
use tingkat::ports::{Clock, Tick};
use tower::{Service, ServiceExt as _};

use crate::app::App;
use crate::hits::Hits;
use crate::limits::Limits;
use crate::metrics::{Refusal, Requests};
use crate::problem::{Code, Problem};
use crate::tokens::Tokens;
use places::Places;

pub use access::{Access, AccessError, AccessLog};
pub use client::{Network, NetworkError, Proxies, ProxyHeader};
pub use cors::{Origin, OriginError};
pub use ids::Ids;
pub use rates::{Rate, RateLimits, Rates};

/// Asked by machines that restart a node or take it out: never refused for what others ask.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// What the operator decides about requests before a route sees them. By default nothing is logged,
/// nobody is limited, and no page of another origin may read an answer.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Whose pages may read answers.
    pub origins: Vec<Origin>,
    /// Who may say for whom a request is sent.
    pub proxies: Proxies,
    /// How often one client may ask.
    pub rates: Rates,
    /// What is logged of requests.
    pub access: AccessLog,
}

impl Edge {
    /// From now on rates are those of `other`, and so is what is logged; the rest needs a restart.
    pub fn replace(&self, other: &Self) {
        self.rates.replace(&other.rates);
        self.access.replace(&other.access);
    }
}

/// The edge, around routes.
#[derive(Clone)]
pub(crate) struct Around {
    routes: Hits,
    desk: Arc<Desk>,
}

/// What all requests share.
struct Desk {
    limits: Limits,
    edge: Edge,
    cors: Option<cors::Cors>,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    places: Places,
    requests: Arc<Requests>,
}

/// Puts the edge around routes.
pub(crate) fn around(routes: Hits, app: &App) -> Around {
    let desk = Desk {
        limits: app.limits,
        cors: cors::Cors::new(&app.edge.origins),
        edge: app.edge.clone(),
        tokens: app.tokens.clone(),
        clock: Arc::clone(&app.clock),
        places: Places::new(&app.limits, app.metrics.requests()),
        requests: app.metrics.requests(),
    };
    Around {
        routes,
        desk: Arc::new(desk),
    }
}

impl Service<Request> for Around {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Response, Infallible>>,
        BoxFuture<'static, Result<Response, Infallible>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let is_plain = self.desk.is_plain(&request);
        if is_plain && let Some(response) = self.desk.at_once(&self.routes, &request) {
            return Either::Left(ready(Ok(response)));
        }
        let routes = if is_plain {
            self.routes.after_hits()
        } else {
            self.routes.clone()
        };
        let desk = Arc::clone(&self.desk);
        Either::Right(Box::pin(
            async move { Ok(desk.receive(routes, request).await) },
        ))
    }
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").finish_non_exhaustive()
    }
}

impl Desk {
    /// Whether memory may answer it before anything is asked or counted.
    fn is_plain(&self, request: &Request) -> bool {
        self.cors.is_none() && request.body().is_end_stream() && !self.edge.rates.limit_look_ups()
    }

    /// The answer that memory has: without a task of its own, and without a place, since it is over at
    /// once.
    fn at_once(&self, routes: &Hits, request: &Request) -> Option<Response> {
        let began = self.edge.access.is_on().then(|| self.clock.now());
        // What panics here panics in the routes as well, which have a net.
        let answer = AssertUnwindSafe(|| routes.at_once(request));
        let mut response = catch_unwind(answer).ok().flatten()?;
        let headers = request.headers();
        let asked = began.map(|began| Asked {
            began,
            method: request.method(),
            path: request.uri().path(),
            authorization: headers.get(header::AUTHORIZATION),
        });
        self.finish(&mut response, Ids::of(headers), asked.as_ref());
        Some(response)
    }

    /// Answers a request, under its names.
    async fn receive(&self, routes: Hits, request: Request) -> Response {
        let ids = Ids::of(request.headers());
        let log = self.edge.access.is_on().then(|| Remembered {
            began: self.clock.now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            authorization: request.headers().get(header::AUTHORIZATION).cloned(),
        });
        let answering = async {
            match &self.cors {
                Some(cors) => {
                    let routes = |request| self.answer(routes.clone(), request);
                    cors.answer(request, routes).await
                }
                None => self.answer(routes, request).await,
            }
        };
        let mut response = ids.during(answering).await;
        let asked = log.as_ref().map(Remembered::asked);
        self.finish(&mut response, ids, asked.as_ref());
        response
    }

    /// What every answer gets on its way out.
    fn finish(&self, response: &mut Response, ids: Ids, asked: Option<&Asked<'_>>) {
        if let Some(asked) = asked {
            let line = access::Line {
                method: asked.method,
                route: self.requests.template(asked.path),
                response,
                took: self.clock.now().since(asked.began),
                ids: &ids,
            };
            let scope = || Some(self.tokens.holder(asked.authorization?)?.scope);
            self.edge.access.tell(&line, scope);
        }
        let headers = response.headers_mut();
        if self.tokens.guard_look_ups() {
            keep_private(headers);
        }
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        ids.mark(headers);
    }

    /// Answers a request through the routes, or with what is wrong with it.
    async fn answer(&self, routes: Hits, request: Request) -> Response {
        let method = request.method().clone();
        let response = match self.admitted(routes, request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        };
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return check::method_not_allowed(&method, &response);
        }
        response
    }

    /// The same, in a place among the requests that are answered; probes need none.
    async fn admitted(&self, routes: Hits, request: Request) -> Result<Response, Problem> {
        let is_probe = PROBES.contains(&request.uri().path());
        if !is_probe {
            self.count(&request)?;
        }
        if let Err(problem) = check::check(&request, &self.limits) {
            let response = problem.into_response();
            if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
                check::take_in(request, &self.limits).await;
            }
            return Ok(response);
        }
        if is_probe {
            return Ok(self.ask(routes, request).await);
        }
        if request.body().is_end_stream() {
            let Some(_place) = self.places.take() else {
                // What memory has costs less than to refuse it.
                let hit = routes.at_once(&request);
                return hit.ok_or_else(|| self.places.refuse());
            };
            return Ok(self.ask(routes, request).await);
        }
        self.places.during(self.ask(routes, request)).await
    }

    fn count(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let token = || {
            let holder = self.tokens.holder(headers.get(header::AUTHORIZATION)?)?;
            Some(holder.fingerprint)
        };
        let sender = || self.edge.proxies.sender(headers);
        let counted = self.edge.rates.check(request, token, sender);
        counted.inspect_err(|_| self.requests.refuse(Refusal::RateLimit))
    }

    async fn ask(&self, routes: Hits, request: Request) -> Response {
        let uri = request.uri().clone();
        // What forgets or warms may be asked for again; what changes a product by so many may not.
        let writes = request.method() == Method::PATCH;
        let answer = AssertUnwindSafe(routes.oneshot(request)).catch_unwind();
        match tokio::time::timeout(self.limits.request_timeout, answer).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(_)) => {
                let route = self.requests.template(uri.path());
                // What it says may be secret: the program's panic hook knows, and has told the rest.
                tracing::error!(route, "a handler panicked");
                Problem::internal().into_response()
            }
            Err(_) => {
                let seconds = self.limits.request_timeout.as_secs_f64();
                let (code, rest) = if writes {
                    (Code::WriteUnsure, ", and the write goes on")
                } else {
                    (Code::RequestTimeout, "")
                };
                let detail = format!("the request was given up after {seconds} s{rest}");
                Problem::new(code, detail).into_response()
            }
        }
    }
}

/// What needs a token is for those who have one: no cache that others share may keep it.
fn keep_private(headers: &mut HeaderMap) {
    let kept = headers.get(header::CACHE_CONTROL);
    let rest = kept.and_then(|kept| kept.to_str().ok()?.strip_prefix("public"));
    if let Some(value) = rest.and_then(|rest| HeaderValue::try_from(format!("private{rest}")).ok())
    {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

/// What the access log needs of a request.
struct Asked<'a> {
    began: Tick,
    method: &'a Method,
    path: &'a str,
    authorization: Option<&'a HeaderValue>,
}

/// The same, of one that is gone.
struct Remembered {
    began: Tick,
    method: Method,
    uri: Uri,
    authorization: Option<HeaderValue>,
}

impl Remembered {
    fn asked(&self) -> Asked<'_> {
        Asked {
            began: self.began,
            method: &self.method,
            path: self.uri.path(),
            authorization: self.authorization.as_ref(),
        }
    }
}
