//! Warms the tiers while the service runs: before it is ready, by its schedule; keeps the account of what
//! is looked up, and remembers at the end what memory held.

mod remembered;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::ports::{Clock, Remote};
use tingkat::warm::{End, Order, Reason, Report, Stopped, Warming, Wish};
use tingkat_health::{Observed, WarmState};
use tingkat_redis::{Redis, State};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::remembered::Remembered;
use self::turn::{Turn, Turned};
use crate::config::{self, Schedule};
use crate::warm::{Accesses, Keys, Orders};

/// How often what was looked up is told to the other nodes.
const MERGED_EVERY: Duration = Duration::from_mins(1);

/// How often it is looked whether the database answers for the first time.
const LOOK: Duration = Duration::from_millis(50);

/// Next runs that are told.
const TOLD: usize = 5;

/// Keys of an entity that are looked through for those that were looked up most.
const MOST_HELD: usize = 100_000;

/// A run that is due for longer was missed.
const GRACE: Duration = Duration::from_mins(5);

/// Longer than this nobody sleeps at once: wall clocks are set.
const NAP: Duration = Duration::from_secs(30);

/// What warms a node; cheap to clone.
#[derive(Clone)]
pub(super) struct Stove(Arc<Parts>);

struct Parts {
    node: Node,
    clock: Arc<dyn Clock>,
    redis: Option<Arc<Redis>>,
    prefix: String,
    config: config::Warm,
    warming: Warming,
    orders: Arc<Orders>,
    accesses: Arc<Accesses>,
    remembered: Remembered,
}

impl Stove {
    pub(super) fn new(
        node: &Node,
        clock: &Arc<dyn Clock>,
        redis: Option<Arc<Redis>>,
        prefix: &str,
        config: &config::Warm,
        popularity: Arc<dyn tingkat_shop::Popularity>,
    ) -> Self {
        let accesses = Arc::new(Accesses::new(config.accesses));
        let orders = Arc::new(Orders::new(popularity, Arc::clone(&accesses)));
        let order: Arc<dyn Order> = Arc::<Orders>::clone(&orders);
        Self(Arc::new(Parts {
            warming: Warming::new(node, order),
            node: node.clone(),
            clock: Arc::clone(clock),
            remembered: Remembered::new(config.snapshot.clone(), prefix),
            redis,
            prefix: prefix.to_owned(),
            config: config.clone(),
            orders,
            accesses,
        }))
    }

    /// What the routes start and show.
    pub(super) fn warming(&self) -> Warming {
        self.0.warming.clone()
    }

    /// What a run takes unless somebody says otherwise.
    pub(super) fn wish(&self) -> Wish {
        self.0.wish()
    }

    /// Begins to do all that; ends soon after `stop`.
    pub(super) fn light(
        &self,
        tasks: &TaskTracker,
        observed: &Arc<watch::Sender<Observed>>,
        stop: &CancellationToken,
    ) {
        if self.0.config.on_start {
            // Before anybody can ask whether the node is ready.
            observed.send_modify(|observed| observed.warm = WarmState::Running);
            let (parts, observed) = (Arc::clone(&self.0), Arc::clone(observed));
            let stop = stop.clone();
            tasks.spawn(async move {
                let done = stop.run_until_cancelled(parts.start(&observed)).await;
                done.unwrap_or_default();
            });
        }
        if let Some(schedule) = self.0.config.schedule.clone() {
            let (parts, stop) = (Arc::clone(&self.0), stop.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(parts.keep_to(&schedule)).await;
            });
        }
        if self.0.config.accesses > 0 {
            let (parts, stop) = (Arc::clone(&self.0), stop.clone());
            tasks.spawn(async move {
                while stop
                    .run_until_cancelled(parts.clock.sleep(MERGED_EVERY))
                    .await
                    .is_some()
                {
                    parts.merge().await;
                }
            });
        }
    }

    /// Remembers what memory holds, for the next start. The node answers nobody any more.
    pub(super) async fn remember(&self) {
        let parts = &self.0;
        if parts.config.accesses > 0 {
            parts.merge().await;
        }
        let mut keys = Keys::new();
        for cache in parts.node.registry().all() {
            let most = parts.config.top;
            let held = cache.keys(MOST_HELD);
            let mut first = parts.accesses.top(cache.name(), most);
            // Only what memory holds, what is looked up most before the rest.
            let known: HashSet<&String> = held.iter().collect();
            first.retain(|key| known.contains(key));
            let seen: HashSet<&String> = first.iter().collect();
            let others: Vec<String> = held
                .iter()
                .filter(|key| !seen.contains(key))
                .cloned()
                .collect();
            first.extend(others);
            first.truncate(most);
            keys.insert(cache.name().to_owned(), first);
        }
        let remote = parts.redis.as_deref().map(|redis| redis as &dyn Remote);
        match parts.remembered.save(keys, remote).await {
            Ok(count) => tracing::info!(keys = count, "remembered what memory held"),
            Err(error) => tracing::warn!("failed to remember what memory held: {error}"),
        }
    }
}

