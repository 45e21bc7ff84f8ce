//! The report as people read it in a terminal.

use std::fmt::Write as _;

use super::comparison::Comparison;
use super::number::{real, real_size, share};
use super::report::{Latency, PhaseReport, Report, SubjectReport};
use super::statistics::{median, spread};
use super::subject::{Kind, State, Tier};

/// A time in microseconds with the unit that suits it.
pub(super) fn time(micros: f64) -> String {
    match micros {
        ..0.9995 => format!("{:.0} ns", micros * 1e3),
        ..9.995 => format!("{micros:.2} µs"),
        ..999.5 => format!("{micros:.0} µs"),
        ..9_995.0 => format!("{:.2} ms", micros / 1e3),
        ..999_500.0 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// A number, rounded, with commas.
pub(super) fn count(number: f64) -> String {
    if number < 10.0 && number.fract() > 0.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with commas.
pub(super) fn count_of(number: u64) -> String {
    count(real(number))
}

/// Bytes with the unit that suits them.
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{number} bytes"),
        10_000..10_000_000 => format!("{} KiB", count_of(number >> 10)),
        _ => format!("{} MiB", count_of(number >> 20)),
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.1 {
        format!("{percent:.3} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The word for a kind.
pub(super) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Read => "read",
        Kind::Absent => "absent",
        Kind::Batch => "batch",
        Kind::Write => "write",
    }
}

/// The word for a tier.
pub(super) const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Memory => "memory",
        Tier::Redis => "redis",
        Tier::Database => "database",
        Tier::Unknown => "--",
    }
}

/// The word for an outcome.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Current => "current",
        State::Stale => "stale",
        State::Absent => "absent",
        State::Error => "error",
    }
}

/// How operations followed each other, and what that means for the times.
pub(super) fn loop_of(report: &Report) -> String {
    let workload = &report.workload;
    if workload.phases.iter().any(|phase| phase.crowd.is_some()) {
        return "crowds: all callers at the same moment; times from that moment".to_owned();
    }
    workload.rate.map_or_else(
        || {
            format!(
                "closed loop, {} callers: service time; coordinated omission possible",
                workload.concurrency
            )
        },
        |rate| {
            format!(
                "open loop, {} operations a second: response time from the intended start",
                count(rate)
            )
        },
    )
}

/// What a machine is, in a line.
pub(super) fn machine(report: &Report) -> String {
    let environment = &report.environment;
    let governor = environment
        .governor
        .as_ref()
        .map(|it| format!(", governor {it}"));
    let memory = environment
        .memory_bytes
        .map(|it| format!(", {}", bytes(it)));
    format!(
        "{}, {} cores{}{}; {}",
        environment.cpu,
        environment.cores,
        memory.unwrap_or_default(),
        governor.unwrap_or_default(),
        environment.system
    )
}

/// The report in lines.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines = head(report);
    for subject in &report.subjects {
        lines.push(String::new());
        lines.push(format!("{}: {}", subject.name, subject.about));
        for phase in phases_of(subject) {
            lines.extend(phase_lines(&phase));
        }
        let skipped = subject.skipped.iter();
        lines.extend(skipped.map(|why| format!("  skipped {why}")));
    }
    lines.extend(ratios(report));
    lines.extend(verdicts(report));
    lines
}

fn head(report: &Report) -> Vec<String> {
    let workload = &report.workload;
    let runs = report.first().map_or(0, |it| it.runs.len());
    let generator = report.generator;
    let mut lines = vec![
        format!("{}: {}", workload.name, workload.about),
        format!("  {}", loop_of(report)),
        format!(
            "  {runs} {} of {} after {} of warm-up, seed {}",
            if runs == 1 { "run" } else { "runs" },
            super::span::shown(workload.duration),
            super::span::shown(workload.warm_up),
            report.seed
        ),
        format!("  {}", machine(report)),
        format!("  {}", report.environment.build),
    ];
    let details = report.environment.details.iter();
    lines.extend(details.map(|(name, value)| format!("  {name}: {value}")));
    lines.push(format!(
        "  generator: {} an operation, up to {} a second in {} lanes",
        time(generator.nanos_per_operation / 1e3),
        count(generator.highest_rate),
        generator.lanes
    ));
    if report.interrupted {
        lines.push("  INTERRUPTED: this is what there was by then".to_owned());
    }
    let invalid = report.invalid();
    if !invalid.is_empty() {
        lines.push("  INVALID: the numbers mean nothing, because".to_owned());
        lines.extend(invalid.iter().map(|why| format!("    {why}")));
    }
    lines
}

