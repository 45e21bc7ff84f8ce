//! The lab's own instruments, judged.

#![expect(
    clippy::unwrap_used,
    reason = "what is not a test here is a part of one"
)]

mod bench;
mod scripted;
mod start;
mod target;
