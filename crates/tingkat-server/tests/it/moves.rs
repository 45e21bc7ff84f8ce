//! A product that moves, is renamed, hidden, taken off sale or deleted, by transactions that cross others:
//! after the bound no node shows anything old, by whichever look-up.

use std::time::Duration;

use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_testkit::{Postgres, Redis, postgres};

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
    /// The categories that its page shows.
    shown_in: Vec<String>,
    old_slug: bool,
    new_slug: bool,
    old_sku: bool,
    new_sku: bool,
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
    old_sku: String,
    from: String,
    to: String,
    /// The category that `to` is under, and whether `from` is as well.
    above: String,
    is_above_both: bool,
    layout: &'static Layout,
}

/// How the tables of a store are written to.
struct Layout {
    preset: &'static str,
    /// Renames another product than the one that is looked at.
    crosses: &'static str,
    moves: fn(&Stage) -> String,
    renames: fn(&Stage) -> String,
    /// Shows the category above, or does not; nothing where all of them are shown.
    shows: Option<fn(&Stage, bool) -> String>,
    sells: fn(&Stage, bool) -> String,
    deletes: fn(&Stage) -> String,
}

const TINGKAT: Layout = Layout {
    preset: "tingkat",
    crosses: "UPDATE product SET name = name || '.' WHERE id = '1'",
    moves: |Stage { id, from, to, .. }| {
        format!(
            "DELETE FROM product_category WHERE product_id = '{id}' AND category_id = '{from}';
             INSERT INTO product_category (product_id, category_id) VALUES ('{id}', '{to}')"
        )
    },
    renames: |Stage { id, .. }| {
        format!(
            "UPDATE product SET name = '!Quite new', slug = 'quite-new', sku = 'QUITE-NEW' \
             WHERE id = '{id}'"
        )
    },
    shows: Some(|Stage { above, .. }, is_shown| {
        format!("UPDATE category SET active = {is_shown} WHERE id = '{above}'")
    }),
    sells: |Stage { id, .. }, is_sold| {
        let status = if is_sold { "active" } else { "inactive" };
        format!("UPDATE product SET status = '{status}' WHERE id = '{id}'")
    },
    deletes: |Stage { id, .. }| {
        format!(
            "DELETE FROM order_line WHERE product_id = '{id}'; DELETE FROM product WHERE id = '{id}'"
        )
    },
};

const PRISMA: Layout = Layout {
    preset: "prisma",
    crosses: "UPDATE products SET name = name || '.' WHERE id = '1'",
    moves: |Stage { id, from, to, .. }| {
        format!(
            r#"UPDATE product_categories SET "categoryId" = '{to}'
               WHERE "productId" = '{id}' AND "categoryId" = '{from}'"#
        )
    },
    renames: |Stage { id, .. }| {
        format!(
            "UPDATE products SET name = '!Quite new', slug = 'quite-new', sku = 'QUITE-NEW' \
             WHERE id = '{id}'"
        )
    },
    shows: None,
    sells: |Stage { id, .. }, is_sold| {
        let status = if is_sold { "ACTIVE" } else { "INACTIVE" };
        format!("UPDATE products SET status = '{status}' WHERE id = '{id}'")
    },
    deletes: |Stage { id, .. }| format!("DELETE FROM products WHERE id = '{id}'"),
};

/// A Prisma storefront with twenty products in two categories.
const STOREFRONT: &str = r#"
    INSERT INTO categories (id, name, slug, "parentId") VALUES
      ('kitchen', 'Kitchen', 'kitchen', NULL), ('cups', 'Cups', 'cups', 'kitchen'),
      ('bowls', 'Bowls', 'bowls', 'kitchen');
    INSERT INTO products (id, name, slug, sku, status, "regularPrice", "memberPrice", "createdAt", "updatedAt")
    SELECT n::text, 'Product ' || n, 'product-' || n, 'S' || n, 'ACTIVE', 2, 1,
      timestamp '2026-01-01' + n * interval '1 day', '2026-01-01'
    FROM generate_series(1, 20) AS n;
    INSERT INTO product_categories (id, "productId", "categoryId")
    SELECT n::text, n::text, CASE WHEN n > 10 THEN 'bowls' ELSE 'cups' END FROM generate_series(1, 20) AS n;
