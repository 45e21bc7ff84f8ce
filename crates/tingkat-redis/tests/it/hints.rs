//! Hints, as a subscriber hears them.

use futures::StreamExt as _;
use tingkat::certificate::Incarnation;
use tingkat::error::RemoteErrorKind;
use tingkat::ports::{Hint, Remote};
use tingkat_testkit::Redis;

use crate::stage::{SOON, connected, kind};

#[tokio::test]
async fn a_hint_is_heard_on_the_channel_of_the_prefix() {
    let server = Redis::start().await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut subscriber = client.get_async_pubsub().await.unwrap();
    subscriber.subscribe("shop:hint").await.unwrap();
    let redis = connected(&server.url()).await;

    let incarnation = Incarnation::from_bytes(*b"\x01\x02\x03\x04\x05\x06\x07\x08 tingkat");
    let hint = Hint { incarnation, n: 42 };
    redis.hint(hint).await.unwrap();
    let mut heard = subscriber.on_message();
    let heard = tokio::time::timeout(SOON, heard.next()).await.unwrap();
    let text: String = heard.unwrap().get_payload().unwrap();
    assert_eq!(text, "01020304050607082074696e676b6174 000000000000002a");
}

#[tokio::test]
async fn a_hint_that_nobody_hears_is_no_error() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let incarnation = Incarnation::from_bytes([7; 16]);
    redis.hint(Hint { incarnation, n: 1 }).await.unwrap();
}

#[tokio::test]
async fn a_hint_that_a_user_may_not_give_is_refused_and_all_else_goes_on() {
    let config = Redis::config().user("shop", "on >pass ~* resetchannels +@all");
    let server = config.start().await.unwrap();
    let redis = connected(&format!("redis://shop:pass@{}/", server.addr())).await;
    let incarnation = Incarnation::from_bytes([7; 16]);
    let hinted = redis.hint(Hint { incarnation, n: 1 }).await;
    assert_eq!(kind(hinted), RemoteErrorKind::Refused);
    redis.ping().await.unwrap();
}
