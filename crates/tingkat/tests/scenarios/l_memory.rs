//! L. The memory tier, what is stored, and how it is read back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tingkat::certificate::{Certificate, Position};
use tingkat::codec::{Codec, CodecError};
use tingkat::envelope::{Envelope, MOST_XIP};
use tingkat::error::SourceError;
use tingkat::key::KeySpace;
use tingkat::ports::{Batch, Loaded, Source, Wanted};
use tingkat::{Cache, Node, Policy, Tier};

use tingkat_testkit::fakes::Versioned;

use crate::stage::{Stage, cell, hop, key, product, still};

/// Scenario 139.
#[tokio::test(start_paused = true)]
async fn memory_stays_within_its_bytes_under_an_endless_stream_of_keys() {
    let stage = Stage::new();
    let policy = Policy {
        memory_bytes: 100_000,
        ..still()
    };
    let shop = stage.plan().without_redis().policy(policy).open().await;
    let registry = shop.node.registry().find("product").unwrap();
    let mut most = 0;
    for n in 0..5_000 {
        shop.version_of(&n.to_string()).await;
        most = most.max(registry.bytes());
    }
    assert!(most <= 100_000, "{most}");
    assert!(registry.entries() > 100);
    assert!(shop.cache.stats().evictions.get() > 4_000);
}

/// Scenario 87. What is known to be wanted most outlives a stream of keys that come once, and takes
/// half of the memory at most.
#[tokio::test(start_paused = true)]
async fn favourites_are_evicted_last() {
    let stage = Stage::new();
    let policy = Policy {
        memory_bytes: 100_000,
        ..still()
    };
    let shop = stage.plan().without_redis().policy(policy).open().await;
    let names = |prefix: &str| -> Vec<String> { (0..40).map(|n| format!("{prefix}{n}")).collect() };
    let (favoured, others) = (names("f"), names("o"));
    let registry = shop.node.registry().find("product").unwrap();
    // To look is no use, which would keep it by itself.
    let kept = |names: &[String]| {
        let is_there = |key: &&String| registry.inspect(key).unwrap().is_some();
        names.iter().filter(is_there).count()
    };
    let load = async |keys: &[String]| {
        for key in keys {
            shop.version_of(key).await;
        }
    };
    let stream = async |from: u32| {
        for n in from..from + 2_000 {
            shop.version_of(&n.to_string()).await;
        }
    };
    // What comes while there is room stays, whoever it is.
    stream(30_000).await;
    shop.cache.favour(favoured.clone());
    load(&favoured).await;
    load(&others).await;
    stream(0).await;
    assert_eq!(kept(&favoured), 40);
    assert!(kept(&others) < 20, "a few find room that was left");

    // Others are named: those before are evicted like any other.
    shop.cache.favour(others.clone());
    load(&others).await;
    stream(10_000).await;
    assert_eq!(kept(&others), 40);
    assert!(kept(&favoured) < 20);

    // More favourites than fit into their half are no reason to keep nothing else, or too much.
    let many: Vec<String> = (0..1_000).map(|n| format!("m{n}")).collect();
    assert_eq!(registry.favour(&many), 1_000);
    for key in &many {
        load(std::slice::from_ref(key)).await;
        assert!(registry.bytes() <= 100_000);
    }
    stream(20_000).await;
    assert!(registry.bytes() <= 100_000);
    let kept = kept(&many);
    assert!(kept < 20, "{kept}");
}

/// Scenario 139. A value that is larger than the whole tier does not empty it.
#[tokio::test(start_paused = true)]
async fn a_value_larger_than_the_tier_pushes_nothing_out() {
    let cache: Cache<u64, Vec<u8>> = Cache::builder("blob")
        .policy(Policy {
            memory_bytes: 50_000,
            ..still()
        })
        .load(|key| async move { Ok(Loaded::value(vec![0; if key == 0 { 90_000 } else { 10 }])) })
        .build();
    for key in 1..20 {
        cache.get(&key).await.unwrap();
    }
    assert_eq!(cache.get(&0).await.unwrap().unwrap().len(), 90_000);
    let kept = (1..20).filter(|key| cache.peek(key).is_some()).count();
    assert!(kept >= 18, "{kept}");
}

/// Scenario 140.
#[tokio::test(start_paused = true)]
async fn expiring_leaves_the_entry_in_memory_for_as_long_as_it_could_stand_in() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.version().await;
    let registry = shop.node.registry().find("product").unwrap();
    let before = registry.inspect("7").unwrap().unwrap();
    shop.cache.expire(&key()).await.unwrap();
    let after = registry.inspect("7").unwrap().unwrap();
    assert_eq!(after.stale_for, before.stale_for);
    assert!(after.refused.is_some());
    shop.cache.sweep();
    assert_eq!(registry.entries(), 1);
}

