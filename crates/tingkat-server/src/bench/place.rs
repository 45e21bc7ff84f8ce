//! What the caches in this process stand on: a database, and a Redis with a prefix of the run's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_faults::{Control, Proxy};
use tingkat_redis::{Mode, Probe, ServerFacts};
use tingkat_sql::Url;

use super::clean::clean;
use crate::cli::bench::Wanted;
use crate::config::{Config, Loaded, Settings};
use crate::exit::{Code, Failure};

/// A Redis that nobody asked for gets so long to be there.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// One that is configured gets longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Cleaning up is in no hurry.
const CLEANING_TIMEOUT: Duration = Duration::from_secs(5);

/// The files and servers of one run.
pub(super) struct Place {
    settings: Settings,
    /// A database of the run instead of the configured one, and the folder that goes with it.
    own: Option<(TempDir, Url)>,
    /// Where Redis is, past any proxy; nothing without one.
    redis: Option<tingkat_redis::Config>,
    /// Past any proxy.
    cleaner: Option<Probe>,
    proxy: Option<Proxy>,
    prefix: String,
    parts: AtomicU64,
    /// What the report says of it.
    pub(super) details: Vec<(&'static str, String)>,
}

impl Place {
    /// Finds the database and Redis, or makes what there is not.
    pub(super) async fn prepare(wanted: &Wanted, loaded: Loaded) -> Result<Self, Failure> {
        let settings = loaded.into_settings()?;
        if settings.chosen("log.level").is_some() {
            crate::logging::start(&settings);
        }
        let has_database = settings.chosen("source.url").is_some();
        let config = Config::build(settings.clone())?;
        let mut place = Self {
            own: None,
            redis: None,
            cleaner: None,
            proxy: None,
            prefix: format!("tingkat:bench:{:08x}:", rand::random::<u32>()),
            parts: AtomicU64::new(0),
            details: Vec::new(),
            settings,
        };
        if has_database {
            place.details.push(("database", config.source.to_string()));
        } else {
            let folder = TempDir::with_prefix("tingkat-bench-").map_err(|error| {
                Failure::unexpected(format!(
                    "failed to make a folder for the demo store: {error}"
                ))
            })?;
            let url = Url::sqlite(folder.path().join("demo.db"));
            place.own = Some((folder, url));
            let text = "the demo store, in an embedded file of this run";
            place.details.push(("database", text.to_owned()));
        }
        place.join_redis(config.redis).await?;
        if wanted.workload.breaks_redis() {
            place.put_proxy_before_redis().await?;
        }
        Ok(place)
    }

    async fn join_redis(&mut self, redis: Option<tingkat_redis::Config>) -> Result<(), Failure> {
        let Some(config) = redis else {
            self.details.push(("redis", "off".to_owned()));
            return Ok(());
        };
        let mut settings = config.clone().under(&self.prefix);
        settings.response_timeout = CLEANING_TIMEOUT;
        let address = settings.address.to_string();
        let cleaner = Probe::start(settings, Arc::new(SystemClock));
        let chosen = [
            "redis.url",
            "redis.host",
            "redis.port",
            "redis.sentinel.hosts",
        ];
        let is_chosen = chosen.iter().any(|it| self.settings.chosen(it).is_some());
        let patience = if is_chosen { PATIENCE } else { SHORT_PATIENCE };
        if cleaner.is_there(patience).await.is_err() {
            cleaner.close().await;
            if is_chosen {
                let line = format!("failed to reach redis at {address}");
                return Err(Failure::new(Code::Unreachable, line));
            }
            let text = format!("none: nobody answers at {address}");
            self.details.push(("redis", text));
            return Ok(());
        }
        let servers = cleaner.servers().await.unwrap_or_default();
        let version = servers.first().and_then(ServerFacts::release);
        let version = version.unwrap_or_else(|| "redis of an unknown version".to_owned());
        self.details
            .push(("redis", format!("{version} at {address}")));
        self.details.push(("redis when full", evicts(&servers)));
        let trip = round_trip(&cleaner).await;
        self.details.push(("redis round trip", trip));
        self.cleaner = Some(cleaner);
        self.redis = Some(config);
        Ok(())
    }

