//! The routes as a client sees them. One file per route file, over a store in memory with switches.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not a test here is a part of one"
)]

mod categories;
mod changes;
mod demands;
mod described;
mod edge;
mod home;
mod listings;
mod openapi;
mod operators;
mod patches;
mod postcodes;
mod probes;
mod problems;
mod products;
mod serve;
mod states;
mod store;
mod tls;
mod tracked;
mod wire;
