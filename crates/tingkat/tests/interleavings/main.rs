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
#[allow(dead_code, reason = "the engine uses more of it")]
mod certificate;
#[path = "../../src/error.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod error;
#[path = "../../src/flight.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod flight;
#[path = "../../src/policy.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod policy;
#[path = "../../src/ports.rs"]
#[allow(dead_code, reason = "the engine uses more of it")]
mod ports;

mod breakers;
mod flights;
mod knowledge;
mod publications;
mod schedules;

/// What the parts find under `crate::sync`.
mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{
        Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    };
}

/// What the parts find under `crate::switch`: the rules that these parts know, and one may be off
/// without the feature that a service must not have.
mod switch {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Rule {
        Accept,
        Anchor,
        Fold,
        PublicationOrder,
    }

    #[derive(Clone, Copy, Debug, Default)]
    pub struct Switches {
        pub off: Option<Rule>,
    }

    impl Switches {
        pub fn holds(self, rule: Rule) -> bool {
            self.off != Some(rule)
        }
    }
}
