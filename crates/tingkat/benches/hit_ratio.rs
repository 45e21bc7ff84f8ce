//! Hit ratios on the traces of real shops: `TINGKAT_TRACES=folder cargo bench -p tingkat --bench hit_ratio`.
//!
//! A trace is a file of 32-bit big-endian keys, xz-compressed (`*.trace.xz`). Each request is a
//! look-up and, if it misses, a fill. Picks by Zipf's law are always run; without traces it says so.
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

use std::collections::HashSet;
use std::fs;
use std::io::BufReader;
use std::path::Path;

use quick_cache::sync::Cache as QuickCache;
use tingkat::memory::FIXED_BYTES;
use tingkat::ports::Loaded;
use tingkat::{Cache, Policy};
use tingkat_testkit::figures::{self, Limit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What must be reached on a trace, at 1, 5 and 20 % capacity.
const TARGETS: [(&str, [f64; 3]); 1] = [("orm-busy", [75.5, 84.3, 92.0])];

/// By how many points the hit ratio may be under that of `quick_cache`'s defaults.
const MOST_UNDER: f64 = 1.0;

fn read(path: &Path) -> Vec<u32> {
    let mut bytes = Vec::new();
    let mut file = BufReader::new(fs::File::open(path).expect("the trace is readable"));
    lzma_rs::xz_decompress(&mut file, &mut bytes).expect("the trace is xz");
    bytes
        .chunks_exact(4)
        .map(|key| u32::from_be_bytes(key.try_into().expect("four bytes")))
        .collect()
}

/// Look-ups through the whole cache, the source answering at once.
fn ours(trace: &[u32], capacity: usize) -> f64 {
    let entry = FIXED_BYTES + size_of::<u32>();
    let policy = Policy {
        memory_bytes: (capacity * entry) as u64,
        batch_window: std::time::Duration::ZERO,
        ..Policy::default()
    };
    let cache: Cache<u32, ()> = Cache::memory_builder("trace")
        .policy(policy)
        .weigher(|()| 0)
        .load(|_key| async { Ok(Loaded::value(())) })
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let hits = runtime.block_on(async {
        let mut hits = 0_usize;
        for key in trace {
            if cache.peek(key).is_some() {
                hits += 1;
            } else {
                cache.get(key).await.expect("the source answers");
            }
        }
        hits
    });
    percent(hits, trace.len())
}

fn quick(trace: &[u32], capacity: usize) -> f64 {
    let table: QuickCache<u32, ()> = QuickCache::new(capacity);
    let hits = trace
        .iter()
        .filter(|key| {
            table.get(*key).is_some() || {
                table.insert(**key, ());
                false
            }
        })
        .count();
    percent(hits, trace.len())
}

fn moka(trace: &[u32], capacity: usize) -> f64 {
    let table: moka::sync::Cache<u32, ()> = moka::sync::Cache::new(capacity as u64);
    let mut hits = 0;
    for (at, key) in trace.iter().enumerate() {
        if table.get(key).is_some() {
            hits += 1;
        } else {
            table.insert(*key, ());
        }
        if at % 32 == 0 {
            table.run_pending_tasks();
        }
    }
    percent(hits, trace.len())
}

fn percent(hits: usize, all: usize) -> f64 {
    hits as f64 * 100.0 / all as f64
}

/// Prints the hit ratios at three capacities.
fn compare(name: &str, trace: &[u32]) {
    let distinct = trace.iter().collect::<HashSet<_>>().len();
    for (place, share) in [1, 5, 20].into_iter().enumerate() {
        let capacity = distinct * share / 100;
        let (found, usual) = (ours(trace, capacity), quick(trace, capacity));
        let target = TARGETS
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, targets)| targets[place]);
        let usual_tinylfu = moka(trace, capacity);
        let what = format!("hit ratio, {name}, memory for {share} % of the keys");
        let mut verdicts = Vec::new();
        let mut judge = |what: &str, value: f64, unit: &str, limit: Limit| {
            figures::target(what, value, unit, limit);
            verdicts.push(format!("{limit} {unit} {}", limit.verdict(value)));
        };
        match target {
            Some(target) => judge(&what, found, "%", Limit::AtLeast(target)),
            None => judge(
                &format!("{what}, beside quick_cache's defaults"),
                found - usual,
                "points",
                Limit::AtLeast(-MOST_UNDER),
            ),
        }
        println!(
            "{name:<20} {share:>3} % of {distinct:<8} {found:>8.2} {usual:>12.2} {usual_tinylfu:>12.2}   {}",
            verdicts.join("; ")
        );
        let cells = [
            ("tingkat", format!("{found:.2}")),
            ("quick_cache as it comes", format!("{usual:.2}")),
            ("moka", format!("{usual_tinylfu:.2}")),
        ];
        let row = format!("{name}, {share} % of {distinct}");
        figures::row("hit ratio in percent", &row, &cells);
    }
}

fn main() {
    println!("hit ratio in percent   capacity      tingkat  quick_cache         moka");
    compare("zipf 0.99", &workload::zipf(100_000, 0.99, 1_000_000, 42));
    let Some(folder) = std::env::var_os("TINGKAT_TRACES") else {
        let why = "TINGKAT_TRACES names no folder with *.trace.xz files";
        println!("traces: not run, because {why}");
        figures::not_run("hit ratio on the traces of real shops", why);
        return;
    };
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("TINGKAT_TRACES is a folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".trace.xz"))
        .collect();
    files.sort();
    for path in files {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace(".trace.xz", "");
        compare(&name, &read(&path));
    }
}
