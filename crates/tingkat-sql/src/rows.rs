//! Loading by one statement: what is one row for each key, matched by it, and what is one entry for a
//! whole table.

use std::collections::HashMap;
use std::fmt;

use futures::future::BoxFuture;
use tingkat::entity::Entity;
use tingkat::error::SourceError;
use tingkat::key::Key;
use tingkat::ports::{Batch, Found, Loaded, Source, Wanted};
use tingkat_shop::document::{Document, DocumentKey};
use tingkat_shop::popularity::Weights;

use crate::columns::Columns;
use crate::database::Database;
use crate::document::DocumentRow;
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

type Argument<K> = fn(&K, &Weights) -> Result<String, serde_json::Error>;

/// One value, given so many times.
type Together<V> = fn(&[Record], usize) -> Result<Vec<Loaded<V>>, ColumnError>;

/// How rows become answers.
enum Shape<K, V> {
    /// Each is of one key.
    Keyed {
        /// The column with the row's own key.
        column: &'static str,
        /// What the statement takes for a key.
        argument: Argument<K>,
        read: fn(&Record) -> Result<Loaded<V>, ColumnError>,
        /// A failure says which key it is about, for whoever wrote the statement himself.
        names_key: bool,
    },
    /// All are one value.
    Whole(Together<V>),
}

/// The source of what one statement loads.
pub(crate) struct Rows<K, V> {
    database: Database,
    statement: Statement,
    /// The statement's file, as failures name it.
    file: String,
    shape: Shape<K, V>,
}

impl<E: Row> Rows<E::Key, E> {
    pub(crate) fn new(database: Database) -> Self {
        debug_assert_eq!(E::LOAD.columns, E::Columns::COLUMNS, "{}", E::LOAD.name);
        Self {
            database,
            statement: E::LOAD,
            file: E::LOAD.file(),
            shape: Shape::Keyed {
                column: E::KEY,
                argument: E::argument,
                read: |record| E::Columns::read(record).and_then(E::read),
                names_key: false,
            },
        }
    }
}

impl<E: Whole> Rows<E::Key, E> {
    pub(crate) fn whole(database: Database) -> Self {
        debug_assert_eq!(E::LOAD.columns, E::Columns::COLUMNS, "{}", E::LOAD.name);
        Self {
            database,
            statement: E::LOAD,
            file: E::LOAD.file(),
            shape: Shape::Whole(|records, times| {
                let rows: Result<Vec<_>, _> = records.iter().map(E::Columns::read).collect();
                let whole = rows.and_then(E::read)?;
                let answers = std::iter::repeat_n(whole, times).map(Loaded::value);
                Ok(answers.collect())
            }),
        }
    }
}

impl Rows<DocumentKey, Document> {
    /// Those of an entity that the operator names.
    pub(crate) fn documents(database: Database, load: Statement) -> Self {
        Self {
            file: database.queries().file(&load),
            database,
            statement: load,
            shape: Shape::Keyed {
                column: "key",
                argument: |key, _| Ok(key.text()),
                read: |record| DocumentRow::read(record).map(DocumentRow::loaded),
                names_key: true,
            },
        }
    }
}

impl<K, V> fmt::Debug for Rows<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("database", &self.database)
            .field("statement", &self.statement.name)
            .finish_non_exhaustive()
    }
}

impl<K: Key, V: Send + Sync + 'static> Source<K, V> for Rows<K, V> {
    fn certifies(&self) -> bool {
        self.database.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<K, V>],
    ) -> BoxFuture<'a, Result<Batch<V>, SourceError>> {
        Box::pin(async move {
            let keys = match &self.shape {
                Shape::Keyed { argument, .. } => {
                    let weights = self.database.weights();
                    let texts = wanted.iter().map(|wanted| argument(&wanted.key, weights));
                    let texts: Result<Vec<String>, _> = texts.collect();
                    Some(texts.map_err(|error| SourceError::fatal(error.to_string()))?)
                }
                Shape::Whole(_) => None,
            };
            let fetched = self
                .database
                .fetch(&self.statement, keys.as_deref())
                .await?;
            let loaded = self.answers(wanted, &fetched.records);
            Ok(Batch {
                loaded: loaded.map_err(|error| wrong_column(&self.file, &error))?,
                certificate: fetched.certificate,
            })
        })
    }
}

impl<K: Key, V> Rows<K, V> {
    /// One answer per wanted key. A row belongs to a key only when its own key is exactly that one: a
    /// column that ignores case may find more.
    fn answers(
        &self,
        wanted: &[Wanted<K, V>],
        records: &[Record],
    ) -> Result<Vec<Loaded<V>>, ColumnError> {
        let (column, read, names_key) = match self.shape {
            Shape::Whole(read) => return read(records, wanted.len()),
            Shape::Keyed {
                column,
                read,
                names_key,
                ..
            } => (column, read, names_key),
        };
        let mut found = HashMap::with_capacity(records.len());
        for record in records {
            if let Ok(key) = K::parse(&record.text(column)?) {
                found.insert(key, record);
            }
        }
        let answer = |wanted: &Wanted<K, V>| match found.get(&wanted.key) {
            Some(record) => read(record).unwrap_or_else(|error| {
                let wrong = if names_key {
                    let about = format!("{}: the key {:?}", self.file, wanted.key.text());
                    wrong_column(&about, &error)
                } else {
                    wrong_column(&self.file, &error)
                };
                Loaded::new(Found::Failed(wrong))
            }),
            None => Loaded::absent(),
        };
        Ok(wanted.iter().map(answer).collect())
    }
}

/// Final: a value that is there, but is not what it must be, is not hidden by an older one.
pub(crate) fn wrong_column(about: &str, error: &ColumnError) -> SourceError {
    SourceError::fatal(format!("{about}: {error}"))
}
