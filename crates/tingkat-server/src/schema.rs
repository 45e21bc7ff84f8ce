//! `tingkat schema`: what is created in a database, and only when asked for.

mod check;

use serde_json::{Value, json};
use tingkat_sql::{Compaction, Config, Database, Installed, Url};

use crate::cli::{Install, Report, Schema, Uninstall};
use crate::exit::Failure;
use crate::output::{print, tell};

/// Runs one of the commands on this database.
pub(crate) async fn run(command: &Schema, url: Result<Url, Failure>) -> Result<(), Failure> {
    match command {
        Schema::Install(arguments) => install(arguments, url).await,
        Schema::Uninstall(arguments) => uninstall(arguments, url).await,
        Schema::Check(report) => check::run(report, url?).await,
        Schema::Compact(report) => compact(report, url?).await,
    }
}

async fn install(arguments: &Install, url: Result<Url, Failure>) -> Result<(), Failure> {
    if arguments.dry_run {
        let store = if arguments.demo {
            tingkat_sql::demo_sql()
        } else {
            ""
        };
        print(&format!("{store}{}", tingkat_sql::changes_sql()));
        return Ok(());
    }
    let database = open(url?).await?;
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

async fn uninstall(arguments: &Uninstall, url: Result<Url, Failure>) -> Result<(), Failure> {
    if arguments.dry_run {
        print(&tingkat_sql::changes_drop_sql());
        return Ok(());
    }
    let database = open(url?).await?;
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

async fn compact(report: &Report, url: Url) -> Result<(), Failure> {
    let database = open(url).await?;
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
async fn open(url: Url) -> Result<Database, Failure> {
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
