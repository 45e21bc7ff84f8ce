//! Nodes that share a server: what one has loaded the others read, and rubbish is nobody's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tingkat::breaker;
use tingkat::node::Builder;
use tingkat::ports::Loaded;
use tingkat::{Answer, Cache, Node, Options, Tier};
use tingkat_redis::Redis as Remote;
use tingkat_testkit::{Redis, eventually};
use tokio::sync::watch;

use crate::server::{bytes_of, calls_of, keys};
use crate::stage::{PREFIX, SOON, connected, patient, start};

/// A source of prices that counts how often it is asked, and can be made to wait.
pub(crate) struct Prices {
    asked: AtomicUsize,
    is_open: watch::Sender<bool>,
}

impl Prices {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: AtomicUsize::new(0),
            is_open: watch::channel(true).0,
        })
    }

    /// One whose answers wait for [`open`](Self::open).
    pub(crate) fn closed() -> Arc<Self> {
        let prices = Self::new();
        prices.is_open.send_replace(false);
        prices
    }

    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The cache of a node before this source.
    pub(crate) fn cache(self: &Arc<Self>, node: &Node) -> Cache<String, String> {
        self.cache_of_schema(node, 1)
    }

    fn cache_of_schema(self: &Arc<Self>, node: &Node, schema: u32) -> Cache<String, String> {
        let prices = Arc::clone(self);
        Cache::builder("price")
            .schema(schema)
            .node(node)
            .load(move |key: String| {
                prices.asked.fetch_add(1, Ordering::SeqCst);
                let mut is_open = prices.is_open.subscribe();
                async move {
                    let _ = is_open.wait_for(|is_open| *is_open).await;
                    Ok(Loaded::value(price_of(&key)))
                }
            })
            .build()
    }
}

fn price_of(key: &str) -> String {
    format!("the price of {key}")
}

/// A node that gives its tier the time a busy machine needs.
pub(crate) fn node(remote: Remote) -> Builder {
    let breaker = breaker::Config {
        slow: SOON,
        ..breaker::Config::default()
    };
    Node::builder()
        .prefix(PREFIX)
        .remote(Arc::new(remote))
        .remote_budget(SOON)
        .breaker(breaker)
}

/// A cache on a node of its own, and the source behind it.
pub(crate) async fn shop(server: &Redis) -> (Cache<String, String>, Arc<Prices>) {
    let prices = Prices::new();
    let node = node(connected(&server.url()).await).build();
    (prices.cache(&node), prices)
}

/// Looks a key up, whose value must be right wherever it comes from.
pub(crate) async fn answer(cache: &Cache<String, String>, key: &str) -> Answer<String> {
    let (name, options) = (key.to_owned(), Options::default());
    let looked_up = cache.look_up(&name, options);
    let answer = tokio::time::timeout(SOON, looked_up).await.unwrap();
    let answer = answer.unwrap();
    assert_eq!(answer.value(), Some(&price_of(key)));
    assert!(!answer.trail().stale);
    answer
}

/// Who answers for a key.
pub(crate) async fn tier(cache: &Cache<String, String>, key: &str) -> Tier {
    answer(cache, key).await.trail().tier
}

/// Waits until a cache has written this many entries.
pub(crate) async fn has_filled(cache: &Cache<String, String>, entries: u64) {
    eventually(SOON, async || cache.stats().fills.get() == entries)
        .await
        .unwrap();
}

/// The key under which the only entry is.
async fn only_key(server: &Redis) -> String {
    let mut keys = keys(server, "shop:c:*").await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

#[tokio::test]
async fn what_one_node_has_loaded_another_reads() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    assert_eq!(tier(&first, "mug").await, Tier::Source);
    has_filled(&first, 1).await;
    assert_eq!(tier(&first, "mug").await, Tier::Memory);

    let (second, prices) = shop(&server).await;
    assert_eq!(tier(&second, "mug").await, Tier::Remote);
    assert_eq!(tier(&second, "mug").await, Tier::Memory);
    assert_eq!(prices.asked(), 0);
}

#[tokio::test]
async fn many_values_are_read_in_one_round_trip() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    let (second, prices) = shop(&server).await;
    let keys = ["mug", "cup", "jug"].map(ToOwned::to_owned);
    let read = async |cache: &Cache<String, String>| {
        for (key, value) in keys.iter().zip(cache.get_many(&keys).await) {
            assert_eq!(*value.unwrap().unwrap(), price_of(key));
        }
    };
    read(&first).await;
    has_filled(&first, 3).await;
    let before = calls_of(&server, "mget").await;
    read(&second).await;
    assert_eq!(calls_of(&server, "mget").await, before + 1);
    assert_eq!((prices.asked(), second.stats().remote_hits.get()), (0, 3));
}

#[tokio::test]
async fn a_service_with_another_prefix_sees_nothing_of_it() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;

    let prices = Prices::new();
    let other = node(connected(&server.url()).await).prefix("other:");
    let other = prices.cache(&other.build());
    assert_eq!(tier(&other, "mug").await, Tier::Source);
    has_filled(&other, 1).await;
    assert_eq!(keys(&server, "other:*").await.len(), 1);
    assert_eq!(keys(&server, "shop:*").await.len(), 1);
}

