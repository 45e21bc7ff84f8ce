//! Writing a product: what it is now, its change and the rows of the change log in one transaction.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};
use tingkat::certificate::Change;
use tingkat_shop::product::ProductId;
use tingkat_shop::write::{ProductPatch, ProductWriter, Saved, WriteError, WriteErrorKind};

use super::log::{Log, Trouble, change, written};
use crate::columns::Columns as _;
use crate::error::{sqlite, sqlite_code};
use crate::record::Record;
use crate::write::{Stored, decide};

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
            .bind(now.stock_quantity)
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

async fn read(
    connection: &mut SqliteConnection,
    id: &ProductId,
) -> Result<Option<Stored>, WriteError> {
    let row = sqlx::query(READ)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(of_write)?;
    let row = row
        .map(|row| Stored::read(&Record::Sqlite(row)))
        .transpose();
    row.map_err(|error| WriteError::new(WriteErrorKind::Refused).caused_by(error))
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
