//! `tingkat config show`: every value as it counts, in the form of a file, without a secret.

use serde_json::{Value as Json, json};

use crate::cli::Show;
use crate::config::kind::Value;
use crate::config::settings::{Setting, Settings};
use crate::output::tell;

pub(super) fn run(arguments: &Show, settings: &Settings) {
    let environment = settings.environment.name();
    let mut lines = vec![format!("# TINGKAT_ENV={environment}")];
    let mut objects = Vec::new();
    let mut section = "";
    for key in settings.keys() {
        let Some(setting) = settings.get(&key.path) else {
            continue;
        };
        objects.push(object(&key.path, setting));
        let (here, name) = key.parts();
        if here != section {
            section = here;
            lines.push(format!("\n[{section}]"));
        }
        let value = setting.value.in_toml();
        let line = format!("{name} = {value}");
        lines.push(if arguments.origin {
            format!("{line:<44} # {}", setting.origin)
        } else {
            line
        });
    }
    let object = json!({
        "environment": environment,
        "file": settings.file,
        "settings": objects,
    });
    tell(&arguments.report, &lines, &object);
}

pub(super) fn object(path: &str, setting: &Setting) -> Json {
    json!({
        "key": path,
        "value": value(&setting.value),
        "origin": setting.origin.to_string(),
    })
}

fn value(value: &Value) -> Json {
    match value {
        Value::Flag(it) => json!(it),
        Value::Integer(it) => json!(it),
        Value::Share(it) => json!(it),
        Value::List(items) => json!(items),
        Value::Time(_) | Value::Size(_) | Value::Text(_) | Value::Secret(_) => json!(value.shown()),
    }
}
