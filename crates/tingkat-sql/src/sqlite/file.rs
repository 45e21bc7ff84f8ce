//! What happens to the file at a start: nothing, or its creation as a whole.
//!
//! Migrations and demo store are one transaction under BEGIN EXCLUSIVE: two processes may start at
//! once, and one that is killed leaves nothing half done.

use std::path::Path;
use std::time::Duration;

use jiff::civil::Date;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::{FileId, options};
use crate::database::Config;
use crate::demo::{DEMO_SEED, Demo};
use crate::error::{OpenError, OpenErrorKind, sqlite, sqlite_code};
use crate::statement::TODAY;

/// What the migrations write into their file as `application_id`: "tgkt".
const OURS: i64 = 0x7467_6b74;

/// In their order; each writes its number as `user_version`.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_store.sql"),
    CHANGES,
    include_str!("../../migrations/sqlite/0003_promoted.sql"),
];

/// The change log and its triggers.
pub(super) const CHANGES: &str = include_str!("../../migrations/sqlite/0002_changes.sql");

const FILE_STATE: &str = include_str!("../../setup/sqlite/file_state.sql");
const FILE_ID: &str = include_str!("../../setup/sqlite/file_id.sql");
const LOG_CLEAR: &str = include_str!("../../setup/sqlite/log_clear.sql");
const LOG_COMPACTED: &str = include_str!("../../setup/sqlite/log_compacted.sql");

/// A process that fills the file needs about a second; nobody else holds it for longer.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How long SQLite waits for a lock in one attempt. Where it changes the journal it does not always
/// wait, so attempts repeat, and short ones can be given up.
const LOCKED_FOR: Duration = Duration::from_millis(100);

/// Between two attempts.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// A file that is ready.
pub(super) struct Prepared {
    /// Which one it is.
    pub(super) id: FileId,
    /// Drawn now: 16 bytes in hexadecimal digits.
    pub(super) random: String,
}

/// Makes the file ready.
pub(super) async fn prepare(path: &Path, config: &Config) -> Result<Prepared, OpenError> {
    check_path(path)?;
    let ready = async {
        loop {
            match try_prepare(path, config).await {
                Ok(prepared) => return Ok(prepared),
                Err(Trouble::File(error)) => return Err(error),
                Err(Trouble::Sql(error)) if !is_busy(&error) => {
                    return Err(OpenError::of_file(path, error));
                }
                Err(Trouble::Sql(_)) => tokio::time::sleep(RETRY_AFTER).await,
            }
        }
    };
    tokio::time::timeout(READY_WITHIN, ready)
        .await
        .unwrap_or_else(|_| {
            let message = format!(
                "another process has held {} for {READY_WITHIN:?}",
                path.display()
            );
            Err(OpenError::new(OpenErrorKind::Busy, message))
        })
}

/// The file itself is left to SQLite: opening and closing it here would release the locks that
/// another connection of this process has on it (sqlite.org/howtocorrupt.html, 2.2).
fn check_path(path: &Path) -> Result<(), OpenError> {
    let unreadable = |message| Err(OpenError::new(OpenErrorKind::Unreadable, message));
    if path.is_dir() {
        return unreadable(format!(
            "{} is a directory, not a database file",
            path.display()
        ));
    }
    match path.parent() {
        Some(parent) if !parent.is_dir() => unreadable(format!(
            "there is no directory {} for the database file",
            parent.display()
        )),
        _ => Ok(()),
    }
}

/// Why an attempt ended.
enum Trouble {
    /// As SQLite says; busy is worth another attempt.
    Sql(sqlx::Error),
    /// The file is not one that we can use.
    File(OpenError),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(sqlite_code(error), Some(sqlite::BUSY | sqlite::LOCKED))
}

