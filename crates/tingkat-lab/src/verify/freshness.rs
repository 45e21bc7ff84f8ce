//! Whether what changed in the database is what is answered, and how soon.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tingkat::ports::Tick;

use super::check::Found;
use super::each::{on, on_every_node};
use super::end::{End, failed, must, skipped};
use super::node::{Node, eventually, now, since};
use super::scene::{Scene, number, text};
use crate::answer::Answer;

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
    let mut bounds = Vec::new();
    for node in &nodes {
        // So that each has the old value.
        stock(node, &path).await?;
        bounds.push((node.name(), bound(node).await?));
    }
    let wanted = product.stock_quantity + 1;
    let store = scene.store()?;
    must(store.set_stock(&product.id, wanted).await?, || {
        format!("the scratch product {} is gone", product.id)
    })?;
    let committed = now();
    on(&nodes, async |node| {
        let bound = bounds.iter().find(|(name, _)| *name == node.name());
        let bound = bound.map_or(USUAL_BOUND, |(_, bound)| *bound);
        let took = within(bound, committed, "the old stock was answered", async || {
            let answer = node.get(&path).await?;
            let told = node.read(&path, &answer, StatusCode::OK)?;
            let found = number(&told, "/stock_quantity");
            Ok(if found == Some(wanted) {
                Look::New
            } else if is_marked(&answer) {
                Look::Marked
            } else {
                Look::Old
            })
        });
        Ok(format!("after {} ms", took.await?.as_millis()))
    })
    .await
}

/// What a node still has of what has changed.
enum Look {
    New,
    Old,
    /// The old, and it is said not to be known as current.
    Marked,
}

/// Looks until the new is there, and tells when it was asked for. Whoever asks when the bound is over may
/// get the old no more, however busy the machine is: a node that does not know marks its answers.
async fn within(
    bound: Duration,
    changed: Tick,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Look, End>,
) -> Result<Duration, End> {
    let (mut asked, mut late) = (Duration::ZERO, None);
    let seen = eventually(bound + LATE, async || {
        asked = since(changed);
        Ok(match look().await? {
            Look::New => Ok(()),
            Look::Old if asked > bound => {
                late = Some(asked);
                Err(())
            }
            Look::Old | Look::Marked => Err(()),
        })
    });
    let is_new = seen.await?.is_ok();
    if let Some(late) = late {
        let (late, bound) = (late.as_millis(), bound.as_millis());
        return failed(format!(
            "{what} {late} ms after the change, and the bound is {bound} ms"
        ));
    }
    must(is_new, || {
        format!(
            "nothing that is known to be current after {:?}",
            bound + LATE
        )
    })?;
    Ok(asked)
}

/// Whether an answer says of itself that it may be old.
fn is_marked(answer: &Answer) -> bool {
    let way = answer.header("cache-status").unwrap_or_default();
    way.contains("stale")
}

/// Who insists on a current answer gets one at once.
pub(super) async fn insisted(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let product = scene.scratch_product().await?;
        let path = format!("/v1/products/{}", product.id);
        bound(node).await?;
        let mut wanted = product.stock_quantity;
        for _ in 0..5 {
            stock(node, &path).await?;
            wanted += 1;
            scene.store()?.set_stock(&product.id, wanted).await?;
            let answer = node
                .get_with(&path, &[("cache-control", "no-cache")])
                .await?;
            let told = node.read(&path, &answer, StatusCode::OK)?;
            let found = number(&told, "/stock_quantity");
            must(found == Some(wanted), || {
                format!("with no-cache the stock is answered as {found:?}, and is {wanted}")
            })?;
        }
        Ok("five commits were seen by the next request".to_owned())
    })
    .await
}

/// Who writes reads what he wrote, on every node, whichever he wrote at.
pub(super) async fn own_writes(scene: &Scene) -> Found {
    let count = scene.everywhere().len();
    on_every_node(scene, async |writer| {
        let product = scene.scratch_product().await?;
        for node in scene.everywhere() {
            stock(node, &format!("/v1/products/{}", product.id)).await?;
        }
        for wanted in [101, 102, 103] {
            writes_and_reads(scene, writer, &product.id, wanted).await?;
        }
        Ok(format!("three writes, read on {count} nodes"))
    })
    .await
}

async fn writes_and_reads(scene: &Scene, writer: &Node, id: &str, wanted: i64) -> Result<(), End> {
    let path = format!("/v1/products/{id}");
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
        let name = writer.name();
        format!("{name}: {wanted} was written, and {found:?} is read")
    })?;
    let token = answer.header("tingkat-position").unwrap_or_default();
    for node in scene.everywhere() {
        let answer = node.get_with(&path, &[("tingkat-position", token)]).await?;
        let read = node.read(&path, &answer, StatusCode::OK)?;
        let found = number(&read, "/stock_quantity");
        must(found == Some(wanted), || {
            let (writer, reader) = (writer.name(), node.name());
            format!("{wanted} was written at {writer}, and {found:?} is read at {reader}")
        })?;
    }
    let stored = scene.store()?.stock(id).await?;
    must(stored == Some(wanted), || {
        format!("{wanted} was written, and the database has {stored:?}")
    })
}

/// What is forgotten by one node is served by none when the bound is over.
pub(super) async fn forgotten(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let product = scene.scratch_product().await?;
        are_kept(scene, &product.id).await?;
        let mut bounds = Vec::new();
        for node in scene.everywhere() {
            bounds.push((node, bound(node).await?));
        }
        let body = json!({ "entity": "product", "keys": [product.id] });
        let answer = node.send(Method::POST, "/v1/forget", &body).await?;
        node.is_open(&answer)?;
        let said = node.read("/v1/forget", &answer, StatusCode::OK)?;
        must(said.get("forgotten").is_some(), || {
            "the answer to a forget does not say what was forgotten".to_owned()
        })?;
        let forgot = now();
        let entry = format!("/v1/caches/product/keys/{}", product.id);
        let looks = bounds.into_iter().map(async |(node, bound)| {
            let what = format!("{} still had what was forgotten", node.name());
            // A look-up would load it; the entry is looked at instead.
            let gone = within(bound, forgot, &what, async || {
                let entry = node.operators(&entry).await?;
                let is_kept = entry.pointer("/memory/accepted") == Some(&Value::Bool(true));
                Ok(if is_kept { Look::Old } else { Look::New })
            });
            gone.await.map(drop)
        });
        let looks = futures::future::join_all(looks).await;
        let count = looks.len();
        looks.into_iter().collect::<Result<(), End>>()?;
        Ok(format!("{count} nodes let go of a product"))
    })
    .await
}

/// Waits until every node has a product in memory.
async fn are_kept(scene: &Scene, id: &str) -> Result<(), End> {
    let path = format!("/v1/products/{id}");
    for node in scene.everywhere() {
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
    Ok(())
}

/// No answer so far was marked as stale.
pub(super) async fn unmarked(scene: &Scene) -> Found {
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
