//! Loading entities that the operator names: a JSON text for each key.

use std::collections::HashMap;

use futures::future::BoxFuture;
use tingkat::certificate::Dep;
use tingkat::error::SourceError;
use tingkat::key::Key as _;
use tingkat::ports::{Batch, Found, Loaded, Source, Wanted};
use tingkat_shop::document::{Document, DocumentKey};

use crate::columns::{Columns as _, Json, columns};
use crate::database::Database;
use crate::error::ColumnError;
use crate::record::Record;
use crate::statement::{Parameter, Statement};

columns! {
    /// What a document is, and what it shows besides its own key.
    pub(crate) struct DocumentRow {
        key: String,
        value: Document,
        deps: Json<Vec<String>>,
    }
}

/// An entity that the operator names, and what it is loaded by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLoad {
    /// Its name.
    pub entity: &'static str,
    /// The file with the statement.
    pub file: String,
    /// The tables that have to report their changes.
    pub tables: Vec<String>,
}

/// The statement of an entity of this name; its text is the operator's.
pub(crate) const fn load_of(entity: &'static str) -> Statement {
    Statement {
        name: entity,
        postgres: "",
        sqlite: "",
        prisma: "",
        parameters: &[Parameter::Keys],
        columns: DocumentRow::COLUMNS,
        reads: DocumentRow::check,
    }
}

/// The source of one entity.
#[derive(Debug)]
pub(crate) struct DocumentRows {
    database: Database,
    load: Statement,
}

impl DocumentRows {
    pub(crate) const fn new(database: Database, load: Statement) -> Self {
        Self { database, load }
    }

    /// One answer per wanted key. A row belongs to a key only when its own key is exactly that one.
    fn matched(
        &self,
        wanted: &[Wanted<DocumentKey, Document>],
        records: &[Record],
    ) -> Result<Vec<Loaded<Document>>, SourceError> {
        let mut found = HashMap::with_capacity(records.len());
        for record in records {
            let key = record.text("key").map_err(|error| self.wrong(&error))?;
            found.insert(key, record);
        }
        let answer = |wanted: &Wanted<DocumentKey, Document>| {
            let key = wanted.key.as_str();
            match found.get(key) {
                Some(record) => read(record, key).unwrap_or_else(|error| {
                    let file = self.database.queries().file(&self.load);
                    let message = format!("{file}: the key {key:?}: {error}");
                    Loaded::new(Found::Failed(SourceError::fatal(message)))
                }),
                None => Loaded::absent(),
            }
        };
        Ok(wanted.iter().map(answer).collect())
    }

    fn wrong(&self, error: &ColumnError) -> SourceError {
        let file = self.database.queries().file(&self.load);
        SourceError::fatal(format!("{file}: {error}"))
    }
}

fn read(record: &Record, wanted: &str) -> Result<Loaded<Document>, ColumnError> {
    let row = DocumentRow::read(record)?;
    debug_assert_eq!(row.key, wanted, "matched by its key");
    let Json(deps) = row.deps;
    Ok(Loaded::value(row.value).deps(deps.into_iter().map(Dep::new)))
}

impl Source<DocumentKey, Document> for DocumentRows {
    fn certifies(&self) -> bool {
        self.database.certifies()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<DocumentKey, Document>],
    ) -> BoxFuture<'a, Result<Batch<Document>, SourceError>> {
        Box::pin(async move {
            let keys: Vec<String> = wanted.iter().map(|wanted| wanted.key.text()).collect();
            let fetched = self.database.fetch(&self.load, Some(&keys)).await?;
            Ok(Batch {
                loaded: self.matched(wanted, &fetched.records)?,
                certificate: fetched.certificate,
            })
        })
    }
}
