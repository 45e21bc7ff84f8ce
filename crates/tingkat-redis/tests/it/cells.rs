//! Reading and writing cells as they are.

use std::time::Duration;

use bytes::Bytes;
use tingkat::ports::Remote;
use tingkat_testkit::Redis;

use crate::server::{bytes_of, clients, life_of};
use crate::stage::{LONG, connected, lease, set};

/// Each value that a byte can have, and line ends as the protocol has them.
fn all_bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend_from_slice(b"\r\n$-1\r\n*3\r\n\0");
    bytes
}

#[tokio::test]
async fn a_cell_is_read_as_it_was_written_and_an_absent_one_is_nothing() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "a", "one").await;
    assert_eq!(redis.get("a").await.unwrap(), Some(Bytes::from("one")));
    assert_eq!(redis.get("b").await.unwrap(), None);
}

#[tokio::test]
async fn many_cells_come_in_the_order_of_their_keys_with_gaps_where_nothing_is() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    for key in ["a", "c", "d"] {
        set(&redis, key, key).await;
    }
    let keys = ["d", "b", "a", "d", "c"].map(ToOwned::to_owned);
    let expected = [Some("d"), None, Some("a"), Some("d"), Some("c")];
    let expected = expected.map(|cell| cell.map(Bytes::from));
    assert_eq!(redis.get_many(&keys).await.unwrap(), expected);
    let one = redis.get_many(&keys[..1]).await.unwrap();
    assert_eq!(one, [Some(Bytes::from("d"))]);
}

#[tokio::test]
async fn no_keys_are_no_question() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    assert_eq!(redis.get_many(&[]).await.unwrap(), []);
    redis.set_many(Vec::new()).await.unwrap();
    redis.remove(&[]).await.unwrap();
}

#[tokio::test]
async fn a_cell_and_its_key_may_hold_any_byte() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let key = "käse\r\n\0{tag} %7B".to_owned();
    set(&redis, &key, all_bytes()).await;
    assert_eq!(redis.get(&key).await.unwrap().unwrap(), all_bytes());
    assert_eq!(bytes_of(&server, &key).await.unwrap(), all_bytes());
    set(&redis, "empty", Bytes::new()).await;
    let keys = [key, "empty".to_owned()];
    let both = redis.get_many(&keys).await.unwrap();
    assert_eq!(both, [Some(all_bytes().into()), Some(Bytes::new())]);
}

#[tokio::test]
async fn cells_of_a_mebibyte_go_through_every_way_there_is() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let large: Bytes = all_bytes().into_iter().cycle().take(1 << 20).collect();
    let head = large.first_chunk().unwrap();
    set(&redis, "a", large.clone()).await;
    let filled = redis.fill("a", head, large.clone(), LONG).await;
    assert!(filled.unwrap());
    let set = redis.set_if_absent("b", large.clone(), LONG).await;
    assert!(set.unwrap());
    assert_eq!(redis.get("a").await.unwrap().unwrap(), large);
    let keys = ["a".to_owned(), "b".to_owned()];
    let both = redis.get_many(&keys).await.unwrap();
    assert_eq!(both, [Some(large.clone()), Some(large.clone())]);
    assert_eq!(bytes_of(&server, "b").await.unwrap(), large);
}

#[tokio::test]
async fn many_cells_are_written_in_one_go_each_with_its_own_life() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    set(&redis, "a", "old").await;
    let cell = |key: &str, life| (key.to_owned(), Bytes::from(key.to_owned()), life);
    let day = Duration::from_hours(24);
    let cells = vec![cell("a", day), cell("b", 2 * day), cell("c", 3 * day)];
    redis.set_many(cells).await.unwrap();
    for (key, days) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(bytes_of(&server, key).await.unwrap(), key);
        let life = life_of(&server, key).await.unwrap();
        assert!(life <= days * day && life + LONG > days * day, "{life:?}");
    }
}

#[tokio::test]
async fn a_thousand_cells_are_written_and_read_in_one_go() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let keys: Vec<String> = (0..1_000).map(|n| format!("key {n}")).collect();
    let cells = keys
        .iter()
        .map(|key| (key.clone(), Bytes::from(key.clone()), LONG));
    redis.set_many(cells.collect()).await.unwrap();
    let found = redis.get_many(&keys).await.unwrap();
    let found: Vec<Bytes> = found.into_iter().flatten().collect();
    assert_eq!(found, keys);
}

#[tokio::test]
async fn removed_cells_are_gone_and_absent_ones_do_not_mind() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    for key in ["a", "b", "c"] {
        set(&redis, key, key).await;
    }
    let keys = ["a", "never", "c"].map(ToOwned::to_owned);
    redis.remove(&keys).await.unwrap();
    assert_eq!(crate::server::keys(&server, "*").await, ["b"]);
}

#[tokio::test]
async fn a_life_of_nothing_or_of_ages_is_no_error() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    let ten_years = Duration::from_hours(24 * 3_652);
    for life in [
        Duration::ZERO,
        Duration::from_nanos(1),
        ten_years,
        Duration::MAX,
    ] {
        let head = lease(1);
        let cell = Bytes::copy_from_slice(&head);
        let key = format!("{life:?}");
        let cells = vec![(key.clone(), cell.clone(), life)];
        redis.set_many(cells).await.unwrap();
        redis.set_if_absent(&key, cell.clone(), life).await.unwrap();
        redis.acquire(&key, None, cell.clone(), life).await.unwrap();
        // The shortest of them is over by now, or is not: both are right.
        redis.renew(&key, &head, life).await.unwrap();
        redis.fill(&key, &head, cell.clone(), life).await.unwrap();
        let left = life_of(&server, &key).await;
        if life >= ten_years {
            assert!(left.unwrap() + LONG > ten_years, "{left:?} of {life:?}");
        } else {
            assert!(left.is_none_or(|left| left.as_millis() <= 1), "{left:?}");
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn one_connection_speaks_resp3() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    redis.ping().await.unwrap();
    assert_eq!(clients(&server, "resp").await, ["3"]);
}

#[tokio::test]
async fn the_database_of_the_url_is_used() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&format!("{}3", server.url())).await;
    set(&redis, "a", "one").await;
    assert_eq!(bytes_of(&server, "a").await, None);
    let keyspace = server.info("db3").await.unwrap();
    assert!(keyspace.starts_with("keys=1,"), "{keyspace}");
}

#[tokio::test]
async fn a_key_that_holds_no_string_reads_as_bytes_that_are_no_cell() {
    let server = Redis::start().await.unwrap();
    let redis = connected(&server.url()).await;
    server.cmd(&["HSET", "h", "field", "value"]).await.unwrap();
    let found = redis.get("h").await.unwrap().unwrap();
    tingkat::envelope::head(&found).unwrap_err();
    // Of many keys those are nothing, which is a miss just as well.
    assert_eq!(redis.get_many(&["h".to_owned()]).await.unwrap(), [None]);
}
