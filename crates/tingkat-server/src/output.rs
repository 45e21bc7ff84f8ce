//! What commands print on standard output.

use serde_json::{Value, json};

use crate::cli::Report;

/// The result for people, or for programs.
pub(crate) fn tell(report: &Report, lines: &[String], object: &Value) {
    if report.json {
        print(&format!("{}\n", versioned(object)));
    } else {
        print(&format!("{}\n", lines.join("\n")));
    }
}

/// The object with the version of its shape.
fn versioned(object: &Value) -> Value {
    let mut object = object.clone();
    if let Value::Object(fields) = &mut object {
        fields.insert("schema_version".to_owned(), json!(1));
    }
    object
}

/// Standard output belongs to whoever asked; that it went away is no failure of the command.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}
