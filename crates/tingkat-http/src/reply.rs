//! The answer of a look-up as a response: its bytes, and the headers that tell where they are from.
//!
//! There is no `Last-Modified`: a product shows rows that were written at other times than its own,
//! and a price that changes by the clock. The tag follows the bytes.

use std::convert::Infallible;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body as ResponseBody, HttpBody};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::body::Frame;
use jiff::Timestamp;
use serde::Serialize;
use tingkat::Trail;
use tingkat_shop::body::{Body, Effort, PACK_ABOVE, Packed};
use tokio::sync::Semaphore;

use crate::cache_status::cache_status;
use crate::encoding::{Encoding, GZIP};
use crate::etag;
use crate::problem::{self, Problem};

pub(crate) const CACHE_STATUS: header::HeaderName = header::HeaderName::from_static("cache-status");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Nobody keeps what is true for a moment alone.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Whoever asks for another encoding gets other bytes.
const BY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// Headers of a look-up and those that are added on its way out.
const HEADERS: usize = 12;

/// A longer body is not packed between other requests, but on a thread of its own.
const PACKED_IN_PLACE: usize = 16 << 10;

/// Bodies that are packed on threads of their own at a time; further ones go out as they are.
static PACKERS: Semaphore = Semaphore::const_new(2);

/// For how many seconds a cache on the way to the client may keep an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep(u32);

impl Keep {
    /// It must ask whether the answer changed.
    pub(crate) const REVALIDATE: Self = Self(0);
    /// A minute, as long as "there is no such thing" is believed here.
    pub(crate) const MINUTE: Self = Self(60);

    /// Whole seconds, up to a hundred years of them.
    pub(crate) fn of(max_age: Duration) -> Self {
        Self(u32::try_from(max_age.as_secs()).unwrap_or(u32::MAX))
    }

    /// Not longer than that.
    pub(crate) fn at_most(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Not beyond an instant at which the answer changes by itself.
    pub(crate) fn until(self, changes_at: Option<Timestamp>, now: Timestamp) -> Self {
        let Some(at) = changes_at else { return self };
        let left = u32::try_from(at.duration_since(now).as_secs()).unwrap_or(0);
        Self(self.0.min(left))
    }

    fn directives(self) -> HeaderValue {
        match self.0 {
            0 => HeaderValue::from_static("no-cache"),
            60 => HeaderValue::from_static("public, max-age=60"),
            86_400 => HeaderValue::from_static("public, max-age=86400"),
            // Digits are always a header value.
            seconds => HeaderValue::try_from(format!("public, max-age={seconds}"))
                .unwrap_or(HeaderValue::from_static("no-cache")),
        }
    }
}

/// The answer of a look-up, whether it found the thing or not.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    status: StatusCode,
    media_type: HeaderValue,
    body: Content<'a>,
    keep: Keep,
    trail: Trail,
}

/// Where the bytes of an answer are.
#[derive(Debug)]
enum Content<'a> {
    /// Beside the value, for every answer.
    Kept(&'a Body),
    /// The same, while others may replace it.
    Shared(Arc<Body>),
    /// For this answer.
    Made(Body),
}

impl Content<'_> {
    /// Whether its packed form is made once for many answers.
    const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_) | Self::Shared(_))
    }
}

impl Deref for Content<'_> {
    type Target = Body;

    fn deref(&self) -> &Body {
        match self {
            Self::Kept(body) => body,
            Self::Shared(body) => body,
            Self::Made(body) => body,
        }
    }
}

impl<'a> Reply<'a> {
    /// What was looked up is there, and so is its body.
    pub(crate) const fn kept(body: &'a Body, keep: Keep, trail: Trail) -> Self {
        Self {
            status: StatusCode::OK,
            media_type: JSON,
            body: Content::Kept(body),
            keep,
            trail,
        }
    }

    /// The same, of a body that may be replaced meanwhile.
    pub(crate) const fn shared(body: Arc<Body>, keep: Keep, trail: Trail) -> Self {
        Self {
            status: StatusCode::OK,
            media_type: JSON,
            body: Content::Shared(body),
            keep,
            trail,
        }
    }

