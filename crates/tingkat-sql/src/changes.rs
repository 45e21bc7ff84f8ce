//! Installing and removing the change log in somebody else's live store: one table at a time, never
//! waiting long for a lock, and again as often as wanted.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::coherence::WATCHED;
use crate::database::Database;
use crate::error::{InstallError, InstallErrorKind, sqlstate};
use crate::postgres::Postgres;

const BEGIN: &str = include_str!("../setup/postgres/changes/begin.sql");
const TRIGGERS: &str = include_str!("../setup/postgres/changes/triggers.sql");
const DROP_TRIGGERS: &str = include_str!("../setup/postgres/changes/drop_triggers.sql");
const DROP: &str = include_str!("../setup/postgres/changes/drop.sql");
const BEGIN_LIFE: &str = "SELECT tingkat.renew(NULL);\n";
const LIST_WATCHED: &str = include_str!("../setup/postgres/log_watched.sql");

/// What takes no lock on any table of the store.
const LOG: &[&str] = &[
    include_str!("../setup/postgres/changes/tables.sql"),
    include_str!("../setup/postgres/changes/functions.sql"),
    include_str!("../setup/postgres/changes/compact.sql"),
    include_str!("../setup/postgres/changes/category.sql"),
    include_str!("../setup/postgres/changes/postcode.sql"),
    include_str!("../setup/postgres/changes/product.sql"),
    include_str!("../setup/postgres/changes/product_category.sql"),
    include_str!("../setup/postgres/changes/product_image.sql"),
    include_str!("../setup/postgres/changes/product_variant.sql"),
    include_str!("../setup/postgres/changes/state.sql"),
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

/// The SQL that installs the change log, as `--dry-run` shows it.
pub fn changes_sql() -> String {
    let mut sql = LOG.join("\n");
    for table in WATCHED {
        sql.push('\n');
        sql.push_str(&of_table(TRIGGERS, table));
    }
    sql.push('\n');
    sql.push_str(BEGIN_LIFE);
    sql
}

/// The SQL that removes the change log.
pub fn changes_drop_sql() -> String {
    let mut sql = String::new();
    for table in WATCHED {
        sql.push_str(&of_table(DROP_TRIGGERS, table));
        sql.push('\n');
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
            "the database has no table {}; --demo creates those of the demo store",
            missing.join(", ")
        );
        return Err(InstallError::new(InstallErrorKind::TablesMissing, message));
    }
    let mut connection = postgres.connect().await?;
    run(&mut connection, &LOG.join("\n")).await?;
    let lacking = database.unwatched(WATCHED).await?;
    let mut installed = Installed::default();
    for &table in WATCHED {
        if lacking.contains(&table.to_owned()) {
            run_patiently(&mut connection, table, &of_table(TRIGGERS, table)).await?;
            installed.changed.push(table.to_owned());
        } else {
            installed.unchanged.push(table.to_owned());
        }
    }
    run(&mut connection, BEGIN_LIFE).await?;
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
    for row in rows {
        // As the server itself quotes it.
        let table: String = row.try_get("name")?;
        run_patiently(&mut connection, &table, &of_table(DROP_TRIGGERS, &table)).await?;
        removed.changed.push(table);
    }
    run(&mut connection, DROP).await?;
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

fn of_table(sql: &str, table: &str) -> String {
    sql.replace("{table}", table)
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
