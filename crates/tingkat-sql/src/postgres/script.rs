//! Statements that go to the server in one message and are one transaction.
//!
//! The simple protocol and `SET LOCAL` leave nothing behind in a session, so that a pooler may give
//! every message another one; and a load has its certificate and its rows in one round trip. An
//! error ends the transaction by itself.

use std::fmt::Write as _;

use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Either};

use super::literal;

/// Statements to be run together.
#[derive(Debug, Default)]
pub(crate) struct Script {
    text: String,
    statements: usize,
}

/// The rows of each statement, and where it went wrong if it did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The rows by statement, up to the one that failed.
    pub(crate) rows: Vec<Vec<PgRow>>,
    pub(crate) error: Option<sqlx::Error>,
}

impl Script {
    /// All its statements see one snapshot, and none may write.
    pub(crate) fn of_one_snapshot() -> Self {
        let mut script = Self::default();
        script.push("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
        script
    }

    /// What it changes is undone, by [`undo`](Self::undo) or because the connection is closed.
    pub(crate) fn rehearsal() -> Self {
        let mut script = Self::default();
        script.push("BEGIN");
        script
    }

    /// Ends a rehearsal.
    pub(crate) fn undo(&mut self) {
        self.push("ROLLBACK");
    }

    /// For the rest of the transaction.
    pub(crate) fn set_local(&mut self, name: &str, value: &str) -> Result<(), sqlx::Error> {
        let value = literal::text(value)?;
        self.push(&format!("SET LOCAL {name} = {value}"));
        Ok(())
    }

    /// Adds a statement of a file, with literals for its parameters. Gives its place in the rows.
    pub(crate) fn add(&mut self, sql: &str, literals: &[String]) -> usize {
        let place = self.statements;
        self.push(&literal::bound(sql, literals));
        place
    }

    /// Adds a statement whose one parameter, if it has one, is a list of keys.
    pub(crate) fn add_statement(
        &mut self,
        sql: &str,
        keys: Option<&[String]>,
    ) -> Result<usize, sqlx::Error> {
        let literals = match keys {
            Some(keys) => vec![literal::texts(keys)?],
            None => Vec::new(),
        };
        Ok(self.add(sql, &literals))
    }

    fn push(&mut self, sql: &str) {
        // A file may end in a comment. Writing to a `String` can not fail.
        let _ = write!(self.text, "{sql}\n;\n");
        self.statements += 1;
    }

    /// Runs it. Dropping the future leaves the connection with an answer that nobody wants.
    pub(crate) async fn run(self, connection: &mut PgConnection) -> Outcome {
        let mut outcome = Outcome {
            rows: vec![Vec::new()],
            error: None,
        };
        // The one place where SQL is put together: files of this crate or of the operator, and
        // literals that `literal` has quoted.
        let mut answers = sqlx::raw_sql(AssertSqlSafe(self.text)).fetch_many(connection);
        loop {
            match answers.try_next().await {
                Ok(Some(Either::Left(_))) => outcome.rows.push(Vec::new()),
                Ok(Some(Either::Right(row))) => {
                    if let Some(rows) = outcome.rows.last_mut() {
                        rows.push(row);
                    }
                }
                Ok(None) => return outcome,
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
        }
    }
}

impl Outcome {
    /// The statement that failed.
    pub(crate) fn failed_at(&self) -> Option<usize> {
        self.error
            .as_ref()
            .map(|_| self.rows.len().saturating_sub(1))
    }

    /// The rows of the statement at `place` and those after it.
    pub(crate) fn rows_from(self, place: usize) -> Result<Vec<PgRow>, sqlx::Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.rows.into_iter().skip(place).flatten().collect()),
        }
    }

    /// The only row of the statement at `place`.
    pub(crate) fn one(mut self, place: usize) -> Result<PgRow, sqlx::Error> {
        self.take_one(place)
    }

    /// As [`one`](Self::one), with the other rows left.
    pub(crate) fn take_one(&mut self, place: usize) -> Result<PgRow, sqlx::Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let rows = self.take_rows(place);
        rows.into_iter().next().ok_or(sqlx::Error::RowNotFound)
    }

    /// The rows of the statement at `place`.
    pub(crate) fn take_rows(&mut self, place: usize) -> Vec<PgRow> {
        let rows = self.rows.get_mut(place).map(std::mem::take);
        rows.unwrap_or_default()
    }
}
