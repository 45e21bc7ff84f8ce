//! Warming over a link that is narrow: it takes what fits, and customers hardly notice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tingkat::breaker::State;
use tingkat::error::RemoteError;
use tingkat::ports::{Acquired, CellHead, Hint, Loaded, Remote};
use tingkat::{Cache, Node};
use tingkat_testkit::fakes::RedisHandle;
use tokio::time::Instant;

use crate::n_warm::{plan_of, products, warm};
use crate::stage::{ENTITY, Stage, ms, still};

/// Values of this size.
const LARGE: u32 = 50_000;

/// A way to Redis over which so many bytes pass in a millisecond. What nobody waits for any more is on
/// its way all the same.
struct Narrow {
    redis: RedisHandle,
    bytes_per_ms: usize,
    free_at: Mutex<Instant>,
}

impl Narrow {
    #[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
    fn new(redis: RedisHandle, bytes_per_ms: usize) -> Self {
        Self {
            redis,
            bytes_per_ms,
            free_at: Mutex::new(Instant::now()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
    async fn pass(&self, bytes: usize) {
        let passed = {
            let mut free_at = self.free_at.lock().unwrap();
            let begins = (*free_at).max(Instant::now());
            *free_at = begins + Duration::from_millis((bytes / self.bytes_per_ms) as u64);
            *free_at
        };
        tokio::time::sleep_until(passed).await;
    }
}

impl Remote for Narrow {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, RemoteError>> {
        Box::pin(async move {
            let cell = self.redis.get(key).await?;
            self.pass(cell.as_ref().map_or(0, Bytes::len)).await;
            Ok(cell)
        })
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, RemoteError>> {
        Box::pin(async move {
            let cells = self.redis.get_many(keys).await?;
            self.pass(cells.iter().flatten().map(Bytes::len).sum())
                .await;
            Ok(cells)
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        refused: Option<&'a [u8]>,
        lease: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, RemoteError>> {
        self.redis.acquire(key, refused, lease, ttl)
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: &'a CellHead,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        self.redis.fill(key, expected, cell, ttl)
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a CellHead,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        self.redis.renew(key, lease, ttl)
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        cell: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, RemoteError>> {
        self.redis.set_if_absent(key, cell, ttl)
    }

    fn set_many(
        &self,
        cells: Vec<(String, Bytes, Duration)>,
    ) -> BoxFuture<'_, Result<(), RemoteError>> {
        Box::pin(async move {
            self.pass(cells.iter().map(|(_, cell, _)| cell.len()).sum())
                .await;
            self.redis.set_many(cells).await
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), RemoteError>> {
        self.redis.remove(keys)
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), RemoteError>> {
        self.redis.ping()
    }

    fn hint(&self, hint: Hint) -> BoxFuture<'_, Result<(), RemoteError>> {
        self.redis.hint(hint)
    }
}

/// A node over such a link, whose values are large and as random as pictures are.
fn node(stage: &Stage, bytes_per_ms: usize) -> (Node, Cache<String, Vec<u32>>) {
    let narrow = Narrow::new(stage.redis.handle(), bytes_per_ms);
    let node = Node::builder()
        .clock(Arc::new(stage.clock))
        .seed(7)
        .remote(Arc::new(narrow))
        .change_log(Arc::new(stage.database.log()))
        .build();
    let noise = |n: u32| n.wrapping_mul(2_654_435_761).rotate_left(n % 31) | 1 << 31;
    let value: Vec<u32> = (0..LARGE / 5).map(noise).collect();
    let load = move |_| {
        let value = value.clone();
        async move { Ok(Loaded::value(value)) }
    };
    let mut policy = still();
    policy.compress_above = usize::MAX;
    let cache = Cache::builder(ENTITY)
        .node(&node)
        .policy(policy)
        .load(load)
        .build();
    (node, cache)
}

/// 10 MB lie in Redis; one of them takes 10 ms on the way, and a call 50 ms at most.
#[tokio::test(start_paused = true)]
async fn what_redis_has_is_taken_from_there_however_narrow_the_way_is() {
    let stage = Stage::new();
    let keys = products(&stage, 200);
    let (first, _cache) = node(&stage, 5_000);
    tokio::time::sleep(ms(10)).await;
    let report = warm_on(&first, &keys).await;
    let entity = &report.entities[0];
    assert!(report.success, "{report:?}");
    assert_eq!(entity.loaded, 200, "{report:?}");
    assert!(entity.bytes > u64::from(200 * LARGE / 10 * 9), "{report:?}");

    let (second, cache) = node(&stage, 5_000);
    tokio::time::sleep(ms(10)).await;
    let report = warm_on(&second, &keys).await;
    let entity = &report.entities[0];
    assert!(report.success, "{report:?}");
    assert_eq!(
        (entity.loaded, entity.already_warm.redis),
        (0, 200),
        "{report:?}"
    );
    assert_eq!(second.breaker(), Some(State::Closed));
    assert_eq!(cache.stats().loaded_keys.get(), 0);
    assert!(report.seconds < 5.0, "{report:?}");
}

async fn warm_on(node: &Node, keys: &[String]) -> tingkat::warm::Report {
    let stop = tokio_util::sync::CancellationToken::new();
    let warmer = tingkat::warm::Warmer::new(node);
    warmer.run(plan_of(keys), &stop, |_| ()).await
}

/// A Redis that says nothing at all is not asked for ever, and customers learn of it as of any other.
#[tokio::test(start_paused = true)]
async fn a_redis_that_hangs_is_given_up_and_memory_is_warmed() {
    let stage = Stage::new();
    let keys = products(&stage, 1_000);
    let shop = stage.node().await;
    shop.redis.cut();
    let report = warm(&shop, plan_of(&keys)).await;
    let entity = &report.entities[0];
    assert_eq!(
        (entity.loaded, entity.not_in_redis),
        (1_000, 1_000),
        "{report:?}"
    );
    assert!(!report.success && report.seconds < 10.0, "{report:?}");
    assert_eq!(shop.node.breaker(), Some(State::Open));
}
