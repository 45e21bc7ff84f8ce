//! What is judged, put together: nodes that run or are started, and ways to the database and Redis that
//! they do not use.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tingkat_faults::Proxy;
use tingkat_lab::verify::{Failing, Lack, Node, Scene};
use tingkat_lab::{AskErrorKind, Target};
use tingkat_sql::{CheckErrorKind, Database};

use super::wiring::{Keys, Store};
use crate::cli::Verify;
use crate::config::{self, Config, Loaded, SecondPath, Settings, Surroundings};
use crate::exit::{Code, Failure};
use crate::serve::{self, Instance};

/// Redis is waited for so long; without it the checks say so.
const REDIS_WITHIN: Duration = Duration::from_secs(3);

/// Between two questions to a database that is about to start.
const PAUSE: Duration = Duration::from_millis(500);

/// A request of a check takes no longer.
const DEADLINE: Duration = Duration::from_secs(8);

/// The nodes of a run stop within this, each of which has deadlines of its own.
const LEFT: Duration = Duration::from_secs(25);

/// All that stands for a run.
pub(super) struct Stage {
    pub(super) scene: Scene,
    instances: Vec<Instance>,
    /// What the keys of the service begin with.
    prefix: String,
    /// Before the Redis of one of them.
    proxy: Option<Proxy>,
    store: Option<Arc<Store>>,
    keys: Option<Arc<Keys>>,
}

/// What a run is about.
struct Wanted<'a> {
    arguments: &'a Verify,
    /// Opens the nodes that run.
    token: Option<SecretString>,
    /// Opens the nodes that are started.
    own_token: SecretString,
}

impl Stage {
    /// With nothing on it.
    pub(super) fn empty() -> Self {
        Self {
            scene: Scene::new(format!("{:08x}", rand::random::<u32>()), Vec::new()),
            instances: Vec::new(),
            prefix: String::new(),
            proxy: None,
            store: None,
            keys: None,
        }
    }

    /// Sets it up. However that ends, what stands by then is here to be left.
    pub(super) async fn set(
        &mut self,
        arguments: &Verify,
        loaded: Loaded,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        let token = surroundings.token();
        let wanted = Wanted {
            arguments,
            token: token.map_err(|problem| Failure::problems(vec![problem]))?,
            own_token: format!("{:032x}", rand::random::<u128>()).into(),
        };
        if arguments.urls.is_empty() {
            wanted.of_configuration(self, loaded.into_settings()?).await
        } else {
            wanted.of_nodes(self, loaded).await
        }
    }

    /// Stops the nodes that were started; what is left is needed to clean up.
    pub(super) async fn leave(mut self) -> Self {
        let stops: Vec<_> = self.instances.drain(..).map(Instance::stop).collect();
        let proxy = self.proxy.take();
        let left = async {
            futures::future::join_all(stops).await;
            if let Some(proxy) = proxy {
                proxy.stop().await;
            }
        };
        // What still goes on then ends with the program; what it wrote meanwhile is looked for.
        drop(tokio::time::timeout(LEFT, left).await);
        self
    }

    /// Closes the connections.
    pub(super) async fn close(self) {
        drop(self.scene);
        if let Some(store) = self.store {
            store.0.close().await;
        }
        if let Some(keys) = self.keys {
            keys.0.close().await;
        }
    }
}

