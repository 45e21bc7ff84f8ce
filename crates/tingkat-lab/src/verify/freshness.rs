//! Whether what changed in the database is what is answered, and how soon.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::check::Found;
use super::end::{End, failed, must, skipped};
use super::node::{Node, eventually, now, pause, since};
use super::scene::{Scene, number, text};

/// The way there and back, and a machine that is busy.
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// Looked for so much longer than the bound, to say how late it came.
const LATE: Duration = Duration::from_secs(5);

/// Where a node does not say what its bound is.
const USUAL_BOUND: Duration = Duration::from_secs(1);

/// How old an answer of a node may be.
async fn bound(node: &Node) -> Result<Duration, End> {
    let body = node.get("/readyz").await?.json().unwrap_or_default();
    match body.get("feed") {
        Some(Value::Null) => failed(format!(
            "{} follows no change log: freshness is by time alone",
            node.name()
        )),
        feed => {
            let bound = feed.and_then(|feed| feed.get("bound_ms")?.as_u64());
            Ok(bound.map_or(USUAL_BOUND, Duration::from_millis))
        }
    }
}

/// The stock that a node answers with.
async fn stock(node: &Node, path: &str) -> Result<Option<i64>, End> {
    Ok(number(&node.json(path).await?, "/stock_quantity"))
}

/// A value that is changed in the database is answered by every node within the bound.
pub(super) async fn everywhere(scene: &Scene) -> Found {
    let product = scene.scratch_product().await?;
    let path = format!("/v1/products/{}", product.id);
    let nodes = scene.everywhere();
    for node in &nodes {
        // So that each has the old value.
        stock(node, &path).await?;
    }
    let wanted = product.stock_quantity + 1;
    let store = scene.store()?;
    must(store.set_stock(&product.id, wanted).await?, || {
        format!("the scratch product {} is gone", product.id)
    })?;
    let committed = now();
    let mut told = Vec::new();
    for node in nodes {
        let bound = bound(node).await?;
        let mut took = Duration::ZERO;
        let seen = eventually(bound + LATE, async || {
            let asked = since(committed);
            let found = stock(node, &path).await?;
            took = asked;
            Ok(if found == Some(wanted) {
                Ok(())
            } else {
                Err(format!(
                    "the stock is {wanted} and is answered as {found:?}"
                ))
            })
        });
        if let Err(why) = seen.await? {
            return failed(format!("{}: after {:?}: {why}", node.name(), bound + LATE));
        }
        must(took <= bound + ON_THE_WAY, || {
            format!(
                "{}: the new stock was answered {} ms after the commit, and the bound is {} ms",
                node.name(),
                took.as_millis(),
                bound.as_millis()
            )
        })?;
        told.push(format!("{} after {} ms", node.name(), took.as_millis()));
    }
    Ok(told.join(", "))
}

/// Who insists on a current answer gets one at once.
pub(super) async fn insisted(scene: &Scene) -> Found {
    let product = scene.scratch_product().await?;
    let path = format!("/v1/products/{}", product.id);
    let node = scene.first()?;
    bound(node).await?;
    let mut wanted = product.stock_quantity;
    for _ in 0..5 {
        stock(node, &path).await?;
        wanted += 1;
        scene.store()?.set_stock(&product.id, wanted).await?;
        let answer = node
            .get_with(&path, &[("cache-control", "no-cache")])
            .await?;
        let found = number(
            &node.read(&path, &answer, StatusCode::OK)?,
            "/stock_quantity",
        );
        must(found == Some(wanted), || {
            format!("with no-cache the stock is answered as {found:?}, and is {wanted}")
        })?;
    }
    Ok("five commits were seen by the next request".to_owned())
}

