//! Carries a plan out: entity beside entity, part after part, until the keys or the limits end.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{Either, join_all};
use futures::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::pace::{Pace, Rate};
use super::report::{End, EntityReport, Report, Stopped};
use super::{Cause, Checked, Limits, Warmed, Way};
use crate::cache::Mode;
use crate::feed::either;
use crate::node::Node;
use crate::ports::Tick;
use crate::registry::AnyCache;

/// Keys in a part, at most.
const PART: usize = 200;

/// What is to be warmed, and how.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The entities; each goes at its own pace.
    pub entities: Vec<PlanEntity>,
    /// What it may take.
    pub limits: Limits,
    /// Keys of each entity that are compared with the source afterwards, at most.
    pub check: usize,
    /// Only look what is warm.
    pub dry_run: bool,
    /// Leave the memory tier of this node alone: it will not be asked.
    pub only_remote: bool,
}

/// Keys of one entity.
#[derive(Clone, Debug, Default)]
pub struct PlanEntity {
    /// The entity.
    pub entity: String,
    /// Its keys as texts, the most wanted first. What is no key is left out and counted, and so is
    /// what comes again.
    pub keys: Vec<String>,
    /// It could not be told which keys are wanted.
    pub has_no_order: bool,
    /// Nobody ranks its keys.
    pub is_unranked: bool,
}

/// Has keys in the tiers before anybody asks for them.
#[derive(Clone, Debug)]
pub struct Warmer {
    node: Node,
}

impl Warmer {
    /// For the caches of a node.
    pub fn new(node: &Node) -> Self {
        Self { node: node.clone() }
    }

    /// Carries a plan out. `progress` hears of each step and must be quick. When `stop` is cancelled
    /// or the node shut down, what is under way is finished and the rest is left; a later run
    /// finds in the tiers what this one did, and goes on from there.
    pub async fn run(
        &self,
        plan: Plan,
        stop: &CancellationToken,
        progress: impl Fn(&Report) + Send + Sync,
    ) -> Report {
        let started = self.node.0.clock.now();
        self.run_since(started, plan, stop, progress).await
    }

    /// Carries a plan out whose time began when it was made.
    pub(super) async fn run_since(
        &self,
        started: Tick,
        plan: Plan,
        stop: &CancellationToken,
        progress: impl Fn(&Report) + Send + Sync,
    ) -> Report {
        let entities = plan.entities.iter().map(|it| EntityReport::new(&it.entity));
        let report = Report {
            dry_run: plan.dry_run,
            entities: entities.collect(),
            ..Report::default()
        };
        let run = Run {
            node: &self.node,
            limits: plan.limits,
            check: plan.check,
            only_looks: plan.dry_run,
            only_remote: plan.only_remote,
            started,
            stop,
            permits: Arc::new(Semaphore::new(plan.limits.concurrency.max(1))),
            rate: Rate::new(plan.limits.per_second, started),
            bytes: AtomicU64::new(0),
            is_at_its_bytes: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
            report: Mutex::new(report),
            progress: &progress,
        };
        let entities = plan.entities.into_iter().enumerate();
        join_all(entities.map(|(index, entity)| run.entity(index, entity))).await;
        run.concluded()
    }
}

/// A plan that is carried out.
struct Run<'a> {
    node: &'a Node,
    limits: Limits,
    check: usize,
    only_looks: bool,
    only_remote: bool,
    started: Tick,
    stop: &'a CancellationToken,
    permits: Arc<Semaphore>,
    rate: Rate,
    bytes: AtomicU64,
    is_at_its_bytes: AtomicBool,
    /// Keys that were to be compared were not.
    is_cut_off: AtomicBool,
    report: Mutex<Report>,
    progress: &'a (dyn Fn(&Report) + Send + Sync),
}

/// A part that came back: what became of its keys, and how long that took.
struct Done {
    keys: Vec<String>,
    outcomes: Vec<Warmed>,
    took: Duration,
}

