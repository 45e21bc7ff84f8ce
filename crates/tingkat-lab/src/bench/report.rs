//! What a run has shown: plain data, of which every output is made. Its JSON has a version.

use serde::{Deserialize, Serialize};

use super::beside::Ratio;
use super::comparison::Comparison;
use super::environment::Environment;
use super::grade::Grades;
use super::objective::Verdict;
use super::subject::{Counters, Kind, State, Tier};
use super::trace::TraceReport;
use super::workload::Workload;

/// The version of the JSON; it rises when a field gets another meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// All that a run has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What was done, with all that flags changed.
    pub workload: Workload,
    /// What chance was drawn from.
    pub seed: u64,
    /// What was replayed, and what became of it on these keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceReport>,
    /// Where.
    pub environment: Environment,
    /// What measuring costs.
    pub generator: Generator,
    /// What was measured; the first is what the run is about, the others stand beside it.
    pub subjects: Vec<SubjectReport>,
    /// How the first subject compares with the others, in the same run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ratios: Vec<Ratio>,
    /// Somebody stopped it; what it has is told.
    pub interrupted: bool,
    /// What was wanted with `--slo`, and whether it is so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Verdict>,
    /// How good it is, where the workload says what is good enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grades: Option<Grades>,
    /// What to do, where there is no grade as the target did not keep up with the rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// How it differs from an earlier run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// What measuring costs, found out with a target that does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Tasks that send.
    pub lanes: usize,
    /// Time of a core for one operation that is answered at once, in nanoseconds; over HTTP, for one that is
    /// answered by a listener in this process that does nothing, whose time is in it.
    pub nanos_per_operation: f64,
    /// Time of a core for one operation that is waited for.
    #[serde(default)]
    pub nanos_per_wait: f64,
    /// Operations a second that all lanes can send.
    pub highest_rate: f64,
    /// Whether it was found out over HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_over_http: bool,
}

/// What one subject did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectReport {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The runs, in their order.
    pub runs: Vec<RunReport>,
    /// Phases that it can not do, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

/// One run of one subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The phases, in their order.
    pub phases: Vec<PhaseReport>,
}

/// A phase of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// What it is called.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// Why its numbers mean nothing; empty if they do.
    pub invalid: Vec<String>,
    /// Operations that were answered.
    pub operations: u64,
    /// Of those, such without an answer; those that never came back are among them.
    pub errors: u64,
    /// Of the errors, such that were answers for another key than was asked for: there must be none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub wrong: u64,
    /// Keys that were looked up.
    #[serde(default)]
    pub looked_up: u64,
    /// Operations a second that were asked for; nothing in a closed loop.
    pub asked_rate: Option<f64>,
    /// Operations a second that were answered.
    pub achieved_rate: f64,
    /// Sent late by the generator.
    pub late: u64,
    /// Sent late because too many were under way.
    pub held: u64,
    /// Callers who waited for an answer before the next operation; nothing in an open loop, and in crowds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<usize>,
    /// The most operations that were waited for at the same time. What is answered at once is never waited
    /// for: where this stays below the callers, more of them change nothing.
    #[serde(default)]
    pub under_way: u64,
    /// Cores that the whole process used.
    pub process_cores: f64,
    /// Cores of these for the generator, by what an operation costs it.
    pub generator_cores: f64,
    /// So many operations were timed together, each of which is said to have taken the mean; nothing
    /// where each was timed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timed_together: Option<usize>,
    /// From when an operation was sent.
    pub service: Latency,
    /// From when it should have been sent; nothing in a closed loop.
    pub response: Option<Latency>,
    /// The times that customers notice, by kind.
    pub kinds: Vec<KindReport>,
    /// The service times by kind, tier and outcome.
    pub classes: Vec<ClassReport>,
    /// The share of look-ups that memory or Redis answered.
    pub hit_ratio: Option<f64>,
    /// What the subject has counted meanwhile.
    pub counters: Option<Counters>,
    /// How old answers were.
    pub staleness: Option<Staleness>,
    /// How crowds fared.
    pub crowd: Option<Crowd>,
    /// How long it took until writes were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// How often the trace was gone through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laps: Option<f64>,
    /// The response times (in a closed loop the service times), by how many are faster.
    pub curve: Vec<CurvePoint>,
    /// The same by who answered, as far as that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierReport>,
    /// The course over time.
    pub course: Vec<CoursePoint>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// How long operations took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// On average.
    pub mean: f64,
    /// Half are faster.
    pub p50: f64,
    /// 9 of 10 are faster.
    pub p90: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// 999 of 1,000 are faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// Operations of one kind, whatever came of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindReport {
    /// What was done.
    pub kind: Kind,
    /// How many.
    pub operations: u64,
    /// What customers notice of them.
    pub noticed: Latency,
}

/// Operations of one kind with one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// What was done.
    pub kind: Kind,
    /// Who answered.
    pub tier: Tier,
    /// What the answer was.
    pub state: State,
    /// How many.
    pub operations: u64,
    /// From when they were sent.
    pub service: Latency,
}

