//! The routes as a client sees them. One file per route file, over a store in memory with switches.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what is not a test here is a part of one"
)]

mod access;
mod bodies;
mod categories;
mod changes;
mod cors;
mod demands;
mod described;
mod edge;
mod faces;
mod guarded;
mod health;
mod home;
mod ids;
mod listings;
mod metrics;
mod openapi;
mod operators;
mod overload;
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
mod warm;
mod wire;
