//! A sound installation: PostgreSQL, Redis, two nodes, and two as a run starts them, one of which has its
//! Redis behind a proxy; each behind something that can lie about it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tingkat::clock::SystemClock;
use tingkat_faults::{Control, Proxy};
use tingkat_lab::verify::{self, Failing, Group, Report, Scene, Status};
use tingkat_lab::{Method, Target};
use tingkat_testkit::postgres::Database;
use tingkat_testkit::{Postgres, Redis, eventually};
use tokio_util::sync::CancellationToken;

use crate::liar::Liar;
use crate::program::{Folder, Node, PATIENCE, Program};
use crate::rewriter::Rewriter;
use crate::wiring::{Keys, Store};

pub(crate) const TOKEN: &str = "foo-operates";

/// What the SHA-256 of the token opens.
pub(crate) const TOKENS: &str = "operate:b18f9838d3d780193cb3618dc1369508c76b0ad806a5482af8457a03353c6207,write:b18f9838d3d780193cb3618dc1369508c76b0ad806a5482af8457a03353c6207";

pub(crate) const PREFIX: &str = "it:verify:";

/// What the keys of the last two nodes begin with.
const SCRATCH: &str = "it:verify:verify:";

/// Who logs in to Redis.
pub(crate) const USER: &str = "shop";

pub(crate) const PASSWORD: &str = "of-the-redis";

/// Who the second node is to the database, with the rights of docs/postgres.md.
pub(crate) const SECOND: &str = "second_node";

/// Longer than all checks take together, also on a machine that is busy.
const WHOLE: Duration = Duration::from_mins(5);

/// No check is slow on a sound installation; this is for a machine that is.
const DEADLINE: Duration = Duration::from_secs(8);

/// What stands for a run.
pub(crate) struct Installation {
    pub(crate) database: Database<'static>,
    pub(crate) redis: Redis,
    /// Before the nodes, in their order.
    pub(crate) liars: Vec<Liar>,
    /// Before the way to Redis past the nodes.
    pub(crate) rewriter: Rewriter,
    proxy: Proxy,
    /// Before the same Redis, and nobody goes through it.
    idle: Proxy,
    /// Before the database of the second node.
    pub(crate) database_proxy: Proxy,
    store: Arc<Store>,
    keys: Arc<Keys>,
    _nodes: Vec<Node>,
}

/// A new database with the demo store.
pub(crate) async fn installed() -> Database<'static> {
    let database = Postgres::shared().await.unwrap();
    let ended = Program::new(&Folder::new(), &["schema", "install", "--demo"])
        .with("DATABASE_URL", database.url())
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    database
}

/// A role that serves, and nothing else.
async fn create_second(database: &Database<'_>) {
    let rows =
        "category, postcode, product, product_category, product_image, product_variant, state";
    let sql = format!(
        "DO $$ BEGIN CREATE ROLE {SECOND} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT SELECT ON {rows} TO {SECOND};
         GRANT UPDATE ON product TO {SECOND};
         GRANT USAGE ON SCHEMA tingkat TO {SECOND};
         GRANT SELECT ON ALL TABLES IN SCHEMA tingkat TO {SECOND}"
    );
    database.psql(&sql).await.unwrap();
}

/// Redis at a port, as the nodes log in.
pub(crate) fn url_at(redis: &Redis, port: u16) -> String {
    redis.url_at(port).replace("://:", &format!("://{USER}:"))
}

/// A Redis as a shop has it.
pub(crate) async fn redis() -> Redis {
    let rules = format!("on >{PASSWORD} ~* &* +@all");
    let config = Redis::config().password(PASSWORD).user(USER, &rules);
    config
        .max_memory(256 << 20, "allkeys-lfu")
        .start()
        .await
        .unwrap()
}

