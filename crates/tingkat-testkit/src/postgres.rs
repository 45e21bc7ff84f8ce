//! Real `PostgreSQL` servers: a whole cluster of its own for each, with standbys if wanted.
//!
//! ```no_run
//! # async fn example() -> tingkat_testkit::Result<()> {
//! use tingkat_testkit::Postgres;
//!
//! let database = Postgres::shared().await?; // one server per test process
//! database.psql("CREATE TABLE t AS SELECT 1 AS a").await?;
//! println!("{}", database.url());
//!
//! let server = Postgres::config().fsync().start().await?; // one that a test may break
//! server.kill_immediate().await?;
//! server.restart().await?;
//! # Ok(())
//! # }
//! ```

mod account;
mod bouncer;
mod config;
mod database;
mod installation;
mod server;
mod session;
mod template;

pub use bouncer::PgBouncer;
pub use config::Config;
pub use database::Database;
pub use server::Postgres;
pub use session::{Session, SessionError};

/// The tables of a Prisma storefront, as its migrations make them, without a row.
pub const PRISMA_STORE: &str = include_str!("postgres/prisma_store.sql");
