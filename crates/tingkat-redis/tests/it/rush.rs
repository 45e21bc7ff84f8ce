//! Customers who read all the time while a store changes its prices, on nodes with a tier in front
//! of servers in trouble: nobody may notice more than that answers are loaded again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tingkat::breaker;
use tingkat::clock::SystemClock;
use tingkat::policy::{Placement, Policy};
use tingkat::ports::{Clock as _, Tick};
use tingkat::{Cache, Node, Options, Tier};
use tingkat_redis::{Config, Redis, State};
use tingkat_testkit::eventually;
use tingkat_testkit::fakes::{FakeDatabase, FakeSource, Versioned};
use tokio::task::JoinSet;

use crate::stage::{PREFIX, SOON, is_up, start};

/// How old an answer may be.
const BOUND: Duration = Duration::from_secs(3);

/// How soon the tier must answer again for every key once the trouble is over.
const HITS_AGAIN: Duration = Duration::from_secs(5);

const ENTITY: &str = "price";
const KEYS: usize = 60;
const NODES: usize = 2;
const READERS_PER_NODE: usize = 4;

/// A load generator keeps a pace: this long between two reads of a customer, and two changes.
const PACE: Duration = Duration::from_millis(2);
const CHANGES: Duration = Duration::from_millis(20);

