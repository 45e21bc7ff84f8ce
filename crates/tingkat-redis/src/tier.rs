//! The commands of the cache, whatever stands at the address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use redis::{Cmd, FromRedisValue, RedisError, Value};
use tingkat::error::{RemoteError, RemoteErrorKind};
use tingkat::ports::{Acquired, CellHead, Clock, Hint, Remote};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cluster::Answer;
use crate::config::Config;
use crate::hints::{self, Ear, HintCounts, Hints};
use crate::order::Order;
use crate::place::Place;
use crate::refusal::{self, Access};
use crate::sample::{Sampler, Sizes};
use crate::scripts::Scripts;
use crate::state::State;
use crate::topology::{Hub, Topology};

/// What stands for a key that holds no string: no cell begins so, and the lease script replaces it.
const FOREIGN: Bytes = Bytes::from_static(b"?");

/// Redis as the remote tier: one server, the master that Sentinels name, or a cluster.
pub struct Redis {
    config: Arc<Config>,
    hub: Arc<Hub>,
    scripts: Scripts,
    hints: Arc<Hints>,
    sizes: Arc<Sizes>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Redis {
    /// Begins to connect in the background; the servers may be away. Needs a tokio runtime, and for
    /// `rediss://` the process's default crypto provider of rustls: without one it stays down.
    pub fn start(config: Config, clock: Arc<dyn Clock>) -> Self {
        let (config, stop, tasks) = (
            Arc::new(config),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let hub = Arc::new(Hub::new(
            Arc::clone(&config),
            Arc::clone(&clock),
            tasks.clone(),
        ));
        tasks.spawn(Arc::clone(&hub).keep(stop.clone()));
        tasks.close();
        Self {
            config,
            hub,
            scripts: Scripts::new(),
            hints: Arc::default(),
            sizes: Arc::default(),
            clock,
            stop,
            tasks,
        }
    }

    /// Begins to hear the hints of other nodes, on a connection of its own; whether it is heard, and
    /// every change of that. `listener` is called on the connection's task and must be quick; it is
    /// kept until [`close`](Self::close).
    pub fn listen(
        &self,
        listener: impl Fn(Hint) + Send + Sync + 'static,
    ) -> watch::Receiver<State> {
        let (state, receiver) = watch::channel(State::Connecting);
        let ear = Ear {
            config: Arc::clone(&self.config),
            hub: Arc::clone(&self.hub),
            clock: Arc::clone(&self.clock),
            hints: Arc::clone(&self.hints),
            listener: Arc::new(listener),
            state,
        };
        self.tasks.spawn(ear.listen(self.stop.clone()));
        receiver
    }

    /// Looks at the servers, on connections of its own.
    pub fn sampler(&self) -> Sampler {
        Sampler::new(
            Arc::clone(&self.config),
            Arc::clone(&self.hub),
            Arc::clone(&self.clock),
            Arc::clone(&self.sizes),
        )
    }

    /// What was heard of other nodes so far.
    pub fn hint_counts(&self) -> HintCounts {
        self.hints.counts()
    }

    /// Whether the tier can be used, and every change of that.
    pub fn state(&self) -> watch::Receiver<State> {
        self.hub.state()
    }

    /// Closes the connections and waits for the background tasks.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }

    /// The servers that there are.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.hub.topology().places(&self.config)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(&*self.hub.topology(), Topology::Cluster(_))
    }

    pub(crate) async fn call(&self, access: Access, key: &str, order: Order) -> Answer {
        let topology = self.hub.topology();
        topology.call(&self.config, access, key, &order).await
    }

    /// Sends a command on one key and reads its answer.
    async fn ask<T: FromRedisValue>(
        &self,
        access: Access,
        key: &str,
        order: Order,
    ) -> Result<T, RemoteError> {
        read(self.call(access, key, order).await, access)
    }

    /// Sends commands that answer nothing of interest. They have all been carried out, or the first
    /// failure is told.
    async fn tell_many(
        &self,
        keys: &[impl AsRef<str>],
        command: impl Fn(usize) -> Cmd,
    ) -> Result<(), RemoteError> {
        let topology = self.hub.topology();
        let answers = topology
            .call_many(&self.config, Access::Write, keys, command)
            .await?;
        let read_each = answers
            .into_iter()
            .map(|answer| read::<Value>(answer, Access::Write).map(drop));
        read_each.collect()
    }

    /// The cells of one server, in one command.
    async fn get_many_of_one(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, RemoteError> {
        let mut command = Cmd::new();
        command.arg("MGET").arg(keys);
        self.ask(Access::Read, "", Order::new(command)).await
    }

    /// The cells of a cluster: what a node that is away has is not there.
    async fn get_many_of_nodes(
        &self,
        topology: &Topology,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, RemoteError> {
        let command = |index: usize| {
            let mut command = Cmd::new();
            command.arg("GET").arg(keys.get(index));
            command
        };
        let answers = topology
            .call_many(&self.config, Access::Read, keys, command)
            .await?;
        let mut failure = None;
        let cells: Vec<Option<Bytes>> = answers
            .into_iter()
            .map(|answer| {
                cell(answer).unwrap_or_else(|error| {
                    failure = Some(error);
                    None
                })
            })
            .collect();
        match failure {
            // The keys that a node failed to answer for are misses, as long as another answered.
            Some(error) if error.kind() != RemoteErrorKind::PartAway => Err(error),
            _ => Ok(cells),
        }
    }
}

/// What an answer says.
fn read<T: FromRedisValue>(answer: Answer, access: Access) -> Result<T, RemoteError> {
    let value = answer?.map_err(|error| refusal::translate(&error, access))?;
    T::from_redis_value(value).map_err(|error| {
        let error = RedisError::from(error);
        refusal::translate(&error, access)
    })
}

/// The cell in the answer to GET.
fn cell(answer: Answer) -> Result<Option<Bytes>, RemoteError> {
    match answer {
        Ok(Err(error)) if refusal::is_wrong_type(&error) => Ok(Some(FOREIGN)),
        answer => read(answer, Access::Read),
    }
}

/// Redis wants at least one millisecond, and a number that fits its own.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, 1 << 50)
}

impl Remote for Redis {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, RemoteError>> {
        Box::pin(async move {
            let topology = self.hub.topology();
            cell(topology.get(&self.config, &self.tasks, key).await)
        })
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, RemoteError>> {
        if keys.is_empty() {
            return Box::pin(ready(Ok(Vec::new())));
        }
        Box::pin(async move {
            let topology = self.hub.topology();
            match &*topology {
                Topology::One(_) | Topology::Master(..) => self.get_many_of_one(keys).await,
                Topology::Cluster(_) => self.get_many_of_nodes(&topology, keys).await,
            }
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        refused: Option<&'a [u8]>,
        lease: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, RemoteError>> {
        Box::pin(async move {
            let arguments = (refused.unwrap_or_default(), &*lease, millis(ttl));
            let order = self.scripts.acquire.order(key, arguments);
            let present: Option<Bytes> = self.ask(Access::Write, key, order).await?;
            Ok(match present {
                Some(cell) if cell.is_empty() => Acquired::Granted,
                // It went away between the two commands of the script only if it expired there.
                present => Acquired::Held(present.unwrap_or_default()),
            })
        })
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: &'a CellHead,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(async move {
            self.sizes.record(cell.len());
            let arguments = (&expected[..], &*cell, millis(ttl));
            let order = self.scripts.fill.order(key, arguments);
            self.ask(Access::Write, key, order).await
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a CellHead,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(async move {
            let arguments = (&lease[..], millis(ttl));
            let order = self.scripts.renew.order(key, arguments);
            self.ask(Access::Write, key, order).await
        })
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(async move {
            let mut command = Cmd::set(key, &*cell);
            command.arg("NX").arg("PX").arg(millis(ttl));
            let set = self.ask::<Option<String>>(Access::Write, key, Order::new(command));
            set.await.map(|set| set.is_some())
        })
    }

    fn set_many(
        &self,
        cells: Vec<(String, Bytes, Duration)>,
    ) -> BoxFuture<'_, Result<(), RemoteError>> {
        if cells.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        Box::pin(async move {
            let keys: Vec<&str> = cells.iter().map(|(key, ..)| key.as_str()).collect();
            for (_, cell, _) in &cells {
                self.sizes.record(cell.len());
            }
            let command = |index: usize| {
                let mut command = Cmd::new();
                if let Some((key, cell, life)) = cells.get(index) {
                    command.arg("SET").arg(key).arg(&**cell);
                    command.arg("PX").arg(millis(*life));
                }
                command
            };
            self.tell_many(&keys, command).await
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), RemoteError>> {
        if keys.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        Box::pin(self.tell_many(keys, |index| {
            let mut command = Cmd::new();
            command.arg("UNLINK").arg(keys.get(index));
            command
        }))
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.config.response_timeout)
    }

    fn is_connected(&self) -> bool {
        self.hub.is_connected()
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(async move {
            let topology = self.hub.topology();
            topology.ping(&self.config).await
        })
    }

    fn hint(&self, hint: Hint) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(async move {
            self.hints.tells(hint);
            let mut command = Cmd::new();
            command
                .arg("PUBLISH")
                .arg(&self.config.hint_channel)
                .arg(hints::message(hint));
            let topology = self.hub.topology();
            let order = Order::new(command);
            topology.call_any(&self.config, &order).await.map(drop)
        })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("address", &self.config.address)
            .finish_non_exhaustive()
    }
}
