//! What is decided about requests before any route, as it is configured.

use std::num::NonZeroU32;
use std::sync::Arc;

use tingkat::clock::SystemClock;
use tingkat::ports::Clock;
use tingkat_http::Edge;
use tingkat_http::edge::{Access, AccessLog, Proxies, ProxyHeader, Rate, RateLimits, Rates};

use super::settings::Settings;

/// Makes of the settings what the edge takes; every key has been judged.
pub(super) fn build(settings: &Settings) -> Edge {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let origins = settings.list("server.cors_origins").iter();
    let trusted = settings.list("server.trusted_proxies").iter();
    let header = match settings.text("server.proxy_header") {
        Some("forwarded") => ProxyHeader::Forwarded,
        _ => ProxyHeader::XForwardedFor,
    };
    Edge {
        origins: origins.filter_map(|text| text.parse().ok()).collect(),
        proxies: Proxies::new(trusted.filter_map(|text| text.parse().ok()), header),
        rates: Rates::new(&rate_limits(settings), &clock),
        access: AccessLog::new(access(settings), settings.time("log.slow_request"), &clock),
    }
}

fn rate_limits(settings: &Settings) -> RateLimits {
    let rate = |per_second: &str, burst: &str| {
        let per_second = NonZeroU32::new(settings.count(per_second))?;
        let burst = NonZeroU32::new(settings.count(burst))?;
        Some(Rate { per_second, burst })
    };
    RateLimits {
        look_ups: rate(
            "server.rate_limit.look_ups",
            "server.rate_limit.look_up_burst",
        ),
        writes: rate("server.rate_limit.writes", "server.rate_limit.write_burst"),
        clients: settings.size("server.rate_limit.clients"),
    }
}

fn access(settings: &Settings) -> Access {
    let text = settings.text("log.access");
    text.and_then(|text| text.parse().ok())
        .unwrap_or(Access::Off)
}

/// Whether a key is one of those that change while requests are answered.
pub(crate) fn is_concerned(path: &str) -> bool {
    path.starts_with("server.rate_limit.") || matches!(path, "log.access" | "log.slow_request")
}
