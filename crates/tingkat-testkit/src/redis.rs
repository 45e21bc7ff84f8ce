//! Real Redis servers: one ([`Redis`]), a master with replicas ([`Replicated`]), watched by
//! Sentinel ([`Sentinel`]), or a [`Cluster`].
//!
//! ```no_run
//! # async fn example() -> tingkat_testkit::Result<()> {
//! use tingkat_testkit::Redis;
//!
//! let redis = Redis::config().password("secret").start().await?;
//! redis.cmd(&["SET", "a", "b"]).await?;
//! redis.kill();
//! redis.restart().await?; // the same port, the same data
//! assert_eq!(redis.cmd(&["GET", "a"]).await?, "b");
//! # Ok(())
//! # }
//! ```

mod cluster;
mod config;
mod replicated;
mod reply;
mod sentinel;
mod server;
mod wire;

pub use cluster::{Cluster, ClusterConfig, Move};
pub use config::Config;
pub use replicated::Replicated;
pub use reply::Reply;
pub use sentinel::{Sentinel, SentinelConfig};
pub use server::Redis;