    async fn put_proxy_before_redis(&mut self) -> Result<(), Failure> {
        let refused = |line: &str| Err(Failure::new(Code::Usage, line));
        let Some(redis) = &mut self.redis else {
            return refused(
                "this workload breaks the way to Redis, and there is none; set REDIS_URL",
            );
        };
        let one = match redis.mode {
            Mode::Auto | Mode::Standalone if !redis.address.is_encrypted() => {
                self.cleaner.as_ref().and_then(Probe::one_server)
            }
            Mode::Auto | Mode::Standalone | Mode::Sentinel | Mode::Cluster => None,
        };
        let Some((host, port)) = one else {
            return refused(
                "this workload breaks the way to Redis, which it can with one server at a host \
                 and port, without TLS",
            );
        };
        let proxy = Proxy::start(format!("{host}:{port}"))
            .await
            .map_err(|error| {
                Failure::unexpected(format!("failed to start a proxy before redis: {error}"))
            })?;
        *redis = redis.clone().behind(proxy.addr().port(), &host);
        self.details.push((
            "way to redis",
            "through a proxy that fails as told".to_owned(),
        ));
        self.proxy = Some(proxy);
        Ok(())
    }

    /// What the service would be told, over this database and Redis.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::build(self.settings.clone())?;
        if let Some((_, url)) = &self.own {
            config.source = url.clone();
        }
        config.redis.clone_from(&self.redis);
        Ok(config)
    }

    /// Whether the database belongs to the run, and goes with it.
    pub(super) const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// A prefix that nobody has used.
    pub(super) fn another_prefix(&self) -> String {
        let part = self.parts.fetch_add(1, Ordering::Relaxed);
        format!("{}{part}:", self.prefix)
    }

    /// Where Redis is, if there is one.
    pub(super) fn redis(&self) -> Option<&tingkat_redis::Config> {
        self.redis.as_ref()
    }

    /// The faults on the way to Redis.
    pub(super) fn faults(&self) -> Option<Control> {
        self.proxy.as_ref().map(|proxy| (**proxy).clone())
    }

    /// Removes from Redis what the run has left there.
    pub(super) async fn clean(&self) -> Result<(), Failure> {
        let Some(cleaner) = &self.cleaner else {
            return Ok(());
        };
        let outcome = clean(cleaner, &self.prefix).await;
        cleaner.close().await;
        outcome.map(drop).map_err(|error| {
            let prefix = &self.prefix;
            let tried =
                format!("failed to remove the keys {prefix}* from redis; they end by themselves");
            Failure::chained(Code::Unreachable, tried, &error)
        })
    }
}

/// What the servers do when they are full, and when that is.
fn evicts(servers: &[ServerFacts]) -> String {
    let mut all: Vec<String> = servers.iter().map(evicts_alone).collect();
    all.sort();
    all.dedup();
    if all.is_empty() {
        return "unknown".to_owned();
    }
    all.join("; ")
}

fn evicts_alone(server: &ServerFacts) -> String {
    let policy = match server.maxmemory_policy.as_str() {
        "" => "an unknown maxmemory-policy",
        policy => policy,
    };
    match server.maxmemory {
        None => policy.to_owned(),
        Some(0) => format!("{policy}, without a limit"),
        Some(bytes) => format!("{policy}, at {} MiB", bytes >> 20),
    }
}

/// How long a PING takes, the fastest of some.
async fn round_trip(redis: &Probe) -> String {
    let mut fastest = None;
    for _ in 0..20 {
        let began = SystemClock.now();
        if redis.ping().await.is_ok() {
            let took = SystemClock.now().since(began);
            fastest = Some(fastest.map_or(took, |known: Duration| known.min(took)));
        }
    }
    fastest.map_or_else(
        || "unknown".to_owned(),
        |fastest| format!("{} µs", fastest.as_micros()),
    )
}
