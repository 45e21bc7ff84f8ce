//! What the caches counted, in the words of health, and what only events tell.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tingkat::breaker::State;
use tingkat::certificate::{Change, ChangeKind, Incarnation, Position};
use tingkat::event::Event;
use tingkat::ports::{Clock, Tick};
use tingkat::registry::AnyCache;
use tingkat::stats::{Histogram, Stats};
use tingkat_health::{Buckets, Data, Entity, Objective, Redis};

use super::owed::{Owed, OwedList};

/// Changed keys that wait to be compared; while there are as many, no other one is taken.
const MOST_WAITING: usize = 64;

/// A change that is compared so soon after it was heard is known to every part of the node.
pub(super) const SETTLED: Duration = Duration::from_millis(500);

/// So many entries tell how old the entries of a cache are.
const AGES_LOOKED_AT: usize = 16;

/// What events told since the node began.
pub(in crate::serve) struct Counts {
    clock: Arc<dyn Clock>,
    /// The breaker of Redis lets nothing through.
    is_cut_off: AtomicBool,
    cold_resets: AtomicU64,
    audited: AtomicU64,
    differing: AtomicU64,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// Keys that were changed, and when that was heard; the oldest first.
    changed: VecDeque<((String, String), Tick)>,
    /// What the node has seen of the log.
    position: Option<(Incarnation, Position)>,
    /// What other nodes have seen of it.
    owed: OwedList,
}

impl Heard {
    /// Takes in a change; that of a key waits to be compared.
    fn take(&mut self, change: &Change, now: Tick) {
        let key = change.dep.name().split_once(':');
        let Some((entity, key)) = key.filter(|_| change.kind == ChangeKind::Forget) else {
            return;
        };
        let key = (entity.to_owned(), key.to_owned());
        let is_full = self.changed.len() == MOST_WAITING;
        if !is_full && !self.changed.iter().any(|(other, _)| *other == key) {
            self.changed.push_back((key, now));
        }
    }
}

impl Counts {
    pub(in crate::serve) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            is_cut_off: AtomicBool::new(false),
            cold_resets: AtomicU64::new(0),
            audited: AtomicU64::new(0),
            differing: AtomicU64::new(0),
            heard: Mutex::default(),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an event; quick, as it is on the path of the feed.
    pub(in crate::serve) fn hear(&self, event: Event<'_>) {
        if let Event::ColdReset { .. } = event {
            self.cold_resets.fetch_add(1, Ordering::Relaxed);
        }
        if let Event::Breaker {
            state,
            writes: false,
            ..
        } = event
        {
            self.is_cut_off
                .store(state != State::Closed, Ordering::Relaxed);
        }
        if let Event::Polled {
            incarnation,
            position,
            changes,
            ..
        } = event
        {
            let now = self.clock.now();
            let mut heard = self.heard();
            heard.position = Some((incarnation, position.clone()));
            heard.owed.settle(incarnation, position, now);
            for (_, change) in changes.iter().rev().take(MOST_WAITING) {
                heard.take(change, now);
            }
        }
    }

