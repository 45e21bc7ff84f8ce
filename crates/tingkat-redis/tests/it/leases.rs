//! Who may load a key: acquire and renew.

use std::time::Duration;

use bytes::Bytes;
use tingkat::ports::{Acquired, Remote};
use tingkat_redis::Redis as Tier;
use tingkat_testkit::Redis;

use crate::server::{bytes_of, calls_of, life_of};
use crate::stage::{LONG, cell, connected, lease, set, value};

const LIFE: Duration = Duration::from_secs(30);

/// Asks for the lease with this number.
async fn acquire(redis: &Tier, key: &str, refused: Option<&[u8]>, id: u8) -> Acquired {
    let lease = Bytes::copy_from_slice(&lease(id));
    redis.acquire(key, refused, lease, LIFE).await.unwrap()
}

#[tokio::test]
async fn an_absent_key_is_leased_to_the_first_and_the_second_sees_his_lease() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    assert_eq!(acquire(&redis, "k", None, 1).await, Acquired::Granted);
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
    let life = life_of(&server, "k").await.unwrap();
    assert!(life <= LIFE && life > LIFE / 2, "{life:?}");

    let held = Acquired::Held(Bytes::copy_from_slice(&lease(1)));
    assert_eq!(acquire(&redis, "k", None, 2).await, held);
    let refused = value(9);
    assert_eq!(acquire(&redis, "k", Some(&refused), 2).await, held);
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
}

#[tokio::test]
async fn a_refused_entry_gives_way_to_a_lease() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "k", cell(value(7), b"payload")).await;
    assert_eq!(
        acquire(&redis, "k", Some(&value(7)), 1).await,
        Acquired::Granted
    );
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
    assert!(life_of(&server, "k").await.unwrap() <= LIFE);
}

#[tokio::test]
async fn an_entry_that_has_replaced_the_refused_one_stays_and_comes_along() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let newer = cell(value(8), b"payload");
    set(&redis, "k", newer.clone()).await;
    let held = Acquired::Held(newer.clone());
    assert_eq!(acquire(&redis, "k", Some(&value(7)), 1).await, held);
    assert_eq!(acquire(&redis, "k", None, 1).await, held);
    // Half of a head is not the head.
    let half = &value(8)[..9];
    assert_eq!(acquire(&redis, "k", Some(half), 1).await, held);
    assert_eq!(bytes_of(&server, "k").await.unwrap(), newer);
}

#[tokio::test]
async fn a_refused_entry_that_is_gone_by_now_gives_way_as_well() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    assert_eq!(
        acquire(&redis, "k", Some(&value(7)), 1).await,
        Acquired::Granted
    );
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
}

#[tokio::test]
async fn an_empty_string_is_as_good_as_nothing() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    for refused in [None, Some(&b""[..])] {
        set(&redis, "k", Bytes::new()).await;
        assert_eq!(acquire(&redis, "k", refused, 1).await, Acquired::Granted);
        assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
    }
}

#[tokio::test]
async fn rubbish_shorter_than_a_head_is_refused_by_all_of_it() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "k", "rubbish").await;
    let held = Acquired::Held("rubbish".into());
    assert_eq!(acquire(&redis, "k", Some(b"rubbis"), 1).await, held);
    assert_eq!(acquire(&redis, "k", None, 1).await, held);
    assert_eq!(
        acquire(&redis, "k", Some(b"rubbish"), 1).await,
        Acquired::Granted
    );
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
}

#[tokio::test]
async fn a_key_that_another_program_uses_for_something_else_is_taken_back() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    for command in [
        &["HSET", "k", "field", "value"][..],
        &["RPUSH", "k", "item"],
        &["SADD", "k", "member"],
    ] {
        server.cmd(command).await.unwrap();
        let found = redis.get("k").await.unwrap();
        let granted = acquire(&redis, "k", found.as_deref(), 1).await;
        assert_eq!(granted, Acquired::Granted);
        assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
        assert!(life_of(&server, "k").await.is_some());
        server.cmd(&["DEL", "k"]).await.unwrap();
    }
}

