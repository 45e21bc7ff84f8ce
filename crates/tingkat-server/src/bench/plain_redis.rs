//! Redis by itself, as a store without Tingkat would use it: one GET, and the JSON decoded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tingkat::clock::SystemClock;
use tingkat::ports::Remote as _;
use tingkat_faults::Control;
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{Operation, Outcome, Session, Stage, State, Subject, SubjectError, Tier};
use tingkat_redis::Redis;
use tingkat_shop::postcode::Postcode;
use tingkat_shop::product::Product;
use tokio::sync::OnceCell;

use super::in_process::InProcess;
use super::place::Place;
use crate::cli::bench::Wanted;
use crate::exit::{Code, Failure};

/// As patient as most clients are by default.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longer than any run; what is left after a crash ends by itself.
const LIFE: Duration = Duration::from_hours(2);

/// Written at once when it is filled.
const PART: usize = 200;

/// Redis, with the values of the store as JSON.
pub(super) struct PlainRedis {
    redis: Arc<Redis>,
    prefix: String,
    entity: Entity,
    store: Arc<InProcess>,
    faults: Option<Control>,
    filled: OnceCell<Arc<Filled>>,
}

impl PlainRedis {
    pub(super) fn new(
        place: &Place,
        wanted: &Wanted,
        store: Arc<InProcess>,
    ) -> Result<Self, Failure> {
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
            store,
            faults: place.faults(),
            filled: OnceCell::new(),
        })
    }

    async fn fill(&self, most: usize) -> Result<Arc<Filled>, SubjectError> {
        let failed = |error: tingkat::error::RemoteError| {
            SubjectError::unreachable("failed to fill redis").caused_by(error)
        };
        let mut state = self.redis.state();
        let usable = state.wait_for(tingkat_redis::State::is_usable);
        drop(tokio::time::timeout(Duration::from_secs(5), usable).await);
        let values = self.store.values(most).await?;
        let mut cells = Vec::new();
        for (number, value) in values.into_iter().enumerate() {
            cells.push((key(&self.prefix, number), Bytes::from(value)));
        }
        for part in cells.chunks(PART) {
            let part = part
                .iter()
                .map(|(key, value)| (key.clone(), value.clone(), LIFE));
            self.redis.set_many(part.collect()).await.map_err(failed)?;
        }
        Ok(Arc::new(Filled {
            redis: Arc::clone(&self.redis),
            prefix: self.prefix.clone(),
            entity: self.entity,
            cells,
        }))
    }
}

fn key(prefix: &str, number: usize) -> String {
    format!("{prefix}{number}")
}

impl Subject for PlainRedis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn about(&self) -> &'static str {
        "Redis alone: GET of the same values as JSON, and their decoding"
    }

    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        Box::pin(async move {
            let filled = self
                .filled
                .get_or_try_init(|| self.fill(stage.keys))
                .await?;
            let session: Arc<dyn Session> = Arc::<Filled>::clone(filled);
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
        Box::pin(self.redis.close())
    }
}

/// Redis with all values.
struct Filled {
    redis: Arc<Redis>,
    prefix: String,
    entity: Entity,
    cells: Vec<(String, Bytes)>,
}

impl Filled {
    fn key(&self, place: usize) -> &str {
        self.cells.get(place).map_or("", |(key, _)| key)
    }

    /// Whether it is a value, found out by decoding it, as whoever uses it must.
    fn is_value(&self, bytes: &[u8]) -> bool {
        match self.entity {
            Entity::Product => serde_json::from_slice::<Product>(bytes).is_ok(),
            Entity::Postcode => serde_json::from_slice::<Postcode>(bytes).is_ok(),
        }
    }

    fn outcome(&self, cell: Option<&Bytes>) -> Outcome {
        match cell {
            Some(bytes) if self.is_value(bytes) => Outcome::new(Tier::Redis, State::Current),
            Some(_) => Outcome::error(),
            None => Outcome::new(Tier::Redis, State::Absent),
        }
    }
}

impl Session for Filled {
    fn keys(&self) -> usize {
        self.cells.len()
    }

    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match operation {
                Operation::Read(place) => match self.redis.get(self.key(*place)).await {
                    Ok(cell) => self.outcome(cell.as_ref()),
                    Err(_) => Outcome::error(),
                },
                Operation::Absent(number) => {
                    let key = format!("{}none-{number}", self.prefix);
                    match self.redis.get(&key).await {
                        Ok(cell) => self.outcome(cell.as_ref()),
                        Err(_) => Outcome::error(),
                    }
                }
                Operation::Batch(places) => {
                    let keys: Vec<String> = places
                        .iter()
                        .map(|place| self.key(*place).to_owned())
                        .collect();
                    match self.redis.get_many(&keys).await {
                        Ok(cells) if cells.iter().flatten().all(|cell| self.is_value(cell)) => {
                            Outcome::new(Tier::Redis, State::Current)
                        }
                        _ => Outcome::error(),
                    }
                }
                Operation::Write(place) => {
                    let cell = self.cells.get(*place);
                    let cell = cell.map(|(key, value)| (key.clone(), value.clone(), LIFE));
                    match self.redis.set_many(cell.into_iter().collect()).await {
                        Ok(()) => Outcome::new(Tier::Redis, State::Current),
                        Err(_) => Outcome::error(),
                    }
                }
            }
        })
    }
}
