//! What stands at the address, and which connection has a key: one server, the master that
//! Sentinels name, or the nodes of a cluster. Found out by itself where it is not told.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tingkat::error::{RemoteError, RemoteErrorKind};
use tingkat::ports::Clock;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cluster::{Answer, Cluster};
use crate::config::{Config, Mode};
use crate::hello::Kind;
use crate::link::{Expected, Link, Trouble, Way, pong};
use crate::order::Order;
use crate::place::Place;
use crate::refusal::{self, Access};
use crate::sentinels::Sentinels;
use crate::state::State;

/// A server that should be a node of a cluster and is none is asked again after this long.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(5);

/// What stands there.
pub(crate) enum Topology {
    One(Arc<Link>),
    Master(Arc<Link>, Arc<Sentinels>),
    Cluster(Cluster),
}

/// The topology of the moment.
pub(crate) struct Hub {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
    topology: RwLock<Arc<Topology>>,
    /// Told of every change of the topology's state.
    changed: Arc<Notify>,
    state: watch::Sender<State>,
}

impl Hub {
    pub(crate) fn new(config: Arc<Config>, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        let changed = Arc::new(Notify::new());
        // Whoever names Sentinels or a master wants them asked.
        let names_sentinels =
            config.sentinels.address.is_some() || config.sentinels.master.is_some();
        let mode = if config.mode == Mode::Auto && names_sentinels {
            Mode::Sentinel
        } else {
            config.mode
        };
        let parts = Parts {
            config: &config,
            clock: &clock,
            tasks: &tasks,
            changed: &changed,
        };
        let topology = match mode {
            Mode::Auto => parts.one(Expected::Anything),
            Mode::Standalone => parts.one(Expected::Standalone),
            Mode::Sentinel => parts.master(),
            Mode::Cluster => parts.cluster(),
        };
        Self {
            topology: RwLock::new(Arc::new(topology)),
            config,
            clock,
            tasks,
            changed,
            state: watch::channel(State::Connecting).0,
        }
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(crate) fn topology(&self) -> Arc<Topology> {
        let topology = self.topology.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&topology)
    }

    pub(crate) fn is_connected(&self) -> bool {
        let topology = self.topology.read().unwrap_or_else(PoisonError::into_inner);
        topology.is_connected()
    }

    /// Where a listener may connect to.
    pub(crate) fn somewhere(&self) -> Option<Place> {
        match &*self.topology() {
            Topology::One(link) | Topology::Master(link, _) => link.place(),
            Topology::Cluster(cluster) => cluster.somewhere(),
        }
    }

    /// Keeps the connections until `stop`.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let keeping = async { tokio::join!(self.keep_topology(), self.tell_state()) };
        let _ = stop.run_until_cancelled(keeping).await;
        self.topology().close();
        self.state.send_replace(State::Down("closed".to_owned()));
    }

    async fn tell_state(&self) {
        loop {
            let state = self.topology().state();
            self.state.send_if_modified(|present| {
                let is_new = *present != state;
                *present = state;
                is_new
            });
            self.changed.notified().await;
        }
    }

    async fn keep_topology(&self) {
        loop {
            let present = self.topology();
            let next = self.keep_until_another(&present).await;
            present.close();
            *self
                .topology
                .write()
                .unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
            self.changed.notify_one();
        }
    }

    /// Keeps a topology until something else turns out to stand there.
    async fn keep_until_another(&self, topology: &Topology) -> Topology {
        let parts = Parts {
            config: &self.config,
            clock: &self.clock,
            tasks: &self.tasks,
            changed: &self.changed,
        };
        match topology {
            Topology::One(link) => match link.keep().await {
                Kind::ClusterNode => parts.cluster(),
                Kind::Sentinel => parts.master(),
                Kind::Standalone => parts.one(Expected::Anything),
            },
            Topology::Master(link, sentinels) => {
                tokio::join!(link.keep(), sentinels.watch(link));
                parts.master()
            }
            Topology::Cluster(cluster) => {
                let _ = cluster.keep().await;
                if self.config.mode == Mode::Cluster {
                    // It may become one.
                    self.clock.sleep(LOOKED_AT_AGAIN).await;
                    return parts.cluster();
                }
                // It calls itself a node of a cluster, and tells nothing about it: a proxy.
                parts.one(Expected::Proxy)
            }
        }
    }
}

/// What a topology is made of.
struct Parts<'a> {
    config: &'a Arc<Config>,
    clock: &'a Arc<dyn Clock>,
    tasks: &'a TaskTracker,
    changed: &'a Arc<Notify>,
}

impl Parts<'_> {
    fn link(&self, way: Way, expected: Expected) -> Arc<Link> {
        Arc::new(Link::new(
            Arc::clone(self.config),
            Arc::clone(self.clock),
            way,
            expected,
            Arc::clone(self.changed),
        ))
    }

    fn one(&self, expected: Expected) -> Topology {
        let places = self.config.address.places().to_vec();
        Topology::One(self.link(Way::Fixed(places), expected))
    }

    fn master(&self) -> Topology {
        let sentinels = Arc::new(Sentinels::new(
            Arc::clone(self.config),
            Arc::clone(self.clock),
            Arc::clone(self.changed),
        ));
        let link = self.link(Way::Master(Arc::clone(&sentinels)), Expected::Master);
        Topology::Master(link, sentinels)
    }

    fn cluster(&self) -> Topology {
        Topology::Cluster(Cluster::new(
            Arc::clone(self.config),
            Arc::clone(self.clock),
            self.tasks.clone(),
            Arc::clone(self.changed),
        ))
    }
}

