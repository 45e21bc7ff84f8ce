//! What can go wrong, one type per question, and how a failed load may recover.
//!
//! Decided by kinds and codes, never by texts.

use std::fmt;
use std::path::Path;

use tingkat::error::SourceError;

use crate::tls;

/// Why a database could not be opened. Its text is one line and names the file.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct OpenError {
    kind: OpenErrorKind,
    message: String,
    #[source]
    cause: Option<sqlx::Error>,
}

/// How opening failed, as far as somebody would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// The file can not be read or created: a directory, no permission, no such directory, damaged.
    Unreadable,
    /// The file is not ours: no SQLite database, or one of another program.
    Foreign,
    /// The file was written by a newer release.
    Newer,
    /// Another process holds the file for too long.
    Busy,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cause: None,
        }
    }

    /// What SQLite's error means for a file that is being opened.
    pub(crate) fn of_file(path: &Path, error: sqlx::Error) -> Self {
        let file = path.display();
        let (kind, message) = match sqlite_code(&error) {
            Some(sqlite::NOTADB) => (
                OpenErrorKind::Foreign,
                format!("{file} is not a SQLite database"),
            ),
            Some(sqlite::CORRUPT) => (OpenErrorKind::Unreadable, format!("{file} is damaged")),
            Some(sqlite::READONLY | sqlite::PERM) => (
                OpenErrorKind::Unreadable,
                format!("{file} may not be written"),
            ),
            Some(sqlite::BUSY | sqlite::LOCKED) => {
                (OpenErrorKind::Busy, format!("another process holds {file}"))
            }
            _ => (OpenErrorKind::Unreadable, format!("failed to open {file}")),
        };
        Self {
            kind,
            message,
            cause: Some(error),
        }
    }

    /// How it failed.
    pub const fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

/// Why the database can not serve the store now; the text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CheckError {
    kind: CheckErrorKind,
    message: String,
    #[source]
    cause: Option<sqlx::Error>,
}

/// What is wrong with the database, as far as somebody would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckErrorKind {
    /// It does not answer.
    Unreachable,
    /// It answers, but refuses this user or this database.
    Refused,
    /// It has not the tables of the store.
    SchemaMissing,
    /// It follows another server, and does not know what is committed.
    Standby,
    /// Nothing says what changed rows of a table write.
    Untold,
}

impl CheckError {
    pub(crate) fn new(kind: CheckErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cause: None,
        }
    }

    pub(crate) fn of(error: sqlx::Error) -> Self {
        let refused = sqlstate(&error).as_deref().and_then(refused);
        let (kind, message) = if let Some(why) = refused {
            (CheckErrorKind::Refused, why)
        } else if let Some(why) = tls::refused(&error) {
            (CheckErrorKind::Unreachable, why)
        } else {
            (CheckErrorKind::Unreachable, "the database does not answer")
        };
        Self {
            kind,
            message: message.into(),
            cause: Some(error),
        }
    }

    /// The same, of a statement that stands in a file.
    pub(crate) fn in_file(self, file: &str) -> Self {
        let message = format!("{file}: {}", self.message);
        Self { message, ..self }
    }

    /// What is wrong.
    pub const fn kind(&self) -> CheckErrorKind {
        self.kind
    }
}

/// What a database says that answers and does not let us in or at its tables, by PostgreSQL's code:
/// each of these has another remedy.
fn refused(code: &str) -> Option<&'static str> {
    match code {
        "3D000" => Some("the database refuses us: the server has no database of this name"),
        // For a user that there is not as well: who asks is not to learn which users there are.
        "28P01" => Some("the database refuses us: the password is not the one of this user"),
        "28000" => Some(
            "the database refuses us: this user may not connect from here (a role that is not there \
             or may not log in, or a line of pg_hba.conf)",
        ),
        "42501" => Some("the database refuses us: this user lacks a right"),
        _ => ["28", "3D", "42"]
            .iter()
            .any(|class| code.starts_with(class))
            .then_some("the database refuses us"),
    }
}

/// Why the demo store or the change log was not installed or removed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InstallError {
    kind: InstallErrorKind,
    message: String,
    #[source]
    cause: Option<sqlx::Error>,
}

/// Why it was not installed or removed, as far as somebody would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallErrorKind {
    /// Tables of these names are there already.
    TablesExist,
    /// The embedded database has the demo store from its creation.
    Embedded,
    /// There is no connection to the database.
    Unreachable,
    /// The database refused a statement.
    Refused,
    /// The store's tables are not there.
    TablesMissing,
    /// Others hold a table for too long; calling again goes on.
    Busy,
    /// Nothing says what changed rows of a table write.
    Untold,
}

impl InstallError {
    pub(crate) fn new(kind: InstallErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cause: None,
        }
    }

    /// Why it was not installed.
    pub const fn kind(&self) -> InstallErrorKind {
        self.kind
    }
}

impl From<CheckError> for InstallError {
    fn from(error: CheckError) -> Self {
        let kind = match error.kind {
            CheckErrorKind::Unreachable => InstallErrorKind::Unreachable,
            CheckErrorKind::Untold => InstallErrorKind::Untold,
            CheckErrorKind::Refused | CheckErrorKind::SchemaMissing | CheckErrorKind::Standby => {
                InstallErrorKind::Refused
            }
        };
        Self {
            kind,
            message: error.message,
            cause: error.cause,
        }
    }
}

