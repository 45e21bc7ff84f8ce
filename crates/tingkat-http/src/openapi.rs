//! The interface in words: what each route takes and answers, as OpenAPI 3.1 and as the page of
//! documentation.
//!
//! [`operations`] is the one table of them; it says nothing that a test does not hold against the
//! routes. `docs/openapi.json` is the same document, for those who read it without a server.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tingkat_shop::body::Body;

use crate::etag;
use crate::reply::{JSON, header_value};

mod document;
pub(crate) mod header_field;
pub(crate) mod operation;
pub(crate) mod operations;
pub(crate) mod parameter;
#[expect(dead_code, reason = "they are read by `ToSchema` alone")]
mod shapes;

/// It changes with the release only, but a client may meet nodes of two.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

static DOCUMENT: LazyLock<Body> = LazyLock::new(|| Body::new(openapi()));

/// The description of the whole interface, as `GET /openapi.json` answers it.
pub fn openapi() -> String {
    let document = document::document();
    // Every key is a string and writing to memory does not fail.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The shapes of bodies, by their names.
pub(crate) fn shapes() -> utoipa::openapi::Components {
    document::document().components.unwrap_or_default()
}

/// `GET /openapi.json`.
pub(crate) async fn serve(request: HeaderMap) -> Response {
    let tags = [DOCUMENT.tag()];
    let is_held = etag::held(&request, &tags).is_some();
    let [tag] = tags.map(header_value);
    let headers = [(header::CACHE_CONTROL, REVALIDATE), (header::ETAG, tag)];
    if is_held {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let media_type = [(header::CONTENT_TYPE, JSON)];
    (headers, media_type, DOCUMENT.bytes().clone()).into_response()
}
