//! Products and categories: what is answered is what the store has, by whichever route.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::check::Found;
use super::end::{End, failed, must, skipped};
use super::node::{Node, pause};
use super::ports::StoredProduct;
use super::postcodes::problem;
use super::scene::{Scene, number, text};

/// An answer and the row are compared so often while others change it.
const ATTEMPTS: usize = 5;

const SOME: usize = 8;

/// A node may be so far behind what was read a moment ago.
const BEHIND: Duration = Duration::from_millis(300);

/// Products are what the database has.
pub(super) async fn true_to_the_store(scene: &Scene) -> Found {
    let rows = scene.store()?.products(&[], SOME * 3).await?;
    if rows.is_empty() {
        return skipped("the store has no product on sale");
    }
    for row in &rows {
        is_true(scene, scene.first()?, &row.id).await?;
    }
    Ok(format!("{} products", rows.len()))
}

/// What a node answers for a product is what the database has; a change meanwhile is no fault.
pub(super) async fn is_true(scene: &Scene, node: &Node, id: &str) -> Result<(), End> {
    let store = scene.store()?;
    let id = id.to_owned();
    let path = format!("/v1/products/{id}");
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let before = store.products(std::slice::from_ref(&id), 1).await?;
        let answer = node.json(&path).await?;
        let Some(row) = before.first() else {
            return failed(format!(
                "the product {id} is answered, and is not in the store"
            ));
        };
        match agrees(&answer, row) {
            None => return Ok(()),
            Some(why) => last = why,
        }
        if store.products(std::slice::from_ref(&id), 1).await? == before {
            pause(BEHIND).await;
        }
    }
    failed(format!("{}: {last}", node.name()))
}

/// What an answer says otherwise than the row.
pub(super) fn agrees(answer: &Value, row: &StoredProduct) -> Option<String> {
    let texts = [
        ("id", &row.id),
        ("sku", &row.sku),
        ("slug", &row.slug),
        ("name", &row.name),
    ];
    let texts = texts.into_iter().map(|(name, stored)| {
        let told = text(answer, &format!("/{name}"));
        (told != stored).then(|| format!("{name} is {stored:?} and is answered as {told:?}"))
    });
    let numbers = [
        ("regular_price/amount", row.regular_price),
        ("member_price/amount", row.member_price),
        ("stock_quantity", row.stock_quantity),
    ];
    let numbers = numbers.into_iter().map(|(name, stored)| {
        let told = number(answer, &format!("/{name}"));
        (told != Some(stored)).then(|| format!("{name} is {stored} and is answered as {told:?}"))
    });
    let odd: Vec<String> = texts.chain(numbers).flatten().collect();
    (!odd.is_empty()).then(|| format!("product {}: {}", row.id, odd.join(", ")))
}

/// A product is the same by every way to it.
pub(super) async fn ways(scene: &Scene) -> Found {
    let node = scene.first()?;
    let ids = scene.some_products().await?;
    let ids: Vec<&str> = ids.iter().take(SOME).map(String::as_str).collect();
    let Some(first) = ids.first() else {
        return skipped("the store has no product on sale");
    };
    // Others may change products meanwhile; they do not do so again and again.
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let plain = node.get(&format!("/v1/products/{first}")).await?;
        let one = node.read("/v1/products/…", &plain, StatusCode::OK)?;
        let by = |name: &str| {
            format!(
                "/v1/products?{name}={}",
                encoded(text(&one, &format!("/{name}")))
            )
        };
        let (sku, slug) = (node.get(&by("sku")).await?, node.get(&by("slug")).await?);
        let batch = node
            .json(&format!("/v1/products?ids={}", ids.join(",")))
            .await?;
        let body = json!({ "ids": ids });
        let posted = node
            .send(Method::POST, "/v1/products:batchGet", &body)
            .await?;
        let posted = node.read("/v1/products:batchGet", &posted, StatusCode::OK)?;
        let in_batch = batch.pointer("/items/0");
        let order: Vec<&str> = batch
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|item| text(item, "/id"))
            .collect();
        let odd = [
            (plain.body != sku.body, "by its sku"),
            (plain.body != slug.body, "by its slug"),
            (in_batch != Some(&one), "among others"),
            (order != ids, "in the order of a batch"),
            (posted != batch, "in the answer to POST"),
        ];
        let odd: Vec<&str> = odd.into_iter().filter(|it| it.0).map(|it| it.1).collect();
        if odd.is_empty() {
            return Ok(format!(
                "one product by five routes, and {} at once",
                ids.len()
            ));
        }
        last = format!("product {first} is another one {}", odd.join(", "));
        pause(BEHIND).await;
    }
    failed(last)
}

