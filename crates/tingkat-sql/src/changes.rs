//! Installing and removing the change log in somebody else's live store: one table at a time, never
//! waiting long for a lock, and again as often as wanted.

mod watched;

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::database::Database;
use crate::error::{InstallError, InstallErrorKind, sqlstate};
use crate::postgres::Postgres;
use crate::preset::Preset;
use crate::queries::Queries;

pub(crate) use watched::Watched;
use watched::{function_of, of_table, parts};

const BEGIN: &str = include_str!("../setup/postgres/changes/begin.sql");
const TRIGGERS: &str = include_str!("../setup/postgres/changes/triggers.sql");
const TRIAL: &str = include_str!("../setup/postgres/changes/trial.sql");
const DROP_TRIGGERS: &str = include_str!("../setup/postgres/changes/drop_triggers.sql");
const DROP: &str = include_str!("../setup/postgres/changes/drop.sql");
const BEGIN_LIFE: &str = "SELECT tingkat.renew(NULL);\n";
const FORGET_ALL: &str = "SELECT tingkat.forget(ARRAY['*']);\n";
const LIST_WATCHED: &str = include_str!("../setup/postgres/log_watched.sql");

/// What takes no lock on any table of the store, whichever store it is.
const LOG: &[&str] = &[
    include_str!("../setup/postgres/changes/tables.sql"),
    include_str!("../setup/postgres/changes/functions.sql"),
    include_str!("../setup/postgres/changes/compact.sql"),
];

/// How often a table is tried whose writers do not let go of it.
const ATTEMPTS: usize = 15;

/// The store gets this long to write undisturbed between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// What an installation or a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Tables whose triggers were created or removed.
    pub changed: Vec<String>,
    /// Tables that were as they shall be.
    pub unchanged: Vec<String>,
}

impl Database {
    /// The SQL that installs the change log, as `--dry-run` shows it. The database is asked only if
    /// statements are the operator's own: which tables these read.
    ///
    /// # Errors
    /// As [`install_changes`].
    pub async fn changes_sql(&self) -> Result<String, InstallError> {
        Ok(script(&self.to_watch().await?))
    }
}

/// The SQL that installs the change log for a preset, as `--dry-run` shows it.
pub fn changes_sql(preset: Preset) -> String {
    script(&Queries::of(preset).watched())
}

fn script(watched: &[Watched]) -> String {
    let mut sql = functions(watched);
    for table in watched {
        sql.push('\n');
        sql.push_str(&table.script(TRIGGERS));
        sql.push_str(&table.trial(TRIAL));
    }
    sql.push('\n');
    sql.push_str(BEGIN_LIFE);
    sql
}

/// The log, and what triggers will call.
fn functions(watched: &[Watched]) -> String {
    let functions = watched.iter().map(|table| table.function.as_str());
    let parts: Vec<&str> = LOG.iter().copied().chain(functions).collect();
    parts.join("\n")
}

/// The SQL that removes the change log.
pub fn changes_drop_sql(queries: &Queries) -> String {
    let mut sql = String::new();
    for table in queries.watched() {
        sql.push_str(&table.script(DROP_TRIGGERS));
        sql.push('\n');
    }
    sql.push_str(&drop_sql(
        queries
            .watched()
            .iter()
            .map(|table| function_of(&table.name)),
    ));
    sql
}

/// Removes the log with these functions of triggers.
fn drop_sql(functions: impl Iterator<Item = String>) -> String {
    let mut sql = String::new();
    for function in functions {
        sql.push_str("DROP FUNCTION IF EXISTS tingkat.");
        sql.push_str(&function);
        sql.push_str("();\n");
    }
    sql.push_str(DROP);
    sql
}

