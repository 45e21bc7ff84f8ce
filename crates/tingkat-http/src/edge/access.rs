//! The access log: what was answered, for the target `access`. It names the route and never what was
//! asked for, and the scope of a token and never the token; nobody's address is in it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock;

use super::ids::Ids;
use super::rates::Hands;
use crate::reply::CACHE_STATUS;
use crate::tokens::Scope;

/// Of what must be logged at most so many lines a second are, so that neither a database in trouble
/// nor a client that means harm fills the disk. The next line says how many were left out.
const MOST_LINES: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);

/// What the access log has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    /// Nothing.
    Off,
    /// Errors and slow requests.
    Errors,
    /// Those, and this share of all others, from 0 to 1.
    Share(f64),
}

/// A text that is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected off, errors, or a share from 0 to 1")]
pub struct AccessError;

impl FromStr for Access {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        match text {
            "off" => Ok(Self::Off),
            "errors" => Ok(Self::Errors),
            _ => {
                let share = text.parse::<f64>().ok();
                let share = share.filter(|share| (0.0..=1.0).contains(share));
                share.map(Self::Share).ok_or(AccessError)
            }
        }
    }
}

/// Writes the access log. Clones share it, so that it can be changed while requests are answered.
#[derive(Clone)]
pub struct AccessLog(Arc<Settings>);

struct Settings {
    /// A request is logged by chance if a random number is below this.
    below: AtomicU64,
    /// Longer is slow; `OFF` is off.
    slow_nanos: AtomicU64,
    lines: RateLimiter<NotKeyed, InMemoryState, Hands, NoOpMiddleware<Duration>>,
    left_out: AtomicU64,
}

/// Half a millennium.
const OFF: u64 = u64::MAX;

/// What is known of a request once it is answered.
pub(super) struct Line<'a> {
    pub(super) method: &'a Method,
    pub(super) route: &'static str,
    pub(super) response: &'a Response,
    pub(super) took: Duration,
    pub(super) ids: &'a Ids,
}

impl AccessLog {
    /// Logs so much; a request that takes longer than `slow` is slow.
    pub fn new(access: Access, slow: Duration, clock: &Arc<dyn Clock>) -> Self {
        let (below, slow_nanos) = thresholds(access, slow);
        let quota = Quota::per_second(MOST_LINES);
        Self(Arc::new(Settings {
            below: AtomicU64::new(below),
            slow_nanos: AtomicU64::new(slow_nanos),
            lines: RateLimiter::direct_with_clock(quota, Hands(Arc::clone(clock))),
            left_out: AtomicU64::new(0),
        }))
    }

    /// From now on every clone logs as `other` does.
    pub fn replace(&self, other: &Self) {
        // Each is used alone, so nothing depends on their order.
        let copy = |to: &AtomicU64, from: &AtomicU64| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        copy(&self.0.below, &other.0.below);
        copy(&self.0.slow_nanos, &other.0.slow_nanos);
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.slow_nanos.load(Ordering::Relaxed) != OFF
    }

    /// Logs a request, if it is to be; `scope` is asked only then.
    pub(super) fn tell(&self, line: &Line<'_>, scope: impl FnOnce() -> Option<Scope>) {
        let is_chosen = line.ids.chance() < self.0.below.load(Ordering::Relaxed);
        let mut left_out = None;
        if self.must_tell(line) {
            if self.0.lines.check().is_err() {
                self.0.left_out.fetch_add(1, Ordering::Relaxed);
                return;
            }
            left_out = Some(self.0.left_out.swap(0, Ordering::Relaxed)).filter(|count| *count > 0);
        } else if !is_chosen {
            return;
        }
        let tier = line.response.headers().get(CACHE_STATUS);
        tracing::info!(
            target: "access",
            method = known(line.method),
            route = line.route,
            status = line.response.status().as_u16(),
            bytes = line.response.body().size_hint().exact(),
            duration_us = u64::try_from(line.took.as_micros()).unwrap_or(u64::MAX),
            tier = tier.and_then(|value| tier_of(value.as_bytes())),
            scope = scope().map(Scope::name),
            request_id = %line.ids.request_id(),
            trace_id = %line.ids.trace_id(),
            left_out,
            "access"
        );
    }

    fn must_tell(&self, line: &Line<'_>) -> bool {
        let status = line.response.status();
        // That there is no such thing is an answer.
        let is_error = status.is_server_error()
            || (status.is_client_error() && status != StatusCode::NOT_FOUND);
        let nanos = u64::try_from(line.took.as_nanos()).unwrap_or(OFF);
        is_error || nanos > self.0.slow_nanos.load(Ordering::Relaxed)
    }
}

fn thresholds(access: Access, slow: Duration) -> (u64, u64) {
    let slow = u64::try_from(slow.as_nanos()).unwrap_or(OFF).min(OFF - 1);
    match access {
        Access::Off => (0, OFF),
        Access::Errors => (0, slow),
        Access::Share(share) => (below(share), slow),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of the numbers of 64 bits; the cast ends at the largest of them"
)]
fn below(share: f64) -> u64 {
    (share * u64::MAX as f64) as u64
}

/// A client may invent methods, and say with them what it likes.
fn known(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PATCH, "PATCH"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::TRACE, "TRACE"),
        (Method::CONNECT, "CONNECT"),
    ];
    let found = KNOWN.iter().find(|(known, _)| known == method);
    found.map_or("other", |(_, name)| name)
}

/// The tier that gave the answer: the last that was asked.
fn tier_of(cache_status: &[u8]) -> Option<&'static str> {
    let last = cache_status.rsplit(|byte| *byte == b',').next()?;
    let last = last.trim_ascii_start();
    ["memory", "redis", "source"]
        .into_iter()
        .find(|tier| last.starts_with(tier.as_bytes()))
}

impl Default for AccessLog {
    fn default() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self::new(Access::Off, Duration::ZERO, &clock)
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("is_on", &self.is_on())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_and_nothing_else_is() {
        assert_eq!("off".parse(), Ok(Access::Off));
        assert_eq!("errors".parse(), Ok(Access::Errors));
        assert_eq!("1".parse(), Ok(Access::Share(1.0)));
        assert_eq!("0.25".parse(), Ok(Access::Share(0.25)));
        for wrong in ["", "on", "1.1", "-0.1", "NaN", "inf", "all"] {
            assert_eq!(wrong.parse::<Access>(), Err(AccessError), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_all_is_all_and_of_none_is_none() {
        assert_eq!(below(1.0), u64::MAX);
        assert_eq!(below(0.0), 0);
        assert_eq!(below(0.5), 1 << 63);
    }

    #[test]
    fn the_tier_is_the_one_that_answered() {
        let tier = |text: &str| tier_of(text.as_bytes());
        assert_eq!(tier("memory; hit"), Some("memory"));
        assert_eq!(tier("memory; hit; detail=stale"), Some("memory"));
        assert_eq!(tier("memory; fwd=uri-miss, redis; hit"), Some("redis"));
        assert_eq!(
            tier("memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored"),
            Some("source")
        );
        assert_eq!(tier(""), None);
    }

    #[test]
    fn a_method_that_a_client_invents_is_not_repeated() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        assert_eq!(known(&Method::from_bytes(b"HUNTER2").unwrap()), "other");
    }
}
