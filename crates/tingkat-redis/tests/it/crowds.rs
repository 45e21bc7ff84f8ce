//! Reads at the same time: a crowd goes as one command, and each gets what he asked for.

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::join_all;
use tingkat::error::RemoteErrorKind;
use tingkat::ports::Remote;
use tingkat_faults::Proxy;
use tingkat_testkit::Redis;

use crate::server::calls_of;
use crate::stage::{HURRY, connected, hasty, is_up, kind, set, start, within};

/// One goes alone, and the others fill two commands and begin a third.
const CROWD: usize = 250;

fn names() -> Vec<String> {
    (0..CROWD).map(|number| format!("k{number}")).collect()
}

#[tokio::test]
async fn a_crowd_goes_in_few_commands_and_a_lone_caller_by_himself() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let names = names();
    // Every third is missing.
    let there = |number: usize| !number.is_multiple_of(3);
    for (number, name) in names
        .iter()
        .enumerate()
        .filter(|(number, _)| there(*number))
    {
        set(&redis, name, number.to_string()).await;
    }
    let (gets, many) = (
        calls_of(&server, "get").await,
        calls_of(&server, "mget").await,
    );
    let found = join_all(names.iter().map(|name| redis.get(name))).await;
    for (number, found) in found.into_iter().enumerate() {
        let expected = there(number).then(|| Bytes::from(number.to_string()));
        assert_eq!(found.unwrap(), expected, "{number}");
    }
    assert_eq!(calls_of(&server, "get").await, gets + 1);
    assert_eq!(calls_of(&server, "mget").await, many + 3);
    for name in &names[..5] {
        redis.get(name).await.unwrap();
    }
    assert_eq!(calls_of(&server, "get").await, gets + 6);
    assert_eq!(calls_of(&server, "mget").await, many + 3);
}

#[tokio::test]
async fn what_holds_no_string_is_a_miss_for_him_who_asked_and_for_nobody_else() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    server.cmd(&["HSET", "h", "field", "value"]).await.unwrap();
    set(&redis, "a", "one").await;
    let found = join_all(["a", "h", "a"].map(|name| redis.get(name))).await;
    let found: Vec<Option<Bytes>> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [Some("one".into()), None, Some("one".into())]);
}

/// Who was first in a crowd, or alone before it, may leave: the others do not depend on him.
#[tokio::test]
async fn whoever_leaves_a_crowd_takes_nobody_with_him() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "a", "one").await;
    let (mut alone, mut first) = (redis.get("a"), redis.get("a"));
    assert!((&mut alone).now_or_never().is_none());
    assert!((&mut first).now_or_never().is_none());
    let mut other = redis.get("a");
    assert!((&mut other).now_or_never().is_none());
    drop((alone, first));
    assert_eq!(other.await.unwrap().unwrap(), "one");
    // And none of them is taken for somebody who is still waiting.
    let gets = calls_of(&server, "get").await;
    assert_eq!(redis.get("a").await.unwrap().unwrap(), "one");
    assert_eq!(calls_of(&server, "get").await, gets + 1);
}

/// A caller who is not polled any more holds up nobody.
#[tokio::test]
async fn a_caller_who_stands_still_holds_up_nobody() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "a", "one").await;
    let (mut alone, mut first) = (redis.get("a"), redis.get("a"));
    assert!((&mut alone).now_or_never().is_none());
    assert!((&mut first).now_or_never().is_none());
    for _ in 0..3 {
        assert_eq!(redis.get("a").await.unwrap().unwrap(), "one");
    }
    assert_eq!(first.await.unwrap().unwrap(), "one");
    assert_eq!(alone.await.unwrap().unwrap(), "one");
}

#[tokio::test]
async fn a_silent_server_costs_a_crowd_no_more_than_one_answer_may_take() {
    let server = Redis::start().await.unwrap();
    let redis = start(hasty(&server.url()));
    is_up(&redis).await;
    server.stop().unwrap();
    let names = names();
    let asked = join_all(names.iter().map(|name| redis.get(name)));
    for answer in within(HURRY, asked).await {
        assert_eq!(kind(answer), RemoteErrorKind::Timeout);
    }
    server.cont().unwrap();
}

#[tokio::test]
async fn a_connection_that_is_cut_is_told_to_everybody() {
    let server = Redis::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let redis = connected(&server.url_at(proxy.addr().port())).await;
    server.stop().unwrap();
    let names = names();
    let asked = join_all(names.iter().map(|name| redis.get(name)));
    let cut = async {
        tokio::task::yield_now().await;
        proxy.down().await.unwrap();
    };
    let (answers, ()) = tokio::join!(asked, cut);
    for answer in answers {
        assert_eq!(kind(answer), RemoteErrorKind::Disconnected);
    }
    server.cont().unwrap();
}
