//! The caches of the service as a phase finds them: what is asked of them, and what they answer.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use tingkat::Options;
use tingkat::cache::{Answer, Tier as Answered};
use tingkat::error::GetError;
use tingkat::registry::AnyCache;
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{Counters, Operation, Outcome, Session, State, SubjectError, Tier};
use tingkat_shop::postcode::Code;
use tingkat_shop::product::{Product, ProductId};
use tingkat_shop::{ProductPatch, ProductWrites, Shop};

use super::keys::Keys;
use crate::serve::Parts;

/// So many keys are looked up at once when the tiers are filled.
const PART: usize = 100;

/// The caches, ready for a phase.
pub(super) struct Ready {
    shop: Shop,
    writes: ProductWrites,
    cache: Option<Arc<dyn AnyCache>>,
    keys: Arc<Keys>,
}

impl Ready {
    /// The caches of `parts`; what is written is written by `writer`.
    pub(super) fn new(parts: &Parts, writer: &Parts, entity: Entity, keys: Arc<Keys>) -> Self {
        Self {
            shop: parts.shop.clone(),
            writes: ProductWrites::new(
                &writer.node,
                &writer.shop.products,
                writer.database.product_writer(),
            ),
            cache: parts.node.registry().find(entity.name()),
            keys,
        }
    }

    /// Looks every key up, so that the tiers have what they have room for.
    pub(super) async fn fill(&self) -> Result<(), SubjectError> {
        let places: Vec<usize> = (0..self.keys.len()).collect();
        for part in places.chunks(PART) {
            if self.batch(part).await.state == State::Error {
                return Err(SubjectError::unreachable("failed to fill the tiers"));
            }
        }
        Ok(())
    }

    async fn read(&self, place: usize) -> Outcome {
        match &*self.keys {
            Keys::Products { ids, .. } => match ids.get(place) {
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
            Keys::Products { .. } => match absent_id(number) {
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
            Keys::Products { ids, .. } => {
                let ids: Vec<ProductId> = places
                    .iter()
                    .filter_map(|place| ids.get(*place).cloned())
                    .collect();
                let answers = self.shop.products.many(&ids, Options::default()).await;
                Outcome::of_all(answers.into_iter().map(plain))
            }
            Keys::Postcodes(_) => {
                let answers = places.iter().map(|place| self.read(*place));
                Outcome::of_all(join_all(answers).await)
            }
        }
    }

    async fn write(&self, place: usize) -> Outcome {
        let Keys::Products { ids, .. } = &*self.keys else {
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

    fn place_of(&self, sku: &str) -> Option<usize> {
        self.keys.place_of(sku)
    }

    fn at_once(&self, operation: &Operation) -> Option<Outcome> {
        let Operation::Read(place) = operation else {
            return None;
        };
        match &*self.keys {
            Keys::Products { ids, .. } => {
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
