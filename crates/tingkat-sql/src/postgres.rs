//! PostgreSQL: a pool for loads that connects when it must, and a connection each for the feed and
//! for operations, so that neither queues behind loads.

mod life;
mod line;
pub(crate) mod literal;
mod log;
mod script;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions as _, Connection as _};
use tingkat::error::SourceError;
use tingkat::ports::ChangeLog;

use tingkat_shop::ProductWriter;

use crate::database::{Config, Fetched};
use crate::error::{CheckError, CheckErrorKind, source_error, spares_connection};
use crate::postgres::life::Life;
pub(crate) use crate::postgres::life::Trouble;
use crate::postgres::line::{Line, in_time};
use crate::postgres::log::Log;
use crate::postgres::script::Script;
use crate::postgres::write::Writer;
use crate::queries::{Queries, Query};
use crate::record::Record;
use crate::statement::Statement;
use crate::url::Server;

const CERTIFICATE: &str = include_str!("../setup/postgres/log_certificate.sql");

/// Connections for writes: apart from loads, so that neither uses the other's up.
const MOST_WRITES: u32 = 4;

/// A connection that answered so short a time ago is used as it is; an older one is asked first,
/// which is a round trip.
const PROVEN_FOR: Duration = Duration::from_secs(1);

/// How often a load is tried at most.
const ATTEMPTS: usize = 3;

/// Background work may take this long.
const WORK_WITHIN: Duration = Duration::from_mins(1);

/// A PostgreSQL database.
pub(crate) struct Postgres {
    loads: PgPool,
    /// So many connections for loads are asked before they are used, after one was found dead.
    doubts: Arc<AtomicU32>,
    most_loads: u32,
    writes: PgPool,
    server: Server,
    /// For polls alone.
    feed: Line,
    /// For what operations ask and answers are waited for.
    operations: Line,
    /// For what takes its time and nobody waits for.
    background: Line,
    answer_within: Duration,
    /// Nothing where the URL has one of its own.
    statement_timeout: Option<Duration>,
}

