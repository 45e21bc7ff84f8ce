//! Several real processes over a real `PostgreSQL` and a real Redis, with faults of every kind: each
//! run records who wrote and who read what when, and a checker says whether the promise was kept.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is not a test here is a part of one"
)]

mod chance;
mod checker;
mod environment;
mod figures;
mod history;
mod inside;
mod lane;
mod node;
mod probes;
mod reach;
mod readers;
mod report;
mod runs;
mod scene;
mod shows;
mod store;
mod transaction;
mod truth;
mod way;
mod writers;
