//! `tingkat verify` tells the truth when the truth is bad: each promise is broken, and exactly the checks
//! of it must fail.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not a test here is a part of one"
)]

mod breaks;
mod command;
mod ends;
mod installation;
mod liar;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod program;
mod rewriter;
mod topologies;
#[path = "../../src/verify/wiring.rs"]
mod wiring;
