//! The database by itself, as a store without Tingkat asks it: a statement for each look-up, one for a
//! batch, on a connection of the pool that is waited for if all are taken. Nothing is joined with what
//! others ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::policy::Policy;
use tingkat::ports::{Found, Source, Wanted as Row};
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{
    Counters, Imported, Operation, Outcome, Session, Stage, State, Subject, SubjectError, Tier,
};
use tingkat_shop::postcode::{Code, Postcode};
use tingkat_shop::product::{Product, ProductId};
use tingkat_shop::{ProductPatch, ProductWriter};
use tingkat_sql::{Database, Probe};
use tokio::sync::OnceCell;

use super::keys::Keys;
use super::place::Place;
use super::ready::{absent_code, absent_id, import, written};
use crate::cli::bench::Wanted;
use crate::exit::Failure;

/// Every look-up loads.
pub(super) struct Loads {
    about: String,
    place: Arc<Place>,
    entity: Entity,
    /// Opened once: an embedded database that nobody has open is another one when it is opened again.
    bare: OnceCell<Arc<Bare>>,
}

impl Loads {
    pub(super) fn new(place: &Arc<Place>, wanted: &Wanted) -> Result<Self, Failure> {
        let connections = place.config()?.database.max_connections;
        Ok(Self {
            about: format!(
                "the database alone: each look-up is a statement, over at most {connections} \
                 connections"
            ),
            place: Arc::clone(place),
            entity: wanted.workload.entity,
            bare: OnceCell::new(),
        })
    }

    /// The database, with at most so many keys.
    pub(super) async fn bare(&self, most: usize) -> Result<Arc<Bare>, SubjectError> {
        let open = || Bare::open(&self.place, self.entity, most);
        self.bare.get_or_try_init(open).await.map(Arc::clone)
    }

    pub(super) async fn close_it(&self) {
        if let Some(bare) = self.bare.get() {
            bare.database.close().await;
        }
    }
}

impl Subject for Loads {
    fn name(&self) -> &'static str {
        "database"
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        Box::pin(async move {
            let session: Arc<dyn Session> = self.bare(stage.keys).await?;
            Ok(session)
        })
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close_it())
    }
}

/// What a statement found.
pub(super) enum Value {
    Product(Box<Product>),
    Postcode(Postcode),
}

impl Value {
    /// As most services write it down. The values of the shop have no maps with odd keys, which alone can
    /// not be written.
    pub(super) fn json(&self) -> Option<Vec<u8>> {
        match self {
            Self::Product(product) => serde_json::to_vec(product).ok(),
            Self::Postcode(postcode) => serde_json::to_vec(postcode).ok(),
        }
    }

    /// As the answer of a tier.
    pub(super) fn from(&self, tier: Tier) -> Outcome {
        Outcome {
            version: match self {
                Self::Product(product) => Some(product.version),
                Self::Postcode(_) => None,
            },
            ..Outcome::new(tier, State::Current)
        }
    }
}

/// The database did not answer.
#[derive(Debug)]
pub(super) struct NoAnswer;

/// What there was of something that there is not.
pub(super) fn outcome(found: &Result<Option<Value>, NoAnswer>) -> Outcome {
    match found {
        Ok(Some(value)) => value.from(Tier::Database).if_right(false),
        Ok(None) => Outcome::new(Tier::Database, State::Absent),
        Err(NoAnswer) => Outcome::error(),
    }
}

/// The database, ready to be asked.
pub(super) struct Bare {
    database: Database,
    keys: Arc<Keys>,
    products: Arc<dyn Source<ProductId, Product>>,
    postcodes: Arc<dyn Source<Code, Postcode>>,
    writer: Arc<dyn ProductWriter>,
    /// As long as a load of the service may take.
    patience: Duration,
    statements: AtomicU64,
    loaded_keys: AtomicU64,
}

impl Bare {
    async fn open(place: &Place, entity: Entity, most: usize) -> Result<Arc<Self>, SubjectError> {
        let keys = Keys::of_place(place, entity, most).await?;
        let config = place.config().map_err(|failure| Keys::told(&failure))?;
        let opened = Database::open(&config.source, &config.database).await;
        let database = opened.map_err(|error| {
            SubjectError::unreachable("failed to open the database").caused_by(error)
        })?;
        // Nobody here follows it, so that no statement has to tell what it saw.
        let database = database.without_change_log();
        let sources = database.sources();
        let policy = config.policies.policy(entity.name()).cloned();
        Ok(Arc::new(Self {
            keys: Arc::new(keys),
            products: sources.products,
            postcodes: sources.postcodes,
            writer: database.product_writer(),
            database,
            patience: policy.unwrap_or_else(Policy::default).hard_deadline,
            statements: AtomicU64::new(0),
            loaded_keys: AtomicU64::new(0),
        }))
    }

    /// By one statement.
    pub(super) async fn load(&self, place: usize) -> Result<Option<Value>, NoAnswer> {
        let mut values = self.load_many(&[place]).await?;
        Ok(values.pop().flatten())
    }

