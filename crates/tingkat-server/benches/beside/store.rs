//! The demo store in a PostgreSQL and a Redis of the run's own.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tingkat_testkit::{Postgres, Redis};
use tokio::process::Command;

use crate::Result;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tingkat");

pub(crate) struct Store {
    postgres: Postgres,
    redis: Redis,
    folder: TempDir,
}

impl Store {
    pub(crate) async fn start() -> Result<Self> {
        let postgres = Postgres::config().pg_stat_statements().start().await?;
        postgres.psql("CREATE EXTENSION pg_stat_statements").await?;
        let store = Self {
            postgres,
            redis: Redis::start().await?,
            folder: tempfile::tempdir()?,
        };
        let mut install = store.tingkat();
        let installed = install.args(["schema", "install", "--demo"]).status();
        if !installed.await?.success() {
            return Err("the store could not be installed".into());
        }
        store.sql("ANALYZE").await?;
        Ok(store)
    }

    pub(crate) async fn sql(&self, sql: &str) -> Result<String> {
        Ok(self.postgres.psql(sql).await?)
    }

    /// A program that is told where the store is, and nothing else.
    pub(crate) fn program(&self, path: impl AsRef<Path>) -> Command {
        let mut command = Command::new(path.as_ref());
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("DATABASE_URL", self.postgres.url("postgres"))
            .env("REDIS_URL", self.redis.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn tingkat(&self) -> Command {
        let mut command = self.program(PROGRAM);
        command.env("REDIS_KEY_PREFIX", "beside:");
        command
    }
}
