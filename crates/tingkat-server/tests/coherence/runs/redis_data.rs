//! What is in Redis is gone, old, foreign or rubbish.

use std::sync::Arc;
use std::time::Duration;

use tingkat_testkit::redis::Reply;
use tingkat_testkit::{Postgres, Redis};

use crate::chance::Chance;
use crate::environment::seed;
use crate::history::{Harm, Once, now};
use crate::readers;
use crate::scene::{PREFIX, Plan, Scene};
use crate::store::{KEYS, Store, ids};

/// Little enough for a Redis that has a megabyte of its own.
const SMALL_BYTES: u64 = 5 << 20;

/// What a foreign program fills Redis with.
const FILLER_BYTES: usize = 20_000;

/// Another store's stamps are at least this.
const FOREIGN: i64 = 1_000_000;

/// How often each short fault is repeated.
const TIMES: usize = 8;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Whatever is in Redis, each node loads what it needs, once.
fn counted(name: &'static str) -> Plan {
    Plan {
        counts_loads: Some(Once::EachNode),
        ..Plan::new(name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_flushed() {
    let scene = Scene::begin(counted("redis: FLUSHALL")).await;
    let fault = scene.fault("redis is flushed again and again", Harm::Redis, None);
    for _ in 0..TIMES {
        scene.redis.cmd(&["FLUSHALL"]).await.unwrap();
        scene.goes_on(PAUSE).await;
    }
    scene.is_over(fault);
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_restarts_with_an_old_dump() {
    let plan = Plan {
        redis: Redis::config().volatile(),
        ..counted("redis: old dump")
    };
    let scene = Scene::begin(plan).await;
    scene.redis.cmd(&["SAVE"]).await.unwrap();
    scene.goes_on(scene.plan.bound).await;
    let fault = scene.fault("redis restarts with an old dump", Harm::Redis, None);
    scene.redis.restart().await.unwrap();
    let left = scene.redis.cmd(&["DBSIZE"]).await.unwrap().int().unwrap();
    assert!(left > 0, "the dump is empty");
    scene.is_over(fault);
    scene.is_busy().await;
    // A node that remembers nothing of its own meets the old entries as well.
    let node = scene.nodes.first().unwrap();
    let fault = scene.fault("node 0 starts again", Harm::Killed, Some(0));
    node.kill();
    scene.redis.restart().await.unwrap();
    node.start().await;
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_missed_writes_is_promoted() {
    let scene = Scene::begin(counted("redis: promotion with lost writes")).await;
    let replica = Redis::config()
        .replica_of(&scene.redis)
        .start()
        .await
        .unwrap();
    scene.redis.replicated(1).await.unwrap();
    // From here on it misses everything.
    replica.cmd(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    scene.goes_on(scene.plan.bound).await;
    let fault = scene.fault("an old replica is promoted", Harm::Redis, None);
    scene.redis.kill();
    for node in &scene.nodes {
        node.redis().lead_to(replica.addr()).await;
    }
    let node = scene.nodes.first().unwrap();
    let restart = scene.fault("node 0 starts again", Harm::Killed, Some(0));
    node.kill();
    node.start().await;
    scene.is_over(restart);
    scene.is_over(fault);
    scene.is_busy().await;
    scene.goes_on(Duration::from_secs(1)).await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_small_redis_evicts() {
    filled("redis: 5 MB, evicting", "allkeys-lru").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_small_redis_is_full() {
    filled("redis: 5 MB, full", "noeviction").await;
}

/// A foreign program fills a small Redis.
async fn filled(name: &'static str, policy: &str) {
    let plan = Plan {
        redis: Redis::config().max_memory(SMALL_BYTES, policy),
        ..counted(name)
    };
    let scene = Scene::begin(plan).await;
    let fault = scene.fault(name, Harm::Redis, None);
    let filler = vec![b'x'; FILLER_BYTES];
    let mut refused = 0;
    for number in 0..1_000 {
        let key = format!("foreign:{number}").into_bytes();
        let set = [b"SET".to_vec(), key, filler.clone()];
        refused += usize::from(scene.redis.cmd(&set).await.is_err());
    }
    if policy == "noeviction" {
        assert!(refused > 0, "Redis was not full");
    } else {
        assert_ne!(scene.redis.info("evicted_keys").await.unwrap(), "0");
    }
    scene.goes_on(scene.plan.bound).await;
    let flushed = scene.redis.cmd(&["FLUSHALL"]).await;
    flushed.unwrap();
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_foreign_program_writes_rubbish_into_our_keys() {
    let scene = Scene::begin(counted("redis: rubbish in our keys")).await;
    let fault = scene.fault("rubbish is written", Harm::Redis, None);
    let mut chance = Chance::of(seed(), 77);
    for round in 0..TIMES {
        spoil(&scene.redis, &mut chance, round).await;
        scene.goes_on(PAUSE).await;
    }
    scene.is_over(fault);
    scene.finish().await.must_be_kept();
}

/// Spoils about half of our keys, each in another way.
async fn spoil(redis: &Redis, chance: &mut Chance, round: usize) {
    let pattern = format!("{PREFIX}*");
    let keys = redis.cmd(&["KEYS", &pattern]).await.unwrap();
    let keys: Vec<String> = keys.items().iter().filter_map(Reply::text).collect();
    assert!(keys.len() > 10, "{keys:?}");
    for (number, key) in keys.iter().enumerate() {
        if chance.once_in(2) {
            continue;
        }
        let other = keys.get((number + round + 1) % keys.len()).unwrap();
        let commands: &[&[&str]] = match (number + round) % 5 {
            0 => &[&["SET", key, "rubbish"]],
            1 => &[&["SETRANGE", key, "60", "rubbish"]],
            2 => &[&["COPY", other, key, "REPLACE"]],
            3 => &[&["DEL", key], &["LPUSH", key, "of", "another", "type"]],
            _ => &[&["SET", key, "L0123456789abcdef", "PX", "200"]],
        };
        for command in commands {
            // A key may have become one of another type, or be gone.
            let _ = redis.cmd(command).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn another_stores_node_writes_into_our_keys() {
    let scene = Scene::begin(counted("redis: entries of another incarnation")).await;
    let other = Arc::new(Store::start(Postgres::config()).await);
    let change = format!(
        "UPDATE product SET version = version + 1, stock_quantity = stock_quantity + {FOREIGN} \
         WHERE id = ANY ({})",
        ids()
    );
    other.sql(&change).await;
    let fault = scene.fault("another store uses our keys", Harm::Redis, None);
    let node = scene.node_of(&other).await;
    let until = now() + scene.plan.bound + PAUSE;
    let mut seen = 0;
    while now() < until {
        other.sql(&change).await;
        let reads = readers::read_all(&node).await;
        let values = reads.iter().filter_map(|read| read.outcome.ok());
        seen += values.filter(|it| it.value.stamp >= FOREIGN).count();
    }
    assert!(
        seen > 10 * KEYS,
        "the other store's node showed {seen} values"
    );
    drop(node);
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}
