//! Holds answers against what is said of them: every answer that a test here gets passes through
//! [`check`].

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode, header};
use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// The description.
pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&tingkat_http::openapi()).unwrap());

/// Headers that every answer may have.
const COMMON: [&str; 12] = [
    // Of this hop alone.
    "connection",
    "content-length",
    "content-type",
    "allow",
    "x-content-type-options",
    "x-request-id",
    "traceparent",
    "tracestate",
    "vary",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "date",
];

/// Answers that no route gives: of the router, and of what stands around it.
const OF_NO_ROUTE: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::URI_TOO_LONG,
];

/// The operation that answers a request.
pub(crate) fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let item = paths.get(path).or_else(|| {
        let found = paths
            .iter()
            .find(|(template, _)| is_path_of(template, path));
        found.map(|(_, item)| item)
    })?;
    // What answers GET answers HEAD as well.
    let method = if method == Method::HEAD {
        "get".to_owned()
    } else {
        method.as_str().to_lowercase()
    };
    item.get(method)
}

fn is_path_of(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let is_part = |(of_template, of_path): (&&str, &&str)| match of_template.split_once('{') {
        None => of_template == of_path,
        Some((before, rest)) => {
            let after = rest.split_once('}').unwrap().1;
            let middle = of_path.strip_prefix(before);
            middle
                .and_then(|it| it.strip_suffix(after))
                .is_some_and(|it| !it.is_empty())
        }
    };
    template.len() == path.len() && template.iter().zip(&path).all(is_part)
}

/// Fails if the description does not have such an answer.
pub(crate) async fn check(method: &Method, path: &str, response: Response<Body>) -> Response<Body> {
    // A browser asks by itself before it asks for others; no route answers that.
    if method == Method::OPTIONS {
        return response;
    }
    let status = response.status();
    let asked = format!("{method} {path} was answered with {status}");
    let Some(operation) = operation(method, path) else {
        assert!(
            OF_NO_ROUTE.contains(&status),
            "{asked}, and no such route is described"
        );
        return response;
    };
    let (response, code) = code_of(response).await;
    if matches!(&*code, "route_unknown" | "method_not_allowed") {
        // The route is that of another listener.
        return response;
    }
    let described = &operation["responses"][status.as_str()];
    assert!(described.is_object(), "{asked}, which is not described");
    for name in response.headers().keys() {
        let mut known = described["headers"]
            .as_object()
            .into_iter()
            .flat_map(|it| it.keys());
        let is_known = COMMON.contains(&name.as_str())
            || known.any(|it| it.eq_ignore_ascii_case(name.as_str()));
        assert!(is_known, "{asked}, and its header {name} is not described");
    }
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let Some(media_type) = media_type.map(|it| it.to_str().unwrap().to_owned()) else {
        return response;
    };
    let content = &described["content"][&media_type];
    assert!(
        content.is_object(),
        "{asked}, and {media_type} is not described"
    );
    // A HEAD has no body, and a stream no end.
    if method == Method::HEAD || !media_type.ends_with("json") {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let value: Value = if parts.headers.contains_key(header::CONTENT_ENCODING) {
        serde_json::from_reader(GzDecoder::new(&bytes[..])).unwrap()
    } else {
        serde_json::from_slice(&bytes).unwrap()
    };
    if let Err(wrong) = fits(&value, &content["schema"]) {
        panic!("{asked}: {wrong}: {value}");
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The code of a problem that the router may have made; nothing for other answers.
async fn code_of(response: Response<Body>) -> (Response<Body>, String) {
    let by_router = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
    if !by_router.contains(&response.status()) {
        return (response, String::new());
    }
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    (Response::from_parts(parts, Body::from(bytes)), code)
}

/// Whether a value is what a schema says, and has no member of which it says nothing.
pub(crate) fn fits(value: &Value, schema: &Value) -> Result<(), String> {
    part_fits(value, schema)?;
    let (Some(members), Some(known)) = (value.as_object(), members(schema)) else {
        return Ok(());
    };
    match members.keys().find(|name| !known.contains(*name)) {
        Some(name) => Err(format!("the member {name:?} is not described")),
        None => Ok(()),
    }
}

fn part_fits(value: &Value, schema: &Value) -> Result<(), String> {
    if let Some(schema) = referred(schema) {
        return fits(value, schema);
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        return all
            .iter()
            .try_for_each(|part| part_fits(value, referred(part).unwrap_or(part)));
    }
    if let Some(any) = schema.get("oneOf").and_then(Value::as_array) {
        let wrong: Vec<_> = any
            .iter()
            .filter_map(|one| fits(value, one).err())
            .collect();
        let is_one = wrong.len() + 1 == any.len();
        return if is_one {
            Ok(())
        } else {
            Err(format!("not exactly one: {wrong:?}"))
        };
    }
    let is_type = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    };
    let expected = &schema["type"];
    let is_right = expected.is_null()
        || match expected.as_array() {
            Some(types) => types.iter().any(is_type),
            None => is_type(expected),
        };
    if !is_right {
        return Err(format!("{value} is not {expected}"));
    }
    if let Some(names) = schema.get("enum").and_then(Value::as_array)
        && !names.contains(value)
    {
        return Err(format!("{value} is not one of {names:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            return Err(format!("the member {name} is missing"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(name) {
            fits(member, schema).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"])?;
    }
    Ok(())
}

fn referred(schema: &Value) -> Option<&'static Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    Some(DOCUMENT.pointer(pointer).unwrap())
}

/// The members that an object may have; nothing if any.
fn members(schema: &Value) -> Option<BTreeSet<String>> {
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let parts = all
            .iter()
            .filter_map(|part| members(referred(part).unwrap_or(part)));
        return Some(parts.flatten().collect());
    }
    let known = schema.get("properties")?.as_object()?;
    Some(known.keys().cloned().collect())
}

#[test]
fn a_value_that_is_not_as_described_is_noticed() {
    let money = &DOCUMENT["components"]["schemas"]["Money"];
    let judge = |text: &str| fits(&serde_json::from_str(text).unwrap(), money).is_ok();
    assert!(judge(r#"{"amount":1,"currency":"MYR"}"#));
    for wrong in [
        "1",
        r#"{"amount":1}"#,
        r#"{"amount":"1","currency":"MYR"}"#,
        r#"{"amount":1,"currency":"MYR","x":1}"#,
    ] {
        assert!(!judge(wrong), "{wrong}");
    }
}
