//! The primitives that the concurrent parts are written over, so that a test can schedule them.

#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
