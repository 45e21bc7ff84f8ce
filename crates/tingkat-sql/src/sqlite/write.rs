//! Writing a product: what it is now, its change and the rows of the change log in one transaction.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};
use tingkat::certificate::Change;
use tingkat_shop::money::Currency;
use tingkat_shop::product::ProductId;
use tingkat_shop::write::{
    ProductPatch, ProductWriter, Saved, StockChange, WriteError, WriteErrorKind,
};

use super::log::{Log, Trouble, change, written};
use crate::error::{ColumnError, sqlite, sqlite_code};
use crate::record::Record;

const READ: &str = include_str!("../../setup/sqlite/write_read.sql");
const WRITE: &str = include_str!("../../setup/sqlite/write_product.sql");
const WRITTEN: &str = include_str!("../../setup/sqlite/log_written.sql");

/// Writes products into the file.
pub(crate) struct Writer {
    log: Arc<Log>,
    /// Somebody follows the log.
    certified: bool,
}

impl Writer {
    pub(super) const fn new(log: Arc<Log>, certified: bool) -> Self {
        Self { log, certified }
    }
}

impl ProductWriter for Writer {
    fn write<'a>(
        &'a self,
        id: &'a ProductId,
        patch: &'a ProductPatch,
    ) -> BoxFuture<'a, Result<Saved, WriteError>> {
        Box::pin(async move {
            patch.check()?;
            let saved = self.log.save(id, patch).await?;
            if self.certified {
                return Ok(saved);
            }
            Ok(Saved {
                written: None,
                changes: Vec::new(),
                ..saved
            })
        })
    }
}

impl Log {
    async fn save(&self, id: &ProductId, patch: &ProductPatch) -> Result<Saved, WriteError> {
        let mut turn = self.writing().await.map_err(Trouble::of_write)?;
        let begun = turn.connection.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(of_write)?;
        let before = self.certificate(&mut transaction).await.map_err(of_write)?;
        let was = read(&mut transaction, id).await?;
        let now = match decide(was, patch) {
            Ok(now) => now,
            Err(kind) => {
                // Nothing was written: the connection is as good as before.
                if transaction.rollback().await.is_ok() {
                    turn.end();
                }
                return Err(WriteError::new(kind));
            }
        };
        sqlx::query(WRITE)
            .bind(id.as_str())
            .bind(now.regular_price)
            .bind(now.member_price)
            .bind(now.stock)
            .execute(&mut *transaction)
            .await
            .map_err(of_write)?;
        // Triggers of the store may have had a say.
        let saved = read(&mut transaction, id).await?;
        let saved = saved.ok_or_else(|| WriteError::new(WriteErrorKind::Refused))?;
        let position = written(&before).xid;
        let changes = changes(&mut transaction, position)
            .await
            .map_err(of_write)?;
        let after = self.certificate(&mut transaction).await.map_err(of_write)?;
        transaction.commit().await.map_err(of_commit)?;
        turn.end();
        Ok(Saved {
            version: saved.version,
            updated_at: saved.updated_at,
            written: Some(written(&after)),
            changes,
        })
    }
}

/// A product, as far as a write has to know it.
#[derive(Clone, Copy)]
struct Row {
    currency: Currency,
    regular_price: i64,
    member_price: i64,
    stock: i64,
    version: i64,
    updated_at: jiff::Timestamp,
}

async fn read(
    connection: &mut SqliteConnection,
    id: &ProductId,
) -> Result<Option<Row>, WriteError> {
    let row = sqlx::query(READ)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(of_write)?;
    let row = row.map(|row| Row::of(&Record::Sqlite(row))).transpose();
    row.map_err(|error| WriteError::new(WriteErrorKind::Refused).caused_by(error))
}

impl Row {
    fn of(record: &Record) -> Result<Self, ColumnError> {
        Ok(Self {
            currency: record.parsed("currency")?,
            regular_price: record.number("regular_price")?,
            member_price: record.number("member_price")?,
            stock: record.number("stock_quantity")?,
            version: record.number("version")?,
            updated_at: record.time("updated_at")?,
        })
    }
}

/// What the product will be, or why not.
fn decide(was: Option<Row>, patch: &ProductPatch) -> Result<Row, WriteErrorKind> {
    let was = was.ok_or(WriteErrorKind::Unknown)?;
    if patch.version.is_some_and(|version| version != was.version) {
        let current = was.version;
        return Err(WriteErrorKind::Conflict { current });
    }
    let prices = [patch.regular_price, patch.member_price];
    let expected = was.currency;
    if prices
        .iter()
        .flatten()
        .any(|price| price.currency != expected)
    {
        return Err(WriteErrorKind::Currency { expected });
    }
    let stock = match patch.stock {
        None => was.stock,
        Some(StockChange::Set(quantity)) => quantity,
        Some(StockChange::Adjust(by)) => was
            .stock
            .checked_add(by)
            .filter(|stock| *stock >= 0)
            .ok_or(WriteErrorKind::StockOutOfRange { stock: was.stock })?,
    };
    let now = Row {
        regular_price: patch
            .regular_price
            .map_or(was.regular_price, |price| price.amount),
        member_price: patch
            .member_price
            .map_or(was.member_price, |price| price.amount),
        stock,
        ..was
    };
    if now.member_price > now.regular_price {
        return Err(WriteErrorKind::MemberAboveRegular);
    }
    Ok(now)
}

/// Each once, though several triggers may have written it.
async fn changes(
    connection: &mut SqliteConnection,
    position: u64,
) -> Result<Vec<Change>, sqlx::Error> {
    let rows = sqlx::query(WRITTEN)
        .bind(i64::try_from(position).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut changes: Vec<Change> = Vec::with_capacity(rows.len());
    for row in rows {
        let change = change(row.try_get("kind")?, row.try_get("dep")?);
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    Ok(changes)
}

impl Trouble {
    fn of_write(self) -> WriteError {
        match self {
            Self::Sql(error) => of_write(error),
            Self::Replaced(_) | Self::Queue => {
                WriteError::new(WriteErrorKind::Unavailable).caused_by(self)
            }
        }
    }
}

/// Before the commit: nothing was written.
fn of_write(error: sqlx::Error) -> WriteError {
    let kind = match sqlite_code(&error) {
        Some(sqlite::CONSTRAINT | sqlite::READONLY | sqlite::PERM) => WriteErrorKind::Refused,
        _ => WriteErrorKind::Unavailable,
    };
    WriteError::new(kind).caused_by(error)
}

fn of_commit(error: sqlx::Error) -> WriteError {
    let kind = match sqlite_code(&error) {
        Some(sqlite::CONSTRAINT) => WriteErrorKind::Refused,
        Some(sqlite::BUSY | sqlite::FULL) => WriteErrorKind::Unavailable,
        _ => WriteErrorKind::Unsure,
    };
    WriteError::new(kind).caused_by(error)
}
