//! Hints: told on a channel, and heard on a connection of their own.
//!
//! A hint is a wake-up and nothing else: one that is lost costs some milliseconds, one that is
//! forged a poll. What is heard goes to its listener at once, so nothing is ever queued here.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tingkat::ports::{Clock, Hint};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::dial::{Pauses, dial, ping};
use crate::state::State;
use crate::topology::Hub;
use crate::{refusal, rights};

/// A silent channel may be a dead connection; this often the server is asked.
const ASKED_EVERY: Duration = Duration::from_secs(5);

/// Own hints that are remembered until they come back. One that was pushed out wakes the feed once
/// more than needed.
const MOST_OWN: usize = 64;

/// What was heard on the channel since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HintCounts {
    /// Hints of other nodes.
    pub heard: u64,
    /// Hints of this node, which came back.
    pub own: u64,
    /// Messages that are no hints.
    pub rubbish: u64,
}

/// The message of a hint: the incarnation in 32 hexadecimal digits, a space, the number in 16.
pub(crate) fn message(hint: Hint) -> String {
    format!("{} {:016x}", hint.incarnation, hint.n)
}

fn parse(message: &[u8]) -> Option<Hint> {
    let text = std::str::from_utf8(message).ok()?;
    let (incarnation, n) = text.split_once(' ')?;
    let hint = Hint {
        incarnation: incarnation.parse().ok()?,
        n: u64::from_str_radix(n, 16).ok()?,
    };
    // What this program writes and nothing that merely reads like it.
    (self::message(hint) == text).then_some(hint)
}

/// What was told by this node, and what was heard.
#[derive(Default)]
pub(crate) struct Hints {
    told: Mutex<VecDeque<u64>>,
    heard: AtomicU64,
    own: AtomicU64,
    rubbish: AtomicU64,
}

impl Hints {
    /// Remembers a hint that is about to be told.
    pub(crate) fn tells(&self, hint: Hint) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() == MOST_OWN {
            told.pop_front();
        }
        told.push_back(hint.n);
    }

    /// Takes in a message; the hint of another node, if it is one.
    fn take(&self, message: &[u8]) -> Option<Hint> {
        // Somebody tries whether it may tell hints.
        if message.is_empty() {
            return None;
        }
        let Some(hint) = parse(message) else {
            self.rubbish.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = told.iter().position(|&n| n == hint.n) {
            told.remove(place);
            self.own.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        drop(told);
        self.heard.fetch_add(1, Ordering::Relaxed);
        Some(hint)
    }

    pub(crate) fn counts(&self) -> HintCounts {
        HintCounts {
            heard: self.heard.load(Ordering::Relaxed),
            own: self.own.load(Ordering::Relaxed),
            rubbish: self.rubbish.load(Ordering::Relaxed),
        }
    }
}

type Listener = dyn Fn(Hint) + Send + Sync;

/// A subscription that comes and goes with its connection.
pub(crate) struct Ear {
    pub(crate) config: Arc<Config>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hints: Arc<Hints>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) state: watch::Sender<State>,
}

impl Ear {
    /// Listens until `stop`.
    pub(crate) async fn listen(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.listen_for_ever()).await;
        self.state.send_replace(State::Down("closed".to_owned()));
    }

    async fn listen_for_ever(&self) {
        let mut pauses = Pauses::new();
        loop {
            let since = self.clock.now();
            let why = match self.subscribe().await {
                Ok((connection, gone)) => {
                    self.state.send_replace(State::Up);
                    let why = self.stay(connection, gone).await;
                    pauses.held(self.clock.now().since(since));
                    why
                }
                Err(why) => why,
            };
            self.state.send_if_modified(|present| {
                let state = State::Down(why);
                let is_new = *present != state;
                *present = state;
                is_new
            });
            self.clock.sleep(pauses.next(&*self.clock)).await;
        }
    }

    async fn subscribe(&self) -> Result<(MultiplexedConnection, CancellationToken), String> {
        let (gone, hints, listener) = (
            CancellationToken::new(),
            Arc::clone(&self.hints),
            Arc::clone(&self.listener),
        );
        let told = gone.clone();
        let pushed = move |push: PushInfo| match (push.kind, push.data.as_slice()) {
            (PushKind::Disconnection, _) => told.cancel(),
            (PushKind::Message, [_, message]) => {
                // No server sends anything else; it is not a hint either way.
                let message = if let Value::BulkString(bytes) = message {
                    bytes.as_slice()
                } else {
                    &[]
                };
                if let Some(hint) = hints.take(message) {
                    listener(hint);
                }
            }
            _ => {}
        };
        let place = self.hub.somewhere();
        let place = place.ok_or("no server is connected that could be listened to")?;
        let config = &self.config;
        let mut connection = dial(&place, &config.address, config, pushed).await?;
        match connection.subscribe(&config.hint_channel).await {
            Ok(()) => Ok((connection, gone)),
            Err(error) if refusal::is_forbidden(&error) => Err(rights::lacking_to_listen(config)),
            Err(error) => Err(refusal::describe(&error)),
        }
    }

    /// Keeps the subscription as long as the server answers; why it ended.
    async fn stay(&self, mut connection: MultiplexedConnection, gone: CancellationToken) -> String {
        loop {
            let is_over = gone
                .run_until_cancelled(self.clock.sleep(ASKED_EVERY))
                .await;
            if is_over.is_none() {
                return "the server closed the connection".to_owned();
            }
            if let Err(error) = ping(&mut connection).await {
                return refusal::describe(&error);
            }
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear")
            .field("channel", &self.config.hint_channel)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tingkat::certificate::Incarnation;

    use super::*;

    fn hint(n: u64) -> Hint {
        Hint {
            incarnation: Incarnation::from_bytes([0xab; 16]),
            n,
        }
    }

    #[test]
    fn a_hint_is_read_as_it_was_written() {
        for n in [0, 1, u64::MAX] {
            assert_eq!(parse(message(hint(n)).as_bytes()), Some(hint(n)));
        }
    }

    #[test]
    fn what_merely_looks_like_a_hint_is_none() {
        let right = message(hint(0xfe));
        let wrong = [
            String::new(),
            right.to_uppercase(),
            format!(" {right}"),
            format!("{right} "),
            format!("{right}0"),
            right.replace(' ', "  "),
            right.replace(' ', " +").replacen("+0", "+", 1),
            right[..48].to_owned(),
            right[1..].to_owned(),
            right.replace("ab", "ag"),
            right.replace("fe", "é"),
        ];
        for text in wrong {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(&[0xff; 49]), None);
    }

    #[test]
    fn each_own_hint_is_taken_for_ones_own_once() {
        let hints = Hints::default();
        hints.tells(hint(7));
        assert_eq!(hints.take(message(hint(7)).as_bytes()), None);
        assert_eq!(hints.take(message(hint(7)).as_bytes()), Some(hint(7)));
        let counts = HintCounts {
            heard: 1,
            own: 1,
            rubbish: 0,
        };
        assert_eq!(hints.counts(), counts);
    }

    #[test]
    fn own_hints_that_never_come_back_take_no_more_room() {
        let hints = Hints::default();
        for n in 0..1_000 {
            hints.tells(hint(n));
        }
        assert_eq!(hints.told.lock().unwrap().len(), MOST_OWN);
    }
}
