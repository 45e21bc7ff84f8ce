//! Every operation of the interface.

mod categories;
mod operating;
mod postcodes;
mod probes;
mod products;
mod warming;

use axum::http::StatusCode;

use super::header_field;
use super::operation::{Answer, Content, Operation};
use crate::problem::Code;

/// All of them, those of a group together.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    [
        products::OPERATIONS,
        categories::OPERATIONS,
        postcodes::OPERATIONS,
        operating::OPERATIONS,
        warming::OPERATIONS,
        probes::OPERATIONS,
    ]
    .into_iter()
    .flatten()
}

/// What any request may get.
const EVERY: &[Code] = &[
    Code::UriMalformed,
    Code::UriTooLong,
    Code::BodyTooLarge,
    Code::RequestTimeout,
    Code::RateLimited,
    Code::Overloaded,
    Code::Internal,
];

/// What a write may get: one that is given up is not told so, because nobody knows what it did.
const WRITE: &[Code] = &[
    Code::UriMalformed,
    Code::UriTooLong,
    Code::BodyTooLarge,
    Code::RateLimited,
    Code::Overloaded,
    Code::Internal,
];

/// What a probe may get: it is refused for nothing that others ask.
const PROBE: &[Code] = &[
    Code::UriMalformed,
    Code::UriTooLong,
    Code::BodyTooLarge,
    Code::RequestTimeout,
    Code::Internal,
];

/// What a query may get, where the route has no parameters.
const NO_QUERY: &[Code] = &[Code::ParameterUnknown];

/// What a query may get.
const QUERY: &[Code] = &[
    Code::ParameterUnknown,
    Code::ParameterRepeated,
    Code::ParameterMalformed,
];

/// What a request may get that needs a token where there is one for look-ups.
const READ: &[Code] = &[Code::TokenRequired];

/// What a request may get that needs a token.
const TOKEN: &[Code] = &[Code::TokenRequired, Code::TokenScope, Code::TokensUnset];

/// What a look-up may get.
const LOOK_UP: &[Code] = &[
    Code::TokenRequired,
    Code::PositionMalformed,
    Code::SourceFailed,
    Code::NotCurrent,
    Code::ShuttingDown,
    Code::DeadlineExceeded,
    Code::NotCached,
];

/// What a body may get.
const BODY: &[Code] = &[
    Code::MediaTypeUnknown,
    Code::BodyMalformed,
    Code::BodyBroken,
    Code::BodyTooSlow,
];

/// What a request for many products may get.
const BATCH: &[Code] = &[
    Code::IdsEmpty,
    Code::IdsTooMany,
    Code::ProductIdMalformed,
    Code::BatchIncomplete,
];

/// A look-up that found this.
const fn found(words: &'static str, shape: &'static str) -> Answer {
    Answer {
        status: StatusCode::OK,
        words,
        headers: header_field::LOOK_UP,
        content: Content::Shape(shape),
    }
}

/// What the client holds is still the answer.
const NOT_MODIFIED: Answer = Answer {
    status: StatusCode::NOT_MODIFIED,
    words: "What the client holds by `If-None-Match` is still the answer.",
    headers: header_field::HELD,
    content: Content::Nothing,
};

/// What is true for a moment alone.
const fn moment(words: &'static str, shape: &'static str) -> Answer {
    Answer {
        status: StatusCode::OK,
        words,
        headers: header_field::MOMENT,
        content: Content::Shape(shape),
    }
}

/// An example of an answer, from its file.
macro_rules! example {
    ($name:literal, $words:literal, $address:literal, $status:ident $(, $body:literal)?) => {
        $crate::openapi::operation::Example {
            name: $name,
            words: $words,
            address: $address,
            status: axum::http::StatusCode::$status,
            body: [$(Some($body),)? None][0],
            answer: include_str!(concat!("../examples/", $name, ".json")),
        }
    };
}
use example;
