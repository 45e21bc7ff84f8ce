//! What looking for private fields costs a value on its way into the remote tier:
//! `cargo bench -p tingkat --bench privacy`.
//!
//! A product is encoded without the list, with one that it has nothing of, and with a field that is
//! refused or stripped. Hits are not looked through, so nothing is said about them.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark stops at a surprise"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use tingkat::codec::{Codec as _, MessagePack};
use tingkat::privacy::{self, Names, OnPrivate};

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

fn encoding(criterion: &mut Criterion) {
    let names = Arc::new(Names::usual());
    let refuse = privacy::codec::<Product>(&names, OnPrivate::Refuse);
    let strip = privacy::codec::<Product>(&names, OnPrivate::Strip);
    let (plain, private) = (product(None), product(Some("siti@example.com.my")));
    // The field that is named and empty would be refused as well.
    let clean = Arc::new(Names::new(["passport"]).expect("names"));
    let clean = privacy::codec::<Product>(&clean, OnPrivate::Refuse);
    assert!(refuse.encode(&private).is_err() && clean.encode(&plain).is_ok());

    let mut group = criterion.benchmark_group("encoding a product");
    group.bench_function("without a list", |bencher| {
        bencher.iter(|| MessagePack.encode(black_box(&plain)).expect("bytes"));
    });
    group.bench_function("nothing private, refuse", |bencher| {
        bencher.iter(|| clean.encode(black_box(&plain)).expect("bytes"));
    });
    group.bench_function("one field refused", |bencher| {
        bencher.iter(|| refuse.encode(black_box(&private)).expect_err("a refusal"));
    });
    group.bench_function("one field stripped", |bencher| {
        bencher.iter(|| strip.encode(black_box(&private)).expect("bytes"));
    });
    group.finish();
}

criterion_group!(benches, encoding);
criterion_main!(benches);
