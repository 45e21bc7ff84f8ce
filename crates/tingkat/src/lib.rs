//! A tiered cache: memory in front of a remote tier in front of the truth.
//!
//! Reads survive the remote tier, one load per key runs at a time, and with a change log in the
//! store's database no answer is older than a bound. Start reading at [`cache`].
//!
//! ```
//! use tingkat::{Cache, ports::Loaded};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tingkat::GetError> {
//! let prices: Cache<String, u32> = Cache::builder("price")
//!     .load(|sku: String| async move { Ok(Loaded::value(sku.len() as u32 * 100)) })
//!     .build();
//! let price = prices.get(&"mug".to_owned()).await?;
//! assert_eq!(price.as_deref(), Some(&300));
//! # Ok(()) }
//! ```

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

pub use cache::{Answer, Builder, Cache, Mode, Options, Tier, Trail};
pub use entity::Entity;
pub use error::{GetError, GetErrorKind};
pub use key::Key;
pub use node::Node;
pub use policy::{Placement, Policy};
