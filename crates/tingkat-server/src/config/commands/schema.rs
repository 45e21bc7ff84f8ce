//! `tingkat config schema`: the JSON Schema of the file, which editors complete and check with.

use serde_json::{Map, Value, json};

use crate::config::keys::{self, Key};
use crate::config::kind::Kind;

pub(super) fn object() -> Value {
    let mut root = Map::new();
    for key in keys::all() {
        put(&mut root, &key.path, property(key));
    }
    if let Some(Value::Object(entities)) = root.get_mut("entity") {
        entities.insert("additionalProperties".to_owned(), own());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tingkat.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": root,
    })
}

/// A section of an entity that the operator names.
fn own() -> Value {
    let own = keys::example();
    let mut properties = Map::new();
    for key in &own.keys {
        put(&mut properties, key.parts().1, property(key));
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["load"],
        "properties": properties,
    })
}

/// Puts a property where its path says.
fn put(into: &mut Map<String, Value>, path: &str, property: Value) {
    let Some((section, rest)) = path.split_once('.') else {
        into.insert(path.to_owned(), property);
        return;
    };
    let section = into.entry(section).or_insert_with(
        || json!({ "type": "object", "additionalProperties": false, "properties": {} }),
    );
    if let Some(Value::Object(inside)) = section.get_mut("properties") {
        put(inside, rest, property);
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other kind takes a text"
)]
fn property(key: &Key) -> Value {
    let mut property = match key.kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Share { most } => json!({ "type": "number", "minimum": 0, "maximum": most }),
        Kind::Size { .. } => json!({ "type": ["string", "integer"] }),
        Kind::Choice(known) => json!({ "enum": known }),
        Kind::Choices(known) => json!({ "type": "array", "items": { "enum": known } }),
        Kind::Names | Kind::Tables | Kind::Origins | Kind::Networks => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        Kind::Access => json!({ "type": ["string", "number"] }),
        Kind::Tokens => json!({ "type": ["array", "string"], "items": { "type": "string" } }),
        _ => json!({ "type": "string" }),
    };
    if let Value::Object(fields) = &mut property {
        let text = format!("{}; {}.", key.sentence, key.kind);
        fields.insert("description".to_owned(), json!(text));
        if let Some(default) = &key.default {
            fields.insert("default".to_owned(), typed(key.kind, default));
        }
    }
    property
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other kind takes a text"
)]
fn typed(kind: Kind, default: &str) -> Value {
    match kind {
        Kind::Flag | Kind::Integer { .. } | Kind::Share { .. } => {
            serde_json::from_str(default).unwrap_or_else(|_| json!(default))
        }
        Kind::Names => json!(default.split(", ").collect::<Vec<_>>()),
        _ => json!(default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_where_the_file_has_it() {
        let schema = object();
        for key in keys::all() {
            let pointer = key.path.replace('.', "/properties/");
            let found = schema.pointer(&format!("/properties/{pointer}"));
            let found = found.unwrap_or_else(|| panic!("{}", key.path));
            assert!(found["description"].is_string(), "{found}");
        }
    }
}
