//! A node under observation, and its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tingkat::error::GetError;
use tingkat_health::{Look, Monitor, Report};
use tingkat_testkit::redis::Config as RedisConfig;
use tingkat_testkit::{Postgres, Redis, eventually, postgres};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::super::audit::Auditor;
use super::super::{Eyes, Looker};
use crate::config::{self, Config, Flags, Health, Policies, Surroundings};
use crate::serve::Parts;

/// Longer than anything takes, so that a test fails and does not hang.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A statement that waits for a lock is left alone by then.
const AUDITED_WITHIN: Duration = Duration::from_millis(300);

/// The demo store in a database of its own, and a Redis that evicts.
pub(super) struct Store {
    pub(super) database: postgres::Database<'static>,
    pub(super) redis: Redis,
}

impl Store {
    pub(super) async fn new() -> Self {
        let database = Postgres::shared().await.unwrap();
        install(&database.url()).await;
        Self {
            database,
            redis: evicting().start().await.unwrap(),
        }
    }

    pub(super) async fn psql(&self, sql: &str) {
        self.database.psql(sql).await.unwrap();
    }

    /// A node in front of both, with these keys set.
    pub(super) async fn ward(&self, keys: &[(&str, &str)]) -> Ward {
        let (url, redis) = (self.database.url(), self.redis.url());
        let mut all = vec![("DATABASE_URL", &*url), ("REDIS_URL", &*redis)];
        all.extend(keys);
        Ward::of(&all).await
    }
}

pub(super) fn evicting() -> RedisConfig {
    let config = Redis::config().volatile();
    config.max_memory(1 << 30, "allkeys-lru")
}

/// Puts the demo store and its change log into a database.
pub(super) async fn install(url: &str) {
    let config = tingkat_sql::Config::default();
    let url = url.parse().unwrap();
    let database = tingkat_sql::Database::open(&url, &config).await.unwrap();
    tingkat_sql::install_demo(&database).await.unwrap();
    tingkat_sql::install_changes(&database).await.unwrap();
    database.close().await;
}

/// A node under observation.
pub(super) struct Ward {
    parts: Parts,
    looker: Looker,
    eyes: Eyes,
    auditor: Auditor,
    monitor: Monitor,
    report: Arc<Report>,
    now: Duration,
    /// All that was ever bad.
    seen: BTreeSet<String>,
    /// Nobody changes them, and who listens to nobody would not wait.
    _settled: (watch::Sender<Policies>, watch::Sender<Health>),
}

fn read(keys: &[(&str, &str)]) -> Config {
    let usual = [
        // A busy machine polls late.
        ("TINGKAT__FEED__STALENESS_BOUND", "3s"),
        ("TINGKAT__FEED__CHECK_INTERVAL", "1s"),
        ("TINGKAT__REDIS__KEY_PREFIX", "shop:"),
    ];
    let variables = usual.iter().chain(keys);
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).into()));
    let from = Surroundings {
        variables: variables.collect::<BTreeMap<_, _>>(),
        files: (|_: &Path| Err(io::ErrorKind::NotFound.into())).into(),
        memory: Some(8 << 30),
    };
    let settings = config::load(&Flags::default(), &from).into_settings();
    Config::build(settings.unwrap()).unwrap()
}

impl Ward {
    /// One that was looked at until all is well.
    pub(super) async fn of(keys: &[(&str, &str)]) -> Self {
        let config = read(keys);
        let (parts, prefix) = Parts::assemble(&config, false).await.unwrap();
        let (policy, policies) = watch::channel(config.policies.clone());
        let (judging, judged_by) = watch::channel(config.health.clone());
        let (refused, _) = oneshot::channel();
        let stop = CancellationToken::new();
        let observed = parts.watch(&config, policies, refused, stop.clone());
        let looker = Looker {
            database: parts.database.clone(),
            redis: parts.redis.clone(),
            node: parts.node.clone(),
            clock: Arc::clone(&parts.clock),
            observed: observed.subscribe(),
            counts: Arc::clone(&parts.counts),
            judged_by: judged_by.clone(),
            prefix,
            report: watch::Sender::default(),
            stop,
        };
        let auditor = Auditor {
            node: parts.node.clone(),
            clock: Arc::clone(&parts.clock),
            counts: Arc::clone(&parts.counts),
            judged_by,
        };
        let mut monitor = Monitor::default();
        let mut ward = Self {
            parts,
            eyes: looker.eyes(),
            looker,
            auditor,
            report: monitor.take(Look::default()),
            monitor: Monitor::default(),
            now: Duration::ZERO,
            seen: BTreeSet::new(),
            _settled: (policy, judging),
        };
        ward.becomes_so(|ward| ward.bad().is_empty() && ward.is_known("change_log"))
            .await;
        // Not to be connected yet is no trouble.
        ward.monitor = Monitor::default();
        ward.look_after(10).await;
        ward.look_after(10).await;
        ward.seen.clear();
        ward
    }

