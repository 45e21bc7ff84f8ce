//! What can be said against a request before any route sees it: its address, and the length of its
//! body. And what the router leaves bare: a method that a route does not answer.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{Method, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use percent_encoding::percent_decode_str;

use crate::limits::Limits;
use crate::problem::{Code, Problem, shortened};

/// Of a body that is too large so many times the largest allowed is still taken in, for so long.
const UNWANTED_BODIES: u64 = 4;
const UNWANTED_TIME: Duration = Duration::from_secs(2);

pub(super) fn check(request: &Request, limits: &Limits) -> Result<(), Problem> {
    check_uri(request.uri(), limits)?;
    check_body(request, limits)
}
fn check_uri(uri: &Uri, limits: &Limits) -> Result<(), Problem> {
    let bytes = uri.path_and_query().map_or(0, |text| text.as_str().len());
    if bytes > limits.uri_bytes {
        let most = limits.uri_bytes;
        return Err(Problem::new(
            Code::UriTooLong,
            format!("path and query have {bytes} bytes; at most {most} are read"),
        )
        .with("most_bytes", most));
    }
    check_encoding("path", uri.path())?;
    check_encoding("query", uri.query().unwrap_or_default())
}

fn check_encoding(part: &str, text: &str) -> Result<(), Problem> {
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            let found: String = text.get(at..).unwrap_or_default().chars().take(3).collect();
            return Err(Problem::new(
                Code::UriMalformed,
                format!(
                    "found {found:?} in the {part}; `%` is followed by two hexadecimal digits, and `%` itself is `%25`"
                ),
            ));
        }
    }
    if percent_decode_str(text).decode_utf8().is_err() {
        return Err(Problem::new(
            Code::UriMalformed,
            format!("the {part} is not UTF-8 once it is decoded; encode the bytes of UTF-8"),
        ));
    }
    Ok(())
}

/// Looks at what the request declares: a body that nobody reads costs nothing.
fn check_body(request: &Request, limits: &Limits) -> Result<(), Problem> {
    let bytes = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match bytes {
        Some(bytes) if bytes > limits.body_bytes => {
            let most = limits.body_bytes;
            Err(Problem::new(
                Code::BodyTooLarge,
                format!("the body has {bytes} bytes; at most {most} are read"),
            )
            .with("most_bytes", most))
        }
        _ => Ok(()),
    }
}

/// Reads what is sent although nobody wants it, up to a point: most clients look for an answer only
/// when they have sent everything, and a connection that is closed before takes the answer along.
pub(super) async fn take_in(request: Request, limits: &Limits) {
    // Whoever asks before sending is answered before sending.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let most = limits.body_bytes.saturating_mul(UNWANTED_BODIES);
    let mut chunks = request.into_body().into_data_stream();
    let all = async {
        let mut taken = 0_u64;
        while let Some(Ok(chunk)) = chunks.next().await {
            taken = taken.saturating_add(chunk.len() as u64);
            if taken > most {
                break;
            }
        }
    };
    // Slower than this, it is closed in the middle.
    let _ = tokio::time::timeout(UNWANTED_TIME, all).await;
}

/// The router says which methods are allowed in a header, and nothing in the body.
pub(super) fn method_not_allowed(method: &Method, bare: &Response) -> Response {
    let allow = bare.headers().get(header::ALLOW);
    let allowed = allow
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let methods: Vec<&str> = allowed.split(',').map(str::trim).collect();
    let found = shortened(method.as_str());
    let detail = format!(
        "found {found}; this route answers {}",
        methods.join(" and ")
    );
    let problem = Problem::new(Code::MethodNotAllowed, detail).with("allowed_methods", methods);
    let mut response = problem.into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}
