//! A server that is there and says no: each refusal by its kind, and reads go on where they can.

use std::time::Duration;

use bytes::Bytes;
use tingkat::error::RemoteErrorKind::WriteRefused;
use tingkat::ports::{Acquired, Remote};
use tingkat_redis::Redis as Tier;
use tingkat_testkit::redis::Replicated;
use tingkat_testkit::{Redis, eventually};

use crate::stage::{
    LONG, SOON, cell, connected, is_up, kind, lease, patient, set, start, value, why_down_as,
};

/// What the checks below look for; written while the server still writes.
async fn prepare(redis: &Tier) {
    set(redis, "entry", cell(value(1), b"payload")).await;
    set(redis, "lease", Bytes::copy_from_slice(&lease(1))).await;
}

/// Everything that needs memory or a master is refused as a write, by commands and by scripts.
async fn refuses_to_write(redis: &Tier) {
    let lease_cell = Bytes::copy_from_slice(&lease(2));
    let kinds = [
        kind(redis.acquire("new", None, lease_cell.clone(), LONG).await),
        kind(
            redis
                .acquire("entry", Some(&value(1)), lease_cell.clone(), LONG)
                .await,
        ),
        kind(
            redis
                .fill("lease", &lease(1), lease_cell.clone(), LONG)
                .await,
        ),
        kind(redis.set_if_absent("new", lease_cell.clone(), LONG).await),
        kind(
            redis
                .set_many(vec![
                    ("new".to_owned(), lease_cell.clone(), LONG),
                    ("newer".to_owned(), lease_cell, LONG),
                ])
                .await,
        ),
    ];
    assert_eq!(kinds, [WriteRefused; 5]);
}

/// Reads are as ever, and what is decided without writing is decided.
async fn still_reads(redis: &Tier) {
    let entry = cell(value(1), b"payload");
    assert_eq!(redis.get("entry").await.unwrap().unwrap(), entry);
    let keys = ["entry".to_owned(), "new".to_owned()];
    let both = redis.get_many(&keys).await.unwrap();
    assert_eq!(both, [Some(entry.clone()), None]);
    let held = redis.acquire("entry", None, Bytes::new(), LONG).await;
    assert_eq!(held.unwrap(), Acquired::Held(entry));
    let filled = redis.fill("entry", &lease(9), Bytes::new(), LONG).await;
    assert!(!filled.unwrap());
    redis.ping().await.unwrap();
    assert!(redis.state().borrow().is_usable());
}

#[tokio::test]
async fn a_replica_refuses_writes_and_reads() {
    let set = Replicated::start(1).await.unwrap();
    let master = connected(&set.master.url()).await;
    prepare(&master).await;
    let replica = connected(&set.replicas[0].url()).await;
    eventually(SOON, async || replica.get("lease").await.unwrap().is_some())
        .await
        .unwrap();
    refuses_to_write(&replica).await;
    let renewed = replica.renew("lease", &lease(1), LONG).await;
    assert_eq!(kind(renewed), WriteRefused);
    let removed = replica.remove(&["entry".to_owned()]).await;
    assert_eq!(kind(removed), WriteRefused);
    still_reads(&replica).await;
}

#[tokio::test]
async fn a_full_server_refuses_writes_and_reads() {
    let config = Redis::config().max_memory(0, "noeviction");
    let server = config.start().await.unwrap();
    let redis = connected(&server.url()).await;
    prepare(&redis).await;
    server
        .cmd(&["CONFIG", "SET", "maxmemory", "1"])
        .await
        .unwrap();
    refuses_to_write(&redis).await;
    still_reads(&redis).await;
    // What needs no memory works.
    assert!(redis.renew("lease", &lease(1), LONG).await.unwrap());
    redis.remove(&["lease".to_owned()]).await.unwrap();

    server
        .cmd(&["CONFIG", "SET", "maxmemory", "0"])
        .await
        .unwrap();
    set(&redis, "new", "cell").await;
}

