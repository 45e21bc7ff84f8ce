//! Looks at everything now and then, judges it, and keeps the last report.

mod audit;
mod canary;
mod counts;
mod facts;
mod owed;
#[cfg(test)]
mod troubles;

use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::ports::Clock;
use tingkat_health::look::Fact;
use tingkat_health::{Data, Look, Monitor, Observed, Report};
use tingkat_redis::{Redis, Sampler, State};
use tingkat_sql::Database;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::audit::Auditor;
use self::canary::Canaries;
use self::facts::Facts;
use crate::config::Health;

pub(super) use self::counts::Counts;

/// The first look waits for Redis at most as long.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Why a Redis that answers is not asked.
const CUT_OFF: &str =
    "too many calls failed or took too long, so that it is left alone for a while";

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

/// What remembers earlier looks.
struct Eyes {
    sampler: Option<Sampler>,
    canaries: Canaries,
}

impl Looker {
    /// Goes on until the node stops.
    pub(super) async fn watch(mut self) {
        let stop = self.stop.clone();
        let auditor = Auditor {
            node: self.node.clone(),
            clock: Arc::clone(&self.clock),
            counts: Arc::clone(&self.counts),
            judged_by: self.judged_by.clone(),
        };
        let known = watch::Sender::default();
        let facts = Facts {
            database: self.database.clone(),
            clock: Arc::clone(&self.clock),
            judged_by: self.judged_by.clone(),
            known: known.clone(),
        };
        let all = async { tokio::join!(auditor.go_on(), facts.go_on(), self.go_on(&known)) };
        stop.run_until_cancelled(all).await;
    }

    async fn go_on(&mut self, facts: &watch::Sender<Vec<Fact>>) {
        let health = self.judged_by.borrow_and_update().clone();
        let mut monitor = Monitor::new(health.thresholds.clone(), health.patience);
        let mut eyes = self.eyes();
        self.let_redis_connect().await;
        loop {
            let health = self.judged_by.borrow().clone();
            if self.judged_by.has_changed().unwrap_or(false) {
                self.judged_by.mark_unchanged();
                monitor.set(health.thresholds.clone(), health.patience);
            }
            let mut look = self.look(&health, &mut eyes).await;
            look.facts.clone_from(&facts.borrow());
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

    fn eyes(&self) -> Eyes {
        Eyes {
            sampler: self.redis.as_ref().map(|redis| redis.sampler()),
            canaries: Canaries::new(&self.node, self.redis.clone(), &self.prefix),
        }
    }

    /// What can be seen now.
    async fn look(&self, health: &Health, eyes: &mut Eyes) -> Look {
        eyes.canaries.exchange(&self.counts, &*self.clock).await;
        let mut redis = match &mut eyes.sampler {
            Some(sampler) => Some(sampler.sample().await),
            None => None,
        };
        let caches = self.node.registry().all();
        if let Some(redis) = &mut redis {
            for cache in &caches {
                counts::add_round_trips(redis, cache.stats());
            }
            if redis.is_usable && self.counts.is_cut_off() {
                redis.is_usable = false;
                redis.limit = Some(CUT_OFF.to_owned());
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
                canary: eyes.canaries.state(&self.counts, &*self.clock),
                ..self.counts.data()
            },
            observed: self.observed.borrow().clone(),
            facts: Vec::new(),
        }
    }
}

/// Nodes that started together do not look together.
fn pause(interval: Duration, clock: &dyn Clock) -> Duration {
    // Nanoseconds of a running clock are random enough for that.
    let share = u32::try_from(clock.now().as_nanos() % 200).unwrap_or(0);
    interval.mul_f64(0.9 + f64::from(share) / 1_000.0)
}
