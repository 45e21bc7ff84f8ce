//! K. What an operator sees and does by texts, with the types erased.

use tingkat::certificate::Refusal;
use tingkat::registry::{InRemote, Inspected};
use tingkat::warm::{Cause, Warmed, Way};
use tingkat::{Cache, Placement, Policy};

use crate::stage::{Shop, Stage, cell, hop, key, ms, still};

async fn in_redis(shop: &Shop) -> InRemote {
    let cache = shop.node.registry().find("product").unwrap();
    cache.inspect_remote("7").await.unwrap()
}

/// The entry, and how many bytes it takes in Redis.
async fn entry(shop: &Shop) -> (Inspected, usize) {
    let found = in_redis(shop).await;
    let InRemote::Entry { entry, bytes } = found else {
        panic!("{found:?}")
    };
    (entry, bytes)
}

/// Every kind of thing that may be in Redis is told apart.
#[tokio::test(start_paused = true)]
async fn what_redis_has_is_told_as_it_is() {
    let stage = Stage::new();
    let shop = stage.node().await;
    assert_eq!(in_redis(&shop).await, InRemote::Nothing);
    for (bytes, told) in [
        (vec![b'L'; 17], InRemote::Lease),
        (vec![b'E'; 17], InRemote::Failure),
        (b"corrupt".to_vec(), InRemote::Foreign { bytes: 7 }),
        (vec![b'V'; 40], InRemote::Foreign { bytes: 40 }),
    ] {
        stage.redis.put(cell(), bytes);
        assert_eq!(in_redis(&shop).await, told);
    }
    stage.redis.flush();
    shop.version().await;
    hop(5).await;
    let (fresh, bytes) = entry(&shop).await;
    assert_eq!(bytes, stage.redis.cells()[&cell()].len());
    assert!(fresh.has_value && fresh.refused.is_none());
    assert!(fresh.fresh_for > ms(3_599_000) && fresh.age < ms(1_000));
    shop.redis.cut();
    assert_eq!(in_redis(&shop).await, InRemote::Unknown);
    let policy = Policy {
        placement: Placement::Memory,
        ..still()
    };
    let in_memory = stage.node_with(policy).await;
    assert_eq!(in_redis(&in_memory).await, InRemote::Unused);
}

/// Looking is no look-up: nothing is loaded, kept, counted or told, also where what is there would
/// be refused.
#[tokio::test(start_paused = true)]
async fn inspecting_redis_changes_and_counts_nothing() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    for (write, refused) in [(None, None), (Some(2), Some(Refusal::Forgotten))] {
        if let Some(version) = write {
            stage.write(version);
            hop(150).await;
        }
        assert_eq!(entry(&b).await.0.refused, refused);
    }
    stage.redis.put(cell(), "corrupt");
    assert_eq!(in_redis(&b).await, InRemote::Foreign { bytes: 7 });
    let stats = b.cache.stats();
    let counted = [
        &stats.remote_hits,
        &stats.remote_misses,
        &stats.refused_changed,
        &stats.undecodable,
        &stats.memory_misses,
        &stats.loaded_keys,
    ];
    assert_eq!(counted.map(tingkat::stats::Counter::get), [0; 6]);
    assert_eq!(b.events.count("Refused"), 0, "{:?}", b.events.all());
    assert_eq!(b.in_memory(), None);
    assert_eq!(stage.redis.cells()[&cell()], "corrupt");
    assert_eq!(stage.loads(), 1);
}

/// A text that is no key of the entity is refused, and nothing is done then.
#[tokio::test(start_paused = true)]
async fn a_text_that_is_no_key_is_refused_by_whatever_takes_one() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let squares = Cache::<u64, u64>::builder("square")
        .node(&shop.node)
        .build();
    squares.insert(&7, 49).await.unwrap();
    let cache = shop.node.registry().find("square").unwrap();
    assert!(cache.inspect("seven").is_err());
    assert!(cache.inspect_remote("seven").await.is_err());
    let keys = || ["7", "seven"].map(str::to_owned).to_vec();
    let way = Way {
        into_memory: true,
        only_looks: false,
    };
    let warmed = cache.warm(keys(), way).await;
    assert_eq!(warmed[1], Warmed::Failed(Cause::Malformed));
    assert!(cache.canonical("seven").is_err());
    assert!(cache.forget(keys()).await.is_err());
    assert_eq!(squares.peek(&7).as_deref(), Some(&49));
    assert!(shop.node.registry().find(&key()).is_none());
}