#[tokio::test]
async fn a_master_without_its_replicas_refuses_writes_and_reads() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    prepare(&redis).await;
    server
        .cmd(&["CONFIG", "SET", "min-replicas-to-write", "1"])
        .await
        .unwrap();
    refuses_to_write(&redis).await;
    still_reads(&redis).await;
}

#[tokio::test]
async fn a_server_that_can_not_save_refuses_writes_and_reads() {
    let config = Redis::config().set("save", "3600 1");
    let server = config.start().await.unwrap();
    let redis = connected(&server.url()).await;
    prepare(&redis).await;
    // The dump can not be renamed to a folder that is not empty.
    std::fs::create_dir_all(server.dump_file().join("inside")).unwrap();
    server.cmd(&["BGSAVE"]).await.unwrap();
    eventually(SOON, async || {
        server.info("rdb_last_bgsave_status").await.unwrap() == "err"
    })
    .await
    .unwrap();
    refuses_to_write(&redis).await;
    still_reads(&redis).await;
    // Its PING is refused as if it were a write; that is no reason not to connect.
    let newcomer = connected(&server.url()).await;
    still_reads(&newcomer).await;

    std::fs::remove_dir_all(server.dump_file()).unwrap();
    server.cmd(&["SAVE"]).await.unwrap();
    set(&redis, "new", "cell").await;
}

#[tokio::test]
async fn a_user_who_may_only_read_is_refused_writes_and_reads() {
    let config = Redis::config().user("reader", "on >pass ~* &* +@read +@connection");
    let server = config.start().await.unwrap();
    prepare(&connected(&server.url()).await).await;
    let redis = connected(&format!("redis://reader:pass@{}/", server.addr())).await;
    refuses_to_write(&redis).await;
    let entry = redis.get("entry").await.unwrap().unwrap();
    assert_eq!(entry, cell(value(1), b"payload"));
}

#[tokio::test]
async fn a_user_who_may_not_read_is_refused() {
    let config = Redis::config().user("writer", "on >pass ~* &* +@write +@connection -@read");
    let server = config.start().await.unwrap();
    let redis = start(patient(&format!("redis://writer:pass@{}/", server.addr())));
    why_down_as(&redis, "ACL SETUSER writer +get").await;
}

#[tokio::test]
async fn a_server_without_scripts_refuses_leases_and_its_error_shows_no_key() {
    let config = Redis::config().set("rename-command", "EVALSHA \"\"");
    let server = config.start().await.unwrap();
    let redis = connected(&server.url()).await;
    let cell = Bytes::from("hunter2");
    let taken = redis.acquire("customer 17", None, cell, LONG).await;
    let error = taken.unwrap_err();
    assert_eq!(error.kind(), WriteRefused, "reads go on");
    assert!(error.to_string().contains("EVALSHA"), "{error}");
    for part in ["customer", "17", "hunter2"] {
        assert!(!error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_waited_for() {
    let config = Redis::config().slow_load(Duration::from_millis(10));
    let server = config.start().await.unwrap();
    let fill = "for i = 1, 100 do redis.call('SET', 'key:' .. i, string.rep('x', 100)) end";
    server.cmd(&["EVAL", fill, "0"]).await.unwrap();
    server.cmd(&["SAVE"]).await.unwrap();
    let redis = connected(&server.url()).await;

    server.restart_loading().await.unwrap();
    why_down_as(&redis, "LOADING").await;
    is_up(&redis).await;
    assert!(redis.get("key:1").await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let server = Redis::start().await.unwrap();
    let redis = start(patient(&format!("{}99", server.url())));
    why_down_as(&redis, "DB index is out of range").await;
}

#[tokio::test]
async fn a_process_without_a_crypto_provider_is_told_so() {
    let redis = start(patient("rediss://127.0.0.1:1"));
    why_down_as(&redis, "crypto provider of rustls").await;
}
