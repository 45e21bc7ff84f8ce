//! While the source is down callers get the last value, marked, and those who insist get an error.
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tingkat::error::SourceError;
use tingkat::ports::Loaded;
use tingkat::{Cache, Options, Policy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tingkat::GetError> {
    let is_down = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_down);
    let policy = Policy {
        fresh_for: Duration::from_millis(50),
        jitter: 0.0,
        ..Policy::default()
    };
    let prices: Cache<String, u32> = Cache::builder("price")
        .policy(policy)
        .load(move |_sku| {
            let fails = switch.load(Ordering::Relaxed);
            async move {
                if fails {
                    Err(SourceError::transient("the shop is closed"))
                } else {
                    Ok(Loaded::value(255))
                }
            }
        })
        .build();
    let mug = "mug".to_owned();
    println!("open:   {:?}", prices.get(&mug).await?);

    is_down.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let answer = prices.look_up(&mug, Options::default()).await?;
    println!(
        "closed: {:?}, stale: {}",
        answer.value(),
        answer.trail().stale
    );

    match prices.look_up(&mug, Options::default().validated()).await {
        Ok(answer) => println!("checkout: {:?}", answer.value()),
        Err(error) => println!("checkout: no answer, because {error}"),
    }
    Ok(())
}
