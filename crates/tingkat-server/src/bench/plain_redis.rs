//! Redis by itself, as a store without Tingkat would use it, by cache-aside: GET, and where there is
//! nothing SELECT and SET; a write is UPDATE and DEL. No look-up waits for the load of another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tingkat::clock::SystemClock;
use tingkat::ports::Remote as _;
use tingkat_faults::Control;
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{
    Counters, Imported, Operation, Outcome, Session, Stage, Start, State, Subject, SubjectError,
    Tier, Way,
};
use tingkat_redis::Redis;

use super::bare::{Bare, Loads, NoAnswer, Value, outcome};
use super::place::Place;
use crate::cli::bench::Wanted;
use crate::exit::{Code, Failure};

/// As patient as most clients are by default.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longer than any run; what is left after a crash ends by itself.
const LIFE: Duration = Duration::from_hours(2);

/// Loaded and written at once when it is filled.
const PART: usize = 100;

/// Redis, with the values of the store as JSON.
pub(super) struct PlainRedis {
    redis: Arc<Redis>,
    prefix: String,
    entity: Entity,
    /// The database, without any tier before it.
    store: Loads,
    faults: Option<Control>,
    counts: Arc<Counts>,
    /// How often it began with nothing.
    beginnings: AtomicU64,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    failures: AtomicU64,
}

impl PlainRedis {
    pub(super) fn new(place: &Arc<Place>, wanted: &Wanted) -> Result<Self, Failure> {
        let Some(config) = place.redis() else {
            let line = "--against redis: there is no Redis; set REDIS_URL";
            return Err(Failure::new(Code::Unreachable, line));
        };
        let prefix = place.another_prefix();
        let mut config = config.clone().under(&prefix);
        config.response_timeout = PATIENCE;
        Ok(Self {
            redis: Arc::new(Redis::start(config, Arc::new(SystemClock))),
            prefix,
            entity: wanted.workload.entity,
            store: Loads::new(place, wanted)?,
            faults: place.faults(),
            counts: Arc::default(),
            beginnings: AtomicU64::new(0),
        })
    }

    async fn ready(&self, stage: &Stage) -> Result<Arc<Aside>, SubjectError> {
        if stage.way == Way::Database {
            return Err(SubjectError::unsuited(
                "this phase has no Redis in it; --against database measures what loads alone take",
            ));
        }
        if stage.start == Start::Empty {
            self.beginnings.fetch_add(1, Ordering::Relaxed);
        }
        let mut joining = self.redis.state();
        let usable = joining.wait_for(tingkat_redis::State::is_usable);
        drop(tokio::time::timeout(Duration::from_secs(5), usable).await);
        let aside = Arc::new(Aside {
            store: self.store.bare(stage.keys).await?,
            redis: Arc::clone(&self.redis),
            prefix: format!(
                "{}{}:",
                self.prefix,
                self.beginnings.load(Ordering::Relaxed)
            ),
            entity: self.entity,
            counts: Arc::clone(&self.counts),
        });
        if matches!(stage.start, Start::Filled | Start::Restarted) {
            aside.fill().await?;
        }
        Ok(aside)
    }
}

impl Subject for PlainRedis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn about(&self) -> &'static str {
        "Redis alone, as cache-aside: GET and the decoding of JSON, SELECT and SET where there is \
         nothing; a write is UPDATE and DEL"
    }

    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        Box::pin(async move {
            let session: Arc<dyn Session> = self.ready(stage).await?;
            Ok(session)
        })
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn redis_faults(&self) -> Option<Control> {
        self.faults.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.store.close_it().await;
            self.redis.close().await;
        })
    }
}

/// Redis beside the database.
struct Aside {
    store: Arc<Bare>,
    redis: Arc<Redis>,
    prefix: String,
    entity: Entity,
    counts: Arc<Counts>,
}

impl Aside {
    fn key(&self, place: usize) -> String {
        format!("{}{place}", self.prefix)
    }

    async fn fill(&self) -> Result<(), SubjectError> {
        let places: Vec<usize> = (0..self.store.keys()).collect();
        for places in places.chunks(PART) {
            let values = self.store.load_many(places).await;
            let failed = |NoAnswer| SubjectError::unreachable("failed to read the store");
            let cells = places.iter().zip(values.map_err(failed)?);
            let cells = cells.filter_map(|(place, value)| self.cell(*place, &value?));
            let written = self.redis.set_many(cells.collect()).await;
            written.map_err(|error| {
                SubjectError::unreachable("failed to fill redis").caused_by(error)
            })?;
        }
        Ok(())
    }

    fn cell(&self, place: usize, value: &Value) -> Option<(String, Bytes, Duration)> {
        Some((self.key(place), Bytes::from(value.json()?), LIFE))
    }

