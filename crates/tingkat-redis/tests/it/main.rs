//! The tier against real servers: what each command does, how each failure looks, and what nodes
//! make of it together.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "clippy allows it in tests, but not in what tests share"
)]

mod auto;
mod breakers;
mod cells;
mod cluster;
mod crowds;
mod fills;
mod health;
mod hints;
mod leases;
mod network;
mod nodes;
mod outages;
mod privacy;
mod probe;
mod refusals;
mod rights;
mod rush;
mod secrets;
mod sentinel;
mod server;
mod stage;
mod tls;
mod turns;
