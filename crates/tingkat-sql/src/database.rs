//! A database of the store, whichever dialect it speaks.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tingkat::certificate::Certificate;
use tingkat::error::SourceError;
use tingkat::ports::ChangeLog;
use tingkat_shop::popularity::Weights;
use tingkat_shop::{DocumentSource, ProductWriter, Sources};

use crate::error::{CheckError, CheckErrorKind, OpenError, OpenErrorKind, source_error};
use crate::popularity::Recent;
use crate::postgres::Postgres;
use crate::queries::Queries;
use crate::record::Record;
use crate::rows::Rows;
use crate::sqlite::{FileId, Sqlite};
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
    /// Whether the store's change log is followed. Otherwise freshness is by time alone: loads have
    /// no certificates, and a standby is as good as a primary.
    pub coherent: bool,
    /// For how long PostgreSQL's change log tells changes one by one before it is compacted. A node
    /// that slept for longer reads all that is left.
    pub changes_kept_for: Duration,
    /// How popularity is counted.
    pub weights: Weights,
    /// The statements for the tables of this store.
    pub queries: Queries,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 48,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(6),
            demo_day: None,
            coherent: true,
            changes_kept_for: Duration::from_mins(5),
            weights: Weights::default(),
            queries: Queries::default(),
        }
    }
}

/// A database of the store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    dialect: Dialect,
    queries: Arc<Queries>,
    demo_day: Option<Date>,
    is_coherent: bool,
    changes_kept_for: Duration,
    weights: Weights,
    recent: Arc<Recent>,
}

/// The rows of a load.
pub(crate) struct Fetched {
    /// What the load's own transaction saw.
    pub(crate) certificate: Option<Certificate>,
    pub(crate) records: Vec<Record>,
}

impl Fetched {
    pub(crate) const fn new(certificate: Certificate, records: Vec<Record>) -> Self {
        Self {
            certificate: Some(certificate),
            records,
        }
    }

    pub(crate) const fn uncertified(records: Vec<Record>) -> Self {
        Self {
            certificate: None,
            records,
        }
    }
}

#[derive(Clone, Debug)]
enum Dialect {
    Postgres(Arc<Postgres>),
    Sqlite(Arc<Sqlite>),
}

impl Database {
    /// Opens a database. PostgreSQL is not asked for anything yet, so that this succeeds while it is
    /// away; a file is created, migrated and filled with the demo store if it is new.
    ///
    /// # Errors
    /// When the file can not be used; the text is one line and names it.
    pub async fn open(url: &Url, config: &Config) -> Result<Self, OpenError> {
        if url.path().is_some() && config.queries != Queries::default() {
            let message = "an embedded database has the tables of the preset `tingkat`, and no \
                           statements of one's own";
            return Err(OpenError::new(OpenErrorKind::Foreign, message));
        }
        let dialect = match url.place() {
            Place::Postgres(server) => Dialect::Postgres(Arc::new(Postgres::open(server, config))),
            Place::Sqlite(path) => Dialect::Sqlite(Arc::new(Sqlite::open(path, config).await?)),
        };
        Ok(Self {
            dialect,
            queries: Arc::new(config.queries.clone()),
            demo_day: config.demo_day,
            is_coherent: config.coherent,
            changes_kept_for: config.changes_kept_for,
            weights: config.weights,
            recent: Arc::default(),
        })
    }

    /// Where each entity is loaded from.
    pub fn sources(&self) -> Sources {
        Sources {
            products: Arc::new(Rows::new(self.clone())),
            skus: Arc::new(Rows::new(self.clone())),
            slugs: Arc::new(Rows::new(self.clone())),
            listings: Arc::new(Rows::new(self.clone())),
            popular: Arc::new(Rows::new(self.clone())),
            categories: Arc::new(Rows::whole(self.clone())),
            category_counts: Arc::new(Rows::new(self.clone())),
            postcodes: Arc::new(Rows::new(self.clone())),
            postcode_index: Arc::new(Rows::whole(self.clone())),
            states: Arc::new(Rows::whole(self.clone())),
        }
    }

    /// Where each entity is loaded from that the operator names.
    pub fn documents(&self) -> Vec<(&'static str, DocumentSource)> {
        let loads = self.queries.loads();
        let source = |load: Statement| {
            let rows: DocumentSource = Arc::new(Rows::documents(self.clone(), load));
            (load.name, rows)
        };
        loads.map(source).collect()
    }

