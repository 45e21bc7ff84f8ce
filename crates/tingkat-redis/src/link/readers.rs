//! Reads that are asked for while others are under way go together, as one command: a crowd of
//! callers shares one message, one answer and one timer. A lone caller asks for himself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use redis::{Cmd, Pipeline, RedisError, Value};
use tingkat::ports::Tick;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::{Link, Trouble};
use crate::order::Order;

/// One command asks for no more keys than this: a server does nothing else meanwhile.
const MOST_KEYS: usize = 100;

/// Who reads over one connection.
pub(super) struct Readers {
    reading: Mutex<Reading>,
    /// The server refused to answer for many at once and answered for each: it is not asked again.
    /// It forbids that, or is a node of a cluster, where the keys of a crowd are in several slots.
    one_by_one: AtomicBool,
    /// Of the connection and not of a caller, whose runtime may end or stand still.
    runtime: Handle,
}

#[derive(Default)]
struct Reading {
    /// Commands without an answer yet.
    under_way: usize,
    /// Those who go with the next one; somebody is about to send it unless it is empty.
    crowd: Vec<Reader>,
}

struct Reader {
    key: String,
    answer: oneshot::Sender<Result<Value, Trouble>>,
}

/// How a caller reads.
enum Role<'a> {
    /// By himself: nobody else does.
    Alone(UnderWay<'a>),
    /// Among others.
    Among(oneshot::Receiver<Result<Value, Trouble>>),
    /// The same; he is the first of them and has to see that they go.
    First(oneshot::Receiver<Result<Value, Trouble>>),
}

impl Readers {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            reading: Mutex::default(),
            one_by_one: AtomicBool::new(false),
            runtime,
        }
    }

    fn join(&self, key: &str) -> Role<'_> {
        let mut reading = self.lock();
        if reading.under_way == 0 && reading.crowd.is_empty() {
            reading.under_way = 1;
            return Role::Alone(UnderWay(self));
        }
        let (answer, receiver) = oneshot::channel();
        let is_first = reading.crowd.is_empty();
        reading.crowd.push(Reader {
            key: key.to_owned(),
            answer,
        });
        if is_first {
            Role::First(receiver)
        } else {
            Role::Among(receiver)
        }
    }

    /// Those who have gathered, and a command under way.
    fn depart(&self) -> (Vec<Reader>, UnderWay<'_>) {
        let mut reading = self.lock();
        reading.under_way += 1;
        (std::mem::take(&mut reading.crowd), UnderWay(self))
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command without an answer yet, also when nobody waits for it any more.
struct UnderWay<'a>(&'a Readers);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
    }
}

/// A crowd that is about to go. If nothing comes of it, also because the task never ran, those in it
/// are told.
struct Leaving(Option<Arc<Link>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(link) = self.0.take() {
            drop(link.readers.depart());
        }
    }
}

impl Link {
    /// What the server has under a key, within `patience`.
    pub(crate) async fn get(
        self: &Arc<Self>,
        key: &str,
        patience: Duration,
        tasks: &TaskTracker,
    ) -> Result<Value, Trouble> {
        if !self.is_connected() {
            return Err(Trouble::Away);
        }
        let answer = match self.readers.join(key) {
            Role::Alone(_under_way) => {
                return self.call(&Order::new(Cmd::get(key)), false, patience).await;
            }
            Role::Among(answer) => answer,
            Role::First(answer) => {
                // Not in the caller's own future: others wait for it, and he may stop polling.
                let leaving = Leaving(Some(Arc::clone(self)));
                let going = Arc::clone(self).read_together(leaving, self.clock.now(), patience);
                tasks.spawn_on(going, &self.readers.runtime);
                answer
            }
        };
        // The task ends without an answer only when the runtime does.
        answer.await.unwrap_or(Err(Trouble::Away))
    }

    async fn read_together(
        self: Arc<Self>,
        mut leaving: Leaving,
        asked_at: Tick,
        patience: Duration,
    ) {
        // Whoever is ready to run asks first, and comes along.
        tokio::task::yield_now().await;
        let (mut crowd, under_way) = self.readers.depart();
        // Who comes from now on goes with the next crowd, which is not ours to end.
        leaving.0 = None;
        let left = patience.saturating_sub(self.clock.now().since(asked_at));
        let mut commands = Vec::with_capacity(1);
        while !crowd.is_empty() {
            let rest = crowd.split_off(crowd.len().min(MOST_KEYS));
            commands.push(self.read_for(std::mem::replace(&mut crowd, rest), left));
        }
        join_all(commands).await;
        drop(under_way);
    }

    /// Reads for each of a crowd.
    async fn read_for(&self, crowd: Vec<Reader>, patience: Duration) {
        let sent_at = self.clock.now();
        let found = if self.readers.one_by_one.load(Ordering::Relaxed) {
            self.read_each(&crowd, patience).await
        } else {
            match self.read_at_once(&crowd, patience).await {
                // What the server refuses for many it may answer for each.
                Err(Trouble::Failed(error)) if error.code().is_some() => {
                    let took = self.clock.now().since(sent_at);
                    let found = self.read_each(&crowd, patience.saturating_sub(took)).await;
                    if found.is_ok() {
                        self.readers.one_by_one.store(true, Ordering::Relaxed);
                    }
                    found
                }
                found => found,
            }
        };
        let mut found = found.map(Vec::into_iter);
        for reader in crowd {
            let answer = match &mut found {
                Ok(found) => found.next().unwrap_or(Value::Nil).extract_error(),
                Err(Trouble::Failed(error)) => Err(error.clone()),
                Err(Trouble::Away) => {
                    // Whoever wanted it may be gone.
                    let _ = reader.answer.send(Err(Trouble::Away));
                    continue;
                }
            };
            let _ = reader.answer.send(answer.map_err(Trouble::Failed));
        }
    }

    async fn read_at_once(
        &self,
        crowd: &[Reader],
        patience: Duration,
    ) -> Result<Vec<Value>, Trouble> {
        let mut command = Cmd::new();
        command.arg("MGET");
        for reader in crowd {
            command.arg(&reader.key);
        }
        let found = self.call(&Order::new(command), false, patience).await?;
        if let Value::Array(found) = found
            && found.len() == crowd.len()
        {
            return Ok(found);
        }
        Err(Trouble::Failed(RedisError::from((
            redis::ErrorKind::UnexpectedReturnType,
            "not an answer for each key",
        ))))
    }

    async fn read_each(&self, crowd: &[Reader], patience: Duration) -> Result<Vec<Value>, Trouble> {
        let mut commands = Pipeline::with_capacity(crowd.len());
        for reader in crowd {
            commands.add_command(Cmd::get(&reader.key));
        }
        self.call_many(&commands, patience).await
    }
}
