//! The remote tier as the engine uses it: behind breakers, within a request's budget.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, select};

use super::Node;
use crate::breaker::{self, Outcome};
use crate::error::{RemoteError, RemoteErrorKind};
use crate::event::Event;
use crate::ports::{Clock, Remote, Tick};
use crate::stats::RemoteCalls;

/// The remote tier behind its breakers: one for everything, one for writes alone.
pub(crate) struct Guarded {
    remote: Arc<dyn Remote>,
    pub(crate) budget: Duration,
    /// Who has waited for so long without an answer can tell that the server is slow.
    telling: Duration,
    reads: breaker::Shared,
    writes: breaker::Shared,
    is_probing: AtomicBool,
    /// There was a connection, or it was waited for.
    has_begun: AtomicBool,
    calls: RemoteCalls,
}

/// How often is looked whether there is a connection again.
const RECONNECT_LOOK: Duration = Duration::from_millis(50);

/// How often a node that has just begun looks for its first connection.
const FIRST_LOOK: Duration = Duration::from_millis(2);

/// It waits no longer for it, however large the budget is: Redis may not be there at all.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// What is left of a request's share of the remote tier.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<Duration>);

/// A call under way; the share is charged when it ends, also when nobody waits for it any more.
struct Spending<'a> {
    budget: &'a Budget,
    clock: &'a dyn Clock,
    since: Tick,
    is_charged: bool,
}

impl Budget {
    fn new(left: Duration) -> Self {
        Self(Mutex::new(left))
    }

    /// Nothing, where there is no remote tier.
    pub(crate) fn empty() -> Self {
        Self::new(Duration::ZERO)
    }

    /// As much as is left, for what goes on side by side with others of the same request: their
    /// time passes once.
    pub(crate) fn share(&self) -> Self {
        Self::new(*self.lock())
    }

    /// Begins a call; how long it may take.
    fn begin<'a>(&'a self, clock: &'a dyn Clock) -> Option<(Duration, Spending<'a>)> {
        let left = *self.lock();
        let spending = Spending {
            budget: self,
            clock,
            since: clock.now(),
            is_charged: false,
        };
        (!left.is_zero()).then_some((left, spending))
    }

    fn lock(&self) -> MutexGuard<'_, Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spending<'_> {
    /// Ends the call: when, and how long it took.
    fn end(mut self) -> (Tick, Duration) {
        self.charge()
    }

    fn charge(&mut self) -> (Tick, Duration) {
        let now = self.clock.now();
        let took = now.since(self.since);
        let mut left = self.budget.lock();
        *left = left.saturating_sub(took);
        drop(left);
        self.is_charged = true;
        (now, took)
    }
}

impl Drop for Spending<'_> {
    fn drop(&mut self) {
        if !self.is_charged {
            self.charge();
        }
    }
}

/// Whether a call changes something; refusals to write leave reads alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Best effort: a server that refuses it is as good as any other.
    Hint,
}

/// What became of a call.
pub(crate) enum Called<T> {
    /// It was not made.
    Barred,
    Answered(T, Duration),
    Failed {
        took: Duration,
        /// It was sent and nobody said no: the server may have carried it out.
        may_have_run: bool,
    },
}

/// What became of a call that carries much.
pub(crate) enum Bulk<T> {
    Answered(T),
    /// There was no answer in time.
    Late,
    /// It was refused, or not made.
    Failed,
}

impl Guarded {
    pub(super) fn new(remote: Arc<dyn Remote>, budget: Duration, config: &breaker::Config) -> Self {
        Self {
            remote,
            budget,
            telling: config.slow.min(budget / 2),
            reads: breaker::Shared::new(config.clone()),
            writes: breaker::Shared::new(config.clone()),
            is_probing: false.into(),
            has_begun: false.into(),
            calls: RemoteCalls::default(),
        }
    }

    /// Where the breaker for everything stands.
    pub(super) fn state(&self) -> breaker::State {
        self.reads.with(|breaker| breaker.state())
    }

    /// Where both stand.
    pub(super) fn states(&self) -> [breaker::State; 2] {
        [&self.reads, &self.writes].map(|cell| cell.with(|breaker| breaker.state()))
    }

    /// What was called so far, and how it ended.
    pub(super) const fn calls(&self) -> &RemoteCalls {
        &self.calls
    }

