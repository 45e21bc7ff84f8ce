//! Figures of benchmarks for whoever writes them down: a line of JSON each, at the end of the file that
//! `TINGKAT_FIGURES` names. Without it they are only printed, by the benchmark itself.

use std::fmt;
use std::io::Write as _;

use serde::Serialize;

/// What a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Limit {
    /// Whether it is so.
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    /// One word on whether it is so.
    pub fn verdict(self, value: f64) -> &'static str {
        if self.is_met(value) {
            "reached"
        } else {
            "MISSED"
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Row {
        table: &'a str,
        name: &'a str,
        cells: &'a [(&'a str, String)],
    },
    Target {
        what: &'a str,
        value: f64,
        unit: &'a str,
        limit: Limit,
        is_met: bool,
    },
    NotRun {
        what: &'a str,
        why: &'a str,
    },
}

/// A row of a table: each cell with the head of its column. All rows of a table have the same columns.
pub fn row(table: &str, name: &str, cells: &[(&str, String)]) {
    note(&Line::Row { table, name, cells });
}

/// A figure that has a target.
pub fn target(what: &str, value: f64, unit: &str, limit: Limit) {
    note(&Line::Target {
        what,
        value,
        unit,
        limit,
        is_met: limit.is_met(value),
    });
}

/// Something that was left out.
pub fn not_run(what: &str, why: &str) {
    note(&Line::NotRun { what, why });
}

#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks have no configuration: this is all they are told"
)]
fn note(line: &Line<'_>) {
    let Some(path) = std::env::var_os("TINGKAT_FIGURES") else {
        return;
    };
    let written = text(line).and_then(|text| {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())
    });
    assert!(
        written.is_ok(),
        "the file in TINGKAT_FIGURES takes no line: {written:?}"
    );
}

fn text(line: &Line<'_>) -> std::io::Result<String> {
    Ok(serde_json::to_string(line)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_met_at_its_edge_and_not_beyond() {
        for (limit, value, is_met) in [
            (Limit::AtMost(1.5), 1.5, true),
            (Limit::AtMost(1.5), 1.51, false),
            (Limit::AtLeast(0.9), 0.9, true),
            (Limit::AtLeast(0.9), 0.89, false),
            (Limit::AtLeast(0.9), f64::NAN, false),
        ] {
            assert_eq!(limit.is_met(value), is_met, "{limit} {value}");
        }
    }

    #[test]
    fn lines_are_as_they_are_read() {
        let line = |line: Line<'_>| text(&line).unwrap();
        let cells = [("ns", "70.1".to_owned())];
        let row = Line::Row {
            table: "hits",
            name: "bare",
            cells: &cells,
        };
        assert_eq!(
            line(row),
            "{\"row\":{\"table\":\"hits\",\"name\":\"bare\",\"cells\":[[\"ns\",\"70.1\"]]}}\n"
        );
        let target = Line::Target {
            what: "a hit",
            value: 1.25,
            unit: "×",
            limit: Limit::AtMost(1.5),
            is_met: true,
        };
        assert_eq!(
            line(target),
            "{\"target\":{\"what\":\"a hit\",\"value\":1.25,\"unit\":\"×\",\
             \"limit\":{\"at_most\":1.5},\"is_met\":true}}\n"
        );
    }
}
