//! Problem documents, with the closed list of codes.

use axum::http::StatusCode;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::Example;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Ref, Schema, Type};

use super::fields::{self, text};
use crate::openapi::header_field::{
    ABSENT, CACHE_CONTROL, HeaderField, RETRY_AFTER, WWW_AUTHENTICATE,
};
use crate::openapi::operation::Operation;
use crate::problem::Code;

/// Members that some problems have, and what they say.
const TEXTS: [(&str, &str); 3] = [
    ("parameter", "The query parameter that is meant."),
    ("request_id", "The `X-Request-Id` of the answer."),
    ("trace_id", "The trace that the request is a part of."),
];
const NUMBERS: [(&str, &str); 5] = [
    ("current_version", "The version that the product has."),
    ("failed", "How many could not be looked up."),
    ("most", "How many are allowed."),
    ("most_bytes", "How many bytes are read."),
    ("stock_quantity", "How many are left."),
];
const LISTS: [(&str, &str); 4] = [
    ("allowed_methods", "The methods that the route answers."),
    ("known_entities", "Every entity."),
    (
        "known_parameters",
        "The query parameters that the route has.",
    ),
    ("routes", "Every route."),
];

/// What every problem document is.
pub(super) fn shape() -> Schema {
    let whole = || ObjectBuilder::new().schema_type(Type::Integer);
    let list = || ArrayBuilder::new().items(text());
    let shape = ObjectBuilder::new()
        .description(Some(
            "An error (RFC 9457). `detail` is for people and changes; match on `code`, which is \
             never renamed.",
        ))
        .property(
            "type",
            text().description(Some("A place on the page `/problems`.")),
        )
        .property(
            "title",
            text().description(Some("The same few words for each code.")),
        )
        .property(
            "status",
            whole().minimum(Some(400_usize)).maximum(Some(599_usize)),
        )
        .property(
            "detail",
            text().description(Some("What was found, and what would be right.")),
        )
        .property("code", codes(Code::ALL));
    let shape = ["type", "title", "status", "detail", "code"]
        .into_iter()
        .fold(shape, ObjectBuilder::required);
    let shape = TEXTS.iter().fold(shape, |shape, (name, words)| {
        shape.property(*name, text().description(Some(*words)))
    });
    let shape = NUMBERS.iter().fold(shape, |shape, (name, words)| {
        shape.property(*name, whole().description(Some(*words)))
    });
    let shape = LISTS.iter().fold(shape, |shape, (name, words)| {
        shape.property(*name, list().description(Some(*words)))
    });
    shape.build().into()
}

/// A response that is always one of these problems.
pub(super) fn response(
    operation: &Operation,
    status: StatusCode,
    codes: &[Code],
) -> ResponseBuilder {
    headers(operation, status)
        .into_iter()
        .fold(ResponseBuilder::new(), |response, field| {
            response.header_ref(field.name, fields::header_ref(field))
        })
        .description(words(codes))
}

/// The headers of a problem with this status.
pub(crate) fn headers(operation: &Operation, status: StatusCode) -> Vec<&'static HeaderField> {
    // What a look-up knows not to exist is an answer like any other.
    let is_look_up = operation
        .answers
        .iter()
        .any(|answer| answer.status == StatusCode::NOT_MODIFIED);
    match status {
        StatusCode::NOT_FOUND if is_look_up => ABSENT.to_vec(),
        StatusCode::UNAUTHORIZED => vec![&CACHE_CONTROL, &WWW_AUTHENTICATE],
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            vec![&CACHE_CONTROL, &RETRY_AFTER]
        }
        _ => vec![&CACHE_CONTROL],
    }
}

/// The problems in words.
pub(super) fn words(of: &[Code]) -> String {
    let lines = of
        .iter()
        .map(|code| format!("- `{}`: {}", code.name(), code.explanation()));
    lines.collect::<Vec<_>>().join("\n")
}

/// A document with one of these codes.
pub(super) fn content(of: &[Code], examples: &[(String, Example)]) -> Content {
    let narrow = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("code", codes(of));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(narrow);
    ContentBuilder::new()
        .schema(Some(schema))
        .examples_from_iter(examples.iter().cloned())
        .build()
}

fn codes(of: &[Code]) -> ObjectBuilder {
    text().enum_values(Some(of.iter().map(|code| code.name())))
}
