//! Seeded simulation: real nodes, caches and feeds over fake neighbours that fail, a history of
//! what was written and read, and a checker at the end. No rule of the engine is written twice.
//!
//! `TINGKAT_SEEDS=1000..2000` runs other seeds than those of the suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unchecked_time_subtraction,
    clippy::wildcard_enum_match_arm,
    reason = "a test that is wrong shall say so"
)]

mod checker;
mod faults;
mod gate;
mod history;
mod links;
mod machine;
mod plan;
mod random;
mod readers;
mod regressions;
mod report;
#[cfg(feature = "broken-rules")]
mod rules;
mod seeds;
mod source;
mod tally;
mod truth;
mod world;
mod writers;
