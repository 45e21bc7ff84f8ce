//! The latency curve in the format `.hgrm` that the plotters of `HdrHistogram` read: for each
//! subject and phase, values in milliseconds.

use std::fmt::Write as _;

use super::number::{real, whole};
use super::report::{CurvePoint, Latency, Report};
use super::text::middles;
use super::words::tier;

/// The curves, one after the other, each after a line that says what it is: of all operations of a phase, and
/// of those that each tier answered.
pub fn hdr(report: &Report) -> String {
    let mut text = String::new();
    for subject in &report.subjects {
        for phase in middles(subject) {
            let what = format!("Subject: {}, phase: {}", subject.name, phase.name);
            // Writing to a text does not fail.
            let _ = writeln!(text, "#[{what}]");
            text.push_str(&curve(&phase.curve, phase.noticed(), phase.operations));
            for of in &phase.tiers {
                let _ = writeln!(text, "#[{what}, answered by: {}]", tier(of.tier));
                text.push_str(&curve(&of.curve, &of.noticed, of.operations));
            }
        }
    }
    text
}

fn curve(points: &[CurvePoint], times: &Latency, count: u64) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    for point in points {
        let value = point.micros / 1e3;
        let below = whole((real(count) * point.quantile).round());
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
    let (mean, max) = (times.mean / 1e3, times.max / 1e3);
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
