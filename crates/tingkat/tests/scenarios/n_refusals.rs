//! The table of `PROTOCOL` §6: what is done with the entry that was read, line by line.

use tingkat::envelope::{Envelope, Kind};
use tingkat::{Policy, Tier};
use tingkat_testkit::fakes::Mood;

use crate::stage::{Stage, cell, hop, key, ms, product, still, version};

/// Line 1: absent → a lease, then the value.
#[tokio::test(start_paused = true)]
async fn where_nothing_is_a_lease_is_taken_and_then_filled() {
    let stage = Stage::new();
    let shop = stage.node().await;
    stage.source.switch.slow(ms(50));
    let caller = shop.caller();
    hop(20).await;
    assert_eq!(stage.redis.cells()[&cell()][0], b'L');
    caller.await.unwrap().unwrap();
    hop(5).await;
    let cells = stage.redis.cells();
    assert_eq!(cells[&cell()][0], b'V');
    assert_eq!(shop.redis.commands(), ["get", "acquire", "fill"]);
    let envelope = Envelope::decode(&cells[&cell()], "7").unwrap();
    assert!(envelope.certificate.is_some());
}

/// Line 2: refused by a known change → a lease in its place, by its id.
#[tokio::test(start_paused = true)]
async fn an_entry_refused_by_a_change_is_replaced() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    stage.write(2);
    hop(101).await;
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(2), Tier::Source)
    );
    hop(5).await;
    // The hint is for the change, which no node had announced.
    let commands = b.redis.commands();
    let cells: Vec<_> = commands.iter().filter(|it| **it != "hint").collect();
    assert_eq!(cells, ["get", "acquire", "fill"].iter().collect::<Vec<_>>());
    assert_eq!(b.cache.stats().refused_changed.get(), 1);
    assert_eq!(version(&a.look().await), Some(2));
    assert_eq!(stage.loads(), 2);
}

/// A database that was restored with its incarnation hands the same transactions out again. Nobody
/// was there to see it go back; an entry that has seen more than the next poll gives it away.
#[tokio::test(start_paused = true)]
async fn an_entry_from_a_later_life_of_a_restored_database_gives_it_away() {
    let stage = Stage::new();
    let a = stage.node().await;
    let backup = stage.database.backup();
    for n in 2..10 {
        stage.write(n);
    }
    hop(101).await;
    assert_eq!(a.version().await, Some(9));
    hop(5).await;
    a.node.shut_down(ms(10)).await;
    let before = stage.database.certificate().incarnation;
    stage.database.restore(&backup);
    assert_eq!(stage.database.certificate().incarnation, before);

    let b = stage.node().await;
    b.version().await;
    hop(101).await;
    let answer = b.look().await;
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(1), Tier::Source)
    );
    assert_ne!(stage.database.certificate().incarnation, before);
    assert_eq!(b.events.count("ColdReset"), 1);
}

/// Line 2: by an incarnation, and by a floor.
#[tokio::test(start_paused = true)]
async fn an_entry_of_another_life_or_below_the_floor_is_replaced() {
    let stage = Stage::new();
    let a = stage.node().await;
    a.version().await;
    hop(5).await;
    stage.database.crash();
    let b = stage.node().await;
    assert_eq!(b.look().await.trail().tier, Tier::Source);
    assert_eq!(b.cache.stats().refused_incarnation.get(), 1);
    hop(150).await;
    assert_eq!(version(&a.look().await), Some(1));
    assert_eq!(stage.loads(), 2, "a finds what b filled");
}

/// Line 2: who comes too late with a refusal finds what took the entry's place.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_comes_too_late_replaces_nothing() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(5).await;
    stage.write(2);
    hop(101).await;
    b.redis.writes.slow(ms(20));
    let late = b.caller();
    hop(5).await;
    assert_eq!(a.version().await, Some(2));
    let answer = late.await.unwrap().unwrap();
    assert_eq!(
        (version(&answer), answer.trail().tier),
        (Some(2), Tier::Remote)
    );
    assert_eq!(stage.loads(), 2);
}

