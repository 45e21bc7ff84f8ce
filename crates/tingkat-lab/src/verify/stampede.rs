//! A crowd that asks for what nobody has.

use futures::future::join_all;
use hyper::StatusCode;
use serde_json::Value;

use super::check::Found;
use super::end::{End, failed, must};
use super::node::Node;
use super::products::agrees;
use super::scene::{Scene, number, text};

/// Callers of each node.
const CROWD: usize = 64;

/// A machine that is busy may take a lease from its holder once.
const ATTEMPTS: usize = 2;

/// Many who ask for one cold key are one load, or one of each node where they share no Redis.
pub(super) async fn one_load(scene: &Scene) -> Found {
    let mut found = crowd(scene).await;
    for _ in 1..ATTEMPTS {
        if !matches!(found, Err(End::Failed(_))) {
            break;
        }
        found = crowd(scene).await;
    }
    found
}

async fn crowd(scene: &Scene) -> Found {
    let product = scene.scratch_product().await?;
    let path = format!("/v1/products/{}", product.id);
    let nodes: Vec<&Node> = scene.nodes.iter().collect();
    let before = loads(scene, &nodes).await?;
    let crowd = nodes.iter().flat_map(|node| {
        let path = &path;
        (0..CROWD).map(move |_| async move {
            let answer = node.get(path).await?;
            let body = node.read(path, &answer, StatusCode::OK)?;
            let way = answer.header("cache-status").unwrap_or_default().to_owned();
            Ok::<(String, Value), End>((way, body))
        })
    });
    let answers = join_all(crowd).await;
    let mut by_themselves = 0;
    for answer in answers {
        let (way, body) = answer?;
        if let Some(why) = agrees(&body, &product) {
            return failed(why);
        }
        if way.contains("source") && !way.contains("collapsed") {
            by_themselves += 1;
        }
    }
    let count = CROWD * nodes.len();
    let loaders = loaders(&nodes).await?;
    must(by_themselves == loaders, || {
        format!("{count} callers of one cold product were {by_themselves} loads")
    })?;
    if let (Some(before), Some(after)) = (before, loads(scene, &nodes).await?) {
        let loaded = after - before;
        must(usize::try_from(loaded) == Ok(loaders), || {
            format!("{count} callers of one cold product: the nodes counted {loaded} loads")
        })?;
    }
    let loads = if loaders == 1 {
        "1 load"
    } else {
        "1 load of each node"
    };
    Ok(format!("{count} callers of one cold product were {loads}"))
}

/// How many nodes load for themselves: what they share is in Redis.
async fn loaders(nodes: &[&Node]) -> Result<usize, End> {
    for node in nodes {
        let body = node.get("/readyz").await?.json().unwrap_or_default();
        if !matches!(text(&body, "/redis"), "up" | "limited") {
            return Ok(nodes.len());
        }
    }
    Ok(1)
}

/// Keys that were loaded, where nobody else asks the nodes.
async fn loads(scene: &Scene, nodes: &[&Node]) -> Result<Option<i64>, End> {
    if !scene.are_ours {
        return Ok(None);
    }
    let mut sum = 0;
    for node in nodes {
        let cache = node.operators("/v1/caches/product").await?;
        sum += number(&cache, "/source/keys").unwrap_or(0);
    }
    Ok(Some(sum))
}
