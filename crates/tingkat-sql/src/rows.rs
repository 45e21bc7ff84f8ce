//! Loading entities that are one row each: one statement for all keys, rows matched by their key.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use futures::future::BoxFuture;
use tingkat::entity::Entity;
use tingkat::error::SourceError;
use tingkat::key::Key as _;
use tingkat::ports::{Batch, Found, Loaded, Source, Wanted};

use crate::database::Database;
use crate::error::ColumnError;
use crate::record::Record;
use crate::statement::Statement;

/// An entity that a statement gives one row per key of.
pub(crate) trait Row: Entity {
    /// Takes the keys as its one parameter.
    const LOAD: Statement;

    /// The column with the row's own key.
    const KEY: &'static str;

    /// What the row says.
    fn read(record: &Record) -> Result<Loaded<Self>, ColumnError>
    where
        Self: Sized;
}

/// The source of such an entity.
pub(crate) struct Rows<E> {
    database: Database,
    entity: PhantomData<fn() -> E>,
}

impl<E> Rows<E> {
    pub(crate) const fn new(database: Database) -> Self {
        Self {
            database,
            entity: PhantomData,
        }
    }
}

impl<E> fmt::Debug for Rows<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl<E: Row> Source<E::Key, E> for Rows<E> {
    fn certifies(&self) -> bool {
        self.database.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<E::Key, E>],
    ) -> BoxFuture<'a, Result<Batch<E>, SourceError>> {
        Box::pin(async move {
            let keys: Vec<String> = wanted.iter().map(|wanted| wanted.key.text()).collect();
            let fetched = self.database.fetch(&E::LOAD, Some(&keys)).await?;
            Ok(Batch {
                loaded: matched(wanted, &fetched.records)?,
                certificate: fetched.certificate,
            })
        })
    }
}

/// One answer per wanted key. A row belongs to a key only when its own key is exactly that one: a
/// column that ignores case may find more.
fn matched<E: Row>(
    wanted: &[Wanted<E::Key, E>],
    records: &[Record],
) -> Result<Vec<Loaded<E>>, SourceError> {
    let mut found = HashMap::with_capacity(records.len());
    for record in records {
        let key = record
            .text(E::KEY)
            .map_err(|error| wrong_column::<E>(&error))?;
        if let Ok(key) = E::Key::parse(&key) {
            found.insert(key, record);
        }
    }
    let answer = |wanted: &Wanted<E::Key, E>| match found.get(&wanted.key) {
        Some(record) => E::read(record)
            .unwrap_or_else(|error| Loaded::new(Found::Failed(wrong_column::<E>(&error)))),
        None => Loaded::absent(),
    };
    Ok(wanted.iter().map(answer).collect())
}

/// Final: a value that is there, but is not what it must be, is not hidden by an older one.
fn wrong_column<E: Row>(error: &ColumnError) -> SourceError {
    SourceError::fatal(format!("{}.sql: {error}", E::LOAD.name))
}