/// Line 3: accepted and past `fresh_for` → the value stays, one node refreshes it.
#[tokio::test(start_paused = true)]
async fn an_entry_past_fresh_for_stays_while_one_node_refreshes_it() {
    let stage = Stage::new();
    let a = stage.node().await;
    a.version().await;
    hop(3_600_001).await;
    let (b, c) = (stage.node().await, stage.node().await);
    stage.source.switch.slow(ms(100));
    for shop in [&b, &c] {
        let began = stage.clock.elapsed();
        let answer = shop.look().await;
        assert_eq!(
            (answer.trail().tier, answer.trail().stale),
            (Tier::Remote, false)
        );
        assert_eq!(stage.clock.elapsed(), began);
    }
    hop(50).await;
    let cells = stage.redis.cells();
    assert_eq!(cells[&cell()][0], b'V');
    assert_eq!(
        cells.len(),
        2,
        "and the lease of the refresh: {:?}",
        cells.keys()
    );
    let before = cells[&cell()].clone();
    hop(100).await;
    assert_eq!(stage.loads(), 2);
    let cells = stage.redis.cells();
    assert_ne!(cells[&cell()], before);
    assert_eq!(cells.len(), 1, "the lease is given back");
}

/// Line 3: a refresh that fails leaves a marker beside the value.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_value_and_a_marker_beside_it() {
    let stage = Stage::new();
    let a = stage.node().await;
    a.version().await;
    hop(3_600_001).await;
    let (b, c) = (stage.node().await, stage.node().await);
    stage.source.switch.set(Mood::Failing);
    for shop in [&b, &c] {
        assert!(!shop.look().await.trail().stale);
        hop(5).await;
    }
    assert_eq!(stage.loads(), 2, "one attempt for both");
    let cells = stage.redis.cells();
    assert_eq!(cells[&cell()][0], b'V');
    assert!(cells.values().any(|cell| cell[0] == b'E'));
    hop(600).await;
    assert_eq!(stage.redis.cells().len(), 1);
}

/// Line 3: a refresh overtaken by an insert does not undo it.
#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_replace_what_took_the_entrys_place() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.version().await;
    hop(3_600_001).await;
    stage.source.delay_after_read(ms(200));
    a.version().await;
    hop(50).await;
    b.cache.insert(&key(), product("7", 9)).await.unwrap();
    hop(400).await;
    assert_eq!(b.version().await, Some(9));
    assert_eq!(version(&a.look().await), Some(9));
    assert_eq!(stage.loads(), 2);
}

/// Line 4 is in `n_away`. Line 5: undecodable → a miss, counted, replaced by its bytes.
#[tokio::test(start_paused = true)]
async fn bytes_that_can_not_be_decoded_are_replaced_and_counted() {
    for bytes in [
        &b"short"[..],
        &[0xff; 200][..],
        &b""[..],
        &b"Vlooks like a value, and is none"[..],
    ] {
        let stage = Stage::new();
        let shop = stage.node().await;
        stage.redis.put(cell(), bytes.to_vec());
        assert_eq!(shop.version().await, Some(1));
        hop(5).await;
        assert!(
            Envelope::decode(&stage.redis.cells()[&cell()], "7").is_ok(),
            "{bytes:?}"
        );
        let counted = u64::from(!bytes.is_empty());
        assert_eq!(shop.cache.stats().undecodable.get(), counted, "{bytes:?}");
    }
}

/// What another program wrote may look like a lease or a marker, and have no end.
#[tokio::test(start_paused = true)]
async fn a_lease_or_a_marker_without_an_end_holds_nobody_for_ever() {
    for (kind, patience) in [(Kind::Lease, 2_600), (Kind::Error, 10)] {
        let stage = Stage::new();
        let shop = stage.node().await;
        stage.redis.put(cell(), kind.head([1; 16]).to_vec());
        let began = stage.clock.elapsed();
        assert_eq!(shop.version().await, Some(1), "{kind:?}");
        let took = stage.clock.elapsed() - began;
        assert!(took <= ms(patience), "{kind:?}: {took:?}");
        hop(5).await;
        assert!(Envelope::decode(&stage.redis.cells()[&cell()], "7").is_ok());
    }
}

