//! How the Redis of any program is, in five lines:
//! `cargo run -p tingkat-redis --example health -- redis://127.0.0.1:6379`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat_health::{Look, Monitor};
use tingkat_redis::{Config, Redis, State};

/// The grade, or that it is not known yet, and what to do.
pub(crate) async fn health(url: &str) -> Result<String, Box<dyn Error>> {
    let redis = Redis::start(Config::new(url.parse()?, "shop:"), Arc::new(SystemClock));
    let _ = redis
        .state()
        .wait_for(|it| *it != State::Connecting)
        .await?;
    let look = Look::of_redis(Duration::ZERO, redis.sampler().sample().await);
    let report = Monitor::default().take(look);
    Ok(format!(
        "{:?} {:#?}",
        report.cache.grade, report.recommendations
    ))
}

#[allow(dead_code, clippy::print_stdout, reason = "a test includes this file")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1);
    println!(
        "{}",
        health(url.as_deref().unwrap_or("redis://127.0.0.1:6379")).await?
    );
    Ok(())
}
