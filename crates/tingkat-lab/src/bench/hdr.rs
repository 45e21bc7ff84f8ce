//! The latency curve in the format `.hgrm` that the plotters of `HdrHistogram` read: for each
//! subject and phase, values in milliseconds.

use std::fmt::Write as _;

use super::number::{real, whole};
use super::report::{PhaseReport, Report};
use super::text::middles;

/// The curves, one after the other, each after a line that says what it is.
pub fn hdr(report: &Report) -> String {
    let mut text = String::new();
    for subject in &report.subjects {
        for phase in middles(subject) {
            // Writing to a text does not fail.
            let _ = writeln!(text, "#[Subject: {}, phase: {}]", subject.name, phase.name);
            text.push_str(&curve(phase));
        }
    }
    text
}

fn curve(phase: &PhaseReport) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    for point in &phase.curve {
        let value = point.micros / 1e3;
        let below = whole((real(phase.operations) * point.quantile).round());
        let quantile = point.quantile;
        let _ = if quantile < 1.0 {
            let inverse = 1.0 / (1.0 - quantile);
            writeln!(
                text,
                "{value:12.6} {quantile:14.12} {below:10} {inverse:14.2}"
            )
        } else {
            writeln!(text, "{value:12.6} {quantile:14.12} {below:10}")
        };
    }
    let times = phase.noticed();
    let (mean, max) = (times.mean / 1e3, times.max / 1e3);
    let count = phase.operations;
    let _ = writeln!(text, "#[Mean    = {mean:12.6}]");
    let _ = writeln!(text, "#[Max     = {max:12.6}, Total count    = {count:12}]");
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_curve_is_as_reviewed() {
        insta::assert_snapshot!(hdr(&samples::report()));
    }
}