/// Creates the change log, and the triggers of tables that have not all of them.
///
/// # Errors
/// When the store's tables are not there, one of them is in use for too long, and when the database
/// is embedded, does not answer or refuses. What was done stays; calling again goes on from there.
pub async fn install_changes(database: &Database) -> Result<Installed, InstallError> {
    let postgres = served(database)?;
    let missing = database.missing_tables().await?;
    if !missing.is_empty() {
        let message = format!(
            "the database has no table {}; --demo creates those of the demo store, source.preset \
             and source.queries are for a store with other tables",
            missing.join(", ")
        );
        return Err(InstallError::new(InstallErrorKind::TablesMissing, message));
    }
    let watched = database.to_watch().await?;
    let mut connection = postgres.connect().await?;
    let mut installed = Installed::default();
    // Triggers that are there call what is replaced, so that it is tried in the same transaction.
    let mut begin = functions(&watched);
    let mut unwatched = Vec::new();
    for table in &watched {
        if database.is_unwatched(&table.schema, &table.name).await? {
            unwatched.push(table);
        } else {
            begin.push_str(&table.trial(TRIAL));
            installed.unchanged.push(table.name.clone());
        }
    }
    run_patiently(&mut connection, "one of the tables", &begin).await?;
    for table in unwatched {
        let script = table.script(TRIGGERS) + &table.trial(TRIAL);
        run_patiently(&mut connection, &table.name, &script).await?;
        installed.changed.push(table.name.clone());
    }
    run(&mut connection, BEGIN_LIFE).await?;
    if database.queries().own_tables().next().is_some() {
        // What the operator's tables have not written until now, nobody knows.
        run(&mut connection, FORGET_ALL).await?;
    }
    // Committed: what happens to the connection does not matter any more.
    let _ = connection.close().await;
    Ok(installed)
}

/// Removes the triggers from every table that has them, and then the change log.
///
/// # Errors
/// As [`install_changes`].
pub async fn uninstall_changes(database: &Database) -> Result<Installed, InstallError> {
    let postgres = served(database)?;
    let mut connection = postgres.connect().await?;
    let rows = sqlx::raw_sql(LIST_WATCHED)
        .fetch_all(&mut connection)
        .await?;
    let mut removed = Installed::default();
    let mut functions: Vec<String> = database
        .queries()
        .watched()
        .iter()
        .map(|table| function_of(&table.name))
        .collect();
    for row in rows {
        // As the server itself quotes it.
        let table: String = row.try_get("name")?;
        let (_, name) = parts(&table);
        functions.push(function_of(&name));
        let drop = of_table(DROP_TRIGGERS, &name, &table);
        run_patiently(&mut connection, &table, &drop).await?;
        removed.changed.push(table);
    }
    run(&mut connection, &drop_sql(functions.into_iter())).await?;
    let _ = connection.close().await;
    Ok(removed)
}

fn served(database: &Database) -> Result<&Postgres, InstallError> {
    database.postgres().ok_or_else(|| {
        InstallError::new(
            InstallErrorKind::Embedded,
            "an embedded database has its change log from its creation",
        )
    })
}

/// As one transaction.
async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    // Files of this crate, with names of tables that are constants or quoted by the server.
    let sql = format!("{BEGIN}\n{sql}");
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    result.map(drop)
}

/// As [`run`], again and again while others hold the table.
async fn run_patiently(
    connection: &mut PgConnection,
    table: &str,
    sql: &str,
) -> Result<(), InstallError> {
    for attempt in 1..=ATTEMPTS {
        match run(connection, sql).await {
            Ok(()) => return Ok(()),
            Err(error) if is_lock_timeout(&error) => {
                tracing::warn!(table, attempt, "the table is in use");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!(
        "{table} was in use by others {ATTEMPTS} times: run the command again when the transactions \
         on it are shorter"
    );
    Err(InstallError::new(InstallErrorKind::Busy, message))
}

/// SQLSTATE 55P03, `lock_not_available`, and 40P01, `deadlock_detected`.
fn is_lock_timeout(error: &sqlx::Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("55P03" | "40P01"))
}