/// Each phase in all runs.
struct Phases<'a> {
    runs: Vec<&'a PhaseReport>,
    /// The run in the middle, by how fast the slowest of a hundred was.
    middle: &'a PhaseReport,
}

fn phases_of(subject: &SubjectReport) -> Vec<Phases<'_>> {
    let Some(first) = subject.runs.first() else {
        return Vec::new();
    };
    let phases = first.phases.iter().map(|phase| {
        let all = subject.runs.iter().flat_map(|run| &run.phases);
        let runs: Vec<&PhaseReport> = all.filter(|it| it.name == phase.name).collect();
        let mut sorted = runs.clone();
        sorted.sort_by(|one, other| one.noticed().p99.total_cmp(&other.noticed().p99));
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(phase);
        Phases { runs, middle }
    });
    phases.collect()
}

/// Each phase in the run in the middle.
pub(super) fn middles(subject: &SubjectReport) -> Vec<&PhaseReport> {
    let phases = phases_of(subject).into_iter();
    phases.map(|phases| phases.middle).collect()
}

fn phase_lines(phases: &Phases<'_>) -> Vec<String> {
    let phase = phases.middle;
    let mut lines = vec![String::new(), format!("  {}", summary(phase))];
    lines.push(format!("    {}", used(phase)));
    lines.extend(over_runs(&phases.runs));
    let table = aligned(&rows(phase), 3);
    lines.extend(table.into_iter().map(|line| format!("    {line}")));
    lines.extend(seen(phase).into_iter().map(|line| format!("    {line}")));
    lines
}

pub(super) fn summary(phase: &PhaseReport) -> String {
    let mut text = format!(
        "{}: {} operations in {:.1} s, {}/s",
        phase.name,
        count_of(phase.operations),
        phase.seconds,
        count(phase.achieved_rate)
    );
    if let Some(asked) = phase.asked_rate {
        // Writing to a text does not fail.
        let _ = write!(text, " of {}/s asked for", count(asked));
    }
    if phase.errors > 0 {
        let rate = percent(phase.error_rate());
        let _ = write!(text, ", {} errors ({rate})", count_of(phase.errors));
    }
    if let Some(together) = phase.timed_together {
        let _ = write!(text, ", timed {together} together: times are their means");
    }
    if !phase.invalid.is_empty() {
        text.push_str(" [INVALID]");
    }
    text
}

fn used(phase: &PhaseReport) -> String {
    let mut text = format!(
        "cores used: {:.2}, of which {:.2} by the generator",
        phase.process_cores, phase.generator_cores
    );
    if phase.late + phase.held > 0 {
        let _ = write!(
            text,
            "; sent late: {} by the generator, {} because too many were under way",
            count_of(phase.late),
            count_of(phase.held)
        );
    }
    text
}

fn over_runs(runs: &[&PhaseReport]) -> Option<String> {
    if runs.len() < 2 {
        return None;
    }
    let rates: Vec<f64> = runs.iter().map(|it| it.achieved_rate).collect();
    let p99s: Vec<f64> = runs.iter().map(|it| it.noticed().p99).collect();
    let told = |numbers: &[f64], show: &dyn Fn(f64) -> String| {
        let (least, most) = spread(numbers)?;
        let middle = median(numbers)?;
        Some(format!(
            "{} ({} to {})",
            show(middle),
            show(least),
            show(most)
        ))
    };
    Some(format!(
        "    median of {} runs: {} a second, p99 {}",
        runs.len(),
        told(&rates, &count)?,
        told(&p99s, &time)?
    ))
}

const HEADS: [&str; 10] = [
    "operation",
    "tier",
    "outcome",
    "count",
    "share",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "max",
];

fn row(words: [&str; 3], operations: u64, of: u64, times: &Latency) -> Vec<String> {
    let mut row: Vec<String> = words.map(str::to_owned).into();
    row.push(count_of(operations));
    row.push(percent(share(operations, of)));
    let times = [times.p50, times.p90, times.p99, times.p999, times.max];
    row.extend(times.map(time));
    row
}

/// What was done, by class, with the heads of the columns; the first three have words.
pub(super) fn rows(phase: &PhaseReport) -> Vec<Vec<String>> {
    let all = phase.operations;
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    for class in &phase.classes {
        let words = [kind(class.kind), tier(class.tier), state(class.state)];
        rows.push(row(words, class.operations, all, &class.service));
    }
    if phase.classes.len() > 1 || phase.response.is_some() {
        rows.push(row(["all", "", "service"], all, all, &phase.service));
    }
    if let Some(response) = &phase.response {
        rows.push(row(["all", "", "response"], all, all, response));
    }
    rows
}

