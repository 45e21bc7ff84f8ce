//! One node of a cluster: its connection, and its breakers, so that a node that fails costs nobody
//! but its own keys anything.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tingkat::breaker::{self, Outcome};
use tingkat::error::RemoteErrorKind;
use tingkat::ports::{Clock, Tick};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::link::{Link, Trouble, pong};
use crate::order::Order;
use crate::place::Place;
use crate::refusal::{self, Access};
use crate::state::State;

/// Between looks whether a node that is away can be probed again.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// A node that failed is probed at least this often, so that it is used soon after it has recovered.
const OPEN_FOR_MOST: Duration = Duration::from_secs(2);

pub(super) struct Node {
    place: Place,
    link: Link,
    reads: Guard,
    writes: Guard,
    opened: Notify,
    changed: Arc<Notify>,
    clock: Arc<dyn Clock>,
    config: Arc<Config>,
    /// Cancelled when the node leaves the cluster.
    pub(super) stop: CancellationToken,
    /// When a redirect named it last.
    named_at: Mutex<Option<Tick>>,
    write_key: Mutex<Option<String>>,
}

/// A breaker, and why it is open.
struct Guard {
    breaker: breaker::Shared,
    reason: Mutex<String>,
}

impl Guard {
    fn new() -> Self {
        Self {
            breaker: breaker::Shared::new(breaker::Config {
                open_for_most: OPEN_FOR_MOST,
                ..breaker::Config::default()
            }),
            reason: Mutex::default(),
        }
    }

    fn allows(&self) -> bool {
        self.breaker.allows()
    }

    fn why(&self) -> Option<String> {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.allows()).then(|| reason.clone())
    }

    /// Takes in how a call ended; tells whether that opened it.
    fn record(&self, now: Tick, outcome: Outcome, why: impl FnOnce() -> String) -> bool {
        self.breaker.with(|breaker| {
            let opens = breaker.record(now, outcome);
            if opens {
                *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = why();
            }
            opens
        })
    }
}

impl Node {
    pub(super) fn new(
        place: Place,
        link: Link,
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            place,
            link,
            reads: Guard::new(),
            writes: Guard::new(),
            opened: Notify::new(),
            changed,
            named_at: Mutex::new(None),
            write_key: Mutex::new(None),
            clock,
            config,
            stop: CancellationToken::new(),
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    /// Whether it answers, as far as we know.
    pub(super) fn is_usable(&self) -> bool {
        self.link.is_connected() && self.reads.allows()
    }

    /// Whether such a command may be sent to it.
    pub(super) fn allows(&self, access: Access) -> bool {
        self.is_usable() && (access == Access::Read || self.writes.allows())
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.link.state() == State::Connecting
    }

    /// What is wrong with it.
    pub(super) fn trouble(&self) -> Option<String> {
        let link = self.link.state();
        if let Some(why) = link.trouble() {
            // The link's own words name the place.
            return Some(why.to_owned());
        }
        if let Some(why) = self.reads.why() {
            return Some(format!("{} is left alone: {why}", self.place));
        }
        let why = self.writes.why()?;
        Some(format!("nothing is written to {}: {why}", self.place))
    }

    /// Takes in that a redirect has named it.
    pub(super) fn is_named(&self) {
        let mut named_at = self.named_at.lock().unwrap_or_else(PoisonError::into_inner);
        *named_at = Some(self.clock.now());
    }

    pub(super) fn was_named_within(&self, time: Duration) -> bool {
        let named_at = *self.named_at.lock().unwrap_or_else(PoisonError::into_inner);
        named_at.is_some_and(|named_at| self.clock.now().since(named_at) < time)
    }

    /// Sends a command.
    pub(super) async fn call(
        &self,
        access: Access,
        order: &Order,
        is_asking: bool,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let watch = self.watch(access);
        let answer = self.link.call(order, is_asking, patience).await;
        watch.ended(answer.as_ref().err());
        answer
    }

    /// Sends commands in one go.
    pub(super) async fn call_many(
        &self,
        access: Access,
        commands: &Pipeline,
        patience: Duration,
    ) -> Result<Vec<Value>, Trouble> {
        let watch = self.watch(access);
        let answers = self.link.call_many(commands, patience).await;
        let refusal = answers
            .as_ref()
            .ok()
            .and_then(|answers| refusal::first_in(answers));
        match refusal {
            Some(refusal) => watch.ended(Some(&Trouble::Failed(refusal))),
            None => watch.ended(answers.as_ref().err()),
        }
        answers
    }

    /// Keeps the connection and probes, until the node leaves the cluster.
    pub(super) async fn keep(self: Arc<Self>) {
        let keeping = Box::pin(async { tokio::join!(self.link.keep(), self.probe()) });
        let _ = self.stop.run_until_cancelled(keeping).await;
        self.link.close();
    }

    fn watch(&self, access: Access) -> Watch<'_> {
        Watch {
            node: self,
            access,
            sent_at: self.clock.now(),
            is_over: false,
        }
    }