impl Parts {
    fn wish(&self) -> Wish {
        self.config.wish()
    }

    async fn merge(&self) {
        let remote = self.redis.as_deref().map(|redis| redis as &dyn Remote);
        let clock = &*self.clock;
        self.accesses
            .merge(&self.node, clock, remote, &self.prefix)
            .await;
    }

    /// Warms before the node is ready, and says which came first: the end, or the deadline.
    async fn start(self: Arc<Self>, observed: &watch::Sender<Observed>) {
        let deadline = self.config.deadline;
        let mut late = self.clock.sleep(deadline);
        let mut run = Box::pin(self.first_run(observed));
        let report = tokio::select! {
            report = &mut run => report,
            () = &mut late => {
                observed.send_modify(|observed| observed.warm = WarmState::Deadline);
                tracing::warn!(
                    "ready before all is warm: it takes longer than warm.deadline ({deadline:?}) and goes on"
                );
                run.await
            }
        };
        // What was remembered is as old as this node by now.
        self.orders.remember(Keys::new());
        tell(Reason::Start, report.as_ref());
        let end = if report.is_some_and(|report| report.success) {
            WarmState::Done
        } else {
            WarmState::Incomplete
        };
        observed.send_if_modified(|observed| {
            let is_waited_for = observed.warm == WarmState::Running;
            if is_waited_for {
                observed.warm = end;
            }
            is_waited_for
        });
    }

    async fn first_run(&self, observed: &watch::Sender<Observed>) -> Option<Report> {
        while !observed.borrow().source_was_ever_up {
            self.clock.sleep(LOOK).await;
        }
        self.let_redis_connect().await;
        let remote = self.redis.as_deref().map(|redis| redis as &dyn Remote);
        if let Some(remote) = remote {
            self.accesses.read(&self.node, remote, &self.prefix).await;
        }
        self.orders.remember(self.remembered.load(remote).await);
        self.run(Reason::Start).await
    }

    /// A Redis that is being connected is waited for: what other nodes keep there need not be loaded. One
    /// that is away is not.
    async fn let_redis_connect(&self) {
        let Some(redis) = &self.redis else { return };
        let mut state = redis.state();
        tokio::select! {
            _ = state.wait_for(|state| *state != State::Connecting) => {}
            () = self.clock.sleep(self.config.deadline / 2) => {}
        }
    }

    /// A run to its end; nothing where another one goes on or the node stops.
    async fn run(&self, reason: Reason) -> Option<Report> {
        match self.warming.start(reason, self.wish()) {
            Ok((_, outcome)) => outcome.await.ok(),
            Err(busy) => {
                tracing::info!("not warmed now: {busy}");
                None
            }
        }
    }

