//! The report as CSV: a line for each class of operations in each phase of each run.

use std::fmt::Write as _;

use super::report::{ClassReport, Report};
use super::words::{kind, state, tier};

/// The heads of the columns; times in microseconds.
const HEAD: &str = "subject,run,phase,valid,operation,tier,outcome,operations,phase_seconds,\
                    phase_rate,mean_us,p50_us,p90_us,p99_us,p999_us,max_us";

/// The table.
pub fn csv(report: &Report) -> String {
    let mut text = format!("{HEAD}\n");
    for subject in &report.subjects {
        for (number, run) in subject.runs.iter().enumerate() {
            for phase in &run.phases {
                let begin = format!(
                    "{},{},{},{}",
                    quoted(&subject.name),
                    number + 1,
                    quoted(&phase.name),
                    phase.invalid.is_empty()
                );
                for class in &phase.classes {
                    let line = line(class, phase.seconds, phase.achieved_rate);
                    // Writing to a text does not fail.
                    let _ = writeln!(text, "{begin},{line}");
                }
            }
        }
    }
    text
}

fn line(class: &ClassReport, seconds: f64, rate: f64) -> String {
    let times = class.service;
    let words = [kind(class.kind), tier(class.tier), state(class.state)];
    let numbers = [
        times.mean, times.p50, times.p90, times.p99, times.p999, times.max,
    ];
    let numbers = numbers.map(|number| format!("{number:.3}"));
    format!(
        "{},{},{seconds:.3},{rate:.3},{}",
        words.join(","),
        class.operations,
        numbers.join(",")
    )
}

/// A text that may have commas and quotes in it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_table_is_as_reviewed() {
        insta::assert_snapshot!(csv(&samples::report()));
    }

    #[test]
    fn a_name_with_a_comma_stays_one_column() {
        assert_eq!(quoted("1,024 callers"), "\"1,024 callers\"");
        assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(quoted("warm"), "warm");
    }
}
