//! Memory stays flat under an endless stream of distinct keys.
//!
//! In a process of its own, since it looks at the resident bytes of the whole process.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a test"
)]

use std::fs;
use std::time::Duration;

use tingkat::ports::Loaded;
use tingkat::{Cache, Policy};

/// Keys between two looks. The table alone is tested with ten million, at the bottom of
/// `src/memory.rs`; this is about all that a load leaves behind.
const STEP: u64 = 50_000;

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .next()
        .unwrap()
        .parse::<u64>()
        .unwrap()
        << 10
}

#[tokio::test]
async fn loads_of_ever_new_keys_leave_nothing_behind() {
    let policy = Policy {
        memory_bytes: 4 << 20,
        batch_window: Duration::ZERO,
        max_batch: 10_000,
        ..Policy::default()
    };
    let cache: Cache<u64, u64> = Cache::memory_builder("stream")
        .policy(policy)
        .load(|key| async move { Ok(Loaded::value(key)) })
        .build();
    let mut at_first = 0;
    for step in 0..10 {
        let numbers: Vec<u64> = (step * STEP..(step + 1) * STEP).collect();
        for keys in numbers.chunks(5_000) {
            let answers = cache.get_many(keys).await;
            assert!(answers.iter().all(Result::is_ok));
        }
        drop(numbers);
        // The allocator and the runtime have what they need by then.
        if step < 3 {
            at_first = resident_bytes();
        }
    }
    let at_last = resident_bytes();
    let registered = cache.node().registry().find("stream").unwrap();
    assert!(registered.entries() > 5_000, "the tier is in use");
    assert!(registered.bytes() <= 4 << 20);
    println!("resident bytes: {at_first} after three steps, {at_last} after ten");
    assert!(
        at_last as f64 <= at_first as f64 * 1.1,
        "{at_first} bytes after three steps, {at_last} after ten"
    );
}
