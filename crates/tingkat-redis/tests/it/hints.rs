//! Hints, as a subscriber hears them and as another node does.

use futures::StreamExt as _;
use tingkat::certificate::Incarnation;
use tingkat::error::RemoteErrorKind;
use tingkat::ports::{Hint, Remote};
use tingkat_faults::{Direction, Proxy};
use tingkat_redis::{HintCounts, Redis as Tier, State};
use tingkat_testkit::{Redis, eventually};
use tokio::sync::{mpsc, watch};

use crate::stage::{SOON, connected, hasty, kind, start};

/// A tier that listens, and what it hears.
struct Listener {
    redis: Tier,
    state: watch::Receiver<State>,
    heard: mpsc::UnboundedReceiver<Hint>,
}

impl Listener {
    async fn start(redis: Tier) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let state = redis.listen(move |hint| {
            let _ = tell.send(hint);
        });
        let mut listener = Self {
            redis,
            state,
            heard,
        };
        listener.is_subscribed().await;
        listener
    }

    async fn is_subscribed(&mut self) {
        let up = self.state.wait_for(|state| *state == State::Up);
        assert!(tokio::time::timeout(SOON, up).await.is_ok());
    }

    async fn is_deaf(&mut self) -> String {
        let down = self.state.wait_for(|state| matches!(state, State::Down(_)));
        let down = tokio::time::timeout(SOON, down).await.unwrap().unwrap();
        let State::Down(why) = &*down else {
            panic!("{down:?}")
        };
        why.clone()
    }

    async fn next(&mut self) -> Hint {
        tokio::time::timeout(SOON, self.heard.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

fn hint(n: u64) -> Hint {
    let incarnation = Incarnation::from_bytes([7; 16]);
    Hint { incarnation, n }
}

#[tokio::test]
async fn another_node_hears_a_hint_and_its_own_it_does_not() {
    let server = Redis::start().await.unwrap();
    let mut first = Listener::start(connected(&server.url()).await).await;
    let mut second = Listener::start(connected(&server.url()).await).await;
    first.redis.hint(hint(1)).await.unwrap();
    second.redis.hint(hint(2)).await.unwrap();
    assert_eq!(second.next().await, hint(1));
    assert_eq!(first.next().await, hint(2));
    let counts = HintCounts {
        heard: 1,
        own: 1,
        rubbish: 0,
    };
    for node in [&first.redis, &second.redis] {
        eventually(SOON, async || node.hint_counts() == counts)
            .await
            .unwrap();
    }
    assert!(first.heard.is_empty() && second.heard.is_empty());
}

#[tokio::test]
async fn rubbish_on_the_channel_is_counted_and_wakes_nobody() {
    let server = Redis::start().await.unwrap();
    let mut listener = Listener::start(connected(&server.url()).await).await;
    let large = "x".repeat(1 << 20);
    for message in ["", "hello", "0 0", large.as_str()] {
        let command = ["PUBLISH", "shop:hint", message];
        server.cmd(&command).await.unwrap();
    }
    let other_channel = ["PUBLISH", "shop:hints", "hello"];
    server.cmd(&other_channel).await.unwrap();
    let other = connected(&server.url()).await;
    other.hint(hint(9)).await.unwrap();
    assert_eq!(listener.next().await, hint(9));
    let counts = HintCounts {
        heard: 1,
        own: 0,
        rubbish: 3,
    };
    assert_eq!(listener.redis.hint_counts(), counts);
}

#[tokio::test]
async fn hints_are_heard_again_after_a_restart() {
    let server = Redis::start().await.unwrap();
    let mut listener = Listener::start(connected(&server.url()).await).await;
    server.kill();
    listener.is_deaf().await;
    server.restart().await.unwrap();
    listener.is_subscribed().await;
    let other = connected(&server.url()).await;
    other.hint(hint(3)).await.unwrap();
    assert_eq!(listener.next().await, hint(3));
}

#[tokio::test]
async fn a_channel_that_went_silent_is_asked_and_given_up() {
    let server = Redis::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let url = server.url_at(proxy.addr().port());
    let mut listener = Listener::start(start(hasty(&url))).await;
    proxy.pause(Direction::Both);
    listener.is_deaf().await;
    proxy.heal().await.unwrap();
    listener.is_subscribed().await;
    let other = connected(&server.url()).await;
    other.hint(hint(4)).await.unwrap();
    assert_eq!(listener.next().await, hint(4));
}

#[tokio::test]
async fn a_user_who_may_not_listen_is_told_and_all_else_goes_on() {
    let config = Redis::config().user("shop", "on >pass ~* resetchannels +@all");
    let server = config.start().await.unwrap();
    let redis = connected(&format!("redis://shop:pass@{}/", server.addr())).await;
    let mut state = redis.listen(|_| ());
    let grant = "ACL SETUSER shop +subscribe &shop:hint";
    let refused = state.wait_for(|state| matches!(state, State::Down(why) if why.contains(grant)));
    tokio::time::timeout(SOON, refused).await.unwrap().unwrap();
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn a_closed_tier_listens_no_more_and_lets_its_listener_go() {
    let server = Redis::start().await.unwrap();
    let mut listener = Listener::start(connected(&server.url()).await).await;
    listener.redis.close().await;
    assert_eq!(*listener.state.borrow(), State::Down("closed".to_owned()));
    assert_eq!(listener.heard.recv().await, None);
}

#[tokio::test]
async fn a_hint_is_heard_on_the_channel_of_the_prefix() {
    let server = Redis::start().await.unwrap();
    // A tier that connects tries whether it may tell hints, with an empty message.
    let redis = connected(&server.url()).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut subscriber = client.get_async_pubsub().await.unwrap();
    subscriber.subscribe("shop:hint").await.unwrap();

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
