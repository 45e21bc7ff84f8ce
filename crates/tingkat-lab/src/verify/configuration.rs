//! Whether the installation is as it was meant to be.

use std::time::Duration;

use serde_json::Value;

use super::check::Found;
use super::each::{on, on_every_node};
use super::end::{failed, must, skipped};
use super::node::eventually;
use super::scene::{Scene, text};

/// A node that has just started is given so long.
const STARTED: Duration = Duration::from_secs(4);

/// The configuration that is found here has no problem.
pub(super) fn sound(scene: &Scene) -> std::future::Ready<Found> {
    std::future::ready(match &scene.problems {
        Ok(problems) if problems.is_empty() => Ok("nothing is wrong with it".to_owned()),
        Ok(problems) => failed(problems.join("; ")),
        Err(why) => skipped(why.clone()),
    })
}

/// Every node takes requests, if not at once.
pub(super) async fn ready(scene: &Scene) -> Found {
    let nodes = scene.everywhere();
    on(&nodes, async |node| {
        let seen = eventually(STARTED, async || {
            let answer = node.get("/readyz").await?;
            let body = answer.json().unwrap_or_default();
            let status = text(&body, "/status");
            Ok(if answer.status.is_success() && !status.is_empty() {
                Ok(())
            } else {
                let reasons = body.get("reasons").map(Value::to_string);
                let reasons = reasons.unwrap_or_default();
                Err(format!("{} is {status:?}: {reasons}", node.name()))
            })
        });
        if let Err(why) = seen.await? {
            return failed(why);
        }
        let count = nodes.len();
        Ok(format!("{count} of {count} nodes take requests"))
    })
    .await
}

/// Every cache caches.
pub(super) async fn cached(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let caches = node.operators("/v1/caches").await?;
        let items = caches.get("items").and_then(Value::as_array);
        let items = items.map(Vec::as_slice).unwrap_or_default();
        must(!items.is_empty(), || "the node has no cache".to_owned())?;
        let odd: Vec<String> = items
            .iter()
            .filter(|cache| text(cache, "/mode") != "cache")
            .map(|cache| format!("{} is {:?}", text(cache, "/entity"), text(cache, "/mode")))
            .collect();
        must(odd.is_empty(), || odd.join(", "))?;
        Ok(format!("{} entities are cached", items.len()))
    })
    .await
}
