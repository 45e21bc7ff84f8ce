//! The store in both dialects, through the crate's public face.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share is test code, too"
)]

mod changes;
mod demo;
mod dialects;
mod file;
mod follower;
mod install;
mod lives;
mod loads;
mod polls;
mod postcodes;
mod postgres;
mod products;
mod stores;
