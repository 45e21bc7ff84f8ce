//! The examples of the interface's description are what the program answers over the demo store.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::documents::serving;
use crate::stores::installed;
use crate::wire::{ask, get};

/// Where the answers are kept that the description shows.
const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tingkat-http/src/openapi/examples"
);

/// Tell how much there was to do and when, which is another number each time.
const OF_THE_MOMENT: [&str; 4] = ["getCache", "inspectKey", "isReady", "warm"];

#[tokio::test]
async fn the_examples_of_the_description_are_the_answers_of_the_demo_store() {
    let database = installed().await;
    let node = serving(&database).await;
    let document = get(&node, "/openapi.json", "").await.body;
    // One example looks at what memory holds of it.
    assert_eq!(get(&node, "/v1/products/1", "").await.status, 200);
    let (mut asked, mut wrong) = (0, Vec::new());
    for operation in operations(&document) {
        for (status, name, example) in examples(operation) {
            let (method, address) = text(&example["summary"]).split_once(' ').unwrap();
            let bodies = &operation["requestBody"]["content"]["application/json"]["examples"];
            let body = &bodies[name]["value"];
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let answer = ask(&node, method, address, &body).await;
            assert_eq!(answer.status.to_string(), status, "{name}: {answer:?}");
            asked += 1;
            if is_to_be_written() {
                let file = Path::new(FOLDER).join(format!("{name}.json"));
                fs::write(file, format!("{}\n", answer.text)).unwrap();
            }
            let is_loose = OF_THE_MOMENT.contains(&text(&operation["operationId"]));
            if !is_alike(&example["value"], &answer.body, is_loose) {
                wrong.push(format!("{name}: {}", answer.text));
            }
        }
    }
    assert!(asked > 30, "{asked}");
    assert!(
        is_to_be_written() || wrong.is_empty(),
        "these examples are not what is answered; write them anew by\n\
         TINGKAT_WRITE_EXAMPLES=1 cargo nextest run -p tingkat-server examples\n\
         cargo run -q -p tingkat-http --example openapi > docs/openapi.json\n{}",
        wrong.join("\n")
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration: this is all it reads of its environment"
)]
fn is_to_be_written() -> bool {
    std::env::var_os("TINGKAT_WRITE_EXAMPLES").is_some()
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document["paths"].as_object().unwrap().values();
    paths.flat_map(|item| item.as_object().unwrap().values())
}

/// Status, name and example of each answer that is shown.
fn examples(operation: &Value) -> Vec<(&str, &str, &Value)> {
    let mut found = Vec::new();
    for (status, response) in operation["responses"].as_object().unwrap() {
        let contents = response["content"].as_object().into_iter().flatten();
        for (_, content) in contents {
            let examples = content["examples"].as_object().into_iter().flatten();
            found.extend(examples.map(|(name, example)| (&**status, &**name, example)));
        }
    }
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Members that are the request's own.
const OF_THE_REQUEST: [&str; 2] = ["request_id", "trace_id"];

/// Whether two answers are the same but for times, which follow the day of the demo store, and where
/// they are of the moment but for numbers and texts as well.
fn is_alike(shown: &Value, answered: &Value, is_loose: bool) -> bool {
    match (shown, answered) {
        (Value::Object(shown), Value::Object(answered)) => {
            shown.keys().eq(answered.keys())
                && shown.iter().all(|(name, value)| {
                    let is_loose = is_loose || OF_THE_REQUEST.contains(&name.as_str());
                    is_alike(value, &answered[name], is_loose)
                })
        }
        (Value::Array(shown), Value::Array(answered)) => {
            shown.len() == answered.len()
                && shown
                    .iter()
                    .zip(answered)
                    .all(|(one, other)| is_alike(one, other, is_loose))
        }
        (Value::Number(_) | Value::Null, Value::Number(_) | Value::Null)
        | (Value::String(_), Value::String(_))
            if is_loose =>
        {
            true
        }
        (Value::String(one), Value::String(other)) => {
            one == other || (is_time(one) && is_time(other))
        }
        (one, other) => one == other,
    }
}

fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

#[test]
fn only_times_and_what_is_of_the_moment_may_differ() {
    let judge = |one: &str, other: &str, is_loose| {
        let value = |text| serde_json::from_str(text).unwrap();
        is_alike(&value(one), &value(other), is_loose)
    };
    let at = |time: &str| format!(r#"{{"at":"{time}"}}"#);
    assert!(judge(
        &at("2026-05-01T12:00:00Z"),
        &at("2027-05-01T12:00:00Z"),
        false
    ));
    assert!(!judge(&at("2026-05-01T12:00:00Z"), &at("noon"), false));
    for (one, other) in [("[1]", "[2]"), ("[null]", "[2]"), (r#"["a"]"#, r#"["b"]"#)] {
        assert!(judge(one, other, true), "{one} {other}");
        assert!(!judge(one, other, false), "{one} {other}");
    }
    for (one, other) in [
        ("[1]", "[1,1]"),
        (r#"{"a":1}"#, r#"{"b":1}"#),
        ("[true]", "[false]"),
    ] {
        assert!(!judge(one, other, true), "{one} {other}");
    }
}
