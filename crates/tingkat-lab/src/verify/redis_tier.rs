//! Redis as the nodes use it, and as it is when it is asked past them.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::check::Found;
use super::each::on_every_node;
use super::end::{End, failed, moot, must, skipped};
use super::node::{Node, eventually};
use super::ports::{RedisProbe, StoredProduct};
use super::products::agrees;
use super::scene::{Scene, text};

/// Scratch keys go by themselves after this long, should nobody remove them.
const LIFE: Duration = Duration::from_mins(10);

/// A fill reaches Redis within this, or never.
const FILLED: Duration = Duration::from_secs(2);

/// A fill that takes longer than `redis.budget`, as on a machine that is busy, is given up and not made up
/// for; so many of them in a row are not lost by that.
const FILLS: usize = 3;

/// Entries of other releases may lie beside ours; more than so many are none.
const STEMS: usize = 64;

/// Releases that are asked for: older ones lack commands.
const OLDEST: (u32, u32) = (6, 2);

/// Every node has Redis, whole.
pub(super) async fn connected(scene: &Scene) -> Found {
    let (mut off, mut nodes) = (Vec::new(), 0);
    for node in scene.everywhere() {
        nodes += 1;
        let body = node.get("/readyz").await?.json().unwrap_or_default();
        match text(&body, "/redis") {
            "up" => {}
            "off" => off.push(node.name()),
            state => {
                let reasons = body.get("reasons").map(Value::to_string);
                let reasons = reasons.unwrap_or_default();
                return failed(format!("{}: redis is {state:?}: {reasons}", node.name()));
            }
        }
    }
    if !off.is_empty() {
        let is_everywhere = off.len() == nodes;
        let off = off.join(", ");
        if !is_everywhere {
            return failed(format!("redis.url is off on {off}, and not on the others"));
        }
        return without_redis(scene, &off);
    }
    Ok("every node is connected".to_owned())
}

/// What is written can be read, and is gone when it is removed.
pub(super) async fn round_trip(scene: &Scene) -> Found {
    has_redis(scene, scene.first()?).await?;
    scene.may_write()?;
    let redis = scene.redis()?;
    let key = scene.scratch_key("round-trip");
    let written = Bytes::from(format!("{} of run {}", key, scene.run));
    redis.put(&key, written.clone(), LIFE).await?;
    let read = redis.get(&key).await?;
    must(read.as_ref() == Some(&written), || {
        let read = read.as_ref().map_or(0, Bytes::len);
        let written = written.len();
        format!("{written} bytes were written, and {read} others were read")
    })?;
    redis.remove(std::slice::from_ref(&key)).await?;
    let left = redis.get(&key).await?;
    must(left.is_none(), || "a removed key is still there".to_owned())?;
    Ok(format!("{} bytes there and back", written.len()))
}

/// A lease is held by one.
pub(super) async fn scripts(scene: &Scene) -> Found {
    has_redis(scene, scene.first()?).await?;
    scene.may_write()?;
    let key = scene.scratch_key("lease");
    match scene.redis()?.lease(&key).await? {
        None => Ok("a lease was taken, refused to another, and filled".to_owned()),
        Some(why) => failed(why),
    }
}

/// What a node has loaded lies in Redis, for the other nodes.
pub(super) async fn used(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        has_redis(scene, node).await?;
        let mut last = String::new();
        for _ in 0..FILLS {
            let id = somebody(scene).await?;
            node.json(&format!("/v1/products/{id}")).await?;
            let path = format!("/v1/caches/product/keys/{id}");
            let seen = eventually(FILLED, async || {
                let entry = node.operators(&path).await?;
                let state = text(&entry, "/redis/state").to_owned();
                Ok(if state == "entry" {
                    Ok(())
                } else {
                    Err(format!("redis has {state:?} under the product {id}"))
                })
            });
            if let Err(why) = seen.await? {
                last = why;
                continue;
            }
            if lies_in_redis(scene, &id).await? {
                return Ok("the node and the other path find the entry".to_owned());
            }
            scene.redis()?;
            return skipped("the node finds what it wrote, and no other path is there");
        }
        failed(last)
    })
    .await
}

