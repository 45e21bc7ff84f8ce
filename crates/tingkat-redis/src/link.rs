//! One connection to one server: made, lost, and made again in the background.
//!
//! A command never waits for a connection and is never queued: without one it fails at once.

mod attempt;
mod readers;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::future::{Either, select};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, RedisResult, Value};
use tingkat::ports::Clock;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::attempt::Found;
use self::readers::Readers;
use crate::config::Config;
use crate::dial::{Pauses, greet, judge_ping};
use crate::hello::Kind;
use crate::order::Order;
use crate::place::Place;
use crate::refusal;
use crate::sentinels::Sentinels;
use crate::state::State;

/// This many commands in a row without an answer, and the connection is taken for dead: a
/// firewall that drops packets says nothing.
const MOST_UNANSWERED: u32 = 3;

/// How often a server is looked at again that is not as it should be.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(5);

/// Where to connect to.
pub(crate) enum Way {
    /// To the first of these that answers.
    Fixed(Vec<Place>),
    /// To the master that Sentinels name.
    Master(Arc<Sentinels>),
}

/// What must stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// One server; anything else is to be told of.
    Anything,
    Standalone,
    /// Something that behaves like one server, whatever it calls itself.
    Proxy,
    Master,
    ClusterNode,
}

/// Why a command has no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There is no connection, and none was waited for.
    Away,
    Failed(RedisError),
}

/// What the answer to PING says about the server.
pub(crate) fn pong(answer: Result<Value, Trouble>) -> Result<(), Trouble> {
    match answer {
        Ok(_) => Ok(()),
        Err(Trouble::Failed(error)) => judge_ping(Err(error)).map_err(Trouble::Failed),
        Err(Trouble::Away) => Err(Trouble::Away),
    }
}

pub(crate) struct Link {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    way: Way,
    expected: Expected,
    current: RwLock<Option<Live>>,
    /// Whether there is one, for whoever only wants to know.
    is_connected: AtomicBool,
    generation: AtomicU64,
    unanswered: AtomicU32,
    readers: Readers,
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: Arc<Notify>,
    /// Ends an attempt and a pause.
    again: Notify,
}

/// A connection that is in use.
struct Live {
    generation: u64,
    place: Place,
    connection: MultiplexedConnection,
    /// Cancelled once it is of no use any more.
    gone: CancellationToken,
    state: State,
}

