//! The server away, dead and stopped.

use std::process::Command;

use bytes::Bytes;
use futures::FutureExt as _;
use tingkat::error::RemoteErrorKind;
use tingkat::ports::Remote;
use tingkat_redis::{Redis as Tier, State};
use tingkat_testkit::{Redis, eventually};

use crate::server::clients;
use crate::stage::{
    HURRY, LONG, SOON, connected, hasty, is_up, kind, lease, patient, set, start, why_down,
    why_down_as, within,
};

/// Without a connection a call waits for nothing, not even once.
pub(crate) fn fails_at_once(redis: &Tier) {
    let cell = Bytes::from("cell");
    let (head, keys) = (lease(1), ["k".to_owned()]);
    let kinds = [
        redis.get("k").now_or_never().map(kind),
        redis.get_many(&keys).now_or_never().map(kind),
        redis.ping().now_or_never().map(kind),
        redis.remove(&keys).now_or_never().map(kind),
        redis.renew("k", &head, LONG).now_or_never().map(kind),
        redis
            .acquire("k", None, cell.clone(), LONG)
            .now_or_never()
            .map(kind),
        redis
            .fill("k", &head, cell.clone(), LONG)
            .now_or_never()
            .map(kind),
        redis
            .set_if_absent("k", cell.clone(), LONG)
            .now_or_never()
            .map(kind),
        redis
            .set_many(vec![("k".to_owned(), cell, LONG)])
            .now_or_never()
            .map(kind),
    ];
    assert_eq!(kinds, [Some(RemoteErrorKind::Disconnected); 9]);
}

#[tokio::test]
async fn a_server_that_comes_later_is_found() {
    let server = Redis::start().await.unwrap();
    server.kill();
    let redis = start(patient(&server.url()));
    assert_eq!(*redis.state().borrow(), State::Connecting);
    fails_at_once(&redis);

    let why = why_down(&redis).await;
    assert!(why.to_lowercase().contains("refused"), "{why}");
    fails_at_once(&redis);

    server.restart().await.unwrap();
    is_up(&redis).await;
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn the_death_of_an_idle_server_is_noticed_and_its_return_too() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "k", "kept").await;
    server.kill();
    why_down(&redis).await;
    fails_at_once(&redis);
    why_down_as(&redis, "refused").await;

    server.restart().await.unwrap();
    is_up(&redis).await;
    assert_eq!(redis.get("k").await.unwrap().unwrap(), "kept");
}

#[tokio::test]
async fn a_call_under_way_ends_with_its_server() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    server.stop().unwrap();
    let (answer, ()) = tokio::join!(within(HURRY, redis.get("k")), async {
        // The call has been polled once by now. The kit's own kill would let the server go on
        // for a moment, in which it could answer.
        let pid = server.pid().unwrap().to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status();
        assert!(killed.unwrap().success());
    });
    assert_eq!(kind(answer), RemoteErrorKind::Disconnected);
    why_down(&redis).await;
}

#[tokio::test]
async fn a_server_that_stops_answering_loses_its_connection_and_gets_another_one() {
    let server = Redis::start().await.unwrap();
    let redis = start(hasty(&server.url()));
    is_up(&redis).await;
    set(&redis, "k", "kept").await;
    let before = clients(&server, "id").await;

    server.stop().unwrap();
    for _ in 0..3 {
        assert_eq!(*redis.state().borrow(), State::Up);
        let answer = within(HURRY, redis.get("k")).await;
        assert_eq!(kind(answer), RemoteErrorKind::Timeout);
    }
    let why = why_down(&redis).await;
    assert!(why.contains("no answer"), "{why}");
    fails_at_once(&redis);

    server.cont().unwrap();
    is_up(&redis).await;
    eventually(SOON, async || {
        redis.get("k").await.ok().flatten() == Some("kept".into())
    })
    .await
    .unwrap();
    eventually(SOON, async || {
        let now = clients(&server, "id").await;
        now.len() == 1 && now != before
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn writes_to_a_stopped_server_end_in_time_too() {
    let server = Redis::start().await.unwrap();
    let redis = start(hasty(&server.url()));
    is_up(&redis).await;
    server.stop().unwrap();
    let lease = Bytes::copy_from_slice(&lease(1));
    let (taken, set, hinted) = tokio::join!(
        within(HURRY, redis.acquire("k", None, lease.clone(), LONG)),
        within(HURRY, redis.set_many(vec![("k".to_owned(), lease, LONG)])),
        within(HURRY, redis.ping()),
    );
    assert_eq!(kind(taken), RemoteErrorKind::Timeout);
    assert_eq!(kind(set), RemoteErrorKind::Timeout);
    assert_eq!(kind(hinted), RemoteErrorKind::Timeout);
}

#[tokio::test]
async fn callers_who_leave_at_once_say_nothing_about_the_server() {
    let server = Redis::start().await.unwrap();
    let redis = start(hasty(&server.url()));
    is_up(&redis).await;
    server.stop().unwrap();
    for _ in 0..10 {
        assert!(redis.get("k").now_or_never().is_none());
    }
    assert_eq!(*redis.state().borrow(), State::Up);
}

#[tokio::test]
async fn callers_who_leave_after_waiting_long_do() {
    let server = Redis::start().await.unwrap();
    let mut config = hasty(&server.url());
    config.response_timeout = 4 * HURRY;
    let redis = start(config);
    is_up(&redis).await;
    server.stop().unwrap();
    for _ in 0..3 {
        let left = tokio::time::timeout(HURRY * 5 / 2, redis.get("k")).await;
        assert!(left.is_err(), "{left:?}");
    }
    why_down_as(&redis, "no answer").await;
}

#[tokio::test]
async fn a_closed_tier_has_no_connection_and_says_so() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    redis.close().await;
    assert_eq!(*redis.state().borrow(), State::Down("closed".to_owned()));
    fails_at_once(&redis);
    eventually(SOON, async || clients(&server, "id").await.is_empty())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dropped_tier_leaves_no_connection_behind() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    assert_eq!(clients(&server, "id").await.len(), 1);
    drop(redis);
    eventually(SOON, async || clients(&server, "id").await.is_empty())
        .await
        .unwrap();
}
