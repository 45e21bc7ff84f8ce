//! What came of a request.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

/// A whole answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// From before the connection was made, or taken up again, to the last byte.
    pub took: Duration,
}

impl Answer {
    /// The value of a header; nothing for one that is not there or is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn json(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as a text, with replacement characters where it is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct AskError {
    kind: AskErrorKind,
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// How far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskErrorKind {
    /// The request can not be written down; nobody was asked.
    Malformed,
    /// No connection was made.
    Unreachable,
    /// The connection ended before the answer began.
    Unanswered,
    /// The connection ended in the middle of the answer.
    CutShort,
    /// The body is larger than the bound.
    TooLarge,
    /// The whole answer was not there in time.
    Deadline,
}

impl AskErrorKind {
    const fn what(self) -> &'static str {
        match self {
            Self::Malformed => "the request is malformed",
            Self::Unreachable => "failed to connect",
            Self::Unanswered => "the connection ended before the answer began",
            Self::CutShort => "the connection ended in the middle of the answer",
            Self::TooLarge => "the body of the answer is too large",
            Self::Deadline => "no answer within the deadline",
        }
    }
}

impl AskError {
    /// How far it went.
    pub const fn kind(&self) -> AskErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: AskErrorKind) -> Self {
        Self {
            kind,
            what: kind.what(),
            source: None,
        }
    }

    /// For `map_err`.
    pub(crate) fn of<E>(kind: AskErrorKind) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |source| Self {
            source: Some(source.into()),
            ..Self::new(kind)
        }
    }
}