pub(crate) struct Rush {
    pub(crate) remotes: Vec<Arc<Redis>>,
    nodes: Vec<Node>,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    database: FakeDatabase,
    source: FakeSource,
    /// When each version of each key was committed.
    written: Mutex<HashMap<String, Vec<Tick>>>,
    /// Which keys each node has read from Redis since the last look.
    hit: Mutex<Vec<[bool; KEYS]>>,
    reads: AtomicUsize,
    hits: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Rush {
    /// Begins, and waits until every key comes from Redis.
    pub(crate) async fn start(config: impl Fn() -> Config) -> Self {
        let database = FakeDatabase::new();
        let shared = Arc::new(Shared {
            source: FakeSource::new(&database, ENTITY),
            database,
            written: Mutex::default(),
            hit: Mutex::new(vec![[false; KEYS]; NODES]),
            reads: AtomicUsize::new(0),
            hits: AtomicUsize::new(0),
            wrong: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        for key in 0..KEYS {
            shared.write(&name(key));
        }
        let (mut remotes, mut nodes, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        for index in 0..NODES {
            let remote = Arc::new(start(config()));
            is_up(&remote).await;
            let cache = shared.cache(&remote);
            remotes.push(remote);
            nodes.push(cache.node().clone());
            for reader in 0..READERS_PER_NODE {
                let (shared, cache) = (Arc::clone(&shared), cache.clone());
                tasks.spawn(async move { shared.read(index, reader, &cache).await });
            }
        }
        let writing = Arc::clone(&shared);
        tasks.spawn(async move { writing.change().await });
        let rush = Self {
            remotes,
            nodes,
            shared,
            tasks,
        };
        rush.hits_again("the start", SOON).await;
        rush
    }

    /// Waits until every node reads every key from Redis, and prints how long that took.
    pub(crate) async fn recovers(&self, after: &str) {
        self.hits_again(after, HITS_AGAIN).await;
    }

    async fn hits_again(&self, after: &str, within: Duration) {
        let since = SystemClock.now();
        self.forget_hits();
        let all = eventually(within, async || {
            let hit = self.shared.hit.lock().unwrap();
            hit.iter().flatten().all(|&is_hit| is_hit)
        });
        let took = all.await.map(|()| SystemClock.now().since(since));
        let states: Vec<State> = self
            .remotes
            .iter()
            .map(|r| r.state().borrow().clone())
            .collect();
        let took = took.unwrap_or_else(|_| panic!("no hits after {after}: {states:?}"));
        println!("after {after}: every key of {KEYS} from redis on {NODES} nodes within {took:?}");
    }

    fn forget_hits(&self) {
        self.shared.hit.lock().unwrap().fill([false; KEYS]);
    }

    /// Waits until customers have read this often, however long a busy machine takes.
    pub(crate) async fn goes_on(&self, reads: usize) {
        let until = self.shared.reads.load(Ordering::Relaxed) + reads;
        eventually(SOON, async || {
            self.shared.reads.load(Ordering::Relaxed) >= until
        })
        .await
        .unwrap();
    }

    /// How many of the keys come from Redis at the moment, on the node where fewest do.
    pub(crate) async fn keys_hit(&self) -> usize {
        self.forget_hits();
        self.goes_on(40 * KEYS).await;
        let hit = self.shared.hit.lock().unwrap();
        let counts = hit
            .iter()
            .map(|keys| keys.iter().filter(|hit| **hit).count());
        counts.min().unwrap()
    }

    /// Whether the engine uses the tier as a whole, whatever parts of it are away.
    pub(crate) fn is_used(&self) -> bool {
        let is_closed = |node: &Node| node.breaker() == Some(breaker::State::Closed);
        self.nodes.iter().all(is_closed)
    }

    /// Ends it: nobody got an error, an old value, or a mark.
    pub(crate) async fn ends_well(mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let wrong = self.shared.wrong.lock().unwrap();
        assert!(
            wrong.is_empty(),
            "{} wrong reads: {:#?}",
            wrong.len(),
            &wrong[..wrong.len().min(5)]
        );
        let (reads, hits) = (&self.shared.reads, &self.shared.hits);
        println!(
            "{} reads, 0 failed, 0 old, 0 marked; {} from redis; {} loads",
            reads.load(Ordering::Relaxed),
            hits.load(Ordering::Relaxed),
            self.shared.source.batches().len(),
        );
    }
}

fn name(key: usize) -> String {
    format!("key {key}")
}

impl Shared {
    /// A cache that keeps nothing in memory, so that every read asks Redis.
    fn cache(&self, remote: &Arc<Redis>) -> Cache<String, Versioned> {
        let node = Node::builder()
            .prefix(PREFIX)
            .remote(Arc::<Redis>::clone(remote))
            .change_log(Arc::new(self.database.log()))
            .staleness_bound(BOUND)
            .remote_budget(BUDGET)
            .build();
        Cache::builder(ENTITY)
            .node(&node)
            .policy(Policy {
                placement: Placement::Remote,
                ..Policy::default()
            })
            .source(Arc::new(self.source.clone()))
            .build()
    }

    fn write(&self, key: &str) {
        let mut written = self.written.lock().unwrap();
        let versions = written.entry(key.to_owned()).or_default();
        self.database.write(ENTITY, key, versions.len() as u64);
        versions.push(SystemClock.now());
    }

    async fn change(&self) {
        let mut key = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            self.write(&name(key % KEYS));
            // Each once in a while, in an order of its own.
            key += 7;
            tokio::time::sleep(CHANGES).await;
        }
    }

    async fn read(&self, node: usize, reader: usize, cache: &Cache<String, Versioned>) {
        let mut key = reader * 13;
        while !self.is_over.load(Ordering::Relaxed) {
            key = (key + 11) % KEYS;
            let (name, since) = (name(key), SystemClock.now());
            let answer = cache.look_up(&name, Options::default()).await;
            self.reads.fetch_add(1, Ordering::Relaxed);
            match answer {
                Ok(answer) => {
                    if answer.trail().stale {
                        self.complain(format!("{name} is marked"));
                    }
                    if answer.trail().tier == Tier::Remote {
                        self.hits.fetch_add(1, Ordering::Relaxed);
                        self.hit.lock().unwrap()[node][key] = true;
                    }
                    self.judge(&name, since, answer.value());
                }
                Err(error) => self.complain(format!("{name}: {error}")),
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// A version is old if the next one was committed before the bound began.
    fn judge(&self, key: &str, since: Tick, value: Option<&Versioned>) {
        let Some(value) = value.filter(|value| value.key == key) else {
            return self.complain(format!("{key} reads {value:?}"));
        };
        let written = self.written.lock().unwrap();
        let next = usize::try_from(value.version).unwrap() + 1;
        let is_old = written[key]
            .get(next)
            .is_some_and(|&committed| committed < since.before(BOUND));
        drop(written);
        if is_old {
            self.complain(format!("{key} reads the old {value:?}"));
        }
    }

    fn complain(&self, of: String) {
        self.wrong.lock().unwrap().push(of);
    }
}

/// What a read may spend on Redis; more than the tier's own timeout, so that a node of a cluster
/// that is silent is told from a tier that is.
const BUDGET: Duration = Duration::from_millis(250);

/// A tier for a rush: in a hurry, though not as much as in production, for busy machines.
pub(crate) fn hurried(url: &str) -> Config {
    let mut config = Config::new(url.parse().unwrap(), PREFIX);
    config.response_timeout = Duration::from_millis(150);
    config
}
