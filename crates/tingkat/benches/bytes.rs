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

mod workload;

use std::fs;
use std::sync::Arc;

use tingkat::certificate::Dep;
use tingkat::{Cache, Node, Policy};
use tingkat_testkit::fakes::FakeDatabase;
use tingkat_testkit::figures::{self, Limit};

use self::workload::Blobs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 400_000;

/// By how many percent the formula may be off.
const MOST_OFF: Limit = Limit::AtMost(15.0);

/// Writes under way while the certified entries are loaded.
const UNDER_WAY: usize = 20;

/// Sizes of values, and whether they have deps and a certificate with writes under way.
const ROWS: [(usize, bool); 5] = [
    (16, false),
    (100, false),
    (400, false),
    (2_000, false),
    (400, true),
];

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
    let mut arguments = std::env::args().skip_while(|argument| argument != "--row");
    // One row per process: an allocator does not give everything back.
    if arguments.next().is_some() {
        let row = arguments.next().and_then(|row| row.parse::<usize>().ok());
        let (size, is_certified) = ROWS[row.expect("a number of a row")];
        return measure(size, is_certified);
    }
    println!("bytes per entry of a value of      formula     resident    resident / formula");
    for row in 0..ROWS.len() {
        let this = std::env::current_exe().expect("this program has a path");
        let status = std::process::Command::new(this)
            .args(["--row", &row.to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the measurement ran"
        );
    }
}

fn measure(size: usize, is_certified: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _context = runtime.enter();
    let database = FakeDatabase::new();
    let under_way: Vec<_> = (0..UNDER_WAY).map(|_| database.begin()).collect();
    database.write("product", "7", 1);
    let mut node = Node::builder();
    let mut deps = Vec::new();
    if is_certified {
        node = node.change_log(Arc::new(database.log()));
        deps = ["category:12", "category:13", "products.list"]
            .map(Dep::new)
            .to_vec();
    }
    let policy = Policy {
        memory_bytes: 8 << 30,
        ..Policy::default()
    };
    let cache: Cache<String, Vec<u8>> = Cache::memory_builder("bytes")
        .node(&node.build())
        .policy(policy)
        .weigher(|value: &Vec<u8>| size_of::<Vec<u8>>() + value.capacity())
        .deps(move |_| deps.clone())
        .source(Arc::new(Blobs {
            database: is_certified.then(|| database.clone()),
            size,
        }))
        .build();
    let Some(before) = resident() else {
        let why = "this system does not tell resident memory in /proc";
        println!("not run: {why}");
        figures::not_run("bytes per entry", why);
        return;
    };
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
    let ratio = measured as f64 / formula as f64;
    let off = (ratio - 1.0).abs() * 100.0;
    let verdict = MOST_OFF.verdict(off);
    let more = if is_certified {
        ", certified, 3 deps"
    } else {
        ""
    };
    let name = format!("{size}{more}");
    println!("{name:<30} {formula:>11} {measured:>12} {ratio:>21.2}   {MOST_OFF} % off {verdict}");
    let what = format!("memory per entry, a value of {name} bytes, beside the formula");
    figures::target(&what, off, "% off", MOST_OFF);
    let cells = [
        ("formula", formula.to_string()),
        ("resident", measured.to_string()),
        ("resident / formula", format!("{ratio:.2}")),
    ];
    figures::row("bytes per entry of a value of", &name, &cells);
    drop(under_way);
}
