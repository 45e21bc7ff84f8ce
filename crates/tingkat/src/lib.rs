//! A tiered cache: memory in front of a remote tier in front of the truth.
//!
//! Reads survive the remote tier, one load per key runs at a time, and with a change log in the
//! store's database no answer that is not marked stale is older than a bound. Start reading at
//! [`cache`].
//!
//! ```
//! use tingkat::{Cache, ports::Loaded};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tingkat::GetError> {
//! let prices: Cache<String, usize> = Cache::builder("price")
//!     .load(|sku: String| async move { Ok(Loaded::value(sku.len() * 100)) })
//!     .build();
//! let price = prices.get(&"mug".to_owned()).await?;
//! assert_eq!(price.as_deref(), Some(&300));
//! # Ok(()) }
//! ```
//!
//! # Limits
//!
//! The bound holds for a read from when it starts: what is answered without a mark was current at
//! most a bound before. It can not hold
//!
//! - without a change log: then freshness is by time alone;
//! - for a source other than the database that the log is in;
//! - when two primaries accept writes, or a writer bypasses the triggers;
//! - when a virtual machine's clocks stop, until the first poll after it resumes;
//! - for what was handed out already: what a browser or a CDN keeps is out of reach.
//!
//! While a node is cut off from the database it may serve the last known value for as long as the
//! policy allows; such an answer is marked, in [`Trail::stale`].

pub mod breaker;
pub mod cache;
pub mod certificate;
pub mod clock;
pub mod codec;
pub mod entity;
pub mod envelope;
pub mod error;
pub mod event;
pub mod feed;
mod flight;
pub mod key;
mod log;
pub mod memory;
pub mod node;
pub mod policy;
pub mod ports;
pub mod privacy;
mod random;
pub mod registry;
pub mod stats;
mod switch;
mod sync;
pub mod warm;

pub use cache::{Answer, Builder, Cache, Mode, Options, Tier, Trail};
pub use entity::Entity;
pub use error::{GetError, GetErrorKind};
pub use key::Key;
pub use node::Node;
pub use policy::{Placement, Policy};

/// The program in the readme runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A cache that may use the remote tier asks for an encoding: its builder takes no value without.
///
/// ```compile_fail,E0277
/// struct Opaque;
/// let _ = tingkat::Cache::<u64, Opaque>::builder("opaque");
/// ```
///
/// One that stays in memory takes any.
///
/// ```
/// struct Opaque;
/// let _ = tingkat::Cache::<u64, Opaque>::memory_builder("opaque");
/// ```
#[cfg(doctest)]
struct NoEncodingNoRemoteTier;