impl Installation {
    pub(crate) async fn start() -> Self {
        let (database, redis) = tokio::join!(installed(), redis());
        create_second(&database).await;
        let proxy = Proxy::start(redis.addr()).await.unwrap();
        let idle = Proxy::start(redis.addr()).await.unwrap();
        let database_proxy = Proxy::start(database.server().addr()).await.unwrap();
        let behind = database_proxy.addr().port();
        let behind = database.server().url_at(behind, database.name());
        let (_, place) = behind.split_once('@').unwrap();
        let behind = format!("postgres://{SECOND}@{place}");
        let rewriter = Rewriter::before(redis.addr()).await;
        let (mut nodes, mut liars) = (Vec::new(), Vec::new());
        let ports = [
            redis.port(),
            redis.port(),
            proxy.addr().port(),
            redis.port(),
        ];
        for (index, port) in ports.into_iter().enumerate() {
            let prefix = if index < 2 { PREFIX } else { SCRATCH };
            let node = Program::serve(&Folder::new())
                .with(
                    "DATABASE_URL",
                    if index == 1 {
                        behind.clone()
                    } else {
                        database.url()
                    },
                )
                .with("REDIS_URL", url_at(&redis, port))
                .with("REDIS_KEY_PREFIX", prefix)
                .with("TINGKAT__SERVER__TOKENS", TOKENS)
                .with("TINGKAT__WARM__ON_START", "true")
                // What is broken for a while is no alert of the next run.
                .with("TINGKAT__ALERTS__WARNING_AFTER", "100")
                .with("TINGKAT__ALERTS__CRITICAL_AFTER", "100")
                .listening()
                .await;
            node.sees("redis", "up").await;
            is_warm(&node).await;
            liars.push(Liar::before(Arc::clone(&node.target)).await);
            nodes.push(node);
        }
        let url = database.url().parse().unwrap();
        let config = tingkat_sql::Config::default();
        let opened = tingkat_sql::Database::open(&url, &config).await.unwrap();
        let at = url_at(&redis, rewriter.address.port()).parse().unwrap();
        let config = tingkat_redis::Config::new(at, PREFIX);
        let keys = tingkat_redis::Probe::start(config, Arc::new(SystemClock));
        keys.is_there(PATIENCE).await.unwrap();
        Self {
            store: Arc::new(Store(tingkat_sql::Probe::new(opened))),
            keys: Arc::new(Keys(keys)),
            _nodes: nodes,
            database,
            redis,
            liars,
            rewriter,
            proxy,
            idle,
            database_proxy,
        }
    }

    fn node(&self, index: usize) -> verify::Node {
        let target = Target::new(self.liars[index].address).deadline(DEADLINE);
        let token = SecretString::from(TOKEN);
        verify::Node::new(format!("node {index}"), target, Some(token))
    }

    /// The keys in Redis that match.
    pub(crate) async fn keys(&self, pattern: &str) -> Vec<String> {
        let keys = self.redis.cmd(&["KEYS", pattern]).await.unwrap();
        let keys = keys.items().iter();
        keys.map(|key| key.text().unwrap()).collect()
    }

    /// What steers a proxy that nobody goes through.
    pub(crate) fn idle(&self) -> Control {
        self.idle.control()
    }

    /// The command, as somebody runs it who may see all of it.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Program {
        Program::new(&Folder::new(), &[&["verify"], arguments].concat())
            .with("TINGKAT_TOKEN", TOKEN)
            .with("DATABASE_URL", self.database.url())
            .with("REDIS_URL", url_at(&self.redis, self.redis.port()))
            .with("REDIS_KEY_PREFIX", PREFIX)
    }

    /// All of it, to be judged.
    pub(crate) fn scene(&self) -> Scene {
        let run = format!("{:08x}", rand::random::<u32>());
        let mut scene = Scene::new(run, vec![self.node(0), self.node(1)]);
        // The last two nodes stand for those that a run starts.
        SCRATCH.clone_into(&mut scene.scratch_prefix);
        scene.store = Ok(Arc::<Store>::clone(&self.store));
        scene.redis = Ok(Arc::<Keys>::clone(&self.keys));
        scene.prefix = Ok(PREFIX.to_owned());
        scene.problems = Ok(Vec::new());
        scene.secrets = vec![
            ("the token".to_owned(), TOKEN.into()),
            ("the password".to_owned(), PASSWORD.into()),
        ];
        scene.failing = Ok(Failing {
            node: self.node(2),
            proxy: self.proxy.control(),
        });
        scene.helper = Ok(self.node(3));
        scene
    }
}

/// Waits until the last run of warming was a success: the first one may come before Redis does.
async fn is_warm(node: &Node) {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str())];
    eventually(PATIENCE, async || {
        let standing = node.get("/v1/warm").await.json().unwrap();
        let last = &standing["last"];
        if last["report"]["success"] == false && standing["running"].is_null() {
            let body = r#"{"keys":{"product":["1"]}}"#;
            let begun = node
                .target
                .send_with(Method::POST, "/v1/warm", &headers, body);
            begun.await.unwrap();
        }
        last["report"]["success"] == true
    })
    .await
    .unwrap();
}

/// Judges a scene in these groups, and cleans up.
pub(crate) async fn judge(scene: &Scene, groups: &[Group]) -> Report {
    let stop = CancellationToken::new();
    let mut report = verify::run(scene, groups, WHOLE, &stop, |_| ()).await;
    verify::clean_up(scene, &mut report, |_| ()).await;
    report
}

/// The checks that ended so.
pub(crate) fn those(report: &Report, status: Status) -> BTreeSet<&'static str> {
    let judged = report.judged.iter().filter(|it| it.status == status);
    judged.map(|it| it.check.id).collect()
}

/// All that is not as it should be, in words.
pub(crate) fn told(report: &Report) -> String {
    let odd = report
        .judged
        .iter()
        .filter(|it| it.status != Status::Passed);
    let lines = odd.map(|it| format!("{} {}: {}", it.status.name(), it.check.id, it.detail));
    lines.collect::<Vec<_>>().join("\n")
}