/// A product that this node alone has loaded, or one that may have been loaded by others where nothing
/// may be written.
async fn somebody(scene: &Scene) -> Result<String, End> {
    if scene.may_write().is_ok() && scene.store.is_ok() {
        return Ok(scene.scratch_product().await?.id);
    }
    match scene.some_products().await?.first() {
        Some(id) => Ok(id.clone()),
        None => skipped("the store has no product on sale"),
    }
}

/// Sees to it by the other path that the entry of a product lies where the nodes share it: the node may be
/// wrong about it, or look at another Redis. False where there is no other path.
pub(super) async fn lies_in_redis(scene: &Scene, id: &str) -> Result<bool, End> {
    let (Ok(redis), Ok(prefix)) = (&scene.redis, &scene.prefix) else {
        return Ok(false);
    };
    let begin = format!("{prefix}c:product.");
    let seen = eventually(FILLED, async || {
        // Which release of the entries it is, any key tells.
        let keys = redis.keys(&begin, STEMS).await?;
        for key in &keys {
            let rest = key.strip_prefix(&begin).unwrap_or_default();
            let schema = rest.split(':').next().unwrap_or_default();
            let cell = redis.get(&format!("{begin}{schema}:{id}")).await?;
            if cell.is_some_and(|cell| cell.first() == Some(&b'V')) {
                return Ok(Ok(()));
            }
        }
        Ok(Err(format!(
            "the node says that the product {id} lies in redis, and no key {begin}*:{id} is there"
        )))
    });
    let Err(why) = seen.await? else {
        return Ok(true);
    };
    // More keys of other releases may lie there than were looked at.
    for key in redis.keys_between(&begin, &format!(":{id}"), STEMS).await? {
        let cell = redis.get(&key).await?;
        if cell.is_some_and(|cell| cell.first() == Some(&b'V')) {
            return Ok(true);
        }
    }
    failed(why)
}

/// Bytes that are no entry are a miss, whatever they are.
pub(super) async fn foreign_bytes(scene: &Scene) -> Found {
    has_redis(scene, scene.first()?).await?;
    scene.may_write()?;
    let redis = scene.redis()?;
    let (writer, reader) = scene.pair()?;
    let (product, key) = filled(scene, writer, redis).await?;
    let path = format!("/v1/products/{}", product.id);
    // As long as an entry, and it begins like one.
    let spoilt = Bytes::from(format!("V{}", "tingkat-verify ".repeat(40)));
    redis.set(&key, spoilt).await?;
    let answer = reader.json(&path).await?;
    if let Some(why) = agrees(&answer, &product) {
        return failed(format!("after bytes that are no entry: {why}"));
    }
    Ok("they were passed over, and the answer was right".to_owned())
}

/// A product that a node of this run has loaded, and the key that it wrote for the others.
async fn filled(
    scene: &Scene,
    writer: &Node,
    redis: &dyn RedisProbe,
) -> Result<(StoredProduct, String), End> {
    let begin = format!("{}c:product.", scene.scratch_prefix);
    let mut last = String::new();
    for _ in 0..FILLS {
        let product = scene.scratch_product().await?;
        writer.json(&format!("/v1/products/{}", product.id)).await?;
        let end = format!(":{}", product.id);
        let seen = eventually(FILLED, async || {
            let keys = redis.keys_with(&begin, &product.id, STEMS).await?;
            let key = keys.into_iter().find(|key| key.ends_with(&end));
            Ok(key.ok_or_else(|| format!("no key {begin}*{end} is there")))
        });
        match seen.await? {
            Ok(key) => return Ok((product, key)),
            Err(why) => last = why,
        }
    }
    failed(last)
}

