//! A server that listens at a file and not at an address.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;

use crate::answer::{Answer, AskError, AskErrorKind};
use crate::connection::Connection;

/// Far more than a probe has to say.
const MOST_BODY_BYTES: usize = 1 << 20;

/// Asks an HTTP/1.1 server behind a UNIX socket for a path, on a connection of its own.
///
/// # Errors
/// There is no whole answer within the time; an answer with an error status is an answer.
pub async fn ask_socket(socket: &Path, path: &str, within: Duration) -> Result<Answer, AskError> {
    let request = Request::get(path)
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::new()))
        .map_err(AskError::of(AskErrorKind::Malformed))?;
    let started = SystemClock.now();
    let asking = async {
        let mut connection = Connection::open_socket(socket).await?;
        connection.exchange(request, MOST_BODY_BYTES).await
    };
    let answer = tokio::time::timeout(within, asking).await;
    let answer = answer.unwrap_or_else(|_| Err(AskError::new(AskErrorKind::Deadline)));
    let (status, headers, body) = answer?;
    Ok(Answer {
        status,
        headers,
        body,
        took: SystemClock.now().since(started),
    })
}
