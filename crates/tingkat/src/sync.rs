//! The primitives that the concurrent parts are written over. The test `interleavings` compiles
//! those parts a second time over a `sync` of its own, whose every step it schedules.

pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