async fn try_prepare(path: &Path, config: &Config) -> Result<Prepared, Trouble> {
    let is_new = !path.exists();
    let options = options(path)
        .create_if_missing(true)
        .busy_timeout(LOCKED_FOR);
    let mut connection = options.connect().await?;
    if is_new {
        keep_private(path);
    }
    if applied(&mut connection, path).await? < MIGRATIONS.len() {
        create(&mut connection, path, config).await?;
    } else {
        // Finds out now, and not at the first price change, that the file may not be written.
        connection
            .begin_with("BEGIN IMMEDIATE")
            .await?
            .rollback()
            .await?;
    }
    let drawn = sqlx::query(FILE_ID).fetch_one(&mut connection).await?;
    let id: Vec<u8> = drawn.try_get("id")?;
    let random = drawn.try_get("random")?;
    connection.close().await?;
    let id = id.try_into().map(FileId).map_err(|_| {
        let message = format!("{} has no id; restore it or remove it", path.display());
        Trouble::File(OpenError::new(OpenErrorKind::Unreadable, message))
    })?;
    Ok(Prepared { id, random })
}

/// Customers' addresses are in the file. By name, since a descriptor may not be opened here.
fn keep_private(path: &Path) {
    #[cfg(not(unix))]
    let _ = path;
    #[cfg(unix)]
    {
        use std::fs;
        use std::os::unix::fs::PermissionsExt as _;
        if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
            tracing::warn!(%error, path = %path.display(), "failed to make the database file private");
        }
    }
}

/// How many migrations the file has had.
async fn applied(connection: &mut SqliteConnection, path: &Path) -> Result<usize, Trouble> {
    let state = sqlx::query(FILE_STATE).fetch_one(connection).await?;
    let application: i64 = state.try_get("application_id")?;
    let version: i64 = state.try_get("user_version")?;
    let is_empty = state.try_get::<i64, _>("relations")? == 0;
    let trouble = |kind, message| Err(Trouble::File(OpenError::new(kind, message)));
    match usize::try_from(version) {
        Ok(0) if application == 0 && is_empty => Ok(0),
        Ok(version) if application == OURS && (1..=MIGRATIONS.len()).contains(&version) => {
            Ok(version)
        }
        _ if application == OURS => trouble(
            OpenErrorKind::Newer,
            format!(
                "{} was written by a newer release (schema {version})",
                path.display()
            ),
        ),
        _ => trouble(
            OpenErrorKind::Foreign,
            format!("{} is a database of another program", path.display()),
        ),
    }
}

async fn create(
    connection: &mut SqliteConnection,
    path: &Path,
    config: &Config,
) -> Result<(), Trouble> {
    // Not possible inside of a transaction; stays with the file.
    sqlx::raw_sql("PRAGMA journal_mode = WAL")
        .execute(&mut *connection)
        .await?;
    let mut transaction = connection.begin_with("BEGIN EXCLUSIVE").await?;
    // Another process may have been first.
    let applied = applied(&mut transaction, path).await?;
    for migration in MIGRATIONS.iter().skip(applied) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    if applied == 0 {
        fill(&mut transaction, config).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn fill(connection: &mut SqliteConnection, config: &Config) -> Result<(), sqlx::Error> {
    let today = match config.demo_day {
        Some(day) => day,
        None => today(connection).await?,
    };
    for (statement, rows) in Demo::generate(DEMO_SEED, today).tables() {
        sqlx::query(statement.sqlite)
            .bind(rows)
            .execute(&mut *connection)
            .await?;
    }
    // Nobody knew anything of this store before.
    sqlx::query(LOG_CLEAR).execute(&mut *connection).await?;
    sqlx::query(LOG_COMPACTED).execute(connection).await?;
    Ok(())
}

async fn today(connection: &mut SqliteConnection) -> Result<Date, sqlx::Error> {
    let today = sqlx::query(TODAY.sqlite).fetch_one(connection).await?;
    let today: String = today.try_get("today")?;
    today
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_says_its_number() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            let number = format!("PRAGMA user_version = {};", index + 1);
            assert!(migration.contains(&number), "{number}");
        }
        assert!(
            MIGRATIONS
                .concat()
                .contains(&format!("PRAGMA application_id = {OURS};"))
        );
    }
}
