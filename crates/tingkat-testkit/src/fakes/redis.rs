//! A Redis in memory that several nodes share, each through a handle of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tingkat::error::{RemoteError, RemoteErrorKind};
use tingkat::ports::{Acquired, CellHead, Hint, Remote};
use tokio::time::Instant;

use super::switch::Switch;

/// The life of what has no end.
const ENDLESS: Duration = Duration::from_hours(24);

type Cells = BTreeMap<String, (Bytes, Instant)>;
type Ear = Arc<dyn Fn(Hint) + Send + Sync>;

/// The server; clones are the same one.
#[derive(Clone, Default)]
pub struct FakeRedis {
    cells: Arc<Mutex<Cells>>,
    ears: Arc<Mutex<Vec<Ear>>>,
}

impl FakeRedis {
    /// An empty server.
    pub fn new() -> Self {
        Self::default()
    }

    /// A node's way to it, with a switch of its own.
    pub fn handle(&self) -> RedisHandle {
        RedisHandle {
            server: self.clone(),
            reads: Switch::new(),
            writes: Switch::new(),
            refuses_writes: Arc::default(),
            is_away: Arc::default(),
            lost: Arc::default(),
            patience: Arc::default(),
            log: Arc::default(),
        }
    }

    /// What is stored and has not ended its life.
    #[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
    pub fn cells(&self) -> BTreeMap<String, Bytes> {
        let now = Instant::now();
        let cells = self.lock();
        cells
            .iter()
            .filter(|(_, (_, end))| *end > now)
            .map(|(key, (cell, _))| (key.clone(), cell.clone()))
            .collect()
    }

    /// Writes bytes as a foreign program might, without an end.
    pub fn put(&self, key: impl Into<String>, cell: impl Into<Bytes>) {
        self.put_for(key, cell, ENDLESS);
    }

    /// Writes bytes that end.
    pub fn put_for(&self, key: impl Into<String>, cell: impl Into<Bytes>, life: Duration) {
        self.lock().insert(key.into(), (cell.into(), until(life)));
    }

    /// Forgets everything.
    pub fn flush(&self) {
        self.lock().clear();
    }

    /// A copy to [`load`](Self::load) later.
    pub fn dump(&self) -> BTreeMap<String, (Bytes, Instant)> {
        self.lock().clone()
    }

    /// Goes back to a copy: a restart from an old dump, or a failover that lost writes.
    pub fn load(&self, dump: BTreeMap<String, (Bytes, Instant)>) {
        *self.lock() = dump;
    }

    /// Hears hints; what is done with them, and when, is the test's business.
    pub fn on_hint(&self, ear: impl Fn(Hint) + Send + Sync + 'static) {
        self.ears
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(ear));
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FakeRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeRedis").finish_non_exhaustive()
    }
}

/// One node's way to the server.
#[derive(Clone, Debug)]
pub struct RedisHandle {
    server: FakeRedis,
    /// What commands that read meet.
    pub reads: Switch,
    /// What commands that write meet.
    pub writes: Switch,
    refuses_writes: Arc<Mutex<bool>>,
    is_away: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
    patience: Arc<Mutex<Option<Duration>>>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl RedisHandle {
    /// No answer to anything.
    pub fn cut(&self) {
        self.reads.cut();
        self.writes.cut();
    }

    /// Everything is well again.
    pub fn restore(&self) {
        self.reads.restore();
        self.writes.restore();
        self.refuse_writes(false);
        self.disconnect(false);
    }

    /// Writes are answered with a refusal, as when the memory is full.
    pub fn refuse_writes(&self, refuses: bool) {
        *self
            .refuses_writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = refuses;
    }

    /// There is no connection, or there is one again.
    pub fn disconnect(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// So many writes are carried out, and their answers get lost.
    pub fn lose_answers(&self, count: usize) {
        self.lost.store(count, Ordering::Relaxed);
    }

    /// Every call ends by itself within this time, or so it says.
    pub fn promise(&self, patience: Duration) {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = Some(patience);
    }

    /// The names of all commands so far, in their order.
    pub fn commands(&self) -> Vec<&'static str> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many commands of a name there were.
    pub fn count(&self, command: &str) -> usize {
        self.commands()
            .into_iter()
            .filter(|name| *name == command)
            .count()
    }

    async fn read<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Cells) -> T,
    ) -> Result<T, RemoteError> {
        self.note(name);
        self.run(self.reads.pass().await, work)
    }

