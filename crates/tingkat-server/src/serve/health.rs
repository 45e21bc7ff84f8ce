//! Looks at everything now and then, judges it, and keeps the last report.

mod canary;
mod counts;
mod facts;

use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::ports::Clock;
use tingkat::warm::Checked;
use tingkat_health::{Data, Look, Monitor, Observed, Report};
use tingkat_redis::{Redis, Sampler, State};
use tingkat_sql::Database;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::canary::Canaries;
use self::facts::Facts;
use crate::config::Health;

pub(super) use self::counts::Counts;

/// One of so many keys of a cache is compared with the database.
const KEYS_TO_CHOOSE_FROM: usize = 32;

/// The first look waits for Redis at most as long.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Whoever looks.
pub(super) struct Looker {
    pub(super) database: Database,
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) node: Node,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observed: watch::Receiver<Observed>,
    /// What the node's events counted.
    pub(super) counts: Arc<Counts>,
    /// What health is judged by; changes under way.
    pub(super) judged_by: watch::Receiver<Health>,
    pub(super) prefix: String,
    pub(super) report: watch::Sender<Option<Arc<Report>>>,
    pub(super) stop: CancellationToken,
}

impl Looker {
    /// Goes on until the node stops.
    pub(super) async fn watch(mut self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.go_on()).await;
    }

    async fn go_on(&mut self) {
        let health = self.judged_by.borrow_and_update().clone();
        let mut monitor = Monitor::new(health.thresholds.clone(), health.patience);
        let mut sampler = self.redis.as_ref().map(|redis| redis.sampler());
        let mut canaries = Canaries::new(&self.node, self.redis.clone(), &self.prefix);
        let mut facts = Facts::new(self.database.clone(), Arc::clone(&self.clock));
        self.let_redis_connect().await;
        loop {
            let health = self.judged_by.borrow().clone();
            if self.judged_by.has_changed().unwrap_or(false) {
                self.judged_by.mark_unchanged();
                monitor.set(health.thresholds.clone(), health.patience);
            }
            canaries.exchange(&self.counts, &*self.clock).await;
            facts.count(health.facts).await;
            self.audit(health.audits).await;
            let mut look = self.look(&health, sampler.as_mut()).await;
            look.data.canary = canaries.state(&*self.clock);
            look.facts = facts.known();
            self.report.send_replace(Some(monitor.take(look)));
            self.clock.sleep(pause(health.interval, &*self.clock)).await;
        }
    }

    /// A Redis that is being connected is not away; one that takes long is.
    async fn let_redis_connect(&self) {
        let Some(redis) = &self.redis else { return };
        let mut state = redis.state();
        tokio::select! {
            _ = state.wait_for(|state| *state != State::Connecting) => {}
            () = self.clock.sleep(FIRST_LOOK) => {}
        }
    }

    /// What can be seen now.
    async fn look(&self, health: &Health, sampler: Option<&mut Sampler>) -> Look {
        let mut redis = match sampler {
            Some(sampler) => Some(sampler.sample().await),
            None => None,
        };
        let caches = self.node.registry().all();
        if let Some(redis) = &mut redis {
            for cache in &caches {
                counts::add_round_trips(redis, cache.stats());
            }
        }
        let entities = caches
            .iter()
            .map(|cache| counts::entity(&**cache, health.objective(cache.name())));
        let feed = self.node.feed();
        Look {
            at: Duration::from_nanos(self.clock.now().as_nanos()),
            wall_ms: self.clock.wall_ms(),
            redis,
            entities: entities.collect(),
            data: Data {
                has_log: feed.is_some(),
                poll_age: feed.and_then(|feed| feed.poll_age),
                bound: feed.map(|feed| feed.bound).unwrap_or_default(),
                ..self.counts.data()
            },
            observed: self.observed.borrow().clone(),
            facts: Vec::new(),
        }
    }

    /// Compares some keys with the database: those that were changed, and one that is just there, for
    /// what changes without a word is changed all the same.
    async fn audit(&self, most: usize) {
        let mut keys = self.counts.due(most, &*self.clock);
        keys.extend(self.any().filter(|_| most > 0));
        for (entity, key) in keys {
            let Some(cache) = self.node.registry().find(&entity) else {
                continue;
            };
            for checked in cache.check(vec![key]).await {
                match checked {
                    Checked::Same => self.counts.audited(true),
                    Checked::Different => self.counts.audited(false),
                    Checked::Missing | Checked::Unknown => {}
                }
            }
        }
    }
}

impl Looker {
    /// Some key that is in memory.
    fn any(&self) -> Option<(String, String)> {
        let caches = self.node.registry().all();
        // Nanoseconds of a running clock are random enough for that.
        let chance = usize::try_from(self.clock.now().as_nanos() / 1_000).unwrap_or(0);
        let cache = caches.get(chance % caches.len().max(1))?;
        let mut keys = cache.keys(KEYS_TO_CHOOSE_FROM);
        let index = chance / caches.len().max(1) % keys.len().max(1);
        (index < keys.len()).then(|| (cache.name().to_owned(), keys.swap_remove(index)))
    }
}

/// Nodes that started together do not look together.
fn pause(interval: Duration, clock: &dyn Clock) -> Duration {
    // Nanoseconds of a running clock are random enough for that.
    let share = u32::try_from(clock.now().as_nanos() % 200).unwrap_or(0);
    interval.mul_f64(0.9 + f64::from(share) / 1_000.0)
}
