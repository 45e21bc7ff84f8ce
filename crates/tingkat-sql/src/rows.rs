//! Loading entities by one statement: those that are one row each, matched by their key, and those
//! that are one entry for a whole table.

use std::collections::HashMap;
use std::fmt;

use futures::future::BoxFuture;
use tingkat::entity::Entity;
use tingkat::error::SourceError;
use tingkat::key::Key as _;
use tingkat::ports::{Batch, Found, Loaded, Source, Wanted};
use tingkat_shop::popularity::Weights;

use crate::columns::Columns;
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

    /// What the statement gives.
    type Columns: Columns;

    /// What the statement takes for a key.
    fn argument(key: &Self::Key, weights: &Weights) -> Result<String, serde_json::Error> {
        let _ = weights;
        Ok(key.text())
    }

    /// What the row says.
    fn read(row: Self::Columns) -> Result<Loaded<Self>, ColumnError>
    where
        Self: Sized;
}

/// An entity of which there is one entry, made of all rows that a statement gives.
pub(crate) trait Whole: Entity + Clone {
    /// Takes no parameter.
    const LOAD: Statement;

    /// What the statement gives.
    type Columns: Columns;

    /// What the rows say together.
    fn read(rows: Vec<Self::Columns>) -> Result<Self, ColumnError>;
}

/// What the rows say about each wanted key.
type Answers<E> =
    fn(&[Wanted<<E as Entity>::Key, E>], &[Record]) -> Result<Vec<Loaded<E>>, SourceError>;

type Argument<E> = fn(&<E as Entity>::Key, &Weights) -> Result<String, serde_json::Error>;

/// The source of an entity that one statement loads.
pub(crate) struct Rows<E: Entity> {
    database: Database,
    statement: Statement,
    /// What the statement takes for a key; nothing where it takes none.
    argument: Option<Argument<E>>,
    answers: Answers<E>,
}

impl<E: Row> Rows<E> {
    pub(crate) fn new(database: Database) -> Self {
        debug_assert_eq!(E::LOAD.columns, E::Columns::COLUMNS, "{}", E::LOAD.name);
        Self {
            database,
            statement: E::LOAD,
            argument: Some(E::argument),
            answers: matched,
        }
    }
}

impl<E: Whole> Rows<E> {
    pub(crate) fn whole(database: Database) -> Self {
        debug_assert_eq!(E::LOAD.columns, E::Columns::COLUMNS, "{}", E::LOAD.name);
        Self {
            database,
            statement: E::LOAD,
            argument: None,
            answers: together,
        }
    }
}

impl<E: Entity> fmt::Debug for Rows<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("database", &self.database)
            .field("statement", &self.statement.name)
            .finish_non_exhaustive()
    }
}

impl<E: Entity> Source<E::Key, E> for Rows<E> {
    fn certifies(&self) -> bool {
        self.database.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<E::Key, E>],
    ) -> BoxFuture<'a, Result<Batch<E>, SourceError>> {
        Box::pin(async move {
            let keys = match self.argument {
                Some(argument) => {
                    let weights = self.database.weights();
                    let texts = wanted.iter().map(|wanted| argument(&wanted.key, weights));
                    let texts: Result<Vec<String>, _> = texts.collect();
                    Some(texts.map_err(|error| SourceError::fatal(error.to_string()))?)
                }
                None => None,
            };
            let fetched = self
                .database
                .fetch(&self.statement, keys.as_deref())
                .await?;
            Ok(Batch {
                loaded: (self.answers)(wanted, &fetched.records)?,
                certificate: fetched.certificate,
            })
        })
    }
}

/// The same answer for every wanted key, of which there is one.
fn together<E: Whole>(
    wanted: &[Wanted<E::Key, E>],
    records: &[Record],
) -> Result<Vec<Loaded<E>>, SourceError> {
    let rows: Result<Vec<_>, _> = records.iter().map(E::Columns::read).collect();
    let whole = rows
        .and_then(E::read)
        .map_err(|error| wrong_column(&E::LOAD, &error))?;
    let answer = |_| Loaded::value(whole.clone());
    Ok(wanted.iter().map(answer).collect())
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
            .map_err(|error| wrong_column(&E::LOAD, &error))?;
        if let Ok(key) = E::Key::parse(&key) {
            found.insert(key, record);
        }
    }
    let answer = |wanted: &Wanted<E::Key, E>| match found.get(&wanted.key) {
        Some(record) => E::Columns::read(record)
            .and_then(E::read)
            .unwrap_or_else(|error| Loaded::new(Found::Failed(wrong_column(&E::LOAD, &error)))),
        None => Loaded::absent(),
    };
    Ok(wanted.iter().map(answer).collect())
}

/// Final: a value that is there, but is not what it must be, is not hidden by an older one.
pub(crate) fn wrong_column(statement: &Statement, error: &ColumnError) -> SourceError {
    SourceError::fatal(format!("{}.sql: {error}", statement.name))
}