impl Wanted<'_> {
    /// Nodes are started from the configuration.
    async fn of_configuration(&self, stage: &mut Stage, settings: Settings) -> Result<(), Failure> {
        let path = SecondPath::of(&settings);
        let config = Config::build(settings.clone())?;
        there_is_a_file(&config)?;
        let database = Database::open(&config.source, &config.database).await?;
        self.answers(&database).await?;
        self.dress(&mut stage.scene, &path);
        stage.scene.are_ours = true;
        stage.scene.problems = Ok(Vec::new());
        self.beside(stage, &config, database, true).await;
        for name in ["one node", "another node"] {
            let node = self.node(stage, name, Config::build(settings.clone())?);
            let node = node.await?;
            stage.scene.nodes.push(node);
        }
        stage.scene.failing = self.failing(stage, &settings).await;
        Ok(())
    }

    /// Nodes run already; what is configured here is a second path to what they use.
    async fn of_nodes(&self, stage: &mut Stage, loaded: Loaded) -> Result<(), Failure> {
        for url in &self.arguments.urls {
            stage.scene.nodes.push(self.that_runs(url).await?);
        }
        let path = SecondPath::of(&loaded.settings);
        self.dress(&mut stage.scene, &path);
        if let Some(token) = &self.token {
            let token = ("the token".to_owned(), token.clone());
            stage.scene.secrets.push(token);
        }
        if !path.is_there(&loaded.settings) {
            return Ok(());
        }
        stage.scene.problems = Ok(loaded
            .problems
            .iter()
            .map(|it| it.message.clone())
            .collect());
        let settings = loaded.settings;
        let config = match Config::build(settings.clone()) {
            Ok(config) if loaded.problems.is_empty() => config,
            _ => {
                stage.lacks("the configuration here has problems");
                return Ok(());
            }
        };
        if !path.names_database {
            stage.lacks("source.url is not configured here");
            return Ok(());
        }
        there_is_a_file(&config)?;
        let database = Database::open(&config.source, &config.database).await?;
        self.answers(&database).await?;
        self.beside(stage, &config, database, path.names_redis)
            .await;
        stage.scene.has_schedule = config.warm.schedule.is_some();
        if self.arguments.read_only {
            let why = || "--read-only was asked for".to_owned();
            (stage.scene.helper, stage.scene.failing) = (Err(why()), Err(why()));
            return Ok(());
        }
        let helper = self.node(
            stage,
            "a node of this run",
            Config::build(settings.clone())?,
        );
        stage.scene.helper = Ok(helper.await?);
        stage.scene.failing = self.failing(stage, &settings).await;
        Ok(())
    }

    /// Tells a scene what was asked for and what is known.
    fn dress(&self, scene: &mut Scene, path: &SecondPath) {
        scene.is_read_only = self.arguments.read_only;
        scene.secrets.clone_from(&path.secrets);
    }

    /// The ways past the nodes.
    async fn beside(
        &self,
        stage: &mut Stage,
        config: &Config,
        database: Database,
        names_redis: bool,
    ) {
        let scene = &mut stage.scene;
        let prefix = config.key_prefix.clone();
        let prefix = prefix.unwrap_or_else(|| serve::default_prefix(&database, config));
        scene.scratch_prefix = format!("{prefix}verify:{}:", scene.run);
        scene.prefix = Ok(if scene.are_ours {
            scene.scratch_prefix.clone()
        } else {
            prefix.clone()
        });
        scene.budget = config.redis_budget;
        let store = Arc::new(Store(tingkat_sql::Probe::new(database)));
        scene.store = Ok(Arc::<Store>::clone(&store));
        let keys = match &config.redis {
            Some(redis) if names_redis => {
                let redis = redis.clone().under(&prefix);
                let probe = tingkat_redis::Probe::start(redis, Arc::new(SystemClock));
                // That it is away is found by the checks.
                let _ = probe.is_there(REDIS_WITHIN).await;
                Some(Arc::new(Keys(probe)))
            }
            Some(_) | None => None,
        };
        scene.redis = match (&keys, names_redis) {
            (Some(keys), _) => Ok(Arc::<Keys>::clone(keys)),
            (None, true) => Err("redis.url is off".to_owned()),
            (None, false) => Err("redis.url is not configured here".to_owned()),
        };
        stage.prefix = prefix;
        (stage.store, stage.keys) = (Some(store), keys);
    }

    /// A node of this run.
    async fn node(
        &self,
        stage: &mut Stage,
        name: &str,
        mut config: Config,
    ) -> Result<Node, Failure> {
        if self.arguments.read_only {
            config.redis = None;
        }
        // A user of Redis may have the right to this channel and to no other.
        config.hint_channel = Some(format!("{}hint", stage.prefix));
        let prefix = stage.scene.scratch_prefix.clone();
        if config.redis.is_some() {
            stage.scene.expect_keys();
        }
        let database = serve::coherent_as_it_is(&config).await?;
        let instance = Instance::start(config, database, &prefix, &self.own_token).await?;
        let target = Target::new(instance.address()).deadline(DEADLINE);
        if stage.instances.is_empty() {
            // Until now nobody knew it.
            let token = ("the token of this run".to_owned(), self.own_token.clone());
            stage.scene.secrets.push(token);
        }
        stage.instances.push(instance);
        Ok(Node::new(name, target, Some(self.own_token.clone())))
    }

    /// A node of this run with a proxy before its Redis.
    async fn failing(&self, stage: &mut Stage, settings: &Settings) -> Lack<Failing> {
        if self.arguments.read_only {
            return Err("--read-only was asked for".to_owned());
        }
        let Some(keys) = &stage.keys else {
            return Err("there is no Redis that could fail".to_owned());
        };
        let Some((host, port)) = keys.0.one_server() else {
            let why = "no proxy can stand before a cluster, a socket, or a Redis that is away";
            return Err(why.to_owned());
        };
        let lacks = |what: &str| format!("failed to start {what}");
        let proxy = Proxy::start(format!("{host}:{port}")).await;
        let proxy = proxy.map_err(|error| format!("{}: {error}", lacks("a proxy")))?;
        let config = Config::build(settings.clone()).map_err(|_| lacks("a node"))?;
        let config = Config {
            redis: config
                .redis
                .map(|redis| redis.behind(proxy.addr().port(), &host)),
            ..config
        };
        let node = self.node(stage, "a node behind a proxy", config).await;
        let node = node.map_err(|failure| failure.lines().join("; "))?;
        let control = proxy.control();
        stage.proxy = Some(proxy);
        Ok(Failing {
            node,
            proxy: control,
        })
    }

    async fn that_runs(&self, url: &str) -> Result<Node, Failure> {
        let shown = config::without_logins(url).into_owned();
        let end = SystemClock.now().after(self.wait());
        loop {
            let error = match Target::of_url(url).await {
                Ok(target) => {
                    let target = target.deadline(DEADLINE);
                    return Ok(Node::new(shown, target, self.token.clone()));
                }
                Err(error) => error,
            };
            let code = if error.kind() == AskErrorKind::Malformed {
                Code::Usage
            } else {
                Code::Unreachable
            };
            if code == Code::Usage || is_over(end) {
                return Err(Failure::chained(
                    code,
                    format!("failed to reach {shown}"),
                    &error,
                ));
            }
            SystemClock.sleep(PAUSE).await;
        }
    }

    fn wait(&self) -> Duration {
        self.arguments.wait.unwrap_or_default()
    }

    /// Waits until the database answers; what else is wrong with it is for the checks.
    async fn answers(&self, database: &Database) -> Result<(), Failure> {
        let end = SystemClock.now().after(self.wait());
        loop {
            let error = match database.check().await {
                Err(error) if error.kind() == CheckErrorKind::Unreachable => error,
                Ok(()) | Err(_) => return Ok(()),
            };
            if is_over(end) {
                let tried = "failed to reach the database";
                return Err(Failure::chained(Code::Unreachable, tried, &error));
            }
            SystemClock.sleep(PAUSE).await;
        }
    }
}

impl Stage {
    fn lacks(&mut self, why: &str) {
        let why = || why.to_owned();
        (self.scene.store, self.scene.redis) = (Err(why()), Err(why()));
        (self.scene.helper, self.scene.failing) = (Err(why()), Err(why()));
    }
}

fn is_over(end: Tick) -> bool {
    SystemClock.now() >= end
}

/// A file that is not there would be created, and nobody asked for that.
fn there_is_a_file(config: &Config) -> Result<(), Failure> {
    match config.source.path() {
        Some(path) if !path.exists() => {
            let path = path.display();
            let line = format!("there is no database {path}; `tingkat serve` creates it");
            Err(Failure::new(Code::Unreachable, line))
        }
        Some(_) | None => Ok(()),
    }
}
