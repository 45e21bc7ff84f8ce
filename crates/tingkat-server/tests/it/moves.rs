//! A product that moves, is renamed, taken off sale or deleted, by transactions that cross others:
//! after the bound no node shows anything old, by whichever look-up.

use std::time::Duration;

use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_testkit::{Redis, postgres};

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::get;

/// Nothing that is asked for so long after a commit may be older than it.
const BOUND: Duration = Duration::from_secs(1);

/// For how long after the bound everything is looked at.
const AFTER: Duration = Duration::from_millis(500);

/// What a node shows of the product, by every way that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is another way to the product"
)]
struct Seen {
    /// By id: its name and its status.
    itself: Option<(String, String)>,
    old_slug: bool,
    new_slug: bool,
    batch: bool,
    in_from: bool,
    in_to: bool,
    /// Among all products on sale in the order of names, under this name.
    listed_as: Option<String>,
    from_counts: u64,
    to_counts: u64,
}

struct Stage {
    id: String,
    old_slug: String,
    from: String,
    to: String,
}

async fn body(node: &Node, path: &str) -> Option<Value> {
    let reply = get(node, path, "").await;
    let stale = reply
        .header("cache-status")
        .unwrap_or_default()
        .contains("stale");
    assert!(!stale, "{path}: {}", reply.whole());
    match reply.status {
        200 => Some(reply.body),
        404 => None,
        _ => panic!("{path}: {}", reply.whole()),
    }
}

impl Stage {
    /// A product that is in one small category, and another small category that it is not in.
    async fn find(node: &Node) -> Self {
        let tree = body(node, "/v1/categories").await.unwrap();
        let leaves = tree["items"].as_array().unwrap().iter();
        let leaves = leaves.flat_map(|root| root["children"].as_array().unwrap());
        let small: Vec<&str> = leaves
            .filter(|leaf| (5..90).contains(&leaf["products"].as_u64().unwrap()))
            .map(|leaf| leaf["id"].as_str().unwrap())
            .collect();
        for from in &small {
            let page = body(node, &format!("/v1/categories/{from}/products?limit=100")).await;
            for product in page.unwrap()["items"].as_array().unwrap() {
                let categories = product["categories"].as_array().unwrap();
                let Some(to) = small.iter().find(|to| *to != from) else {
                    continue;
                };
                if categories.len() == 1 {
                    return Self {
                        id: product["id"].as_str().unwrap().to_owned(),
                        old_slug: product["slug"].as_str().unwrap().to_owned(),
                        from: (*from).to_owned(),
                        to: (*to).to_owned(),
                    };
                }
            }
        }
        panic!("no product is in one small category alone")
    }

    async fn seen(&self, node: &Node) -> Seen {
        let Self {
            id,
            old_slug,
            from,
            to,
        } = self;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let itself = body(node, &format!("/v1/products/{id}")).await;
        let by_slug = async |slug: &str| {
            let found = body(node, &format!("/v1/products?slug={slug}")).await;
            found.is_some_and(|product| product["id"] == **id)
        };
        let batch = body(node, &format!("/v1/products?ids={id},1"))
            .await
            .unwrap();
        let listed = async |category: &str| {
            let path = format!("/v1/categories/{category}/products?limit=100");
            let page = body(node, &path).await.unwrap();
            let mut items = page["items"].as_array().unwrap().iter();
            items.any(|product| product["id"] == **id)
        };
        let counts = async |category: &str| {
            let path = format!("/v1/categories/{category}");
            body(node, &path).await.unwrap()["products"]
                .as_u64()
                .unwrap()
        };
        Seen {
            itself: itself.map(|it| (text(&it["name"]), text(&it["status"]))),
            old_slug: by_slug(old_slug).await,
            new_slug: by_slug("quite-new").await,
            batch: batch["items"].as_array().unwrap().len() == 2,
            in_from: listed(from).await,
            in_to: listed(to).await,
            listed_as: self.first_by_name(node).await,
            from_counts: counts(from).await,
            to_counts: counts(to).await,
        }
    }