/// A full Redis evicts, and takes what is new.
pub(super) async fn policy(scene: &Scene) -> Found {
    let servers = past(scene).await?.servers().await?;
    must(!servers.is_empty(), || {
        "no server tells about itself".to_owned()
    })?;
    for server in &servers {
        let (place, policy) = (&server.place, server.maxmemory_policy.as_str());
        if policy.is_empty() {
            return skipped(format!("{place} does not tell what it evicts"));
        }
        let evicts = policy.starts_with("allkeys-") || policy.starts_with("volatile-");
        must(evicts, || {
            format!("{place}: maxmemory-policy is {policy}: when it is full it refuses writes")
        })?;
        let Some(bytes) = server.maxmemory else {
            return skipped(format!("{place} does not tell when it is full (maxmemory)"));
        };
        must(bytes > 0, || {
            format!(
                "{place}: maxmemory is 0: it is never full and evicts nothing, until the system ends it"
            )
        })?;
    }
    let policies: Vec<&str> = servers.iter().map(|it| &*it.maxmemory_policy).collect();
    Ok(policies.join(", "))
}

/// Redis has all that the tier uses.
pub(super) async fn version(scene: &Scene) -> Found {
    let servers = past(scene).await?.servers().await?;
    must(!servers.is_empty(), || {
        "no server tells about itself".to_owned()
    })?;
    for server in &servers {
        let mut parts = server.version.split('.').map_while(|it| it.parse().ok());
        let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
            return skipped(format!("{} does not tell its release", server.place));
        };
        must((major, minor) >= OLDEST, || {
            let (place, version) = (&server.place, &server.version);
            format!("{place} is {version}; {}.{} is needed", OLDEST.0, OLDEST.1)
        })?;
    }
    let of = |is_valkey| if is_valkey { "Valkey" } else { "Redis" };
    let told = servers
        .iter()
        .map(|it| format!("{} {}", of(it.is_valkey), it.version));
    Ok(told.collect::<Vec<_>>().join(", "))
}

/// A login that is configured is asked for.
pub(super) async fn login(scene: &Scene) -> Found {
    match past(scene).await?.serves_strangers().await? {
        None => moot("redis.url has no login"),
        Some(true) => failed("redis serves whoever comes, and asks for no login"),
        Some(false) => Ok("who does not log in gets nothing".to_owned()),
    }
}

/// TLS that is configured is insisted on.
pub(super) async fn tls(scene: &Scene) -> Found {
    match past(scene).await?.serves_plain().await? {
        None => moot("redis.url is not rediss://"),
        Some(true) => failed("the same port serves who speaks without TLS"),
        Some(false) => Ok("who speaks without TLS gets nothing".to_owned()),
    }
}

/// The way past the nodes, where they have a Redis or this run has one.
async fn past(scene: &Scene) -> Result<&dyn RedisProbe, End> {
    if scene.redis.is_err() {
        has_redis(scene, scene.first()?).await?;
    }
    scene.redis()
}

/// Where there is no Redis, nothing of it can be seen.
pub(super) async fn has_redis(scene: &Scene, node: &Node) -> Result<(), End> {
    let body = node.get("/readyz").await?.json().unwrap_or_default();
    if text(&body, "/redis") == "off" {
        return without_redis(scene, node.name());
    }
    Ok(())
}

/// A node without Redis is no fault where nobody configured one.
fn without_redis<T>(scene: &Scene, nodes: &str) -> Result<T, End> {
    is_not_left_out(scene)?;
    if scene.redis.is_ok() {
        let why = "while the configuration here has a Redis";
        return failed(format!("redis.url is off on {nodes}, {why}"));
    }
    moot(format!("redis.url is off on {nodes}"))
}

/// The nodes of a run that writes nothing go without the Redis that is configured, and tell nothing of it.
pub(super) fn is_not_left_out(scene: &Scene) -> Result<(), End> {
    if scene.are_ours && scene.is_read_only && scene.redis.is_ok() {
        return skipped("nodes that are started have no Redis, as --read-only was asked for");
    }
    Ok(())
}
