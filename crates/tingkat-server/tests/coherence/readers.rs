//! Those who read, over HTTP like any client of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value as Json;
use tingkat_lab::{Answer, Target};
use tingkat_testkit::eventually;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::history::{Failed, How, Key, Read, Seen, Tier, Value, now};
use crate::node::{Node, PATIENCE};
use crate::scene::Plan;
use crate::store::{KEYS, id};

/// One look-up in so many asks for an answer that is current when the request begins.
const VALIDATED: u32 = 20;

/// A node that is down is looked for so often.
const DOWN_PAUSE: Duration = Duration::from_millis(20);

/// Readers under way.
pub(crate) struct Readers {
    tasks: JoinSet<Vec<Read>>,
    stop: CancellationToken,
    answered: Arc<Vec<AtomicU64>>,
}

impl Readers {
    /// As many readers of each node as planned.
    pub(crate) fn start(nodes: &[Arc<Node>], plan: &Plan, seed: u64) -> Self {
        let (of_each, pace, validates) = (plan.readers_of_each, plan.readers_pace, plan.validates);
        let answered: Arc<Vec<AtomicU64>> =
            Arc::new(nodes.iter().map(|_| AtomicU64::new(0)).collect());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for node in nodes {
            for number in 0..of_each {
                let name = node.index * of_each + number;
                let mut chance = Chance::of(seed, name as u64);
                let (node, stop) = (Arc::clone(node), stop.clone());
                let answered = Arc::clone(&answered);
                tasks.spawn(async move {
                    let mut reads = Vec::new();
                    while !stop.is_cancelled() {
                        let Some(target) = node.target() else {
                            tokio::time::sleep(DOWN_PAUSE).await;
                            continue;
                        };
                        let how = if validates && chance.once_in(VALIDATED) {
                            How::Validated
                        } else {
                            How::Usual
                        };
                        let read = ask(&target, node.index, chance.key(), how).await;
                        if let (Ok(_), Some(count)) = (read.outcome, answered.get(node.index)) {
                            // A number that somebody waits for.
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        reads.push(read);
                        tokio::time::sleep(chance.up_to(pace)).await;
                    }
                    reads
                });
            }
        }
        Self {
            tasks,
            stop,
            answered,
        }
    }

    /// Look-ups that this node has answered so far.
    pub(crate) fn answered(&self, node: usize) -> u64 {
        let count = self.answered.get(node).unwrap();
        count.load(Ordering::Relaxed)
    }

    /// Ends them; what they saw.
    pub(crate) async fn finish(self) -> Vec<Read> {
        self.stop.cancel();
        let reads = self.tasks.join_all().await;
        reads.into_iter().flatten().collect()
    }
}

/// Reads every key once from a node.
pub(crate) async fn read_all(node: &Node) -> Vec<Read> {
    let mut reads = Vec::new();
    for key in 0..KEYS {
        reads.push(read(node, key).await);
    }
    reads
}

/// Reads a key from a node, which must be up.
pub(crate) async fn read(node: &Node, key: Key) -> Read {
    let target = eventually(PATIENCE, || std::future::ready(node.target()));
    let target = target.await.unwrap();
    ask(&target, node.index, key, How::Usual).await
}

/// One look-up, and what came of it.
pub(crate) async fn ask(target: &Target, node: usize, key: Key, how: How) -> Read {
    let headers: &[(&str, &str)] = match how {
        How::Validated => &[("cache-control", "no-cache")],
        How::Usual | How::AtLeast(_) => &[],
    };
    ask_with(target, node, key, how, headers).await
}

/// The same, with these headers.
pub(crate) async fn ask_with(
    target: &Target,
    node: usize,
    key: Key,
    how: How,
    headers: &[(&str, &str)],
) -> Read {
    let path = format!("/v1/products/{}", id(key));
    let started = now();
    let answer = target.get_with(&path, headers).await;
    let ended = now();
    let outcome = match answer {
        Ok(answer) => seen(&answer),
        Err(_) => Err(Failed::Unanswered),
    };
    Read {
        node,
        key,
        how,
        started,
        ended,
        outcome,
    }
}

fn seen(answer: &Answer) -> Result<Seen, Failed> {
    let failed = Failed::Status(answer.status.as_u16());
    if !answer.status.is_success() {
        return Err(failed);
    }
    let body = answer.json().map_err(|_| failed)?;
    let number = |name: &str| body.get(name).and_then(Json::as_i64).ok_or(failed);
    let status = answer.header("cache-status").ok_or(failed)?;
    Ok(Seen {
        value: Value {
            version: number("version")?,
            stamp: number("stock_quantity")?,
        },
        is_marked: status.contains("detail=stale"),
        tier: tier(status).ok_or(failed)?,
    })
}

/// What `Cache-Status` says of the way to an answer.
fn tier(status: &str) -> Option<Tier> {
    if status.contains("source;") {
        Some(if status.contains("; collapsed") {
            Tier::Joined
        } else {
            Tier::Source {
                asked_redis: status.contains("redis;"),
            }
        })
    } else if status.contains("redis; hit") {
        Some(Tier::Redis)
    } else {
        status.starts_with("memory; hit").then_some(Tier::Memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_an_answer_is_told_apart() {
        for (status, expected) in [
            ("memory; hit", Some(Tier::Memory)),
            ("memory; hit; detail=stale", Some(Tier::Memory)),
            ("memory; fwd=uri-miss, redis; hit", Some(Tier::Redis)),
            (
                "memory; fwd=uri-miss, source; fwd=uri-miss; stored",
                Some(Tier::Source { asked_redis: false }),
            ),
            (
                "memory; fwd=uri-miss, redis; fwd=uri-miss, source; fwd=uri-miss; stored",
                Some(Tier::Source { asked_redis: true }),
            ),
            (
                "memory; fwd=uri-miss, source; fwd=uri-miss; stored; collapsed",
                Some(Tier::Joined),
            ),
            ("edge; hit", None),
        ] {
            assert_eq!(tier(status), expected, "{status}");
        }
    }
}
