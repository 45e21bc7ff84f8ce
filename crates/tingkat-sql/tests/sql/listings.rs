//! Listings and counts in both dialects, against what the demo store's rows say.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use sqlx::{ConnectOptions as _, Executor as _};
use tingkat::certificate::Dep;
use tingkat::key::Key as _;
use tingkat::ports::{Found, Loaded, Source};
use tingkat_shop::All;
use tingkat_shop::category::CategoryId;
use tingkat_shop::popularity::{ProductWeights, Weights};
use tingkat_shop::product::listing::{Listing, ListingKey, Place, Popular, Sorted};
use tingkat_sql::demo::{Demo, ProductRow};
use tingkat_sql::{Config, Database, Url};
use tingkat_testkit::postgres;

use crate::stores::{Served, config, load, parsed, values};

/// The demo store in both dialects, and its rows. Its orders are old by now: all of them count.
struct Stores {
    embedded: Database,
    served: Database,
    server: postgres::Database<'static>,
    folder: tempfile::TempDir,
    demo: Demo,
}

impl Stores {
    async fn new() -> Self {
        let weights = Weights {
            product: ProductWeights {
                window: Duration::from_hours(24 * 36_500),
                ..ProductWeights::default()
            },
            ..Weights::default()
        };
        let config = Config {
            weights,
            ..config()
        };
        let folder = tempfile::tempdir().unwrap();
        let url = Url::sqlite(folder.path().join("store.db"));
        let embedded = Database::open(&url, &config).await.unwrap();
        let Served { database, server } = Served::new().await;
        database.close().await;
        let url = server.url().parse().unwrap();
        let served = Database::open(&url, &config).await.unwrap();
        let seed = 1958;
        Self {
            embedded,
            served,
            server,
            folder,
            demo: Demo::generate(seed, crate::stores::DAY),
        }
    }