    /// A fresh share for one request.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.budget)
    }

    /// Whether a call that reads may pass.
    pub(crate) fn allows_reads(&self) -> bool {
        self.remote.is_connected() && self.reads.allows()
    }

    /// Waits for the first connection, once and for half of a budget: the rest is for asking.
    pub(crate) async fn await_first_connection(&self, node: &Node, budget: &Budget) {
        if self.has_begun.load(Ordering::Relaxed) {
            return;
        }
        if let Some((left, _spending)) = budget.begin(&*node.0.clock) {
            let patience = FIRST_WAIT.min(left / 2);
            node.within(patience, self.connects(node, FIRST_LOOK)).await;
        }
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Waits until calls that read may pass.
    pub(crate) async fn comes(&self, node: &Node) {
        while !self.allows_reads() {
            node.0.clock.sleep(RECONNECT_LOOK).await;
        }
    }

    async fn connects(&self, node: &Node, pause: Duration) {
        while !self.remote.is_connected() {
            node.0.clock.sleep(pause).await;
        }
    }

    /// Calls the tier, if its breaker and the budget allow; nothing on any failure.
    pub(crate) async fn call<'a, T>(
        &'a self,
        node: &Node,
        budget: &Budget,
        access: Access,
        call: impl FnOnce(&'a dyn Remote) -> BoxFuture<'a, Result<T, RemoteError>>,
    ) -> Option<T> {
        match self.timed_call(node, budget, access, call).await {
            Called::Answered(value, _) => Some(value),
            Called::Barred | Called::Failed { .. } => None,
        }
    }

    /// The same, with the time that it took.
    pub(crate) async fn timed_call<'a, T>(
        &'a self,
        node: &Node,
        budget: &Budget,
        access: Access,
        call: impl FnOnce(&'a dyn Remote) -> BoxFuture<'a, Result<T, RemoteError>>,
    ) -> Called<T> {
        if !self.allows_reads() || (access == Access::Write && !self.writes.allows()) {
            return Called::Barred;
        }
        let Some((left, spending)) = budget.begin(&*node.0.clock) else {
            return Called::Failed {
                took: Duration::ZERO,
                may_have_run: false,
            };
        };
        let ends_by_itself = self.remote.patience().is_some_and(|most| most <= left);
        let asking = call(&*self.remote);
        let answer = if ends_by_itself {
            Some(asking.await)
        } else {
            node.within(left, asking).await
        };
        let (now, took) = spending.end();
        let failure = match &answer {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.kind()),
            None => Some(RemoteErrorKind::Timeout),
        };
        self.count(access, failure);
        let may_have_run = matches!(
            failure,
            Some(RemoteErrorKind::Disconnected | RemoteErrorKind::Timeout)
        );
        // Who asks with the rest of a budget and gives up has hardly waited: that says nothing about
        // the server.
        if answer.is_none() && left < self.telling {
            return Called::Failed { took, may_have_run };
        }
        match self.take_in(node, access, now, took, answer) {
            Some(value) => Called::Answered(value, took),
            None => Called::Failed { took, may_have_run },
        }
    }

    /// Calls the tier with more than a customer does at a time. That it takes long, or too long, says
    /// nothing of what customers meet: the breakers that they share hear of refusals alone.
    pub(crate) async fn call_in_bulk<'a, T>(
        &'a self,
        node: &Node,
        access: Access,
        call: impl FnOnce(&'a dyn Remote) -> BoxFuture<'a, Result<T, RemoteError>>,
    ) -> Bulk<T> {
        if !self.allows_reads() || (access == Access::Write && !self.writes.allows()) {
            return Bulk::Failed;
        }
        let asking = call(&*self.remote);
        let answer = if self.remote.patience().is_some() {
            Some(asking.await)
        } else {
            node.within(self.budget, asking).await
        };
        let failure = match &answer {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.kind()),
            None => Some(RemoteErrorKind::Timeout),
        };
        self.count(access, failure);
        match answer {
            Some(Ok(value)) => Bulk::Answered(value),
            Some(Err(error)) if error.kind() != RemoteErrorKind::Timeout => {
                let now = node.0.clock.now();
                let failed: Result<T, RemoteError> = Err(error);
                self.take_in(node, access, now, Duration::ZERO, Some(failed));
                Bulk::Failed
            }
            Some(Err(_)) | None => Bulk::Late,
        }
    }

    /// Counts a call, and how it failed if it did.
    fn count(&self, access: Access, failure: Option<RemoteErrorKind>) {
        let calls = &self.calls;
        match access {
            Access::Read => calls.reads.add(1),
            Access::Write => calls.writes.add(1),
            Access::Hint => calls.hints.add(1),
        }
        let Some(kind) = failure else {
            return;
        };
        let failures = match kind {
            RemoteErrorKind::Disconnected => &calls.disconnected,
            RemoteErrorKind::Timeout => &calls.timed_out,
            RemoteErrorKind::WriteRefused => &calls.write_refused,
            RemoteErrorKind::Refused => &calls.refused,
            RemoteErrorKind::PartAway => &calls.part_away,
        };
        failures.add(1);
    }

    fn take_in<T>(
        &self,
        node: &Node,
        access: Access,
        now: Tick,
        took: Duration,
        answer: Option<Result<T, RemoteError>>,
    ) -> Option<T> {
        let (value, error) = match answer {
            Some(Ok(value)) => (Some(value), None),
            Some(Err(error)) => (None, Some(error)),
            None => (
                None,
                Some(RemoteError::new(
                    RemoteErrorKind::Timeout,
                    "no answer within the budget",
                )),
            ),
        };
        let Some(error) = error else {
            // Slow answers open a breaker as well.
            let answered = Outcome::Answered(took);
            if self.reads.with(|breaker| breaker.record(now, answered)) {
                self.opened(node, false, &format!("an answer took {took:?}"));
            }
            if access == Access::Write && self.writes.with(|breaker| breaker.record(now, answered))
            {
                self.opened(node, true, &format!("an answer took {took:?}"));
            }
            return value;
        };
        if access == Access::Hint || error.kind() == RemoteErrorKind::PartAway {
            return None;
        }
        // A server that refuses to write still reads.
        let only_writes = error.kind() == RemoteErrorKind::WriteRefused;
        let cell = if only_writes {
            &self.writes
        } else {
            &self.reads
        };
        let has_changed = cell.with(|breaker| breaker.record(now, Outcome::Failed));
        if has_changed {
            self.opened(node, only_writes, &error.to_string());
        }
        None
    }

    fn opened(&self, node: &Node, writes: bool, why: &str) {
        node.tell(Event::Breaker {
            state: breaker::State::Open,
            writes,
            error: Some(why),
        });
        self.probe_until_closed(node);
    }

    /// Probes in the background until both breakers are closed; never with a customer's request.
    fn probe_until_closed(&self, node: &Node) {
        if self.is_probing.swap(true, Ordering::AcqRel) {
            return;
        }
        let node = node.clone();
        node.clone().spawn(async move {
            let shutdown = node.0.shutdown.clone();
            let probing = std::pin::pin!(async {
                if let Some(guarded) = &node.0.remote {
                    guarded.probe_loop(&node).await;
                }
            });
            select(probing, std::pin::pin!(shutdown.cancelled())).await;
        });
    }

    async fn probe_loop(&self, node: &Node) {
        loop {
            // Without a connection there is nothing to learn, and failures would only put off the
            // probe that matters.
            self.connects(node, RECONNECT_LOOK).await;
            for (writes, cell) in [(false, &self.reads), (true, &self.writes)] {
                let now = node.0.clock.now();
                let is_due = cell.with(|breaker| breaker.wants_probe(now));
                if !is_due {
                    continue;
                }
                let started = node.0.clock.now();
                let probe = if writes {
                    self.probe_write(node)
                } else {
                    self.remote.ping()
                };
                let answer = node.within(self.budget, probe).await;
                let now = node.0.clock.now();
                let outcome = match answer {
                    Some(Ok(())) => Outcome::Answered(now.since(started)),
                    Some(Err(_)) | None => Outcome::Failed,
                };
                let (changed, state) =
                    cell.with(|breaker| (breaker.record_probe(now, outcome), breaker.state()));
                if changed && state == breaker::State::Closed {
                    node.tell(Event::Breaker {
                        state,
                        writes,
                        error: None,
                    });
                }
            }
            let next = [&self.reads, &self.writes]
                .iter()
                .filter_map(|cell| cell.with(|breaker| breaker.probe_at()))
                .min();
            let Some(next) = next else {
                self.is_probing.store(false, Ordering::Release);
                // A call may have opened it again between the look and the store.
                let is_open = [&self.reads, &self.writes]
                    .iter()
                    .any(|cell| !cell.allows());
                if is_open && !self.is_probing.swap(true, Ordering::AcqRel) {
                    continue;
                }
                return;
            };
            let pause = next
                .since(node.0.clock.now())
                .max(Duration::from_millis(10));
            node.0.clock.sleep(pause).await;
        }
    }

    fn probe_write(&self, node: &Node) -> BoxFuture<'_, Result<(), RemoteError>> {
        let key = format!("{}p", node.0.prefix);
        let cell =
            bytes::Bytes::copy_from_slice(&crate::envelope::Kind::Error.head(node.0.random.id()));
        self.remote
            .set_many(vec![(key, cell, Duration::from_secs(1))])
    }
}

/// The time that a remote tier has not answered for is nobody's business but the breaker's.
impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