    /// What was looked up is there.
    pub(crate) fn found(body: &impl Serialize, keep: Keep, trail: Trail) -> Result<Self, Problem> {
        Ok(Self::of_json(json(body)?, keep, trail))
    }

    /// What was looked up is there, and is JSON already.
    pub(crate) fn of_json(body: impl Into<Bytes>, keep: Keep, trail: Trail) -> Self {
        Self {
            status: StatusCode::OK,
            media_type: JSON,
            body: Content::Made(Body::new(body)),
            keep,
            trail,
        }
    }

    /// It is known not to exist, and the answer has a shape of its own.
    pub(crate) fn absent(body: &impl Serialize, keep: Keep, trail: Trail) -> Result<Self, Problem> {
        let found = Self::found(body, keep, trail)?;
        Ok(Self {
            status: StatusCode::NOT_FOUND,
            ..found
        })
    }

    /// It is known not to exist, and that is a problem document.
    pub(crate) fn absent_problem(problem: &Problem, keep: Keep, trail: Trail) -> Self {
        Self {
            status: problem.code().status(),
            media_type: problem::MEDIA_TYPE,
            ..Self::of_json(problem.body(), keep, trail)
        }
    }

    /// The response to a request with these headers: without the body if the client holds it, and
    /// packed if it wants that.
    pub(crate) async fn to(self, request: &HeaderMap) -> Response {
        let encoding = Encoding::of(request);
        if let Some(response) = self.in_place(request, encoding) {
            return response;
        }
        let permit = match encoding {
            Encoding::GzipOnly => PACKERS.acquire().await.ok(),
            Encoding::Gzip | Encoding::Identity => PACKERS.try_acquire().ok(),
        };
        if permit.is_none() {
            return self.whole(None);
        }
        let effort = if self.body.is_kept() {
            Effort::Once
        } else {
            Effort::EachTime
        };
        let bytes = self.body.bytes().clone();
        let packing = move || Packed::of(&bytes, effort);
        let packed = tokio::task::spawn_blocking(packing).await.ok();
        drop(permit);
        let kept = packed.clone().and_then(|packed| self.body.keep(packed));
        match encoding {
            Encoding::GzipOnly => self.whole(packed.as_ref()),
            Encoding::Gzip | Encoding::Identity => self.whole(kept),
        }
    }

    /// The same, if nothing long must be packed first.
    pub(crate) fn at_once(&self, request: &HeaderMap) -> Option<Response> {
        self.in_place(request, Encoding::of(request))
    }

    fn in_place(&self, request: &HeaderMap, encoding: Encoding) -> Option<Response> {
        // What is not there has one form, and conditions apply only to what would be a success
        // (RFC 9110, 13.2.1).
        if !self.status.is_success() {
            return Some(self.whole(None));
        }
        if request.contains_key(header::IF_NONE_MATCH)
            && let Some(tag) = self.held(request, encoding)
        {
            return Some(self.not_modified(tag));
        }
        let length = self.body.bytes().len();
        match (encoding, self.body.packed()) {
            (Encoding::Identity, _) | (Encoding::Gzip, Some(None)) => Some(self.whole(None)),
            (Encoding::Gzip | Encoding::GzipOnly, Some(Some(packed))) => {
                Some(self.whole(Some(packed)))
            }
            (Encoding::Gzip, None) if length <= PACK_ABOVE => Some(self.whole(None)),
            (Encoding::Gzip, None) if length <= PACKED_IN_PLACE && self.body.is_kept() => {
                let packed = Packed::of(self.body.bytes(), Effort::Once);
                Some(self.whole(self.body.keep(packed)))
            }
            (Encoding::Gzip, None) | (Encoding::GzipOnly, _) => None,
        }
    }

    /// The tag that the client holds, of a form that it may be answered with.
    fn held(&self, request: &HeaderMap, encoding: Encoding) -> Option<Bytes> {
        let (plain, packed) = (self.body.tag(), self.body.packed_tag());
        let both = [plain, packed];
        let [plain, packed] = &both;
        let tags = match encoding {
            Encoding::Identity => std::slice::from_ref(plain),
            Encoding::Gzip => &both,
            Encoding::GzipOnly => std::slice::from_ref(packed),
        };
        etag::held(request, tags).cloned()
    }

