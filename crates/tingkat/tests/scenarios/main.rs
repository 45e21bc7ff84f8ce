//! The behaviours that the engine must show, over fakes in paused time; one module per section of
//! the scenario list, and modules for what the list leaves out.
//!
//! Numbers in doc comments are those of the list; `coverage` counts them.
//!
//! Not applicable: 7, because a Rust value can not be uninitialised.
//! Not applicable: 137, because the compiler refuses a cache that may use the remote tier without
//! an encoding; a doc test at the end of `src/lib.rs` shows it.
//! Not applicable: 133, because there are no plugins; a listener that panics is scenario 132.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::unchecked_time_subtraction,
    reason = "a test that is wrong shall say so"
)]

mod stage;

mod a_contract;
mod b_stale;
mod c_deadlines;
mod coverage;
mod d_refresh;
mod e_stampede;
mod f_tiers;
mod g_breaker;
mod h_nodes;
mod i_recovery;
mod j_tags;
mod k_events;
mod k_logs;
mod k_registry;
mod l_memory;
mod m_protocol;
mod n_away;
mod n_begins;
mod n_joiners;
mod n_lost_answers;
mod n_many;
mod n_queue;
mod n_refusals;
mod n_warm;
mod n_warm_limits;
mod n_warm_link;
mod n_warm_report;
mod n_warming;
