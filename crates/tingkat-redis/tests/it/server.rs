//! What the server itself says about its keys and clients, whatever the tier believes.

use std::time::Duration;

use bytes::Bytes;
use tingkat_testkit::Redis;
use tingkat_testkit::redis::Reply;

/// The bytes under a key; nothing when there are none.
pub(crate) async fn bytes_of(server: &Redis, key: &str) -> Option<Bytes> {
    let reply = server.cmd(&["GET", key]).await.unwrap();
    if let Reply::Bulk(bytes) = reply {
        Some(bytes)
    } else {
        None
    }
}

/// For how long a key still lives; nothing when it lives for ever or is absent.
pub(crate) async fn life_of(server: &Redis, key: &str) -> Option<Duration> {
    let left = server.cmd(&["PTTL", key]).await.unwrap().int()?;
    u64::try_from(left).ok().map(Duration::from_millis)
}

/// The keys that match a pattern.
pub(crate) async fn keys(server: &Redis, pattern: &str) -> Vec<String> {
    let keys = server.cmd(&["KEYS", pattern]).await.unwrap();
    keys.items().iter().filter_map(Reply::text).collect()
}

/// How often a command has run since the server started, inside scripts as well.
pub(crate) async fn calls_of(server: &Redis, command: &str) -> u64 {
    let Ok(stats) = server.info(&format!("cmdstat_{command}")).await else {
        return 0;
    };
    let calls = stats
        .split(',')
        .find_map(|part| part.strip_prefix("calls="));
    calls.unwrap().parse().unwrap()
}

/// A field of the connections other than the one that asks.
pub(crate) async fn clients(server: &Redis, field: &str) -> Vec<String> {
    let list = server.cmd(&["CLIENT", "LIST"]).await.unwrap().to_string();
    // Redis 6.2 leaves the second word out.
    let others = list
        .lines()
        .filter(|line| !line.contains("cmd=client|list") && !line.contains("cmd=client "));
    let start = format!("{field}=");
    others
        .filter_map(|line| line.split(' ').find_map(|part| part.strip_prefix(&start)))
        .map(str::to_owned)
        .collect()
}
