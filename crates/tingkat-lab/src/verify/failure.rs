//! What a node does while Redis is refused, reset, silent, slow or cut: it answers, rightly and in time.
//! It is a node of this run, and what happens to its Redis happens in a proxy.

use std::time::Duration;

use hyper::StatusCode;
use tingkat_faults::{Control, Direction};

use super::check::Found;
use super::end::{End, failed, must, skipped};
use super::node::{Node, eventually};
use super::products::is_true;
use super::redis_tier::has_redis;
use super::scene::{Failing, Scene, text};

/// Redis is used again within this.
const AGAIN: Duration = Duration::from_secs(8);

/// A request may take so much longer than the budget: the database, and a machine that is busy.
const BESIDES: Duration = Duration::from_millis(1_500);

/// Longer than any budget.
const SLOW: Duration = Duration::from_secs(2);

/// Bytes after which each answer of Redis breaks off.
const CUT_AFTER: u64 = 7;

/// Requests during a fault.
const REQUESTS: usize = 12;

/// Nobody listens at the address of Redis any more.
pub(super) async fn refused(scene: &Scene) -> Found {
    during(scene, 0, async |proxy| Ok(proxy.down().await?)).await
}

/// Whoever connects to Redis is thrown out.
pub(super) async fn reset(scene: &Scene) -> Found {
    during(scene, 1, async |proxy| Ok(proxy.reset().await?)).await
}

/// Redis takes everything and says nothing.
pub(super) async fn black_hole(scene: &Scene) -> Found {
    during(scene, 2, async |proxy| {
        proxy.pause(Direction::Both);
        Ok(())
    })
    .await
}

/// Redis answers too late.
pub(super) async fn slow(scene: &Scene) -> Found {
    during(scene, 3, async |proxy| {
        proxy.delay(Direction::Down, SLOW, Duration::ZERO);
        Ok(())
    })
    .await
}

/// The answers of Redis break off.
pub(super) async fn cut(scene: &Scene) -> Found {
    during(scene, 4, async |proxy| {
        proxy.cut_after(Direction::Down, CUT_AFTER);
        Ok(())
    })
    .await
}

async fn during(
    scene: &Scene,
    turn: usize,
    begin: impl AsyncFnOnce(&Control) -> Result<(), End>,
) -> Found {
    has_redis(scene, scene.first()?).await?;
    scene.may_write()?;
    let failing = scene.failing()?;
    scene.store()?;
    let mut ids = scene.some_products().await?;
    // Each fault begins with some that the node has not in memory yet.
    let begin_at = (turn * REQUESTS / 2) % ids.len().max(1);
    ids.rotate_left(begin_at);
    // A check that took too long left its fault as it was.
    failing.proxy.heal().await?;
    comes_back(&failing.node).await?;
    begin(&failing.proxy).await?;
    let seen = answers(scene, failing, turn, &ids).await;
    failing.proxy.heal().await?;
    let longest = seen?;
    comes_back(&failing.node).await?;
    Ok(format!(
        "{REQUESTS} answers were right, the slowest after {} ms; then Redis was used again",
        longest.as_millis()
    ))
}

/// Asks while the fault lasts; how long the slowest answer took.
async fn answers(
    scene: &Scene,
    failing: &Failing,
    turn: usize,
    ids: &[String],
) -> Result<Duration, End> {
    let node = &failing.node;
    let marked = node.marked().len();
    let most = scene.budget + BESIDES;
    let mut longest = Duration::ZERO;
    for index in 0..REQUESTS {
        let Some(id) = ids.get(index % ids.len().max(1)) else {
            return skipped("the store has no product on sale");
        };
        let path = format!("/v1/products/{id}");
        let product = format!("{path}{}", if index % 2 == 0 { "" } else { "?tier=member" });
        let answer = node.get(&product).await?;
        node.read(&product, &answer, StatusCode::OK)?;
        longest = longest.max(answer.took);
        must(answer.took <= most, || {
            let (took, most) = (answer.took.as_millis(), most.as_millis());
            format!("{path} took {took} ms, and may take {most} ms")
        })?;
        is_true(scene, node, id).await?;
        // One that no tier has.
        let absent = format!("/v1/products/{}absent-{turn}-{index}", scene.scratch_ids());
        let answer = node.get(&absent).await?;
        node.read(&absent, &answer, StatusCode::NOT_FOUND)?;
        longest = longest.max(answer.took);
        must(answer.took <= most, || {
            let (took, most) = (answer.took.as_millis(), most.as_millis());
            format!("a product that there is not took {took} ms, and may take {most} ms")
        })?;
    }
    let readiness = node.get("/readyz").await?;
    must(readiness.status == StatusCode::OK, || {
        format!(
            "/readyz answers {}: no request would be sent",
            readiness.status
        )
    })?;
    let marked: Vec<String> = node.marked().into_iter().skip(marked).collect();
    must(marked.is_empty(), || {
        format!(
            "marked as stale, though the database is there: {}",
            marked.join("; ")
        )
    })?;
    Ok(longest)
}

/// Waits until the node uses Redis.
async fn comes_back(node: &Node) -> Result<(), End> {
    let seen = eventually(AGAIN, async || {
        let body = node.get("/readyz").await?.json().unwrap_or_default();
        Ok(match text(&body, "/redis") {
            "up" | "limited" => Ok(()),
            state => Err(state.to_owned()),
        })
    });
    match seen.await? {
        Ok(()) => Ok(()),
        Err(state) => failed(format!(
            "redis is {state:?} {AGAIN:?} after the end of the fault"
        )),
    }
}
