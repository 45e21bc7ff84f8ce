//! Whether the numbers of a phase mean anything.

use std::time::Duration;

use super::number::{real_size, share};
use super::recorder::Recorder;
use super::report::PhaseReport;

/// Less of the asked rate than this is another workload.
const LEAST_ACHIEVED: f64 = 0.95;

/// A generator that uses more of its cores than this measures itself.
const MOST_GENERATOR: f64 = 0.8;

/// A larger share of late operations is no constant rate.
const MOST_LATE: f64 = 0.05;

/// Of fewer operations nobody can tell the slowest of a hundred.
const LEAST_OPERATIONS: u64 = 100;

/// How far the two clocks of a machine may come apart in a phase, in milliseconds, and in so many parts of it:
/// one that is being slewed gains or loses one in two thousand.
const CLOCKS_APART_MS: u64 = 100;
const CLOCKS_APART: u64 = 500;

/// How the reason ends that says that the target did not keep up.
const TOO_SLOW: &str = "less than 95 %";

/// Whether all that is wrong with a phase is that its target does not keep up with the rate: what was
/// seen of it is true all the same.
pub(super) fn is_only_too_slow(phase: &PhaseReport) -> bool {
    let reasons = &phase.invalid;
    !reasons.is_empty() && reasons.iter().all(|why| why.ends_with(TOO_SLOW))
}

/// How long a phase took by each of the clocks of the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// By the one that only goes forward, and stands still while the machine sleeps.
    pub(super) monotonic: Duration,
    /// By the one on the wall, in milliseconds, which somebody may set.
    pub(super) wall_ms: i64,
}

impl Clocks {
    /// What is wrong where they do not agree: then nobody knows how long anything took.
    fn trouble(self) -> Option<String> {
        let monotonic = u64::try_from(self.monotonic.as_millis()).unwrap_or(u64::MAX);
        let apart = self
            .wall_ms
            .abs_diff(i64::try_from(monotonic).unwrap_or(i64::MAX));
        let may = CLOCKS_APART_MS + monotonic / CLOCKS_APART;
        (apart > may).then(|| {
            format!(
                "the clocks of the machine came apart by {apart} ms: it was suspended, or its time \
                 was set"
            )
        })
    }
}

/// Why the numbers of a phase mean nothing; empty if they do.
pub(super) fn reasons(
    report: &PhaseReport,
    record: &Recorder,
    lanes: usize,
    is_interrupted: bool,
    clocks: Clocks,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if is_interrupted {
        reasons.push("it was interrupted".to_owned());
    } else if let Some(asked) = report.asked_rate
        && report.achieved_rate < asked * LEAST_ACHIEVED
    {
        reasons.push(format!(
            "{:.1} of {asked:.1} operations a second were answered, {TOO_SLOW}",
            report.achieved_rate
        ));
    }
    reasons.extend(clocks.trouble());
    let (lanes, cores) = (real_size(lanes), report.generator_cores);
    if cores > MOST_GENERATOR * lanes {
        reasons.push(format!(
            "the generator is saturated: it used {cores:.2} of {lanes} cores"
        ));
    }
    if share(record.late, record.sent) > MOST_LATE {
        reasons.push(format!(
            "the generator was late: {} of {} operations were sent 5 ms or more after they \
             were due",
            record.late, record.sent
        ));
    }
    if record.unfinished > 0 {
        reasons.push(format!("{} operations never came back", record.unfinished));
    }
    if report.operations < LEAST_OPERATIONS {
        reasons.push(format!(
            "{} operations are too few: p99 needs {LEAST_OPERATIONS}",
            report.operations
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_come_apart_make_a_phase_mean_nothing() {
        let trouble = |seconds, wall_ms| {
            let monotonic = Duration::from_secs(seconds);
            Clocks { monotonic, wall_ms }.trouble()
        };
        for wall_ms in [9_950, 10_000, 10_090] {
            assert_eq!(trouble(10, wall_ms), None, "{wall_ms}");
        }
        // As the time is kept right in an hour.
        assert_eq!(trouble(3_600, 3_601_800), None);
        let slept = trouble(10, 70_000).unwrap();
        assert!(slept.contains("came apart by 60000 ms"), "{slept}");
        assert!(trouble(10, -3_590_000).is_some(), "it was set back");
        assert!(trouble(10, 9_800).is_some());
    }
}
