//! Whether the statements fit the live database and give what entities are made of. Every complaint
//! is found at once, and nothing but the right to read is needed.

use std::fmt;

use sqlx::postgres::{PgConnection, PgTypeInfo};
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _};
use sqlx::{SqlSafeStr as _, SqlStr, Statement as _, TypeInfo as _};

use crate::columns::Column;
use crate::database::Database;
use crate::error::{CheckError, sqlstate};
use crate::postgres::Postgres;
use crate::record::Record;
use crate::statement::{self, Parameter, Statement, WRITES};

const TYPE_NAME: &str = include_str!("../setup/postgres/check_type_name.sql");

/// What was found about a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its name.
    pub statement: &'static str,
    /// Where it stands.
    pub file: String,
    /// What is wrong with it; nothing if it fits.
    pub complaints: Vec<Complaint>,
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// Its result has no such column.
    Missing {
        /// The column.
        column: &'static str,
        /// What it has to have.
        expected: String,
    },
    /// A column has another type.
    WrongType {
        /// The column.
        column: &'static str,
        /// What it has to have.
        expected: String,
        /// What it has, as the database calls it.
        found: String,
    },
    /// A row has a value that can not be read.
    Unreadable(String),
    /// The database does not run it; the text is the database's.
    Refused {
        /// The line of the file, where the database tells it.
        line: Option<usize>,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Complaint {
    /// One line, to be told after the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { column, expected } => {
                write!(
                    f,
                    "column `{column}`: expected {expected}, and it is missing"
                )
            }
            Self::WrongType {
                column,
                expected,
                found,
            } => write!(f, "column `{column}`: expected {expected}, found {found}"),
            Self::Refused {
                line: Some(line),
                why,
            } => write!(f, "line {line}: {why}"),
            Self::Unreadable(why) | Self::Refused { line: None, why } => f.write_str(why),
        }
    }
}

impl Database {
    /// Asks the database what each statement of the set gives, and runs those that load, with no
    /// keys. The embedded database has no statements of others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn inspect(&self) -> Result<Vec<Inspection>, CheckError> {
        let Some(postgres) = self.postgres() else {
            return Ok(Vec::new());
        };
        let mut connection = postgres.connect().await.map_err(CheckError::of)?;
        let mut inspections = Vec::new();
        for statement in statement::set().copied().chain(self.queries().loads()) {
            let statement = &statement;
            let sql = self.queries().sql(statement);
            let mut complaints = of_columns(&mut connection, statement, sql)
                .await
                .map_err(CheckError::of)?;
            let is_write = WRITES.iter().any(|write| write.name == statement.name);
            if complaints.is_empty() && !is_write {
                let ran = of_run(postgres, statement, sql).await;
                complaints.extend(ran.map_err(CheckError::of)?);
            }
            inspections.push(Inspection {
                statement: statement.name,
                file: self.queries().file(statement),
                complaints,
            });
        }
        // Nothing was changed: how it ends does not matter.
        let _ = connection.close().await;
        Ok(inspections)
    }
}

/// What the database says of the result before it runs the statement.
async fn of_columns(
    connection: &mut PgConnection,
    statement: &Statement,
    sql: &str,
) -> Result<Vec<Complaint>, sqlx::Error> {
    // A file of this crate or of the operator, as it is run later on.
    let text: SqlStr = AssertSqlSafe(sql.to_owned()).into_sql_str();
    let prepared = match connection.prepare(text).await {
        Ok(prepared) => prepared,
        Err(error) => return refused(error, sql).map(|complaint| vec![complaint]),
    };
    let mut complaints = Vec::new();
    for wanted in statement.columns {
        let found = prepared
            .columns()
            .iter()
            .find(|it| it.name() == wanted.name);
        complaints.extend(of_column(connection, wanted, found.map(sqlx::Column::type_info)).await?);
    }
    Ok(complaints)
}

async fn of_column(
    connection: &mut PgConnection,
    wanted: &Column,
    found: Option<&PgTypeInfo>,
) -> Result<Option<Complaint>, sqlx::Error> {
    let (column, expected) = (wanted.name, wanted.kind.to_string());
    let Some(found) = found else {
        return Ok(Some(Complaint::Missing { column, expected }));
    };
    if wanted.kind.fits(found) {
        return Ok(None);
    }
    let found = type_name(connection, found).await?;
    Ok(Some(Complaint::WrongType {
        column,
        expected,
        found,
    }))
}

/// A type as its owner calls it.
async fn type_name(
    connection: &mut PgConnection,
    found: &PgTypeInfo,
) -> Result<String, sqlx::Error> {
    let Some(oid) = found.oid() else {
        return Ok(found.name().to_owned());
    };
    let row = sqlx::query(TYPE_NAME)
        .persistent(false)
        .bind(oid)
        .fetch_one(connection)
        .await?;
    row.try_get("name")
}

/// Runs it as a load does, for nothing; what it gives all the same must be readable.
async fn of_run(
    postgres: &Postgres,
    statement: &Statement,
    sql: &str,
) -> Result<Option<Complaint>, sqlx::Error> {
    let parameters = statement.parameters.iter();
    let literals: Vec<String> = parameters
        .map(|parameter| Parameter::nothing(*parameter).to_owned())
        .collect();
    match postgres.try_out(sql, &literals).await {
        Ok(rows) => {
            let mut records = rows.into_iter().map(Record::Postgres);
            let wrong = records.find_map(|record| (statement.reads)(&record).err());
            Ok(wrong.map(|error| Complaint::Unreadable(error.to_string())))
        }
        // The literals have moved what comes after them.
        Err(error) => refused(error, "").map(Some),
    }
}

/// A complaint, if the database has answered.
fn refused(error: sqlx::Error, sql: &str) -> Result<Complaint, sqlx::Error> {
    if sqlstate(&error).is_none() {
        return Err(error);
    }
    let Some(told) = error.as_database_error() else {
        return Err(error);
    };
    let why = told.message().to_owned();
    let position = told
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .and_then(sqlx::postgres::PgDatabaseError::position);
    let line = match position {
        Some(sqlx::postgres::PgErrorPosition::Original(at)) if !sql.is_empty() => {
            let before = sql.chars().take(at.saturating_sub(1));
            Some(before.filter(|character| *character == '\n').count() + 1)
        }
        Some(_) | None => None,
    };
    Ok(Complaint::Refused { line, why })
}
