//! What is well and what is not: samples in, report out.
//!
//! This crate refuses to measure. It opens no connection, reads no clock, spawns no task and keeps
//! no state between two calls: whoever runs a node hands in what was seen, and the same samples
//! always give the same report. So every rule here is a table that a test can go through.

pub mod readiness;
pub mod required;

pub use readiness::{
    DataState, Observed, Readiness, RedisState, SourceState, Status, WarmState, Withheld,
};
pub use required::Neighbour;
