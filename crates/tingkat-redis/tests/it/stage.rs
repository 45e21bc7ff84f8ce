//! A tier in front of a server, patient or in a hurry.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tingkat::clock::SystemClock;
use tingkat::envelope::Kind;
use tingkat::error::{RemoteError, RemoteErrorKind};
use tingkat::ports::{CellHead, Clock as _, Remote};
use tingkat_redis::{Config, Redis, State};

/// Only a hang takes this long, on a busy machine as well.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The life of cells that shall not end by themselves.
pub(crate) const LONG: Duration = Duration::from_mins(10);

/// What a tier in a hurry waits for an answer. A loopback answer takes a tenth of a millisecond.
pub(crate) const HURRY: Duration = Duration::from_millis(200);

/// What keys begin with.
pub(crate) const PREFIX: &str = "shop:";

/// A tier that waits long enough for a busy machine, so that no answer is late by chance.
pub(crate) fn patient(url: &str) -> Config {
    let mut config = Config::new(url.parse().unwrap(), PREFIX);
    config.connect_timeout = SOON;
    config.response_timeout = SOON;
    config
}

/// A tier that gives up soon.
pub(crate) fn hasty(url: &str) -> Config {
    let mut config = patient(url);
    config.connect_timeout = 3 * HURRY;
    config.response_timeout = HURRY;
    config
}

/// A tier that may not be connected yet.
pub(crate) fn start(config: Config) -> Redis {
    Redis::start(config, Arc::new(SystemClock))
}

/// A patient tier that is connected.
pub(crate) async fn connected(url: &str) -> Redis {
    let redis = start(patient(url));
    is_up(&redis).await;
    redis
}

/// Waits until it can be used.
pub(crate) async fn is_up(redis: &Redis) {
    let mut state = redis.state();
    let up = state.wait_for(State::is_usable);
    let up = tokio::time::timeout(SOON, up).await;
    assert!(up.is_ok(), "still {:?}", *redis.state().borrow());
}

/// Waits until there is none, and tells why.
pub(crate) async fn why_down(redis: &Redis) -> String {
    why_down_as(redis, "").await
}

/// Waits until there is none for a reason that has this text in it.
pub(crate) async fn why_down_as(redis: &Redis, text: &str) -> String {
    let mut state = redis.state();
    let is_down = |state: &State| matches!(state, State::Down(why) if why.contains(text));
    let down = tokio::time::timeout(SOON, state.wait_for(is_down)).await;
    match down.ok().and_then(Result::ok).as_deref() {
        Some(State::Down(why)) => why.clone(),
        Some(State::Connecting | State::Up | State::Limited(_)) | None => {
            panic!("not down with {text:?} but {:?}", *redis.state().borrow())
        }
    }
}

/// How a call ended that was given `deadline` for it, and half a second for a busy machine.
pub(crate) async fn within<T>(deadline: Duration, call: impl Future<Output = T>) -> T {
    let started = SystemClock.now();
    let answer = tokio::time::timeout(SOON, call)
        .await
        .expect("a call hangs");
    let took = SystemClock.now().since(started);
    let slack = Duration::from_millis(500);
    assert!(took < deadline + slack, "{took:?} of {deadline:?}");
    answer
}

/// The kind of error of a call that must fail.
pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, RemoteError>) -> RemoteErrorKind {
    answer.unwrap_err().kind()
}

/// The head of a lease.
pub(crate) fn lease(id: u8) -> CellHead {
    Kind::Lease.head([id; 16])
}

/// The head of a value.
pub(crate) fn value(id: u8) -> CellHead {
    Kind::Value.head([id; 16])
}

/// A cell that begins with this head.
pub(crate) fn cell(head: CellHead, rest: &[u8]) -> Bytes {
    Bytes::from([&head, rest].concat())
}

/// Writes cells that live long.
pub(crate) async fn set(redis: &Redis, key: &str, cell: impl Into<Bytes>) {
    let cells = vec![(key.to_owned(), cell.into(), LONG)];
    redis.set_many(cells).await.unwrap();
}
