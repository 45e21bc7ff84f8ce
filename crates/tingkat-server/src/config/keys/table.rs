//! All keys but those of the entities.

mod warm;

use std::time::Duration;

use tingkat::privacy::USUAL;
use tingkat_health::Neighbour;
use tingkat_sql::Preset;

use super::{Key, health};
use crate::config::kind::Kind;
use crate::config::rules::WAIVERS;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(24 * 365);

pub(super) const fn time(least: Duration, most: Duration) -> Kind {
    Kind::Time { least, most }
}

pub(super) const fn number(least: u64, most: u64) -> Kind {
    Kind::Integer { least, most }
}

const fn size(least: u64, most: u64) -> Kind {
    Kind::Size { least, most }
}

/// Builds one row; `-` stands for no default.
pub(super) fn key(path: &str, kind: Kind, default: &str, sentence: &'static str) -> Key {
    Key {
        path: path.to_owned(),
        kind,
        default: Some(default.to_owned()).filter(|default| default != "-"),
        sentence,
        reloads: false,
        variable: None,
    }
}

impl Key {
    const fn known_as(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    pub(super) const fn reloads(mut self) -> Self {
        self.reloads = true;
        self
    }
}

pub(super) fn keys() -> Vec<Key> {
    [
        general(),
        server(),
        redis(),
        source_and_feed(),
        popularity(),
        warm::keys(),
        privacy(),
        health::keys(),
        log(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn general() -> Vec<Key> {
    vec![
        key(
            "scenario",
            Kind::Choice(crate::config::presets::SCENARIOS),
            "-",
            "What the service is tuned for, over the defaults and under everything that is set",
        )
        .known_as("TINGKAT_SCENARIO"),
        key(
            "allow",
            Kind::Choices(WAIVERS),
            "-",
            "Rules of staging and production that this service may break, by name",
        ),
    ]
}

fn popularity() -> Vec<Key> {
    vec![
        key(
            "popularity.keep",
            number(0, 100_000),
            "1000",
            "So many of the most popular keys of an entity are evicted last and refreshed sooner; 0 for none",
        ),
        key(
            "popularity.refresh",
            time(MINUTE, DAY),
            "10m",
            "How often popularity is counted anew",
        ),
        key(
            "popularity.product.orders",
            number(0, 1_000),
            "3",
            "What a line of an order counts for the popularity of a product",
        ),
        key(
            "popularity.product.carts",
            number(0, 1_000),
            "2",
            "What a line of a cart counts",
        ),
        key(
            "popularity.product.wishes",
            number(0, 1_000),
            "1",
            "What a line of a wishlist counts",
        ),
        key(
            "popularity.product.window",
            time(HOUR, YEAR),
            "720h",
            "How far back lines count",
        ),
        key(
            "popularity.postcode.deliveries",
            number(0, 1_000),
            "3",
            "What an order that was delivered there counts for the popularity of a postcode",
        ),
        key(
            "popularity.postcode.customers",
            number(0, 1_000),
            "1",
            "What a customer who lives there counts",
        ),
        key(
            "popularity.postcode.window",
            time(HOUR, YEAR),
            "720h",
            "How far back orders count",
        ),
    ]
}

fn privacy() -> Vec<Key> {
    let usual = USUAL.join(", ");
    vec![
        key(
            "privacy.fields",
            Kind::Names,
            &usual,
            "Fields that never reach Redis, by the last words of their names in any spelling; a list here takes the place of this one",
        ),
        key(
            "privacy.more_fields",
            Kind::Names,
            "-",
            "Further ones, beside those",
        ),
    ]
}

fn server() -> Vec<Key> {
    vec![
        key("server.listen", Kind::Listen, "127.0.0.1:8080", "Where to listen; staging and production listen on every address unless told otherwise"),
        key("server.port", number(0, 65_535), "-", "The port alone, unless `server.listen` is set as well").known_as("PORT"),
        key("server.admin_listen", Kind::ListenOrOff, "off", "Where operators are served: with it set, all but look-ups and probes is served there and nowhere else"),
        key("server.metrics_listen", Kind::ListenOrOff, "off", "Where scrapers are served: with it set, `/metrics` is there and where operators are served, and no more where shoppers are"),
        key("server.socket", Kind::Path, "-", "A UNIX socket on which a sidecar is served as on `server.listen`"),
        key("server.socket_mode", Kind::Choice(&["0600", "0660", "0666"]), "0660", "Who may connect to the socket: its user, its group as well, or everybody"),
        key("server.tokens", Kind::Tokens, "-", "Who may do what: `read:`, `write:` or `operate:` and the SHA-256 of a token; with a `read:` token, look-ups need one").reloads(),
        key("server.request_timeout", time(SECOND, HOUR), "15s", "How long a request may take; a product by its SKU may need two loads"),
        key("server.body_timeout", time(MS, HOUR), "5s", "How long the body of a request may take to arrive, at most half of `request_timeout`; while it is awaited it does not count towards `max_in_flight`"),
        key("server.head_timeout", time(MS, HOUR), "10s", "How long the head of a request may take from its first byte; of the first request of a connection, from its beginning"),
        key("server.idle_timeout", time(SECOND, HOUR), "75s", "A connection without a request for this long is closed; longer than the proxy in front keeps it"),
        key("server.send_timeout", time(SECOND, HOUR), "30s", "A connection that takes no byte of an answer for this long is closed"),
        key("server.shutdown_delay", time(Duration::ZERO, HOUR), "0s", "How long the service goes on serving once it is told to stop, while `/readyz` says that it leaves"),
        key("server.drain_timeout", time(MS, HOUR), "20s", "How long requests under way have to finish once the service stops"),
        key("server.connections", number(1, 1_000_000), "4096", "Connections at a time; one more waits in the kernel"),
        key("server.connections_per_address", number(1, 1_000_000), "1024", "Connections of one address at a time, or of one /64 of IPv6; one more is closed; those of `trusted_proxies` and of the socket are not counted"),
        key("server.max_in_flight", number(1, 1_000_000), "3072", "Requests that are answered at a time, probes aside; one more is refused at once with 503; fewer than `connections`, so that refusals and probes find one"),
        key("server.streams", number(0, 100_000), "64", "Clients that follow `/v1/changes` at a time"),
        key("server.uri_bytes", size(1 << 10, 256 << 10), "16KiB", "The longest path and query; the largest batch of the longest ids fits in the default"),
        key("server.head_bytes", size(8 << 10, 1 << 20), "32KiB", "The largest head of a request, with its path and query"),
        key("server.body_bytes", size(1 << 10, 64 << 20), "1MiB", "The largest request body"),
        key("server.cors_origins", Kind::Origins, "-", "Origins whose pages may read answers in a browser; nobody's by default"),
        key("server.trusted_proxies", Kind::Networks, "-", "Proxies that are believed when they say for whom they ask; none by default"),
        key("server.proxy_header", Kind::Choice(&["x-forwarded-for", "forwarded"]), "x-forwarded-for", "The header in which they say so; what clients write into the other is ignored"),
        key("server.rate_limit.look_ups", number(0, 1_000_000), "0", "Look-ups a second of one client, by its token or else its address; 0 for as many as it likes").reloads(),
        key("server.rate_limit.look_up_burst", number(1, 1_000_000), "100", "Look-ups that it may send at once, after a pause").reloads(),
        key("server.rate_limit.writes", number(0, 1_000_000), "0", "The same for whatever writes or operates").reloads(),
        key("server.rate_limit.write_burst", number(1, 1_000_000), "20", "Writes that it may send at once, after a pause").reloads(),
        key("server.rate_limit.clients", number(1, 10_000_000), "65536", "So many clients are remembered, of look-ups and of writes; those that ask least are forgotten first").reloads(),
        key("server.tls.certificate", Kind::Path, "-", "Our certificate and its chain (PEM), with which the service speaks TLS, but for operators and scrapers on a loopback address; SIGHUP reads both files again, also under the same names. Whether there is TLS at all changes with a restart").reloads(),
        key("server.tls.key", Kind::Path, "-", "The private key of our certificate (PEM)").reloads(),
        key("readiness.require", Kind::Choices(&Neighbour::NAMES), "-", "Without these the node takes no requests, although it could answer them; what all nodes share takes all of them out at once"),
    ]
}

fn redis() -> Vec<Key> {
    let mut keys = vec![
        key("redis.url", Kind::Redis, "-", "Where Redis is, or `off`; without any setting, the one on localhost if it answers").known_as("REDIS_URL"),
        key("redis.host", Kind::Text, "-", "The host, where there is no URL").known_as("REDIS_HOST"),
        key("redis.port", number(1, 65_535), "-", "The port, where there is no URL").known_as("REDIS_PORT"),
        key("redis.db", number(0, 1 << 20), "-", "The number of the database, where there is no URL").known_as("REDIS_DB"),
        key("redis.username", Kind::Text, "-", "The user, where the URL names none").known_as("REDIS_USERNAME"),
        key("redis.password", Kind::Secret, "-", "The password, where the URL has none").known_as("REDIS_PASSWORD"),
        key("redis.key_prefix", Kind::Prefix, "-", "What every key in Redis begins with; by default `tingkat:dev:` and the id of the database").known_as("REDIS_KEY_PREFIX"),
        key("redis.mode", Kind::Choice(&["auto", "standalone", "sentinel", "cluster"]), "auto", "What stands at the address"),
        key("redis.budget", time(MS, SECOND * 10), "50ms", "What one request may spend on Redis, over all round trips"),
        key("redis.connect_timeout", time(MS * 10, MINUTE), "1s", "How long a connection and its login may take"),
        key("redis.sentinel.hosts", Kind::Hosts, "-", "The Sentinels, where the URL names the servers"),
        key("redis.sentinel.master", Kind::Text, "-", "The name of the master, where the Sentinels watch several"),
        key("redis.sentinel.username", Kind::Text, "-", "The user for the Sentinels"),
        key("redis.sentinel.password", Kind::Secret, "-", "The password for the Sentinels"),
        key("redis.sentinel.tls", Kind::Flag, "-", "Whether the Sentinels speak TLS; by default as the URL says"),
        key("redis.tls.ca", Kind::Path, "-", "Certificates of the authorities to trust (PEM); by default those of the system"),
        key("redis.tls.certificate", Kind::Path, "-", "Our own certificate and its chain (PEM)"),
        key("redis.tls.key", Kind::Path, "-", "The private key of our certificate (PEM)"),
        key("redis.tls.server_name", Kind::Text, "-", "The name that the servers' certificates have, where it is not the host"),
    ];
    keys.extend(breaker());
    keys
}

fn breaker() -> Vec<Key> {
    vec![
        key(
            "redis.breaker.window",
            time(SECOND, HOUR),
            "10s",
            "Outcomes older than this do not count",
        ),
        key(
            "redis.breaker.minimum",
            number(1, 1_000_000),
            "5",
            "With fewer outcomes in the window Redis goes on being asked",
        ),
        key(
            "redis.breaker.failure_share",
            Kind::Share { most: 1.0 },
            "0.5",
            "Redis is left alone at this share of failures",
        ),
        key(
            "redis.breaker.slow",
            time(MS, MINUTE),
            "100ms",
            "An answer that takes longer counts as a failure",
        ),
        key(
            "redis.breaker.open_for",
            time(MS * 10, HOUR),
            "500ms",
            "How long Redis is left alone before the first probe",
        ),
        key(
            "redis.breaker.open_for_most",
            time(MS * 10, HOUR),
            "2s",
            "After each failed probe twice as long, up to this",
        ),
        key(
            "redis.breaker.probes",
            number(1, 1_000),
            "2",
            "Probes that must succeed in a row",
        ),
    ]
}

fn source_and_feed() -> Vec<Key> {
    vec![
        key(
            "source.url",
            Kind::Database,
            "-",
            "The store's database; without any setting, an embedded demo store in ./tingkat.db",
        )
        .known_as("DATABASE_URL"),
        key(
            "source.preset",
            Kind::Choice(Preset::NAMES),
            "tingkat",
            "Whose tables the statements are for: those of the demo store, or those of a Prisma storefront",
        ),
        key(
            "source.queries",
            Kind::Path,
            "-",
            "A directory of .sql files, each in the place of the preset's statement of that name",
        ),
        key(
            "source.max_connections",
            number(1, 10_000),
            "48",
            "Connections for loads; at least all entities' `max_loads` together, or one hanging entity keeps the others waiting",
        ),
        key(
            "source.acquire_timeout",
            time(MS, HOUR),
            "2s",
            "How long a load waits for a connection",
        ),
        key(
            "source.statement_timeout",
            time(MS, HOUR),
            "6s",
            "After this long PostgreSQL gives a statement up; no sooner than the loads that want it",
        ),
        key(
            "source.changes_kept_for",
            time(SECOND, HOUR * 24),
            "5m",
            "For how long the change log tells changes one by one",
        ),
        key(
            "feed.poll_interval",
            time(MS * 10, HOUR),
            "100ms",
            "How often the change log is asked",
        ),
        key(
            "feed.staleness_bound",
            time(MS * 10, HOUR),
            "1s",
            "No answer that is not marked stale is older; more than twice the interval",
        ),
        key(
            "feed.check_interval",
            time(SECOND, HOUR),
            "1m",
            "How often it is checked that the change log is whole",
        ),
    ]
}

fn log() -> Vec<Key> {
    vec![
        key(
            "log.level",
            Kind::LogLevel,
            "info",
            "What is logged: a level, or directives such as info,tingkat_redis=debug",
        )
        .reloads(),
        key(
            "log.format",
            Kind::Choice(&["text", "json"]),
            "text",
            "How a line of the log looks",
        ),
        key(
            "log.access",
            Kind::Access,
            "errors",
            "Which requests are logged: `off`, `errors` (with those that are slow), or besides those a share of all others",
        )
        .reloads(),
        key(
            "log.slow_request",
            time(MS, HOUR),
            "500ms",
            "A request that takes longer is slow",
        )
        .reloads(),
    ]
}
