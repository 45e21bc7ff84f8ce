//! A source over a [`FakeDatabase`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};

use super::database::FakeDatabase;
use super::switch::Switch;

/// What is stored: the version of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// Of which row.
    pub key: String,
    /// Which version.
    pub version: u64,
}

/// Loads the rows of one entity; clones share switch and counters.
#[derive(Clone, Debug)]
pub struct FakeSource {
    database: FakeDatabase,
    entity: &'static str,
    /// What a load meets before it reads.
    pub switch: Switch,
    after_read: Arc<Mutex<Duration>>,
    batches: Arc<Mutex<Vec<Vec<String>>>>,
}

impl FakeSource {
    /// A source of the rows `entity:key`.
    pub fn new(database: &FakeDatabase, entity: &'static str) -> Self {
        Self {
            database: database.clone(),
            entity,
            switch: Switch::new(),
            after_read: Arc::default(),
            batches: Arc::default(),
        }
    }

    /// How long an answer takes after its rows were read: it is that old when it arrives.
    pub fn delay_after_read(&self, delay: Duration) {
        *self
            .after_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// The keys of every batch so far.
    pub fn batches(&self) -> Vec<Vec<String>> {
        self.batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How often a key was loaded.
    pub fn loads(&self, key: &str) -> usize {
        self.batches()
            .iter()
            .flatten()
            .filter(|loaded| *loaded == key)
            .count()
    }
}

impl Source<String, Versioned> for FakeSource {
    fn certifies(&self) -> bool {
        true
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<String, Versioned>],
    ) -> BoxFuture<'a, Result<Batch<Versioned>, SourceError>> {
        Box::pin(async move {
            let keys: Vec<String> = wanted.iter().map(|wanted| wanted.key.clone()).collect();
            self.batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(keys.clone());
            if !self.switch.pass().await {
                return Err(SourceError::transient("the database is away"));
            }
            // One instant for all keys and the certificate, as in one transaction.
            let certificate = self.database.certificate();
            let loaded = keys
                .into_iter()
                .map(|key| match self.database.read(self.entity, &key).0 {
                    Some(version) => Loaded::value(Versioned { key, version }),
                    None => Loaded::absent(),
                })
                .collect();
            let delay = *self
                .after_read
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            Ok(Batch {
                certificate: Some(certificate),
                loaded,
            })
        })
    }
}
