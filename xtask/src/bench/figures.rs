//! What benchmarks write down, line by line; `tingkat-testkit` has the other end.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::fs;
use std::path::Path;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A row of a table, each cell with the head of its column.
    Row {
        table: String,
        name: String,
        cells: Vec<(String, String)>,
    },
    /// A figure that has a target.
    Target {
        what: String,
        value: f64,
        unit: String,
        limit: Limit,
        is_met: bool,
    },
    /// Something that was left out.
    NotRun { what: String, why: String },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Line {
    pub(super) fn not_run(what: &str, why: &str) -> Self {
        Self::NotRun {
            what: what.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// All lines of a file; none if there is no file, because nothing was written down.
pub(super) fn read(file: &Path) -> Result<Vec<Line>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file)?;
    let lines = text.lines().map(|line| {
        serde_json::from_str(line).with_context(|| format!("{}: {line}", file.display()))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "{\"row\":{\"table\":\"hits\",\"name\":\"bare\",\"cells\":[[\"ns\",\"70.1\"]]}}\n\
            {\"target\":{\"what\":\"a hit\",\"value\":1.25,\"unit\":\"×\",\
             \"limit\":{\"at_most\":1.5},\"is_met\":true}}\n\
            {\"not_run\":{\"what\":\"traces\",\"why\":\"none\"}}\n";
        fs::write(&file, text).unwrap();
        let expected = [
            Line::Row {
                table: "hits".to_owned(),
                name: "bare".to_owned(),
                cells: vec![("ns".to_owned(), "70.1".to_owned())],
            },
            Line::Target {
                what: "a hit".to_owned(),
                value: 1.25,
                unit: "×".to_owned(),
                limit: Limit::AtMost(1.5),
                is_met: true,
            },
            Line::not_run("traces", "none"),
        ];
        assert_eq!(read(file.path()).unwrap(), expected);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "{\"rows\":{}}\n").unwrap();
        let error = read(file.path()).unwrap_err();
        assert!(format!("{error:#}").contains("{\"rows\":{}}"), "{error:#}");
    }
}