/// A text that begins as a lease or a marker does is neither.
#[tokio::test(start_paused = true)]
async fn a_text_that_begins_like_a_marker_is_replaced() {
    for text in [
        "Large is beautiful, and so is this",
        "Error: no such product",
    ] {
        let stage = Stage::new();
        let shop = stage.node().await;
        stage.redis.put(cell(), text.as_bytes().to_vec());
        let began = stage.clock.elapsed();
        assert_eq!(shop.version().await, Some(1), "{text}");
        assert!(stage.clock.elapsed() - began <= ms(10), "{text}");
        assert_eq!(shop.cache.stats().undecodable.get(), 1, "{text}");
    }
}

/// A lease of somebody who keeps it alive holds nobody beyond the deadline.
#[tokio::test(start_paused = true)]
async fn a_foreign_lease_is_waited_for_within_the_deadline() {
    let stage = Stage::new();
    let shop = stage.node().await;
    let lease = Kind::Lease.head([1; 16]).to_vec();
    stage.redis.put_for(cell(), lease, ms(8_000));
    let began = stage.clock.elapsed();
    let error = shop.try_look().await.unwrap_err();
    assert_eq!(error.kind(), tingkat::GetErrorKind::Deadline);
    assert_eq!(stage.clock.elapsed() - began, ms(5_000));
    assert_eq!(stage.loads(), 0, "never beside a live lease");
    hop(4_000).await;
    assert_eq!(shop.cache.stats().loads_queued.get(), 0);
}

/// While a lease lives, round trips are few: the budget counts them, waiting is free.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_lease_costs_few_round_trips() {
    let stage = Stage::new();
    let policy = Policy {
        hard_deadline: ms(30_000),
        ..still()
    };
    let (a, b) = (
        stage.node_with(policy.clone()).await,
        stage.node_with(policy).await,
    );
    b.redis.reads.slow(ms(3));
    stage.source.switch.slow(ms(20_000));
    let (one, two) = tokio::join!(a.caller(), b.caller());
    assert_eq!(version(&one.unwrap().unwrap()), Some(1));
    assert_eq!(version(&two.unwrap().unwrap()), Some(1));
    assert_eq!(stage.loads(), 1);
    assert!(b.redis.count("get") < 300, "{}", b.redis.count("get"));
    assert_eq!(b.cache.stats().remote_failures.get(), 0);
}

/// Where a load leads to no fill, waiting nodes are told at once and without a failure.
#[tokio::test(start_paused = true)]
async fn a_load_that_is_not_cached_gives_its_lease_back() {
    let stage = Stage::new();
    let load = |key: String, call: u64| async move {
        tokio::time::sleep(ms(50)).await;
        let value = Some(product(&key, call));
        Ok(tingkat::ports::Loaded::new(
            tingkat::ports::Found::Uncached(value),
        ))
    };
    let mut shops = Vec::new();
    for _ in 0..3 {
        shops.push(stage.plan().load(load).open().await);
    }
    let began = stage.clock.elapsed();
    let looks = shops.iter().map(super::stage::Shop::try_look);
    for answer in futures::future::join_all(looks).await {
        assert!(answer.unwrap().value().is_some());
    }
    assert!(stage.clock.elapsed() - began < ms(600));
    for shop in &shops {
        assert!(
            shop.try_look().await.is_ok(),
            "nor does the next caller meet a failure"
        );
        assert_eq!(shop.events.count("LoadFailed"), 0);
    }
}

/// A slow holder whose lease was voided by an insert fills nothing.
#[tokio::test(start_paused = true)]
async fn an_insert_voids_a_lease_under_way() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    stage.source.delay_after_read(ms(300));
    let slow = a.caller();
    hop(50).await;
    b.cache.insert(&key(), product("7", 9)).await.unwrap();
    slow.await.unwrap().unwrap();
    hop(150).await;
    let late = stage.node().await;
    assert_eq!(version(&late.look().await), Some(9));
    assert_eq!(version(&a.look().await), Some(9));
}
