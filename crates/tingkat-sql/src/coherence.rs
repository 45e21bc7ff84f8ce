//! Whether the change log is there and whole: what the promise rests on.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use sqlx::Row as _;

use crate::database::Database;
use crate::error::{CheckError, CheckErrorKind, sqlstate};
use crate::postgres::{Postgres, Trouble, literal};
use crate::statement::{LOADS, Parameter, Statement};

const OBJECTS: &str = include_str!("../setup/postgres/log_objects.sql");
const TRIGGERS: &str = include_str!("../setup/postgres/log_triggers.sql");

/// What the installed log says of itself if it fits this release.
const VERSION: &str = "Tingkat change log, version 1";

/// What there is of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coherence {
    /// All of it; no answer that is not marked stale is older than the bound.
    Whole,
    /// Nothing of it.
    Missing,
    /// It lacks something, or is of another release; each text is one thing.
    Incomplete(Vec<String>),
}

impl fmt::Display for Coherence {
    /// One line that says what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the change log is whole"),
            Self::Missing => {
                f.write_str("the database has no change log: run `tingkat schema install`")
            }
            Self::Incomplete(problems) => write!(
                f,
                "the change log is not whole ({}): run `tingkat schema install`",
                problems.join("; ")
            ),
        }
    }
}

/// Which tables that loads read report their changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerReport {
    /// Tables that do.
    pub watched: Vec<String>,
    /// Tables that lack an enabled trigger: what they change may go unnoticed.
    pub missing: Vec<String>,
    /// Load statements that the database can not plan, each with its file and the reason. What they
    /// read is not known; no load by them succeeds either.
    pub unplanned: Vec<String>,
}

impl Database {
    /// Whether the change log is there, fits this release, and reports every table that loads read.
    ///
    /// # Errors
    /// When the database does not answer or is a standby: to be asked again.
    pub async fn coherence(&self) -> Result<Coherence, CheckError> {
        let Some(postgres) = self.postgres() else {
            return Ok(whole_without(&self.check_triggers().await?.missing));
        };
        let rows = postgres.operate(|script| Ok(script.add(OBJECTS, &[])));
        let objects = rows.await.and_then(|rows| Objects::read(&rows));
        let objects = objects.map_err(CheckError::of)?;
        if objects.is_standby {
            let trouble = Trouble::Standby(postgres.address());
            return Err(CheckError::new(CheckErrorKind::Standby, trouble.message()));
        }
        let Some(version) = objects.version else {
            return Ok(Coherence::Missing);
        };
        let mut problems = Vec::new();
        if version != VERSION {
            problems.push(format!("it is of another release: {version:?}"));
        }
        if !objects.missing.is_empty() {
            problems.push(format!("missing: {}", objects.missing.join(", ")));
        }
        if !objects.refused.is_empty() {
            problems.push(format!("not granted to us: {}", objects.refused.join(", ")));
        }
        let triggers = self.check_triggers().await?;
        if !triggers.missing.is_empty() {
            let tables = triggers.missing.join(", ");
            problems.push(format!("no enabled triggers on {tables}"));
        }
        let unplanned = triggers.unplanned.into_iter();
        problems.extend(unplanned.map(|it| format!("it is not known what is read by {it}")));
        Ok(if problems.is_empty() {
            Coherence::Whole
        } else {
            Coherence::Incomplete(problems)
        })
    }