    /// Runs a statement that both dialects understand; `{+60}` is a minute from now.
    async fn run(&self, sql: &str) {
        let (mut sqlite, mut postgres) = (String::new(), String::new());
        for (index, part) in sql.split(['{', '}']).enumerate() {
            if index % 2 == 0 {
                sqlite.push_str(part);
                postgres.push_str(part);
            } else {
                write!(sqlite, "(unixepoch() {part}) * 1000000").unwrap();
                write!(postgres, "now() + interval '{part} seconds'").unwrap();
            }
        }
        let file = self.folder.path().join("store.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection = options.connect().await.unwrap();
        let statement = sqlx::AssertSqlSafe(sqlite);
        connection.execute(statement).await.unwrap();
        self.server.psql(&postgres).await.unwrap();
    }

    fn databases(&self) -> [&Database; 2] {
        [&self.embedded, &self.served]
    }

    /// The same pages of both databases.
    async fn page(&self, text: &str) -> (Vec<String>, bool, Loaded<Listing>) {
        let mut pages = Vec::new();
        for database in self.databases() {
            pages.push(page(database, text).await);
        }
        let [one, other] = [&pages[0], &pages[1]];
        assert_eq!(places(one), places(other), "{text}");
        let deps = |page: &Loaded<Listing>| -> BTreeSet<String> {
            page.deps.iter().map(ToString::to_string).collect()
        };
        assert_eq!(deps(one), deps(other), "{text}");
        let page = pages.swap_remove(0);
        let Listing { places, more } = places(&page);
        let ids = places.iter().map(|place| place.3.to_string()).collect();
        (ids, more, page)
    }

    /// All pages one after another, from the place where each ended.
    async fn all(&self, filter: &str, sort: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let mut text = format!("{filter}sort={sort}");
        loop {
            let (page, more, loaded) = self.page(&text).await;
            assert!(page.len() <= 100);
            assert!(!more || page.len() == 100);
            ids.extend(page);
            let last = places(&loaded).places.pop();
            let Some(Place(first, second, name, id)) = last.filter(|_| more) else {
                return ids;
            };
            let name = percent(&name);
            text = format!("{filter}after={sort}.{first}.{second}.{id}.{name}");
        }
    }
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| char::from(byte).is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

pub(crate) fn places(page: &Loaded<Listing>) -> Listing {
    let Found::Value(listing) = &page.found else {
        panic!("no listing: {:?}", page.found)
    };
    listing.clone()
}

pub(crate) async fn page(database: &Database, text: &str) -> Loaded<Listing> {
    let key = ListingKey::parse(text).unwrap();
    let sources = database.sources();
    if key.sort().name() == "popularity" {
        one(&*sources.popular, key, |Popular(listing)| listing).await
    } else {
        one(&*sources.listings, key, |Sorted(listing)| listing).await
    }
}

async fn one<L: 'static>(
    source: &dyn Source<ListingKey, L>,
    key: ListingKey,
    plain: fn(L) -> Listing,
) -> Loaded<Listing> {
    let loaded = load(source, [key]).await.unwrap().remove(0);
    let Found::Value(listing) = loaded.found else {
        panic!("a page is never absent")
    };
    Loaded {
        found: Found::Value(plain(listing)),
        deps: loaded.deps,
        fresh_for: loaded.fresh_for,
        changes_in: loaded.changes_in,
        placement: loaded.placement,
    }
}

/// A category and what is under it.
fn branch(demo: &Demo, root: &str) -> BTreeSet<String> {
    let rows = &demo.categories;
    let under = rows
        .iter()
        .filter(|row| row.parent_id.as_deref() == Some(root));
    under
        .map(|row| row.id.clone())
        .chain([root.to_owned()])
        .collect()
}

fn members(demo: &Demo, root: &str) -> BTreeSet<String> {
    let branch = branch(demo, root);
    let links = demo.product_categories.iter();
    links
        .filter(|link| branch.contains(&link.category_id))
        .map(|link| link.product_id.clone())
        .collect()
}

fn scores(demo: &Demo) -> HashMap<String, i64> {
    let mut scores = HashMap::new();
    let mut add = |id: &str, points| *scores.entry(id.to_owned()).or_default() += points;
    demo.order_lines
        .iter()
        .for_each(|line| add(&line.product_id, 3));
    demo.cart_lines
        .iter()
        .for_each(|line| add(&line.product_id, 2));
    demo.wishlist_lines
        .iter()
        .for_each(|line| add(&line.product_id, 1));
    scores
}

/// The ids of rows in an order.
fn ordered<'a, K: Ord>(
    rows: impl IntoIterator<Item = &'a ProductRow>,
    key: impl Fn(&ProductRow) -> K,
) -> Vec<String> {
    let mut rows: Vec<&ProductRow> = rows.into_iter().collect();
    rows.sort_by_key(|row| (key(row), row.id.clone()));
    rows.into_iter().map(|row| row.id.clone()).collect()
}

#[tokio::test]
async fn each_order_is_that_of_the_rows_in_both_dialects() {
    let stores = Stores::new().await;
    let products = &stores.demo.products;
    let points = scores(&stores.demo);
    let score = |row: &ProductRow| points.get(&row.id).copied().unwrap_or_default();
    assert!(points.len() > 1_000);
    let newest = ordered(products, |row| Reverse(row.created_at));
    assert_eq!(stores.all("", "newest").await, newest);
    // No promotion of the demo store's day runs today.
    let cheapest = ordered(products, |row| row.regular_price);
    assert_eq!(stores.all("", "price").await, cheapest);
    let dearest = ordered(products, |row| Reverse(row.regular_price));
    assert_eq!(stores.all("", "-price").await, dearest);
    let by_name = ordered(products, |row| row.name.to_ascii_lowercase());
    assert_eq!(stores.all("", "name").await, by_name);
    let popular = ordered(products, |row| {
        (Reverse(score(row)), Reverse(row.created_at))
    });
    assert_eq!(stores.all("", "popularity").await, popular);
}

