//! PostgreSQL: a pool for loads that connects when it must, and one connection for operations, so
//! that a check never queues behind loads.

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

use crate::database::Config;
use crate::error::spares_connection;
use crate::record::Record;
use crate::statement::Statement;

/// A PostgreSQL database.
pub(crate) struct Postgres {
    loads: PgPool,
    options: PgConnectOptions,
    /// For what operations ask; absent until the first question, and after trouble.
    operations: Mutex<Option<PgConnection>>,
    answer_within: Duration,
}

impl Postgres {
    /// Connects to nothing yet: a database that does not answer must not stop the start.
    pub(crate) fn open(options: &PgConnectOptions, config: &Config) -> Self {
        let options = options_with(options, config);
        let loads = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.acquire_timeout)
            .connect_lazy_with(options.clone());
        Self {
            loads,
            options,
            operations: Mutex::new(None),
            answer_within: config.acquire_timeout,
        }
    }

    /// The rows of a load.
    ///
    /// Dropping the future closes the connection instead of returning it: the pool would first wait
    /// for the answer to the abandoned statement, and from a server that is gone there is none.
    pub(crate) async fn fetch(
        &self,
        statement: &Statement,
        keys: Option<&[String]>,
    ) -> Result<Vec<Record>, sqlx::Error> {
        let mut lent = Lent {
            connection: self.loads.acquire().await?,
            is_sound: false,
        };
        let result = rows(&mut lent.connection, statement, keys).await;
        lent.is_sound = result.as_ref().map_or_else(spares_connection, |_| true);
        result
    }

    /// The rows that an operator's question gives. Unlike a load it tells why there is no connection.
    pub(crate) async fn ask(
        &self,
        statement: &Statement,
        keys: &[String],
    ) -> Result<Vec<Record>, sqlx::Error> {
        let mut operations = self.operations.lock().await;
        if let Some(mut kept) = operations.take()
            // The server may have restarted since, so an error here says nothing yet.
            && let Ok(records) = self.in_time(rows(&mut kept, statement, Some(keys))).await
        {
            *operations = Some(kept);
            return Ok(records);
        }
        let mut fresh = self.in_time(self.options.connect()).await?;
        let records = self
            .in_time(rows(&mut fresh, statement, Some(keys)))
            .await?;
        *operations = Some(fresh);
        Ok(records)
    }

    /// A connection of one's own.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.in_time(self.options.connect()).await
    }

    /// Waits for the loads under way and closes all connections.
    pub(crate) async fn close(&self) {
        self.loads.close().await;
        if let Some(connection) = self.operations.lock().await.take() {
            // It is going away either way.
            let _ = connection.close().await;
        }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        tokio::time::timeout(self.answer_within, work)
            .await
            .unwrap_or_else(|_| {
                let message = format!("no answer within {:?}", self.answer_within);
                Err(sqlx::Error::Io(io::Error::new(
                    io::ErrorKind::TimedOut,
                    message,
                )))
            })
    }
}

impl fmt::Debug for Postgres {
    /// Without the options, which have the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("connections", &self.loads.size())
            .finish_non_exhaustive()
    }
}

/// What the URL asks for, and what it leaves to us.
fn options_with(options: &PgConnectOptions, config: &Config) -> PgConnectOptions {
    let mut options = options.clone().disable_statement_logging();
    if options.get_application_name().is_none() {
        options = options.application_name("tingkat");
    }
    if !options
        .get_options()
        .is_some_and(|options| options.contains("statement_timeout"))
    {
        options = options.options([("statement_timeout", config.statement_timeout.as_millis())]);
    }
    options
}

async fn rows(
    connection: &mut PgConnection,
    statement: &Statement,
    keys: Option<&[String]>,
) -> Result<Vec<Record>, sqlx::Error> {
    let query = sqlx::query(statement.postgres);
    let query = match keys {
        Some(keys) => query.bind(keys),
        None => query,
    };
    let rows = query.fetch_all(connection).await?;
    Ok(rows.into_iter().map(Record::Postgres).collect())
}

/// A connection that goes back to the pool only when its last statement was answered.
struct Lent {
    connection: PoolConnection<sqlx::Postgres>,
    is_sound: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_sound {
            self.connection.close_on_drop();
        }
    }
}
