//! The stage of every scenario: nodes over one fake Redis and one fake database, in paused time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::certificate::Dep;
use tingkat::error::SourceError;
use tingkat::key::KeySpace;
use tingkat::ports::{Loaded, Source};
use tingkat::{Answer, Cache, GetError, Node, Options, Policy};
use tingkat_testkit::TestClock;
use tingkat_testkit::fakes::{
    FakeDatabase, FakeRedis, FakeSource, LogHandle, RedisHandle, Versioned,
};

/// The entity of nearly every scenario.
pub(crate) const ENTITY: &str = "product";

/// The neighbours that all nodes share.
pub(crate) struct Stage {
    pub(crate) redis: FakeRedis,
    pub(crate) database: FakeDatabase,
    pub(crate) clock: TestClock,
    /// Loads from the database; shared, so that it counts the loads of all nodes.
    pub(crate) source: FakeSource,
    seeds: AtomicU64,
}

impl Stage {
    /// An empty Redis, and a database in which product 7 has version 1.
    pub(crate) fn new() -> Self {
        let database = FakeDatabase::new();
        database.write(ENTITY, "7", 1);
        Self {
            redis: FakeRedis::new(),
            source: FakeSource::new(&database, ENTITY),
            database,
            clock: TestClock::new(),
            seeds: AtomicU64::new(1),
        }
    }

    /// A node with everything: memory, Redis, change log, the shared source.
    pub(crate) async fn node(&self) -> Shop {
        self.plan().open().await
    }

    /// A node with everything and another policy.
    pub(crate) async fn node_with(&self, policy: Policy) -> Shop {
        self.plan().policy(policy).open().await
    }

    /// A node that differs.
    pub(crate) fn plan(&self) -> Plan<'_> {
        Plan {
            stage: self,
            name: ENTITY,
            schema: 1,
            policy: still(),
            node: Node::builder(),
            clock: self.clock,
            has_log: true,
            has_redis: true,
            source: Some(Arc::new(self.source.clone())),
            deps: None,
        }
    }

    /// How often product 7 was loaded, by whichever node.
    pub(crate) fn loads(&self) -> usize {
        self.source.loads("7")
    }

    /// Writes product 7 to the database as the store would.
    pub(crate) fn write(&self, version: u64) {
        self.database.write(ENTITY, "7", version);
    }
}

/// The default policy without chance.
pub(crate) fn still() -> Policy {
    Policy {
        jitter: 0.0,
        early_refresh: 0.0,
        ..Policy::default()
    }
}

/// A node that is yet to be built.
pub(crate) struct Plan<'a> {
    stage: &'a Stage,
    name: &'static str,
    schema: u32,
    policy: Policy,
    node: tingkat::node::Builder,
    clock: TestClock,
    has_log: bool,
    has_redis: bool,
    source: Option<Arc<dyn Source<String, Versioned>>>,
    deps: Option<fn(&Versioned) -> Vec<Dep>>,
}

