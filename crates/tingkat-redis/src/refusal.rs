//! What an error of the client means to the cache.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tingkat::error::{RemoteError, RemoteErrorKind};

/// Whether a command was to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Translates; the text names the server's own code, and never a key or a secret.
pub(crate) fn translate(error: &RedisError, access: Access) -> RemoteError {
    let kind = if error.is_timeout() {
        RemoteErrorKind::Timeout
    } else if is_connection_gone(error) {
        RemoteErrorKind::Disconnected
    } else if access == Access::Write && refuses_writes_only(error) {
        RemoteErrorKind::WriteRefused
    } else {
        RemoteErrorKind::Refused
    };
    RemoteError::new(kind, describe(error))
}

/// Whether the connection can not be used any more.
pub(crate) fn is_connection_gone(error: &RedisError) -> bool {
    !error.is_timeout()
        && (error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error())
}

/// One line for people.
pub(crate) fn describe(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, Some(detail)) => format!("{}: {detail}", error.category()),
        (None, None) => error.to_string(),
    }
}

/// Whether the key holds something that is not a string.
pub(crate) fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn refuses_writes_only(error: &RedisError) -> bool {
    let kinds = [ServerErrorKind::ReadOnly, ServerErrorKind::NoPerm].map(ErrorKind::Server);
    // Inside a script the code stands in the text of the error.
    let codes = ["OOM", "MISCONF", "READONLY", "NOREPLICAS"];
    let text = describe(error);
    kinds.contains(&error.kind()) || codes.iter().any(|code| text.contains(code))
}
