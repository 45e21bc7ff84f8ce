//! The caches of the service in this process, put together as `serve` does it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tingkat::cache::{Answer, Tier as Answered};
use tingkat::error::GetError;
use tingkat::policy::Placement;
use tingkat::registry::AnyCache;
use tingkat::{Mode, Options};
use tingkat_faults::Control;
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{
    Counters, Operation, Outcome, Session, Stage, Start, State, Subject, SubjectError, Tier, Way,
};
use tingkat_shop::postcode::Code;
use tingkat_shop::product::{Product, ProductId};
use tingkat_shop::{ProductPatch, ProductWrites, Shop};
use tokio::sync::{Mutex, OnceCell};

use super::keys::Keys;
use super::place::Place;
use crate::cli::bench::Wanted;
use crate::config::Config;
use crate::exit::Failure;
use crate::serve::Parts;

/// Redis gets so long to be joined by new parts; without it they are measured as they are.
const JOINING: Duration = Duration::from_secs(5);

/// So many keys are looked up at once when the tiers are filled.
const PART: usize = 100;

/// The service's caches.
pub(crate) struct InProcess {
    about: String,
    entity: Entity,
    memory_bytes: Option<u64>,
    /// Every look-up loads.
    loads_only: bool,
    has_redis: bool,
    faults: Option<Control>,
    bound: Duration,
    make: Box<dyn Fn() -> Result<Config, Failure> + Send + Sync>,
    another_prefix: Box<dyn Fn() -> String + Send + Sync>,
    /// Listed once, by parts of their own: to list keys is to look them up, and fills the tiers.
    keys: OnceCell<Arc<Keys>>,
    now: Mutex<Option<Now>>,
}

/// What stands at the moment.
struct Now {
    parts: Parts,
    way: Way,
    prefix: String,
    session: Arc<Ready>,
}

impl InProcess {
    pub(super) fn new(
        place: &Arc<Place>,
        wanted: &Wanted,
        loads_only: bool,
    ) -> Result<Self, Failure> {
        let tiers = match (place.redis().is_some(), loads_only) {
            (_, true) => "without any tier: every look-up loads from the database",
            (true, false) => "the caches of the service in this process, in memory and Redis",
            (false, false) => "the caches of the service in this process, in memory alone",
        };
        let (maker, namer) = (Arc::clone(place), Arc::clone(place));
        Ok(Self {
            about: tiers.to_owned(),
            entity: wanted.workload.entity,
            memory_bytes: wanted.workload.memory_bytes,
            loads_only,
            has_redis: place.redis().is_some(),
            faults: place.faults(),
            bound: place.config()?.feed.staleness_bound,
            make: Box::new(move || maker.config()),
            another_prefix: Box::new(move || namer.another_prefix()),
            keys: OnceCell::new(),
            now: Mutex::new(None),
        })
    }

    async fn list(&self, most: usize) -> Result<Arc<Keys>, SubjectError> {
        let mut config = (self.make)().map_err(|failure| told(&failure))?;
        config.key_prefix = Some((self.another_prefix)());
        config.redis = None;
        let assembled = Parts::assemble(&config, true).await;
        let (parts, _) = assembled.map_err(|failure| told(&failure))?;
        let keys = Keys::list(&parts.shop, self.entity, most).await;
        parts.close().await;
        let keys = keys.map_err(failed_to_list)?;
        if keys.len() == 0 {
            let what = format!("the store has no {} to look up", self.entity.name());
            return Err(SubjectError::unsuited(what));
        }
        Ok(Arc::new(keys))
    }

    /// Puts the parts together, under a prefix.
    async fn assemble(&self, way: Way, prefix: String, most: usize) -> Result<Now, SubjectError> {
        let keys = self.keys.get_or_try_init(|| self.list(most)).await?;
        let mut config = (self.make)().map_err(|failure| told(&failure))?;
        config.key_prefix = Some(prefix.clone());
        let memory_bytes = self.memory_bytes;
        config.policies.adjust(self.entity.name(), |policy, mode| {
            policy.memory_bytes = memory_bytes.unwrap_or(policy.memory_bytes);
            match way {
                Way::All => {}
                Way::Redis => policy.placement = Placement::Remote,
                Way::Database => *mode = Mode::Bypass,
            }
        });
        let (parts, _) = Parts::assemble(&config, true)
            .await
            .map_err(|failure| told(&failure))?;
        if let Some(redis) = &parts.redis {
            let mut state = redis.state();
            let joined = state.wait_for(tingkat_redis::State::is_usable);
            // During an outage it is not, and that is measured.
            drop(tokio::time::timeout(JOINING, joined).await);
        }
        let session = Ready::new(&parts, self.entity, Arc::clone(keys));
        Ok(Now {
            session: Arc::new(session),
            parts,
            way,
            prefix,
        })
    }