/// Columns side by side: so many with words to the left, those with numbers to the right.
pub(super) fn aligned(rows: &[Vec<String>], words: usize) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if column < words {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What was seen beside the times.
pub(super) fn seen(phase: &PhaseReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(ratio) = phase.hit_ratio {
        lines.push(format!("hit ratio: {}", percent(ratio)));
    }
    if let Some(counters) = phase.counters {
        lines.push(format!(
            "database: {} loads of {} keys; {} callers joined the load of another",
            count_of(counters.loads),
            count_of(counters.loaded_keys),
            count_of(counters.joined)
        ));
        lines.push(format!(
            "memory: {} entries in {}, {} evicted",
            count_of(counters.entries),
            bytes(counters.bytes),
            count_of(counters.evictions)
        ));
        if counters.redis_failures + counters.overloads > 0 {
            lines.push(format!(
                "trouble: {} calls of Redis failed, {} look-ups were refused",
                count_of(counters.redis_failures),
                count_of(counters.overloads)
            ));
        }
    }
    if let Some(staleness) = phase.staleness {
        let bound = staleness.bound_ms.map(|bound| {
            let beyond = count_of(staleness.beyond_bound);
            format!("; {beyond} beyond the promised {}", time(bound * 1e3))
        });
        lines.push(format!(
            "staleness: {} of {} answers had been replaced, p99 {}, at most {}{}",
            count_of(staleness.replaced),
            count_of(staleness.judged),
            time(staleness.p99_ms * 1e3),
            time(staleness.max_ms * 1e3),
            bound.unwrap_or_default()
        ));
    }
    if let Some(crowd) = phase.crowd {
        let loads = crowd.loaded_keys.map(|keys| {
            let each = real(keys) / real(crowd.crowds.max(1));
            format!(": {each:.2} loads for each")
        });
        lines.push(format!(
            "{} crowds of {}{}",
            count_of(crowd.crowds),
            count(real_size(crowd.callers)),
            loads.unwrap_or_default()
        ));
    }
    lines
}

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

fn ratios(report: &Report) -> Vec<String> {
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

fn verdicts(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(grades) = &report.grades {
        lines.push(String::new());
        lines.push(format!("grade {}", grades.overall.letter()));
        for graded in &grades.objectives {
            let letter = graded.grade.letter();
            lines.push(format!(
                "  {letter}  {}: {}",
                graded.objective, graded.measured
            ));
        }
        lines.extend(grades.recommendations.iter().map(|it| format!("  → {it}")));
    }
    if !report.objectives.is_empty() {
        lines.push(String::new());
        lines.push("objectives".to_owned());
    }
    for verdict in &report.objectives {
        let (mark, word) = if verdict.is_kept {
            ("√", "kept")
        } else {
            ("×", "MISSED")
        };
        let measured = verdict
            .measured
            .as_deref()
            .unwrap_or("nothing was measured");
        lines.push(format!(
            "  {mark} {}: {measured}, {word}",
            verdict.objective
        ));
    }
    lines.extend(comparison(report));
    lines
}

fn comparison(report: &Report) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn times_and_counts_have_three_digits_and_their_unit() {
        let times = [0.099, 1.5, 15.4, 999.4, 1500.0, 15_400.0, 1_500_000.0].map(time);
        assert_eq!(
            times,
            [
                "99 ns", "1.50 µs", "15 µs", "999 µs", "1.50 ms", "15 ms", "1.50 s"
            ]
        );
        let counts = [0.0, 1.5, 12.0, 999.0, 1000.0, 1_234_567.0].map(count);
        assert_eq!(counts, ["0", "1.5", "12", "999", "1,000", "1,234,567"]);
        let shares = [0.0, 0.0001, 0.5, 1.0].map(percent);
        assert_eq!(shares, ["0.0 %", "0.010 %", "50.0 %", "100.0 %"]);
    }

    #[test]
    fn a_report_is_read_in_a_terminal() {
        insta::assert_snapshot!(lines(&samples::full_report()).join("\n"));
    }

    #[test]
    fn a_run_that_means_nothing_says_so_at_the_top() {
        let mut report = samples::report();
        report.interrupted = true;
        let phase = &mut report.subjects[0].runs[0].phases[0];
        phase.invalid.push("it was interrupted".to_owned());
        let text = lines(&report)[..12].join("\n");
        assert!(
            text.contains("INTERRUPTED") && text.contains("INVALID"),
            "{text}"
        );
        assert!(text.contains("steady: it was interrupted"), "{text}");
    }
}
