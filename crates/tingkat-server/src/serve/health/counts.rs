//! What the caches counted, in the words of health, and what only events tell.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tingkat::certificate::{Change, ChangeKind, Incarnation, Position};
use tingkat::event::Event;
use tingkat::ports::{Clock, Tick};
use tingkat::registry::AnyCache;
use tingkat::stats::{Histogram, Stats};
use tingkat_health::{Buckets, Data, Entity, Objective, Redis};

/// Changed keys that wait to be compared; the newest are kept.
const MOST_WAITING: usize = 64;

/// A change that is compared so soon after it was heard is known to every part of the node.
const SETTLED: Duration = Duration::from_millis(500);

/// So many entries tell how old the entries of a cache are.
const AGES_LOOKED_AT: usize = 16;

/// What events told since the node began.
#[derive(Debug, Default)]
pub(in crate::serve) struct Counts {
    cold_resets: AtomicU64,
    audited: AtomicU64,
    differing: AtomicU64,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// Keys that were changed.
    changed: VecDeque<(String, String)>,
    /// When the newest of them was taken in by somebody who knows the time.
    settled: Option<Tick>,
    /// What the node has seen of the log.
    position: Option<(Incarnation, Position)>,
}

impl Heard {
    /// Takes in a change; that of a key waits to be compared.
    fn take(&mut self, change: &Change) {
        let key = change.dep.name().split_once(':');
        let Some((entity, key)) = key.filter(|_| change.kind == ChangeKind::Forget) else {
            return;
        };
        let key = (entity.to_owned(), key.to_owned());
        if self.changed.contains(&key) {
            return;
        }
        if self.changed.len() == MOST_WAITING {
            self.changed.pop_front();
        }
        self.changed.push_back(key);
        self.settled = None;
    }
}

impl Counts {
    /// Takes in an event; quick, as it is on the path of the feed.
    pub(in crate::serve) fn hear(&self, event: Event<'_>) {
        if let Event::ColdReset { .. } = event {
            self.cold_resets.fetch_add(1, Ordering::Relaxed);
        }
        if let Event::Polled {
            incarnation,
            position,
            changes,
            ..
        } = event
        {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.position = Some((incarnation, position.clone()));
            for (_, change) in changes.iter().rev().take(MOST_WAITING) {
                heard.take(change);
            }
        }
    }

    /// What the node has seen of the log.
    pub(super) fn position(&self) -> Option<(Incarnation, Position)> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.position.clone()
    }

    /// Some of the keys that were changed, not too soon after that.
    pub(super) fn due(&self, most: usize, clock: &dyn Clock) -> Vec<(String, String)> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now();
        let settled = *heard.settled.get_or_insert(now);
        if now.since(settled) < SETTLED {
            return Vec::new();
        }
        let count = most.min(heard.changed.len());
        heard.changed.drain(..count).collect()
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

    fn polled(counts: &Counts, deps: &[&str]) {
        let forget = |dep: &&str| Change {
            dep: Dep::new(*dep),
            kind: ChangeKind::Forget,
        };
        let changes: Vec<(u64, Change)> = (1..).zip(deps.iter().map(forget)).collect();
        counts.hear(Event::Polled {
            incarnation: Incarnation::from_bytes([1; 16]),
            since: &Position::log_id(0),
            position: &Position::log_id(9),
            changes: &changes,
        });
    }

    #[tokio::test(start_paused = true)]
    async fn changed_keys_are_due_a_moment_later_each_once_and_are_bounded() {
        let (counts, clock) = (Counts::default(), TestClock::new());
        polled(&counts, &["product:7", "products.list", "product:7"]);
        assert_eq!(counts.due(9, &clock), []);
        tokio::time::sleep(SETTLED).await;
        let key = ("product".to_owned(), "7".to_owned());
        assert_eq!(counts.due(9, &clock), [key]);
        assert_eq!(counts.due(9, &clock), []);
        let many: Vec<String> = (0..500).map(|n| format!("product:{n}")).collect();
        polled(
            &counts,
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        assert!(counts.due(9, &clock).is_empty());
        tokio::time::sleep(SETTLED).await;
        assert_eq!(counts.due(9, &clock).len(), 9);
        assert_eq!(counts.due(999, &clock).len(), MOST_WAITING - 9);
        assert_eq!(counts.position().unwrap().1, Position::log_id(9));
    }
}
