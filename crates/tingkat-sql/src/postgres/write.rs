//! Writing a product: one message, one transaction, with the rows of the change log that its
//! triggers wrote.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tingkat::certificate::Change;
use tingkat::ports::{ChangeLog as _, Written};
use tingkat_shop::product::ProductId;
use tingkat_shop::write::{
    ProductPatch, ProductWriter, Saved, StockChange, WriteError, WriteErrorKind,
};

use super::life::{Trouble, decoded, incarnation};
use super::line::in_time;
use super::log::{Log, changes};
use super::script::{Outcome, Script};
use super::{Lent, Postgres, literal};
use crate::columns::Columns as _;
use crate::error::{spares_connection, sqlstate};
use crate::queries::Queries;
use crate::record::Record;
use crate::statement::{PRODUCT_WRITE, PRODUCT_WRITE_READ};
use crate::write::{Rewritten, Stored, decide};

const WRITTEN: &str = include_str!("../../setup/postgres/log_written.sql");

/// A product that somebody else is writing is waited for this long.
const LOCK_TIMEOUT: &str = "2s";

/// A write without an answer for so long may have happened or not.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Writes products into the database.
pub(crate) struct Writer {
    postgres: Arc<Postgres>,
    queries: Arc<Queries>,
    /// Somebody follows the log.
    certified: bool,
}

/// Where the answers are in the script.
struct Places {
    read: usize,
    write: usize,
    written: Option<usize>,
}

impl Writer {
    pub(crate) const fn new(
        postgres: Arc<Postgres>,
        queries: Arc<Queries>,
        certified: bool,
    ) -> Self {
        Self {
            postgres,
            queries,
            certified,
        }
    }

    async fn save(&self, id: &ProductId, patch: &ProductPatch) -> Result<Saved, WriteError> {
        let (script, places) = self.script(id, patch).map_err(unavailable)?;
        let connection = self.postgres.writes.acquire().await.map_err(unavailable)?;
        let mut lent = Lent {
            connection,
            is_sound: false,
        };
        let answer = in_time(ANSWER_WITHIN, async {
            Ok(script.run(&mut lent.connection).await)
        });
        let mut outcome = answer.await.map_err(unsure)?;
        lent.is_sound = outcome.error.as_ref().is_none_or(spares_connection);
        if let Some(error) = outcome.error.take() {
            return Err(self.failed(error, &outcome, &places));
        }
        drop(lent);
        let was = outcome.take_rows(places.read).into_iter().next();
        let was = was.map(|row| Stored::read(&Record::Postgres(row)));
        let was = was
            .transpose()
            .map_err(|error| WriteError::new(WriteErrorKind::Refused).caused_by(error))?;
        let Some(row) = outcome.take_rows(places.write).into_iter().next() else {
            // Nothing stands against it, and still it was not written: by a trigger of the store.
            let kind = decide(was, patch).err().unwrap_or(WriteErrorKind::Refused);
            return Err(WriteError::new(kind));
        };
        // From here on it is in the database, whatever we can tell of it.
        let saved = Rewritten::read(&Record::Postgres(row))
            .map_err(|error| WriteError::new(WriteErrorKind::Unsure).caused_by(error))?;
        let (written, changes) = match places.written {
            Some(place) => self.written(&mut outcome, place).await?,
            None => (None, Vec::new()),
        };
        Ok(Saved {
            version: saved.version,
            updated_at: saved.updated_at,
            written,
            changes,
        })
    }

    fn script(
        &self,
        id: &ProductId,
        patch: &ProductPatch,
    ) -> Result<(Script, Places), sqlx::Error> {
        let mut script = Script::default();
        self.postgres.prepare(&mut script)?;
        script.set_local("lock_timeout", LOCK_TIMEOUT)?;
        let number = |number: Option<i64>| {
            number.map_or_else(|| "NULL".to_owned(), |number| format!("({number})"))
        };
        let (stock, delta) = match patch.stock {
            None => (None, None),
            Some(StockChange::Set(quantity)) => (Some(quantity), None),
            Some(StockChange::Adjust(delta)) => (None, Some(delta)),
        };
        let prices = [patch.regular_price, patch.member_price];
        let currencies: Vec<String> = prices
            .iter()
            .flatten()
            .map(|price| price.currency.code().to_owned())
            .collect();
        let id = literal::text(id.as_str())?;
        let read = script.add(
            self.queries.sql(&PRODUCT_WRITE_READ),
            std::slice::from_ref(&id),
        );
        let literals = [
            id,
            number(patch.version),
            number(stock),
            number(delta),
            number(patch.regular_price.map(|price| price.amount)),
            number(patch.member_price.map(|price| price.amount)),
            literal::texts(&currencies)?,
        ];
        let write = script.add(self.queries.sql(&PRODUCT_WRITE), &literals);
        let written = self.certified.then(|| script.add(WRITTEN, &[]));
        let places = Places {
            read,
            write,
            written,
        };
        Ok((script, places))
    }

    /// The token of the transaction, and what it wrote to the log.
    async fn written(
        &self,
        outcome: &mut Outcome,
        place: usize,
    ) -> Result<(Option<Written>, Vec<Change>), WriteError> {
        let row = outcome.take_one(place).map_err(unsure)?;
        let (written, changes) = token(&row).map_err(unsure)?;
        if written.is_some() || changes.is_empty() {
            return Ok((written, changes));
        }
        // The log is empty after a crash, and whoever begins its new life clears what was written
        // before: it is written again, into that life.
        let log = Log::new(Arc::clone(&self.postgres));
        let written = log
            .append(changes.clone())
            .await
            .map_err(|error| WriteError::new(WriteErrorKind::Unsure).caused_by(error))?;
        Ok((Some(written), changes))
    }

    /// An error that the server told has ended the transaction; of any other nobody knows.
    fn failed(&self, error: sqlx::Error, outcome: &Outcome, places: &Places) -> WriteError {
        let at_log = places.written == Some(outcome.rows.len().saturating_sub(1));
        let trouble = Trouble::of(&error, &self.postgres.server);
        let code = sqlstate(&error).unwrap_or_default();
        let kind = match (code.get(..2), code.as_str()) {
            (None | Some("08"), _) | (_, "57P01" | "57P02" | "57P03") => WriteErrorKind::Unsure,
            (Some("23" | "22" | "42" | "44" | "P0" | "3F"), _) => WriteErrorKind::Refused,
            _ => WriteErrorKind::Unavailable,
        };
        let failed = WriteError::new(kind);
        match trouble {
            Some(trouble @ Trouble::Standby(_)) => failed.caused_by(trouble.message()),
            Some(trouble) if at_log => failed.caused_by(trouble.message()),
            Some(_) | None => failed.caused_by(error),
        }
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
            self.save(id, patch).await
        })
    }
}

fn token(row: &PgRow) -> Result<(Option<Written>, Vec<Change>), sqlx::Error> {
    let xid: String = row.try_get("xid")?;
    let xid = decoded(xid.parse())?;
    let uuid: Option<String> = row.try_get("uuid")?;
    let written = match uuid {
        Some(uuid) => Some(Written {
            incarnation: incarnation(row, &uuid)?,
            xid,
        }),
        None => None,
    };
    let changes = changes(row, "changes")?;
    Ok((
        written,
        changes.into_iter().map(|(_, change)| change).collect(),
    ))
}

fn unavailable(error: sqlx::Error) -> WriteError {
    WriteError::new(WriteErrorKind::Unavailable).caused_by(error)
}

fn unsure(error: sqlx::Error) -> WriteError {
    WriteError::new(WriteErrorKind::Unsure).caused_by(error)
}