    /// Warms whenever it is time. What was missed, as by a machine that was asleep, is not made up
    /// for.
    async fn keep_to(&self, schedule: &Schedule) {
        let mut now = self.clock.wall_ms();
        loop {
            self.warming.set_next_runs(schedule.upcoming(now, TOLD));
            let Some(due) = schedule.next(now) else {
                // It fired for the last time.
                return;
            };
            self.sleep_until(due).await;
            now = self.clock.wall_ms().max(due);
            self.warming.set_next_runs(schedule.upcoming(now, TOLD));
            let jitter = self.config.jitter.mul_f64(rand::random());
            self.clock.sleep(jitter).await;
            if is_missed(due, self.config.jitter, self.clock.wall_ms()) {
                tracing::info!("a scheduled run was missed, and is left out");
            } else {
                self.take_turn(due).await;
            }
            now = self.clock.wall_ms().max(due);
        }
    }

    /// Carries out the run that is due: one node loads, and when it is done the others take from Redis what
    /// their own memory lacks, one after another.
    async fn take_turn(&self, due_ms: u64) {
        let take = async |name: String| {
            Turn::take(self.redis.clone(), &self.clock, &self.prefix, &name).await
        };
        let run = self.run(Reason::Schedule);
        let report = match take(due_ms.to_string()).await {
            Turned::Ours(turn) => {
                let is_done = |report: &Option<Report>| report.as_ref().is_some_and(is_done);
                turn.keep_during(run, is_done).await
            }
            Turned::Done => {
                tracing::info!("another node has warmed redis, this one warms its memory");
                match take(format!("{due_ms}:memory")).await {
                    Turned::Ours(turn) => turn.keep_during(run, |_| false).await,
                    // Redis has nearly all of it: that others do the same now does little harm.
                    Turned::Done | Turned::TooLong => run.await,
                }
            }
            Turned::TooLong => {
                tracing::warn!("waited too long for another node to warm, and did not");
                return;
            }
        };
        tell(Reason::Schedule, report.as_ref());
    }

    async fn sleep_until(&self, due_ms: u64) {
        loop {
            let left = due_ms.saturating_sub(self.clock.wall_ms());
            if left == 0 {
                return;
            }
            self.clock.sleep(Duration::from_millis(left).min(NAP)).await;
        }
    }
}

/// Whether it is too late for a run that was due at this time.
fn is_missed(due_ms: u64, jitter: Duration, now_ms: u64) -> bool {
    let late = Duration::from_millis(now_ms.saturating_sub(due_ms));
    late > jitter.saturating_add(GRACE)
}

/// Whether no other node has to do it again.
fn is_done(report: &Report) -> bool {
    let mut stopped = report.entities.iter().filter_map(|entity| entity.stopped);
    let is_of_use = report.done() > report.failed();
    let was_nothing = report.wanted() == 0 && stopped.clone().count() == 0;
    report.end == End::Completed
        && !stopped.any(|why| why == Stopped::Failing)
        && (is_of_use || was_nothing)
}

fn tell(reason: Reason, report: Option<&Report>) {
    let Some(report) = report else { return };
    let (reason, end, seconds) = (reason.name(), report.end.name(), report.seconds);
    let (wanted, failed) = (report.wanted(), report.failed());
    let left = wanted.saturating_sub(report.done());
    if report.success {
        tracing::info!(reason, wanted, seconds, "warm");
    } else {
        tracing::warn!(
            reason,
            end,
            wanted,
            failed,
            left,
            seconds,
            "not all is warm"
        );
    }
    for entity in &report.entities {
        let (name, lacking) = (&entity.entity, entity.not_in_memory);
        if lacking > 0 {
            tracing::warn!(
                reason,
                entity = name,
                keys = lacking,
                "memory has no room for all that is wanted: see memory_bytes"
            );
        }
        if let Some(stopped) = entity.stopped {
            let why = stopped.name();
            tracing::warn!(reason, entity = entity.entity, "not warmed: {why}");
        }
    }
}
