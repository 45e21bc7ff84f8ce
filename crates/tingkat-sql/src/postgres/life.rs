//! Which log answered, and what it means when none did.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tingkat::certificate::{Certificate, Incarnation, Position};
use tingkat::error::{LogError, Recovery, SourceError};

use crate::error::{recovery_of, sqlstate};
use crate::url::Server;

/// The life of a log, and what was visible in it.
pub(crate) struct Life {
    /// What the log itself calls it; nothing before its first life, or after a crash.
    pub(crate) uuid: Option<String>,
    pub(crate) incarnation: Incarnation,
    pub(crate) position: Position,
}

impl Life {
    /// Reads the columns `position`, `uuid`, `database`, `system`.
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let position: String = row.try_get("position")?;
        let uuid: Option<String> = row.try_get("uuid")?;
        Ok(Self {
            incarnation: incarnation(row, uuid.as_deref().unwrap_or_default())?,
            uuid,
            position: decoded(position.parse())?,
        })
    }

    pub(crate) fn certificate(self) -> Option<Certificate> {
        self.uuid.is_some().then_some(Certificate {
            incarnation: self.incarnation,
            position: self.position,
        })
    }
}

/// From the columns `database` and `system`: copies of a database have the same uuid.
pub(crate) fn incarnation(row: &PgRow, uuid: &str) -> Result<Incarnation, sqlx::Error> {
    let database: String = row.try_get("database")?;
    let system: String = row.try_get("system")?;
    Ok(Incarnation::of(&[uuid, &database, &system]))
}

/// A column that is not what the statement's file promises.
pub(crate) fn decoded<T, E>(parsed: Result<T, E>) -> Result<T, sqlx::Error>
where
    E: std::error::Error + Send + Sync + 'static,
{
    parsed.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Why there is no change log here, where the server says so by a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The server follows another one: what it has seen is not what was committed.
    Standby(String),
    /// It is not installed, or not wholly.
    Missing,
    /// This role may not use it.
    Refused,
}

impl Trouble {
    /// What the error of a statement that touches nothing but the log means.
    pub(crate) fn of(error: &sqlx::Error, server: &Server) -> Option<Self> {
        match sqlstate(error)?.as_str() {
            // Unlogged tables can not be read in recovery, and nothing can be written there.
            "0A000" | "25006" => Some(Self::Standby(server.address())),
            "3F000" | "42P01" | "42883" | "42703" => Some(Self::Missing),
            "42501" => Some(Self::Refused),
            _ => None,
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Standby(address) => format!(
                "the database at {address} is a standby, which does not know what is committed: \
                 point the URL to the primary"
            ),
            Self::Missing => "the database has no change log, or only a part of it: run \
                              `tingkat schema install`"
                .into(),
            Self::Refused => "we may not use the change log: GRANT USAGE ON SCHEMA tingkat and \
                              SELECT ON ALL TABLES IN SCHEMA tingkat to our role"
                .into(),
        }
    }
}

impl From<Trouble> for SourceError {
    fn from(trouble: Trouble) -> Self {
        let message = trouble.message();
        match trouble {
            Trouble::Standby(_) => Self::disconnected(message),
            Trouble::Missing | Trouble::Refused => Self::transient(message),
        }
    }
}

/// The error of the feed as the engine wants it: with its cause, since nothing else will tell it.
pub(crate) fn log_error(tried: &str, error: &sqlx::Error, server: &Server) -> LogError {
    if let Some(trouble) = Trouble::of(error, server) {
        let recovery = match trouble {
            Trouble::Standby(_) => Recovery::Reconnect,
            Trouble::Missing | Trouble::Refused => Recovery::Retry,
        };
        return LogError::new(recovery, trouble.message());
    }
    LogError::new(recovery_of(error), format!("{tried} failed: {error}"))
}
