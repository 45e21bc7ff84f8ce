//! The store in both dialects, through the crate's public face.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share is test code, too"
)]

mod demo;
mod dialects;
mod file;
mod install;
mod loads;
mod postcodes;
mod postgres;
mod products;
mod stores;
