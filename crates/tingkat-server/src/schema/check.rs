//! `tingkat schema check`: is everything there, and do triggers report what entries depend on?

use serde_json::{Value, json};
use tingkat_sql::{CheckError, CheckErrorKind, Coherence, Database, Rehearsal, Url, Verdict};

use super::open;
use crate::cli::Report;
use crate::exit::{Code, Failure};
use crate::output::tell;

struct Check {
    id: String,
    status: Status,
    detail: String,
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

pub(super) async fn run(report: &Report, url: Url) -> Result<(), Failure> {
    let database = open(url).await?;
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
    Ok(Check {
        id: "tables".to_owned(),
        status,
        detail,
    })
}

async fn change_log(database: &Database) -> Result<Check, CheckError> {
    let (status, detail) = match database.coherence().await {
        Ok(coherence @ Coherence::Whole) => (Status::Passed, coherence.to_string()),
        Ok(coherence) => (Status::Failed, coherence.to_string()),
        Err(error) if error.kind() == CheckErrorKind::Unreachable => return Err(error),
        Err(error) => (Status::Failed, chained(&error)),
    };
    Ok(Check {
        id: "change_log".to_owned(),
        status,
        detail,
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
        Verdict::Skipped(why) => (Status::Skipped, why),
    };
    Check {
        id: format!("deps: {}", rehearsal.name),
        status,
        detail,
    }
}

fn line(check: &Check) -> String {
    format!("{:<8} {}: {}", check.status.name(), check.id, check.detail)
}

fn object(check: &Check) -> Value {
    json!({ "id": check.id, "status": check.status.name(), "detail": check.detail })
}

fn chained(error: &CheckError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