#[tokio::test]
async fn a_release_with_another_schema_sees_nothing_of_it_and_leaves_it() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;

    let prices = Prices::new();
    let node = node(connected(&server.url()).await).build();
    let next = prices.cache_of_schema(&node, 2);
    assert_eq!(tier(&next, "mug").await, Tier::Source);
    has_filled(&next, 1).await;
    assert_eq!(keys(&server, "shop:c:*").await.len(), 2);
    let (third, _) = shop(&server).await;
    assert_eq!(tier(&third, "mug").await, Tier::Remote);
}

#[tokio::test]
async fn a_node_answers_before_its_server_is_there_and_uses_it_afterwards() {
    let server = Redis::start().await.unwrap();
    server.kill();
    let (prices, remote) = (Prices::new(), start(patient(&server.url())));
    let mut state = remote.state();
    let cache = prices.cache(&node(remote).build());
    assert_eq!(tier(&cache, "mug").await, Tier::Source);
    server.restart().await.unwrap();
    let up = state.wait_for(|state| *state == tingkat_redis::State::Up);
    tokio::time::timeout(SOON, up).await.unwrap().unwrap();
    answer(&cache, "cup").await;
    has_filled(&cache, 1).await;
}

#[tokio::test]
async fn an_emptied_server_is_filled_again() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;
    server.cmd(&["FLUSHALL"]).await.unwrap();
    assert_eq!(tier(&first, "mug").await, Tier::Memory);

    let (second, _) = shop(&server).await;
    assert_eq!(tier(&second, "mug").await, Tier::Source);
    has_filled(&second, 1).await;
    let (third, _) = shop(&server).await;
    assert_eq!(tier(&third, "mug").await, Tier::Remote);
}

#[tokio::test]
async fn rubbish_under_a_key_is_a_counted_miss_and_gives_way_to_the_next_entry() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;
    let key = only_key(&server).await;
    let entry = bytes_of(&server, &key).await.unwrap();
    let mut flipped = entry.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let rubbish = [
        b"?".to_vec(),
        b"\0\xff\r\n".to_vec(),
        b"V but not ours, though quite long".to_vec(),
        entry[..entry.len() - 1].to_vec(),
        entry[..17].to_vec(),
        [&entry[..], b"more"].concat(),
        flipped,
    ];
    for bytes in rubbish {
        server.cmd(&[b"SET", key.as_bytes(), &bytes]).await.unwrap();
        let (second, prices) = shop(&server).await;
        assert_eq!(tier(&second, "mug").await, Tier::Source, "{bytes:?}");
        assert_eq!(second.stats().undecodable.get(), 1, "{bytes:?}");
        has_filled(&second, 1).await;
        assert_eq!(prices.asked(), 1);
        let (third, prices) = shop(&server).await;
        assert_eq!(tier(&third, "mug").await, Tier::Remote, "{bytes:?}");
        assert_eq!((prices.asked(), third.stats().undecodable.get()), (0, 0));
    }
}

#[tokio::test]
async fn the_entry_of_one_key_is_rubbish_under_another() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;
    let key = only_key(&server).await;
    let other = key.replace("mug", "cup");
    server.cmd(&["COPY", &key, &other]).await.unwrap();
    let (second, _) = shop(&server).await;
    assert_eq!(tier(&second, "cup").await, Tier::Source);
    assert_eq!(second.stats().undecodable.get(), 1);
    has_filled(&second, 1).await;
}

#[tokio::test]
async fn a_hash_under_a_key_gives_way_to_the_next_entry() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;
    let key = only_key(&server).await;
    for many in [false, true] {
        server.cmd(&["DEL", &key]).await.unwrap();
        server.cmd(&["HSET", &key, "field", "1"]).await.unwrap();
        let (second, _) = shop(&server).await;
        if many {
            let found = second.get_many(&["mug".to_owned()]).await.remove(0);
            assert_eq!(*found.unwrap().unwrap(), price_of("mug"));
        } else {
            assert_eq!(tier(&second, "mug").await, Tier::Source);
            assert_eq!(second.stats().undecodable.get(), 1);
        }
        has_filled(&second, 1).await;
        let (third, _) = shop(&server).await;
        assert_eq!(tier(&third, "mug").await, Tier::Remote);
    }
}

#[tokio::test]
async fn an_entry_ends_with_the_lives_of_its_policy() {
    let server = Redis::start().await.unwrap();
    let (first, _) = shop(&server).await;
    answer(&first, "mug").await;
    has_filled(&first, 1).await;
    let life = crate::server::life_of(&server, &only_key(&server).await).await;
    // Fresh for an hour, less a tenth, and for a day more to stand in.
    let shortest = Duration::from_mins(24 * 60 + 53);
    let longest = Duration::from_hours(25);
    assert!(
        life.is_some_and(|life| life > shortest && life <= longest),
        "{life:?}"
    );
}
