//! The shapes of bodies, member by member.

use std::fmt::Write as _;

use serde_json::Value;

use super::text::Marked;
use crate::openapi;
use crate::page::Escaped;

/// Links to some shapes, `|` is between their names.
pub(super) fn links(names: &str) -> String {
    let links: Vec<String> = names.split('|').map(link).collect();
    links.join(" or ")
}

fn link(name: &str) -> String {
    let name = Escaped(name);
    format!("<a href=\"#shape-{name}\">{name}</a>")
}

/// All of them.
pub(super) fn section(out: &mut String) {
    out.push_str("<h2 id=\"shapes\">Shapes</h2>\n<p>The bodies of requests and answers.</p>\n");
    for (name, schema) in openapi::shapes().schemas {
        // What can not be written as JSON is no schema.
        let schema = serde_json::to_value(&schema).unwrap_or_default();
        let name = Escaped(&name);
        let _ = write!(
            out,
            "<section aria-labelledby=\"shape-{name}\">\n<h3 id=\"shape-{name}\">{name}</h3>\n\
             <p>{}</p>\n",
            Marked(description(&schema))
        );
        members(out, &schema);
        out.push_str("</section>\n");
    }
}

fn members(out: &mut String, schema: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let _ = writeln!(out, "<p class=\"kind\">{}.</p>", kind(schema));
        return;
    };
    out.push_str("<dl>\n");
    for (name, property) in properties {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|names| names.iter().any(|it| it == name));
        let left_out = if is_required { "" } else { ", may be left out" };
        let _ = writeln!(
            out,
            "<dt><code>{}</code></dt><dd>{} <span class=\"kind\">{}{left_out}.</span></dd>",
            Escaped(name),
            Marked(description(property)),
            kind(property),
        );
    }
    out.push_str("</dl>\n");
}

fn description(schema: &Value) -> &str {
    let described = schema.get("description");
    // Of what may be null, it stands with what it is otherwise.
    let described = described.or_else(|| schema.get("oneOf")?.get(0)?.get("description"));
    described.and_then(Value::as_str).unwrap_or_default()
}

/// What a value is, in words and links.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return link(reference.rsplit('/').next().unwrap_or_default());
    }
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        let names = names.iter().filter_map(Value::as_str);
        let names: Vec<String> = names
            .map(|name| format!("<code>{}</code>", Escaped(name)))
            .collect();
        return names.join(", ");
    }
    for any in ["oneOf", "anyOf", "allOf"] {
        if let Some(kinds) = schema.get(any).and_then(Value::as_array) {
            let kinds: Vec<String> = kinds.iter().map(kind).collect();
            return kinds.join(" or ");
        }
    }
    let types = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => return "any JSON".to_owned(),
    };
    let words = types.into_iter().map(|name| match name {
        "array" => {
            let items = schema.get("items").map(kind).unwrap_or_default();
            format!("list of {items}")
        }
        "string" if schema.get("format").is_some_and(|it| it == "date-time") => "time".to_owned(),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}
