//! The answer of a look-up as a response: its bytes, and the headers that tell where they are from.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use tingkat::Trail;

use crate::cache_status::cache_status;
use crate::etag;
use crate::problem::{self, Problem};

const AGE: header::HeaderName = header::AGE;
pub(crate) const CACHE_STATUS: header::HeaderName = header::HeaderName::from_static("cache-status");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Nobody keeps what is true for a moment alone.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// For how long a cache on the way to the client may keep an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It must ask whether the answer changed: nobody may see the old price.
    Revalidate,
    /// A day: postcodes and states change a few times a year.
    Day,
    /// A minute, as long as "there is no such thing" is believed here.
    Minute,
}

impl Keep {
    const fn directives(self) -> &'static str {
        match self {
            Self::Revalidate => "no-cache",
            Self::Day => "public, max-age=86400",
            Self::Minute => "public, max-age=60",
        }
    }
}

/// The answer of a look-up, whether it found the thing or not.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    media_type: HeaderValue,
    body: Bytes,
    keep: Keep,
    trail: Trail,
}

impl Reply {
    /// What was looked up is there.
    pub(crate) fn found(body: &impl Serialize, keep: Keep, trail: Trail) -> Result<Self, Problem> {
        Ok(Self {
            status: StatusCode::OK,
            media_type: JSON,
            body: json(body)?,
            keep,
            trail,
        })
    }

    /// What was looked up is there, and is JSON already.
    pub(crate) fn of_json(body: impl Into<Bytes>, keep: Keep, trail: Trail) -> Self {
        Self {
            status: StatusCode::OK,
            media_type: JSON,
            body: body.into(),
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
            body: problem.body(),
            keep,
            trail,
        }
    }

    /// The response to a request with these headers: without the body if the client holds it.
    pub(crate) fn to(self, request: &HeaderMap) -> Response {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CACHE_STATUS, cache_status(&self.trail));
        headers.insert(AGE, HeaderValue::from(self.trail.age.as_secs()));
        // What is not known to be current is for this client alone.
        let keep = if self.trail.stale {
            Keep::Revalidate
        } else {
            self.keep
        };
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(keep.directives()),
        );
        // Conditions apply only to what would be a success (RFC 9110, 13.2.1).
        if self.status.is_success() {
            let tag = etag::of(&self.body);
            let is_held = etag::is_held(request, &tag);
            headers.insert(header::ETAG, tag);
            if is_held {
                // Of the body that is not sent; a 304 may not claim another length.
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
                return (StatusCode::NOT_MODIFIED, headers).into_response();
            }
        }
        headers.insert(header::CONTENT_TYPE, self.media_type);
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

/// The JSON of a body.
pub(crate) fn json(body: &impl Serialize) -> Result<Bytes, Problem> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "failed to encode a body"
        );
        Problem::internal()
    })
}
