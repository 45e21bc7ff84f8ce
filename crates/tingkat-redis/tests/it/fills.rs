//! Writing what a load has brought: fill and set if absent.

use std::time::Duration;

use bytes::Bytes;
use tingkat::ports::Remote;
use tingkat_testkit::Redis;

use crate::server::{bytes_of, life_of};
use crate::stage::{LONG, cell, connected, lease, set, value};

const LIFE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_holder_of_the_lease_fills_it_once() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let lease_cell = Bytes::copy_from_slice(&lease(1));
    redis.acquire("k", None, lease_cell, LIFE).await.unwrap();
    let entry = cell(value(5), b"payload");
    let filled = redis.fill("k", &lease(1), entry.clone(), LONG).await;
    assert!(filled.unwrap());
    assert_eq!(bytes_of(&server, "k").await.unwrap(), entry);
    assert!(life_of(&server, "k").await.unwrap() > LIFE);

    let late = cell(value(6), b"late");
    assert!(!redis.fill("k", &lease(1), late, LONG).await.unwrap());
    assert_eq!(bytes_of(&server, "k").await.unwrap(), entry);
}

#[tokio::test]
async fn who_has_lost_the_lease_fills_nothing() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let entry = cell(value(5), b"payload");
    // It ended, and nobody else came.
    let filled = redis.fill("k", &lease(1), entry.clone(), LONG).await;
    assert!(!filled.unwrap());
    assert_eq!(bytes_of(&server, "k").await, None);
    // Another node has it now.
    set(&redis, "k", Bytes::copy_from_slice(&lease(2))).await;
    let filled = redis.fill("k", &lease(1), entry.clone(), LONG).await;
    assert!(!filled.unwrap());
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(2)[..]);
    // The lease was cut short.
    set(&redis, "k", Bytes::copy_from_slice(&lease(1)[..16])).await;
    let filled = redis.fill("k", &lease(1), entry, LONG).await;
    assert!(!filled.unwrap());
}

#[tokio::test]
async fn a_refresh_replaces_the_entry_that_it_began_with_and_no_other() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "k", cell(value(1), b"old")).await;
    let newer = cell(value(2), b"newer");
    let filled = redis.fill("k", &value(1), newer.clone(), LONG).await;
    assert!(filled.unwrap());
    assert_eq!(bytes_of(&server, "k").await.unwrap(), newer);
    let other = cell(value(3), b"another");
    assert!(!redis.fill("k", &value(1), other, LONG).await.unwrap());
    assert_eq!(bytes_of(&server, "k").await.unwrap(), newer);
}

#[tokio::test]
async fn a_key_that_another_program_took_during_the_load_is_not_filled() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    server.cmd(&["HSET", "k", "field", "value"]).await.unwrap();
    let entry = cell(value(5), b"payload");
    assert!(!redis.fill("k", &lease(1), entry, LONG).await.unwrap());
    assert_eq!(server.cmd(&["TYPE", "k"]).await.unwrap(), "hash");
}

#[tokio::test]
async fn only_the_first_sets_what_is_absent() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let set = |cell| redis.set_if_absent("k", cell, LIFE);
    assert!(set(Bytes::from("first")).await.unwrap());
    assert!(!set(Bytes::from("second")).await.unwrap());
    assert_eq!(bytes_of(&server, "k").await.unwrap(), "first");
    let life = life_of(&server, "k").await.unwrap();
    assert!(life <= LIFE && life > LIFE / 2, "{life:?}");

    server.cmd(&["DEL", "k"]).await.unwrap();
    server.cmd(&["HSET", "k", "field", "value"]).await.unwrap();
    assert!(!set(Bytes::from("third")).await.unwrap());
}
