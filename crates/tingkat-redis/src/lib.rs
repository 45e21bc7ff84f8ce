//! The redis tier: a connection that comes and goes, and the commands of the cache over it.
//!
//! Redis is storage and lease server here, nothing more: nobody asks it whether a value is true.
//! The only crate that knows a Redis client.

mod address;
mod dial;
mod hints;
mod link;
mod refusal;
mod scripts;
mod tier;

pub use address::{Address, AddressError};
pub use hints::HintCounts;
pub use link::{Config, State};
pub use tier::Redis;