/// Who writes reads what he wrote, on every node.
pub(super) async fn own_writes(scene: &Scene) -> Found {
    let product = scene.scratch_product().await?;
    let path = format!("/v1/products/{}", product.id);
    let nodes = scene.everywhere();
    let writer = scene.first()?;
    for node in &nodes {
        stock(node, &path).await?;
    }
    for wanted in [101, 102, 103] {
        let answer = writer
            .send(Method::PATCH, &path, &json!({ "stock": wanted }))
            .await?;
        writer.is_open(&answer)?;
        if answer.status == StatusCode::NOT_IMPLEMENTED {
            return skipped("the service does not write this database");
        }
        writer.read(&path, &answer, StatusCode::OK)?;
        let found = stock(writer, &path).await?;
        must(found == Some(wanted), || {
            format!(
                "{}: {wanted} was written, and {found:?} is read",
                writer.name()
            )
        })?;
        let token = answer
            .header("tingkat-position")
            .unwrap_or_default()
            .to_owned();
        for node in &nodes {
            let answer = node
                .get_with(&path, &[("tingkat-position", &token)])
                .await?;
            let read = node.read(&path, &answer, StatusCode::OK)?;
            let found = number(&read, "/stock_quantity");
            must(found == Some(wanted), || {
                format!(
                    "{}: with the position of the write {found:?} is read, and {wanted} was written",
                    node.name()
                )
            })?;
        }
        let stored = scene.store()?.stock(&product.id).await?;
        must(stored == Some(wanted), || {
            format!("{wanted} was written, and the database has {stored:?}")
        })?;
    }
    Ok(format!("three writes, read on {} nodes", nodes.len()))
}

/// What is forgotten is loaded again, on every node.
pub(super) async fn forgotten(scene: &Scene) -> Found {
    let product = scene.scratch_product().await?;
    let path = format!("/v1/products/{}", product.id);
    let nodes = scene.everywhere();
    let first = scene.first()?;
    bound(first).await?;
    for node in &nodes {
        let seen = eventually(LATE, async || {
            let answer = node.get(&path).await?;
            node.read(&path, &answer, StatusCode::OK)?;
            let way = answer.header("cache-status").unwrap_or_default();
            Ok(if way.starts_with("memory; hit") {
                Ok(())
            } else {
                Err(format!("{} does not keep a product: {way}", node.name()))
            })
        });
        if let Err(why) = seen.await? {
            return failed(why);
        }
    }
    let body = json!({ "entity": "product", "keys": [product.id] });
    let answer = first.send(Method::POST, "/v1/forget", &body).await?;
    first.is_open(&answer)?;
    let said = first.read("/v1/forget", &answer, StatusCode::OK)?;
    must(said.get("forgotten").is_some(), || {
        "the answer to a forget does not say what was forgotten".to_owned()
    })?;
    for node in nodes {
        let entry = format!("/v1/caches/product/keys/{}", product.id);
        let bound = bound(node).await?;
        // A look-up would load it; the entry is looked at instead.
        let seen = eventually(bound + LATE, async || {
            let entry = node.operators(&entry).await?;
            let is_kept = entry.pointer("/memory/accepted") == Some(&Value::Bool(true));
            Ok(if is_kept {
                Err(format!("{} still serves what was forgotten", node.name()))
            } else {
                Ok(())
            })
        });
        if let Err(why) = seen.await? {
            return failed(why);
        }
    }
    Ok(format!(
        "{} nodes let go of a product",
        scene.everywhere().len()
    ))
}

/// No answer so far was marked as stale.
pub(super) async fn unmarked(scene: &Scene) -> Found {
    // A node that is cut off for a moment is so for no longer than this.
    pause(Duration::from_millis(1)).await;
    let mut marked = Vec::new();
    for node in scene.everywhere() {
        marked.extend(node.marked());
        let body = node.get("/readyz").await?.json().unwrap_or_default();
        let anchored = body.pointer("/feed/anchored");
        must(anchored != Some(&Value::Bool(false)), || {
            format!("{} can not follow the change log now", node.name())
        })?;
        must(text(&body, "/source") == "up", || {
            let source = text(&body, "/source");
            format!("{}: the database is {source:?}", node.name())
        })?;
    }
    must(marked.is_empty(), || marked.join("; "))?;
    Ok("no answer was marked as stale".to_owned())
}