impl From<sqlx::Error> for InstallError {
    fn from(error: sqlx::Error) -> Self {
        let (kind, message) = match recovery(&error) {
            Recovery::Disconnected => (
                InstallErrorKind::Unreachable,
                "the database does not answer",
            ),
            Recovery::Transient | Recovery::Fatal => (
                InstallErrorKind::Refused,
                "the database refused a statement of the installation",
            ),
        };
        Self {
            kind,
            message: message.into(),
            cause: Some(error),
        }
    }
}

/// What may help after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovery {
    Transient,
    Disconnected,
    Fatal,
}

/// The error of a load as the engine wants it.
pub(crate) fn source_error(statement: &str, error: sqlx::Error) -> SourceError {
    match recovery(&error) {
        Recovery::Transient => SourceError::transient(format!("{statement} failed")),
        Recovery::Disconnected => {
            SourceError::disconnected(format!("no connection to the database for {statement}"))
        }
        Recovery::Fatal => SourceError::fatal(format!("{statement} can not be answered")),
    }
    .caused_by(error)
}

/// What may help after an error, in the engine's words.
pub(crate) fn recovery_of(error: &sqlx::Error) -> tingkat::error::Recovery {
    match recovery(error) {
        Recovery::Transient => tingkat::error::Recovery::Retry,
        Recovery::Disconnected => tingkat::error::Recovery::Reconnect,
        Recovery::Fatal => tingkat::error::Recovery::GiveUp,
    }
}

/// Whether the connection on which it happened is of further use.
pub(crate) fn spares_connection(error: &sqlx::Error) -> bool {
    match recovery(error) {
        Recovery::Disconnected => false,
        Recovery::Transient | Recovery::Fatal => match sqlstate(error).as_deref() {
            // Only a new connection plans anew after its prepared statements became invalid.
            Some("0A000" | "26000") | None => false,
            Some(_) => true,
        },
    }
}

/// A statement that does not fit the database (class 42: a table renamed by a migration, a right
/// withdrawn) is no final answer: somebody will repair it, and until then an older value is better
/// than an error page. Final is what concerns the values themselves.
fn recovery(error: &sqlx::Error) -> Recovery {
    use sqlx::Error as E;
    if let Some(code) = sqlstate(error) {
        return recovery_of_sqlstate(&code);
    }
    if matches!(
        error,
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed
    ) {
        return Recovery::Disconnected;
    }
    if matches!(
        error,
        E::Encode(_) | E::Decode(_) | E::ColumnDecode { .. } | E::InvalidArgument(_)
    ) {
        return Recovery::Fatal;
    }
    Recovery::Transient
}

/// Classes of PostgreSQL's appendix A, "PostgreSQL Error Codes".
fn recovery_of_sqlstate(code: &str) -> Recovery {
    match (code.get(..2), code) {
        // Connection exceptions; shutting down, crashed, starting; wrong password, no such database.
        (Some("08" | "28" | "3D"), _) | (_, "57P01" | "57P02" | "57P03" | "57P05") => {
            Recovery::Disconnected
        }
        // Data exceptions: a key that the column's type can not hold.
        (Some("22"), _) => Recovery::Fatal,
        _ => Recovery::Transient,
    }
}

/// SQLite's codes are decimal numbers of at most four digits; SQLSTATEs have five characters.
fn is_sqlstate(code: &str) -> bool {
    code.len() == 5
}

pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    is_sqlstate(&code).then(|| code.into_owned())
}

/// SQLite's primary result code.
pub(crate) fn sqlite_code(error: &sqlx::Error) -> Option<u8> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    u8::try_from(extended & 0xff).ok()
}

/// Primary result codes of SQLite (sqlite.org/rescode.html).
pub(crate) mod sqlite {
    pub(crate) const PERM: u8 = 3;
    pub(crate) const BUSY: u8 = 5;
    pub(crate) const LOCKED: u8 = 6;
    pub(crate) const READONLY: u8 = 8;
    pub(crate) const CORRUPT: u8 = 11;
    pub(crate) const FULL: u8 = 13;
    pub(crate) const CONSTRAINT: u8 = 19;
    pub(crate) const NOTADB: u8 = 26;
}

/// A column of a statement's result that is not what its file promises.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}` {problem}")]
pub(crate) struct ColumnError {
    pub(crate) column: &'static str,
    pub(crate) problem: String,
}

impl ColumnError {
    pub(crate) fn new(column: &'static str, problem: impl fmt::Display) -> Self {
        Self {
            column,
            problem: problem.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_what_may_help() {
        for (code, expected) in [
            ("08006", Recovery::Disconnected),
            ("28P01", Recovery::Disconnected),
            ("57P01", Recovery::Disconnected),
            ("57014", Recovery::Transient),
            ("40001", Recovery::Transient),
            ("53300", Recovery::Transient),
            ("42P01", Recovery::Transient),
            ("22P02", Recovery::Fatal),
        ] {
            assert_eq!(recovery_of_sqlstate(code), expected, "{code}");
        }
        assert_eq!(recovery(&sqlx::Error::PoolTimedOut), Recovery::Disconnected);
    }

    #[test]
    fn a_database_that_is_not_there_a_wrong_password_and_a_missing_right_are_told_apart() {
        let codes = ["3D000", "28P01", "28000", "42501", "42P01"];
        let told: Vec<&str> = codes.iter().filter_map(|code| refused(code)).collect();
        assert_eq!(told.len(), codes.len());
        for (at, one) in told.iter().enumerate() {
            assert!(one.starts_with("the database refuses us"), "{one}");
            assert!(!told[..at].contains(one), "{one}");
        }
        assert_eq!(refused("57P03"), None);
    }
}
