//! Looks in, report out: the faults that a monitor can have, and the properties that its score must have.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "clippy allows it in tests, but not in what tests share"
)]

mod data;
mod docs;
mod faults;
mod gauges;
mod inputs;
mod missing;
mod properties;
mod raised;
mod redis;
mod stage;
