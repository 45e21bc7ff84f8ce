//! Loading entities that are one entry for a whole table: one statement without parameters.

use std::fmt;
use std::marker::PhantomData;

use futures::future::BoxFuture;
use tingkat::entity::Entity;
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};

use crate::database::Database;
use crate::error::ColumnError;
use crate::record::Record;
use crate::statement::Statement;

/// An entity of which there is one entry, made of all rows that a statement gives.
pub(crate) trait Whole: Entity + Clone {
    /// Takes no parameter.
    const LOAD: Statement;

    /// What the rows say together.
    fn read(records: &[Record]) -> Result<Self, ColumnError>;
}

/// The source of such an entity.
pub(crate) struct WholeRows<E> {
    database: Database,
    entity: PhantomData<fn() -> E>,
}

impl<E> WholeRows<E> {
    pub(crate) const fn new(database: Database) -> Self {
        Self {
            database,
            entity: PhantomData,
        }
    }
}

impl<E> fmt::Debug for WholeRows<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeRows")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl<E: Whole> Source<E::Key, E> for WholeRows<E> {
    fn certifies(&self) -> bool {
        self.database.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<E::Key, E>],
    ) -> BoxFuture<'a, Result<Batch<E>, SourceError>> {
        Box::pin(async move {
            let fetched = self.database.fetch(&E::LOAD, None).await?;
            let whole = E::read(&fetched.records)
                .map_err(|error| SourceError::fatal(format!("{}.sql: {error}", E::LOAD.name)))?;
            let loaded = wanted.iter().map(|_| Loaded::value(whole.clone()));
            Ok(Batch {
                certificate: fetched.certificate,
                loaded: loaded.collect(),
            })
        })
    }
}