    pub(super) fn is_bad(&self, id: &str) -> bool {
        self.bad().iter().any(|it| it == id)
    }

    pub(super) fn is_known(&self, id: &str) -> bool {
        let mut checks = self.report.checks.iter();
        checks.any(|said| said.id == id && said.value.is_some())
    }

    /// The checks that are bad so many seconds later.
    pub(super) async fn look_after(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        let health = self.looker.judged_by.borrow().clone();
        let audit = self.auditor.audit(health.audits);
        let _ = tokio::time::timeout(AUDITED_WITHIN, audit).await;
        let mut look = self.looker.look(&health, &mut self.eyes).await;
        look.at = self.now;
        for server in look.redis.iter_mut().flat_map(|it| &mut it.servers) {
            // A busy machine answers late, which is no trouble of the server.
            server.answer_ms = None;
        }
        self.report = self.monitor.take(look);
        self.seen.extend(self.bad());
        self.bad()
    }

    fn bad(&self) -> Vec<String> {
        let bad = self.report.checks.iter();
        bad.filter(|said| said.status.is_bad())
            .map(|said| said.id.clone())
            .collect()
    }

    async fn becomes_so(&mut self, is_right: impl Fn(&Self) -> bool) {
        let ward = tokio::sync::Mutex::new(self);
        let right = eventually(PATIENCE, async || {
            let mut ward = ward.lock().await;
            ward.look_after(3).await;
            is_right(&ward)
        });
        let right = right.await;
        let ward = ward.into_inner();
        assert!(right.is_ok(), "{:?}", ward.bad());
    }

    /// Looks until this is bad.
    pub(super) async fn raises(&mut self, id: &str) {
        self.becomes_so(|ward| ward.is_bad(id)).await;
    }

    /// All that happened leaves every window.
    pub(super) async fn heals(&mut self) {
        self.becomes_so(|ward| !ward.bad().iter().any(|id| STANDING.contains(&id.as_str())))
            .await;
        self.look_after(301).await;
        self.look_after(10).await;
        self.becomes_so(|ward| ward.bad().is_empty()).await;
    }

    /// Asks for a product.
    pub(super) async fn product(&self, id: u64) -> Result<(), GetError> {
        let id = id.to_string().parse().unwrap();
        let products = &self.parts.shop.products;
        let answer = products.by_id(&id, tingkat::Options::default()).await;
        answer.map(|_| ())
    }

    /// What a product is called.
    pub(super) async fn name_of(&self, id: u64) -> Option<String> {
        let id = id.to_string().parse().unwrap();
        let products = &self.parts.shop.products;
        let answer = products.by_id(&id, tingkat::Options::default()).await;
        answer.ok()?.value().map(|product| product.name.clone())
    }

    /// Asks for these at once.
    pub(super) async fn products(&self, ids: impl Iterator<Item = u64>) {
        let asked = ids.map(|id| async move {
            // What comes of it is seen in health.
            let _ = self.product(id).await;
        });
        futures::future::join_all(asked).await;
    }

    /// How many answers were marked.
    pub(super) fn stale_answers(&self) -> u64 {
        let product = self.parts.node.registry().find("product").unwrap();
        product.stats().stale_answers.get()
    }

    /// Begins with empty tiers.
    pub(super) async fn forgets_all(&self) {
        self.parts.node.forget_everything().await.unwrap();
    }

    /// That these were bad, each of them, and are so no more; and nothing else was but what goes along
    /// with them.
    pub(super) async fn has_shown(self, raised: &[&str], beside: &[&str]) {
        let silent = raised.iter().find(|id| !self.seen.contains(**id));
        assert_eq!(silent, None, "never raised");
        // On a busy machine any command of a server may take long, and come back late.
        let named = |id: &&String| {
            let lists = [raised, beside, &["command_time", "round_trip_p99"]];
            lists.iter().any(|list| list.contains(&id.as_str()))
        };
        let strange: Vec<&String> = self.seen.iter().filter(|id| !named(id)).collect();
        assert_eq!(strange, [""; 0], "raised as well");
        let bad = self.bad();
        let ill = bad.iter().find(|id| raised.contains(&id.as_str()));
        assert_eq!(ill, None, "does not heal");
        self.stop().await;
    }

    /// Stops the node.
    pub(super) async fn stop(self) {
        self.looker.stop.cancel();
        self.parts.close().await;
    }
}

/// What lasts until its cause is gone, whatever time passes.
const STANDING: [&str; 4] = ["poll_age", "change_log", "canary", "redis_reachable"];
