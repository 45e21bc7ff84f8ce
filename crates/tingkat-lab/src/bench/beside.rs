//! The report beside something else, as people read it: another subject of the same run, or an earlier
//! run.

use super::comparison::Comparison;
use super::report::{PhaseReport, Report};
use super::statistics::median;
use super::text::{Phases, aligned, phases_of};

/// How the first subject compares with another one in a phase.
struct Ratio<'a> {
    other: &'a str,
    phase: &'a str,
    rate: f64,
    p50: f64,
    p99: f64,
}

fn compared(report: &Report) -> Vec<Ratio<'_>> {
    let Some(first) = report.first() else {
        return Vec::new();
    };
    let own = phases_of(first);
    let mut rows = Vec::new();
    for other in report.subjects.iter().skip(1) {
        let others = phases_of(other);
        for own in &own {
            let is_same = |it: &&Phases<'_>| it.middle.name == own.middle.name;
            let Some(others) = others.iter().find(is_same) else {
                continue;
            };
            let ratio = |of: &dyn Fn(&PhaseReport) -> f64| {
                // Within one run the machine was about the same for both.
                let pairs = own.runs.iter().zip(&others.runs);
                let ratios = pairs.map(|(own, other)| of(own) / of(other).max(1e-9));
                median(&ratios.collect::<Vec<_>>()).unwrap_or_default()
            };
            rows.push(Ratio {
                other: &other.name,
                phase: &own.middle.name,
                rate: ratio(&|phase| phase.achieved_rate),
                p50: ratio(&|phase| phase.noticed().p50),
                p99: ratio(&|phase| phase.noticed().p99),
            });
        }
    }
    rows
}

/// The same as a table; only its heads where there is nothing beside it.
pub(super) fn ratio_rows(report: &Report) -> Vec<Vec<String>> {
    let heads = ["beside", "phase", "rate", "p50", "p99"];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    for row in compared(report) {
        let times = |ratio: f64| format!("{ratio:.3} ×");
        table.push(vec![
            row.other.to_owned(),
            row.phase.to_owned(),
            times(row.rate),
            times(row.p50),
            times(row.p99),
        ]);
    }
    table
}

pub(super) fn ratios(report: &Report) -> Vec<String> {
    let table = ratio_rows(report);
    let Some(first) = report.first().filter(|_| table.len() > 1) else {
        return Vec::new();
    };
    let title = format!("{} beside the others, in the same run", first.name);
    let mut lines = vec![String::new(), title];
    let table = aligned(&table, 2);
    lines.extend(table.into_iter().map(|line| format!("  {line}")));
    lines
}

pub(super) fn comparison(report: &Report) -> Vec<String> {
    let Some(comparison) = &report.comparison else {
        return Vec::new();
    };
    let mut lines = vec![String::new(), format!("beside {}", comparison.baseline)];
    if !comparison.caveats.is_empty() {
        lines.push(format!(
            "  hard to compare: {}",
            comparison.caveats.join(", ")
        ));
    }
    let table = aligned(&comparison_rows(comparison), 2);
    lines.extend(table.into_iter().map(|line| format!("  {line}")));
    lines
}

/// What differs from an earlier run, with the heads of the columns; the first two have words.
pub(super) fn comparison_rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let heads = ["phase", "number", "before", "now", "change", "verdict"];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    for row in &comparison.rows {
        let unit = row.metric.unit();
        table.push(vec![
            row.phase.clone(),
            row.metric.to_string(),
            unit.shown(row.before),
            unit.shown(row.now),
            row.shown_change(),
            row.verdict.words().to_owned(),
        ]);
    }
    table
}
