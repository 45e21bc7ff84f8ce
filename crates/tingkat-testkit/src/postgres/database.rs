//! A database for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::server::Postgres;
use crate::error::Result;

/// The server of this process.
static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// Numbers the databases of this process.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A new database of a server. It is not dropped: it ends with its server.
#[derive(Clone, Debug)]
pub struct Database<'server> {
    server: &'server Postgres,
    name: String,
}

impl Postgres {
    /// A new database on the server that all tests of this process share, which loads
    /// `pg_stat_statements`. A static value is never dropped, so here it is the watchdog that ends
    /// the server when the process ends. Tests that break the server start one of their own.
    ///
    /// # Errors
    /// The server does not come up.
    pub async fn shared() -> Result<Database<'static>> {
        SHARED
            .get_or_try_init(|| Self::config().pg_stat_statements().start())
            .await?
            .database()
            .await
    }

    /// A new, empty database with a name of its own.
    ///
    /// # Errors
    /// The server does not run.
    pub async fn database(&self) -> Result<Database<'_>> {
        // A number only has to differ from the others.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.create_database(&name).await?;
        Ok(Database { server: self, name })
    }
}

impl Database<'_> {
    /// The URL for clients.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    pub fn server(&self) -> &Postgres {
        self.server
    }

    /// Runs SQL in it; see [`Postgres::psql`].
    ///
    /// # Errors
    /// A statement fails.
    pub async fn psql(&self, sql: &str) -> Result<String> {
        self.server.psql_in(&self.name, sql).await
    }
}