impl Postgres {
    /// Connects to nothing yet: a database that does not answer must not stop the start.
    pub(crate) fn open(server: &Server, config: &Config) -> Self {
        let server = Server {
            options: prepared(&server.options),
            ..server.clone()
        };
        let has_own_timeout = server
            .options
            .get_options()
            .is_some_and(|options| options.contains("statement_timeout"));
        let pool = |connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(config.acquire_timeout)
        };
        let doubts = Arc::<AtomicU32>::default();
        let loads = {
            let doubts = Arc::clone(&doubts);
            pool(config.max_connections)
                .test_before_acquire(false)
                .before_acquire(move |connection, idle| {
                    let is_doubted = doubts
                        .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                            left.checked_sub(1)
                        })
                        .is_ok();
                    Box::pin(async move {
                        if is_doubted || idle.idle_for > PROVEN_FOR {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
        };
        Self {
            loads: loads.connect_lazy_with(server.options.clone()),
            doubts,
            most_loads: config.max_connections,
            // Always asked first: of a write on a dead connection nobody would know.
            writes: pool(MOST_WRITES).connect_lazy_with(server.options.clone()),
            feed: Line::new(server.options.clone()),
            operations: Line::new(server.options.clone()),
            background: Line::new(server.options.clone()),
            server,
            answer_within: config.acquire_timeout,
            statement_timeout: (!has_own_timeout).then_some(config.statement_timeout),
        }
    }

    /// The change log of this database, whether it is installed or not.
    pub(crate) fn log(self: &Arc<Self>) -> Arc<dyn ChangeLog> {
        Arc::new(Log::new(Arc::clone(self)))
    }

    /// Writes products; with tokens, if somebody follows the log.
    pub(crate) fn writer(
        self: &Arc<Self>,
        queries: &Arc<Queries>,
        certified: bool,
    ) -> Arc<dyn ProductWriter> {
        let (postgres, queries) = (Arc::clone(self), Arc::clone(queries));
        Arc::new(Writer::new(postgres, queries, certified))
    }

    /// The rows of a load, and what its transaction saw if that is asked for.
    ///
    /// Dropping the future closes the connection instead of returning it: the pool would first wait
    /// for the answer to the abandoned statement, and from a server that is gone there is none.
    pub(crate) async fn fetch(
        &self,
        query: Query<'_>,
        keys: Option<&[String]>,
        certifies: bool,
    ) -> Result<Fetched, SourceError> {
        let failed = |error| source_error(query.name, error);
        // Made again when an empty log got its first life, and when a connection was found dead.
        for attempt in 1..=ATTEMPTS {
            let mut lent = Lent {
                connection: self.loads.acquire().await.map_err(failed)?,
                is_sound: false,
            };
            let mut script = if certifies {
                Script::of_one_snapshot()
            } else {
                Script::default()
            };
            self.prepare(&mut script).map_err(failed)?;
            let certificate_at = certifies.then(|| script.add(CERTIFICATE, &[]));
            let rows_at = script.add_statement(query.sql, keys).map_err(failed)?;
            let mut outcome = script.run(&mut lent.connection).await;
            lent.is_sound = outcome.error.as_ref().is_none_or(spares_connection);
            if outcome.error.as_ref().is_some_and(is_lost) && attempt < ATTEMPTS {
                self.doubts.store(self.most_loads, Ordering::Relaxed);
                continue;
            }
            let trouble = match (&outcome.error, certificate_at) {
                (Some(error), Some(at)) if outcome.failed_at() == Some(at) => {
                    Trouble::of(error, &self.server)
                }
                _ => None,
            };
            if let Some(trouble) = trouble {
                // The next attempt resolves the server's name again.
                lent.is_sound = false;
                return Err(trouble.into());
            }
            let Some(certificate_at) = certificate_at else {
                let records = records(outcome.rows_from(rows_at).map_err(failed)?);
                return Ok(Fetched::uncertified(records));
            };
            let certificate = outcome.take_one(certificate_at).map_err(failed)?;
            drop(lent);
            let life = Life::read(&certificate).map_err(failed)?;
            let Some(certificate) = life.certificate() else {
                self.renew(None).await.map_err(failed)?;
                continue;
            };
            let records = records(outcome.rows_from(rows_at).map_err(failed)?);
            return Ok(Fetched::new(certificate, records));
        }
        Err(SourceError::transient(
            "the change log has no life that lasts",
        ))
    }

    /// The rows that an operator's question gives. Unlike a load it tells why there is no connection.
    pub(crate) async fn ask(
        &self,
        statement: &Statement,
        keys: &[String],
    ) -> Result<Vec<Record>, sqlx::Error> {
        let rows = self
            .operate(|script| script.add_statement(statement.postgres, Some(keys)))
            .await?;
        Ok(records(rows))
    }

    /// Runs one statement on the connection for operations.
    pub(crate) async fn operate(
        &self,
        add: impl Fn(&mut Script) -> Result<usize, sqlx::Error>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let script = || {
            let mut script = Script::default();
            self.prepare(&mut script)?;
            let place = add(&mut script)?;
            Ok((script, place))
        };
        self.run_on(&self.operations, self.answer_within, script)
            .await
    }

    /// Runs one statement that may wait for locks and takes its time.
    pub(crate) async fn work(
        &self,
        add: impl Fn(&mut Script) -> Result<usize, sqlx::Error>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let script = || {
            let mut script = Script::default();
            self.prepare(&mut script)?;
            let timeout = WORK_WITHIN.as_millis().to_string();
            script.set_local("statement_timeout", &timeout)?;
            let place = add(&mut script)?;
            Ok((script, place))
        };
        self.run_on(&self.background, WORK_WITHIN, script).await
    }

    /// The rows of a statement that may change nothing.
    pub(crate) async fn try_out(
        &self,
        sql: &str,
        literals: &[String],
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let script = || {
            let mut script = Script::of_one_snapshot();
            self.prepare(&mut script)?;
            let place = script.add(sql, literals);
            Ok((script, place))
        };
        self.run_on(&self.background, WORK_WITHIN, script).await
    }

    /// The rows of each of these statements, which see what those before them have changed; nothing of
    /// it stays.
    pub(crate) async fn rehearse(
        &self,
        statements: &[&str],
    ) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
        let mut script = Script::rehearsal();
        self.prepare(&mut script)?;
        script.set_local("lock_timeout", "2s")?;
        let places: Vec<usize> = statements.iter().map(|sql| script.add(sql, &[])).collect();
        script.undo();
        let mut held = in_time(WORK_WITHIN, self.background.hold()).await?;
        let run = in_time(WORK_WITHIN, async { Ok(script.run(&mut held).await) });
        let mut outcome = run.await?;
        if let Some(error) = outcome.error.take() {
            // Closing the connection ends the transaction that was begun.
            return Err(error);
        }
        held.keep();
        let rows = places.into_iter().map(|place| outcome.take_rows(place));
        Ok(rows.collect())
    }

    /// Runs a script on a connection; again if that had been closed while nobody used it.
    async fn run_on(
        &self,
        line: &Line,
        within: Duration,
        script: impl Fn() -> Result<(Script, usize), sqlx::Error>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        loop {
            let (script, place) = script()?;
            let mut held = in_time(within, line.hold()).await?;
            let answer = in_time(within, async {
                script.run(&mut held).await.rows_from(place)
            });
            let answer = answer.await;
            match &answer {
                // The server may have restarted since, so an error here says nothing yet.
                Err(error) if held.was_kept && !spares_connection(error) => continue,
                Err(error) if !spares_connection(error) => {}
                Ok(_) | Err(_) => held.keep(),
            }
            return answer;
        }
    }

    /// What the error of a statement that touches nothing but the log means.
    pub(crate) fn log_check_error(&self, error: sqlx::Error) -> CheckError {
        let kind = match Trouble::of(&error, &self.server) {
            None => return CheckError::of(error),
            Some(Trouble::Standby(_)) => CheckErrorKind::Standby,
            Some(Trouble::Missing) => CheckErrorKind::SchemaMissing,
            Some(Trouble::Refused) => CheckErrorKind::Refused,
        };
        let message = Trouble::of(&error, &self.server).map(|trouble| trouble.message());
        CheckError::new(kind, message.unwrap_or_default())
    }

    /// Begins a new life of the log, if it has none or still the one that was seen.
    pub(crate) async fn renew(&self, seen: Option<&str>) -> Result<(), sqlx::Error> {
        let seen = literal::text(seen.unwrap_or_default())?;
        self.operate(|script| {
            Ok(script.add(
                include_str!("../setup/postgres/log_renew.sql"),
                std::slice::from_ref(&seen),
            ))
        })
        .await
        .map(drop)
    }

    /// What holds for every statement of ours, without a trace in the session.
    fn prepare(&self, script: &mut Script) -> Result<(), sqlx::Error> {
        if let Some(timeout) = self.statement_timeout {
            script.set_local("statement_timeout", &timeout.as_millis().to_string())?;
        }
        match &self.server.schema {
            Some(schema) => script.set_local("search_path", schema),
            None => Ok(()),
        }
    }

    /// Where the server is, for messages.
    pub(crate) fn address(&self) -> String {
        self.server.address()
    }

    /// A connection of one's own, for changes of the schema.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.server.with_search_path();
        in_time(self.answer_within, options.connect()).await
    }

    /// Waits for the loads under way and closes all connections.
    pub(crate) async fn close(&self) {
        self.loads.close().await;
        self.writes.close().await;
        self.background.close().await;
        self.feed.close().await;
        self.operations.close().await;
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

/// What the URL asks for, and what it leaves to us. Nothing here that a pooler refuses.
fn prepared(options: &PgConnectOptions) -> PgConnectOptions {
    let options = options
        .clone()
        .disable_statement_logging()
        .extra_float_digits(None);
    match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("tingkat"),
    }
}

fn records(rows: Vec<PgRow>) -> Vec<Record> {
    rows.into_iter().map(Record::Postgres).collect()
}

/// Whether the server is gone from the connection's other end, without a word about the statement.
fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
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