/// Scenario 141. There is no tier of files or tables; the memory tier is swept on demand, and what
/// is corrupt in Redis is a miss that the next fill replaces.
#[tokio::test(start_paused = true)]
async fn what_has_ended_its_life_is_swept_and_what_is_corrupt_is_replaced() {
    let stage = Stage::new();
    let policy = Policy {
        stale_for: std::time::Duration::from_mins(1),
        ..still()
    };
    let shop = stage.plan().without_log().policy(policy).open().await;
    shop.version().await;
    shop.version_of("none").await;
    let registry = shop.node.registry().find("product").unwrap();
    hop(121_001).await;
    shop.cache.sweep();
    assert_eq!(registry.keys(10), ["7"]);
    hop(3_540_001).await;
    shop.cache.sweep();
    assert_eq!(registry.entries(), 0);
    stage.redis.put(cell(), "corrupt");
    assert_eq!(shop.version().await, Some(1));
    hop(5).await;
    assert!(Envelope::decode(&stage.redis.cells()[&cell()], "7").is_ok());
}

/// Nobody asks for it any more, and nobody sweeps by hand.
#[tokio::test(start_paused = true)]
async fn what_has_ended_its_life_does_not_stay_in_memory() {
    let stage = Stage::new();
    let minute = std::time::Duration::from_mins(1);
    let policy = Policy {
        fresh_for: minute,
        stale_for: minute,
        ..still()
    };
    for has_log in [true, false] {
        let plan = stage.plan().policy(policy.clone());
        let plan = if has_log { plan } else { plan.without_log() };
        let shop = plan.open().await;
        shop.version().await;
        let registry = shop.node.registry().find("product").unwrap();
        hop(90_000).await;
        shop.version_of("8").await;
        assert!(registry.keys(10).contains(&"7".to_owned()));
        hop(120_000).await;
        // Without a log only loads tell that time passes.
        shop.version_of("9").await;
        hop(1).await;
        assert!(!registry.keys(10).contains(&"7".to_owned()), "{has_log}");
    }
}

/// Scenario 142. Real Redis and its Cluster are tingkat-redis's; here: whose keys are touched.
#[tokio::test(start_paused = true)]
async fn clearing_touches_no_key_of_anybody_else() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.redis.put("session:1", "somebody's");
    stage.redis.put("tingkat", "somebody's");
    shop.version().await;
    hop(5).await;
    shop.cache.clear().await.unwrap();
    shop.node.forget_everything().await.unwrap();
    hop(150).await;
    shop.version().await;
    let cells = stage.redis.cells();
    assert_eq!(cells["session:1"], "somebody's");
    assert_eq!(cells["tingkat"], "somebody's");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    list: Vec<Option<i64>>,
    map: BTreeMap<String, f64>,
    bytes: Vec<u8>,
    nothing: (),
    choice: Choice,
    nested: Option<Box<Everything>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    Tuple(u8, char),
    Named { money: u128 },
}

fn everything() -> Everything {
    let leaf = Everything {
        text: "pisang goreng \u{1F34C}\0".to_owned(),
        list: vec![Some(i64::MIN), None, Some(i64::MAX)],
        map: BTreeMap::from([("half".to_owned(), 0.5)]),
        bytes: (0..=255).collect(),
        nothing: (),
        choice: Choice::Tuple(9, '\u{FFFD}'),
        nested: None,
    };
    Everything {
        choice: Choice::Named { money: u128::MAX },
        nested: Some(Box::new(leaf.clone())),
        ..leaf
    }
}

/// Scenario 143.
#[tokio::test(start_paused = true)]
async fn values_of_any_shape_come_back_from_redis_as_they_were() {
    let stage = Stage::new();
    let load = |key: String| async move {
        Ok(match key.as_str() {
            "empty" => Loaded::value(Everything {
                text: String::new(),
                list: Vec::new(),
                map: BTreeMap::new(),
                bytes: Vec::new(),
                nothing: (),
                choice: Choice::Unit,
                nested: None,
            }),
            "none" => Loaded::absent(),
            // Enough to be compressed.
            "long" => Loaded::value(Everything {
                bytes: vec![7; 100_000],
                ..everything()
            }),
            _ => Loaded::value(everything()),
        })
    };
    let open = || {
        let node = tingkat::Node::builder()
            .clock(std::sync::Arc::new(stage.clock))
            .remote(std::sync::Arc::new(stage.redis.handle()))
            .build();
        Cache::<String, Everything>::builder("all")
            .node(&node)
            .load(load)
            .build()
    };
    let (a, b) = (open(), open());
    for name in ["empty", "none", "long", "full"] {
        let name = name.to_owned();
        let first = a.get(&name).await.unwrap();
        hop(5).await;
        let second = b.look_up(&name, tingkat::Options::default()).await.unwrap();
        assert_eq!(second.trail().tier, Tier::Remote);
        assert_eq!(first, second.into_shared(), "{name}");
    }
    let size: usize = stage.redis.cells().values().map(bytes::Bytes::len).sum();
    assert!(size < 10_000, "compressed: {size}");
}

