//! The report beside something else, as people read it: another subject of the same run, or an earlier
//! run.

use super::comparison::Comparison;
use super::report::{PhaseReport, Report};
use super::statistics::median;
use super::subject::Kind;
use super::text::{Phases, aligned, phases_of};
use super::words;

/// How the first subject compares with another one by one kind of operation in a phase.
struct Ratio<'a> {
    other: &'a str,
    phase: &'a str,
    kind: Kind,
    /// Nothing where the phase mixes kinds: how many there are of each is then its mix.
    rate: Option<f64>,
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
            let kinds = own.middle.kinds.iter().map(|it| it.kind);
            let is_one = own.middle.kinds.len() == 1;
            rows.extend(kinds.filter_map(|kind| {
                let rate = |phase: &PhaseReport| Some(phase.achieved_rate);
                let times = |phase: &PhaseReport| {
                    let times = phase.kinds.iter().find(|it| it.kind == kind);
                    times.map(|it| it.noticed)
                };
                Some(Ratio {
                    other: &other.name,
                    phase: &own.middle.name,
                    kind,
                    rate: ratio(own, others, rate).filter(|_| is_one),
                    p50: ratio(own, others, |phase| Some(times(phase)?.p50))?,
                    p99: ratio(own, others, |phase| Some(times(phase)?.p99))?,
                })
            }));
        }
    }
    rows
}

/// The median of the ratios within one run each, where the machine was about the same for both.
fn ratio(
    own: &Phases<'_>,
    others: &Phases<'_>,
    of: impl Fn(&PhaseReport) -> Option<f64>,
) -> Option<f64> {
    let pairs = own.runs.iter().zip(&others.runs);
    let ratios = pairs.filter_map(|(own, other)| Some(of(own)? / of(other)?.max(1e-9)));
    median(&ratios.collect::<Vec<_>>())
}

/// The same as a table; only its heads where there is nothing beside it.
pub(super) fn ratio_rows(report: &Report) -> Vec<Vec<String>> {
    let heads = ["beside", "phase", "operation", "rate", "p50", "p99"];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    for row in compared(report) {
        let times = |ratio: f64| format!("{ratio:.3} ×");
        table.push(vec![
            row.other.to_owned(),
            row.phase.to_owned(),
            words::kind(row.kind).to_owned(),
            row.rate.map_or_else(|| "--".to_owned(), times),
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
    let table = aligned(&table, 3);
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
    let notes = comparison.notes.iter();
    lines.extend(notes.map(|note| format!("  {note}")));
    lines.extend(
        missing(comparison)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    let table = aligned(&comparison_rows(comparison), 2);
    lines.extend(table.into_iter().map(|line| format!("  {line}")));
    lines
}

/// What an earlier run has and this one has not, by phase.
pub(super) fn missing(comparison: &Comparison) -> Option<String> {
    let names = comparison.missing.iter();
    let names: Vec<String> = names
        .map(|it| format!("{}:{}", it.phase, it.metric))
        .collect();
    (!names.is_empty()).then(|| format!("not measured now: {}", names.join(", ")))
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
