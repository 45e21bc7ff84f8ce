//! Benchmarks: sends a workload to a subject, writes down how long it took by tier, and tells it so
//! that it can be believed.
//!
//! Begin with `run`, which runs a `workload` phase by phase on each `subject`; `lane` sends, `recorder`
//! writes down, `report` is what comes out. It sees subjects by a port: what they are made of is
//! wired by whoever runs it.

mod beside;
mod calibration;
mod comparison;
mod crowd;
mod csv;
mod environment;
mod grade;
mod hdr;
mod html;
mod http;
mod lag;
mod lane;
mod law;
mod ledger;
mod live;
mod metric;
mod nobody;
mod number;
mod objective;
mod pacer;
mod phase;
mod recorder;
mod report;
mod run;
mod span;
mod statistics;
mod subject;
mod tally;
mod text;
mod trace;
mod validity;
mod words;
pub mod workload;

#[cfg(test)]
mod samples;

pub use beside::Ratio;
pub use comparison::{Comparison, Regression, check_changes};
pub use csv::csv;
pub use environment::Environment;
pub use grade::{Grade, Grades, advice_without_grade, grade};
pub use hdr::hdr;
pub use html::page;
pub use http::HttpSubject;
pub use live::{Now, Progress};
pub use metric::Metric;
pub use objective::{Objective, Verdict};
pub use report::{PhaseReport, Report, RunReport, SCHEMA_VERSION};
pub use run::{BenchError, MOST_RUNS, Plan, run};
pub use span::parse as parse_duration;
pub use statistics::LEAST_RUNS;
pub use subject::{
    Counters, Imported, Kind, Operation, Outcome, Session, Stage, Start, State, Subject,
    SubjectError, Tier, Way,
};
pub use text::lines;
pub use trace::{Trace, TraceError, TraceReport};
pub use workload::{Workload, WorkloadError};
