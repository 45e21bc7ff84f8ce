//! Sentinels that watch a master and its replicas.

use super::config::{Config, Role, quoted};
use super::replicated::Replicated;
use super::server::Redis;
use crate::deadline::eventually;
use crate::error::{Error, Result};
use crate::process::READY_WITHIN;

/// How many Sentinels there are, and how many must agree that the master is down.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// Three Sentinels, a master and its replicas. A dead master is replaced within a few seconds.
#[derive(Debug)]
pub struct Sentinel {
    /// The data nodes; the first was the master at the start.
    pub nodes: Vec<Redis>,
    /// The Sentinels.
    pub sentinels: Vec<Redis>,
}

/// The options of a [`Sentinel`].
#[derive(Clone, Debug)]
pub struct SentinelConfig {
    node: Config,
    replicas: usize,
    password: Option<String>,
}

impl Sentinel {
    /// The name under which clients ask for the master.
    pub const SERVICE: &'static str = "main";

    /// Starts three Sentinels, a master and two replicas.
    ///
    /// # Errors
    /// A server does not come up, or they do not find each other.
    pub async fn start() -> Result<Self> {
        Self::config().start().await
    }

    /// The options of a set to start.
    pub fn config() -> SentinelConfig {
        SentinelConfig {
            node: Config::default(),
            replicas: 2,
            password: None,
        }
    }

    /// The URLs of the Sentinels, with their password.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(Redis::url).collect()
    }

    /// The node that is master now: the Sentinels say so, and so does the node.
    ///
    /// # Errors
    /// There is none, or a Sentinel does not answer.
    pub async fn master(&self) -> Result<&Redis> {
        let port = master_port(self.sentinels.iter()).await?;
        let node = self
            .nodes
            .iter()
            .find(|node| node.port() == port)
            .ok_or_else(|| Error::new(format!("Sentinel names a stranger on port {port}")))?;
        match node.info("role").await?.as_str() {
            "master" => Ok(node),
            role => Err(Error::new(format!(
                "Sentinel names a master that says it is {role}"
            ))),
        }
    }

    /// Waits until another node than this one is master.
    ///
    /// # Errors
    /// It takes more than 20 s.
    pub async fn failed_over_from(&self, old: &Redis) -> Result<&Redis> {
        eventually(READY_WITHIN, || async {
            self.master()
                .await
                .ok()
                .filter(|new| new.port() != old.port())
        })
        .await
        .map_err(|_| {
            let logs: Vec<String> = self.sentinels.iter().map(Redis::log).collect();
            Error::new(format!(
                "no new master; the Sentinels' logs:\n{}",
                logs.join("\n")
            ))
        })
    }
}

impl SentinelConfig {
    /// The options of each data node.
    pub fn node(mut self, config: Config) -> Self {
        self.node = config;
        self
    }

    /// How many replicas the master has.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// The password of the Sentinels themselves.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Starts them and waits until every Sentinel knows all the others.
    ///
    /// # Errors
    /// A server does not come up, or they do not find each other.
    pub async fn start(self) -> Result<Sentinel> {
        let Replicated { master, replicas } =
            Replicated::start_with(self.node.clone(), self.replicas).await?;
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            let sentinel = self.sentinel(&master).start().await?;
            hurry(&sentinel).await;
            sentinels.push(sentinel);
        }
        for sentinel in &sentinels {
            knows_all(sentinel, self.replicas).await?;
        }
        let mut nodes = vec![master];
        nodes.extend(replicas);
        Ok(Sentinel { nodes, sentinels })
    }

    fn sentinel(&self, master: &Redis) -> Config {
        let about = |option: &str| format!("sentinel {option} {}", Sentinel::SERVICE);
        let mut config = Config::default()
            .role(Role::Sentinel)
            .same_transport(&self.node)
            .set(
                &about("monitor"),
                format!("127.0.0.1 {} {QUORUM}", master.port()),
            )
            .set(&about("down-after-milliseconds"), 500)
            .set(&about("failover-timeout"), 3000)
            .set(&about("parallel-syncs"), 1);
        if let Some(password) = &self.node.password {
            config = config.set(&about("auth-pass"), quoted(password));
        }
        if let Some(password) = &self.password {
            config = config
                .password(password)
                .set("sentinel sentinel-pass", quoted(password));
        }
        config
    }
}

/// Makes a Sentinel say and ask more often than every two and ten seconds. This only saves time: a
/// server older than 7.0 refuses it and is as slow as in production.
async fn hurry(sentinel: &Redis) {
    for (period, millis) in [("PUBLISH-PERIOD", "200"), ("INFO-PERIOD", "500")] {
        let _ = sentinel.cmd(&["SENTINEL", "DEBUG", period, millis]).await;
    }
}

async fn knows_all(sentinel: &Redis, replicas: usize) -> Result<()> {
    eventually(READY_WITHIN, || async {
        let Ok(master) = sentinel
            .cmd(&["SENTINEL", "MASTER", Sentinel::SERVICE])
            .await
        else {
            return false;
        };
        let field = |name: &str| {
            let pairs = master.items().chunks(2);
            pairs
                .filter(|pair| pair.first().is_some_and(|key| *key == name))
                .find_map(|pair| pair.get(1)?.text())
        };
        field("num-slaves") == Some(replicas.to_string())
            && field("num-other-sentinels") == Some((SENTINELS - 1).to_string())
            && field("flags").as_deref() == Some("master")
    })
    .await
    .map_err(|_| {
        Error::new(format!(
            "a Sentinel does not find the others; its log:\n{}",
            sentinel.log()
        ))
    })
}

/// The port of the master, if all of them that run agree.
async fn master_port(sentinels: impl Iterator<Item = &Redis>) -> Result<u16> {
    let mut agreed = None;
    for sentinel in sentinels.filter(|sentinel| sentinel.pid().is_some()) {
        let addr = sentinel
            .cmd(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Sentinel::SERVICE])
            .await?;
        let port = addr.items().get(1).and_then(super::Reply::int);
        match agreed {
            None => agreed = Some(port),
            Some(earlier) if earlier == port => {}
            Some(_) => return Err(Error::new("the Sentinels do not agree on a master")),
        }
    }
    agreed
        .flatten()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| Error::new("no Sentinel names a master"))
}