impl Link {
    pub(crate) fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        way: Way,
        expected: Expected,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            config,
            clock,
            way,
            expected,
            current: RwLock::new(None),
            is_connected: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            readers: Readers::new(Handle::current()),
            state: Mutex::new(State::Connecting),
            changed,
            again: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// Where the connection of the moment leads to.
    pub(crate) fn place(&self) -> Option<Place> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|live| live.place.clone())
    }

    /// The connection of the moment, if there is one, with its number.
    pub(crate) fn connection(&self) -> Option<(u64, MultiplexedConnection)> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|live| (live.generation, live.connection.clone()))
    }

    /// Sends a command, and once more with the text of its script where that is not known; the
    /// second time for what is left of `patience`.
    pub(crate) async fn call(
        &self,
        order: &Order,
        is_asking: bool,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let sent_at = order.is_script().then(|| self.clock.now());
        let answer = self
            .exchange(patience, async move |mut connection| {
                order.send(&mut connection, is_asking).await
            })
            .await?;
        let Some(with_text) = order.with_text(&answer) else {
            return answer.map_err(Trouble::Failed);
        };
        let took = sent_at.map_or(Duration::ZERO, |at| self.clock.now().since(at));
        let left = patience.saturating_sub(took);
        // Boxed, so that the future of the usual case stays small.
        let again = Box::pin(self.exchange(left, async move |mut connection| {
            with_text.send(&mut connection, is_asking).await
        }));
        again.await?.map_err(Trouble::Failed)
    }

    /// Sends commands in one go; each answer for itself.
    pub(crate) async fn call_many(
        &self,
        commands: &Pipeline,
        patience: Duration,
    ) -> Result<Vec<Value>, Trouble> {
        let generation = self.generation.load(Ordering::Relaxed);
        let answers = self
            .exchange(patience, async move |mut connection| {
                connection
                    .send_packed_commands(commands, 0, commands.len())
                    .await
            })
            .await?
            .map_err(Trouble::Failed)?;
        if let Some(refusal) = refusal::first_in(&answers) {
            self.take_in(generation, &refusal);
        }
        Ok(answers)
    }

    /// Runs one round trip and takes in how it went.
    async fn exchange<T, F>(
        &self,
        patience: Duration,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<RedisResult<T>, Trouble>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let Some((generation, mut connection)) = self.connection() else {
            return Err(Trouble::Away);
        };
        if patience < self.config.response_timeout {
            connection.set_response_timeout(patience);
        }
        let watch = self.watch(generation);
        let answer = run(connection).await;
        match &answer {
            Err(error) if error.is_timeout() => drop(watch),
            Ok(_) | Err(_) => watch.answered(),
        }
        if let Err(error) = &answer {
            self.take_in(generation, error);
        }
        Ok(answer)
    }

    /// What an error says about the connection.
    fn take_in(&self, generation: u64, error: &RedisError) {
        if refusal::is_connection_gone(error) {
            self.lost(generation, &refusal::describe(error));
        } else if self.expected == Expected::Master && refusal::is_read_only(error) {
            // Whoever was promoted instead takes writes.
            self.lost(generation, "the master was demoted");
            self.again.notify_one();
        }
    }

    /// Says that a connection is of no use any more.
    fn lost(&self, generation: u64, why: &str) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = current.take_if(|live| live.generation == generation) {
            self.is_connected.store(false, Ordering::Relaxed);
            drop(current);
            self.set(State::Down(why.to_owned()));
            live.gone.cancel();
        }
    }

    /// Gives up the present connection, unless it leads to `place`, and looks where to go.
    pub(crate) fn leave_for(&self, place: &Place) {
        let present = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current
                .as_ref()
                .map(|live| (live.generation, live.place.clone()))
        };
        match present {
            Some((_, present)) if present == *place => return,
            Some((generation, _)) => self.lost(generation, "another server is master now"),
            None => {}
        }
        self.again.notify_one();
    }

    fn set(&self, state: State) {
        let mut present = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *present != state {
            *present = state;
            drop(present);
            self.changed.notify_one();
        }
    }

    /// Watches over one round trip, from when it is sent.
    fn watch(&self, generation: u64) -> Watch<'_> {
        Watch {
            link: self,
            generation,
            sent_at: self.clock.now(),
            is_answered: false,
        }
    }

    /// Keeps a connection until something else stands there than was expected: what that is.
    pub(crate) async fn keep(&self) -> Kind {
        let mut pauses = Pauses::new();
        loop {
            let connecting = std::pin::pin!(self.connect());
            let again = std::pin::pin!(self.again.notified());
            match select(connecting, again).await {
                Either::Left((Ok(Found::Live(live)), _)) => {
                    let up_at = self.clock.now();
                    if let Some(kind) = self.use_until_gone(*live).await {
                        return kind;
                    }
                    pauses.held(self.clock.now().since(up_at));
                }
                Either::Left((Ok(Found::Other(kind)), _)) => return kind,
                Either::Left((Err(why), _)) => self.set(State::Down(why)),
                // Somebody knows better.
                Either::Right(((), _)) => continue,
            }
            let pause = self.clock.sleep(pauses.next(&*self.clock));
            let again = std::pin::pin!(self.again.notified());
            select(pause, again).await;
        }
    }

    /// Ends the connection, for good.
    pub(crate) fn close(&self) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = None;
        self.is_connected.store(false, Ordering::Relaxed);
        drop(current);
        self.set(State::Down("closed".to_owned()));
    }

    async fn use_until_gone(&self, live: Live) -> Option<Kind> {
        let (generation, gone) = (live.generation, live.gone.clone());
        let (connection, place) = (live.connection.clone(), live.place.clone());
        let state = live.state.clone();
        self.unanswered.store(0, Ordering::Relaxed);
        {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            *current = Some(live);
            self.is_connected.store(true, Ordering::Relaxed);
        }
        self.set(state);
        let other = gone
            .run_until_cancelled(self.look_again(connection, &place))
            .await;
        self.lost(
            generation,
            match other {
                None => "the server closed the connection",
                Some(_) => "the server is not what it was",
            },
        );
        other
    }

    /// Looks again and again at a server that is not as it should be; ends when another kind of
    /// server stands there.
    async fn look_again(&self, mut connection: MultiplexedConnection, place: &Place) -> Kind {
        loop {
            self.clock.sleep(LOOKED_AT_AGAIN).await;
            if self.state() == State::Up {
                continue;
            }
            // Trouble with the connection is for its users to find.
            if let Ok(welcome) = greet(&mut connection, &self.config).await {
                match self.judge(&welcome, place) {
                    Ok(Ok(state)) => self.set(state),
                    Ok(Err(kind)) => return kind,
                    Err(why) => self.set(State::Limited(why)),
                }
            }
        }
    }
}

/// Notices a command that gets no answer, also when whoever wanted it stopped waiting.
struct Watch<'a> {
    link: &'a Link,
    generation: u64,
    sent_at: tingkat::ports::Tick,
    is_answered: bool,
}

impl Watch<'_> {
    /// The server answered, if only with an error.
    fn answered(mut self) {
        self.is_answered = true;
        self.link.unanswered.store(0, Ordering::Relaxed);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let waited = self.link.clock.now().since(self.sent_at);
        // A caller that left early says nothing about the server.
        if waited < self.link.config.response_timeout / 2 {
            return;
        }
        if self.link.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_UNANSWERED {
            self.link
                .lost(self.generation, "no answer to several commands in a row");
        }
    }
}
