//! What the tests of Tingkat stand on: real Redis and `PostgreSQL` servers, spawned for one test and
//! gone after it.
//!
//! Nothing here is skipped when a program is missing: the error names it. Servers listen on free
//! ports of 127.0.0.1, live in a temporary folder, and end with the value that started them, also
//! when the test panics; if the test process itself is killed, a watchdog ends them (see
//! [`Redis`] and [`Postgres`] for what can be done to a server before that).

pub mod fakes;
pub mod figures;
pub mod postgres;
pub mod redis;

mod certificates;
mod children;
mod clock;
mod deadline;
mod error;
mod free_port;
mod home;
mod process;
mod program;
mod url;

pub use certificates::{Certificates, Identity};
pub use clock::TestClock;
pub use deadline::{Outcome, eventually};
pub use error::{Error, Result};
pub use free_port::free_port;
pub use postgres::Postgres;
pub use redis::Redis;
