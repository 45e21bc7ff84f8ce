//! What looking for private fields costs a value on its way into the remote tier:
//! `cargo bench -p tingkat --bench privacy`.
//!
//! The same loads with their fills, of a value as a store has it, without the list, with it, and
//! with a field that is stripped. Hits are not looked through, so nothing is said about them.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark stops at a surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use tingkat::ports::Loaded;
use tingkat::privacy::{Names, OnPrivate};
use tingkat::{Cache, Node, Placement, Policy};
use tingkat_testkit::fakes::FakeRedis;
use tokio::runtime::{Builder, Runtime};

/// The server of the fakes is emptied after so many fills.
const MOST_CELLS: u64 = 1_000;

#[derive(Clone, Serialize, Deserialize)]
struct Product {
    id: u64,
    sku: String,
    slug: String,
    name: String,
    description: String,
    regular_price: i64,
    member_price: Option<i64>,
    stock_quantity: i64,
    featured: bool,
    categories: Vec<Category>,
    images: Vec<String>,
    variants: Vec<Variant>,
    seller_email: Option<String>,
    updated_at: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Category {
    id: u64,
    slug: String,
    name: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Variant {
    sku: String,
    option: String,
    value: String,
    regular_price: i64,
    stock_quantity: i64,
}

fn product(seller_email: Option<&str>) -> Product {
    let text = |text: &str| text.to_owned();
    Product {
        id: 1,
        sku: text("KAYA-340"),
        slug: text("kaya-pandan-340g"),
        name: text("Kaya pandan 340 g"),
        description: "Coconut jam with pandan, made in Ipoh. ".repeat(8),
        regular_price: 890,
        member_price: Some(790),
        stock_quantity: 120,
        featured: false,
        categories: (0..3)
            .map(|id| Category {
                id,
                slug: format!("spreads-{id}"),
                name: format!("Spreads {id}"),
            })
            .collect(),
        images: (0..5)
            .map(|at| format!("https://cdn.example/kaya/{at}.webp"))
            .collect(),
        variants: (0..4)
            .map(|at| Variant {
                sku: format!("KAYA-340-{at}"),
                option: text("size"),
                value: format!("{at}00 g"),
                regular_price: 890,
                stock_quantity: 30,
            })
            .collect(),
        seller_email: seller_email.map(text),
        updated_at: text("2026-01-02T03:04:05Z"),
    }
}

/// A cache of which each look-up of another key is a load and a fill.
struct Filling {
    runtime: Runtime,
    redis: FakeRedis,
    cache: Cache<u64, Product>,
    next: AtomicU64,
}

impl Filling {
    fn new(privacy: Option<(&Arc<Names>, OnPrivate)>, seller_email: Option<&str>) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let redis = FakeRedis::new();
        let inside = runtime.enter();
        let node = Node::builder().remote(Arc::new(redis.handle())).build();
        let product = product(seller_email);
        let policy = Policy {
            placement: Placement::Remote,
            // Packing would hide what is measured.
            compress_above: usize::MAX,
            ..Policy::default()
        };
        let builder = Cache::builder("product").node(&node).policy(policy);
        let builder = match privacy {
            Some((names, on_private)) => builder.privacy(names, on_private),
            None => builder,
        };
        let load = move |_| {
            let product = product.clone();
            async move { Ok(Loaded::value(product)) }
        };
        let cache = builder.load(load).build();
        drop(inside);
        Self {
            runtime,
            redis,
            cache,
            next: AtomicU64::new(0),
        }
    }

    fn one(&self) {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        if key.is_multiple_of(MOST_CELLS) {
            self.redis.flush();
        }
        let found = self.runtime.block_on(self.cache.get(&key));
        found.expect("a load").expect("a value");
    }
}

fn fills(criterion: &mut Criterion) {
    let names = Arc::new(Names::usual());
    let without = Filling::new(None, None);
    // A list that has none of the names: the type is refused at the start otherwise.
    let none = Arc::new(Names::new(["passport"]).expect("names"));
    let refuse = Filling::new(Some((&none, OnPrivate::Refuse)), None);
    let strip = Filling::new(
        Some((&names, OnPrivate::Strip)),
        Some("siti@example.com.my"),
    );
    let mut group = criterion.benchmark_group("a load and its fill");
    group.bench_function("without a list", |bencher| bencher.iter(|| without.one()));
    group.bench_function("nothing private, refuse", |bencher| {
        bencher.iter(|| refuse.one());
    });
    group.bench_function("one field stripped", |bencher| {
        bencher.iter(|| strip.one());
    });
    group.finish();
    for filling in [&without, &refuse, &strip] {
        let stats = filling.cache.stats();
        assert!(stats.fills.get() > 0 && stats.withheld.get() == 0);
    }
}

criterion_group!(benches, fills);
criterion_main!(benches);