    /// The response with its body, in the packed form if there is one to be sent.
    fn whole(&self, packed: Option<&Packed>) -> Response {
        let mut headers = self.headers();
        headers.insert(header::CONTENT_TYPE, self.media_type.clone());
        let (bytes, length, tag) = match packed {
            Some(packed) => {
                headers.insert(header::CONTENT_ENCODING, GZIP);
                (
                    packed.bytes(),
                    packed.length().clone(),
                    self.body.packed_tag(),
                )
            }
            None => (self.body.bytes(), self.body.length(), self.body.tag()),
        };
        headers.insert(header::CONTENT_LENGTH, header_value(length));
        if self.status.is_success() {
            headers.insert(header::ETAG, header_value(tag));
        }
        response(self.status, headers, bytes.clone().into())
    }

    fn not_modified(&self, tag: Bytes) -> Response {
        let mut headers = self.headers();
        headers.insert(header::ETAG, header_value(tag));
        // Of unknown length: that of the body which is not sent is nobody's business, and none may
        // be claimed but that (RFC 9110, 8.6).
        response(StatusCode::NOT_MODIFIED, headers, ResponseBody::new(Unsent))
    }

    /// What is told of the answer, however it is sent.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(CACHE_STATUS, cache_status(&self.trail));
        headers.insert(header::AGE, age(self.trail.age.as_secs()));
        // What is not known to be current is for this client alone.
        let keep = if self.trail.stale {
            HeaderValue::from_static("private, no-cache")
        } else {
            self.keep.directives()
        };
        headers.insert(header::CACHE_CONTROL, keep);
        if self.status.is_success() {
            headers.insert(header::VARY, BY_ENCODING);
        }
        headers
    }
}

/// A body of unknown length of which nothing is sent.
struct Unsent;

impl HttpBody for Unsent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A text of digits, letters and quotes as a header, shared and not copied.
pub(crate) fn header_value(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static(""))
}

/// Most answers of memory were checked within the last seconds; a header is made for others alone.
fn age(seconds: u64) -> HeaderValue {
    const YOUNG: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let young = usize::try_from(seconds).ok().and_then(|it| YOUNG.get(it));
    young.map_or_else(
        || HeaderValue::from(seconds),
        |it| HeaderValue::from_static(it),
    )
}

/// An answer that is only true at this moment.
pub(crate) fn of_now(status: StatusCode, body: &impl Serialize) -> Result<Response, Problem> {
    let headers = [
        (header::CONTENT_TYPE, JSON),
        (header::CACHE_CONTROL, NO_STORE),
    ];
    Ok((status, headers, json(body)?).into_response())
}

/// The JSON of a body.
pub(crate) fn json(body: &impl Serialize) -> Result<Bytes, Problem> {
    // Without the room that the text had to grow: it may be kept for long.
    let whole = |text: Vec<u8>| Bytes::from(text.into_boxed_slice());
    serde_json::to_vec(body).map(whole).map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "failed to encode a body"
        );
        Problem::internal()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_not_kept_beyond_its_next_change() {
        const DAY: Keep = Keep(86_400);
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(DAY.until(None, now), DAY);
        assert_eq!(DAY.until(at("2026-05-01T12:01:00.9Z"), now), Keep::MINUTE);
        assert_eq!(
            DAY.until(at("2026-05-01T12:00:00.9Z"), now),
            Keep::REVALIDATE
        );
        assert_eq!(DAY.until(at("2026-05-01T11:00:00Z"), now), Keep::REVALIDATE);
        assert_eq!(
            Keep::MINUTE.until(at("2026-06-01T11:00:00Z"), now),
            Keep::MINUTE
        );
        assert_eq!(
            DAY.until(at("2026-05-01T12:00:40Z"), now).directives(),
            "public, max-age=40"
        );
    }
}