    fn record(&self, access: Access, outcome: Outcome, why: impl FnOnce() -> String) {
        let now = self.clock.now();
        let guard = match access {
            Access::Read => &self.reads,
            Access::Write => &self.writes,
        };
        if guard.record(now, outcome, why) {
            self.opened.notify_one();
            self.changed.notify_one();
        }
    }

    /// Closes the breakers by probes of its own, never with a customer's request.
    async fn probe(&self) {
        loop {
            self.opened.notified().await;
            while !(self.reads.allows() && self.writes.allows()) {
                self.clock.sleep(PROBE_PAUSE).await;
                for access in [Access::Read, Access::Write] {
                    // What is not connected has not failed the probe.
                    if self.link.is_connected() {
                        self.probe_once(access).await;
                    }
                }
            }
        }
    }

    async fn probe_once(&self, access: Access) {
        let guard = match access {
            Access::Read => &self.reads,
            Access::Write => &self.writes,
        };
        let sent_at = self.clock.now();
        let is_due = guard.breaker.with(|breaker| breaker.wants_probe(sent_at));
        if !is_due {
            return;
        }
        let order = match access {
            Access::Read => Order::new(redis::cmd("PING")),
            Access::Write => self.write_probe(),
        };
        let answer = self
            .link
            .call(&order, false, self.config.response_timeout)
            .await;
        let now = self.clock.now();
        let has_answered = match (access, answer) {
            (Access::Read, answer) => pong(answer).is_ok(),
            (Access::Write, Ok(_)) => true,
            // The slot of the probe has moved, which is for others to take in.
            (Access::Write, Err(Trouble::Failed(error))) => error.redirect_node().is_some(),
            (Access::Write, Err(Trouble::Away)) => false,
        };
        let outcome = if has_answered {
            Outcome::Answered(now.since(sent_at))
        } else {
            Outcome::Failed
        };
        let closes = guard
            .breaker
            .with(|breaker| breaker.record_probe(now, outcome) && breaker.allows());
        if closes {
            self.changed.notify_one();
        }
    }

    /// A write of a cell that nobody reads, in a slot of this node: another node would send us on
    /// before it looked whether it can write.
    fn write_probe(&self) -> Order {
        let key = self.write_key();
        let mut command = Cmd::set(key.unwrap_or_else(|| self.config.scratch_key()), "");
        command.arg("PX").arg(1_000);
        Order::new(command)
    }

    /// A key of this node, if it has any slot.
    pub(super) fn write_key(&self) -> Option<String> {
        self.write_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_write_key(&self, key: Option<String>) {
        *self
            .write_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = key;
    }
}

/// Notices a round trip that ends without an answer, also when whoever wanted it stopped waiting.
struct Watch<'a> {
    node: &'a Node,
    access: Access,
    sent_at: Tick,
    is_over: bool,
}

impl Watch<'_> {
    fn ended(mut self, trouble: Option<&Trouble>) {
        self.is_over = true;
        let took = self.node.clock.now().since(self.sent_at);
        let answered = Outcome::Answered(took);
        let slowly = || format!("an answer took {took:?}");
        match trouble {
            None => {
                self.node.record(Access::Read, answered, slowly);
                if self.access == Access::Write {
                    self.node.record(Access::Write, answered, slowly);
                }
            }
            // It has failed nobody.
            Some(Trouble::Away) => {}
            Some(Trouble::Failed(error)) if error.redirect_node().is_some() => {
                self.node.record(Access::Read, answered, slowly);
            }
            Some(Trouble::Failed(error)) => {
                let kind = refusal::translate(error, self.access).kind();
                let access = if kind == RemoteErrorKind::WriteRefused {
                    Access::Write
                } else {
                    Access::Read
                };
                let why = || refusal::describe(error);
                self.node.record(access, Outcome::Failed, why);
            }
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let waited = self.node.clock.now().since(self.sent_at);
        // A caller that left early says nothing about the node.
        if !self.is_over && waited >= self.node.config.response_timeout / 2 {
            let why = || "no answer in time".to_owned();
            self.node.record(Access::Read, Outcome::Failed, why);
        }
    }
}
