//! A run: several nodes over one store and one Redis, with writers and readers at work, whatever
//! goes wrong meanwhile; and what the checker says of it in the end.

mod faults;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tingkat_testkit::{Postgres, Redis, Result, eventually, postgres, redis};

use crate::environment::{SWITCH_OFF, nodes, seed, switched_off};
use crate::history::{Fault, Finding, History, Loads, Once, Outcome, Read, Value, Write, now};
use crate::node::{Node, PATIENCE};
use crate::reach::{Reach, Remote};
use crate::readers::{self, Readers};
use crate::report::{Again, Report};
use crate::store::{DATABASE, KEYS, Store, id, ids};
use crate::way::Way;
use crate::writers::Writers;

pub(crate) use self::faults::Ongoing;

/// What every key in Redis begins with.
pub(crate) const PREFIX: &str = "coherence:";

/// Who brings this may write.
pub(crate) const TOKEN: &str = "coherence";

/// Its SHA-256, as `printf coherence | sha256sum` prints it.
const TOKEN_DIGEST: &str = "b2f7f26289c74cdfb8835f2144a4eb532f0170ed70184762aee6e8dea9fff001";

/// How a run is set up. The default is that of fault runs on a small machine.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) nodes: usize,
    pub(crate) bound: Duration,
    pub(crate) poll: Duration,
    pub(crate) redis: redis::Config,
    pub(crate) postgres: postgres::Config,
    pub(crate) writers: usize,
    pub(crate) writers_pace: Duration,
    pub(crate) readers_of_each: usize,
    pub(crate) readers_pace: Duration,
    /// Whether some of the reads ask for a poll of their own.
    pub(crate) validates: bool,
    /// What one request may spend on Redis, if not as usual.
    pub(crate) budget: Option<Duration>,
    /// With fewer commits a run shows nothing.
    pub(crate) least_writes: usize,
    /// With fewer answers marked as stale a run shows nothing.
    pub(crate) least_marks: usize,
    /// Who loads every value once, if that is counted.
    pub(crate) counts_loads: Option<Once>,
    /// What else a node is told.
    pub(crate) variables: &'static [(&'static str, &'static str)],
}

/// Nodes of a run, unless a soak wants more.
const USUAL_NODES: usize = 3;

impl Plan {
    pub(crate) fn new(name: &'static str) -> Self {
        let nodes = nodes().unwrap_or(USUAL_NODES);
        Self {
            name,
            nodes,
            bound: Duration::from_secs(3),
            poll: Duration::from_millis(250),
            redis: Redis::config(),
            postgres: Postgres::config(),
            writers: 4,
            writers_pace: Duration::from_millis(60),
            // Together about as many, so that more nodes are not more load.
            readers_of_each: if nodes > USUAL_NODES { 1 } else { 2 },
            readers_pace: Duration::from_millis(8),
            validates: true,
            budget: None,
            least_writes: 50,
            least_marks: 0,
            counts_loads: None,
            variables: &[],
        }
    }
}

/// A run under way.
pub(crate) struct Scene<R = Redis> {
    pub(crate) plan: Plan,
    pub(crate) store: Arc<Store>,
    pub(crate) redis: R,
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) writers: Writers,
    readers: Readers,
    first: Vec<Value>,
    faults: Mutex<Vec<Fault>>,
    findings: Mutex<Vec<Finding>>,
    used_again: Mutex<Vec<Again>>,
    extra_reads: Mutex<Vec<Read>>,
    extra_writes: Mutex<Vec<Write>>,
    /// Loads of products that are none of the workload's.
    loads_besides: AtomicU64,
}

impl Scene {
    /// Starts everything, with one Redis server, and waits until every node has answered.
    pub(crate) async fn begin(plan: Plan) -> Self {
        let redis = plan.redis.clone().start();
        Self::begin_over(plan, redis).await
    }
}