    async fn write<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Cells) -> T,
    ) -> Result<T, RemoteError> {
        self.note(name);
        let is_well = self.writes.pass().await;
        if *self
            .refuses_writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            return Err(RemoteError::new(RemoteErrorKind::WriteRefused, "OOM"));
        }
        let answer = self.run(is_well, work);
        let loses = |left: usize| left.checked_sub(1);
        let lost = self
            .lost
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, loses);
        if lost.is_ok() {
            return Err(RemoteError::new(RemoteErrorKind::Timeout, "no answer"));
        }
        answer
    }

    fn note(&self, name: &'static str) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
    }

    #[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
    fn run<T>(&self, is_well: bool, work: impl FnOnce(&mut Cells) -> T) -> Result<T, RemoteError> {
        if !is_well {
            return Err(RemoteError::new(
                RemoteErrorKind::Disconnected,
                "connection refused",
            ));
        }
        let mut cells = self.server.lock();
        let now = Instant::now();
        cells.retain(|_, (_, end)| *end > now);
        Ok(work(&mut cells))
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
fn until(life: Duration) -> Instant {
    Instant::now() + life.max(Duration::from_millis(1))
}

/// What looks like a lease or an error marker and never ends is nobody's.
#[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
fn is_endless_marker(cell: &Bytes, end: Instant) -> bool {
    matches!(cell.first(), Some(b'L' | b'E')) && end > Instant::now() + ENDLESS / 2
}

fn starts_with(cells: &Cells, key: &str, head: &[u8]) -> bool {
    cells
        .get(key)
        .is_some_and(|(cell, _)| cell.get(..17) == Some(head))
}

impl Remote for RedisHandle {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, RemoteError>> {
        Box::pin(self.read("get", move |cells| {
            cells.get(key).map(|(cell, _)| cell.clone())
        }))
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, RemoteError>> {
        Box::pin(self.read("get_many", move |cells| {
            keys.iter()
                .map(|key| cells.get(key).map(|(cell, _)| cell.clone()))
                .collect()
        }))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        refused: Option<&'a [u8]>,
        lease: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, RemoteError>> {
        Box::pin(self.write("acquire", move |cells| {
            if let Some((cell, end)) = cells.get(key)
                && !cell.is_empty()
                && cell.get(..17.min(cell.len())) != refused
                && !is_endless_marker(cell, *end)
            {
                return Acquired::Held(cell.clone());
            }
            cells.insert(key.to_owned(), (lease, until(ttl)));
            Acquired::Granted
        }))
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: &'a CellHead,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(self.write("fill", move |cells| {
            let is_expected = starts_with(cells, key, expected);
            if is_expected {
                cells.insert(key.to_owned(), (cell, until(ttl)));
            }
            is_expected
        }))
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a CellHead,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(self.write("renew", move |cells| {
            let is_ours = starts_with(cells, key, lease);
            if let Some((_, end)) = cells.get_mut(key).filter(|_| is_ours) {
                *end = until(ttl);
            }
            is_ours
        }))
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        Box::pin(self.write("set_if_absent", move |cells| {
            let is_absent = !cells.contains_key(key);
            if is_absent {
                cells.insert(key.to_owned(), (cell, until(ttl)));
            }
            is_absent
        }))
    }

    fn set_many(
        &self,
        new: Vec<(String, Bytes, Duration)>,
    ) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.write("set_many", move |cells| {
            for (key, cell, life) in new {
                cells.insert(key, (cell, until(life)));
            }
        }))
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.write("remove", move |cells| {
            for key in keys {
                cells.remove(key);
            }
        }))
    }

    fn patience(&self) -> Option<Duration> {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_connected(&self) -> bool {
        !self.is_away.load(Ordering::Relaxed)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.read("ping", |_| ()))
    }

    fn hint(&self, hint: Hint) -> BoxFuture<'_, Result<(), RemoteError>> {
        let ears = self
            .server
            .ears
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Box::pin(self.read("hint", move |_| ears.iter().for_each(|ear| ear(hint))))
    }
}