/// Operations that one tier answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierReport {
    /// Who answered.
    pub tier: Tier,
    /// How many.
    pub operations: u64,
    /// The response times (in a closed loop the service times).
    pub noticed: Latency,
    /// The same by how many are faster.
    pub curve: Vec<CurvePoint>,
}

/// By how much answers were older than the newest write that had returned before they were asked; of keys
/// that the run has written, as of others nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Staleness {
    /// Look-ups of keys of which a write had returned before.
    pub judged: u64,
    /// Of those, such that were answered with a replaced value.
    pub replaced: u64,
    /// 99 of 100 of those had been replaced for less, in milliseconds: about how long it takes until a
    /// write is seen.
    #[serde(default)]
    pub replaced_p99_ms: f64,
    /// Of the replaced ones, such that were older than promised, and not marked stale.
    pub beyond_bound: u64,
    /// The promise in milliseconds.
    pub bound_ms: Option<f64>,
    /// Whether the one that was read is the one that has written, and knows its own writes at once: of
    /// other nodes nothing was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub knew_writes: bool,
    /// 99 of 100 judged look-ups got a younger value, in milliseconds.
    pub p99_ms: f64,
    /// The oldest, in milliseconds.
    pub max_ms: f64,
}

/// How long it took from the return of a write until an answer had it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Writes that were seen.
    pub seen: u64,
    /// Writes that were not, within ten seconds.
    pub unseen: u64,
    /// Half were seen sooner.
    pub p50_ms: f64,
    /// 99 of 100 were seen sooner.
    pub p99_ms: f64,
    /// The last one.
    pub max_ms: f64,
}

/// Many callers for one key at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crowd {
    /// How many callers a crowd had.
    pub callers: usize,
    /// How many crowds there were.
    pub crowds: u64,
    /// Keys that were loaded for all of them; one each is right. Nothing where it is not known.
    pub loaded_keys: Option<u64>,
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// This share is faster.
    pub quantile: f64,
    /// Than so many microseconds.
    pub micros: f64,
}

/// A part of the course.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoursePoint {
    /// Seconds from the beginning of the phase to the end of the part.
    pub seconds: f64,
    /// Operations a second.
    pub rate: f64,
    /// Errors a second.
    pub error_rate: f64,
    /// Answers a second from memory, Redis, the database and unknown tiers.
    pub by_tier: [f64; 4],
    /// Half were faster, in microseconds.
    pub p50: f64,
    /// 99 of 100 were faster, in microseconds.
    pub p99: f64,
}

/// The phases of all these runs, each once, in their order.
pub(super) fn names_of_phases<'a>(runs: impl IntoIterator<Item = &'a RunReport>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for phase in runs.into_iter().flat_map(|run| &run.phases) {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    names
}

impl PhaseReport {
    /// The times that customers notice: from when an operation should have been sent, if that is
    /// known.
    pub fn noticed(&self) -> &Latency {
        self.response.as_ref().unwrap_or(&self.service)
    }

    /// The share of operations without an answer.
    pub fn error_rate(&self) -> f64 {
        super::number::share(self.errors, self.operations)
    }
}

impl Report {
    /// The subject that the run is about.
    pub fn first(&self) -> Option<&SubjectReport> {
        self.subjects.first()
    }

    /// Answers of the first subject for another key than was asked for, in all its runs.
    pub fn wrong(&self) -> u64 {
        let phases = self.first().into_iter().flat_map(|it| &it.runs);
        phases.flat_map(|run| &run.phases).map(|it| it.wrong).sum()
    }

    /// Why some of the numbers of the first subject mean nothing, with the phase; empty if all do.
    pub fn invalid(&self) -> Vec<String> {
        let phases = self.first().into_iter().flat_map(|it| &it.runs);
        let phases = phases.flat_map(|run| &run.phases);
        let mut all: Vec<String> = phases
            .flat_map(|phase| {
                phase
                    .invalid
                    .iter()
                    .map(|why| format!("{}: {why}", phase.name))
            })
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::{grade, samples};
    use super::*;

    #[test]
    fn the_json_is_as_reviewed() {
        let mut report = samples::report();
        report.trace = Some(TraceReport {
            name: "orders.csv".to_owned(),
            requests: 7_265,
            distinct: 1_807,
            replayed_requests: 7_265,
            replayed_keys: 1_500,
            by_sku: true,
        });
        report.grades = grade(&report);
        let phase = &mut report.subjects[0].runs[0].phases[0];
        phase.laps = Some(1.0);
        phase.crowd = Some(Crowd {
            callers: 1000,
            crowds: 3,
            loaded_keys: Some(3),
        });
        phase.course.truncate(1);
        phase.curve.truncate(1);
        phase.tiers.truncate(1);
        for tier in &mut phase.tiers {
            tier.curve.truncate(1);
        }
        let json = serde_json::to_string_pretty(&report).unwrap();
        insta::assert_snapshot!(json);
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
