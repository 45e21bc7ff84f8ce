//! What an error of the client means to the cache.

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use tingkat::error::{RemoteError, RemoteErrorKind};

use crate::tls;

/// What a database number means to a cluster.
pub(crate) const NO_DATABASES: &str = "a cluster has no databases: take the number off redis.url";

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
    if let Some(meaning) = tls::explain(error) {
        return meaning;
    }
    let said = error.clone().into_server_errors();
    // Of a pipeline the first refusal speaks for all.
    if let Some((_, said)) = said.as_deref().and_then(<[_]>::first) {
        let details = said.details().unwrap_or_default();
        // What follows is the command as it was sent, with its keys and cells.
        let details = details.split(", with args").next().unwrap_or_default();
        return format!("{} {details}", said.code()).trim_end().to_owned();
    }
    match error.detail() {
        Some(detail) if detail.contains("SELECT is not allowed in cluster mode") => {
            NO_DATABASES.to_owned()
        }
        Some(detail) => format!("{}: {detail}", error.category()),
        None => error.to_string(),
    }
}

/// The first of these answers that is an error.
pub(crate) fn first_in(answers: &[Value]) -> Option<RedisError> {
    answers.iter().find_map(|answer| {
        if let Value::ServerError(error) = answer {
            Some(RedisError::from(error.clone()))
        } else {
            None
        }
    })
}

/// Whether the key holds something that is not a string.
pub(crate) fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

/// Whether the server refuses all that could change its data, because it failed to save it.
pub(crate) fn can_not_save(error: &RedisError) -> bool {
    error.code() == Some("MISCONF")
}

/// Whether the user may not do this.
pub(crate) fn is_forbidden(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

/// Whether the server does not take writes, because it follows another one.
pub(crate) fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || describe(error).contains("READONLY")
}

/// Whether a slot has gone to another node, and is not just going there.
pub(crate) fn is_moved(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::Moved)
}

/// Whether the cluster as a whole refuses.
pub(crate) fn is_cluster_down(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ClusterDown)
}

/// Whether the server does not know what was asked of it.
pub(crate) fn is_unknown(error: &RedisError) -> bool {
    let text = describe(error);
    text.contains("unknown command") || text.contains("unknown subcommand")
}

fn refuses_writes_only(error: &RedisError) -> bool {
    let kinds = [ServerErrorKind::ReadOnly, ServerErrorKind::NoPerm].map(ErrorKind::Server);
    // Inside a script the code stands in the text of the error. A server may lack scripts.
    let texts = [
        "OOM",
        "MISCONF",
        "READONLY",
        "NOREPLICAS",
        "unknown command",
    ];
    let text = describe(error);
    kinds.contains(&error.kind()) || texts.iter().any(|part| text.contains(part))
}
