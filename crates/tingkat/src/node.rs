//! This process as one of several that cache the same store: its clock, its remote tier, what it knows.

mod guarded;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::future::{poll_fn, select};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::guarded::{Access, Budget, Bulk, Called, Guarded};
use crate::breaker;
use crate::certificate::{Incarnation, Knowledge};
use crate::clock::SystemClock;
use crate::event::{Event, Listeners};
use crate::ports::{ChangeLog, Clock, Remote, Tick};
use crate::random::Random;
use crate::registry::Registry;
use crate::stats::RemoteCalls;
use crate::switch::Switches;

#[cfg(feature = "broken-rules")]
pub use crate::switch::Rule;

/// How often entries that have ended their lives are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// One node; cheap to clone. Every cache belongs to one.
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    id: Box<str>,
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
    /// Keys of each entity that an account is kept of.
    pub(crate) tracked: usize,
    pub(crate) feed: crate::feed::Pulse,
    /// The first poll came back, well or not, or was given up on.
    has_polled: AtomicBool,
    /// When the caches are to be swept next.
    sweep_at: AtomicU64,
}

/// Sets up a [`Node`].
pub struct Builder {
    id: Option<String>,
    prefix: String,
    clock: Arc<dyn Clock>,
    remote: Option<Arc<dyn Remote>>,
    log: Option<Arc<dyn ChangeLog>>,
    budget: Duration,
    bound: Duration,
    poll_interval: Duration,
    lease: Duration,
    tracked: usize,
    breaker: breaker::Config,
    seed: Option<u64>,
    listeners: Listeners,
    switches: Switches,
}

impl Node {
    /// A node with no remote tier, no change log and the machine's clock.
    pub fn builder() -> Builder {
        Builder {
            id: None,
            prefix: "tingkat:".to_owned(),
            clock: Arc::new(SystemClock),
            remote: None,
            log: None,
            budget: Duration::from_millis(50),
            bound: Duration::from_secs(1),
            poll_interval: Duration::from_millis(100),
            lease: Duration::from_secs(3),
            tracked: 0,
            breaker: breaker::Config::default(),
            seed: None,
            listeners: Listeners::default(),
            switches: Switches::default(),
        }
    }

    /// Which node this is among all that log, as far as people have to tell them apart.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Every cache of this node, with its types erased.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Where the remote tier's breaker stands; nothing without a remote tier.
    pub fn breaker(&self) -> Option<breaker::State> {
        self.0.remote.as_ref().map(Guarded::state)
    }

    /// Where both of its breakers stand: the one for everything, and the one for writes alone.
    pub fn breakers(&self) -> Option<[breaker::State; 2]> {
        self.0.remote.as_ref().map(Guarded::states)
    }

    /// The calls of the remote tier and how they ended; nothing without a remote tier.
    pub fn remote_calls(&self) -> Option<&RemoteCalls> {
        self.0.remote.as_ref().map(Guarded::calls)
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

    /// Runs what must not be given up half way to its end, even if the caller goes away, and gives its
    /// result. [`shut_down`](Self::shut_down) waits for it. A panic is the caller's.
    pub async fn carry_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.0.tasks.spawn(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and nobody is asked for the result any more.
                Err(_) => std::future::pending().await,
            },
        }
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
        if self.0.log.is_none() || self.has_polled() {
            return;
        }
        let patience = patience.min(self.0.knowledge.bound());
        self.validate(Tick::from_nanos(1), patience).await;
        self.0.has_polled.store(true, Ordering::Relaxed);
    }

    /// Whether the first poll came back, well or not, or was given up on.
    pub(crate) fn has_polled(&self) -> bool {
        self.0.has_polled.load(Ordering::Relaxed)
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
        self.0.listeners.tell(&self.0.id, event);
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
            .field("id", &self.0.id)
            .field("prefix", &self.0.prefix)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// What the node is called in the log; eight random digits otherwise.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

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

    /// Keeps an account of what is looked up, about so many keys of each entity, for
    /// [`AnyCache::take_accesses`](crate::registry::AnyCache::take_accesses); none at 0, as
    /// without this.
    pub fn track_accesses(mut self, keys: usize) -> Self {
        self.tracked = keys;
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

    /// At which level it is logged that a listener panicked; as a warning otherwise.
    pub fn log_panics_at(mut self, level: tracing::Level) -> Self {
        self.listeners.log_panics_at(level);
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
        // Not from the seed: nodes that a test repeats are still two.
        let id = self.id.unwrap_or_else(Random::short_id);
        let node = Node(Arc::new(Inner {
            id: id.into(),
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
            tracked: self.tracked,
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

/// When something is due, for entries and flights: the beginning of time stands for never loaded here.
pub(crate) const NEVER: Tick = Tick::from_nanos(0);
