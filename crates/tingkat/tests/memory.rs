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

const MILLION: u64 = 1_000_000;

/// Keys of one call: enough that a call costs nothing beside its keys, and few enough that what a
/// call holds does not show beside the tier.
const CALL: u64 = 5_000;

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

/// Each key is missed, loaded and kept, for as long as there is room: a flight, a place in a batch,
/// an entry that pushes out another.
#[tokio::test]
async fn ten_million_distinct_keys_leave_no_more_behind_than_one_million() {
    let policy = Policy {
        memory_bytes: 32 << 20,
        batch_window: Duration::ZERO,
        max_batch: 10_000,
        // On a machine that does other things as well no load is to be given up.
        soft_deadline: Duration::from_hours(1),
        hard_deadline: Duration::from_hours(1),
        ..Policy::default()
    };
    let cache: Cache<u64, u64> = Cache::memory_builder("stream")
        .policy(policy)
        .load(|key| async move { Ok(Loaded::value(key)) })
        .build();
    let mut after_one = 0;
    for first in (0..10 * MILLION).step_by(usize::try_from(CALL).unwrap()) {
        let keys: Vec<u64> = (first..first + CALL).collect();
        let answers = cache.get_many(&keys).await;
        for (key, answer) in keys.iter().zip(answers) {
            assert_eq!(answer.unwrap().as_deref(), Some(key));
        }
        if first + CALL == MILLION {
            after_one = resident_bytes();
        }
    }
    let after_ten = resident_bytes();
    let registered = cache.node().registry().find("stream").unwrap();
    let stats = registered.stats();
    assert_eq!(stats.loaded_keys.get(), 10 * MILLION, "each was distinct");
    assert!(registered.entries() > 50_000, "the tier is in use");
    assert!(registered.bytes() <= 32 << 20);
    println!("resident bytes: {after_one} after one million keys, {after_ten} after ten");
    assert!(
        after_ten as f64 <= after_one as f64 * 1.1,
        "{after_one} bytes after one million keys, {after_ten} after ten"
    );
}
