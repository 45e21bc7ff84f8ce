//! `tingkat config explain`: one key, and everything that was said about it.

use serde_json::json;

use super::show;
use crate::cli::Explain;
use crate::config::{Loaded, Problem, document, keys};
use crate::exit::{Code, Failure};
use crate::output::tell;

pub(super) fn run(arguments: &Explain, loaded: &Loaded) -> Result<(), Failure> {
    let settings = &loaded.settings;
    let Some(key) = settings.keys().find(|key| is_named(key, &arguments.key)) else {
        let (message, help) = document::unknown(&arguments.key, settings.own());
        let help = help.map_or_else(String::new, |help| format!("; {help}"));
        return Err(Failure::new(Code::Usage, format!("{message}{help}")));
    };
    let changes = if key.reloads {
        "by SIGHUP, in a running service"
    } else {
        "with a restart"
    };
    let (default, variables) = (key.default.as_deref(), key.variables());
    let mut lines = vec![
        format!("{}: {}", key.path, key.sentence),
        String::new(),
        format!("  takes      {}", key.kind),
        format!("  default    {}", default.unwrap_or("none")),
        format!(
            "  variables  {}; each also with _FILE",
            variables.join(", ")
        ),
        format!("  changes    {changes}"),
    ];
    let layers = settings.layers(&key.path);
    for (index, setting) in layers.iter().rev().enumerate() {
        let what = if index == 0 { "is now" } else { "hides" };
        lines.push(format!(
            "  {what:<10} {} ({})",
            setting.value.in_toml(),
            setting.origin
        ));
    }
    let object = json!({
        "key": key.path,
        "sentence": key.sentence,
        "takes": key.kind.to_string(),
        "default": default,
        "variables": variables,
        "reloads": key.reloads,
        "layers": layers.iter().map(|it| show::object(&key.path, it)).collect::<Vec<_>>(),
    });
    tell(&arguments.report, &lines, &object);
    // A value that was refused is none of the layers.
    let problems = loaded.problems.iter();
    let problems: Vec<Problem> = problems
        .filter(|it| it.about == key.path)
        .cloned()
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::problems(problems))
}

/// By its path or by one of its variables.
fn is_named(key: &keys::Key, name: &str) -> bool {
    key.path == name || key.variables().iter().any(|variable| variable == name)
}
