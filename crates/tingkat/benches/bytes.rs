//! Resident bytes per entry beside the documented formula: `cargo bench -p tingkat --bench bytes`.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints, and stops at a surprise"
)]

use std::fs;

use tingkat::ports::Loaded;
use tingkat::{Cache, Policy};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 400_000;

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kibibytes| kibibytes << 10)
}

fn main() {
    println!("bytes per entry      value     formula     resident    resident / formula");
    // One size per process: an allocator does not give everything back.
    let size =
        std::env::args().find_map(|argument| argument.strip_prefix("size=")?.parse::<usize>().ok());
    let Some(size) = size else {
        for size in [16, 100, 400, 2_000] {
            let this = std::env::current_exe().expect("this program has a path");
            let status = std::process::Command::new(this)
                .arg(format!("size={size}"))
                .status();
            assert!(
                status.is_ok_and(|status| status.success()),
                "the measurement ran"
            );
        }
        return;
    };
    let Some(before) = resident() else {
        println!("not run: this system does not tell resident memory in /proc");
        return;
    };
    let policy = Policy {
        memory_bytes: 8 << 30,
        ..Policy::default()
    };
    let cache: Cache<String, Vec<u8>> = Cache::memory_builder("bytes")
        .policy(policy)
        .weigher(|value: &Vec<u8>| size_of::<Vec<u8>>() + value.capacity())
        .load(move |_key| async move { Ok(Loaded::value(vec![7_u8; size])) })
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let numbers: Vec<u64> = (0..ENTRIES).collect();
    for chunk in numbers.chunks(1_000) {
        let keys: Vec<String> = chunk.iter().map(|n| format!("product-{n:07}")).collect();
        runtime.block_on(cache.get_many(&keys));
    }
    let registered = cache
        .node()
        .registry()
        .find("bytes")
        .expect("the cache is registered");
    assert_eq!(registered.entries(), ENTRIES, "everything fits");
    let formula = registered.bytes() / ENTRIES;
    let measured = resident().unwrap_or(0).saturating_sub(before) / ENTRIES;
    println!(
        "{:>26} {formula:>11} {measured:>12} {:>21.2}",
        size,
        measured as f64 / formula as f64
    );
}
