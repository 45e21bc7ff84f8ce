//! Tells the result: on standard output, and in the files that were asked for.

use std::path::{Path, PathBuf};

use tingkat_lab::bench::{Comparison, Report, advice_without_grade, csv, grade, hdr, lines, page};

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
    report.comparison = baseline.map(|(name, before)| Comparison::of(name, before, &report));
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
    let verdict = verdict(arguments, &report, wanted);
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
    let invalid = report.invalid();
    (!invalid.is_empty()).then(|| format!("its numbers mean nothing: {}", invalid.join("; ")))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::unexpected(format!("failed to write {}: {error}", path.display()))
    })
}

fn verdict(arguments: &Bench, report: &Report, wanted: &Wanted) -> Result<(), Failure> {
    if report.interrupted {
        return Err(Failure::said(Code::Interrupted));
    }
    let is_missed = report.objectives.iter().any(|it| !it.is_kept);
    let is_worse = match (&arguments.fail_on, &wanted.baseline) {
        (Some(changes), Some((name, before))) => {
            let comparison = Comparison::of(name, before, report);
            let failures = comparison.failures(&changes.0);
            // Numbers that mean nothing show no improvement either.
            !failures.is_empty() || !report.invalid().is_empty()
        }
        _ => false,
    };
    if is_missed || is_worse {
        return Err(Failure::said(Code::Missed));
    }
    Ok(())
}
