//! The commands of the cache over one server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult};
use tingkat::error::{RemoteError, RemoteErrorKind};
use tingkat::ports::{Acquired, CellHead, Clock, Hint, Remote};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dial::ping;
use crate::hints::{self, Ear, HintCounts, Hints};
use crate::link::{Config, Link, State};
use crate::refusal::{self, Access};
use crate::scripts::Scripts;

/// What stands for a key that holds no string: no cell begins so, and the lease script replaces it.
const FOREIGN: Bytes = Bytes::from_static(b"?");

/// A standalone Redis server as the remote tier.
pub struct Redis {
    link: Arc<Link>,
    scripts: Scripts,
    hints: Arc<Hints>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Redis {
    /// Begins to connect in the background; the server may be away. Needs a tokio runtime, and for
    /// `rediss://` the process's default crypto provider of rustls: without one it stays down.
    pub fn start(config: Config, clock: Arc<dyn Clock>) -> Self {
        let (link, stop, tasks) = (
            Link::new(config, Arc::clone(&clock)),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        tasks.spawn(Arc::clone(&link).keep(stop.clone()));
        tasks.close();
        Self {
            link,
            scripts: Scripts::new(),
            hints: Arc::default(),
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
            config: self.link.config().clone(),
            clock: Arc::clone(&self.clock),
            hints: Arc::clone(&self.hints),
            listener: Arc::new(listener),
            state,
        };
        self.tasks.spawn(ear.listen(self.stop.clone()));
        receiver
    }

    /// What was heard of other nodes so far.
    pub fn hint_counts(&self) -> HintCounts {
        self.hints.counts()
    }

    /// Whether there is a connection, and every change of that.
    pub fn state(&self) -> watch::Receiver<State> {
        self.link.state()
    }

    /// Closes the connections and waits for the background tasks.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }

    /// Runs one exchange with the server and takes in how it went.
    async fn exchange<T, F>(
        &self,
        access: Access,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, RemoteError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let Some((generation, connection)) = self.link.connection() else {
            return Err(RemoteError::new(
                RemoteErrorKind::Disconnected,
                "no connection to Redis",
            ));
        };
        let watch = self.link.watch(generation);
        let result = run(connection).await;
        match &result {
            Err(error) if error.is_timeout() => drop(watch),
            Ok(_) | Err(_) => watch.answered(),
        }
        result.map_err(|error| {
            if refusal::is_connection_gone(&error) {
                self.link.lost(generation, &refusal::describe(&error));
            }
            refusal::translate(&error, access)
        })
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
        Box::pin(self.exchange(Access::Read, async move |mut connection| {
            match Cmd::get(key).query_async(&mut connection).await {
                Err(error) if refusal::is_wrong_type(&error) => Ok(Some(FOREIGN)),
                result => result,
            }
        }))
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, RemoteError>> {
        if keys.is_empty() {
            return Box::pin(ready(Ok(Vec::new())));
        }
        Box::pin(self.exchange(Access::Read, async move |mut connection| {
            redis::cmd("MGET")
                .arg(keys)
                .query_async(&mut connection)
                .await
        }))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        refused: Option<&'a [u8]>,
        lease: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, RemoteError>> {
        Box::pin(self.exchange(Access::Write, async move |mut connection| {
            let arguments = (refused.unwrap_or_default(), &*lease, millis(ttl));
            let present: Option<Bytes> = self
                .scripts
                .acquire
                .run(&mut connection, key, arguments)
                .await?;
            Ok(match present {
                Some(cell) if cell.is_empty() => Acquired::Granted,
                // It went away between the two commands of the script only if it expired there.
                present => Acquired::Held(present.unwrap_or_default()),
            })
        }))
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: &'a CellHead,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(self.exchange(Access::Write, async move |mut connection| {
            let arguments = (&expected[..], &*cell, millis(ttl));
            self.scripts.fill.run(&mut connection, key, arguments).await
        }))
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a CellHead,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(self.exchange(Access::Write, async move |mut connection| {
            self.scripts
                .renew
                .run(&mut connection, key, (&lease[..], millis(ttl)))
                .await
        }))
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(self.exchange(Access::Write, async move |mut connection| {
            let mut command = redis::cmd("SET");
            command
                .arg(key)
                .arg(&*cell)
                .arg("NX")
                .arg("PX")
                .arg(millis(ttl));
            command
                .query_async::<Option<String>>(&mut connection)
                .await
                .map(|set| set.is_some())
        }))
    }

    fn set_many(
        &self,
        cells: Vec<(String, Bytes, Duration)>,
    ) -> BoxFuture<'_, Result<(), RemoteError>> {
        if cells.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        Box::pin(self.exchange(Access::Write, async move |mut connection| {
            let mut pipeline = Pipeline::with_capacity(cells.len());
            for (key, cell, life) in &cells {
                pipeline
                    .cmd("SET")
                    .arg(key)
                    .arg(&**cell)
                    .arg("PX")
                    .arg(millis(*life))
                    .ignore();
            }
            pipeline.query_async(&mut connection).await
        }))
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), RemoteError>> {
        if keys.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        Box::pin(self.exchange(Access::Write, async move |mut connection| {
            redis::cmd("UNLINK")
                .arg(keys)
                .query_async(&mut connection)
                .await
        }))
    }

    fn is_connected(&self) -> bool {
        self.link.is_connected()
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.exchange(Access::Read, async move |mut connection| {
            ping(&mut connection).await
        }))
    }

    fn hint(&self, hint: Hint) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.exchange(Access::Read, async move |mut connection| {
            self.hints.tells(hint);
            let mut command = redis::cmd("PUBLISH");
            command
                .arg(&self.link.config().hint_channel)
                .arg(hints::message(hint));
            command.query_async(&mut connection).await
        }))
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
            .field("address", &self.link.config().address)
            .finish_non_exhaustive()
    }
}