#[tokio::test]
async fn filters_narrow_each_other_down_in_both_dialects() {
    let stores = Stores::new().await;
    let products = &stores.demo.products;
    let root = &stores.demo.categories[0];
    assert_eq!(root.parent_id, None);
    let members = members(&stores.demo, &root.id);
    assert!(members.len() > 100);
    let within = || products.iter().filter(|row| members.contains(&row.id));
    let newest = ordered(within(), |row| Reverse(row.created_at));
    let filter = format!("category={}&", root.id);
    assert_eq!(stores.all(&filter, "newest").await, newest);
    let featured = ordered(products.iter().filter(|row| row.featured), |row| {
        row.regular_price
    });
    assert_eq!(featured.len(), 40);
    assert_eq!(stores.all("featured=true&", "price").await, featured);
    let plain = within().filter(|row| !row.featured);
    let plain = ordered(plain, |row| row.name.to_ascii_lowercase());
    let filter = format!("{filter}featured=false&");
    assert_eq!(stores.all(&filter, "name").await, plain);
    assert_eq!(stores.all("category=none&", "newest").await, [""; 0]);

    // What it must depend on is what it looked into.
    let (.., page) = stores
        .page(&format!("category={}&sort=newest", root.id))
        .await;
    for id in branch(&stores.demo, &root.id) {
        assert!(
            page.deps.contains(&Dep::of_key("category.members", &id)),
            "{id}"
        );
        assert!(page.deps.contains(&Dep::of_key("category", &id)), "{id}");
    }
}

#[tokio::test]
async fn only_products_on_sale_are_listed() {
    let stores = Stores::new().await;
    let (before, ..) = stores.page("sort=newest").await;
    let id = &before[0];
    stores
        .run(&format!(
            "UPDATE product SET status = 'draft' WHERE id = '{id}'"
        ))
        .await;
    let (after, ..) = stores.page("sort=newest").await;
    assert_eq!(after[..99], before[1..]);
}

#[tokio::test]
async fn promotions_decide_by_the_time_of_the_load() {
    let stores = Stores::new().await;
    stores
        .run("UPDATE product SET promotional_price = NULL")
        .await;
    let promote = |id: &str, price: i64, from: &str, to: &str| {
        let from = if from.is_empty() {
            "NULL".to_owned()
        } else {
            format!("{{{from}}}")
        };
        let to = if to.is_empty() {
            "NULL".to_owned()
        } else {
            format!("{{{to}}}")
        };
        format!(
            "UPDATE product SET regular_price = 5, member_price = 5, promotional_price = {price},
             promotion_starts_at = {from}, promotion_ends_at = {to} WHERE id = '{id}'"
        )
    };
    for sql in [
        promote("1", 1, "-60", "+3600"),
        promote("2", 2, "", ""),
        // Over, yet to come, and dearer than without it.
        promote("3", 1, "-60", "-30"),
        promote("4", 1, "+600", "+1200"),
        promote("5", 9, "-60", "+60"),
    ] {
        stores.run(&sql).await;
    }
    let (ids, _, page) = stores.page("promoted=true&sort=price").await;
    assert_eq!(ids, ["1", "2"]);
    // The one to come is the next that changes the page.
    let changes_in = page.changes_in.unwrap();
    assert!(
        changes_in > Duration::from_secs(500) && changes_in <= Duration::from_secs(601),
        "{changes_in:?}"
    );
    let (ids, _, page) = stores.page("sort=price").await;
    assert_eq!(ids[..2], ["1", "2"]);
    assert!(page.changes_in.is_some());
    let (ids, ..) = stores.page("promoted=false&sort=price").await;
    assert_eq!(ids[..3], ["3", "4", "5"]);
    // Which are the newest does not depend on any promotion.
    let (.., page) = stores.page("sort=newest").await;
    assert_eq!(page.changes_in, None);
}

