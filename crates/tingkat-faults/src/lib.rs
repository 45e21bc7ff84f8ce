//! A TCP proxy that fails on demand: put it between a client and a server, switch a fault on, see
//! what the client does, [heal](Control::heal) it.
//!
//! It moves bytes and knows no protocol. Every fault is deterministic: no chance decides whether
//! one happens, and the jitter of a delay comes from a fixed seed.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::time::Duration;
//! use tingkat_faults::{Direction, Proxy};
//!
//! let proxy = Proxy::start("127.0.0.1:7001").await?;
//! println!("connect to {}", proxy.addr());
//!
//! proxy.delay(Direction::Down, Duration::from_millis(200), Duration::from_millis(50));
//! proxy.pause(Direction::Both); // a black hole: nothing moves, nothing closes
//! proxy.heal().await?;
//! proxy.down().await?; // as if the server had died
//! # Ok(())
//! # }
//! ```

mod acceptor;
mod connection;
mod control;
mod counters;
mod direction;
mod door;
mod faults;
mod jitter;
mod lane;
mod proxy;
mod pump;

pub use control::Control;
pub use counters::Counters;
pub use direction::Direction;
pub use proxy::{MAX_CONNECTIONS, Proxy};
