//! Whether what is warmed is where shoppers find it.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::check::Found;
use super::each::on_every_node;
use super::end::{End, failed, moot, must, skipped};
use super::node::{Node, eventually, pause};
use super::redis_tier::lies_in_redis;
use super::scene::{Scene, number, text};

/// One product is warm within this.
const WARM: Duration = Duration::from_secs(8);

/// A run of somebody else is waited for.
const BUSY: usize = 20;

/// What is warmed is a hit in memory, and lies in Redis.
pub(super) async fn works(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        can_warm(node).await?;
        let product = scene.scratch_product().await?;
        let body = json!({ "keys": { "product": [product.id] } });
        let mut begun = node.send(Method::POST, "/v1/warm", &body).await?;
        for _ in 0..BUSY {
            if begun.status != StatusCode::CONFLICT {
                break;
            }
            pause(Duration::from_millis(100)).await;
            begun = node.send(Method::POST, "/v1/warm", &body).await?;
        }
        node.is_open(&begun)?;
        if begun.status == StatusCode::CONFLICT {
            return skipped("another run of warming goes on");
        }
        let run = node.read("/v1/warm", &begun, StatusCode::ACCEPTED)?;
        let run = number(&run, "/run");
        let seen = eventually(WARM, async || {
            let standing = node.operators("/v1/warm").await?;
            let last = standing
                .get("last")
                .filter(|last| number(last, "/run") == run);
            Ok(last
                .cloned()
                .ok_or_else(|| format!("one product is not warm after {WARM:?}")))
        });
        let last = match seen.await? {
            Ok(last) => last,
            Err(why) => return failed(why),
        };
        must(
            last.pointer("/report/success") == Some(&Value::Bool(true)),
            || {
                let report = last.get("report").map(Value::to_string).unwrap_or_default();
                format!("warming one product was no success: {report}")
            },
        )?;
        let entry = format!("/v1/caches/product/keys/{}", product.id);
        let entry = node.operators(&entry).await?;
        must(!entry.get("memory").is_none_or(Value::is_null), || {
            "a product that was warmed is not in memory".to_owned()
        })?;
        let redis = text(&entry, "/redis/state");
        must(matches!(redis, "entry" | "unused"), || {
            format!("of a product that was warmed redis has {redis:?}")
        })?;
        if redis == "entry" {
            lies_in_redis(scene, &product.id).await?;
        }
        let path = format!("/v1/products/{}", product.id);
        let answer = node.get(&path).await?;
        let way = answer.header("cache-status").unwrap_or_default();
        must(way.starts_with("memory; hit"), || {
            format!("a product that was warmed is answered by {way:?}")
        })?;
        Ok("a product was warmed, and is a hit in memory".to_owned())
    })
    .await
}

/// The last run of warming was a success.
pub(super) async fn told(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        can_warm(node).await?;
        let standing = node.operators("/v1/warm").await?;
        let Some(last) = standing.get("last").filter(|last| !last.is_null()) else {
            return never(scene, node, &standing).await;
        };
        let reason = text(last, "/reason");
        must(
            last.pointer("/report/success") == Some(&Value::Bool(true)),
            || {
                format!(
                    "the last run of warming ({reason}) was no success: `tingkat warm` tells more"
                )
            },
        )?;
        Ok(format!("the last run ({reason}) was a success"))
    })
    .await
}

/// What it means that no run has ended since the node started.
async fn never(scene: &Scene, node: &Node, standing: &Value) -> Found {
    if standing.get("running").is_some_and(|it| !it.is_null()) {
        return skipped("the first run of warming goes on");
    }
    let readiness = node.get("/readyz").await?.json().unwrap_or_default();
    // It is told of nodes that are to warm when they start, and of no other.
    let at_start = text(&readiness, "/warm");
    if at_start == "running" {
        return skipped("the first run of warming is about to begin");
    }
    must(at_start.is_empty(), || {
        format!("it was to warm at its start (/readyz: {at_start}), and no run is told")
    })?;
    let next = standing.pointer("/next_runs/0").and_then(Value::as_str);
    must(next.is_some() || !scene.has_schedule, || {
        "nothing was warmed, and no run is to come, while warm.schedule is configured here"
            .to_owned()
    })?;
    moot(match next {
        Some(next) => {
            format!("nothing was warmed yet; the first run by the clock begins at {next}")
        }
        None => "nothing was warmed since the node started".to_owned(),
    })
}

/// Nodes of a release that warms nothing may stand beside others during a deploy.
async fn can_warm(node: &Node) -> Result<(), End> {
    let answer = node.get("/v1/warm").await?;
    let others = node.get("/v1/caches").await?;
    if answer.status == StatusCode::NOT_FOUND && others.status == StatusCode::OK {
        return moot(format!(
            "{} is of a release that warms nothing",
            node.name()
        ));
    }
    Ok(())
}