impl Topology {
    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Self::One(link) | Self::Master(link, _) => link.is_connected(),
            Self::Cluster(cluster) => cluster.is_connected(),
        }
    }

    /// Where the servers are; where none was reached, the first that is configured.
    pub(crate) fn places(&self, config: &Config) -> Vec<Place> {
        let found = match self {
            Self::One(link) | Self::Master(link, _) => link.place().into_iter().collect(),
            Self::Cluster(cluster) => cluster.places(),
        };
        if found.is_empty() && !matches!(self, Self::Master(..)) {
            return config.address.places().iter().take(1).cloned().collect();
        }
        found
    }

    fn state(&self) -> State {
        match self {
            Self::One(link) => link.state(),
            Self::Cluster(cluster) => cluster.state(),
            Self::Master(link, sentinels) => match (link.state(), sentinels.trouble()) {
                (State::Up, Some(why)) => State::Limited(why),
                (State::Limited(first), Some(why)) => State::Limited(format!("{first}; {why}")),
                (state, _) => state,
            },
        }
    }

    fn close(&self) {
        match self {
            Self::One(link) | Self::Master(link, _) => link.close(),
            Self::Cluster(cluster) => cluster.close(),
        }
    }

    /// Asks the server that has the key for what is under it.
    pub(crate) async fn get(&self, config: &Config, tasks: &TaskTracker, key: &str) -> Answer {
        match self {
            Self::One(link) | Self::Master(link, _) => {
                let answer = link.get(key, config.response_timeout, tasks).await;
                concluded(Access::Read, answer)
            }
            // Boxed, so that the future of the usual case stays small.
            Self::Cluster(cluster) => {
                let order = Order::new(Cmd::get(key));
                Box::pin(cluster.call(Access::Read, key, &order)).await
            }
        }
    }

    /// Sends a command to the server that has the key.
    pub(crate) async fn call(
        &self,
        config: &Config,
        access: Access,
        key: &str,
        order: &Order,
    ) -> Answer {
        match self {
            Self::One(link) | Self::Master(link, _) => {
                let answer = link.call(order, false, config.response_timeout).await;
                concluded(access, answer)
            }
            // Boxed, so that the future of the usual case stays small.
            Self::Cluster(cluster) => Box::pin(cluster.call(access, key, order)).await,
        }
    }

    /// Sends a command that any server can carry out.
    pub(crate) async fn call_any(
        &self,
        config: &Config,
        order: &Order,
    ) -> Result<Value, RemoteError> {
        match self {
            Self::One(link) | Self::Master(link, _) => link
                .call(order, false, config.response_timeout)
                .await
                .map_err(|trouble| translate(&trouble, Access::Read)),
            Self::Cluster(cluster) => cluster.call_any(order).await,
        }
    }

    /// Whether any server answers.
    pub(crate) async fn ping(&self, config: &Config) -> Result<(), RemoteError> {
        let order = Order::new(redis::cmd("PING"));
        match self {
            Self::One(link) | Self::Master(link, _) => {
                let answer = link.call(&order, false, config.response_timeout).await;
                pong(answer).map_err(|trouble| translate(&trouble, Access::Read))
            }
            Self::Cluster(cluster) => cluster.ping(&order).await,
        }
    }

    /// Sends one command for each key, in one go; the answers in their order.
    pub(crate) async fn call_many<K: AsRef<str>>(
        &self,
        config: &Config,
        access: Access,
        keys: &[K],
        command: impl Fn(usize) -> Cmd,
    ) -> Result<Vec<Answer>, RemoteError> {
        match self {
            Self::One(link) | Self::Master(link, _) => {
                let mut commands = Pipeline::with_capacity(keys.len());
                for index in 0..keys.len() {
                    commands.add_command(command(index));
                }
                let answers = link.call_many(&commands, config.response_timeout).await;
                let answers = answers.map_err(|trouble| translate(&trouble, access))?;
                let answers = answers.into_iter().map(|answer| {
                    concluded(access, answer.extract_error().map_err(Trouble::Failed))
                });
                Ok(answers.collect())
            }
            Self::Cluster(cluster) => cluster.scatter(access, keys, command).await,
        }
    }
}

/// An error about the value is for the caller; the others are about the server.
fn concluded(access: Access, answer: Result<Value, Trouble>) -> Answer {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(Trouble::Failed(error)) if refusal::is_wrong_type(&error) => Ok(Err(error)),
        Err(trouble) => Err(translate(&trouble, access)),
    }
}

fn translate(trouble: &Trouble, access: Access) -> RemoteError {
    match trouble {
        Trouble::Away => RemoteError::new(RemoteErrorKind::Disconnected, "no connection to Redis"),
        Trouble::Failed(error) => refusal::translate(error, access),
    }
}