#[tokio::test]
async fn only_its_own_lease_is_renewed() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    acquire(&redis, "k", None, 1).await;

    assert!(!redis.renew("k", &lease(2), LONG).await.unwrap());
    assert!(life_of(&server, "k").await.unwrap() <= LIFE);

    assert!(redis.renew("k", &lease(1), LONG).await.unwrap());
    let life = life_of(&server, "k").await.unwrap();
    assert!(life > LIFE && life <= LONG, "{life:?}");
    assert_eq!(bytes_of(&server, "k").await.unwrap(), lease(1)[..]);
}

#[tokio::test]
async fn a_lease_that_is_gone_is_not_renewed() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    assert!(!redis.renew("k", &lease(1), LONG).await.unwrap());
    assert_eq!(bytes_of(&server, "k").await, None);
    server.cmd(&["HSET", "k", "field", "value"]).await.unwrap();
    assert!(!redis.renew("k", &lease(1), LONG).await.unwrap());
    assert_eq!(life_of(&server, "k").await, None);
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let first = Bytes::copy_from_slice(&lease(1));
    let life = Duration::from_millis(40);
    let granted = redis.acquire("k", None, first, life).await.unwrap();
    assert_eq!(granted, Acquired::Granted);
    tingkat_testkit::eventually(crate::stage::SOON, async || {
        acquire(&redis, "k", None, 2).await == Acquired::Granted
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_head_may_hold_any_byte() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    for id in [*b"\r\n\0\r\n\0\r\n\0\r\n\0\r\n\0\xff", [0; 16], [255; 16]] {
        let head = tingkat::envelope::Kind::Lease.head(id);
        let taken = redis.acquire("k", None, Bytes::copy_from_slice(&head), LIFE);
        assert_eq!(taken.await.unwrap(), Acquired::Granted);
        assert!(redis.renew("k", &head, LONG).await.unwrap());
        let filled = redis.fill("k", &head, cell(value(1), b""), LONG).await;
        assert!(filled.unwrap());
        redis.remove(&["k".to_owned()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_told_them_again() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    acquire(&redis, "k", None, 1).await;
    let before = calls_of(&server, "eval").await;
    for round in 1..=2 {
        server.cmd(&["SCRIPT", "FLUSH"]).await.unwrap();
        let held = acquire(&redis, "k", None, 2).await;
        assert!(matches!(held, Acquired::Held(_)), "{held:?}");
        assert!(redis.renew("k", &lease(1), LIFE).await.unwrap());
        let filled = redis.fill("k", &lease(1), cell(lease(1), b"!"), LIFE).await;
        assert!(filled.unwrap());
        // Once each: what was sent with its text is known by its hash afterwards.
        acquire(&redis, "k", None, 2).await;
        assert_eq!(calls_of(&server, "eval").await, before + 3 * round);
    }
}

#[tokio::test]
async fn a_lease_is_not_granted_where_the_cell_can_not_be_looked_at() {
    let rules = "on >pass ~* &* +@all -getrange";
    let config = Redis::config().user("half", rules);
    let server = config.start().await.unwrap();
    let redis = connected(&format!("redis://half:pass@{}/", server.addr())).await;
    set(&redis, "k", cell(value(8), b"payload")).await;
    let taken = redis.acquire("k", None, Bytes::copy_from_slice(&lease(1)), LIFE);
    taken.await.unwrap_err();
    let untouched = cell(value(8), b"payload");
    assert_eq!(bytes_of(&server, "k").await.unwrap(), untouched);
}

/// Another program may write what looks like a lease or a marker; without an end it is nobody's.
#[tokio::test]
async fn what_looks_like_a_lease_and_never_ends_is_replaced() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    for (key, head) in [("l", "L0123456789abcdef"), ("e", "E0123456789abcdef")] {
        server
            .cmd(&["SET", key, head, "PX", "60000"])
            .await
            .unwrap();
        let held = Acquired::Held(Bytes::from_static(head.as_bytes()));
        assert_eq!(
            acquire(&redis, key, None, 1).await,
            held,
            "{key} ends by itself"
        );
        server.cmd(&["SET", key, head]).await.unwrap();
        assert_eq!(
            acquire(&redis, key, None, 1).await,
            Acquired::Granted,
            "{key}"
        );
    }
}
