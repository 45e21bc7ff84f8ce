//! `tingkat health`: how the service, the cache and the data are, and what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cli::Health;
use crate::exit::{Code, Failure};
use crate::output::tell;
use crate::running_node::RunningNode;

/// Asks the service and tells its answer.
pub(crate) async fn run(arguments: &Health, service: RunningNode) -> Result<(), Failure> {
    let answer = service.get("/v1/health").await?;
    tell(&arguments.report, &lines(&answer, arguments.all), &answer);
    if arguments.strict && is_degraded(&answer) {
        return Err(Failure::said(Code::Degraded));
    }
    Ok(())
}

/// Whether the service is not as it should be, the data is not known to be true, the cache is bad, or
/// something stays so. A cache that is still collecting is not bad.
fn is_degraded(answer: &Value) -> bool {
    let text = |at: &str| answer.pointer(at).and_then(Value::as_str);
    let has_alerts = answer
        .pointer("/alerts")
        .and_then(Value::as_array)
        .is_some_and(|alerts| !alerts.is_empty());
    text("/service/status") != Some("ready")
        || text("/data/status") != Some("ok")
        || matches!(text("/cache/grade"), Some("D" | "F"))
        || has_alerts
}

fn lines(answer: &Value, all: bool) -> Vec<String> {
    let text = |at: &str| plain(answer.pointer(at));
    let mut lines = vec![
        format!("service  {}", text("/service/status")),
        format!("cache    {}", cache(answer)),
        format!("data     {}{}", text("/data/status"), poll(answer)),
        format!("redis    {}{}", text("/redis/status"), since(answer)),
        format!("looked   {}", text("/looked_at")),
    ];
    let waived: Vec<&str> = items(answer, "/waived").filter_map(Value::as_str).collect();
    if !waived.is_empty() {
        lines.push(format!("waived   {}", waived.join(", ")));
    }
    lines.extend(items(answer, "/privacy").map(withheld));
    let rows: Vec<[String; 4]> = items(answer, "/checks")
        .filter(|check| all || is_bad(check))
        .map(row)
        .collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.extend(table(&rows));
    }
    let entities: Vec<[String; 10]> = items(answer, "/entities").filter_map(entity).collect();
    if all && !entities.is_empty() {
        lines.push(String::new());
        lines.extend(table(&[&[head()], &*entities].concat()));
    }
    let explained: BTreeSet<&str> = items(answer, "/checks")
        .filter(|check| is_bad(check))
        .filter_map(|check| check.get("docs")?.as_str())
        .collect();
    if !explained.is_empty() {
        lines.push(String::new());
        lines.extend(explained.into_iter().map(|docs| format!("see      {docs}")));
    }
    let alerts: Vec<String> = items(answer, "/alerts").map(alert).collect();
    if !alerts.is_empty() {
        lines.push(String::new());
        lines.extend(alerts);
    }
    let todo: Vec<&str> = items(answer, "/recommendations")
        .filter_map(Value::as_str)
        .collect();
    if !todo.is_empty() {
        lines.extend([String::new(), "What to do".to_owned()]);
        lines.extend(todo.iter().map(|line| format!("- {line}")));
    }
    lines
}

fn items<'a>(answer: &'a Value, at: &str) -> impl Iterator<Item = &'a Value> {
    answer
        .pointer(at)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn cache(answer: &Value) -> String {
    let coverage = answer.pointer("/cache/coverage").and_then(Value::as_f64);
    let known = format!("{:.0} % known", coverage.unwrap_or(0.0) * 100.0);
    match answer.pointer("/cache/score").and_then(Value::as_f64) {
        Some(score) => format!(
            "{} ({score:.0} of 100, {known})",
            plain(answer.pointer("/cache/grade"))
        ),
        None => format!("collecting ({known})"),
    }
}

fn poll(answer: &Value) -> String {
    let number = |at: &str| answer.pointer(at).and_then(Value::as_u64);
    match (number("/data/poll_age_ms"), number("/data/bound_ms")) {
        (Some(age), Some(bound)) => format!(" (read {age} ms ago, bound {bound} ms)"),
        _ => String::new(),
    }
}

