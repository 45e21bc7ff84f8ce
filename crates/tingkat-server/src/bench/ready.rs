//! The caches of the service as a phase finds them: what is asked of them, and what they answer.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use tingkat::Options;
use tingkat::cache::{Answer, Tier as Answered};
use tingkat::error::GetError;
use tingkat::registry::AnyCache;
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{
    Counters, Imported, Operation, Outcome, Session, State, SubjectError, Tier,
};
use tingkat_shop::postcode::{Code, Postcode};
use tingkat_shop::product::{Product, ProductId};
use tingkat_shop::{ProductPatch, ProductWrites, Saved, Shop, WriteError};
use tingkat_sql::Probe;

use super::keys::Keys;
use crate::serve::Parts;

/// So many keys are looked up at once when the tiers are filled.
const PART: usize = 100;

/// The caches, ready for a phase.
pub(super) struct Ready {
    shop: Shop,
    writes: ProductWrites,
    /// What other programs do to the database.
    importer: Probe,
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
            importer: Probe::new(writer.database.clone()),
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
                Some(id) => product(self.shop.products.by_id(id, Options::default()).await, id),
                None => Outcome::error(),
            },
            Keys::Postcodes(codes) => match codes.get(place) {
                Some(code) => {
                    let answer = self.shop.postcodes.locate(code, Options::default()).await;
                    postcode(answer, *code)
                }
                None => Outcome::error(),
            },
        }
    }

    async fn absent(&self, number: usize) -> Outcome {
        match &*self.keys {
            Keys::Products { .. } => match absent_id(number) {
                Some(id) => product(self.shop.products.by_id(&id, Options::default()).await, &id),
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
                let each = answers.into_iter().zip(&ids);
                Outcome::of_all(each.map(|(answer, id)| product(answer, id)))
            }
            Keys::Postcodes(_) => {
                let answers = places.iter().map(|place| self.read(*place));
                Outcome::of_all(join_all(answers).await)
            }
        }
    }

    async fn write(&self, place: usize) -> Outcome {
        let Some(id) = self.keys.product(place) else {
            return Outcome::error();
        };
        // It changes nothing but the version.
        written(self.writes.write(id, &ProductPatch::adjust_stock(0)).await)
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
                let id = ids.get(*place)?;
                let hit = self.shop.products.hit(id, Options::default())?;
                Some(product(Ok(hit), id))
            }
            Keys::Postcodes(codes) => {
                let code = codes.get(*place)?;
                let hit = self.shop.postcodes.hit(code, Options::default())?;
                Some(postcode(Ok(hit), *code))
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
                Operation::Import(places) => self.import(places).await.outcome,
            }
        })
    }

    fn import<'a>(&'a self, keys: &'a [usize]) -> BoxFuture<'a, Imported> {
        Box::pin(import(&self.importer, &self.keys, keys))
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

/// What came of a write.
pub(super) fn written(saved: Result<Saved, WriteError>) -> Outcome {
    saved.map_or(Outcome::error(), |saved| Outcome {
        version: Some(saved.version),
        ..Outcome::new(Tier::Database, State::Current)
    })
}

/// Writes products by one statement, past every cache, as an import does.
pub(super) async fn import(database: &Probe, keys: &Keys, places: &[usize]) -> Imported {
    let Keys::Products { ids, .. } = keys else {
        return Imported::failed();
    };
    let named = places.iter().filter_map(|place| ids.get(*place));
    let named: Vec<String> = named.map(ToString::to_string).collect();
    let Ok(written) = database.import(&named).await else {
        return Imported::failed();
    };
    let by_id: HashMap<&str, usize> = named
        .iter()
        .map(String::as_str)
        .zip(places.iter().copied())
        .collect();
    let versions = written.iter().filter_map(|(id, version)| {
        let place = by_id.get(id.as_str())?;
        Some((*place, *version))
    });
    Imported {
        outcome: Outcome::new(Tier::Database, State::Current),
        versions: versions.collect(),
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

/// What was answered for a product.
fn product(answer: Result<Answer<Product>, GetError>, id: &ProductId) -> Outcome {
    let value = answer.as_ref().ok().and_then(Answer::value);
    let (version, is_right) = (
        value.map(|product| product.version),
        value.is_none_or(|product| product.id == *id),
    );
    let outcome = Outcome {
        version,
        ..plain(answer)
    };
    outcome.if_right(is_right)
}

/// What was answered for a postcode.
fn postcode(answer: Result<Answer<Postcode>, GetError>, code: Code) -> Outcome {
    let value = answer.as_ref().ok().and_then(Answer::value);
    let is_right = value.is_none_or(|postcode| postcode.code == code);
    plain(answer).if_right(is_right)
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