/// Reads and writes plain text.
struct Text;

impl Codec<String> for Text {
    fn encode(&self, value: &String) -> Result<Vec<u8>, CodecError> {
        Ok(value.clone().into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, CodecError> {
        String::from_utf8(bytes.to_vec()).map_err(CodecError::new)
    }
}

/// A golden cell: hex digits, with comments behind `#`.
fn golden(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(str::bytes)
        .filter(u8::is_ascii_hexdigit)
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Scenario 144. Field by field the golden cells are read in the test `envelope`; this is what a
/// newer release does with them end to end.
#[tokio::test(start_paused = true)]
async fn an_entry_written_by_an_earlier_release_is_served_and_its_marks_are_heeded() {
    let stage = Stage::new();
    let value = golden(include_str!("../fixtures/envelope/v1/without_log.hex"));
    let certified = golden(include_str!("../fixtures/envelope/v1/compressed.hex"));
    let error = golden(include_str!("../fixtures/envelope/v1/error.hex"));
    let name = KeySpace::new("tingkat:", "text", 1).cell(&"MUG-7".to_owned());
    let open = |has_log: bool| {
        let mut node = Node::builder()
            .clock(Arc::new(stage.clock))
            .remote(Arc::new(stage.redis.handle()));
        if has_log {
            node = node.change_log(Arc::new(stage.database.log()));
        }
        Cache::<String, String>::builder("text")
            .node(&node.build())
            .codec(Arc::new(Text))
            .load(|_| async { Ok(Loaded::value("loaded".to_owned())) })
            .build()
    };
    let mug = "MUG-7".to_owned();
    for (has_log, cell, expected) in [
        (false, &value, "a mug"),
        (true, &value, "loaded"),
        (false, &certified, "loaded"),
        (true, &certified, "loaded"),
    ] {
        stage.redis.put(&name, cell.clone());
        let cache = open(has_log);
        hop(1).await;
        let got = cache.get(&mug).await.unwrap();
        assert_eq!(got.as_deref().map(String::as_str), Some(expected));
    }
    stage
        .redis
        .put_for(&name, error, Duration::from_millis(300));
    assert!(
        open(true).get(&mug).await.is_err(),
        "another node has just failed"
    );
}

/// Loads beside so many transactions.
struct Beside(usize, Certificate);

impl Source<String, Versioned> for Beside {
    fn certifies(&self) -> bool {
        true
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<String, Versioned>],
    ) -> BoxFuture<'a, Result<Batch<Versioned>, SourceError>> {
        let under_way = (1_000..).take(self.0).collect();
        let position = Position::snapshot(1_000, 10_000, under_way).unwrap();
        let loaded = wanted.iter().map(|it| Loaded::value(product(&it.key, 1)));
        let batch = Batch {
            certificate: Some(Certificate {
                position,
                ..self.1.clone()
            }),
            loaded: loaded.collect(),
        };
        Box::pin(async move { Ok(batch) })
    }
}

/// A load that saw too many transactions under way is answered with, kept nowhere and counted; one
/// that saw as many as may be stored is kept.
#[tokio::test(start_paused = true)]
async fn a_load_beside_too_many_transactions_is_not_kept() {
    for (under_way, is_kept) in [(MOST_XIP, true), (MOST_XIP + 1, false)] {
        let stage = Stage::new();
        let source = Beside(under_way, stage.database.certificate());
        let shop = stage.plan().source(Arc::new(source)).open().await;
        let answer = shop.look().await;
        assert_eq!(answer.value(), Some(&product("7", 1)));
        assert_eq!(answer.trail().stored, is_kept, "{under_way}");
        hop(5).await;
        assert_eq!(shop.in_memory().is_some(), is_kept);
        let is_value = |cell: &bytes::Bytes| cell.first() == Some(&b'V');
        assert_eq!(
            stage.redis.cells().get(&cell()).is_some_and(is_value),
            is_kept
        );
        assert_eq!(shop.cache.stats().crowded.get(), u64::from(!is_kept));
    }
}
