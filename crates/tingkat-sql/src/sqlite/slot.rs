//! One connection that is used in turns. Whoever is interrupted leaves none behind: the next one
//! opens it anew, and what was begun on the old one is rolled back.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

/// The connection, with what its user knows of it.
pub(super) struct Slot<T> {
    options: SqliteConnectOptions,
    kept: Mutex<Kept<T>>,
}

enum Kept<T> {
    Nothing,
    Connection(SqliteConnection, T),
    Closed,
}

/// The right to use the connection.
pub(super) struct Turn<'a, T> {
    slot: MutexGuard<'a, Kept<T>>,
    pub(super) connection: SqliteConnection,
    pub(super) notes: T,
}

impl<T: Default> Slot<T> {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            kept: Mutex::new(Kept::Nothing),
        }
    }

    /// Waits for its turn, at most for so long; nothing if it did not come.
    pub(super) async fn turn(
        &self,
        patience: Duration,
    ) -> Result<Option<Turn<'_, T>>, sqlx::Error> {
        let Ok(mut slot) = tokio::time::timeout(patience, self.kept.lock()).await else {
            return Ok(None);
        };
        let (connection, notes) = match std::mem::replace(&mut *slot, Kept::Nothing) {
            Kept::Connection(connection, notes) => (connection, notes),
            Kept::Nothing => (self.options.connect().await?, T::default()),
            Kept::Closed => {
                *slot = Kept::Closed;
                return Err(sqlx::Error::PoolClosed);
            }
        };
        Ok(Some(Turn {
            slot,
            connection,
            notes,
        }))
    }

    /// Waits for the turn under way; later ones fail.
    pub(super) async fn close(&self) {
        let kept = std::mem::replace(&mut *self.kept.lock().await, Kept::Closed);
        if let Kept::Connection(connection, _) = kept {
            // It is going away either way.
            let _ = sqlx::Connection::close(connection).await;
        }
    }
}

impl<T> Turn<'_, T> {
    /// Leaves the connection to the next one; to be called when nothing is under way on it.
    pub(super) fn end(mut self) {
        *self.slot = Kept::Connection(self.connection, self.notes);
    }
}