    /// Its name, if it is the first product by name.
    async fn first_by_name(&self, node: &Node) -> Option<String> {
        let page = body(node, "/v1/products?sort=name&limit=1").await.unwrap();
        let first = page["items"].as_array().unwrap().first()?;
        (first["id"] == *self.id).then(|| first["name"].as_str().unwrap().to_owned())
    }

    /// Commits a change after another transaction that began later has committed, and looks.
    async fn change(
        &self,
        nodes: &[Node; 2],
        database: &postgres::Database<'_>,
        sql: &str,
        after: &Seen,
    ) {
        let before = self.seen(&nodes[0]).await;
        assert_ne!(before, *after, "{sql}");
        assert_eq!(self.seen(&nodes[1]).await, before, "{sql}");
        let mut slow = database
            .server()
            .session(database.name(), PATIENCE)
            .unwrap();
        slow.run(&format!("BEGIN; {sql};")).await.unwrap();
        // What is loaded now has seen this one, and not the other that began before it.
        database
            .psql("UPDATE product SET name = name || '.' WHERE id = '1'")
            .await
            .unwrap();
        let crossed = SystemClock.now();
        while SystemClock.now().since(crossed) < BOUND {
            for node in nodes {
                assert_eq!(self.seen(node).await, before, "{sql}: not committed yet");
            }
        }
        slow.run("COMMIT;").await.unwrap();
        let committed = SystemClock.now();
        let since = || SystemClock.now().since(committed);
        let mut looked = 0;
        while since() < BOUND + AFTER || looked < 4 {
            assert!(since() < PATIENCE);
            for node in nodes {
                let is_due = since() >= BOUND;
                let seen = self.seen(node).await;
                if is_due {
                    assert_eq!(seen, *after, "{sql}");
                    looked += 1;
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_old_is_left_in_any_look_up_listing_or_batch() {
    let database = installed().await;
    let redis = Redis::start().await.unwrap();
    let node = async || {
        Program::serve(&Folder::new())
            .with("DATABASE_URL", database.url())
            .with("REDIS_URL", redis.url())
            .with("REDIS_KEY_PREFIX", "it:moves:")
            .listening()
            .await
    };
    let nodes = [node().await, node().await];
    nodes[0].sees("redis", "up").await;
    nodes[1].sees("redis", "up").await;
    let stage = Stage::find(&nodes[0]).await;
    let Stage { id, from, to, .. } = &stage;
    let mut seen = stage.seen(&nodes[0]).await;
    assert!(seen.in_from && !seen.in_to && seen.batch && seen.old_slug);

    seen.in_from = false;
    seen.in_to = true;
    seen.from_counts -= 1;
    seen.to_counts += 1;
    let sql = format!(
        "DELETE FROM product_category WHERE product_id = '{id}' AND category_id = '{from}';
         INSERT INTO product_category (product_id, category_id) VALUES ('{id}', '{to}')"
    );
    stage.change(&nodes, &database, &sql, &seen).await;

    seen.old_slug = false;
    seen.new_slug = true;
    seen.itself = Some(("!Quite new".into(), "active".into()));
    seen.listed_as = Some("!Quite new".into());
    let sql =
        format!("UPDATE product SET name = '!Quite new', slug = 'quite-new' WHERE id = '{id}'");
    stage.change(&nodes, &database, &sql, &seen).await;

    let sold = seen.clone();
    seen.itself = Some(("!Quite new".into(), "inactive".into()));
    seen.listed_as = None;
    seen.new_slug = false;
    seen.batch = false;
    seen.in_to = false;
    seen.to_counts -= 1;
    let sql = format!("UPDATE product SET status = 'inactive' WHERE id = '{id}'");
    stage.change(&nodes, &database, &sql, &seen).await;
    let sql = format!("UPDATE product SET status = 'active' WHERE id = '{id}'");
    stage.change(&nodes, &database, &sql, &sold).await;

    seen.itself = None;
    let sql = format!(
        "DELETE FROM order_line WHERE product_id = '{id}'; DELETE FROM product WHERE id = '{id}'"
    );
    stage.change(&nodes, &database, &sql, &seen).await;
}
