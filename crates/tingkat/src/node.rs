//! This process as one of several that cache the same store: its clock, its remote tier, what it knows.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, poll_fn, select};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::breaker::{self, Breaker, Outcome};
use crate::certificate::{Incarnation, Knowledge};
use crate::clock::SystemClock;
use crate::error::{RemoteError, RemoteErrorKind};
use crate::event::{Event, Listeners};
use crate::ports::{ChangeLog, Clock, Remote, Tick};
use crate::random::Random;
use crate::registry::Registry;
use crate::switch::Switches;

#[cfg(feature = "broken-rules")]
pub use crate::switch::Rule;

/// How often entries that have ended their lives are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// One node; cheap to clone. Every cache belongs to one.
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) prefix: Box<str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) remote: Option<Guarded>,
    pub(crate) log: Option<Arc<dyn ChangeLog>>,
    pub(crate) knowledge: Knowledge,
    pub(crate) random: Random,
    pub(crate) listeners: Listeners,
    pub(crate) registry: Registry,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) lease: Duration,
    pub(crate) feed: crate::feed::Pulse,
    /// The first poll came back, well or not, or was given up on.
    has_polled: AtomicBool,
    /// When the caches are to be swept next.
    sweep_at: AtomicU64,
}

/// Sets up a [`Node`].
pub struct Builder {
    prefix: String,
    clock: Arc<dyn Clock>,
    remote: Option<Arc<dyn Remote>>,
    log: Option<Arc<dyn ChangeLog>>,
    budget: Duration,
    bound: Duration,
    poll_interval: Duration,
    lease: Duration,
    breaker: breaker::Config,
    seed: Option<u64>,
    listeners: Listeners,
    switches: Switches,
}

impl Node {
    /// A node with no remote tier, no change log and the machine's clock.
    pub fn builder() -> Builder {
        Builder {
            prefix: "tingkat:".to_owned(),
            clock: Arc::new(SystemClock),
            remote: None,
            log: None,
            budget: Duration::from_millis(50),
            bound: Duration::from_secs(1),
            poll_interval: Duration::from_millis(100),
            lease: Duration::from_secs(3),
            breaker: breaker::Config::default(),
            seed: None,
            listeners: Listeners::default(),
            switches: Switches::default(),
        }
    }

    /// Every cache of this node, with its types erased.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Where the remote tier's breaker stands; nothing without a remote tier.
    pub fn breaker(&self) -> Option<breaker::State> {
        self.0
            .remote
            .as_ref()
            .map(|remote| remote.reads.with(|breaker| breaker.state()))
    }

    /// Stops the node's background work and waits for loads under way, until `deadline` from now.
    ///
    /// Caches of a node that is shut down answer from memory what is current there, and
    /// [`ShutDown`](crate::error::GetErrorKind::ShutDown) otherwise.
    pub async fn shut_down(&self, deadline: Duration) {
        self.0.shutdown.cancel();
        self.0.tasks.close();
        let waited = std::pin::pin!(self.0.tasks.wait());
        select(waited, self.0.clock.sleep(deadline)).await;
    }

    /// Runs a future to its end, whoever waits for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    /// A node that has just begun knows nothing and would refuse all that the remote tier has: it
    /// waits for its first poll, once and not for long.
    pub(crate) async fn await_first_poll(&self, patience: Duration) {
        if self.0.log.is_none() || self.0.has_polled.load(Ordering::Relaxed) {
            return;
        }
        let patience = patience.min(self.0.knowledge.bound());
        self.validate(Tick::from_nanos(1), patience).await;
        self.0.has_polled.store(true, Ordering::Relaxed);
    }

    /// Removes what has ended its life from all caches, once in a while: whoever loads or polls
    /// asks for it. What nobody asks for any more would stay until others need its room.
    pub(crate) fn sweep_if_due(&self) {
        let now = self.0.clock.now();
        let due = self.0.sweep_at.load(Ordering::Relaxed);
        let next = now.after(SWEEP_EVERY).as_nanos();
        let is_ours = now.as_nanos() >= due
            && self
                .0
                .sweep_at
                // Relaxed: it decides who sweeps, and nothing else.
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_ours && due != 0 {
            let node = self.clone();
            self.spawn(async move {
                for cache in node.registry().all() {
                    cache.sweep();
                    tokio::task::yield_now().await;
                }
            });
        }
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        self.0.listeners.tell(event);
    }

    /// Waits for `work` until `deadline` from now.
    pub(crate) async fn within<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = std::pin::pin!(work);
        // Set only when the work has to wait: a timer is not free.
        let mut timer = None;
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            let timer = timer.get_or_insert_with(|| self.0.clock.sleep(deadline));
            timer.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("prefix", &self.0.prefix)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// What every key in the remote tier begins with; services that share a server need different ones.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A remote tier.
    pub fn remote(mut self, remote: Arc<dyn Remote>) -> Self {
        self.remote = Some(remote);
        self
    }

