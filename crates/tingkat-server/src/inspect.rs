//! `tingkat inspect`: what the caches of a node did, and what its tiers have under a key.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::Inspect;
use crate::exit::Failure;
use crate::output::tell;
use crate::running_node::RunningNode;

/// Asks the service and tells its answer.
pub(crate) async fn run(arguments: &Inspect, service: RunningNode) -> Result<(), Failure> {
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let path = match (&arguments.entity, &arguments.key) {
        (Some(entity), Some(key)) => format!("/v1/caches/{}/keys/{}", part(entity), part(key)),
        (Some(entity), None) => format!("/v1/caches/{}", part(entity)),
        (None, _) => "/v1/caches".to_owned(),
    };
    let answer = service.get(&path).await?;
    let lines = match answer.get("items").and_then(Value::as_array) {
        Some(caches) => table(caches),
        None => members(&answer, 0),
    };
    tell(&arguments.report, &lines, &answer);
    Ok(())
}

/// The columns of the table of caches: their heads, and where their values are.
const COLUMNS: [(&str, &str); 8] = [
    ("entity", "/entity"),
    ("mode", "/mode"),
    ("hit ratio", "/hit_ratio"),
    ("memory hits", "/memory/hits"),
    ("redis hits", "/redis/hits"),
    ("keys loaded", "/source/keys"),
    ("entries", "/entries"),
    ("bytes", "/bytes"),
];

fn table(caches: &[Value]) -> Vec<String> {
    let heads = COLUMNS.map(|(head, _)| head.to_owned());
    let rows = caches
        .iter()
        .map(|cache| COLUMNS.map(|(_, at)| cache.pointer(at).map_or_else(String::new, plain)));
    let rows: Vec<[String; 8]> = [heads].into_iter().chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &[String; 8]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            // Words to the left, numbers to the right.
            if column < 2 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// An object as lines, what is inside of it a step to the right.
fn members(object: &Value, depth: usize) -> Vec<String> {
    let indent = "  ".repeat(depth);
    let mut lines = Vec::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let name = name.replace('_', " ");
        if value.is_object() {
            lines.push(format!("{indent}{name}"));
            lines.extend(members(value, depth + 1));
        } else {
            lines.push(format!("{indent}{name}: {}", plain(value)));
        }
    }
    lines
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "--".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_f64() {
            Some(share) if number.is_f64() => format!("{:.1} %", share * 100.0),
            _ => number.to_string(),
        },
        Value::Bool(_) | Value::Object(_) => value.to_string(),
    }
}
