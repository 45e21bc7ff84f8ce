//! The report as people read it in a terminal.

use std::fmt::Write as _;

use super::beside::{comparison, ratios};
use super::number::{real, real_size, share};
use super::report::{Generator, Latency, PhaseReport, Report, SubjectReport, names_of_phases};
use super::statistics::{median, spread};
use super::trace::TraceReport;
use super::words::{bytes, count, count_of, kind, percent, state, tier, time};
use super::workload::Workload;

/// How operations followed each other, and what that means for the times.
pub(super) fn loop_of(report: &Report) -> String {
    let workload = &report.workload;
    if workload.phases.iter().any(|phase| phase.crowd.is_some()) {
        return "crowds: all callers at the same moment; times from that moment".to_owned();
    }
    if workload.phases.iter().all(|phase| phase.lag) {
        return "one after the other, a write and look-ups until it is seen: service time"
            .to_owned();
    }
    workload.rate.map_or_else(
        || {
            format!(
                "closed loop, {}: service time; coordinated omission possible",
                callers(workload)
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

/// How many callers each phase has.
fn callers(workload: &Workload) -> String {
    let of = |phase| workload.callers_of(phase);
    let mut all: Vec<usize> = workload.phases.iter().map(of).collect();
    all.dedup();
    let texts: Vec<String> = all.iter().map(|it| count(real_size(*it))).collect();
    match (texts.split_last(), all.as_slice()) {
        (_, [1]) => "1 caller".to_owned(),
        (Some((last, [])), _) => format!("{last} callers"),
        (Some((last, others)), _) => {
            format!(
                "{} and then {last} callers, phase by phase",
                others.join(", ")
            )
        }
        (None, _) => String::new(),
    }
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
    lines.extend(
        report
            .trace
            .iter()
            .map(|trace| format!("  {}", replayed(trace))),
    );
    lines.push(format!("  generator: {}", costs(generator)));
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

/// What measuring costs.
pub(super) fn costs(generator: Generator) -> String {
    let cost = time(generator.nanos_per_operation / 1e3);
    let (rate, lanes) = (count(generator.highest_rate), generator.lanes);
    if generator.is_over_http {
        return format!(
            "{cost} a request, up to {rate} a second in {lanes} lanes, beside a listener in this \
             process that does nothing"
        );
    }
    let waited = time(generator.nanos_per_wait / 1e3);
    format!(
        "{cost} an operation and {waited} one that is waited for, up to {rate} a second in {lanes} lanes"
    )
}

/// What was replayed.
pub(super) fn replayed(trace: &TraceReport) -> String {
    let mut text = format!(
        "trace {}: {} requests for {} different things",
        trace.name,
        count_of(trace.requests),
        count_of(trace.distinct)
    );
    let is_all = trace.replayed_requests == trace.requests;
    let replayed = format!(
        "{} requests for {} keys are replayed",
        count_of(trace.replayed_requests),
        count_of(trace.replayed_keys)
    );
    let _ = match (trace.by_sku, is_all) {
        (true, true) => write!(text, ", found by their skus: {replayed}"),
        (true, false) => write!(
            text,
            "; those whose sku the store has not are left out: {replayed}"
        ),
        (false, true) => write!(text, ", each of which stands for some key of the store"),
        (false, false) => write!(
            text,
            "; the store has fewer keys, so that a sample of the things is taken: {replayed}"
        ),
    };
    text
}

/// Each phase in all runs.
pub(super) struct Phases<'a> {
    pub(super) runs: Vec<&'a PhaseReport>,
    /// The run in the middle, by how fast the slowest of a hundred was.
    pub(super) middle: &'a PhaseReport,
}

pub(super) fn phases_of(subject: &SubjectReport) -> Vec<Phases<'_>> {
    let names = names_of_phases(&subject.runs).into_iter();
    let phases = names.filter_map(|name| {
        let all = subject.runs.iter().flat_map(|run| &run.phases);
        let runs: Vec<&PhaseReport> = all.filter(|it| it.name == name).collect();
        let mut sorted = runs.clone();
        sorted.sort_by(|one, other| one.noticed().p99.total_cmp(&other.noticed().p99));
        let middle = sorted.get(sorted.len() / 2).copied()?;
        Some(Phases { runs, middle })
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
    lines.extend(invalid(&phases.runs).map(|why| format!("    INVALID: {why}")));
    lines.push(format!("    {}", used(phase)));
    lines.extend(over_runs(&phases.runs).map(|line| format!("    {line}")));
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

/// Why the numbers of a phase mean nothing, in any of its runs.
pub(super) fn invalid(runs: &[&PhaseReport]) -> Option<String> {
    let mut all: Vec<&str> = runs
        .iter()
        .flat_map(|run| &run.invalid)
        .map(String::as_str)
        .collect();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then(|| all.join("; "))
}

pub(super) fn used(phase: &PhaseReport) -> String {
    let mut text = format!(
        "cores used: {:.2}, of which {:.2} by the generator",
        phase.process_cores, phase.generator_cores
    );
    if let Some(callers) = phase.callers.filter(|it| *it > 1) {
        let _ = write!(
            text,
            "; at most {} of {} callers waited at the same time",
            count_of(phase.under_way),
            count(real_size(callers))
        );
    }
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

pub(super) fn over_runs(runs: &[&PhaseReport]) -> Option<String> {
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
        "median of {} runs: {} a second, p99 {}",
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
    if phase.wrong > 0 {
        lines.push(format!(
            "WRONG: {} answers were for another key than was asked for",
            count_of(phase.wrong)
        ));
    }
    if let Some(ratio) = phase.hit_ratio {
        lines.push(format!("hit ratio: {}", percent(ratio)));
    }
    if let Some(counters) = phase.counters {
        let saved = phase.looked_up.saturating_sub(counters.loaded_keys);
        lines.push(format!(
            "database: {} loads of {} keys, {} of {} keys that were looked up were saved; {} callers \
             joined the load of another",
            count_of(counters.loads),
            count_of(counters.loaded_keys),
            count_of(saved),
            count_of(phase.looked_up),
            count_of(counters.joined)
        ));
        if counters.entries + counters.evictions > 0 {
            lines.push(format!(
                "memory: {} entries in {}, {} each; {} evicted",
                count_of(counters.entries),
                bytes(counters.bytes),
                bytes(counters.bytes / counters.entries.max(1)),
                count_of(counters.evictions)
            ));
        }
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
        let old = if staleness.replaced > 0 {
            format!(
                ", 99 of 100 of these for less than {}, none for more than {}",
                time(staleness.replaced_p99_ms * 1e3),
                time(staleness.max_ms * 1e3)
            )
        } else {
            String::new()
        };
        let whose = if staleness.knew_writes {
            "; read from the node that was written to, which knows its own writes at once: how soon \
             others see them is not measured"
        } else {
            ""
        };
        lines.push(format!(
            "staleness: {} of {} answers for what had been written had been replaced{old}{}{whose}",
            count_of(staleness.replaced),
            count_of(staleness.judged),
            bound.unwrap_or_default()
        ));
    }
    if let Some(lag) = phase.lag {
        lines.push(format!(
            "lag: {} writes were seen, half of them within {}, 99 of 100 within {} and all within {}; {} \
             were not within 10 s",
            count_of(lag.seen),
            time(lag.p50_ms * 1e3),
            time(lag.p99_ms * 1e3),
            time(lag.max_ms * 1e3),
            count_of(lag.unseen)
        ));
    }
    if let Some(laps) = phase.laps {
        lines.push(format!("trace: {laps:.2} laps"));
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

fn verdicts(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if !report.advice.is_empty() {
        lines.push(String::new());
        lines.push("no grade, as the target did not keep up with the rate".to_owned());
        lines.extend(report.advice.iter().map(|it| format!("  → {it}")));
    }
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

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

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
