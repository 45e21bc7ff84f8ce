//! Tells the result: on standard output, and in the files that were asked for.

use std::path::{Path, PathBuf};

use tingkat_lab::bench::{
    Comparison, Regression, Report, advice_without_grade, csv, grade, hdr, lines, page,
};

use crate::cli::bench::{Bench, Wanted, baseline_path};
use crate::exit::{Code, Failure};
use crate::output::print;

/// What makes the text of a file.
type Output = fn(&Report) -> String;

/// Judges a report and tells it; an error if something that had to be so is not.
pub(super) fn tell(arguments: &Bench, wanted: &Wanted, mut report: Report) -> Result<(), Failure> {
    report.grades = grade(&report);
    report.advice = advice_without_grade(&report);
    let slo = arguments.slo.as_ref().map_or(&[][..], |it| &it.0);
    report.objectives = slo.iter().map(|it| it.judge(&report)).collect();
    let baseline = wanted.baseline.as_ref();
    let changes = arguments.fail_on.as_ref().map_or(&[][..], |it| &it.0);
    report.comparison =
        baseline.map(|(name, before)| Comparison::of(name, before, &report, changes));
    let json = serde_json::to_string(&report)
        .map_err(|error| Failure::unexpected(format!("failed to write the report: {error}")))?;
    if arguments.report.json {
        print(&format!("{json}\n"));
    } else {
        print(&format!("{}\n", lines(&report).join("\n")));
    }
    let files: [(&Option<PathBuf>, Output); 3] = [
        (&arguments.html, page),
        (&arguments.csv, csv),
        (&arguments.hdr, hdr),
    ];
    for (path, output) in files {
        if let Some(path) = path {
            write(path, &output(&report))?;
        }
    }
    let not_kept = arguments
        .save_baseline
        .as_ref()
        .and(not_worth_keeping(&report));
    let verdict = verdict(&report, changes);
    if let Some(name) = arguments
        .save_baseline
        .as_ref()
        .filter(|_| not_kept.is_none())
    {
        // Without what it was compared with, which belongs to this run alone.
        report.comparison = None;
        let json = serde_json::to_string(&report).unwrap_or(json);
        write(&baseline_path(name)?, &json)?;
    }
    match not_kept {
        Some(why) => {
            let code = verdict.map_or_else(|failure| failure.code(), |()| Code::Missed);
            Err(Failure::new(code, format!("not kept as a baseline: {why}")))
        }
        None => verdict,
    }
}

/// Why nothing should be compared with a report later on.
fn not_worth_keeping(report: &Report) -> Option<String> {
    if report.interrupted {
        return Some("the run was interrupted".to_owned());
    }
    if report.wrong() > 0 {
        return Some("answers were for another key than was asked for".to_owned());
    }
    let invalid = report.invalid();
    (!invalid.is_empty()).then(|| format!("its numbers mean nothing: {}", invalid.join("; ")))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::unexpected(format!("failed to write {}: {error}", path.display()))
    })
}

fn verdict(report: &Report, changes: &[Regression]) -> Result<(), Failure> {
    if report.interrupted {
        return Err(Failure::said(Code::Interrupted));
    }
    let wrong = report.wrong();
    if wrong > 0 {
        let line = format!(
            "{wrong} answers were for another key than was asked for, which is a bug of what was measured"
        );
        return Err(Failure::new(Code::Missed, line));
    }
    let is_missed = report.objectives.iter().any(|it| !it.is_kept);
    let comparison = report.comparison.as_ref();
    let is_worse = comparison.is_some_and(|it| !it.failures(changes).is_empty());
    // Numbers that mean nothing show no improvement either, and those that there are not show nothing.
    let is_void = !changes.is_empty() && !report.invalid().is_empty();
    let untold = comparison.map_or_else(Vec::new, |it| it.untold(changes));
    if !untold.is_empty() {
        let line = format!(
            "--fail-on: nobody can tell whether it has become worse: {}",
            untold.join("; ")
        );
        return Err(Failure::new(Code::Missed, line));
    }
    if is_missed || is_worse || is_void {
        return Err(Failure::said(Code::Missed));
    }
    Ok(())
}
