//! A memory hit beside the bare tables: `cargo bench -p tingkat --bench hit`.
//!
//! 100,000 `String` keys, 400-byte values, Zipf 0.99, everything in memory, the same hasher and
//! capacity for the bare table. First criterion's own figures, then ratios from interleaved rounds:
//! the machine may be shared, so only what was measured side by side is compared.
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
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use foyer_memory::{Cache as Foyer, CacheBuilder as FoyerBuilder};
use futures::FutureExt as _;
use moka::future::Cache as MokaFuture;
use moka::sync::Cache as MokaSync;
use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat::{Cache, Node, Policy};
use tingkat_testkit::fakes::{FakeDatabase, FakeRedis};
use tingkat_testkit::figures::{self, Limit};

use self::workload::Blobs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 100_000;
const VALUE_BYTES: usize = 400;
const CAPACITY: u64 = 256 << 20;
/// What the memory tier takes for the number of entries in that many bytes.
const ITEMS: usize = 256 << 10;
const ROUND: usize = 400_000;
/// How many rounds, and of a run that only shows that it runs: `-- --quick`.
const ROUNDS: usize = 15;
const QUICK: usize = 3;
/// Look-ups in one of criterion's iterations.
const BATCH: usize = 1_000;
/// What a hit may take beside a bare look-up in each of the tables.
const MOST_OF_TABLE: Limit = Limit::AtMost(1.5);
const MOST_OF_MOKA: Limit = Limit::AtMost(1.0);
/// How often something else changes, so that every entry is judged again.
const CHANGE_EVERY: Duration = Duration::from_millis(100);

type Value = Arc<Vec<u8>>;

/// Looks up the picks among the keys, one after the other; tells how many were there.
type LookUps = Arc<dyn Fn(&[String], &[u32]) -> usize + Send + Sync>;

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Value> for ByBytes {
    fn weight(&self, key: &String, value: &Value) -> u64 {
        (key.len() + value.len()) as u64
    }
}

/// A table that answers without waiting.
fn at_once(look_up: impl Fn(&String) -> bool + Send + Sync + 'static) -> LookUps {
    Arc::new(move |keys, picks| {
        let found = picks.iter().filter(|&&pick| look_up(&keys[pick as usize]));
        found.count()
    })
}

fn value() -> Value {
    Arc::new(vec![7; VALUE_BYTES])
}

fn quick(keys: &[String]) -> LookUps {
    let table = bare_table();
    for key in keys {
        table.insert(key.clone(), value());
    }
    at_once(move |key| black_box(table.get(key)).is_some())
}

fn quick_with_clock(keys: &[String]) -> LookUps {
    let table = bare_table();
    for key in keys {
        table.insert(key.clone(), value());
    }
    at_once(move |key| {
        black_box(SystemClock.coarse());
        black_box(table.get(key)).is_some()
    })
}

fn bare_table() -> QuickCache<String, Value, ByBytes> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(ITEMS)
        .weight_capacity(CAPACITY)
        .hot_allocation(0.9)
        .ghost_allocation(1.0)
        .build()
        .expect("the options are complete");
    QuickCache::with_options(
        options,
        ByBytes,
        DefaultHashBuilder::default(),
        DefaultLifecycle::default(),
    )
}

fn ours(keys: &[String]) -> LookUps {
    let blobs = Blobs {
        database: None,
        size: VALUE_BYTES,
    };
    let runtime = runtime();
    let node = Node::builder().build();
    awaited_in_place(filled(&runtime, &node, blobs, keys))
}

