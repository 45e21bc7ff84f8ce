//! What people read.

use std::fmt::Write as _;

use super::check::Group;
use super::report::{Judged, Report, Status};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Every check.
    Whole,
    /// What did not pass as it should.
    Short,
}

/// A check in one line, and what to do about it in another where it failed.
pub fn line(judged: &Judged, has_colour: bool) -> String {
    let (sign, colour) = match judged.status {
        Status::Passed => ("√", "32"),
        Status::Failed => ("×", "31"),
        Status::Skipped => ("-", "33"),
        Status::Moot => ("·", "90"),
    };
    let sign = if has_colour {
        format!("\u{1b}[{colour}m{sign}\u{1b}[0m")
    } else {
        sign.to_owned()
    };
    let (sentence, detail) = (judged.check.sentence, &judged.detail);
    let mut text = match judged.status {
        Status::Passed => {
            let ms = judged.took.as_millis();
            format!("  {sign} {sentence} ({ms} ms)")
        }
        Status::Failed | Status::Skipped | Status::Moot => {
            let status = judged.status.name();
            format!("  {sign} {sentence}: {status}: {detail}")
        }
    };
    if judged.status == Status::Failed {
        // Writing to a text does not fail.
        let _ = write!(text, "\n      {}", judged.check.hint());
    }
    text
}

/// What failed, a line each and nothing else.
pub fn short(report: &Report) -> Vec<String> {
    let failed = report
        .judged
        .iter()
        .filter(|judged| judged.status == Status::Failed);
    failed
        .map(|judged| {
            let (id, detail, hint) = (judged.check.id, &judged.detail, judged.check.hint());
            format!("{id}: {detail}; {hint}")
        })
        .collect()
}

/// Each group in numbers, and all of them.
pub fn summary(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        let of = |status| report.of(group).filter(|it| it.status == status).count();
        let counts = [Status::Passed, Status::Failed, Status::Skipped].map(of);
        if counts.iter().sum::<usize>() > 0 {
            let [passed, failed, skipped] = counts;
            let title = group.title();
            lines.push(format!(
                "{title:<24}{passed:>3} passed {failed:>3} failed {skipped:>3} skipped"
            ));
        }
    }
    let all = report.made().count();
    let passed = report.count(Status::Passed);
    let percent = report.success_rate() * 100.0;
    let verdict = if report.is_success() {
        "This installation keeps its promises"
    } else if report.is_interrupted {
        "Stopped before its end"
    } else if report.count(Status::Failed) > 0 {
        "This installation does not keep its promises"
    } else if report.is_out_of_time {
        "Its time was over before everything was looked at"
    } else {
        "Not everything was looked at"
    };
    lines.push(format!(
        "{verdict}: {passed} of {all} checks passed ({percent:.1} %)."
    ));
    lines
}