"#;

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
    async fn find(node: &Node, layout: &'static Layout) -> Self {
        let tree = body(node, "/v1/categories").await.unwrap();
        let mut small: Vec<(&str, &str)> = Vec::new();
        for root in tree["items"].as_array().unwrap() {
            for leaf in root["children"].as_array().unwrap() {
                if (5..90).contains(&leaf["products"].as_u64().unwrap()) {
                    small.push((leaf["id"].as_str().unwrap(), root["id"].as_str().unwrap()));
                }
            }
        }
        for (from, from_above) in &small {
            let page = body(node, &format!("/v1/categories/{from}/products?limit=100")).await;
            for product in page.unwrap()["items"].as_array().unwrap() {
                let categories = product["categories"].as_array().unwrap();
                let Some((to, above)) = small.iter().find(|(to, _)| to != from) else {
                    continue;
                };
                if categories.len() == 1 && product["id"] != "1" {
                    return Self {
                        id: product["id"].as_str().unwrap().to_owned(),
                        old_slug: product["slug"].as_str().unwrap().to_owned(),
                        old_sku: product["sku"].as_str().unwrap().to_owned(),
                        from: (*from).to_owned(),
                        to: (*to).to_owned(),
                        above: (*above).to_owned(),
                        is_above_both: above == from_above,
                        layout,
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
            old_sku,
            from,
            to,
            ..
        } = self;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let itself = body(node, &format!("/v1/products/{id}")).await;
        let shown_in = itself
            .iter()
            .flat_map(|it| it["categories"].as_array().unwrap());
        let shown_in = shown_in.map(|category| text(&category["id"])).collect();
        let by = async |name: &str, value: &str| {
            let found = body(node, &format!("/v1/products?{name}={value}")).await;
            found.is_some_and(|product| product["id"] == **id)
        };
        let batch = body(node, &format!("/v1/products?ids={id},1"))
            .await
            .unwrap();
        let listed = async |category: &str| {
            let path = format!("/v1/categories/{category}/products?limit=100");
            // A hidden category has no page.
            let page = body(node, &path).await;
            let items = page
                .iter()
                .flat_map(|page| page["items"].as_array().unwrap());
            items.into_iter().any(|product| product["id"] == **id)
        };
        let counts = async |category: &str| {
            let path = format!("/v1/categories/{category}");
            let category = body(node, &path).await;
            category.map_or(0, |category| category["products"].as_u64().unwrap())
        };
        Seen {
            itself: itself.map(|it| (text(&it["name"]), text(&it["status"]))),
            shown_in,
            old_slug: by("slug", old_slug).await,
            new_slug: by("slug", "quite-new").await,
            old_sku: by("sku", old_sku).await,
            new_sku: by("sku", "QUITE-NEW").await,
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
        database.psql(self.layout.crosses).await.unwrap();
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

/// What happens to the product, one change after another.
async fn play(layout: &'static Layout, database: &postgres::Database<'_>) {
    let redis = Redis::start().await.unwrap();
    let node = async || {
        Program::serve(&Folder::new())
            .with("DATABASE_URL", database.url())
            .with("TINGKAT__SOURCE__PRESET", layout.preset)
            .with("REDIS_URL", redis.url())
            .with("REDIS_KEY_PREFIX", "it:moves:")
            .listening()
            .await
    };
    let nodes = [node().await, node().await];
    nodes[0].sees("redis", "up").await;
    nodes[1].sees("redis", "up").await;
    let stage = Stage::find(&nodes[0], layout).await;
    let change = async |sql: String, after: &Seen| {
        stage.change(&nodes, database, &sql, after).await;
    };
    let mut seen = stage.seen(&nodes[0]).await;
    assert!(seen.in_from && !seen.in_to && seen.batch && seen.old_slug && seen.old_sku);

    seen.in_from = false;
    seen.in_to = true;
    seen.shown_in = vec![stage.to.clone()];
    seen.from_counts -= 1;
    seen.to_counts += 1;
    change((layout.moves)(&stage), &seen).await;

    (seen.old_slug, seen.new_slug) = (false, true);
    (seen.old_sku, seen.new_sku) = (false, true);
    seen.itself = Some(("!Quite new".into(), "active".into()));
    seen.listed_as = Some("!Quite new".into());
    change((layout.renames)(&stage), &seen).await;

    let sold = seen.clone();
    if let Some(shows) = layout.shows {
        seen.in_to = false;
        seen.shown_in = Vec::new();
        seen.to_counts = 0;
        if stage.is_above_both {
            seen.from_counts = 0;
        }
        change(shows(&stage, false), &seen).await;
        change(shows(&stage, true), &sold).await;
        seen = sold.clone();
    }

    seen.itself = Some(("!Quite new".into(), "inactive".into()));
    seen.listed_as = None;
    seen.new_slug = false;
    seen.batch = false;
    seen.in_to = false;
    seen.to_counts -= 1;
    change((layout.sells)(&stage, false), &seen).await;
    change((layout.sells)(&stage, true), &sold).await;

    seen.itself = None;
    seen.new_sku = false;
    seen.shown_in = Vec::new();
    change((layout.deletes)(&stage), &seen).await;
}

#[tokio::test]
async fn nothing_old_is_left_in_any_look_up_listing_or_batch() {
    play(&TINGKAT, &installed().await).await;
}

#[tokio::test]
async fn nothing_old_is_left_of_a_prisma_storefront() {
    let database = Postgres::shared().await.unwrap();
    database.psql(postgres::PRISMA_STORE).await.unwrap();
    database.psql(STOREFRONT).await.unwrap();
    let ended = Program::new(&Folder::new(), &["schema", "install"])
        .with("DATABASE_URL", database.url())
        .with("TINGKAT__SOURCE__PRESET", PRISMA.preset)
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    play(&PRISMA, &database).await;
}