#[tokio::test]
async fn hidden_categories_and_circles_end_nowhere() {
    let stores = Stores::new().await;
    let demo = &stores.demo;
    let root = &demo.categories[0].id;
    let leaves = branch(demo, root);
    let hidden = leaves.iter().find(|id| *id != root).unwrap();
    stores
        .run(&format!(
            "UPDATE category SET active = false WHERE id = '{hidden}'"
        ))
        .await;
    let links = demo.product_categories.iter();
    let left: BTreeSet<String> = links
        .filter(|link| leaves.contains(&link.category_id) && link.category_id != *hidden)
        .map(|link| link.product_id.clone())
        .collect();
    let listed: BTreeSet<String> = stores
        .all(&format!("category={root}&"), "newest")
        .await
        .into_iter()
        .collect();
    assert_eq!(listed, left);
    assert_eq!(
        stores.all(&format!("category={hidden}&"), "newest").await,
        [""; 0]
    );
    for database in stores.databases() {
        let sources = database.sources();
        let ids: [CategoryId; 3] = [parsed(root), parsed(hidden), parsed("none")];
        let counts = values(&*sources.category_counts, ids).await;
        let counts: Vec<u64> = counts.iter().map(|count| count.0).collect();
        assert_eq!(counts, [u64::try_from(left.len()).unwrap(), 0, 0]);
        let tree = values(&*sources.categories, [All]).await.remove(0);
        assert!(tree.find(&parsed(root)).is_some());
        assert!(tree.find(&parsed(hidden)).is_none());
    }
    // A circle that hangs on nothing.
    stores
        .run("INSERT INTO category (id, slug, name) VALUES ('loop-1', 'loop-1', 'A'), ('loop-2', 'loop-2', 'B')")
        .await;
    stores
        .run("UPDATE category SET parent_id = 'loop-1' WHERE id = 'loop-2'")
        .await;
    stores
        .run("UPDATE category SET parent_id = 'loop-2' WHERE id = 'loop-1'")
        .await;
    assert_eq!(stores.all("category=loop-1&", "newest").await, [""; 0]);
}

#[tokio::test]
async fn each_category_counts_its_products_once() {
    let stores = Stores::new().await;
    let demo = &stores.demo;
    let ids: Vec<&str> = demo.categories.iter().map(|row| row.id.as_str()).collect();
    let expected: Vec<u64> = ids
        .iter()
        .map(|id| u64::try_from(members(demo, id).len()).unwrap())
        .collect();
    assert!(expected.iter().all(|count| *count > 0));
    for database in stores.databases() {
        let sources = database.sources();
        let keys = ids.iter().map(|id| parsed::<CategoryId>(id));
        let counts = values(&*sources.category_counts, keys).await;
        assert_eq!(
            counts.iter().map(|count| count.0).collect::<Vec<_>>(),
            expected
        );
        let tree = values(&*sources.categories, [All]).await.remove(0);
        assert_eq!(tree.all().len(), ids.len());
    }
}

#[tokio::test]
async fn a_batch_answers_each_page_by_itself() {
    let stores = Stores::new().await;
    let texts = [
        "sort=price",
        "featured=true&sort=name",
        "category=c2&sort=newest",
        "sort=-price",
    ];
    for database in stores.databases() {
        let keys = texts.map(|text| ListingKey::parse(text).unwrap());
        let pages = load(&*database.sources().listings, keys).await.unwrap();
        for (text, loaded) in texts.iter().zip(pages) {
            let Found::Value(Sorted(listing)) = loaded.found else {
                panic!("{text}")
            };
            let alone = page(database, text).await;
            assert_eq!(listing, places(&alone), "{text}");
        }
    }
}

/// The product that is in a category, as a source loads it: the names of its categories, and its deps.
async fn shown(database: &Database, id: &str) -> (Vec<String>, BTreeSet<String>) {
    let products = database.sources().products;
    let loaded = load(&*products, [parsed(id)]).await.unwrap().remove(0);
    let deps = loaded.deps.iter().map(ToString::to_string).collect();
    let Found::Value(product) = loaded.found else {
        panic!("{id} is no product")
    };
    let categories = product.categories.into_iter().map(|category| category.id);
    (categories.collect(), deps)
}

