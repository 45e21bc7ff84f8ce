//! What a miss costs beyond the source: `cargo bench -p tingkat --bench load`.
//!
//! Single flight beside a bare call of the loader, and `get_many` beside as many single look-ups.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints, and stops at a surprise"
)]

mod workload;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use tingkat::ports::Loaded;
use tingkat::{Cache, Policy};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 15;
/// Loads in a round, and keys in memory looked up in one.
const ROUND: usize = 20_000;
/// Keys that are asked for at once.
const MANY: usize = 100;

fn cache() -> Cache<u64, Vec<u8>> {
    let policy = Policy {
        batch_window: Duration::ZERO,
        ..Policy::default()
    };
    Cache::builder("bench").policy(policy).load(load).build()
}

async fn load(key: u64) -> Result<Loaded<Vec<u8>>, tingkat::error::SourceError> {
    Ok(Loaded::value(vec![key as u8; 400]))
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("miss");
    group.bench_function("the loader alone", |bencher| {
        bencher.iter(|| runtime.block_on(async { black_box(load(7).await) }));
    });
    let (misses, mut next) = (cache(), 0_u64);
    group.bench_function("one key through the cache", |bencher| {
        bencher.iter(|| {
            next += 1;
            runtime
                .block_on(misses.get(&next))
                .expect("the source answers")
        });
    });
    group.bench_function("100 callers of one cold key", |bencher| {
        bencher.iter_batched(
            || {
                next += 1;
                next
            },
            |key| {
                let calls = (0..100).map(|_| misses.get(&key));
                runtime.block_on(futures::future::join_all(calls))
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
    let mut group = criterion.benchmark_group("100 keys");
    let warm = cache();
    let keys: Vec<u64> = (0..100).collect();
    runtime.block_on(warm.get_many(&keys));
    group.bench_function("get_many, all in memory", |bencher| {
        bencher.iter(|| runtime.block_on(warm.get_many(&keys)));
    });
    group.bench_function("get one by one, all in memory", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                for key in &keys {
                    black_box(warm.get(key).await).expect("in memory");
                }
            });
        });
    });
    group.bench_function("get_many, all cold", |bencher| {
        bencher.iter_batched(
            || {
                next += 100;
                (next..next + 100).collect::<Vec<u64>>()
            },
            |keys| runtime.block_on(misses.get_many(&keys)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    criterion.final_summary();
    print_ratios(&runtime);
}

/// Each look-up's time beside that of the first contender.
fn print_ratios(runtime: &Runtime) {
    let (cold, next) = (cache(), AtomicU64::new(0));
    // Keys that nobody asked for before, so that each is loaded once.
    let fresh = || {
        let first = next.fetch_add(ROUND as u64, Ordering::Relaxed);
        first..first + ROUND as u64
    };
    let alone = || {
        runtime.block_on(async {
            for key in fresh() {
                black_box(load(key).await).expect("the source answers");
            }
        });
    };
    let through = || {
        runtime.block_on(async {
            for key in fresh() {
                black_box(cold.get(&key).await).expect("the source answers");
            }
        });
    };
    let shared = || {
        runtime.block_on(async {
            for key in fresh().step_by(MANY) {
                let calls = (0..MANY).map(|_| cold.get(&key));
                black_box(futures::future::join_all(calls).await);
            }
        });
    };
    let together = || {
        runtime.block_on(async {
            let keys: Vec<u64> = fresh().collect();
            for keys in keys.chunks(MANY) {
                black_box(cold.get_many(keys).await);
            }
        });
    };
    let timed = |work: &dyn Fn()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    workload::ratios(
        "a load, ns per caller",
        ROUNDS,
        ROUND,
        &[
            ("the loader alone", &alone as &dyn Fn()),
            ("Cache::get, a cold key each", &through),
            ("100 callers of one cold key", &shared),
            ("get_many, 100 cold keys", &together),
        ],
        |work| timed(*work),
    );
    let warm = cache();
    let keys: Vec<u64> = (0..MANY as u64).collect();
    runtime.block_on(warm.get_many(&keys));
    let single = || {
        runtime.block_on(async {
            for _ in 0..ROUND / MANY {
                for key in &keys {
                    black_box(warm.get(key).await).expect("in memory");
                }
            }
        });
    };
    let many = || {
        runtime.block_on(async {
            for _ in 0..ROUND / MANY {
                black_box(warm.get_many(&keys).await);
            }
        });
    };
    workload::ratios(
        "100 keys in memory, ns per key",
        ROUNDS,
        ROUND,
        &[
            ("get one by one", &single as &dyn Fn()),
            ("get_many", &many),
        ],
        |work| timed(*work),
    );
}
