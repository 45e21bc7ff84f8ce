//! Neighbours of the engine that live in memory and fail on demand.
//!
//! They keep time by tokio's clock, so that a test with paused time is deterministic.

mod database;
mod redis;
mod source;
mod switch;

pub use database::{FakeDatabase, LogHandle, Transaction};
pub use redis::{FakeRedis, RedisHandle};
pub use source::{FakeSource, Versioned};
pub use switch::{Mood, Switch};