    /// Whether the breaker of Redis lets nothing through.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
    }

    /// What the node has seen of the log.
    pub(super) fn position(&self) -> Option<(Incarnation, Position)> {
        self.heard().position.clone()
    }

    /// Another node has seen this much, which is to be known here soon.
    pub(super) fn owe(&self, owed: Owed) {
        let mut heard = self.heard();
        heard.owed.push(owed);
        if let Some((incarnation, position)) = heard.position.clone() {
            let now = self.clock.now();
            heard.owed.settle(incarnation, &position, now);
        }
    }

    /// What other nodes have seen of the log.
    pub(super) fn owed<T>(&self, change: impl FnOnce(&mut OwedList) -> T) -> T {
        change(&mut self.heard().owed)
    }

    /// Some of the keys that were changed, not too soon after that.
    pub(super) fn due(&self, most: usize) -> Vec<(String, String)> {
        let now = self.clock.now();
        let mut heard = self.heard();
        let settled = heard
            .changed
            .iter()
            .take(most)
            .take_while(|(_, at)| now.since(*at) >= SETTLED)
            .count();
        heard.changed.drain(..settled).map(|(key, _)| key).collect()
    }

    /// Takes in how a comparison ended.
    pub(super) fn audited(&self, is_same: bool) {
        self.audited.fetch_add(1, Ordering::Relaxed);
        if !is_same {
            self.differing.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn data(&self) -> Data {
        Data {
            cold_resets: self.cold_resets.load(Ordering::Relaxed),
            audited: self.audited.load(Ordering::Relaxed),
            differing: self.differing.load(Ordering::Relaxed),
            ..Data::default()
        }
    }
}

/// What a cache counted.
pub(super) fn entity(cache: &dyn AnyCache, objective: Objective) -> Entity {
    let (stats, policy) = (cache.stats(), cache.policy());
    let answers = [
        &stats.remote_time,
        &stats.source_time,
        &stats.source_absent_time,
        &stats.failure_time,
        &stats.stale_time,
    ];
    let answers = answers.into_iter().map(buckets);
    Entity {
        name: cache.name().to_owned(),
        objective,
        memory_hits: stats.memory_hits.get(),
        memory_misses: stats.memory_misses.get(),
        redis_hits: stats.remote_hits.get(),
        redis_misses: stats.remote_misses.get(),
        absent_answers: stats.absent_answers.get(),
        stale_answers: stats.stale_answers.get(),
        answers: answers.fold(Buckets::default(), |all, some| all.and(&some)),
        entries: cache.entries(),
        bytes: cache.bytes(),
        room_bytes: policy.memory_bytes,
        mean_age: mean_age(cache),
        refused_changed: stats.refused_changed.get(),
        refused_floor: stats.refused_floor.get(),
        refused_incarnation: stats.refused_incarnation.get(),
        hung_loads: stats.hung_loads.get(),
        loaded_keys: stats.loaded_keys.get(),
        failed_keys: stats.failed_keys.get(),
        overloads: stats.overloads.get(),
        queued: stats.loads_queued.get(),
        most_queued: policy.max_queue as u64,
        differences: stats.differences.get(),
    }
}

/// Of some entries: to look at all would take a lock for each.
fn mean_age(cache: &dyn AnyCache) -> Option<Duration> {
    let keys = cache.keys(AGES_LOOKED_AT);
    let ages = keys
        .iter()
        .filter_map(|key| Some(cache.inspect(key).ok()??.age));
    let ages: Vec<Duration> = ages.collect();
    let count = u32::try_from(ages.len()).ok()?;
    ages.iter().sum::<Duration>().checked_div(count)
}

/// What customers' commands took, and how many failed.
pub(super) fn add_round_trips(redis: &mut Redis, stats: &Stats) {
    for histogram in [&stats.remote_time, &stats.remote_miss_time] {
        redis.round_trips = redis.round_trips.and(&buckets(histogram));
    }
    redis.failures = redis.failures.saturating_add(stats.remote_failures.get());
}

fn buckets(histogram: &Histogram) -> Buckets {
    let mut counts = Buckets::default();
    for (bucket, (_, count)) in histogram.buckets().enumerate() {
        counts.add(bucket, count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use tingkat::certificate::Dep;
    use tingkat_testkit::TestClock;

    use super::*;

    fn counts() -> Counts {
        Counts::new(Arc::new(TestClock::new()))
    }

    fn polled(counts: &Counts, id: u64, deps: &[&str]) {
        let forget = |dep: &&str| Change {
            dep: Dep::new(*dep),
            kind: ChangeKind::Forget,
        };
        let changes: Vec<(u64, Change)> = (1..).zip(deps.iter().map(forget)).collect();
        counts.hear(Event::Polled {
            incarnation: Incarnation::from_bytes([1; 16]),
            since: &Position::log_id(0),
            position: &Position::log_id(id),
            changes: &changes,
        });
    }

    #[tokio::test(start_paused = true)]
    async fn changed_keys_are_due_a_moment_later_each_once_and_are_bounded() {
        let counts = counts();
        polled(&counts, 9, &["product:7", "products.list", "product:7"]);
        assert_eq!(counts.due(9), []);
        tokio::time::sleep(SETTLED).await;
        let key = ("product".to_owned(), "7".to_owned());
        assert_eq!(counts.due(9), [key]);
        assert_eq!(counts.due(9), []);
        let many: Vec<String> = (0..500).map(|n| format!("product:{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        polled(&counts, 9, &many);
        assert!(counts.due(9).is_empty());
        tokio::time::sleep(SETTLED).await;
        assert_eq!(counts.due(9).len(), 9);
        assert_eq!(counts.due(999).len(), MOST_WAITING - 9);
        assert_eq!(counts.position().unwrap().1, Position::log_id(9));
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_due_although_others_are_changed_all_the_time() {
        let counts = counts();
        let mut due = Vec::new();
        for n in 0..30 {
            polled(&counts, n, &[&format!("product:{n}")]);
            due.extend(counts.due(9));
            tokio::time::sleep(SETTLED / 3).await;
        }
        let expected: Vec<_> = (0..27)
            .map(|n| ("product".to_owned(), n.to_string()))
            .collect();
        assert_eq!(due, expected);
        // And so they are where more are changed than can wait.
        for _ in 0..30 {
            let many: Vec<String> = (0..40).map(|it| format!("product:{it}")).collect();
            let many: Vec<&str> = many.iter().map(String::as_str).collect();
            polled(&counts, 40, &many);
            tokio::time::sleep(SETTLED / 3).await;
        }
        assert_eq!(counts.due(9).len(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_node_knew_is_known_with_the_poll_that_brings_it() {
        let counts = counts();
        let step = Duration::from_millis(80);
        let owe = |node: &str, id| {
            counts.owe(Owed {
                node: node.to_owned(),
                incarnation: Incarnation::from_bytes([1; 16]),
                position: Position::log_id(id),
                since: counts.clock.now(),
            });
        };
        polled(&counts, 9, &[]);
        owe("b", 9);
        assert_eq!(counts.owed(OwedList::settled), Some(Duration::ZERO));
        owe("b", 12);
        owe("c", 99);
        tokio::time::sleep(step).await;
        polled(&counts, 12, &[]);
        // However much later somebody looks.
        tokio::time::sleep(Duration::from_secs(10)).await;
        polled(&counts, 40, &[]);
        assert_eq!(counts.owed(OwedList::settled), Some(step));
        assert_eq!(counts.owed(OwedList::settled), None);
        let oldest = counts.owed(|owed| owed.oldest()).unwrap();
        let missing = counts.clock.now().since(oldest);
        assert_eq!(missing, step + Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_of_reads_is_known() {
        let counts = counts();
        let says = |state, writes| {
            counts.hear(Event::Breaker {
                state,
                writes,
                error: None,
            });
            counts.is_cut_off()
        };
        assert!(!says(State::Open, true));
        assert!(says(State::Open, false));
        assert!(says(State::HalfOpen, false));
        assert!(!says(State::Closed, false));
    }
}
