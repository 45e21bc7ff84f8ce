//! A database of the store, whichever dialect it speaks.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tingkat::error::SourceError;
use tingkat_shop::Sources;

use crate::error::{CheckError, CheckErrorKind, OpenError, source_error};
use crate::postgres::Postgres;
use crate::record::Record;
use crate::rows::Rows;
use crate::sqlite::{FileId, Sqlite};
use crate::state::StateRows;
use crate::statement::{Statement, TABLE_LIST};
use crate::url::{Place, Url};

/// How a database is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Connections for loads, opened on demand. With fewer than all entities' `max_loads` together,
    /// one hanging entity keeps the others waiting. An embedded database takes at most 16.
    pub max_connections: u32,
    /// How long a load waits for a connection, and a check for an answer.
    pub acquire_timeout: Duration,
    /// After this long PostgreSQL gives a statement up, unless the URL has a `statement_timeout`:
    /// the load that wanted it was given up before.
    pub statement_timeout: Duration,
    /// The day that a new demo store is made for; otherwise today, by the database's clock.
    pub demo_day: Option<Date>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 40,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(6),
            demo_day: None,
        }
    }
}

/// A database of the store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    dialect: Dialect,
    demo_day: Option<Date>,
}

#[derive(Clone, Debug)]
enum Dialect {
    Postgres(Arc<Postgres>),
    Sqlite(Arc<Sqlite>),
}

/// The tables that the statements read.
const TABLES_READ: &[&str] = &[
    "category",
    "postcode",
    "product",
    "product_category",
    "product_image",
    "product_variant",
    "state",
];

impl Database {
    /// Opens a database. PostgreSQL is not asked for anything yet, so that this succeeds while it is
    /// away; a file is created, migrated and filled with the demo store if it is new.
    ///
    /// # Errors
    /// When the file can not be used; the text is one line and names it.
    pub async fn open(url: &Url, config: &Config) -> Result<Self, OpenError> {
        let dialect = match url.place() {
            Place::Postgres(options) => {
                Dialect::Postgres(Arc::new(Postgres::open(options, config)))
            }
            Place::Sqlite(path) => Dialect::Sqlite(Arc::new(Sqlite::open(path, config).await?)),
        };
        Ok(Self {
            dialect,
            demo_day: config.demo_day,
        })
    }

    /// Where each entity is loaded from.
    pub fn sources(&self) -> Sources {
        Sources {
            products: Arc::new(Rows::new(self.clone())),
            skus: Arc::new(Rows::new(self.clone())),
            slugs: Arc::new(Rows::new(self.clone())),
            postcodes: Arc::new(Rows::new(self.clone())),
            states: Arc::new(StateRows::new(self.clone())),
        }
    }

    /// Whether the database answers and has the store's tables.
    ///
    /// # Errors
    /// When it does not; the text says why and what to do.
    pub async fn check(&self) -> Result<(), CheckError> {
        let wanted: Vec<String> = TABLES_READ.iter().map(|&name| name.to_owned()).collect();
        let records = self.tables(&wanted).await.map_err(CheckError::of)?;
        let missing: Vec<&str> = TABLES_READ
            .iter()
            .filter(|name| !records.iter().any(|table| table.name == **name))
            .copied()
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "the database has no table {}: run `tingkat schema install --demo` for the demo \
                 store, or point source.queries to statements for your own schema",
                missing.join(", ")
            );
            return Err(CheckError::new(CheckErrorKind::SchemaMissing, message));
        }
        let closed: Vec<&str> = records
            .iter()
            .filter(|table| !table.is_readable)
            .map(|table| table.name.as_str())
            .collect();
        if !closed.is_empty() {
            let tables = closed.join(", ");
            let message = format!("we may not read {tables}: GRANT SELECT ON {tables} to our user");
            return Err(CheckError::new(CheckErrorKind::Refused, message));
        }
        Ok(())
    }

    /// Which file the database is, if it is one.
    pub fn file_id(&self) -> Option<FileId> {
        match &self.dialect {
            Dialect::Postgres(_) => None,
            Dialect::Sqlite(sqlite) => Some(sqlite.id()),
        }
    }

    /// The change log (temporary).
    pub fn change_log(&self) -> Option<Arc<dyn tingkat::ports::ChangeLog>> {
        match &self.dialect {
            Dialect::Postgres(_) => None,
            Dialect::Sqlite(sqlite) => Some(sqlite.log()),
        }
    }

    /// Writer (temporary).
    pub fn product_writer(&self) -> Arc<dyn tingkat_shop::write::ProductWriter> {
        match &self.dialect {
            Dialect::Postgres(_) => unimplemented!(),
            Dialect::Sqlite(sqlite) => sqlite.log(),
        }
    }

    /// Waits for the loads under way and closes the connections; later loads fail.
    pub async fn close(&self) {
        match &self.dialect {
            Dialect::Postgres(postgres) => postgres.close().await,
            Dialect::Sqlite(sqlite) => sqlite.close().await,
        }
    }

    /// The rows of a load. This is where its position in the change log will come from, too.
    pub(crate) async fn fetch(
        &self,
        statement: &Statement,
        keys: Option<&[String]>,
    ) -> Result<Vec<Record>, SourceError> {
        match &self.dialect {
            Dialect::Postgres(postgres) => postgres.fetch(statement, keys).await,
            Dialect::Sqlite(sqlite) => sqlite
                .load(statement, keys)
                .await
                .map(|(records, _)| records),
        }
        .map_err(|error| source_error(statement.name, error))
    }

    /// Which of these tables there are.
    async fn tables(&self, wanted: &[String]) -> Result<Vec<Table>, sqlx::Error> {
        let records = match &self.dialect {
            Dialect::Postgres(postgres) => postgres.ask(&TABLE_LIST, wanted).await,
            Dialect::Sqlite(sqlite) => sqlite.ask(&TABLE_LIST, wanted).await,
        };
        records?.iter().map(Table::read).collect()
    }

    pub(crate) const fn demo_day(&self) -> Option<Date> {
        self.demo_day
    }

    pub(crate) fn postgres(&self) -> Option<&Postgres> {
        match &self.dialect {
            Dialect::Postgres(postgres) => Some(postgres),
            Dialect::Sqlite(_) => None,
        }
    }
}

/// A table that there is.
pub(crate) struct Table {
    pub(crate) name: String,
    is_readable: bool,
    pub(crate) is_in_target: bool,
}

impl Table {
    pub(crate) fn read(record: &Record) -> Result<Self, sqlx::Error> {
        let decode = |error| sqlx::Error::Decode(Box::new(error));
        Ok(Self {
            name: record.text("name").map_err(decode)?,
            is_readable: record.flag("is_readable").map_err(decode)?,
            is_in_target: record.flag("is_in_target").map_err(decode)?,
        })
    }
}
