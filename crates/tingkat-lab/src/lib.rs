//! Judges a Tingkat installation from outside: over HTTP like any client, and through probes that
//! reach the store and Redis by paths of their own.
//!
//! It sees no client of either and nothing of the server's inside: what it finds is what a shopper
//! would.

mod answer;
pub mod bench;
mod chained;
mod connection;
pub mod probe;
mod resident;
mod socket;
pub mod start;
mod target;
pub mod verify;

pub use answer::{Answer, AskError, AskErrorKind};
pub use chained::chained;
pub use hyper::{Method, StatusCode};
pub use probe::{ChangeProbe, RawRedis};
pub use resident::resident_bytes;
pub use socket::ask_socket;
pub use target::Target;
