//! The report beside something else, as people read it: another subject of the same run, or an earlier
//! run.

use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::report::{KindReport, PhaseReport, Report, RunReport, SubjectReport, names_of_phases};
use super::statistics::median;
use super::subject::Kind;
use super::text::aligned;
use super::words;

/// How the first subject compares with another one by one kind of operation in a phase: the medians of the
/// ratios within one run each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The other one.
    pub beside: String,
    /// The phase.
    pub phase: String,
    /// What was done.
    pub kind: Kind,
    /// Operations a second by those of the other; nothing where the phase mixes kinds, as how many there are
    /// of each is then its mix.
    pub rate: Option<f64>,
    /// The middle of the times by that of the other: below 1 it is faster.
    pub p50: f64,
    /// The slowest of a hundred by that of the other.
    pub p99: f64,
    /// Whether the numbers of both mean something in all of these runs.
    pub is_valid: bool,
}

/// A phase of the first subject and of another, of the same run.
type Pair<'a> = (&'a PhaseReport, &'a PhaseReport);

/// How the first subject compares with the others.
pub(super) fn compared(subjects: &[SubjectReport]) -> Vec<Ratio> {
    let Some((first, others)) = subjects.split_first() else {
        return Vec::new();
    };
    let mut ratios = Vec::new();
    for other in others {
        for phase in names_of_phases(&first.runs) {
            let of = |run: &'_ RunReport| run.phases.iter().position(|it| it.name == phase);
            let pairs = first.runs.iter().zip(&other.runs);
            let pairs = pairs.filter_map(|(own, its)| {
                Some((own.phases.get(of(own)?)?, its.phases.get(of(its)?)?))
            });
            let pairs: Vec<Pair<'_>> = pairs.collect();
            let kinds = pairs.first().map_or(&[][..], |(own, _)| &own.kinds);
            let is_one = kinds.len() == 1;
            let rate = |phase: &PhaseReport| Some(phase.achieved_rate);
            ratios.extend(kinds.iter().filter_map(|KindReport { kind, .. }| {
                let times = |phase: &PhaseReport| {
                    let times = phase.kinds.iter().find(|it| it.kind == *kind);
                    times.map(|it| it.noticed)
                };
                Some(Ratio {
                    beside: other.name.clone(),
                    phase: phase.to_owned(),
                    kind: *kind,
                    rate: ratio(&pairs, rate).filter(|_| is_one),
                    p50: ratio(&pairs, |phase| Some(times(phase)?.p50))?,
                    p99: ratio(&pairs, |phase| Some(times(phase)?.p99))?,
                    is_valid: pairs
                        .iter()
                        .all(|(own, its)| own.invalid.is_empty() && its.invalid.is_empty()),
                })
            }));
        }
    }
    ratios
}

/// The median of the ratios within one run each, where the machine was about the same for both.
fn ratio(pairs: &[Pair<'_>], of: impl Fn(&PhaseReport) -> Option<f64>) -> Option<f64> {
    let pairs = pairs.iter();
    let ratios = pairs.filter_map(|(own, its)| Some(of(own)? / of(its)?.max(1e-9)));
    median(&ratios.collect::<Vec<_>>())
}

/// The same as a table; only its heads where there is nothing beside it.
pub(super) fn ratio_rows(report: &Report) -> Vec<Vec<String>> {
    let heads = ["beside", "phase", "operation", "rate", "p50", "p99"];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    for row in &report.ratios {
        let mark = if row.is_valid { "" } else { " [INVALID]" };
        table.push(vec![
            row.beside.clone(),
            format!("{}{mark}", row.phase),
            words::kind(row.kind).to_owned(),
            row.rate
                .map_or_else(|| "--".to_owned(), |it| format!("{} ×", words::ratio(it))),
            words::faster(row.p50),
            words::faster(row.p99),
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

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn runs_are_paired_by_their_number_and_phases_by_their_name() {
        let mut report = samples::full_report();
        let p50 = |report: &Report| compared(&report.subjects)[0].p50;
        let paired = p50(&report);
        // Each run has its luck, which both subjects share.
        assert!((paired - 1.0 / 3.0).abs() < 1e-9, "{paired}");
        report.subjects[1].runs[0].phases.clear();
        assert!((p50(&report) - paired).abs() < 1e-9, "a phase was skipped");
        assert!(compared(&report.subjects)[0].is_valid);
        let phase = &mut report.subjects[1].runs[2].phases[0];
        phase.invalid.push("it was interrupted".to_owned());
        report.ratios = compared(&report.subjects);
        assert!(!report.ratios[0].is_valid);
        let told = ratios(&report).join("\n");
        assert!(told.contains("steady [INVALID]"), "{told}");
        assert!(told.contains("3.00 × faster"), "{told}");
    }
}