    async fn ready(&self, stage: &Stage) -> Result<Arc<dyn Session>, SubjectError> {
        let way = if self.loads_only {
            Way::Database
        } else {
            stage.way
        };
        if way == Way::Redis && !self.has_redis {
            return Err(SubjectError::unsuited("there is no Redis"));
        }
        let mut now = self.now.lock().await;
        let is_as_it_was = now.as_ref().is_some_and(|now| now.way == way);
        let keeps_memory = matches!(stage.start, Start::AsIs | Start::Filled);
        if !(is_as_it_was && keeps_memory) {
            let before = now.take();
            let prefix = before.as_ref().map(|before| before.prefix.clone());
            if let Some(before) = before {
                before.parts.close().await;
            }
            let prefix = prefix.filter(|_| stage.start != Start::Empty);
            let prefix = prefix.unwrap_or_else(&self.another_prefix);
            *now = Some(self.assemble(way, prefix, stage.keys).await?);
        }
        let Some(now) = now.as_ref() else {
            return Err(SubjectError::unsuited("nothing was put together"));
        };
        let session = Arc::clone(&now.session);
        if stage.start == Start::Filled && way != Way::Database {
            session.fill().await?;
        }
        Ok(session)
    }

    /// The products as they are stored, for whoever keeps them elsewhere.
    pub(super) async fn values(&self, most: usize) -> Result<Vec<Vec<u8>>, SubjectError> {
        let stage = Stage {
            start: Start::AsIs,
            way: Way::All,
            memory_bytes: None,
            keys: most,
        };
        drop(self.ready(&stage).await?);
        let now = self.now.lock().await;
        match now.as_ref() {
            Some(now) => now.session.values().await,
            None => Ok(Vec::new()),
        }
    }
}

fn told(failure: &Failure) -> SubjectError {
    SubjectError::unreachable(failure.lines().join("; "))
}

fn failed_to_list(error: GetError) -> SubjectError {
    SubjectError::unreachable("failed to list the keys of the store").caused_by(error)
}

impl Subject for InProcess {
    fn name(&self) -> &str {
        if self.loads_only {
            "database"
        } else {
            "in process"
        }
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        Box::pin(self.ready(stage))
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn redis_faults(&self) -> Option<Control> {
        self.faults.clone()
    }

    fn staleness_bound(&self) -> Option<Duration> {
        Some(self.bound)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(now) = self.now.lock().await.take() {
                now.parts.close().await;
            }
        })
    }
}

/// The caches, ready for a phase.
struct Ready {
    shop: Shop,
    writes: ProductWrites,
    cache: Option<Arc<dyn AnyCache>>,
    keys: Arc<Keys>,
}

impl Ready {
    fn new(parts: &Parts, entity: Entity, keys: Arc<Keys>) -> Self {
        let writer = parts.database.product_writer();
        Self {
            shop: parts.shop.clone(),
            writes: ProductWrites::new(&parts.node, &parts.shop.products, writer),
            cache: parts.node.registry().find(entity.name()),
            keys,
        }
    }

    /// Looks every key up, so that the tiers have what they have room for.
    async fn fill(&self) -> Result<(), SubjectError> {
        let places: Vec<usize> = (0..self.keys.len()).collect();
        for part in places.chunks(PART) {
            if self.batch(part).await.state == State::Error {
                return Err(SubjectError::unreachable("failed to fill the tiers"));
            }
        }
        Ok(())
    }

    async fn values(&self) -> Result<Vec<Vec<u8>>, SubjectError> {
        let failed = |error: GetError| {
            SubjectError::unreachable("failed to read the store").caused_by(error)
        };
        let mut values = Vec::new();
        match &*self.keys {
            Keys::Products(ids) => {
                for id in ids {
                    let answer = self.shop.products.by_id(id, Options::default()).await;
                    let answer = answer.map_err(failed)?;
                    // The values of the shop have no maps with odd keys, which alone can not be written.
                    values.extend(answer.value().and_then(|it| serde_json::to_vec(it).ok()));
                }
            }
            Keys::Postcodes(codes) => {
                for code in codes {
                    let answer = self.shop.postcodes.locate(code, Options::default()).await;
                    let answer = answer.map_err(failed)?;
                    values.extend(answer.value().and_then(|it| serde_json::to_vec(it).ok()));
                }
            }
        }
        Ok(values)
    }

    async fn read(&self, place: usize) -> Outcome {
        match &*self.keys {
            Keys::Products(ids) => match ids.get(place) {
                Some(id) => product(self.shop.products.by_id(id, Options::default()).await),
                None => Outcome::error(),
            },
            Keys::Postcodes(codes) => match codes.get(place) {
                Some(code) => plain(self.shop.postcodes.locate(code, Options::default()).await),
                None => Outcome::error(),
            },
        }
    }