impl<R: Remote> Scene<R> {
    /// The same with this Redis, which starts.
    pub(crate) async fn begin_over(plan: Plan, redis: impl Future<Output = Result<R>>) -> Self {
        let (store, redis) = tokio::join!(Store::start(plan.postgres.clone()), redis);
        let (store, redis) = (Arc::new(store), redis.unwrap());
        let first = store.rows().await;
        store.count_anew().await;
        let mut nodes = Vec::new();
        for index in 0..plan.nodes {
            nodes.push(Arc::new(node(index, &plan, &store, &redis).await));
        }
        for node in &nodes {
            node.start().await;
        }
        for node in &nodes {
            node.is_ready().await;
        }
        let seed = seed();
        let readers = Readers::start(&nodes, &plan, seed);
        let writers = Writers::start(&store, &nodes, plan.writers, plan.writers_pace, seed);
        let scene = Self {
            plan,
            store,
            redis,
            nodes,
            writers,
            readers,
            first,
            faults: Mutex::default(),
            findings: Mutex::default(),
            used_again: Mutex::default(),
            extra_reads: Mutex::default(),
            extra_writes: Mutex::default(),
            loads_besides: AtomicU64::new(0),
        };
        scene.is_busy().await;
        scene
    }

    /// Waits until so much more was written and read that what follows happens in full swing.
    pub(crate) async fn is_busy(&self) {
        let reads = |node: usize| self.readers.answered(node);
        let (writes, before) = (
            self.writers.committed(),
            (0..self.nodes.len()).map(reads).collect::<Vec<_>>(),
        );
        let wanted = if self.plan.writers == 0 { 0 } else { 20 };
        let more = if self.plan.readers_of_each == 0 {
            0
        } else {
            100
        };
        eventually(PATIENCE, || {
            let has_read = before
                .iter()
                .enumerate()
                .all(|(node, before)| reads(node) >= before + more);
            std::future::ready(has_read && self.writers.committed() >= writes + wanted)
        })
        .await
        .unwrap_or_else(|_| panic!("readers or writers do not get on:\n{}", self.logs()));
    }

    /// Look-ups that the readers of a node had answered so far.
    pub(crate) fn answered(&self, node: usize) -> u64 {
        self.readers.answered(node)
    }

    /// Waits until a node says that it has Redis.
    pub(crate) async fn sees_redis(&self, node: &Node) {
        eventually(PATIENCE, async || {
            let answer = node.target().unwrap().get("/readyz").await.ok()?;
            let redis = answer.json().ok()?.get("redis")?.as_str()? == "up";
            redis.then_some(())
        })
        .await
        .unwrap_or_else(|_| panic!("node {} has no Redis:\n{}", node.index, node.log()));
    }

    /// Lets everybody work for so long.
    pub(crate) async fn goes_on(&self, duration: Duration) {
        let until = now() + duration;
        let passed = eventually(duration + PATIENCE, || std::future::ready(now() >= until));
        passed.await.unwrap();
    }

    /// Looks at every row while nobody writes. `is_other_database` says that what is missing was
    /// lost with the old one.
    pub(crate) async fn look(&self, is_other_database: bool) {
        let rows = self.store.rows().await;
        self.findings.lock().unwrap().push(Finding {
            at: now(),
            rows,
            is_other_database,
        });
    }

    /// Adds look-ups that a run makes by itself.
    pub(crate) fn record(&self, reads: impl IntoIterator<Item = Read>) {
        self.extra_reads.lock().unwrap().extend(reads);
    }

