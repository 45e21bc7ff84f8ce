//! SQLite: one file with readers beside one writer (write-ahead log).

mod file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::database::Config;
use crate::error::OpenError;
use crate::record::Record;
use crate::statement::Statement;

/// How long a statement waits while another process writes.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// More readers than this gain nothing from one file, and each is a thread.
const MOST_CONNECTIONS: u32 = 16;

/// An SQLite database.
pub(crate) struct Sqlite {
    pool: SqlitePool,
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
        let id = file::prepare(&path, config).await?;
        let pool = SqlitePoolOptions::new()
            .max_connections(config.max_connections.min(MOST_CONNECTIONS))
            .acquire_timeout(config.acquire_timeout)
            .connect_lazy_with(options(&path));
        Ok(Self { pool, id })
    }

    pub(crate) const fn id(&self) -> FileId {
        self.id
    }

    pub(crate) async fn fetch(
        &self,
        statement: &Statement,
        keys: Option<&[String]>,
    ) -> Result<Vec<Record>, sqlx::Error> {
        let query = sqlx::query(statement.sqlite);
        let query = match keys {
            Some(keys) => query.bind(json(keys)?),
            None => query,
        };
        let rows = query.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(Record::Sqlite).collect())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
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