    async fn absent(&self, number: usize) -> Outcome {
        match &*self.keys {
            Keys::Products(_) => match absent_id(number) {
                Some(id) => product(self.shop.products.by_id(&id, Options::default()).await),
                None => Outcome::error(),
            },
            Keys::Postcodes(_) => match absent_code(number) {
                Some(code) => plain(self.shop.postcodes.locate(&code, Options::default()).await),
                None => Outcome::error(),
            },
        }
    }

    async fn batch(&self, places: &[usize]) -> Outcome {
        match &*self.keys {
            Keys::Products(ids) => {
                let ids: Vec<ProductId> = places
                    .iter()
                    .filter_map(|place| ids.get(*place).cloned())
                    .collect();
                let answers = self.shop.products.many(&ids, Options::default()).await;
                together(answers.into_iter().map(plain))
            }
            Keys::Postcodes(_) => {
                let answers = places.iter().map(|place| self.read(*place));
                together(join_all(answers).await.into_iter())
            }
        }
    }

    async fn write(&self, place: usize) -> Outcome {
        let Keys::Products(ids) = &*self.keys else {
            return Outcome::error();
        };
        let Some(id) = ids.get(place) else {
            return Outcome::error();
        };
        // It changes nothing but the version.
        match self.writes.write(id, &ProductPatch::adjust_stock(0)).await {
            Ok(saved) => Outcome {
                version: Some(saved.version),
                ..Outcome::new(Tier::Database, State::Current)
            },
            Err(_) => Outcome::error(),
        }
    }
}

impl Session for Ready {
    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn at_once(&self, operation: &Operation) -> Option<Outcome> {
        let Operation::Read(place) = operation else {
            return None;
        };
        match &*self.keys {
            Keys::Products(ids) => {
                let hit = self
                    .shop
                    .products
                    .hit(ids.get(*place)?, Options::default())?;
                Some(product(Ok(hit)))
            }
            Keys::Postcodes(codes) => {
                let hit = self
                    .shop
                    .postcodes
                    .hit(codes.get(*place)?, Options::default())?;
                Some(plain(Ok(hit)))
            }
        }
    }

    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match operation {
                Operation::Read(place) => self.read(*place).await,
                Operation::Absent(number) => self.absent(*number).await,
                Operation::Batch(places) => self.batch(places).await,
                Operation::Write(place) => self.write(*place).await,
            }
        })
    }

    fn counters(&self) -> BoxFuture<'_, Option<Counters>> {
        Box::pin(async move {
            let cache = self.cache.as_ref()?;
            let stats = cache.stats();
            Some(Counters {
                memory_hits: stats.memory_hits.get(),
                redis_hits: stats.remote_hits.get(),
                loads: stats.batches.get(),
                loaded_keys: stats.loaded_keys.get(),
                joined: stats.joined.get(),
                evictions: stats.evictions.get(),
                redis_failures: stats.remote_failures.get(),
                overloads: stats.overloads.get(),
                entries: cache.entries(),
                bytes: cache.bytes(),
            })
        })
    }
}

/// An id that no product has.
pub(super) fn absent_id(number: usize) -> Option<ProductId> {
    format!("none-{number}").parse().ok()
}

/// A code that no place has: none begins with two zeros.
pub(super) fn absent_code(number: usize) -> Option<Code> {
    format!("{:05}", number % 1000).parse().ok()
}

fn product(answer: Result<Answer<Product>, GetError>) -> Outcome {
    let version = match &answer {
        Ok(answer) => answer.value().map(|product| product.version),
        Err(_) => None,
    };
    Outcome {
        version,
        ..plain(answer)
    }
}

fn plain<V>(answer: Result<Answer<V>, GetError>) -> Outcome {
    let Ok(answer) = answer else {
        return Outcome::error();
    };
    let trail = answer.trail();
    let tier = match trail.tier {
        Answered::Memory => Tier::Memory,
        Answered::Remote => Tier::Redis,
        Answered::Source => Tier::Database,
    };
    let state = match answer.value() {
        _ if trail.stale => State::Stale,
        Some(_) => State::Current,
        None => State::Absent,
    };
    Outcome::new(tier, state)
}

/// The farthest tier and the worst state of many.
fn together(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let worse = |one: Outcome, other: Outcome| {
        if one.state == State::Error || other.state == State::Error {
            return Outcome::error();
        }
        Outcome::new(
            one.tier.max(other.tier),
            one.state
                .min(State::Stale)
                .max(other.state.min(State::Stale)),
        )
    };
    outcomes
        .reduce(worse)
        .unwrap_or(Outcome::new(Tier::Memory, State::Absent))
}
