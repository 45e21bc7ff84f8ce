//! `tingkat schema`: what is created in a database, and only when asked for.

mod check;

use serde_json::{Value, json};
use tingkat_sql::{Compaction, Config, Database, Installed};

use crate::cli::{Install, Report, Schema, Uninstall};
use crate::config;
use crate::exit::Failure;

pub(crate) async fn run(command: &Schema) -> Result<(), Failure> {
    match command {
        Schema::Install(arguments) => install(arguments).await,
        Schema::Uninstall(arguments) => uninstall(arguments).await,
        Schema::Check(report) => check::run(report).await,
        Schema::Compact(report) => compact(report).await,
    }
}

async fn install(arguments: &Install) -> Result<(), Failure> {
    if arguments.dry_run {
        let store = if arguments.demo {
            tingkat_sql::demo_sql()
        } else {
            ""
        };
        print(&format!("{store}{}", tingkat_sql::changes_sql()));
        return Ok(());
    }
    let database = open().await?;
    let installed = async {
        if arguments.demo {
            tingkat_sql::install_demo(&database).await?;
        }
        tingkat_sql::install_changes(&database).await
    };
    let installed = installed.await;
    database.close().await;
    let installed = installed?;
    let mut lines = Vec::new();
    if arguments.demo {
        lines.push("The demo store is installed.".to_owned());
    }
    lines.push(match (&installed.changed[..], &installed.unchanged[..]) {
        ([], _) => "The change log was installed already, with all its triggers.".to_owned(),
        (tables, []) => format!(
            "The change log is installed, with triggers on {}.",
            tables.join(", ")
        ),
        (tables, _) => format!(
            "The change log is whole again: triggers on {} were created.",
            tables.join(", ")
        ),
    });
    let object = json!({ "demo": arguments.demo, "triggers": triggers(&installed) });
    tell(&arguments.report, &lines, &object);
    Ok(())
}

async fn uninstall(arguments: &Uninstall) -> Result<(), Failure> {
    if arguments.dry_run {
        print(&tingkat_sql::changes_drop_sql());
        return Ok(());
    }
    let database = open().await?;
    let removed = tingkat_sql::uninstall_changes(&database).await;
    database.close().await;
    let removed = removed?;
    let line = match &removed.changed[..] {
        [] => "The change log is removed; no table had triggers.".to_owned(),
        tables => format!(
            "The change log is removed, and the triggers on {}.",
            tables.join(", ")
        ),
    };
    let object = json!({ "triggers": triggers(&removed) });
    tell(&arguments.report, &[line], &object);
    Ok(())
}

async fn compact(report: &Report) -> Result<(), Failure> {
    let database = open().await?;
    let compacted = database.compact().await;
    database.close().await;
    let (line, folded) = match compacted? {
        Compaction::Folded(rows) => (format!("{rows} changes were folded."), Some(rows)),
        Compaction::Busy => ("Another session is compacting the log.".to_owned(), None),
        Compaction::Embedded => ("An embedded log keeps itself short.".to_owned(), None),
    };
    tell(report, &[line], &json!({ "folded": folded }));
    Ok(())
}

/// The database that is configured, which must be a PostgreSQL one.
async fn open() -> Result<Database, Failure> {
    let url = config::source()?;
    if url.path().is_some() {
        return Err(Failure::configuration(
            "DATABASE_URL: expected a PostgreSQL database such as postgres://user:password@host/database; \
             `tingkat serve` creates the embedded one by itself",
        ));
    }
    Ok(Database::open(&url, &Config::default()).await?)
}

fn triggers(installed: &Installed) -> Value {
    json!({ "changed": installed.changed, "unchanged": installed.unchanged })
}

/// The result for people, or for programs.
fn tell(report: &Report, lines: &[String], object: &Value) {
    if report.json {
        let mut object = object.clone();
        if let Value::Object(fields) = &mut object {
            fields.insert("schema_version".to_owned(), json!(1));
        }
        print(&format!("{object}\n"));
    } else {
        print(&format!("{}\n", lines.join("\n")));
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn print(text: &str) {
    print!("{text}");
}