    /// Whether the database answers and has the store's tables.
    ///
    /// # Errors
    /// When it does not; the text says why and what to do.
    pub async fn check(&self) -> Result<(), CheckError> {
        let wanted: Vec<String> = self.queries.tables();
        let records = self.tables(&wanted).await.map_err(CheckError::of)?;
        let missing = missing(&wanted, &records);
        if !missing.is_empty() {
            let message = format!(
                "the database has no table {}: run `tingkat schema install --demo` for the demo \
                 store, choose source.preset, or point source.queries to statements for your own \
                 schema",
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

    /// Whether its change log may end with this process, so that nothing that is written into the remote
    /// tier now is believed later: that is a file that nobody else had open when this process began.
    pub fn ends_with_us(&self) -> bool {
        match &self.dialect {
            Dialect::Postgres(_) => false,
            Dialect::Sqlite(sqlite) => self.is_coherent && sqlite.is_alone(),
        }
    }

    /// Waits for the loads under way and closes the connections; later loads fail.
    pub async fn close(&self) {
        match &self.dialect {
            Dialect::Postgres(postgres) => postgres.close().await,
            Dialect::Sqlite(sqlite) => sqlite.close().await,
        }
    }

    /// The change log, which a node follows; nothing where freshness is by time alone. It may turn
    /// out not to be installed: see [`coherence`](Self::coherence).
    pub fn change_log(&self) -> Option<Arc<dyn ChangeLog>> {
        match &self.dialect {
            Dialect::Postgres(postgres) if self.is_coherent => Some(postgres.log()),
            Dialect::Sqlite(sqlite) if self.is_coherent => Some(sqlite.log()),
            Dialect::Postgres(_) | Dialect::Sqlite(_) => None,
        }
    }

    /// Writes products.
    pub fn product_writer(&self) -> Arc<dyn ProductWriter> {
        match &self.dialect {
            Dialect::Postgres(postgres) => postgres.writer(&self.queries, self.is_coherent),
            Dialect::Sqlite(sqlite) => Arc::new(sqlite.writer(self.is_coherent)),
        }
    }

    /// The same database with freshness by time alone, for a service that goes on without a log.
    pub fn without_change_log(&self) -> Self {
        Self {
            is_coherent: false,
            ..self.clone()
        }
    }

    /// What was counted a moment ago.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Whether loads come with certificates.
    pub(crate) const fn certifies(&self) -> bool {
        self.is_coherent
    }

    /// The rows of a load, and what its transaction saw.
    pub(crate) async fn fetch(
        &self,
        statement: &Statement,
        keys: Option<&[String]>,
    ) -> Result<Fetched, SourceError> {
        match &self.dialect {
            Dialect::Postgres(postgres) => {
                let query = self.queries.query(statement);
                postgres.fetch(query, keys, self.certifies()).await
            }
            Dialect::Sqlite(sqlite) => {
                let fetched = sqlite.fetch(statement, keys, self.certifies()).await;
                fetched.map_err(|error| source_error(statement.name, error))
            }
        }
    }

    /// Which of these tables there are.
    async fn tables(&self, wanted: &[String]) -> Result<Vec<Table>, sqlx::Error> {
        let records = match &self.dialect {
            Dialect::Postgres(postgres) => postgres.ask(&TABLE_LIST, wanted).await,
            Dialect::Sqlite(sqlite) => sqlite.ask(&TABLE_LIST, wanted).await,
        };
        records?.iter().map(Table::read).collect()
    }

    /// The rows that an operator's question to the tables of a preset gives; it may write.
    pub(crate) async fn put(
        &self,
        question: &Statement,
        given: &[String],
    ) -> Result<Vec<Record>, sqlx::Error> {
        match &self.dialect {
            Dialect::Postgres(postgres) => {
                let sql = self.queries.preset().sql(question);
                let rows = postgres.operate(|script| script.add_statement(sql, Some(given)));
                Ok(rows.await?.into_iter().map(Record::Postgres).collect())
            }
            Dialect::Sqlite(sqlite) => sqlite.ask(question, given).await,
        }
    }

    /// The tables of the store that there are not.
    pub(crate) async fn missing_tables(&self) -> Result<Vec<String>, sqlx::Error> {
        let wanted = self.queries.tables();
        let found = self.tables(&wanted).await?;
        Ok(missing(&wanted, &found))
    }

    /// The statements for the tables of this store.
    pub fn queries(&self) -> &Queries {
        &self.queries
    }

    pub(crate) const fn changes_kept_for(&self) -> Duration {
        self.changes_kept_for
    }

    pub(crate) const fn weights(&self) -> &Weights {
        &self.weights
    }

    pub(crate) const fn demo_day(&self) -> Option<Date> {
        self.demo_day
    }

    pub(crate) fn sqlite(&self) -> Option<&Sqlite> {
        match &self.dialect {
            Dialect::Postgres(_) => None,
            Dialect::Sqlite(sqlite) => Some(sqlite),
        }
    }

    pub(crate) fn postgres(&self) -> Option<&Postgres> {
        match &self.dialect {
            Dialect::Postgres(postgres) => Some(postgres),
            Dialect::Sqlite(_) => None,
        }
    }
}

fn missing(wanted: &[String], found: &[Table]) -> Vec<String> {
    let is_missing = |name: &&String| !found.iter().any(|table| table.name == **name);
    wanted.iter().filter(is_missing).cloned().collect()
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
