//! `tingkat schema`: what is created in a database, and only when asked for.

use tingkat_sql::{Config, Database};

use crate::cli::{Install, Schema};
use crate::config;
use crate::exit::Failure;

pub(crate) async fn run(command: &Schema) -> Result<(), Failure> {
    match command {
        Schema::Install(install) => install_demo(install).await,
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
async fn install_demo(install: &Install) -> Result<(), Failure> {
    if install.dry_run {
        print!(
            "{}\n{}",
            tingkat_sql::demo_sql(),
            tingkat_sql::changes_sql()
        );
        return Ok(());
    }
    let url = config::source()?;
    if url.path().is_some() {
        return Err(Failure::configuration(
            "DATABASE_URL: expected a PostgreSQL database such as postgres://user:password@host/database; \
             `tingkat serve` creates the embedded one by itself",
        ));
    }
    let database = Database::open(&url, &Config::default()).await?;
    let installed = async {
        tingkat_sql::install_demo(&database).await?;
        tingkat_sql::install_changes(&database).await
    };
    let installed = installed.await;
    database.close().await;
    installed?;
    println!("The demo store is installed.");
    Ok(())
}
