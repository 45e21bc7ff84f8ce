//! What a node does while Redis is refused, reset, silent, slow or cut: it answers, rightly and in time.
//! It is a node of this run, and what happens to its Redis happens in a proxy.

use std::time::Duration;

use hyper::StatusCode;
use tingkat_faults::{Control, Counters, Direction};

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

/// Bytes of answers that may have been under way when a fault began.
const ON_THE_WAY: u64 = 512;

/// Requests during a fault.
const REQUESTS: usize = 12;

/// What a node that has lost Redis does about it, such as connecting again, it does within this.
const NOTICED: Duration = Duration::from_secs(6);

/// Nobody listens at the address of Redis any more.
pub(super) async fn refused(scene: &Scene) -> Found {
    during(scene, Fault::Refused).await
}

/// Whoever connects to Redis is thrown out.
pub(super) async fn reset(scene: &Scene) -> Found {
    during(scene, Fault::Reset).await
}

/// Redis takes everything and says nothing.
pub(super) async fn black_hole(scene: &Scene) -> Found {
    during(scene, Fault::BlackHole).await
}

/// Redis answers too late.
pub(super) async fn slow(scene: &Scene) -> Found {
    during(scene, Fault::Slow).await
}

/// The answers of Redis break off.
pub(super) async fn cut(scene: &Scene) -> Found {
    during(scene, Fault::Cut).await
}

/// What the proxy does to the Redis of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Refused,
    Reset,
    BlackHole,
    Slow,
    Cut,
}

impl Fault {
    /// Its number among the faults.
    const fn turn(self) -> usize {
        self as usize
    }

    async fn begin(self, proxy: &Control) -> Result<(), End> {
        match self {
            Self::Refused => proxy.down().await?,
            Self::Reset => proxy.reset().await?,
            Self::BlackHole => proxy.pause(Direction::Both),
            Self::Slow => proxy.delay(Direction::Down, SLOW, Duration::ZERO),
            Self::Cut => proxy.cut_after(Direction::Down, CUT_AFTER),
        }
        Ok(())
    }

    /// Whether it has met the node: what the proxy counted when it began, and then. A promise that is
    /// kept while nothing is wrong says nothing.
    fn has_met(self, before: &Counters, now: &Counters) -> Result<(), String> {
        let bytes = now.bytes_down - before.bytes_down;
        let accepted = now.accepted - before.accepted;
        let is_met = match self {
            Self::Refused => now.open == 0 && accepted == 0,
            Self::Reset => now.open == 0 && accepted == 0 && now.turned_away > before.turned_away,
            Self::BlackHole | Self::Slow => now.held > before.held,
            // Each connection has its allowance, those that were there as well.
            Self::Cut => {
                let most = CUT_AFTER * (accepted + before.open) + ON_THE_WAY;
                now.cut > before.cut && bytes <= most
            }
        };
        if is_met {
            return Ok(());
        }
        Err(format!(
            "the fault did not meet the node: since it began the proxy has accepted {accepted} \
             connections and turned {} away, {} are open, {} bytes came through, {} chunks were held and \
             {} connections cut",
            now.turned_away - before.turned_away,
            now.open,
            bytes,
            now.held - before.held,
            now.cut - before.cut,
        ))
    }
}

async fn during(scene: &Scene, fault: Fault) -> Found {
    has_redis(scene, scene.first()?).await?;
    scene.may_write()?;
    let failing = scene.failing()?;
    scene.store()?;
    let mut ids = scene.some_products().await?;
    // Each fault begins with some that the node has not in memory yet.
    let begin_at = (fault.turn() * REQUESTS / 2) % ids.len().max(1);
    ids.rotate_left(begin_at);
    let proxy = &failing.proxy;
    // A check that took too long left its fault as it was.
    proxy.heal().await?;
    comes_back(&failing.node).await?;
    goes_through(scene, failing, fault).await?;
    let before = proxy.counters();
    fault.begin(proxy).await?;
    let seen = answers(scene, failing, fault.turn(), &ids).await;
    let met = has_met(failing, fault, &before).await;
    proxy.heal().await?;
    let longest = seen?;
    met?;
    comes_back(&failing.node).await?;
    Ok(format!(
        "{REQUESTS} answers were right, the slowest after {} ms; then Redis was used again",
        longest.as_millis()
    ))
}

/// Whether the node asks its Redis through the proxy, so that a fault there is one of the node.
async fn goes_through(scene: &Scene, failing: &Failing, fault: Fault) -> Result<(), End> {
    let before = failing.proxy.counters().bytes_up;
    let turn = fault.turn();
    // One that memory has not.
    let path = format!("/v1/products/{}absent-before-{turn}", scene.scratch_ids());
    let answer = failing.node.get(&path).await?;
    failing.node.read(&path, &answer, StatusCode::NOT_FOUND)?;
    let seen = eventually(NOTICED, async || {
        let counters = failing.proxy.counters();
        Ok(if counters.open > 0 && counters.bytes_up > before {
            Ok(())
        } else {
            Err(())
        })
    });
    must(seen.await?.is_ok(), || {
        let name = failing.node.name();
        format!("{name} does not reach its Redis through the proxy of the faults")
    })
}

/// Waits until the fault has met the node: it may be about to connect again.
async fn has_met(failing: &Failing, fault: Fault, before: &Counters) -> Result<(), End> {
    let seen = eventually(NOTICED, async || {
        Ok(fault.has_met(before, &failing.proxy.counters()))
    });
    seen.await?.or_else(failed)
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

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: [Fault; 5] = [
        Fault::Refused,
        Fault::Reset,
        Fault::BlackHole,
        Fault::Slow,
        Fault::Cut,
    ];

    fn before() -> Counters {
        Counters {
            accepted: 3,
            open: 2,
            bytes_up: 100,
            bytes_down: 100,
            ..Counters::default()
        }
    }

    #[test]
    fn a_proxy_that_lets_everything_through_has_no_fault() {
        let passes = Counters {
            bytes_up: 900,
            bytes_down: 900,
            ..before()
        };
        let connects = Counters {
            accepted: 5,
            ..passes
        };
        for fault in FAULTS {
            for now in [passes, connects] {
                let told = fault.has_met(&before(), &now).unwrap_err();
                assert!(told.contains("800 bytes came through"), "{told}");
            }
        }
    }

    #[test]
    fn each_fault_is_known_by_what_the_proxy_counts() {
        let now = |fault| {
            let before = before();
            match fault {
                Fault::Refused => Counters { open: 0, ..before },
                Fault::Reset => Counters {
                    open: 0,
                    turned_away: 1,
                    ..before
                },
                Fault::BlackHole | Fault::Slow => Counters { held: 1, ..before },
                Fault::Cut => Counters {
                    accepted: 4,
                    bytes_down: before.bytes_down + 3 * CUT_AFTER,
                    cut: 3,
                    ..before
                },
            }
        };
        for fault in FAULTS {
            assert_eq!(fault.has_met(&before(), &now(fault)), Ok(()), "{fault:?}");
        }
        // More came through than a cut lets.
        let more = Counters {
            bytes_down: before().bytes_down + 3 * CUT_AFTER + ON_THE_WAY + 1,
            ..now(Fault::Cut)
        };
        assert!(Fault::Cut.has_met(&before(), &more).is_err());
    }
}
