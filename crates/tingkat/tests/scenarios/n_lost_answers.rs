//! N. Answers of the remote tier that get lost: what was asked may have been done.

use tingkat::{Policy, Tier};

use crate::stage::{Stage, cell, hop, ms, still};

/// Whoever can not tell whether it was given a lease acts as if it was: the load fills the cell, and
/// no other node waits for a lease that nobody knows of.
#[tokio::test(start_paused = true)]
async fn a_lease_whose_grant_got_lost_is_filled_all_the_same() {
    let stage = Stage::new();
    let (a, b) = (stage.node().await, stage.node().await);
    a.redis.lose_answers(1);
    assert_eq!(a.version().await, Some(1));
    hop(5).await;
    assert_eq!(a.redis.count("acquire"), 1);
    assert_eq!(stage.redis.cells()[&cell()][0], b'V');
    let began = stage.clock.elapsed();
    assert_eq!(b.look().await.trail().tier, Tier::Remote);
    assert!(stage.clock.elapsed() - began < ms(10));
    assert_eq!(stage.loads(), 1);
}

/// The same with the right to replace an entry: it is replaced, and the right is given back.
#[tokio::test(start_paused = true)]
async fn a_right_to_refresh_whose_grant_got_lost_is_used_all_the_same() {
    let stage = Stage::new();
    let policy = Policy {
        fresh_for: ms(1_000),
        ..still()
    };
    let (a, b) = (
        stage.node_with(policy.clone()).await,
        stage.node_with(policy).await,
    );
    a.version().await;
    hop(1_500).await;
    let old = stage.redis.cells()[&cell()].clone();
    b.redis.lose_answers(1);
    b.version().await;
    hop(5).await;
    assert_eq!(b.redis.count("set_if_absent"), 1);
    let cells = stage.redis.cells();
    assert_ne!(cells[&cell()], old, "it is refreshed");
    let locks = cells.values().filter(|cell| cell[0] == b'L').count();
    assert_eq!(locks, 0, "nobody is kept from refreshing it next");
    assert_eq!(stage.loads(), 2);
}

/// A server that says no has given nothing, and is not asked to take anything.
#[tokio::test(start_paused = true)]
async fn a_lease_that_was_refused_is_not_filled() {
    let stage = Stage::new();
    let shop = stage.node().await;
    shop.redis.refuse_writes(true);
    assert_eq!(shop.version().await, Some(1));
    hop(5).await;
    assert_eq!(shop.redis.count("acquire"), 1);
    assert_eq!(shop.redis.count("fill"), 0);
}