    /// A value, as whoever uses it must decode it.
    fn decoded(&self, bytes: &[u8]) -> serde_json::Result<Value> {
        Ok(match self.entity {
            Entity::Product => Value::Product(Box::new(serde_json::from_slice(bytes)?)),
            Entity::Postcode => Value::Postcode(serde_json::from_slice(bytes)?),
        })
    }

    fn hit(&self, place: usize, bytes: &[u8]) -> Outcome {
        match self.decoded(bytes) {
            Ok(value) => {
                let is_right = self.store.is_at(place, &value);
                value.from(Tier::Redis).if_right(is_right)
            }
            Err(_) => Outcome::error(),
        }
    }

    /// What Redis has; nothing where it has nothing or does not answer, as the database has it too.
    async fn found(&self, key: &str) -> Option<Bytes> {
        let found = self.redis.get(key).await;
        let found = found.unwrap_or_else(|_| {
            count(&self.counts.failures, 1);
            None
        });
        count(&self.counts.hits, u64::from(found.is_some()));
        found
    }

    async fn put(&self, cells: Vec<(String, Bytes, Duration)>) {
        if self.redis.set_many(cells).await.is_err() {
            count(&self.counts.failures, 1);
        }
    }

    async fn read(&self, place: usize) -> Outcome {
        if let Some(cell) = self.found(&self.key(place)).await {
            return self.hit(place, &cell);
        }
        match self.store.load(place).await {
            Ok(Some(value)) => {
                let cell = self.cell(place, &value);
                self.put(cell.into_iter().collect()).await;
                let is_right = self.store.is_at(place, &value);
                value.from(Tier::Database).if_right(is_right)
            }
            found => outcome(&found),
        }
    }

    /// What does not exist is not kept: the database is asked each time.
    async fn absent(&self, number: usize) -> Outcome {
        let key = format!("{}none-{number}", self.prefix);
        if self.found(&key).await.is_some() {
            return Outcome::new(Tier::Redis, State::Wrong);
        }
        outcome(&self.store.absent(number).await)
    }

    async fn batch(&self, places: &[usize]) -> Outcome {
        let keys: Vec<String> = places.iter().map(|place| self.key(*place)).collect();
        let cells = self.redis.get_many(&keys).await.unwrap_or_else(|_| {
            count(&self.counts.failures, 1);
            vec![None; keys.len()]
        });
        let found = places.iter().zip(&cells);
        let found = found.filter_map(|(place, cell)| Some(self.hit(*place, cell.as_ref()?)));
        let outcome = Outcome::of_all(found);
        if outcome.state.is_failure() {
            return outcome;
        }
        let missing = places.iter().zip(&cells);
        let missing = missing.filter(|(_, cell)| cell.is_none());
        let missing: Vec<usize> = missing.map(|(place, _)| *place).collect();
        if missing.is_empty() {
            return Outcome::new(Tier::Redis, State::Current);
        }
        let Ok(values) = self.store.load_many(&missing).await else {
            return Outcome::error();
        };
        let cells = missing.into_iter().zip(values);
        let cells = cells.filter_map(|(place, value)| self.cell(place, &value?));
        self.put(cells.collect()).await;
        Outcome::new(Tier::Database, State::Current)
    }

    async fn write(&self, place: usize) -> Outcome {
        let outcome = self.store.write(place).await;
        // It is in the database, whether or not Redis could be told of it.
        if outcome.state != State::Error && self.redis.remove(&[self.key(place)]).await.is_err() {
            count(&self.counts.failures, 1);
        }
        outcome
    }

    async fn write_many(&self, places: &[usize]) -> Imported {
        let imported = self.store.write_many(places).await;
        let keys: Vec<String> = places.iter().map(|place| self.key(*place)).collect();
        if !imported.outcome.state.is_failure() && self.redis.remove(&keys).await.is_err() {
            count(&self.counts.failures, 1);
        }
        imported
    }
}

/// Nothing else is read by what is counted.
fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Session for Aside {
    fn keys(&self) -> usize {
        self.store.keys()
    }

    fn place_of(&self, sku: &str) -> Option<usize> {
        self.store.place_of(sku)
    }

    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match operation {
                Operation::Read(place) => self.read(*place).await,
                Operation::Absent(number) => self.absent(*number).await,
                Operation::Batch(places) => self.batch(places).await,
                Operation::Write(place) => self.write(*place).await,
                Operation::Import(places) => self.write_many(places).await.outcome,
            }
        })
    }

    fn import<'a>(&'a self, keys: &'a [usize]) -> BoxFuture<'a, Imported> {
        Box::pin(self.write_many(keys))
    }

    fn counters(&self) -> BoxFuture<'_, Option<Counters>> {
        Box::pin(async move {
            let counts = &self.counts;
            Some(Counters {
                redis_hits: counts.hits.load(Ordering::Relaxed),
                loads: self.store.statements(),
                loaded_keys: self.store.loaded_keys(),
                redis_failures: counts.failures.load(Ordering::Relaxed),
                ..Counters::default()
            })
        })
    }
}