impl Plan<'_> {
    pub(crate) fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn clock(mut self, clock: TestClock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets up the node further.
    pub(crate) fn tune(
        mut self,
        tune: impl FnOnce(tingkat::node::Builder) -> tingkat::node::Builder,
    ) -> Self {
        self.node = tune(self.node);
        self
    }

    /// Freshness by time alone.
    pub(crate) fn without_log(mut self) -> Self {
        self.has_log = false;
        self
    }

    pub(crate) fn without_redis(mut self) -> Self {
        self.has_redis = false;
        self
    }

    pub(crate) fn without_source(mut self) -> Self {
        self.source = None;
        self
    }

    pub(crate) fn source(mut self, source: Arc<dyn Source<String, Versioned>>) -> Self {
        self.source = Some(source);
        self
    }

    pub(crate) fn deps(mut self, deps: fn(&Versioned) -> Vec<Dep>) -> Self {
        self.deps = Some(deps);
        self
    }

    /// A source that answers each key with `load`, told how often it was asked before.
    pub(crate) fn load<L>(mut self, load: impl Fn(String, u64) -> L + Send + Sync + 'static) -> Self
    where
        L: Future<Output = Result<Loaded<Versioned>, SourceError>> + Send + 'static,
    {
        self.source = Some(Arc::new(Scripted {
            calls: AtomicU64::new(0),
            load: Box::new(move |key, call| Box::pin(load(key, call))),
        }));
        self
    }

    /// Builds the node and lets it hear of the log.
    pub(crate) async fn open(self) -> Shop {
        let (redis, log) = (self.stage.redis.handle(), self.stage.database.log());
        let shop = self.open_over(redis, log);
        hop(1).await;
        shop
    }

    /// Builds the node on neighbours that may be away already.
    pub(crate) fn open_over(self, redis: RedisHandle, log: LogHandle) -> Shop {
        let events = Events::default();
        let mut node = self
            .node
            .clock(Arc::new(self.clock))
            .seed(self.stage.seeds.fetch_add(1, Ordering::Relaxed))
            .on_event(events.listener());
        if self.has_redis {
            node = node.remote(Arc::new(redis.clone()));
        }
        if self.has_log {
            node = node.change_log(Arc::new(log.clone()));
        }
        let node = node.build();
        let mut cache = Cache::builder(self.name)
            .node(&node)
            .schema(self.schema)
            .policy(self.policy);
        if let Some(source) = self.source {
            cache = cache.source(source);
        }
        if let Some(deps) = self.deps {
            cache = cache.deps(deps);
        }
        Shop {
            cache: cache.build(),
            node,
            redis,
            log,
            events,
        }
    }
}

/// One node with its cache of products and its ways to the neighbours.
pub(crate) struct Shop {
    pub(crate) node: Node,
    pub(crate) cache: Cache<String, Versioned>,
    pub(crate) redis: RedisHandle,
    pub(crate) log: LogHandle,
    pub(crate) events: Events,
}

impl Shop {
    /// The version of product 7, if it exists.
    pub(crate) async fn version(&self) -> Option<u64> {
        self.version_of("7").await
    }

    pub(crate) async fn version_of(&self, key: &str) -> Option<u64> {
        self.cache
            .get(&key.to_owned())
            .await
            .unwrap()
            .map(|value| value.version)
    }

    /// The answer for product 7 with its trail.
    pub(crate) async fn look(&self) -> Answer<Versioned> {
        self.try_look().await.unwrap()
    }

    pub(crate) async fn try_look(&self) -> Result<Answer<Versioned>, GetError> {
        self.look_with(Options::default()).await
    }

    pub(crate) async fn look_with(&self, options: Options) -> Result<Answer<Versioned>, GetError> {
        self.cache.look_up(&key(), options).await
    }

    /// What memory has for product 7 that is current.
    pub(crate) fn in_memory(&self) -> Option<u64> {
        self.cache.peek(&key()).map(|value| value.version)
    }

    /// Another task that looks for product 7.
    #[expect(clippy::disallowed_methods, reason = "a caller of its own")]
    pub(crate) fn caller(&self) -> tokio::task::JoinHandle<Result<Answer<Versioned>, GetError>> {
        let cache = self.cache.clone();
        tokio::spawn(async move { cache.look_up(&key(), Options::default()).await })
    }
}

/// Where product 7 is in Redis.
pub(crate) fn cell() -> String {
    KeySpace::new("tingkat:", ENTITY, 1).cell(&key())
}

/// The key of product 7.
pub(crate) fn key() -> String {
    "7".to_owned()
}

/// A value as the fake source makes it.
pub(crate) fn product(key: &str, version: u64) -> Versioned {
    Versioned {
        key: key.to_owned(),
        version,
    }
}

pub(crate) fn version(answer: &Answer<Versioned>) -> Option<u64> {
    answer.value().map(|value| value.version)
}

/// Lets time pass, and everything that is due in it.
pub(crate) async fn hop(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a node told.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    /// Hears all but the polls, which come ten times a second.
    fn listener(&self) -> impl Fn(tingkat::event::Event<'_>) + Send + Sync + use<> {
        let told = Arc::clone(&self.0);
        move |event| {
            if !matches!(event, tingkat::event::Event::Polled { .. }) {
                told.lock().unwrap().push(format!("{event:?}"));
            }
        }
    }

    /// How many events of a name there were, such as `ServedStale`.
    pub(crate) fn count(&self, name: &str) -> usize {
        let told = self.0.lock().unwrap();
        told.iter().filter(|event| event.starts_with(name)).count()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

type Script =
    dyn Fn(String, u64) -> BoxFuture<'static, Result<Loaded<Versioned>, SourceError>> + Send + Sync;

struct Scripted {
    calls: AtomicU64,
    load: Box<Script>,
}

impl Source<String, Versioned> for Scripted {
    fn load<'a>(
        &'a self,
        wanted: &'a [tingkat::ports::Wanted<String, Versioned>],
    ) -> BoxFuture<'a, Result<tingkat::ports::Batch<Versioned>, SourceError>> {
        Box::pin(async move {
            let mut loaded = Vec::new();
            for wanted in wanted {
                let call = self.calls.fetch_add(1, Ordering::Relaxed);
                loaded.push((self.load)(wanted.key.clone(), call).await?);
            }
            Ok(tingkat::ports::Batch {
                certificate: None,
                loaded,
            })
        })
    }
}
