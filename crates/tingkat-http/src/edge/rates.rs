//! How often one client may ask: look-ups and writes apart, by token where there is one that is
//! known, else by address; not those of a sidecar that names nobody. The generic cell rate algorithm, over a table of bounded size.
//!
//! A client that falls out of the table begins anew; those that ask most stay in it longest.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::Request;
use axum::http::Method;
use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock;

use super::client::{Sender, one_client};
use crate::problem::{Code, Problem};

/// How often one client may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many a second.
    pub per_second: NonZeroU32,
    /// So many at once, after a pause.
    pub burst: NonZeroU32,
}

/// What is limited, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Whatever only reads; nothing for as often as a client likes.
    pub look_ups: Option<Rate>,
    /// Whatever writes or operates.
    pub writes: Option<Rate>,
    /// So many clients are remembered of each kind.
    pub clients: usize,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    /// The first half of the hash of a token that is known.
    Token([u8; 16]),
    Address(IpAddr),
    /// All of whom nothing is known.
    Unknown,
}

/// Remembers how often clients asked. Clones share it, so that the limits can be replaced while
/// requests are answered.
#[derive(Clone)]
pub struct Rates(Arc<RwLock<Arc<Limited>>>);

struct Limited {
    limits: RateLimits,
    look_ups: Option<Limit>,
    writes: Option<Limit>,
}

struct Limit {
    rate: Rate,
    limiter: RateLimiter<Client, Clients, Hands, NoOpMiddleware<Duration>>,
}

struct Clients(Cache<Client, Arc<InMemoryState>>);

impl StateStore for Clients {
    type Key = Client;

    fn measure_and_replace<T, F, E>(&self, client: &Client, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let new = || Ok::<_, Infallible>(Arc::default());
        let Ok(state) = self.0.get_or_insert_with(client, new);
        state.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

/// The clock as the limiter reads it.
#[derive(Clone)]
pub(super) struct Hands(pub(super) Arc<dyn Clock>);

impl clock::Clock for Hands {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.now().as_nanos())
    }
}

impl Rates {
    /// These limits, measured by a clock.
    pub fn new(limits: &RateLimits, clock: &Arc<dyn Clock>) -> Self {
        let limit = |rate: Rate| Limit {
            rate,
            limiter: RateLimiter::new(
                Quota::per_second(rate.per_second).allow_burst(rate.burst),
                Clients(Cache::new(limits.clients)),
                Hands(Arc::clone(clock)),
            ),
        };
        Self(Arc::new(RwLock::new(Arc::new(Limited {
            limits: *limits,
            look_ups: limits.look_ups.map(limit),
            writes: limits.writes.map(limit),
        }))))
    }

    /// From now on the limits of `other` count, for every clone; if they are others, each client
    /// begins anew.
    pub fn replace(&self, other: &Self) {
        let new = other.limited();
        if new.limits == self.limited().limits {
            return;
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Whether look-ups are limited at all.
    pub(super) fn limit_look_ups(&self) -> bool {
        let limited = self.0.read().unwrap_or_else(PoisonError::into_inner);
        limited.look_ups.is_some()
    }

    fn limited(&self) -> Arc<Limited> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a request; `token` and `sender` say who it is from, and are asked only if it matters.
    pub(super) fn check(
        &self,
        request: &Request,
        token: impl FnOnce() -> Option<[u8; 16]>,
        sender: impl FnOnce() -> Sender,
    ) -> Result<(), Problem> {
        let limited = self.limited();
        let (limit, what) = if is_look_up(request) {
            (&limited.look_ups, "look-ups")
        } else {
            (&limited.writes, "writes")
        };
        let Some(Limit { rate, limiter }) = limit else {
            return Ok(());
        };
        let client = match token() {
            Some(token) => Client::Token(token),
            None => match sender() {
                Sender::Address(address) => Client::Address(one_client(address)),
                Sender::Unknown => Client::Unknown,
                // It is our own, and it names its clients if they are to be limited.
                Sender::Sidecar => return Ok(()),
            },
        };
        let until = match limiter.check_key(&client) {
            Ok(()) => return Ok(()),
            Err(until) => until,
        };
        let wait = until.wait_time_from(clock::Clock::now(limiter.clock()));
        let Rate { per_second, burst } = rate;
        let detail = format!(
            "this client may send {per_second} {what} a second, and {burst} at once after a pause"
        );
        Err(Problem::new(Code::RateLimited, detail).retry_after(wait))
    }
}

/// Whatever may be repeated without harm, and the look-up of many that needs a body.
fn is_look_up(request: &Request) -> bool {
    request.method() != Method::PATCH
        && (request.method() != Method::POST || request.uri().path().ends_with(":batchGet"))
}

impl Default for Rates {
    fn default() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let none = RateLimits {
            look_ups: None,
            writes: None,
            clients: 0,
        };
        Self::new(&none, &clock)
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limited().limits.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn the_table_of_clients_does_not_grow() {
        let clients = Clients(Cache::new(64));
        for bits in 0..10_000_u32 {
            let client = Client::Address(IpAddr::from(bits.to_be_bytes()));
            let decide = |_| Ok::<_, Infallible>(((), Nanos::from(Duration::from_secs(1))));
            let Ok(()) = clients.measure_and_replace(&client, decide);
        }
        let kept = clients.0.len();
        assert!((1..=64).contains(&kept), "{kept}");
    }

    #[test]
    fn what_reads_is_a_look_up_by_whatever_method() {
        let is = |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path);
            is_look_up(&request.body(Body::empty()).unwrap())
        };
        assert!(is("GET", "/v1/products/1"));
        assert!(is("HEAD", "/v1/states"));
        assert!(is("POST", "/v1/products:batchGet"));
        assert!(!is("POST", "/v1/forget"));
        assert!(!is("PATCH", "/v1/products/1"));
    }
}
