//! `tingkat config`: looks at the configuration, and starts nothing.

mod explain;
mod init;
mod schema;
mod show;

use serde_json::{Value, json};

use super::settings::Settings;
use super::{Loaded, reference, rules};
use crate::cli::{Config, Report};
use crate::exit::{Code, Failure};
use crate::output::{print, tell};

/// Runs one of the commands.
pub(crate) fn run(command: &Config, loaded: &Loaded) -> Result<(), Failure> {
    match command {
        Config::Check(report) => check(report, loaded),
        Config::Show(arguments) => {
            show::run(arguments, &loaded.settings);
            judge(loaded)
        }
        Config::Init(report) => {
            let text = init::text();
            if report.json {
                tell(report, &[], &json!({ "text": text }));
            } else {
                print(&text);
            }
            Ok(())
        }
        Config::Schema(report) => {
            let object = schema::object();
            if report.json {
                tell(report, &[], &object);
            } else {
                print(&format!("{object:#}\n"));
            }
            Ok(())
        }
        Config::Explain(arguments) => explain::run(arguments, loaded),
        Config::Reference => {
            print(&reference::text());
            Ok(())
        }
    }
}

/// What is wrong, on standard error.
fn judge(loaded: &Loaded) -> Result<(), Failure> {
    if loaded.problems.is_empty() {
        return Ok(());
    }
    Err(Failure::problems(loaded.problems.clone()))
}

fn check(report: &Report, loaded: &Loaded) -> Result<(), Failure> {
    let settings = &loaded.settings;
    let term = loaded.term.as_ref();
    let waived = rules::waived(settings, term);
    if report.json {
        let problems: Vec<Value> = loaded.problems.iter().map(super::Problem::object).collect();
        let is_right = problems.is_empty();
        let object = json!({
            "ok": is_right,
            "environment": settings.environment.name(),
            "file": settings.file,
            "problems": problems,
            "waived": waived,
            "certificate": term.map(super::Term::object),
        });
        tell(report, &[], &object);
        return if is_right {
            Ok(())
        } else {
            Err(Failure::said(Code::Configuration))
        };
    }
    judge(loaded)?;
    let mut lines = vec![format!(
        "The configuration is right, for {}{}.",
        settings.environment.name(),
        origin(settings)
    )];
    if !waived.is_empty() {
        lines.push(format!("Waived: {}.", waived.join(", ")));
    }
    if let Some(term) = term {
        let warning = if term.is_due() { "Warning: " } else { "" };
        lines.push(format!(
            "{warning}{}: {}.",
            super::tls::CERTIFICATE,
            term.told()
        ));
    }
    tell(report, &lines, &Value::Null);
    Ok(())
}

/// The file, for the end of a sentence.
fn origin(settings: &Settings) -> String {
    let file = settings.file.as_ref();
    file.map_or_else(
        || ", without a file".to_owned(),
        |file| format!(", with {}", file.display()),
    )
}