#[tokio::test]
async fn what_is_under_a_hidden_category_is_shown_nowhere() {
    let stores = Stores::new().await;
    stores
        .run(
            "INSERT INTO category (id, parent_id, slug, name) VALUES
               ('top', NULL, 'top', 'Top'), ('mid', 'top', 'mid', 'Mid'), ('low', 'mid', 'low', 'Low')",
        )
        .await;
    stores
        .run("INSERT INTO product_category (product_id, category_id) VALUES ('7', 'low'), ('8', 'mid')")
        .await;
    stores
        .run("DELETE FROM product_category WHERE product_id = '7' AND category_id <> 'low'")
        .await;
    let above = ["category:mid", "category:top"].map(ToOwned::to_owned);
    for (change, is_shown) in [
        ("UPDATE category SET name = name WHERE id = 'top'", true),
        ("UPDATE category SET active = false WHERE id = 'top'", false),
        ("UPDATE category SET active = true WHERE id = 'top'", true),
        (
            "UPDATE category SET parent_id = 'low' WHERE id = 'top'",
            false,
        ),
        (
            "UPDATE category SET parent_id = NULL WHERE id = 'top'",
            true,
        ),
        ("UPDATE category SET active = false WHERE id = 'mid'", false),
    ] {
        stores.run(change).await;
        let listed = if is_shown { vec!["7", "8"] } else { vec![] };
        for category in ["low", "mid", "top"] {
            let listed = listed.get(..if category == "low" { 1 } else { 2 });
            let mut found = stores.all(&format!("category={category}&"), "newest").await;
            found.sort();
            // What is above the hidden one is shown, without what is under it.
            assert_eq!(found, listed.unwrap_or_default(), "{change}: {category}");
        }
        for database in stores.databases() {
            let sources = database.sources();
            let ids: [CategoryId; 3] = ["low", "mid", "top"].map(parsed);
            let counts = values(&*sources.category_counts, ids.clone()).await;
            let counts: Vec<u64> = counts.iter().map(|count| count.0).collect();
            let expected = if is_shown { [1, 2, 2] } else { [0, 0, 0] };
            assert_eq!(counts, expected, "{change}");
            let tree = values(&*sources.categories, [All]).await.remove(0);
            assert_eq!(tree.find(&ids[0]).is_some(), is_shown, "{change}");
            let way = if is_shown { 3 } else { 0 };
            assert_eq!(tree.path(&ids[0]).len(), way, "{change}");
            let (categories, deps) = shown(database, "7").await;
            let expected: &[&str] = if is_shown { &["low"] } else { &[] };
            assert_eq!(categories, expected, "{change}");
            // Whoever hides or shows one of them again, refuses the product.
            assert!(deps.is_superset(&BTreeSet::from(above.clone())), "{deps:?}");
            assert_eq!(deps.contains("category:low"), !is_shown, "{deps:?}");
        }
    }
}

/// How deep the tree is shown is said in Rust and in SQL.
#[tokio::test]
async fn what_is_too_deep_for_the_tree_is_listed_nowhere() {
    let stores = Stores::new().await;
    let rows: Vec<String> = (0..40)
        .map(|depth| match depth {
            0 => "('d0', NULL, 'd0', 'D')".to_owned(),
            _ => format!("('d{depth}', 'd{}', 'd{depth}', 'D')", depth - 1),
        })
        .collect();
    let rows = rows.join(", ");
    stores
        .run(&format!(
            "INSERT INTO category (id, parent_id, slug, name) VALUES {rows}"
        ))
        .await;
    stores
        .run("DELETE FROM product_category WHERE product_id IN ('7', '8')")
        .await;
    stores
        .run("INSERT INTO product_category (product_id, category_id) VALUES ('7', 'd32'), ('8', 'd33')")
        .await;
    assert_eq!(stores.all("category=d0&", "newest").await, ["7"]);
    assert_eq!(stores.all("category=d33&", "newest").await, [""; 0]);
    for database in stores.databases() {
        let sources = database.sources();
        let ids: [CategoryId; 3] = ["d0", "d32", "d33"].map(parsed);
        let counts = values(&*sources.category_counts, ids.clone()).await;
        let counts: Vec<u64> = counts.iter().map(|count| count.0).collect();
        assert_eq!(counts, [1, 1, 0]);
        let tree = values(&*sources.categories, [All]).await.remove(0);
        assert!(tree.find(&ids[1]).is_some() && tree.find(&ids[2]).is_none());
        assert_eq!(shown(database, "7").await.0, ["d32"]);
        assert_eq!(shown(database, "8").await.0, [""; 0]);
    }
}