/// A value of a query.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A product that there is not is not made up.
pub(super) async fn unknown(scene: &Scene) -> Found {
    let node = scene.first()?;
    let id = format!("{}absent", scene.scratch_ids());
    for path in [
        format!("/v1/products/{id}"),
        format!("/v1/products?sku={id}"),
        format!("/v1/products?slug={id}"),
    ] {
        let answer = node.get(&path).await?;
        let body = problem(node.read(&path, &answer, StatusCode::NOT_FOUND)?, &path)?;
        must(text(&body, "/code") == "product_unknown", || {
            format!(
                "{path} is answered with the code {:?}",
                text(&body, "/code")
            )
        })?;
    }
    let path = format!("/v1/products?ids={id}");
    let batch = node.json(&path).await?;
    must(batch.get("missing") == Some(&json!([id])), || {
        format!("{path} does not say that it is missing")
    })?;
    Ok("404 by every route, and missing in a batch".to_owned())
}

/// A client that has the answer is not sent it again.
pub(super) async fn revalidation(scene: &Scene) -> Found {
    let node = scene.first()?;
    let ids = scene.some_products().await?;
    let mut last = String::new();
    for id in ids.iter().take(ATTEMPTS) {
        let path = format!("/v1/products/{id}");
        let whole = node.get(&path).await?;
        node.read(&path, &whole, StatusCode::OK)?;
        let Some(etag) = whole.header("etag").map(str::to_owned) else {
            return failed(format!("the answer of {path} has no ETag"));
        };
        for name in ["cache-control", "cache-status"] {
            must(whole.header(name).is_some(), || {
                format!("the answer of {path} has no {name}")
            })?;
        }
        let again = node.get_with(&path, &[("if-none-match", &etag)]).await?;
        let other = node
            .get_with(&path, &[("if-none-match", "\"another\"")])
            .await?;
        if again.status == StatusCode::NOT_MODIFIED && again.body.is_empty() {
            must(other.status == StatusCode::OK, || {
                format!("{path} with another ETag answers {}", other.status)
            })?;
            return Ok(format!("304 for {etag}"));
        }
        last = format!("{path} with its own ETag answers {}", again.status);
    }
    failed(last)
}

/// Categories are what the database has.
pub(super) async fn categories(scene: &Scene) -> Found {
    let node = scene.first()?;
    let rows = scene.store()?.categories(SOME * 3).await?;
    if rows.is_empty() {
        return skipped("the store has no category");
    }
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
    let listed = tree.to_string();
    for row in &rows {
        must(listed.contains(&format!("{:?}", row.id)), || {
            format!("the tree lacks the category {}", row.id)
        })?;
    }
    Ok(format!("{} categories", rows.len()))
}

/// What a listing shows is what the products are.
pub(super) async fn listing(scene: &Scene) -> Found {
    let node = scene.first()?;
    let tree = node.json("/v1/categories").await?;
    let items = tree.get("items").and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let Some(category) = items.iter().find(|it| number(it, "/products") > Some(0)) else {
        return skipped("no category has a product on sale");
    };
    let id = text(category, "/id");
    let path = format!("/v1/categories/{id}/products?limit={SOME}");
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let page = node.json(&path).await?;
        let items = page.get("items").and_then(Value::as_array);
        let items = items.map(Vec::as_slice).unwrap_or_default();
        must(!items.is_empty(), || {
            format!("category {id} counts products, and lists none")
        })?;
        let mut odd = Vec::new();
        for item in items {
            let one = node
                .json(&format!("/v1/products/{}", text(item, "/id")))
                .await?;
            if one != *item {
                odd.push(text(item, "/id").to_owned());
            }
        }
        if odd.is_empty() {
            return Ok(format!("{} products of the category {id}", items.len()));
        }
        last = format!("category {id} lists other values of {}", odd.join(", "));
        pause(BEHIND).await;
    }
    failed(last)
}

/// A category that there is not is not made up.
pub(super) async fn unknown_category(scene: &Scene) -> Found {
    let node = scene.first()?;
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
}
