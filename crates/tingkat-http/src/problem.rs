//! Errors as problem documents (RFC 9457).
//!
//! The one place that turns an error of a look-up into a response. A document says what was found
//! and what would be right; it never has the text of an error from the database or from a panic.

mod code;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tingkat::error::{GetError, GetErrorKind};

use crate::edge::Ids;

pub use code::Code;

/// The media type of a problem document.
pub(crate) const MEDIA_TYPE_NAME: &str = "application/problem+json";
pub(crate) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static(MEDIA_TYPE_NAME);

/// Where an error gives no better guess, asking again makes sense after this long.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after: Option<Duration>,
    members: BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(flatten)]
    members: &'a BTreeMap<&'static str, Value>,
}

impl Problem {
    /// A problem; `detail` says what was found in this request and what would be right.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after: None,
            members: BTreeMap::new(),
        }
    }

    /// The answer to a bug: says nothing about it.
    pub(crate) fn internal() -> Self {
        Self::new(
            Code::Internal,
            "the server met an unexpected error; the request may be sent again",
        )
    }

    /// Adds a member of its own to the document; its name has underscores.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.insert(name, value.into());
        self
    }

    /// Says when asking again makes sense.
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// What went wrong.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// When asking again makes sense.
    pub(crate) const fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The document, as caches may keep it: it names no request.
    pub(crate) fn body(&self) -> Bytes {
        self.document(None)
    }

    fn document(&self, ids: Option<&Ids>) -> Bytes {
        let document = Document {
            r#type: self.code.reference(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.name(),
            request_id: ids.map(|ids| ids.request_id().to_string()),
            trace_id: ids.map(|ids| ids.trace_id().to_string()),
            members: &self.members,
        };
        // Every key is a string and writing to memory does not fail.
        Bytes::from(serde_json::to_vec(&document).unwrap_or_default())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.document(Ids::current().as_ref());
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        headers.insert(header::CACHE_CONTROL, crate::reply::NO_STORE);
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, Code::BodyTooSlow | Code::BodyTooLarge) {
            // What still comes of the body is not read as the next request (RFC 9110, 15.5.9 and
            // 15.5.14), so the client is told not to send one.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(delay) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(delay)));
        }
        response
    }
}

/// Rounded up, and never "at once": that would be a loop.
fn whole_seconds(delay: Duration) -> u64 {
    let rounded = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    rounded.max(1)
}

impl From<GetError> for Problem {
    fn from(error: GetError) -> Self {
        // Not a warning: a failing source would write one line per request. Health says why it fails.
        tracing::debug!(error = &error as &dyn std::error::Error, "a look-up failed");
        Self::from_kind(error.kind())
    }
}

impl Problem {
    /// What a look-up that failed so is answered with.
    pub(crate) fn from_kind(kind: GetErrorKind) -> Self {
        match kind {
            GetErrorKind::Overloaded { retry_after } => Self::new(
                Code::Overloaded,
                "too many look-ups are waiting for the database",
            )
            .retry_after(retry_after),
            GetErrorKind::Deadline => Self::new(
                Code::DeadlineExceeded,
                "the database did not answer within the hard deadline",
            ),
            GetErrorKind::Source => Self::new(
                Code::SourceFailed,
                "nothing is cached, and the database answered with an error",
            )
            .retry_after(SOON),
            GetErrorKind::NotCurrent => Self::new(
                Code::NotCurrent,
                "the cached answer is not known to be current",
            )
            .retry_after(SOON),
            GetErrorKind::NotCached => Self::new(
                Code::NotCached,
                "no tier holds the answer, and the request does not allow loading it",
            ),
            GetErrorKind::ShutDown => {
                Self::new(Code::ShuttingDown, "this node is stopping").retry_after(SOON)
            }
            // The list of the library may grow; until its new kind has a code here, it is a bug.
            _ => Self::internal(),
        }
    }
}

/// As much of a text from a request as fits into a sentence.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_rounded_up_and_never_at_once() {
        let seconds = [0, 1, 999, 1000, 1001, 59_999]
            .map(Duration::from_millis)
            .map(whole_seconds);
        assert_eq!(seconds, [1, 1, 1, 1, 2, 60]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("50450"), "50450");
        let cut = shortened(&"é".repeat(200));
        assert_eq!(cut.chars().count(), 81);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn codes_are_distinct_words_with_underscores() {
        for (index, code) in Code::ALL.iter().enumerate() {
            let name = code.name();
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{name}"
            );
            assert!(
                Code::ALL[..index].iter().all(|other| other.name() != name),
                "{name}"
            );
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }
}
