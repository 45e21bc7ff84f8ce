//! The ways from a node to its neighbours: every message takes its time, and an answer finds its
//! node stopped or not. What the neighbours do is the business of the fakes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tingkat::certificate::{Change, Incarnation, Position};
use tingkat::error::{LogError, RemoteError};
use tingkat::ports::{Acquired, CellHead, ChangeLog, Hint, History, Poll, Remote, Written};
use tingkat_testkit::fakes::{LogHandle, RedisHandle};

use crate::gate::Gate;
use crate::random::Random;
use crate::tally::Tally;

/// More changes than this are too many for one poll, and for one history: far fewer than a real
/// log gives, so that nodes that begin anew with a floor are seen often.
const MOST_CHANGES: usize = 60;
const MOST_HISTORY: usize = 400;

/// More changes of one dep than this at once are cut.
const MOST_RECENT: usize = 8;

/// One way from a node to a neighbour.
#[derive(Debug)]
pub(crate) struct Link {
    gate: Gate,
    random: Random,
    /// How much later than usual answers arrive.
    late: Mutex<Duration>,
}

impl Link {
    pub(crate) fn new(gate: &Gate, random: Random) -> Arc<Self> {
        Arc::new(Self {
            gate: gate.clone(),
            random,
            late: Mutex::default(),
        })
    }

    /// Answers arrive this much later, however quickly they were given.
    pub(crate) fn set_late(&self, late: Duration) {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = late;
    }

    /// A message there and its answer back.
    pub(crate) async fn through<T>(&self, work: impl Future<Output = T>) -> T {
        self.travel(Duration::ZERO).await;
        let answer = work.await;
        let late = *self.late.lock().unwrap_or_else(PoisonError::into_inner);
        self.travel(late).await;
        self.gate.pass().await;
        answer
    }

    async fn travel(&self, late: Duration) {
        let usual = if self.random.chance(50) {
            Duration::ZERO
        } else {
            self.random.millis(1, 3)
        };
        let pause = usual + late;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// The way to Redis.
#[derive(Debug)]
pub(crate) struct RedisLink {
    pub(crate) handle: RedisHandle,
    pub(crate) link: Arc<Link>,
    pub(crate) tally: Arc<Tally>,
}

impl RedisLink {
    fn note(&self, cell: &[u8]) {
        if cell.first() == Some(&b'E') {
            self.tally.add("error marker");
        }
    }
}

impl Remote for RedisLink {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, RemoteError>> {
        Box::pin(async move {
            let answer = self.link.through(self.handle.get(key)).await;
            if let Ok(Some(cell)) = &answer
                && cell.first() == Some(&b'E')
            {
                self.tally.add("error marker read");
            }
            answer
        })
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, RemoteError>> {
        Box::pin(self.link.through(self.handle.get_many(keys)))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        refused: Option<&'a [u8]>,
        lease: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, RemoteError>> {
        Box::pin(
            self.link
                .through(self.handle.acquire(key, refused, lease, ttl)),
        )
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: &'a CellHead,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        self.note(&cell);
        Box::pin(
            self.link
                .through(self.handle.fill(key, expected, cell, ttl)),
        )
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a CellHead,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        self.tally.add("lease renewal");
        Box::pin(self.link.through(self.handle.renew(key, lease, ttl)))
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        self.tally.add("refresh lease");
        Box::pin(self.link.through(self.handle.set_if_absent(key, cell, ttl)))
    }

    fn set_many(
        &self,
        cells: Vec<(String, Bytes, Duration)>,
    ) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.link.through(self.handle.set_many(cells)))
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(self.link.through(self.handle.remove(keys)))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.link.through(self.handle.ping()))
    }

    fn hint(&self, hint: Hint) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(self.link.through(self.handle.hint(hint)))
    }
}

/// The way to the change log.
#[derive(Debug)]
pub(crate) struct LogLink {
    pub(crate) handle: LogHandle,
    pub(crate) link: Arc<Link>,
    pub(crate) tally: Arc<Tally>,
}

impl ChangeLog for LogLink {
    fn poll<'a>(
        &'a self,
        after: &'a Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Poll, LogError>> {
        Box::pin(async move {
            let poll = self
                .link
                .through(self.handle.poll(after, limit.min(MOST_CHANGES)))
                .await?;
            if is_cut(&poll) {
                self.tally.add("list cut");
            }
            if !poll.position.xip().is_empty() {
                self.tally.add("poll beside open transactions");
            }
            Ok(poll)
        })
    }

    fn history(&self, limit: usize) -> BoxFuture<'_, Result<History, LogError>> {
        self.tally.add("history");
        Box::pin(
            self.link
                .through(self.handle.history(limit.min(MOST_HISTORY))),
        )
    }

    fn replace_incarnation(&self, seen: Incarnation) -> BoxFuture<'_, Result<(), LogError>> {
        self.tally.add("incarnation replaced");
        Box::pin(self.link.through(self.handle.replace_incarnation(seen)))
    }

    fn append(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<Written, LogError>> {
        Box::pin(self.link.through(self.handle.append(changes)))
    }
}

/// Whether one dep changed so often that its list of transactions is cut.
fn is_cut(poll: &Poll) -> bool {
    poll.changes.iter().any(|(_, change)| {
        let same = poll
            .changes
            .iter()
            .filter(|(_, other)| other.dep == change.dep);
        same.count() > MOST_RECENT
    })
}
