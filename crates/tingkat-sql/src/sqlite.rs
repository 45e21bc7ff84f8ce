//! SQLite: one file with readers beside one writer (write-ahead log).

mod compact;
mod file;
mod life;
mod log;
mod place;
mod slot;
mod triggers;
mod write;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::coherence::TriggerReport;
use crate::database::{Config, Fetched};
use crate::error::OpenError;
use crate::record::Record;
use crate::statement::Statement;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use life::Life;
use log::{BUSY_FOR, Log};
use place::{Place, Replaced};
use write::Writer;

/// More readers than this gain nothing from one file, and each is a thread.
const MOST_CONNECTIONS: u32 = 16;

/// An SQLite database.
pub(crate) struct Sqlite {
    pool: SqlitePool,
    log: Arc<Log>,
    id: FileId,
}

/// What tells one database file from another; drawn when the file is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId([u8; 16]);

impl FileId {
    /// The first eight hexadecimal digits: enough for a key prefix of a developer's machine.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Sqlite {
    /// Opens the file; creates, migrates and fills it first where that is due.
    pub(crate) async fn open(path: &Path, config: &Config) -> Result<Self, OpenError> {
        let path = absolute(path);
        let prepared = file::prepare(&path, config).await?;
        let options = options(&path);
        // Before anything is read whose position is told to others.
        let life = Life::begin(&path, prepared.random).await;
        let log = Log::new(Place::of(&path), life, &options);
        let pool = SqlitePoolOptions::new()
            .max_connections(config.max_connections.min(MOST_CONNECTIONS))
            .acquire_timeout(config.acquire_timeout)
            // A file does not go away as servers do, and where another one takes its place no new
            // connection may be opened.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            log: Arc::new(log),
            id: prepared.id,
        })
    }

    pub(crate) const fn id(&self) -> FileId {
        self.id
    }

    /// The change log in the file.
    pub(crate) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Writes products; tells what became of the change log, if that is wanted.
    pub(crate) fn writer(&self, certified: bool) -> Writer {
        Writer::new(self.log(), certified)
    }

    /// Which tables report their changes.
    pub(crate) async fn check_triggers(&self) -> Result<TriggerReport, sqlx::Error> {
        self.log.place.check().map_err(gone)?;
        triggers::report(&mut *self.pool.acquire().await?).await
    }

    /// The rows of a load, and what it has seen, if that is wanted: one transaction reads both.
    pub(crate) async fn fetch(
        &self,
        statement: &Statement,
        keys: Option<&[String]>,
        certified: bool,
    ) -> Result<Fetched, sqlx::Error> {
        self.log.place.check().map_err(gone)?;
        if !certified {
            let mut connection = self.pool.acquire().await?;
            let records = rows(&mut connection, statement, keys).await?;
            return Ok(Fetched::uncertified(records));
        }
        let mut transaction = self.pool.begin().await?;
        let certificate = self.log.certificate(&mut transaction).await?;
        let records = rows(&mut transaction, statement, keys).await?;
        // Nothing was written: how it ends does not matter.
        transaction.rollback().await?;
        Ok(Fetched::new(certificate, records))
    }

    /// The rows that an operator's question gives.
    pub(crate) async fn ask(
        &self,
        statement: &Statement,
        keys: &[String],
    ) -> Result<Vec<Record>, sqlx::Error> {
        self.log.place.check().map_err(gone)?;
        let mut connection = self.pool.acquire().await?;
        rows(&mut connection, statement, Some(keys)).await
    }

    /// Whether nobody else had the file open when this process began.
    pub(crate) fn is_alone(&self) -> bool {
        self.log.is_new()
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
        self.log.close().await;
    }
}

async fn rows(
    connection: &mut SqliteConnection,
    statement: &Statement,
    keys: Option<&[String]>,
) -> Result<Vec<Record>, sqlx::Error> {
    let query = sqlx::query(statement.sqlite);
    let query = match keys {
        Some(keys) => query.bind(json(keys)?),
        None => query,
    };
    let rows = query.fetch_all(connection).await?;
    Ok(rows.into_iter().map(Record::Sqlite).collect())
}

/// There is no connection to what the path leads to now.
fn gone(replaced: Replaced) -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(replaced))
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn json(keys: &[String]) -> Result<String, sqlx::Error> {
    serde_json::to_string(keys).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The file's own name, not an SQLite URI that it might look like, whatever the working directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// How a connection behaves. It never creates the file: one that was removed under a running
/// service must not come back empty.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_FOR)
        .foreign_keys(true)
        // With the write-ahead log a crash of the machine may lose the last commits, and nothing else.
        .synchronous(SqliteSynchronous::Normal)
        // REPLACE fires delete triggers only with this.
        .pragma("recursive_triggers", "ON")
        .disable_statement_logging()
}
