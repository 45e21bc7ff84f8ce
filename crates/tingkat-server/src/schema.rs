//! `tingkat schema`: what is created in a database, and only when asked for.

mod check;

use serde_json::{Value, json};
use tingkat_sql::{Compaction, Config, Database, Installed, Preset, Queries};

use crate::cli::{Install, Report, Schema, Uninstall};
use crate::config::Source;
use crate::exit::Failure;
use crate::output::{print, tell};

/// Runs one of the commands on this database.
pub(crate) async fn run(command: &Schema, source: Result<Source, Failure>) -> Result<(), Failure> {
    match command {
        Schema::Install(arguments) => install(arguments, source).await,
        Schema::Uninstall(arguments) => uninstall(arguments, source).await,
        Schema::Check(report) => check::run(report, source?).await,
        Schema::Compact(report) => compact(report, source?).await,
    }
}

async fn install(arguments: &Install, source: Result<Source, Failure>) -> Result<(), Failure> {
    if arguments.demo
        && let Ok(source) = &source
        && source.queries != Queries::default()
    {
        return Err(Failure::configuration(
            "--demo: the demo store has the tables of source.preset = \"tingkat\", and needs no \
             source.queries",
        ));
    }
    if arguments.dry_run {
        return dry_run(arguments.demo, source).await;
    }
    let database = open(source?).await?;
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

/// Shows the SQL. That of a preset needs no database, whatever is wrong with the one that is named.
async fn dry_run(demo: bool, source: Result<Source, Failure>) -> Result<(), Failure> {
    let changes = match source {
        Ok(source) if source.queries != Queries::of(source.queries.preset()) => {
            let database = open(source).await?;
            let changes = database.changes_sql().await;
            database.close().await;
            changes?
        }
        Ok(source) => tingkat_sql::changes_sql(source.queries.preset()),
        Err(_) => tingkat_sql::changes_sql(Preset::default()),
    };
    let store = if demo { tingkat_sql::demo_sql() } else { "" };
    print(&format!("{store}{changes}"));
    Ok(())
}

async fn uninstall(arguments: &Uninstall, source: Result<Source, Failure>) -> Result<(), Failure> {
    if arguments.dry_run {
        let queries = source.map(|source| source.queries).unwrap_or_default();
        print(&tingkat_sql::changes_drop_sql(&queries));
        return Ok(());
    }
    let database = open(source?).await?;
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

async fn compact(report: &Report, source: Source) -> Result<(), Failure> {
    let database = open(source).await?;
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
async fn open(source: Source) -> Result<Database, Failure> {
    if source.url.path().is_some() {
        return Err(Failure::configuration(
            "DATABASE_URL: expected a PostgreSQL database such as postgres://user:password@host/database; \
             `tingkat serve` creates the embedded one by itself",
        ));
    }
    let config = Config {
        queries: source.queries,
        ..Config::default()
    };
    Ok(Database::open(&source.url, &config).await?)
}

fn triggers(installed: &Installed) -> Value {
    json!({ "changed": installed.changed, "unchanged": installed.unchanged })
}