/// What became of the keys of a part.
#[derive(Default)]
struct Asked {
    /// The source had them, wherever they are now.
    loaded: usize,
    /// The neighbours that are needed for it did not do their share.
    in_vain: usize,
    /// Something is there, wherever it is.
    there: usize,
    /// The source knows no such thing.
    absent: usize,
    /// Memory, where it belongs alone, has no room for it.
    full: usize,
}

impl Asked {
    fn of(outcomes: &[Warmed]) -> Self {
        let mut asked = Self::default();
        for outcome in outcomes {
            match outcome {
                Warmed::Loaded {
                    is_absent: true, ..
                } => {
                    asked.loaded += 1;
                    asked.absent += 1;
                }
                Warmed::Loaded { .. } | Warmed::Failed(Cause::NotKept) => {
                    asked.loaded += 1;
                    asked.there += 1;
                }
                Warmed::Failed(Cause::MemoryFull) => asked.full += 1,
                Warmed::Failed(
                    Cause::Overloaded
                    | Cause::Deadline
                    | Cause::Source
                    | Cause::NotCurrent
                    | Cause::RemoteAway,
                ) => asked.in_vain += 1,
                Warmed::Memory { .. } | Warmed::Remote { .. } | Warmed::Copied { .. } => {
                    asked.there += 1;
                }
                Warmed::Failed(Cause::Malformed | Cause::ShutDown) | Warmed::Cold => {}
            }
        }
        asked
    }
}

/// A part under way.
type UnderWay = FuturesUnordered<oneshot::Receiver<Done>>;

