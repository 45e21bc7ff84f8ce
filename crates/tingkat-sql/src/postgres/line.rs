//! One connection for one purpose: kept open, made anew after trouble, never queueing behind loads.

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, MutexGuard};

/// Nodes that lost their server together do not come back in step; a feed may lose this much time.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Connecting takes at most this long, however often the caller gives up on waiting for it.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A connection that comes and goes.
pub(crate) struct Line {
    options: PgConnectOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<PgConnection>,
    /// Goes on where the last caller gave up: a slow handshake ends although no caller waits for
    /// all of it.
    opening: Option<BoxFuture<'static, Result<PgConnection, sqlx::Error>>>,
    failures: u32,
}

/// The connection while somebody uses it. It is closed with this value, unless it is kept.
pub(crate) struct Held<'a> {
    state: MutexGuard<'a, State>,
    connection: PgConnection,
    /// It was open before: the server may have ended it since.
    pub(crate) was_kept: bool,
}

impl Line {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
        }
    }

    /// The connection, once nobody else uses it.
    pub(crate) async fn hold(&self) -> Result<Held<'_>, sqlx::Error> {
        let mut state = self.state.lock().await;
        if let Some(connection) = state.kept.take() {
            return Ok(Held {
                state,
                connection,
                was_kept: true,
            });
        }
        let connection = self.open(&mut state).await?;
        Ok(Held {
            state,
            connection,
            was_kept: false,
        })
    }

    async fn open(&self, state: &mut State) -> Result<PgConnection, sqlx::Error> {
        let pause = pause(state.failures);
        let options = &self.options;
        let opening = state.opening.get_or_insert_with(|| {
            let options = options.clone();
            Box::pin(async move {
                tokio::time::sleep(pause).await;
                in_time(CONNECT_WITHIN, options.connect()).await
            })
        });
        let opened = opening.await;
        state.opening = None;
        state.failures = match &opened {
            Ok(_) => 0,
            Err(_) => state.failures.saturating_add(1),
        };
        opened
    }

    /// Closes it, after whoever uses it.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.state.lock().await.kept.take() {
            // It is going away either way.
            let _ = connection.close().await;
        }
    }
}

impl Held<'_> {
    /// Its last statement was answered: the next caller may have it.
    pub(crate) fn keep(mut self) {
        self.state.kept = Some(self.connection);
    }
}

impl Deref for Held<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// None before the first attempt; then anything up to a bound that doubles.
fn pause(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let bound = Duration::from_millis(10 << failures.min(5)).min(LONGEST_PAUSE);
    bound.mul_f64(rand::random())
}

/// Waits for an answer, but not for ever.
pub(crate) async fn in_time<T>(
    within: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(within, work)
        .await
        .unwrap_or_else(|_| {
            let message = format!("no answer within {within:?}");
            Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                message,
            )))
        })
}
