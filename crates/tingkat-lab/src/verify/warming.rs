//! Whether what is warmed is where shoppers find it.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::check::Found;
use super::end::{End, failed, moot, must, skipped};
use super::node::{Node, eventually, pause};
use super::scene::{Scene, number, text};

/// One product is warm within this.
const WARM: Duration = Duration::from_secs(8);

/// A run of somebody else is waited for.
const BUSY: usize = 20;

/// What is warmed is a hit in memory, and lies in Redis.
pub(super) async fn works(scene: &Scene) -> Found {
    let node = scene.first()?;
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
    let path = format!("/v1/products/{}", product.id);
    let answer = node.get(&path).await?;
    let way = answer.header("cache-status").unwrap_or_default();
    must(way.starts_with("memory; hit"), || {
        format!("a product that was warmed is answered by {way:?}")
    })?;
    Ok("a product was warmed, and is a hit in memory".to_owned())
}

/// The last run of warming was a success.
pub(super) async fn told(scene: &Scene) -> Found {
    let node = scene.first()?;
    can_warm(node).await?;
    let standing = node.operators("/v1/warm").await?;
    let Some(last) = standing.get("last").filter(|last| !last.is_null()) else {
        let is_running = standing.get("running").is_some_and(|it| !it.is_null());
        if is_running {
            return skipped("the first run of warming goes on");
        }
        return moot("nothing was warmed since the node started");
    };
    let reason = text(last, "/reason");
    must(
        last.pointer("/report/success") == Some(&Value::Bool(true)),
        || format!("the last run of warming ({reason}) was no success: `tingkat warm` tells more"),
    )?;
    Ok(format!("the last run ({reason}) was a success"))
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
