//! Products: what is answered is what the store has, by whichever route.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::Found;
use super::each::on_every_node;
use super::end::{End, failed, must, skipped};
use super::node::{Node, pause};
use super::ports::StoredProduct;
use super::postcodes::problem;
use super::scene::{Scene, number, text};

/// An answer and the row are compared so often while others change it.
pub(super) const ATTEMPTS: usize = 5;

pub(super) const SOME: usize = 8;

/// A node may be so far behind what was read a moment ago.
pub(super) const BEHIND: Duration = Duration::from_millis(300);

/// Products are what the database has.
pub(super) async fn true_to_the_store(scene: &Scene) -> Found {
    let rows = scene.store()?.products(&[], SOME * 3).await?;
    if rows.is_empty() {
        return skipped("the store has no product on sale");
    }
    on_every_node(scene, async |node| {
        for row in &rows {
            is_true(scene, node, &row.id).await?;
        }
        Ok(format!("{} products", rows.len()))
    })
    .await
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
    let own = json!({
        "id": row.id,
        "sku": row.sku,
        "slug": row.slug,
        "name": row.name,
        "regular_price": { "amount": row.regular_price },
        "member_price": { "amount": row.member_price },
        "stock_quantity": row.stock_quantity,
    });
    let members = [&own, &row.shows].map(Value::as_object);
    let members = members.into_iter().flatten().flatten();
    let odd = members.filter_map(|(name, stored)| {
        let told = answer.get(name).unwrap_or(&Value::Null);
        (!shows(told, stored)).then(|| format!("{name} is {stored} and is answered as {told}"))
    });
    let mut odd: Vec<String> = odd.collect();
    odd.extend(wrong_price(answer, row));
    (!odd.is_empty()).then(|| format!("product {}: {}", row.id, odd.join(", ")))
}

/// Whether an answer shows what is stored: times are microseconds there, and an object may have more
/// members than are known.
fn shows(told: &Value, stored: &Value) -> bool {
    match (told, stored) {
        (Value::String(text), Value::Number(micros)) => {
            let told = text.parse::<Timestamp>().map(Timestamp::as_microsecond);
            told.ok() == micros.as_i64()
        }
        (Value::Object(told), Value::Object(stored)) => stored
            .iter()
            .all(|(name, stored)| shows(told.get(name).unwrap_or(&Value::Null), stored)),
        (Value::Array(told), Value::Array(stored)) => {
            told.len() == stored.len() && told.iter().zip(stored).all(|(a, b)| shows(a, b))
        }
        (told, stored) => told == stored,
    }
}

/// What a guest pays is the regular price, or a lower one for a while; which of them it is now, the clock
/// of the node decides.
fn wrong_price(answer: &Value, row: &StoredProduct) -> Option<String> {
    let told = number(answer, "/price/amount");
    let lower = number(&row.shows, "/promotional_price/amount");
    let may_be = [Some(row.regular_price), lower];
    let is_one = told.is_some() && may_be.contains(&told);
    (!is_one).then(|| format!("price is one of {may_be:?} and is answered as {told:?}"))
}

/// A product is the same by every way to it.
pub(super) async fn ways(scene: &Scene) -> Found {
    let ids = scene.some_products().await?;
    let ids: Vec<&str> = ids.iter().take(SOME).map(String::as_str).collect();
    on_every_node(scene, async |node| ways_of(node, &ids).await).await
}

async fn ways_of(node: &Node, ids: &[&str]) -> Found {
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
    on_every_node(scene, async |node| {
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
    })
    .await
}

/// A client that has the answer is not sent it again.
pub(super) async fn revalidation(scene: &Scene) -> Found {
    let ids = scene.some_products().await?;
    on_every_node(scene, async |node| {
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
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> StoredProduct {
        StoredProduct {
            id: "1".to_owned(),
            sku: "A-1".to_owned(),
            slug: "rice".to_owned(),
            name: "Rice".to_owned(),
            regular_price: 500,
            member_price: 450,
            stock_quantity: 7,
            shows: json!({
                "description": "White",
                "promotional_price": { "amount": 400, "currency": "MYR" },
                "promotion": { "starts_at": null, "ends_at": 1_500_000 },
                "categories": [{ "id": "c", "name": "Staples" }],
                "updated_at": 2_000_000,
            }),
        }
    }

    fn answer() -> Value {
        json!({
            "id": "1",
            "sku": "A-1",
            "slug": "rice",
            "name": "Rice",
            "regular_price": { "amount": 500, "currency": "MYR" },
            "member_price": { "amount": 450, "currency": "MYR" },
            "stock_quantity": 7,
            "price": { "amount": 400, "currency": "MYR" },
            "description": "White",
            "promotional_price": { "amount": 400, "currency": "MYR" },
            "promotion": { "starts_at": null, "ends_at": "1970-01-01T00:00:01.5Z" },
            "categories": [{ "id": "c", "slug": "staples", "name": "Staples" }],
            "updated_at": "1970-01-01T00:00:02Z",
        })
    }

    #[test]
    fn whatever_a_page_shows_otherwise_than_the_row_is_told() {
        assert_eq!(agrees(&answer(), &row()), None);
        for (at, other) in [
            ("/stock_quantity", json!(8)),
            ("/regular_price/amount", json!(501)),
            ("/price/amount", json!(450)),
            ("/description", json!("Brown")),
            ("/promotional_price", Value::Null),
            ("/promotion/ends_at", json!("1970-01-01T00:00:01Z")),
            ("/promotion/ends_at", Value::Null),
            ("/categories/0/name", json!("Rice")),
            ("/categories", json!([])),
            ("/updated_at", json!("1970-01-01T00:00:03Z")),
            ("/updated_at", json!("today")),
        ] {
            let mut answer = answer();
            *answer.pointer_mut(at).unwrap() = other;
            let told = agrees(&answer, &row()).unwrap();
            let member = at.split('/').nth(1).unwrap();
            assert!(told.contains(member), "{at}: {told}");
        }
    }
}
