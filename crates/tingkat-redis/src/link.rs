//! One connection to one server: made, lost, and made again in the background.
//!
//! A command never waits for a connection and is never queued: without one it fails at once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind};
use tingkat::ports::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::dial::{Pauses, dial};

/// This many commands in a row without an answer, and the connection is taken for dead: a
/// firewall that drops packets says nothing.
const MOST_UNANSWERED: u32 = 3;

/// How to reach a server and how long to wait for it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it is.
    pub address: Address,
    /// To connect and log in.
    pub connect_timeout: Duration,
    /// For the answer to a command.
    pub response_timeout: Duration,
    /// The channel on which hints are published: the log's incarnation in 32 hexadecimal digits, a
    /// space, and the hint's number in 16.
    pub hint_channel: String,
}

impl Config {
    /// A server at `address`, with keys under `prefix`.
    pub fn new(address: Address, prefix: &str) -> Self {
        Self {
            address,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(50),
            hint_channel: format!("{prefix}hint"),
        }
    }
}

/// Whether there is a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The first attempt is under way.
    Connecting,
    /// There is one.
    Up,
    /// There is none, for this reason.
    Down(String),
}

pub(crate) struct Link {
    config: Config,
    clock: Arc<dyn Clock>,
    current: RwLock<Option<Live>>,
    generation: AtomicU64,
    unanswered: AtomicU32,
    state: watch::Sender<State>,
}

/// A connection that is in use.
struct Live {
    generation: u64,
    connection: MultiplexedConnection,
    /// Cancelled once it is of no use any more.
    gone: CancellationToken,
}

impl Link {
    pub(crate) fn new(config: Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            config,
            clock,
            current: RwLock::new(None),
            generation: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            state: watch::channel(State::Connecting).0,
        })
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The connection of the moment, if there is one, with its number.
    pub(crate) fn connection(&self) -> Option<(u64, MultiplexedConnection)> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|live| (live.generation, live.connection.clone()))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Says that a connection is of no use any more.
    pub(crate) fn lost(&self, generation: u64, why: &str) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = current.take_if(|live| live.generation == generation) {
            drop(current);
            self.state.send_replace(State::Down(why.to_owned()));
            live.gone.cancel();
        }
    }

    /// Watches over one command, from when it is sent.
    pub(crate) fn watch(&self, generation: u64) -> Watch<'_> {
        Watch {
            link: self,
            generation,
            sent_at: self.clock.now(),
            is_answered: false,
        }
    }

    /// Keeps a connection until `stop`.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.keep_for_ever()).await;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.state.send_replace(State::Down("closed".to_owned()));
    }

    async fn keep_for_ever(&self) {
        let mut pauses = Pauses::new();
        loop {
            match self.connect().await {
                Ok(live) => {
                    let up_at = self.clock.now();
                    self.use_until_gone(live).await;
                    pauses.held(self.clock.now().since(up_at));
                }
                Err(why) => {
                    let state = State::Down(why);
                    self.state.send_if_modified(|present| {
                        let is_new = *present != state;
                        *present = state;
                        is_new
                    });
                }
            }
            self.clock.sleep(pauses.next(&*self.clock)).await;
        }
    }

    async fn use_until_gone(&self, live: Live) {
        let (generation, gone) = (live.generation, live.gone.clone());
        self.unanswered.store(0, Ordering::Relaxed);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
        self.state.send_replace(State::Up);
        gone.cancelled().await;
        self.lost(generation, "the server closed the connection");
    }

    async fn connect(&self) -> Result<Live, String> {
        let gone = CancellationToken::new();
        let told = gone.clone();
        // Otherwise the next customer would be the one to find an idle connection dead.
        let pushed = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                told.cancel();
            }
        };
        Ok(Live {
            connection: dial(&self.config, pushed).await?,
            generation: self.generation.fetch_add(1, Ordering::Relaxed) + 1,
            gone,
        })
    }
}

/// Notices a command that gets no answer, also when whoever wanted it stopped waiting.
pub(crate) struct Watch<'a> {
    link: &'a Link,
    generation: u64,
    sent_at: tingkat::ports::Tick,
    is_answered: bool,
}

impl Watch<'_> {
    /// The server answered, if only with an error.
    pub(crate) fn answered(mut self) {
        self.is_answered = true;
        self.link.unanswered.store(0, Ordering::Relaxed);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let waited = self.link.clock.now().since(self.sent_at);
        // A caller that left early says nothing about the server.
        if self.is_answered || waited < self.link.config.response_timeout / 2 {
            return;
        }
        if self.link.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_UNANSWERED {
            self.link
                .lost(self.generation, "no answer to several commands in a row");
        }
    }
}