    /// Counts a load of a product that is none of the workload's.
    pub(crate) fn has_loaded_besides(&self) {
        // Read when nobody adds any more.
        self.loads_besides.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a write that a run makes by itself.
    pub(crate) fn record_write(&self, write: Write) {
        self.extra_writes.lock().unwrap().push(write);
    }

    /// Changes every row in one transaction that does something else before, while nobody else
    /// writes.
    pub(crate) async fn change_all(&self, before: &str) {
        self.writers.pause().await;
        let rows = self.store.rows().await;
        let stamp = self.writers.stamps(KEYS + 1);
        let mut session = self.store.session();
        session.run("BEGIN;").await.unwrap();
        session.run(before).await.unwrap();
        let update = format!(
            "UPDATE product SET version = version + 1, stock_quantity = CASE WHEN id = ANY ({}) \
             THEN {stamp} + id::bigint ELSE stock_quantity END;",
            ids()
        );
        session.run(&update).await.unwrap();
        let asked = now();
        session.run("COMMIT;").await.unwrap();
        let outcome = Outcome::Committed(now());
        for (key, over) in rows.into_iter().enumerate() {
            let value = Value {
                version: over.version + 1,
                stamp: stamp + id(key).parse::<i64>().unwrap(),
            };
            self.record_write(Write {
                key,
                value,
                over,
                asked,
                outcome,
            });
        }
        self.writers.go_on();
    }

    /// The status with which a node answers.
    pub(crate) async fn status(&self, node: &Node, path: &str) -> u16 {
        let answer = node.target().unwrap().get(path).await.unwrap();
        answer.status.as_u16()
    }

    /// A node of another store that shares our Redis and our prefix.
    pub(crate) async fn node_of(&self, other: &Store) -> Node {
        let node = node(self.nodes.len(), &self.plan, other, &self.redis).await;
        node.start().await;
        node.is_ready().await;
        node
    }

    /// What the nodes have logged, for a failure.
    pub(crate) fn logs(&self) -> String {
        let logs = self.nodes.iter().map(|node| {
            let log = node.log();
            let skipped = log.lines().count().saturating_sub(25);
            let end: Vec<&str> = log.lines().skip(skipped).collect();
            format!("--- node {}\n{}\n", node.index, end.join("\n"))
        });
        logs.collect()
    }

    /// Ends the run: every node must show the newest of everything in time, and the history must
    /// keep the promise.
    pub(crate) async fn finish(self) -> Report {
        self.writers.pause().await;
        self.look(false).await;
        self.goes_on(self.plan.bound + self.plan.poll).await;
        for node in self.nodes.iter().filter(|node| node.target().is_some()) {
            self.record(readers::read_all(node).await);
        }
        let logs = self.logs();
        let loads = match self.plan.counts_loads {
            Some(once) => Some(Loads {
                once,
                rows: self.store.rows_loaded().await,
                besides: self.loads_besides.load(Ordering::Relaxed),
            }),
            None => None,
        };
        let mut reads = self.readers.finish().await;
        reads.append(&mut self.extra_reads.lock().unwrap());
        let (mut writes, mut own_reads) = self.writers.finish().await;
        reads.append(&mut own_reads);
        writes.append(&mut self.extra_writes.lock().unwrap());
        let history = History {
            bound: self.plan.bound,
            poll: self.plan.poll,
            first: self.first,
            writes,
            findings: self.findings.into_inner().unwrap(),
            reads,
            faults: self.faults.into_inner().unwrap(),
            loads,
        };
        let used_again = self.used_again.into_inner().unwrap();
        Report::of(&self.plan, history, used_again, logs)
    }
}

async fn node(index: usize, plan: &Plan, store: &Store, redis: &impl Remote) -> Node {
    let Reach { way, variables } = redis.reach().await;
    let primary = store.primary();
    let to_database = Way::to(primary.addr()).await;
    let ms = |duration: Duration| format!("{}ms", duration.as_millis());
    let mut environment = vec![
        ("DATABASE_URL", primary.url_at(to_database.port(), DATABASE)),
        ("REDIS_KEY_PREFIX", PREFIX.to_owned()),
        ("TINGKAT__SERVER__TOKENS", format!("write:{TOKEN_DIGEST}")),
        ("TINGKAT__FEED__STALENESS_BOUND", ms(plan.bound)),
        ("TINGKAT__FEED__POLL_INTERVAL", ms(plan.poll)),
        // Comparisons with the database are loads that no reader sees.
        ("TINGKAT__HEALTH__AUDITS", "0".to_owned()),
    ];
    environment.extend(variables);
    let others = plan.variables.iter();
    environment.extend(others.map(|(name, value)| (*name, (*value).to_owned())));
    if let Some(budget) = plan.budget {
        environment.push(("TINGKAT__REDIS__BUDGET", ms(budget)));
    }
    if let Some(rule) = switched_off() {
        environment.push((SWITCH_OFF, rule));
    }
    let environment = environment
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Node::new(index, way, to_database, environment)
}
