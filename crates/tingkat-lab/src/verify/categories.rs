//! Categories and their listings: what is answered is what the store has.

use hyper::StatusCode;
use serde_json::Value;

use super::check::Found;
use super::each::on_every_node;
use super::end::{End, failed, must, skipped};
use super::node::{Node, pause};
use super::postcodes::problem;
use super::products::{ATTEMPTS, BEHIND, SOME, agrees};
use super::scene::{Scene, ids, number, text};

/// Categories are what the database has.
pub(super) async fn true_to_the_store(scene: &Scene) -> Found {
    let rows = scene.store()?.categories(SOME * 3).await?;
    if rows.is_empty() {
        return skipped("the store has no category");
    }
    on_every_node(scene, async |node| {
        for row in &rows {
            let path = format!("/v1/categories/{}", row.id);
            let answer = node.json(&path).await?;
            let told = (text(&answer, "/slug"), text(&answer, "/name"));
            must(told == (&*row.slug, &*row.name), || {
                let stored = (&row.slug, &row.name);
                format!(
                    "category {} is {stored:?} and is answered as {told:?}",
                    row.id
                )
            })?;
        }
        let tree = node.json("/v1/categories").await?;
        let listed = ids(&tree);
        for row in &rows {
            must(listed.contains(&row.id), || {
                format!("the tree lacks the category {}", row.id)
            })?;
        }
        Ok(format!("{} categories", rows.len()))
    })
    .await
}

/// What a listing shows is what the database has in the category, and as it has it.
pub(super) async fn listing(scene: &Scene) -> Found {
    let id = with_products(scene).await?;
    on_every_node(scene, async |node| {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match lists(scene, node, &id).await? {
                Ok(count) => return Ok(format!("{count} products of the category {id}")),
                Err(why) => last = why,
            }
            // Others may change products meanwhile; they do not do so again and again.
            pause(BEHIND).await;
        }
        failed(format!("category {id} {last}"))
    })
    .await
}

/// A category that has something on sale.
async fn with_products(scene: &Scene) -> Result<String, End> {
    let Ok(store) = &scene.store else {
        let tree = scene.first()?.json("/v1/categories").await?;
        let items = tree.get("items").and_then(Value::as_array);
        let found = items.into_iter().flatten();
        let mut found = found.filter(|it| number(it, "/products") > Some(0));
        return match found.next() {
            Some(category) => Ok(text(category, "/id").to_owned()),
            None => skipped("no category has a product on sale"),
        };
    };
    for row in store.categories(SOME).await? {
        if !store.members(&row.id).await?.is_empty() {
            return Ok(row.id);
        }
    }
    skipped("no category has a product on sale")
}

/// How many products the first page of a category has, or what is odd about them.
async fn lists(scene: &Scene, node: &Node, id: &str) -> Result<Result<usize, String>, End> {
    let path = format!("/v1/categories/{id}/products?limit={SOME}");
    let page = node.json(&path).await?;
    let items = page.get("items").and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let listed = ids(&page);
    if items.is_empty() {
        return Ok(Err("has products, and lists none".to_owned()));
    }
    for (item, id) in items.iter().zip(&listed) {
        let one = node.json(&format!("/v1/products/{id}")).await?;
        if one != *item {
            return Ok(Err(format!("lists other values of {id} than its page has")));
        }
    }
    let Ok(store) = &scene.store else {
        return Ok(Ok(items.len()));
    };
    let members = store.members(id).await?;
    if let Some(other) = listed.iter().find(|id| !members.contains(id)) {
        return Ok(Err(format!(
            "lists {other}, which is not in it or not on sale"
        )));
    }
    let expected = members.len().min(SOME);
    if listed.len() != expected {
        let count = listed.len();
        return Ok(Err(format!(
            "lists {count} products, and there are {expected} for a page"
        )));
    }
    let rows = store.products(&listed, listed.len()).await?;
    let pairs = items.iter().zip(&rows);
    let odd: Vec<String> = pairs.filter_map(|(item, row)| agrees(item, row)).collect();
    if rows.len() != items.len() || !odd.is_empty() {
        return Ok(Err(format!("lists other values: {}", odd.join("; "))));
    }
    Ok(Ok(items.len()))
}

/// A category that there is not is not made up.
pub(super) async fn unknown(scene: &Scene) -> Found {
    on_every_node(scene, async |node| {
        let id = format!("{}absent", scene.scratch_ids());
        for path in [
            format!("/v1/categories/{id}"),
            format!("/v1/categories/{id}/products"),
        ] {
            let answer = node.get(&path).await?;
            let body = problem(node.read(&path, &answer, StatusCode::NOT_FOUND)?, &path)?;
            must(text(&body, "/code") == "category_unknown", || {
                format!(
                    "{path} is answered with the code {:?}",
                    text(&body, "/code")
                )
            })?;
        }
        Ok("404 for it and its products".to_owned())
    })
    .await
}
