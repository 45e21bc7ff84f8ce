//! What is well and what is not: looks in, report out.
//!
//! This crate refuses to measure. It opens no connection, reads no clock and spawns no task: whoever
//! runs a node hands in what was seen, and the same looks in the same order always give the same
//! reports. [`checks`] is the one table of what is judged; [`monitor`] goes through it.

pub mod alerts;
pub mod buckets;
pub mod check;
pub mod checks;
pub mod field;
pub mod gauges;
pub mod look;
pub mod monitor;
pub mod readiness;
pub mod report;
pub mod required;
pub mod ring;
pub mod score;
pub mod server;
pub mod thresholds;
mod view;

pub use alerts::{Alert, Patience};
pub use buckets::Buckets;
pub use check::{Check, Group, Limits};
pub use field::Field;
pub use gauges::{Gauge, gauges};
pub use look::{Canary, Data, Entity, Look, MasterSeen, Objective, Redis, Sentinels};
pub use monitor::Monitor;
pub use readiness::{
    DataState, Observed, Readiness, RedisState, SourceState, StandIn, Status, WarmState, Withheld,
};
pub use report::{Report, Said};
pub use required::Neighbour;
pub use score::{Grade, Score};
pub use server::{Command, Server};
pub use thresholds::Thresholds;
