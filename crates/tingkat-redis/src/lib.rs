//! The redis tier: connections that come and go, and the commands of the cache over them.
//!
//! Redis is storage and lease server here, nothing more: nobody asks it whether a value is true.
//! The only crate that knows a Redis client. Start with `topology`: what may stand at an address.

mod address;
mod cluster;
mod config;
mod dial;
mod hello;
mod hints;
mod info;
mod link;
mod order;
mod place;
mod probe;
mod refusal;
mod rights;
mod sample;
mod scripts;
mod sentinels;
mod state;
mod tier;
mod tls;
mod topology;

pub use address::{Address, AddressError};
pub use config::{Config, Mode, ModeError, Sentinels};
pub use hints::HintCounts;
pub use probe::{Probe, ProbeError, ServerFacts};
pub use sample::Sampler;
pub use state::State;
pub use tier::Redis;
pub use tls::{Tls, TlsError, TlsFiles};
