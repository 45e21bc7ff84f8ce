//! The runs: one for each kind of trouble.
//!
//! A few run always; the others are left to `cargo xtask soak`, because each takes its ten seconds.

mod calm;
mod cluster;
mod log;
mod nodes;
#[cfg(feature = "broken-rules")]
mod panics;
mod polls;
mod postgres;
mod postgres_bulk;
mod postgres_lost;
mod redis;
mod redis_data;
mod sentinel;
mod source;