fn since(answer: &Value) -> String {
    let since = answer.pointer("/redis/since").and_then(Value::as_str);
    since.map_or_else(String::new, |since| format!(" (since {since})"))
}

fn withheld(entity: &Value) -> String {
    let text = |name: &str| plain(entity.get(name));
    let fields: Vec<&str> = items(entity, "/fields").filter_map(Value::as_str).collect();
    let fields = if fields.is_empty() {
        "what its values have".to_owned()
    } else {
        fields.join(", ")
    };
    format!(
        "privacy  {} {} ({fields}), {} values kept out",
        text("policy"),
        text("entity"),
        text("values")
    )
}

fn is_bad(check: &Value) -> bool {
    let status = check.get("status").and_then(Value::as_str);
    matches!(status, Some("warning" | "critical"))
}

fn row(check: &Value) -> [String; 4] {
    let text = |name: &str| plain(check.get(name));
    let unit = check.get("unit").and_then(Value::as_str);
    let value = match (check.get("value"), unit) {
        (None | Some(Value::Null), _) => "--".to_owned(),
        (Some(value), Some(unit)) => format!("{} {unit}", plain(Some(value))),
        (Some(value), None) => plain(Some(value)),
    };
    let evidence: Vec<&str> = items(check, "/evidence")
        .filter_map(Value::as_str)
        .collect();
    [text("status"), text("id"), value, evidence.join(" ")]
}

/// What the columns of [`entity`] are.
fn head() -> [String; 10] {
    let names = [
        "entity", "hits", "memory", "redis", "absent", "p99", "entries", "bytes", "age", "facts",
    ];
    names.map(str::to_owned)
}

/// A cache within the last minutes; nothing of one that nobody used.
fn entity(summary: &Value) -> Option<[String; 10]> {
    let number = |name: &str| summary.get(name).and_then(Value::as_f64);
    let has_entries = number("entries").is_some_and(|entries| entries > 0.0);
    if number("hit_ratio").is_none() && !has_entries {
        return None;
    }
    let share = |name: &str| {
        let share = number(name);
        share.map_or_else(|| "--".to_owned(), |it| format!("{:.0} %", it * 100.0))
    };
    let aim = |name: &str| {
        let aim = summary.get("objective").and_then(|it| it.get(name));
        aim.and_then(Value::as_f64)
    };
    // Beside what is, what is aimed at.
    let hits = match aim("hit_ratio") {
        Some(aim) => format!("{} of {:.0} %", share("hit_ratio"), aim * 100.0),
        None => share("hit_ratio"),
    };
    let p99 = number("p99_ms").map_or_else(|| "--".to_owned(), |it| format!("{it:.1} ms"));
    let p99 = match aim("p99_ms") {
        Some(aim) => format!("{p99} of {aim:.0} ms"),
        None => p99,
    };
    let age = number("mean_age_ms");
    let age = age.map_or_else(|| "--".to_owned(), |it| format!("{:.0} s", it / 1_000.0));
    let facts = summary.get("facts").and_then(Value::as_object);
    let facts = facts.into_iter().flatten();
    let facts: Vec<String> = facts
        .map(|(name, count)| format!("{name}={count}"))
        .collect();
    Some([
        plain(summary.get("entity")),
        hits,
        share("memory_hit_ratio"),
        share("redis_hit_ratio"),
        share("absent_share"),
        p99,
        plain(summary.get("entries")),
        plain(summary.get("bytes")),
        age,
        facts.join(" "),
    ])
}

fn alert(alert: &Value) -> String {
    let text = |name: &str| plain(alert.get(name));
    format!(
        "alert    {} is {} since {}",
        text("id"),
        text("status"),
        text("since")
    )
}

fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    // Nothing stands behind the last one.
    let widths: [usize; N] =
        std::array::from_fn(|column| if column + 1 < N { width(column) } else { 0 });
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "--".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(value) if number.is_f64() => {
                let shown = format!("{value:.2}");
                shown.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => number.to_string(),
        },
        Some(other) => other.to_string(),
    }
}
