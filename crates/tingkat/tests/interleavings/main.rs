//! The concurrent parts, compiled a second time over primitives whose every step is scheduled:
//! many random schedules, and many with few but nasty switches (PCT). What must hold is shown to
//! be breakable by a variant that is wrong on purpose.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../../src/breaker.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod breaker;
#[path = "../../src/flight.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod flight;
#[path = "../../src/certificate/publication.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod publication;

mod breakers;
mod flights;
mod publications;
mod schedules;

/// What the parts find under `crate::sync`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    };
}

/// What the parts find under `crate::ports`.
mod ports {
    pub(crate) use tingkat::ports::Tick;
}