    /// Whether each table that the load statements read, through whatever views, has its triggers. A
    /// statement that can not be planned keeps no other from being judged.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn check_triggers(&self) -> Result<TriggerReport, CheckError> {
        if let Some(sqlite) = self.sqlite() {
            return sqlite.check_triggers().await.map_err(CheckError::of);
        }
        let Some(postgres) = self.postgres() else {
            return Ok(TriggerReport::default());
        };
        let (mut relations, mut unplanned) = (BTreeSet::new(), Vec::new());
        let own: Vec<Statement> = self.queries().loads().collect();
        for statement in LOADS.iter().chain(&own) {
            match plan(postgres, statement, self.queries().sql(statement)).await {
                Ok(plan) => collect_relations(&plan, &mut relations),
                Err(error) => {
                    let file = self.queries().file(statement);
                    let why = is_of_statement(&error).then(|| error.as_database_error());
                    let Some(why) = why.flatten() else {
                        return Err(CheckError::of(error).in_file(&file));
                    };
                    unplanned.push(format!("{file}: {}", why.message()));
                }
            }
        }
        let report = watched(postgres, relations).await;
        let report = report.map_err(CheckError::of)?;
        Ok(TriggerReport {
            unplanned,
            ..report
        })
    }

    /// Whether a table has not all triggers.
    pub(crate) async fn is_unwatched(
        &self,
        schema: &str,
        table: &str,
    ) -> Result<bool, sqlx::Error> {
        let Some(postgres) = self.postgres() else {
            return Ok(false);
        };
        let one = BTreeSet::from([(schema.to_owned(), table.to_owned())]);
        Ok(!watched(postgres, one).await?.missing.is_empty())
    }
}

/// An embedded database has its log from a migration; its tables may have been made anew since.
fn whole_without(missing: &[String]) -> Coherence {
    if missing.is_empty() {
        return Coherence::Whole;
    }
    Coherence::Incomplete(vec![format!("no triggers on {}", missing.join(", "))])
}

/// What the catalogue says of the log.
struct Objects {
    version: Option<String>,
    missing: Vec<String>,
    refused: Vec<String>,
    is_standby: bool,
}

impl Objects {
    fn read(rows: &[sqlx::postgres::PgRow]) -> Result<Self, sqlx::Error> {
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let names = |column| {
            let text: String = row.try_get(column)?;
            serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
        };
        Ok(Self {
            version: row.try_get("version")?,
            missing: names("missing")?,
            refused: names("refused")?,
            is_standby: row.try_get("is_standby")?,
        })
    }
}

async fn plan(postgres: &Postgres, statement: &Statement, sql: &str) -> Result<Value, sqlx::Error> {
    let samples = statement.parameters.iter().map(|it| Parameter::sample(*it));
    let samples: Vec<String> = samples.map(str::to_owned).collect();
    let sql = format!("EXPLAIN (VERBOSE, FORMAT JSON) {sql}");
    // Planning waits for whoever changes a table.
    let rows = postgres.work(|script| Ok(script.add(&sql, &samples)));
    let rows = rows.await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let text = row.try_get_raw(0)?.as_str().map_err(sqlx::Error::Decode)?;
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Whether the statement is at fault, so that it fails until somebody mends it or the schema: by the
/// classes of PostgreSQL's codes, a value that its type can not have, something that is not supported,
/// an error that a function raised, and a name or a right that there is not.
fn is_of_statement(error: &sqlx::Error) -> bool {
    let code = sqlstate(error).unwrap_or_default();
    matches!(code.get(..2), Some("22" | "0A" | "P0" | "42"))
}

/// Every relation that a plan names, with its schema.
fn collect_relations(plan: &Value, relations: &mut BTreeSet<(String, String)>) {
    match plan {
        Value::Array(parts) => {
            for part in parts {
                collect_relations(part, relations);
            }
        }
        Value::Object(node) => {
            let text = |name| {
                node.get(name)
                    .and_then(Value::as_str)
                    .map(ToOwned::to_owned)
            };
            if let (Some(schema), Some(name)) = (text("Schema"), text("Relation Name")) {
                relations.insert((schema, name));
            }
            for part in node.values() {
                collect_relations(part, relations);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn watched(
    postgres: &Postgres,
    relations: BTreeSet<(String, String)>,
) -> Result<TriggerReport, sqlx::Error> {
    let (schemas, names): (Vec<_>, Vec<_>) = relations.into_iter().unzip();
    let literals = [literal::texts(&schemas)?, literal::texts(&names)?];
    let rows = postgres.operate(|script| Ok(script.add(TRIGGERS, &literals)));
    let mut report = TriggerReport::default();
    for row in rows.await? {
        let name = row.try_get("name")?;
        if row.try_get("is_whole")? {
            report.watched.push(name);
        } else {
            report.missing.push(name);
        }
    }
    Ok(report)
}
