//! One process: a real node with its caches, and the switches of everything around it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tingkat::event::Event;
use tingkat::{Cache, Node, Policy};
use tingkat_testkit::fakes::{LogHandle, RedisHandle, Switch};

use crate::gate::{Gate, GatedClock};
use crate::links::{Link, LogLink, RedisLink};
use crate::plan::{BOUND, CLOCKS, LEASE, POLL};
use crate::random::Random;
use crate::source::{RowSource, Shown};
use crate::tally::Tally;
use crate::truth::Row;
use crate::world::World;

pub(crate) struct Machine {
    pub(crate) slot: usize,
    pub(crate) gate: Gate,
    pub(crate) node: Node,
    pub(crate) products: Cache<String, Shown>,
    pub(crate) pairs: Cache<String, Shown>,
    /// For loads that callers bring.
    pub(crate) rows: RowSource,
    pub(crate) redis: RedisHandle,
    pub(crate) redis_link: Arc<Link>,
    pub(crate) log: LogHandle,
    pub(crate) log_link: Arc<Link>,
    pub(crate) source: Switch,
    pub(crate) source_link: Arc<Link>,
    is_retired: AtomicBool,
    /// What was written through this node, and when.
    floors: Mutex<BTreeMap<Row, Duration>>,
}

impl Machine {
    /// Starts the process number `life` in a slot.
    pub(crate) fn boot(world: &Arc<World>, slot: usize, life: u64) -> Arc<Self> {
        let gate = Gate::default();
        let link = |part: &str| {
            let random = Random::of(world.plan.seed, part, life * 10 + slot as u64);
            Link::new(&gate, random)
        };
        let (redis_link, log_link, source_link) = (link("redis"), link("log"), link("source"));
        let (redis, log) = (world.redis.handle(), world.database.log());
        let (rate, offset) = CLOCKS[slot];
        let clock = world.clock.with_rate(rate).with_wall_offset_ms(offset);
        let tally = Arc::clone(&world.tally);
        let node = Node::builder()
            .clock(Arc::new(GatedClock {
                clock,
                gate: gate.clone(),
            }))
            .remote(Arc::new(RedisLink {
                handle: redis.clone(),
                link: Arc::clone(&redis_link),
                tally: Arc::clone(&tally),
            }))
            .change_log(Arc::new(LogLink {
                handle: log.clone(),
                link: Arc::clone(&log_link),
                tally: Arc::clone(&tally),
            }))
            .staleness_bound(BOUND)
            .poll_interval(POLL)
            .lease(LEASE)
            .seed(Random::of(world.plan.seed, "node", life * 10 + slot as u64).bits())
            .on_event(move |event| count(&tally, event));
        #[cfg(feature = "broken-rules")]
        let node = match world.plan.without {
            Some(rule) => node.switch_off(rule),
            None => node,
        };
        let node = node.build();
        let source = Switch::new();
        let rows = |entity| RowSource {
            world: Arc::clone(world),
            node: slot,
            entity,
            switch: source.clone(),
            link: Arc::clone(&source_link),
        };
        let cache = |entity, policy: Policy| {
            Cache::builder(entity)
                .node(&node)
                .policy(policy)
                .deps(Shown::deps)
                .source(Arc::new(rows(entity)))
                .build()
        };
        let policy = world.plan.policy();
        let strict = Policy {
            strict: world.plan.has_strict_pairs,
            ..policy.clone()
        };
        Arc::new(Self {
            slot,
            products: cache("product", policy),
            pairs: cache("pair", strict),
            rows: rows("product"),
            node,
            gate,
            redis,
            redis_link,
            log,
            log_link,
            source,
            source_link,
            is_retired: AtomicBool::new(false),
            floors: Mutex::default(),
        })
    }

    pub(crate) fn cache(&self, entity: &str) -> &Cache<String, Shown> {
        if entity == "pair" {
            &self.pairs
        } else {
            &self.products
        }
    }

    /// The row was written through this node: it must show that from now on.
    pub(crate) fn wrote(&self, row: Row, at: Duration) {
        let mut floors = self.floors.lock().unwrap_or_else(PoisonError::into_inner);
        let floor = floors.entry(row).or_default();
        *floor = at.max(*floor);
    }

    pub(crate) fn floors(&self, rows: &[Row]) -> Vec<(Row, Duration)> {
        let floors = self.floors.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter()
            .filter_map(|row| Some((*row, *floors.get(row)?)))
            .collect()
    }

    /// The process is being shut down; another one takes its place.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// Adds what its caches counted.
    pub(crate) fn tally(&self, tally: &Tally) {
        for stats in [self.products.stats(), self.pairs.stats()] {
            for (name, count) in [
                ("memory hit", stats.memory_hits.get()),
                ("redis hit", stats.remote_hits.get()),
                ("redis failure", stats.remote_failures.get()),
                ("undecodable cell", stats.undecodable.get()),
                ("joined a flight", stats.joined.get()),
                ("stale answer", stats.stale_answers.get()),
                ("absent answer", stats.absent_answers.get()),
                ("lease wait", stats.lease_waits.get()),
                ("fill", stats.fills.get()),
                ("fill rejected", stats.fills_rejected.get()),
                ("load overtaken", stats.overtaken.get()),
                ("refresh", stats.refreshes.get()),
                ("load hung", stats.hung_loads.get()),
                ("key loaded", stats.loaded_keys.get()),
            ] {
                tally.add_many(name, count);
            }
        }
    }
}

fn count(tally: &Tally, event: Event<'_>) {
    match event {
        Event::Refused { refusal, .. } => tally.add(format!("refused: {refusal:?}")),
        Event::ColdReset { reason } => tally.add(format!("cold reset: {reason}")),
        Event::Breaker { state, writes, .. } => {
            tally.add(format!("breaker {state:?} (writes: {writes})"));
        }
        Event::LoadFailed { .. } => tally.add("load failed"),
        Event::BackgroundCompleted { .. } => tally.add("load ended behind a stale answer"),
        Event::Feed { is_up, .. } => tally.add(format!("feed is up: {is_up}")),
        _ => {}
    }
}
