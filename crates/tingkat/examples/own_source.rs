//! A source of one's own: many keys in one go, and lives that depend on the value.
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::certificate::Dep;
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};
use tingkat::{Cache, Options};

/// Stock levels, as a warehouse tells them.
struct Warehouse;

impl Source<u32, i64> for Warehouse {
    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<u32, i64>],
    ) -> BoxFuture<'a, Result<Batch<i64>, SourceError>> {
        Box::pin(async move {
            println!(
                "one question to the warehouse, for {} shelves",
                wanted.len()
            );
            let loaded = wanted.iter().map(|wanted| shelf(wanted.key)).collect();
            // There is no change log here, so there is no certificate either.
            Ok(Batch {
                certificate: None,
                loaded,
            })
        })
    }
}

fn shelf(number: u32) -> Loaded<i64> {
    match number {
        0 => Loaded::absent(),
        // What is nearly gone changes soon.
        1..=9 => Loaded::value(1).fresh_for(Duration::from_secs(5)),
        _ => Loaded::value(500),
    }
    .deps([Dep::new(format!("aisle:{}", number / 10))])
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let stock: Cache<u32, i64> = Cache::builder("stock").source(Arc::new(Warehouse)).build();
    let shelves = [0, 3, 12, 12];
    for (shelf, answer) in shelves
        .iter()
        .zip(stock.look_up_many(&shelves, Options::default()).await)
    {
        println!(
            "shelf {shelf}: {:?}",
            answer.map(|answer| answer.value().copied())
        );
    }
}
