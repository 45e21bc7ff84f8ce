//! The whole program, as a process among processes: a real Redis, a real database, real signals.
//!
//! One file per noun; what they share is how to run the program and what the right answers are.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not a test here is a part of one"
)]

mod abuse;
mod access;
mod bench;
mod bench_judged;
mod bench_workloads;
mod changes;
mod coherence;
mod config;
mod crowd;
mod day;
mod dialects;
mod documents;
mod doors;
mod examples;
mod health;
mod healthcheck;
mod help;
mod logs;
mod moves;
mod operate;
mod outside;
mod pages;
mod postcodes;
mod privacy;
mod production;
mod products;
mod program;
mod purging;
mod queries;
mod question;
mod quotes;
mod readiness;
mod recovery;
mod redis;
mod reload;
mod requests;
mod schema;
mod secrets;
mod starts;
mod stops;
mod stores;
mod supervised;
mod tls;
mod topologies;
mod truth;
mod warm;
mod warm_ends;
mod warm_front;
mod wire;
mod writes;