    /// The store's change log; without one freshness is by time alone, once there is a remote tier.
    pub fn change_log(mut self, log: Arc<dyn ChangeLog>) -> Self {
        self.log = Some(log);
        self
    }

    /// What one request spends on the remote tier at most, over all round trips.
    pub fn remote_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// How old a value may be that counts as current.
    pub fn staleness_bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// How often the change log is asked.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// For how long a lease holds without renewal.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// When the remote tier is given a rest.
    pub fn breaker(mut self, config: breaker::Config) -> Self {
        self.breaker = config;
        self
    }

    /// Makes the node's random numbers repeatable.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Hears of every event, on the thread where it happens: it must be quick.
    pub fn on_event(mut self, listener: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.listeners.add(Arc::new(listener));
        self
    }

    /// Switches a rule of the protocol off, to see who notices.
    #[cfg(feature = "broken-rules")]
    pub fn switch_off(mut self, rule: Rule) -> Self {
        self.switches = Switches::without(rule);
        self
    }

    /// The node. With a change log it follows it from now on, so this needs a tokio runtime.
    pub fn build(self) -> Node {
        let random = self
            .seed
            .map_or_else(Random::from_system, Random::from_seed);
        let knowledge = if self.log.is_some() {
            Knowledge::empty(self.bound)
        } else {
            Knowledge::local(Incarnation::from_bytes(random.id()))
        };
        let remote = self
            .remote
            .map(|remote| Guarded::new(remote, self.budget, &self.breaker));
        let node = Node(Arc::new(Inner {
            prefix: self.prefix.into(),
            clock: self.clock,
            remote,
            log: self.log,
            knowledge: knowledge.with(self.switches),
            random,
            listeners: self.listeners,
            registry: Registry::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            lease: self.lease,
            feed: crate::feed::Pulse::new(self.poll_interval),
            has_polled: AtomicBool::new(false),
            sweep_at: AtomicU64::new(0),
        }));
        crate::feed::start(&node);
        node
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// The remote tier behind its breakers: one for everything, one for writes alone.
pub(crate) struct Guarded {
    remote: Arc<dyn Remote>,
    pub(crate) budget: Duration,
    reads: BreakerCell,
    writes: BreakerCell,
    is_probing: AtomicBool,
}

struct BreakerCell {
    breaker: Mutex<Breaker>,
    /// What it says to an ordinary call, to be read without a lock that all calls share.
    allows: AtomicBool,
}

impl BreakerCell {
    fn new(config: &breaker::Config) -> Self {
        let breaker = Breaker::new(config.clone());
        Self {
            allows: breaker.allows().into(),
            breaker: Mutex::new(breaker),
        }
    }

    fn allows(&self) -> bool {
        self.allows.load(Ordering::Relaxed)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut breaker);
        self.allows.store(breaker.allows(), Ordering::Relaxed);
        result
    }
}

/// How often an open breaker looks whether there is a connection again.
const RECONNECT_LOOK: Duration = Duration::from_millis(50);

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

    /// Whether there is nothing left: the last call may have been carried out without an answer.
    pub(crate) fn is_spent(&self) -> bool {
        self.lock().is_zero()
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

impl Guarded {
    fn new(remote: Arc<dyn Remote>, budget: Duration, config: &breaker::Config) -> Self {
        Self {
            remote,
            budget,
            reads: BreakerCell::new(config),
            writes: BreakerCell::new(config),
            is_probing: false.into(),
        }
    }

    /// A fresh share for one request.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.budget)
    }

    /// Whether a call that reads may pass.
    pub(crate) fn allows_reads(&self) -> bool {
        self.remote.is_connected() && self.reads.allows()
    }

    /// Calls the tier, if its breaker and the budget allow; nothing on any failure.
    pub(crate) async fn call<'a, T>(
        &'a self,
        node: &Node,
        budget: &Budget,
        access: Access,
        call: impl FnOnce(&'a dyn Remote) -> BoxFuture<'a, Result<T, RemoteError>>,
    ) -> Option<T> {
        if !self.allows_reads() || (access == Access::Write && !self.writes.allows()) {
            return None;
        }
        let (left, spending) = budget.begin(&*node.0.clock)?;
        let answer = node.within(left, call(&*self.remote)).await;
        let (now, took) = spending.end();
        self.take_in(node, access, now, took, answer)
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
            while !self.remote.is_connected() {
                node.0.clock.sleep(RECONNECT_LOOK).await;
            }
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

/// When something is due, for entries and flights: the beginning of time stands for never loaded here.
pub(crate) const NEVER: Tick = Tick::from_nanos(0);
