//! The installation beside what there would be without it: Redis alone and the database alone, in this
//! process; over HTTP, the services in `bench/peers`. Everything is asked by `tingkat bench`. Starts
//! servers of its own; prints figures and judges nothing.
//!
//! `TINGKAT_PEER_NODE` and `TINGKAT_PEER_RUST` say where the peers are, as `cargo xtask bench` builds
//! them; what is not named is not run, and that is said. `-- --quick` only shows that it runs; `peers`
//! and `alone` are the halves.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod alone;
mod asking;
mod contender;
mod peers;
mod store;

use std::time::Duration;

use store::Store;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How often each is run, and for how long.
#[derive(Clone, Copy)]
struct Size {
    runs: usize,
    length: Duration,
}

#[tokio::main]
async fn main() -> Result<()> {
    let size = if std::env::args().any(|argument| argument == "--quick") {
        Size {
            runs: 1,
            length: Duration::from_secs(1),
        }
    } else {
        Size {
            runs: 5,
            length: Duration::from_secs(4),
        }
    };
    let only = |word: &str| std::env::args().any(|argument| argument == word);
    let store = Store::start().await?;
    if !only("alone") {
        peers::measure(&store, size).await?;
    }
    if !only("peers") {
        alone::measure(&store, size).await?;
    }
    Ok(())
}
