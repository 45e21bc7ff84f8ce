//! Nodes for the time of one command: on a loopback address, for whoever has their token, with keys of
//! their own in Redis.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tingkat_http::{Scope, Tokens};
use tingkat_sql::Database;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::doors::Doors;
use super::{Parts, guard};
use crate::config::{Config, Health, Policies};
use crate::exit::Failure;

/// A few customers at a time are enough; the database has others.
const CONNECTIONS: u32 = 8;

/// A node of this process.
pub(crate) struct Instance {
    address: SocketAddr,
    parts: Parts,
    stop: CancellationToken,
    /// Nobody changes them, and who listens to nobody would not wait.
    _settled: (watch::Sender<Policies>, watch::Sender<Health>),
}

impl Instance {
    /// Starts one from this configuration, with keys under `prefix` and hints where the nodes that
    /// it stands for have them.
    pub(crate) async fn start(
        mut config: Config,
        database: Database,
        prefix: &str,
        token: &SecretString,
    ) -> Result<Self, Failure> {
        config.listen = (Ipv4Addr::LOCALHOST, 0).into();
        (config.admin_listen, config.metrics_listen) = (None, None);
        (config.socket, config.tls) = (None, None);
        config.limits.drain_timeout = Duration::from_secs(1);
        config.feed.compacts = false;
        let doors = Doors::open(&config).await?;
        let address = doors.shoppers_at()?;
        let token = token.expose_secret();
        let tokens = Tokens::default()
            .with(Scope::Write, token)
            .with(Scope::Operate, token);
        let stop = CancellationToken::new();
        let parts = Parts::new(&config, database, prefix);
        // It warms what it is told to, and nothing by itself.
        let stove = parts.stove(&config, prefix);
        // Whoever started it sees by itself what is wrong.
        let (refused, _) = oneshot::channel();
        let (policy, policies) = watch::channel(config.policies.clone());
        let (judging, judged_by) = watch::channel(config.health.clone());
        let observed = parts.watch(&config, policies, refused, stop.clone());
        let health = parts.look_after(&observed, judged_by, prefix, stop.clone());
        let (limits, edge) = (config.limits, config.edge);
        let mut app = parts.app(tokens, &observed, limits, edge, &stove, stop.clone());
        app.keeps = config.keeps;
        app.health = health;
        parts.tasks.spawn(doors.serve(app, None, stop.clone()));
        Ok(Self {
            address,
            parts,
            stop,
            _settled: (policy, judging),
        })
    }

    /// Where it is.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; when this returns it writes no more.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.parts.close().await;
    }
}

/// The database that a node is started on, whatever its change log is like.
pub(crate) async fn coherent_as_it_is(config: &Config) -> Result<Database, Failure> {
    let few = tingkat_sql::Config {
        max_connections: config.database.max_connections.min(CONNECTIONS),
        ..config.database.clone()
    };
    let database = Database::open(&config.source, &few).await?;
    match guard::first_look(database.clone(), false).await {
        Ok(database) => Ok(database),
        // That there is no log is told by whoever looks for it.
        Err(_) => Ok(database.without_change_log()),
    }
}