impl Run<'_> {
    async fn entity(&self, index: usize, wanted: PlanEntity) {
        let started = self.node.0.clock.now();
        let Some(cache) = self.node.registry().find(&wanted.entity) else {
            return self.stopped(index, Stopped::UnknownEntity);
        };
        let keys = self.distinct(index, &*cache, wanted.keys).await;
        if cache.mode() != Mode::Cache {
            return self.stopped(index, Stopped::NotCached);
        }
        if wanted.has_no_order {
            self.stopped(index, Stopped::NoOrder);
        }
        if wanted.is_unranked {
            self.edit(index, |entity| entity.unranked = true);
        }
        let warm = self.parts(index, &cache, keys).await;
        if !warm.is_empty() {
            let checks = self.checked(&*cache, warm).await;
            self.update(index, |entity| entity.take_in_checks(&checks));
        }
        let took = self.node.0.clock.now().since(started);
        self.update(index, |entity| entity.seconds = took.as_secs_f64());
    }

    /// Compares keys with the source. What the end of the run cuts off is not known.
    async fn checked(&self, cache: &dyn AnyCache, keys: Vec<String>) -> Vec<Checked> {
        let count = keys.len();
        if self.end().is_none()
            && let Either::Left(checks) = either(cache.check(keys), self.over()).await
        {
            return checks;
        }
        self.is_cut_off.store(true, Ordering::Relaxed);
        vec![Checked::Unknown; count]
    }

    /// The keys in their canonical form, each once.
    async fn distinct(&self, index: usize, cache: &dyn AnyCache, keys: Vec<String>) -> Vec<String> {
        let mut known = HashSet::with_capacity(keys.len());
        let mut distinct = Vec::with_capacity(keys.len());
        for (count, text) in keys.into_iter().enumerate() {
            match cache.canonical(text.trim()) {
                Ok(key) if known.insert(key.clone()) => distinct.push(key),
                Ok(_) => self.edit(index, |entity| entity.duplicates += 1),
                Err(_) => self.edit(index, |entity| entity.is_malformed(text.trim())),
            }
            // A long list may not hold up the requests of this thread.
            if count % PART == PART - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.update(index, |entity| {
            entity.wanted = distinct.len();
            entity.left = distinct.len();
        });
        distinct
    }

    /// Warms the keys in parts; some of those that are warm then, to be checked.
    async fn parts(
        &self,
        index: usize,
        cache: &Arc<dyn AnyCache>,
        keys: Vec<String>,
    ) -> Vec<String> {
        let policy = cache.policy();
        // Half of the places at the source are for customers alone.
        let mut pace = Pace::new((policy.max_loads / 2).max(1).min(self.limits.concurrency));
        let size = self.rate.part(PART.min(policy.max_batch).max(1));
        let mut sample = Sample::new(if self.only_looks { 0 } else { self.check });
        let mut under_way: UnderWay = FuturesUnordered::new();
        let mut keys = keys.into_iter().peekable();
        let goes_on = |pace: &Pace| !pace.is_hopeless() && !pace.is_in_vain() && !pace.is_full();
        while keys.peek().is_some() && self.end().is_none() && goes_on(&pace) {
            if under_way.len() >= pace.allowed() {
                let next = self.next(index, &mut under_way, &mut pace, &mut sample);
                either(next, self.over()).await;
                continue;
            }
            let part: Vec<String> = keys.by_ref().take(size).collect();
            let way = Way {
                into_memory: !self.only_remote,
                only_looks: self.only_looks,
            };
            if let Some(permit) = self.turn(&**cache, part.len(), &mut pace).await {
                under_way.push(self.part(cache, part, way, permit));
            }
        }
        // What was sent is finished. What is still in the queue behind customers may take for ever.
        let patience = self.node.0.clock.sleep(policy.hard_deadline);
        let mut patience = std::pin::pin!(patience);
        while !under_way.is_empty() {
            let next = self.next(index, &mut under_way, &mut pace, &mut sample);
            match either(next, &mut patience).await {
                Either::Left(()) => {}
                Either::Right(()) if self.end().is_some() => break,
                Either::Right(()) => patience.set(self.node.0.clock.sleep(policy.hard_deadline)),
            }
        }
        if pace.is_hopeless() {
            self.stopped(index, Stopped::Failing);
        } else if pace.is_in_vain() {
            self.stopped(index, Stopped::NothingThere);
        } else if pace.is_full() {
            self.stopped(index, Stopped::MemoryFull);
        }
        sample.keys
    }

    /// Waits for the turn of a part; nothing when the run is over before.
    async fn turn(
        &self,
        cache: &dyn AnyCache,
        keys: usize,
        pace: &mut Pace,
    ) -> Option<OwnedSemaphorePermit> {
        let turn = async {
            if self.only_looks {
                return Arc::clone(&self.permits).acquire_owned().await.ok();
            }
            // Customers of other entities want the same database. They slow a run down and do not hold it up:
            // an entity whose loads hang does not keep another one cold.
            if self.others_are_waited_for(cache) {
                pace.give_way();
                self.node.0.clock.sleep(pace.pause()).await;
            }
            while cache.customers_waiting() > 0 {
                pace.give_way();
                self.node.0.clock.sleep(pace.pause()).await;
            }
            if !pace.pause().is_zero() {
                self.node.0.clock.sleep(pace.pause()).await;
            }
            let wait = self.rate.take(keys, self.node.0.clock.now());
            if !wait.is_zero() {
                self.node.0.clock.sleep(wait).await;
            }
            // It is never closed.
            Arc::clone(&self.permits).acquire_owned().await.ok()
        };
        match either(turn, self.over()).await {
            Either::Left(permit) => permit,
            Either::Right(()) => None,
        }
    }

    /// Whether customers wait for a place at the source of another entity.
    fn others_are_waited_for(&self, cache: &dyn AnyCache) -> bool {
        let caches = self.node.registry().all();
        let mut others = caches.iter().filter(|other| other.name() != cache.name());
        others.any(|other| other.customers_waiting() > 0)
    }

    /// Sends a part on its way, in a task of its own: it gives its turn back whoever looks after it.
    fn part(
        &self,
        cache: &Arc<dyn AnyCache>,
        keys: Vec<String>,
        way: Way,
        permit: OwnedSemaphorePermit,
    ) -> oneshot::Receiver<Done> {
        let (done, outcome) = oneshot::channel();
        let (node, cache) = (self.node.clone(), Arc::clone(cache));
        self.node.spawn(async move {
            let sent = node.0.clock.now();
            let outcomes = cache.warm(keys.clone(), way).await;
            drop(permit);
            // Who has left counts it among what is left.
            let _ = done.send(Done {
                keys,
                outcomes,
                took: node.0.clock.now().since(sent),
            });
        });
        outcome
    }

    /// Takes in the next part that comes back.
    async fn next(
        &self,
        index: usize,
        under_way: &mut UnderWay,
        pace: &mut Pace,
        sample: &mut Sample,
    ) {
        let Some(Ok(done)) = under_way.next().await else {
            return;
        };
        let asked = Asked::of(&done.outcomes);
        pace.found(asked.there, asked.absent);
        if asked.full > 0 {
            pace.fill();
        }
        self.rate
            .give_back(done.keys.len() - asked.loaded.min(done.keys.len()));
        // A few keys that the source can not load say nothing about the others.
        if asked.in_vain > asked.loaded {
            pace.failed();
        } else if asked.loaded > 0 {
            pace.went_well(done.took);
        }
        let bytes = self.update(index, |entity| entity.take_in(&done.outcomes));
        let total = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.limits.bytes > 0 && total >= self.limits.bytes {
            self.is_at_its_bytes.store(true, Ordering::Relaxed);
        }
        for (key, outcome) in done.keys.into_iter().zip(done.outcomes) {
            if !matches!(outcome, Warmed::Cold | Warmed::Failed(_)) {
                sample.offer(key, self.node.0.random.bits());
            }
        }
    }

    fn stopped(&self, index: usize, why: Stopped) {
        self.update(index, |entity| entity.stopped = Some(why));
    }

    /// Changes the report of an entity, and tells.
    fn update<T>(&self, index: usize, change: impl FnOnce(&mut EntityReport) -> T) -> T
    where
        T: Default,
    {
        let changed = self.edit(index, change);
        let mut report = self.lock();
        report.seconds = self.took().as_secs_f64();
        (self.progress)(&report);
        changed
    }

    fn edit<T: Default>(&self, index: usize, change: impl FnOnce(&mut EntityReport) -> T) -> T {
        let mut report = self.lock();
        // Every entity of the plan has a report.
        report
            .entities
            .get_mut(index)
            .map(change)
            .unwrap_or_default()
    }

    /// Why the run ends now, if it does.
    fn end(&self) -> Option<End> {
        if self.node.is_shut_down() {
            Some(End::ShutDown)
        } else if self.stop.is_cancelled() {
            Some(End::Cancelled)
        } else if self.took() >= self.limits.timeout {
            Some(End::TimedOut)
        } else if self.is_at_its_bytes.load(Ordering::Relaxed) {
            Some(End::BytesReached)
        } else {
            None
        }
    }

    /// Completes when the run is to end.
    async fn over(&self) {
        let left = self.limits.timeout.saturating_sub(self.took());
        let stopped = either(self.stop.cancelled(), self.node.0.shutdown.cancelled());
        either(stopped, self.node.0.clock.sleep(left)).await;
    }

    fn took(&self) -> Duration {
        self.node.0.clock.now().since(self.started)
    }

    fn concluded(self) -> Report {
        let (took, end) = (self.took(), self.end());
        let is_cut_off = self.is_cut_off.load(Ordering::Relaxed);
        let mut report = self
            .report
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        // A limit that is reached with the last key cuts nothing off.
        let is_through = report
            .entities
            .iter()
            .all(|entity| entity.left == 0 || entity.stopped.is_some());
        let end = match end {
            Some(end) if !is_through || is_cut_off || report.entities.is_empty() => end,
            Some(_) | None => End::Completed,
        };
        report.conclude(end, took);
        report
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of many keys, each as likely as any other.
struct Sample {
    keys: Vec<String>,
    most: usize,
    seen: u64,
}

impl Sample {
    const fn new(most: usize) -> Self {
        Self {
            keys: Vec::new(),
            most,
            seen: 0,
        }
    }

    /// Vitter: Random Sampling with a Reservoir, 1985; algorithm R.
    fn offer(&mut self, key: String, random: u64) {
        self.seen += 1;
        if self.keys.len() < self.most {
            self.keys.push(key);
            return;
        }
        let index = usize::try_from(random % self.seen).unwrap_or(usize::MAX);
        if let Some(slot) = self.keys.get_mut(index) {
            *slot = key;
        }
    }
}
