//! Keeping the change log short, by what every transaction has seen and never by the age of a row.

use sqlx::Row as _;

use crate::database::Database;
use crate::error::CheckError;
use crate::postgres::literal;

const COMPACT: &str = include_str!("../setup/postgres/log_compact.sql");

/// More deps than a node remembers are of no use to any.
const MOST_DEPS: usize = 500_000;

/// What became of a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// So many rows were folded into those that are kept.
    Folded(u64),
    /// Another session is at it.
    Busy,
    /// An embedded database keeps its log short by itself.
    Embedded,
}

impl Database {
    /// Takes note of what is visible now, and folds changes that were settled a while ago. To be
    /// called every minute; any number of nodes may.
    ///
    /// # Errors
    /// When the database does not answer, or has no change log that we may use.
    pub async fn compact(&self) -> Result<Compaction, CheckError> {
        let Some(postgres) = self.postgres() else {
            return Ok(Compaction::Embedded);
        };
        let keep = format!("{} milliseconds", self.changes_kept_for().as_millis());
        let literals = [
            literal::text(&keep).map_err(CheckError::of)?,
            MOST_DEPS.to_string(),
        ];
        let rows = postgres.work(|script| Ok(script.add(COMPACT, &literals)));
        let folded = rows.await.and_then(|rows| {
            let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            row.try_get::<Option<i64>, _>("folded")
        });
        match folded {
            Ok(folded) => Ok(folded.map_or(Compaction::Busy, |rows| {
                Compaction::Folded(rows.unsigned_abs())
            })),
            Err(error) => Err(postgres.log_check_error(error)),
        }
    }
}
