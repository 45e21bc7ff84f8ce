//! Putting the demo store into an empty PostgreSQL database; only ever on request.

use jiff::civil::Date;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use crate::database::{Database, Table};
use crate::demo::{DEMO_SEED, Demo};
use crate::error::{InstallError, InstallErrorKind};
use crate::record::Record;
use crate::statement::{TABLE_LIST, TODAY};

const STORE: &str = include_str!("../migrations/postgres/0001_store.sql");
const BEGIN: &str = include_str!("../setup/postgres/install_begin.sql");
const END: &str = include_str!("../setup/postgres/install_end.sql");

/// The tables that the migration creates.
const TABLES: &[&str] = &[
    "cart_line",
    "category",
    "customer",
    "order_line",
    "orders",
    "postcode",
    "product",
    "product_category",
    "product_image",
    "product_variant",
    "state",
    "wishlist_line",
];

/// The SQL that creates the store's tables, as `--dry-run` shows it.
pub const fn demo_sql() -> &'static str {
    STORE
}

/// Creates and fills the demo store in the schema where new tables go, in one transaction.
///
/// # Errors
/// When one of its tables exists there, and when the database is embedded, does not answer or
/// refuses. Nothing is left behind.
pub async fn install_demo(database: &Database) -> Result<(), InstallError> {
    let Some(postgres) = database.postgres() else {
        return Err(InstallError::new(
            InstallErrorKind::Embedded,
            "an embedded database has the demo store from its creation",
        ));
    };
    let mut connection = postgres.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(BEGIN).execute(&mut *transaction).await?;
    refuse_existing(&mut transaction).await?;
    sqlx::raw_sql(STORE).execute(&mut *transaction).await?;
    let today = match database.demo_day() {
        Some(day) => day,
        None => today(&mut transaction).await?,
    };
    for (statement, rows) in Demo::generate(DEMO_SEED, today).tables() {
        // A named statement would stay in the session of a pooler.
        sqlx::query(statement.postgres)
            .persistent(false)
            .bind(rows)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::raw_sql(END).execute(&mut *transaction).await?;
    transaction.commit().await?;
    // Committed: what happens to the connection does not matter any more.
    let _ = connection.close().await;
    Ok(())
}

async fn refuse_existing(connection: &mut PgConnection) -> Result<(), InstallError> {
    let tables = sqlx::query(TABLE_LIST.postgres)
        .persistent(false)
        .bind(TABLES)
        .fetch_all(connection)
        .await?;
    let tables = tables
        .into_iter()
        .map(|row| Table::read(&Record::Postgres(row)));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    let existing: Vec<String> = tables
        .into_iter()
        .filter(|table| table.is_in_target)
        .map(|table| table.name)
        .collect();
    if existing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the demo store needs an empty schema, and these tables exist: {}",
        existing.join(", ")
    );
    Err(InstallError::new(InstallErrorKind::TablesExist, message))
}

async fn today(connection: &mut PgConnection) -> Result<Date, sqlx::Error> {
    let today = sqlx::query(TODAY.postgres)
        .persistent(false)
        .fetch_one(connection)
        .await?;
    let today: String = today.try_get("today")?;
    today
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