    /// By one statement for all of them.
    pub(super) async fn load_many(&self, places: &[usize]) -> Result<Vec<Option<Value>>, NoAnswer> {
        match &*self.keys {
            Keys::Products { ids, .. } => {
                let ids = places.iter().filter_map(|place| ids.get(*place).cloned());
                self.products(ids.collect()).await
            }
            Keys::Postcodes(codes) => {
                let codes = places.iter().filter_map(|place| codes.get(*place).copied());
                self.postcodes(codes.collect()).await
            }
        }
    }

    /// Something that there is not.
    pub(super) async fn absent(&self, number: usize) -> Result<Option<Value>, NoAnswer> {
        let mut values = match &*self.keys {
            Keys::Products { .. } => {
                let id = absent_id(number).into_iter();
                self.products(id.collect()).await?
            }
            Keys::Postcodes(_) => {
                let code = absent_code(number).into_iter();
                self.postcodes(code.collect()).await?
            }
        };
        Ok(values.pop().flatten())
    }

    pub(super) async fn write(&self, place: usize) -> Outcome {
        let Some(id) = self.keys.product(place) else {
            return Outcome::error();
        };
        // It changes nothing but the version.
        written(self.writer.write(id, &ProductPatch::adjust_stock(0)).await)
    }

    async fn products(&self, ids: Vec<ProductId>) -> Result<Vec<Option<Value>>, NoAnswer> {
        let found = self.ask(&*self.products, ids).await?;
        let value = |product| Value::Product(Box::new(product));
        Ok(found.into_iter().map(|it| it.map(value)).collect())
    }

    async fn postcodes(&self, codes: Vec<Code>) -> Result<Vec<Option<Value>>, NoAnswer> {
        let found = self.ask(&*self.postcodes, codes).await?;
        Ok(found
            .into_iter()
            .map(|it| it.map(Value::Postcode))
            .collect())
    }

    async fn ask<K: 'static, V: 'static>(
        &self,
        source: &dyn Source<K, V>,
        keys: Vec<K>,
    ) -> Result<Vec<Option<V>>, NoAnswer> {
        // Nothing else is read by what is counted.
        self.statements.fetch_add(1, Ordering::Relaxed);
        let count = u64::try_from(keys.len()).unwrap_or_default();
        self.loaded_keys.fetch_add(count, Ordering::Relaxed);
        let rows = keys.into_iter().map(|key| Row { key, known: None });
        let rows: Vec<Row<K, V>> = rows.collect();
        let batch = tokio::time::timeout(self.patience, source.load(&rows)).await;
        let batch = batch.ok().and_then(Result::ok).ok_or(NoAnswer)?;
        let found = batch.loaded.into_iter().map(|loaded| match loaded.found {
            Found::Value(value) => Ok(Some(value)),
            Found::Uncached(value) => Ok(value),
            Found::Absent | Found::NotModified => Ok(None),
            Found::Failed(_) => Err(NoAnswer),
        });
        found.collect()
    }

    /// Whether a value is that of the key at a place.
    pub(super) fn is_at(&self, place: usize, value: &Value) -> bool {
        match (&*self.keys, value) {
            (Keys::Products { ids, .. }, Value::Product(it)) => ids.get(place) == Some(&it.id),
            (Keys::Postcodes(codes), Value::Postcode(it)) => codes.get(place) == Some(&it.code),
            (Keys::Products { .. }, Value::Postcode(_))
            | (Keys::Postcodes(_), Value::Product(_)) => false,
        }
    }

    /// Many by one statement.
    pub(super) async fn write_many(&self, places: &[usize]) -> Imported {
        import(&Probe::new(self.database.clone()), &self.keys, places).await
    }

    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(super) fn loaded_keys(&self) -> u64 {
        self.loaded_keys.load(Ordering::Relaxed)
    }
}

impl Session for Bare {
    fn keys(&self) -> usize {
        self.keys.len()
    }

    fn place_of(&self, sku: &str) -> Option<usize> {
        self.keys.place_of(sku)
    }

    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match operation {
                Operation::Read(place) => match self.load(*place).await {
                    Ok(Some(value)) => {
                        let is_right = self.is_at(*place, &value);
                        value.from(Tier::Database).if_right(is_right)
                    }
                    found => outcome(&found),
                },
                Operation::Absent(number) => outcome(&self.absent(*number).await),
                Operation::Batch(places) => match self.load_many(places).await {
                    Ok(values) => {
                        let each = places.iter().zip(&values);
                        let are_right = each
                            .filter_map(|(place, value)| Some((place, value.as_ref()?)))
                            .all(|(place, value)| self.is_at(*place, value));
                        Outcome::new(Tier::Database, State::Current).if_right(are_right)
                    }
                    Err(NoAnswer) => Outcome::error(),
                },
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
            Some(Counters {
                loads: self.statements(),
                loaded_keys: self.loaded_keys(),
                ..Counters::default()
            })
        })
    }
}
