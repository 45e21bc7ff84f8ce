//! A hit in memory waits for nothing and allocates nothing. A program of its own, because its
//! allocator counts.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that is wrong shall say so"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use futures::FutureExt as _;
use tingkat::ports::Loaded;
use tingkat::{Cache, Node};
use tingkat_testkit::TestClock;
use tingkat_testkit::fakes::{FakeDatabase, FakeRedis, FakeSource, Versioned};

const HITS: usize = 1_000;

/// Looks a key up again and again, and polls each look-up once.
fn assert_free(cache: &Cache<String, Versioned>, key: &String) {
    let before = cache.stats().memory_hits.get();
    let mut answered = 0;
    let allocations = measure(|| {
        for _ in 0..HITS {
            let answer = black_box(cache.get(key)).now_or_never();
            answered += usize::from(matches!(answer, Some(Ok(Some(_)))));
        }
    });
    assert_eq!(answered, HITS, "ready at the first poll");
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
    let hits = usize::try_from(cache.stats().memory_hits.get() - before).unwrap();
    assert_eq!(hits, HITS);
}

#[test]
fn the_counter_counts() {
    let allocations = measure(|| drop(black_box(Box::new(7))));
    assert_eq!(allocations.count_total, 1);
}

#[tokio::test]
async fn a_hit_of_a_cache_of_one_process_allocates_nothing() {
    let cache: Cache<String, Versioned> = Cache::builder("product")
        .load(|key: String| async move { Ok(Loaded::value(Versioned { key, version: 1 })) })
        .build();
    let key = "7".to_owned();
    cache.get(&key).await.unwrap();
    assert_free(&cache, &key);
}

#[tokio::test(start_paused = true)]
async fn a_hit_beside_a_change_log_and_redis_allocates_nothing() {
    let (database, redis) = (FakeDatabase::new(), FakeRedis::new());
    database.write("product", "7", 1);
    let node = Node::builder()
        .clock(Arc::new(TestClock::new()))
        .remote(Arc::new(redis.handle()))
        .change_log(Arc::new(database.log()))
        .build();
    let cache: Cache<String, Versioned> = Cache::builder("product")
        .node(&node)
        .source(Arc::new(FakeSource::new(&database, "product")))
        .build();
    let key = "7".to_owned();
    cache.get(&key).await.unwrap();
    assert_free(&cache, &key);
    // What changed elsewhere is thought about once.
    database.write("state", "SGR", 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The first hit is judged again.
    assert_free(&cache, &key);
}
