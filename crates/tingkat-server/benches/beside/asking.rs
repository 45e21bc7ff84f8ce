//! `tingkat bench` as a person runs it, and what its report says.

use std::process::Stdio;
use std::time::Duration;

use tingkat_lab::bench::{PhaseReport, Report};
use tokio::process::Command;

use crate::Result;

/// Runs `tingkat bench` with these arguments.
pub(crate) async fn bench(mut command: Command, arguments: &[&str]) -> Result<Report> {
    let output = command
        .arg("bench")
        .args(arguments)
        .args(["--json", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("tingkat bench {}: {said}", arguments.join(" ")).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What a phase showed, over all runs.
pub(crate) struct Shown {
    rate: f64,
    p50: f64,
    p99: f64,
    errors: u64,
    hit_ratio: Option<f64>,
    valid: usize,
    runs: usize,
}

impl Shown {
    /// The medians of the runs of a phase.
    pub(crate) fn of(runs: &[&PhaseReport]) -> Self {
        let all =
            |of: &dyn Fn(&PhaseReport) -> f64| median(runs.iter().map(|phase| of(phase)).collect());
        let hits: Option<Vec<f64>> = runs.iter().map(|phase| phase.hit_ratio).collect();
        Self {
            rate: all(&|phase| phase.achieved_rate),
            p50: all(&|phase| phase.noticed().p50),
            p99: all(&|phase| phase.noticed().p99),
            errors: runs.iter().map(|phase| phase.errors).sum(),
            hit_ratio: hits.map(median),
            valid: runs.iter().filter(|it| it.invalid.is_empty()).count(),
            runs: runs.len(),
        }
    }

    /// Cells of a table; those of more columns come after them.
    pub(crate) fn cells(&self) -> Vec<(&'static str, String)> {
        let hits = self.hit_ratio;
        vec![
            ("a second", format!("{:.0}", self.rate)),
            ("p50", micros(self.p50)),
            ("p99", micros(self.p99)),
            (
                "from memory or Redis",
                hits.map_or("?".to_owned(), |it| format!("{:.1} %", it * 100.0)),
            ),
            ("errors", self.errors.to_string()),
            ("valid runs", format!("{} of {}", self.valid, self.runs)),
        ]
    }
}

/// A time for people, of microseconds.
fn micros(micros: f64) -> String {
    if micros < 10.0 {
        format!("{micros:.2} µs")
    } else if micros < 10_000.0 {
        format!("{micros:.0} µs")
    } else {
        format!("{:.0} ms", micros / 1e3)
    }
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A ratio with as many decimals as it takes to see something of it.
pub(crate) fn digits(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

/// A time as flags take it.
pub(crate) fn flag(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// A row for people who watch.
pub(crate) fn line(name: &str, cells: &[(&str, String)]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|(column, cell)| format!("{column} {cell}"))
        .collect();
    format!("{name:<44} {}", cells.join(", "))
}
