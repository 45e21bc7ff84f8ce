//! The store in both dialects, through the crate's public face.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the tests share is test code, too"
)]

mod changes;
mod compactions;
mod demo;
mod dep_rule;
mod dialects;
mod facts;
mod file;
mod follower;
mod install;
mod listings;
mod lives;
mod loads;
mod overrides;
mod poller;
mod polls;
mod pooler;
mod popular;
mod postcode_rows;
mod postcodes;
mod postgres;
mod prisma;
mod prisma_rows;
mod probe;
mod products;
mod rehearsals;
mod schema;
mod single_rows;
mod sqlite_deps;
mod sqlite_life;
mod sqlite_log;
mod sqlite_migration;
mod sqlite_nodes;
mod sqlite_oracle;
mod sqlite_write;
mod stores;
mod warm;
mod writes;
