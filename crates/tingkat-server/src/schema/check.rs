//! `tingkat schema check`: is everything there, and do triggers report what entries depend on?

use serde_json::{Value, json};
use tingkat_lab::chained;
use tingkat_sql::{
    CheckError, CheckErrorKind, Coherence, Complaint, Database, Inspection, Rehearsal, Verdict,
};

use super::open;
use crate::cli::Report;
use crate::config::Source;
use crate::exit::{Code, Failure};
use crate::output::tell;

struct Check {
    id: String,
    status: Status,
    detail: String,
    /// What is wrong with a statement, one by one.
    complaints: Vec<Value>,
}

impl Check {
    fn new(id: impl Into<String>, status: Status, detail: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status,
            detail: detail.into(),
            complaints: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Passed,
    Failed,
    Skipped,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

pub(super) async fn run(report: &Report, source: Source) -> Result<(), Failure> {
    let database = open(source).await?;
    let checks = checks(&database).await;
    database.close().await;
    let checks = checks?;
    let lines: Vec<String> = checks.iter().map(line).collect();
    let objects: Vec<Value> = checks.iter().map(object).collect();
    tell(report, &lines, &json!({ "checks": objects }));
    let failed = checks
        .iter()
        .filter(|check| check.status == Status::Failed)
        .count();
    if failed > 0 {
        let line = format!("{failed} of {} checks failed", checks.len());
        return Err(Failure::new(Code::Failed, line));
    }
    Ok(())
}

/// Each check rests on those before it.
async fn checks(database: &Database) -> Result<Vec<Check>, CheckError> {
    let mut checks = vec![tables(database).await?];
    // What is wrong with a statement is worth to be known whatever is wrong with the tables.
    checks.extend(database.inspect().await?.iter().map(inspection));
    if checks.iter().all(|check| check.status == Status::Passed) {
        checks.push(change_log(database).await?);
    }
    if checks.iter().all(|check| check.status == Status::Passed) {
        checks.extend(database.rehearse().await?.into_iter().map(rehearsal));
    }
    Ok(checks)
}

async fn tables(database: &Database) -> Result<Check, CheckError> {
    let (status, detail) = match database.check().await {
        Ok(()) => (Status::Passed, "the store's tables are there".to_owned()),
        Err(error) if error.kind() == CheckErrorKind::Unreachable => return Err(error),
        Err(error) => (Status::Failed, chained(&error)),
    };
    Ok(Check::new("tables", status, detail))
}

async fn change_log(database: &Database) -> Result<Check, CheckError> {
    let (status, detail) = match database.coherence().await {
        Ok(coherence @ Coherence::Whole) => (Status::Passed, coherence.to_string()),
        Ok(coherence) => (Status::Failed, coherence.to_string()),
        Err(error) if error.kind() == CheckErrorKind::Unreachable => return Err(error),
        Err(error) => (Status::Failed, chained(&error)),
    };
    Ok(Check::new("change_log", status, detail))
}

fn inspection(inspection: &Inspection) -> Check {
    let id = format!("statement: {}", inspection.statement);
    if inspection.complaints.is_empty() {
        let detail = "the database gives what is read of it";
        return Check::new(id, Status::Passed, detail);
    }
    let file = &inspection.file;
    let lines = inspection.complaints.iter();
    let lines: Vec<String> = lines.map(|it| format!("{file}: {it}")).collect();
    let complaints = inspection.complaints.iter();
    Check {
        complaints: complaints.map(|it| complaint(file, it)).collect(),
        ..Check::new(id, Status::Failed, lines.join("; "))
    }
}

fn complaint(file: &str, complaint: &Complaint) -> Value {
    let (column, expected, found, line) = match complaint {
        Complaint::Missing { column, expected } => (Some(column), Some(expected), None, None),
        Complaint::WrongType {
            column,
            expected,
            found,
        } => (Some(column), Some(expected), Some(found), None),
        Complaint::Refused { line, .. } => (None, None, None, *line),
        Complaint::Unreadable(_) => (None, None, None, None),
    };
    json!({
        "file": file,
        "line": line,
        "column": column,
        "expected": expected,
        "found": found,
        "message": complaint.to_string(),
    })
}

fn rehearsal(rehearsal: Rehearsal) -> Check {
    let (status, detail) = match rehearsal.verdict {
        Verdict::Passed => (
            Status::Passed,
            "a change is reported to what shows it, and to nothing else".to_owned(),
        ),
        Verdict::Differs { written, expected } => (
            Status::Failed,
            format!(
                "a change wrote [{}], and it has to write [{}]",
                written.join(", "),
                expected.join(", ")
            ),
        ),
        Verdict::Failed {
            written,
            depends_on,
        } => (
            Status::Failed,
            format!(
                "a change wrote [{}], and what shows it depends on [{}]",
                written.join(", "),
                depends_on.join(", ")
            ),
        ),
        Verdict::Reported => (
            Status::Passed,
            "a change is reported; as what, changes_<table>.sql says".to_owned(),
        ),
        Verdict::Silent => (
            Status::Failed,
            "a change wrote nothing, so what shows it would never notice".to_owned(),
        ),
        Verdict::Unreadable(why) => (
            Status::Failed,
            format!("what shows a change can not be loaded: {why}"),
        ),
        Verdict::Skipped(why) => (Status::Skipped, why),
    };
    Check::new(format!("deps: {}", rehearsal.name), status, detail)
}

fn line(check: &Check) -> String {
    format!("{:<8} {}: {}", check.status.name(), check.id, check.detail)
}

fn object(check: &Check) -> Value {
    let mut object =
        json!({ "id": check.id, "status": check.status.name(), "detail": check.detail });
    if let Some(object) = object
        .as_object_mut()
        .filter(|_| !check.complaints.is_empty())
    {
        object.insert("complaints".to_owned(), check.complaints.clone().into());
    }
    object
}