/// With all that a service has: a remote tier, and a change log in which something else changes
/// ten times a second, so that the epoch moves and each entry is judged again when it is next hit;
/// or nothing does.
fn ours_following(keys: &[String], changes: bool) -> LookUps {
    let (database, redis) = (FakeDatabase::new(), FakeRedis::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let context = runtime.enter();
    let node = Node::builder()
        .remote(Arc::new(redis.handle()))
        .change_log(Arc::new(database.log()))
        .poll_interval(CHANGE_EVERY)
        // Threads that look up leave the poll little room on a machine of two cores.
        .staleness_bound(Duration::from_secs(10))
        .build();
    drop(context);
    let blobs = Blobs {
        database: Some(database.clone()),
        size: VALUE_BYTES,
    };
    let look_ups = awaited_in_place(filled(&runtime, &node, blobs, keys));
    runtime.spawn(async move {
        // Without changes there is nothing to do.
        for version in (1..).take_while(|_| changes) {
            tokio::time::sleep(CHANGE_EVERY).await;
            database.write("state", "SGR", version);
            database.compact();
        }
    });
    // The runtime goes on for as long as somebody looks up.
    Arc::new(move |keys, picks| {
        let _lives = &runtime;
        look_ups(keys, picks)
    })
}

fn filled(
    runtime: &tokio::runtime::Runtime,
    node: &Node,
    blobs: Blobs,
    keys: &[String],
) -> Cache<String, Vec<u8>> {
    let policy = Policy {
        memory_bytes: CAPACITY,
        batch_window: Duration::ZERO,
        ..Policy::default()
    };
    let cache: Cache<String, Vec<u8>> = Cache::builder("bench")
        .node(node)
        .policy(policy)
        .source(Arc::new(blobs))
        .build();
    // One by one, as the other tables are filled: what is scattered over more pages is slower to
    // look up, whichever table it is in.
    for key in keys {
        runtime.block_on(cache.get(key)).expect("a value");
    }
    cache
}

/// As a handler does it: awaited in place, in a future that runs on.
fn awaited_in_place(cache: Cache<String, Vec<u8>>) -> LookUps {
    Arc::new(move |keys, picks| {
        let all = async {
            let mut found = 0;
            for &pick in picks {
                found += usize::from(black_box(cache.get(&keys[pick as usize]).await).is_ok());
            }
            found
        };
        all.now_or_never().expect("a hit waits for nothing")
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn moka_sync(keys: &[String]) -> LookUps {
    let table = MokaSync::builder()
        .max_capacity(CAPACITY)
        .weigher(|_, v: &Value| v.len() as u32)
        .build();
    for key in keys {
        table.insert(key.clone(), value());
    }
    table.run_pending_tasks();
    at_once(move |key| black_box(table.get(key)).is_some())
}

fn moka_future(keys: &[String]) -> LookUps {
    let table = MokaFuture::builder()
        .max_capacity(CAPACITY)
        .weigher(|_, v: &Value| v.len() as u32)
        .build();
    runtime().block_on(async {
        for key in keys {
            table.insert(key.clone(), value()).await;
        }
        table.run_pending_tasks().await;
    });
    Arc::new(move |keys, picks| {
        let all = async {
            let mut found = 0;
            for &pick in picks {
                found += usize::from(black_box(table.get(&keys[pick as usize]).await).is_some());
            }
            found
        };
        all.now_or_never().expect("a hit waits for nothing")
    })
}

fn foyer(keys: &[String]) -> LookUps {
    let table: Foyer<String, Value> = FoyerBuilder::new(CAPACITY as usize)
        .with_weighter(|_: &String, v: &Value| v.len())
        .build();
    for key in keys {
        table.insert(key.clone(), value());
    }
    at_once(move |key| black_box(table.get(key)).is_some())
}

fn run(look_ups: &LookUps, keys: &[String], picks: &[u32], threads: usize) -> Duration {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for picks in picks.chunks(ROUND).take(threads) {
            scope.spawn(move || {
                let found = look_ups(keys, picks);
                assert_eq!(found, picks.len(), "everything is in memory");
            });
        }
    });
    started.elapsed()
}

/// The target is about the table with the clock; moka has none.
fn judge(contenders: &[(&str, LookUps)], found: &[f64], threads: usize) {
    let of = |wanted: &str| {
        let named = contenders.iter().zip(found);
        let mut named = named.filter(|((name, _), _)| name.starts_with(wanted));
        named.next().map_or(f64::NAN, |(_, ratio)| *ratio)
    };
    let clocked = of("quick_cache + coarse clock");
    let moka = of("moka sync").min(of("moka future"));
    for name in ["tingkat Cache::get", "tingkat, log and remote"] {
        for (beside, bare, limit) in [
            ("quick_cache with the coarse clock", clocked, MOST_OF_TABLE),
            ("the faster of moka's bare gets", moka, MOST_OF_MOKA),
        ] {
            let ratio = of(name) / bare;
            let verdict = limit.verdict(ratio);
            println!("  {name}: {ratio:.2} x {beside}; target {limit} {verdict}");
            let what = format!("memory hit, {threads} thread(s): {name} beside {beside}");
            figures::target(&what, ratio, "× the time", limit);
        }
    }
}

fn main() {
    let keys: Vec<String> = (0..KEYS).map(|n| format!("product-{n:07}")).collect();
    let picks = workload::zipf(KEYS, 0.99, ROUND * 2, 42);
    let contenders: Vec<(&str, LookUps)> = vec![
        ("quick_cache, bare", quick(&keys)),
        ("quick_cache + coarse clock", quick_with_clock(&keys)),
        ("tingkat Cache::get", ours(&keys)),
        ("tingkat, log and remote", ours_following(&keys, false)),
        ("tingkat, changes all the time", ours_following(&keys, true)),
        ("moka sync, bare", moka_sync(&keys)),
        ("moka future, bare", moka_future(&keys)),
        ("foyer, bare", foyer(&keys)),
    ];
    if std::env::args().any(|argument| argument == "--quick") {
        return compare(&contenders, &keys, &picks, QUICK);
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("memory hit");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, look_ups) in &contenders {
        let mut batches = picks.chunks_exact(BATCH).cycle();
        group.bench_function(*name, |bencher| {
            bencher.iter(|| look_ups(&keys, batches.next().expect("a cycle has no end")));
        });
    }
    group.finish();
    criterion.final_summary();
    compare(&contenders, &keys, &picks, ROUNDS);
}

/// Ratios, by as many threads as matter.
fn compare(contenders: &[(&str, LookUps)], keys: &[String], picks: &[u32], rounds: usize) {
    for threads in [1, 2] {
        let found = workload::ratios(
            &format!("memory hit, {threads} thread(s), ns per look-up"),
            rounds,
            ROUND,
            contenders,
            |look_ups| run(look_ups, keys, picks, threads),
        );
        judge(contenders, &found, threads);
    }
}
