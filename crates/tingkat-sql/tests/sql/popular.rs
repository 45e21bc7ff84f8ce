//! What customers want, in both dialects, against the order lines of the data.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tingkat_shop::popularity::{Popularity as _, PostcodeWeights, ProductWeights, Scored, Weights};
use tingkat_sql::demo::Demo;
use tingkat_sql::{Config, Database};

use crate::stores::{DAY, Embedded, Served, config};

/// Both dialects, opened with these weights.
async fn top(weights: Weights, empty: &str, entity: &str, most: usize) -> Vec<Scored> {
    let config = Config {
        weights,
        ..config()
    };
    let (embedded, served) = (Embedded::new().await, Served::new().await);
    for table in empty.split_whitespace() {
        let sql = format!("DELETE FROM {table}");
        served.server.psql(&sql).await.unwrap();
        embedded.run(&sql).await;
    }
    let file = tingkat_sql::Url::sqlite(embedded.path());
    let one = Database::open(&file, &config).await.unwrap();
    let other = Database::open(&served.server.url().parse().unwrap(), &config)
        .await
        .unwrap();
    let one = one.top(entity, most).await.unwrap();
    assert_eq!(one, other.top(entity, most).await.unwrap());
    one
}

/// Back to this point of time, as microseconds since 1970.
fn window_from(micros: i64) -> Duration {
    let since = Timestamp::now().as_microsecond() - micros;
    Duration::from_micros(u64::try_from(since).unwrap())
}

/// A point in the middle of the longest time without any event near the middle of all.
fn cut(mut times: Vec<i64>) -> i64 {
    times.sort_unstable();
    let middle = &times[times.len() / 3..times.len() * 2 / 3];
    let gap = middle
        .windows(2)
        .max_by_key(|pair| pair[1] - pair[0])
        .unwrap();
    assert!(gap[1] - gap[0] > 1_000_000_000);
    i64::midpoint(gap[0], gap[1])
}

fn ranked(scores: HashMap<String, u64>, tie: impl Fn(&str) -> i64) -> Vec<Scored> {
    let wanted = scores.into_iter().filter(|(_, score)| *score > 0);
    let mut ranked: Vec<Scored> = wanted.map(|(key, score)| Scored { key, score }).collect();
    ranked.sort_by_key(|it| (std::cmp::Reverse(it.score), tie(&it.key), it.key.clone()));
    ranked
}

#[tokio::test]
async fn products_rank_by_what_is_bought_wished_for_and_in_carts_within_the_window() {
    let demo = Demo::generate(1958, DAY);
    let placed = demo.orders.iter().map(|order| order.placed_at);
    let added = demo.cart_lines.iter().map(|line| line.added_at);
    let desired = demo.wishlist_lines.iter().map(|line| line.added_at);
    let from = cut(placed.chain(added).chain(desired).collect());
    let counted: BTreeSet<&str> = demo
        .orders
        .iter()
        .filter(|order| order.placed_at >= from)
        .map(|order| order.id.as_str())
        .collect();
    let mut scores: HashMap<String, u64> = HashMap::new();
    let mut add = |id: &str, points| *scores.entry(id.to_owned()).or_default() += points;
    let lines = demo.order_lines.iter();
    lines
        .filter(|line| counted.contains(line.order_id.as_str()))
        .for_each(|line| add(&line.product_id, 5));
    let carts = demo.cart_lines.iter().filter(|line| line.added_at >= from);
    carts.for_each(|line| add(&line.product_id, 2));
    let wishes = demo
        .wishlist_lines
        .iter()
        .filter(|line| line.added_at >= from);
    wishes.for_each(|line| add(&line.product_id, 7));
    let created: HashMap<&str, i64> = demo
        .products
        .iter()
        .map(|row| (row.id.as_str(), row.created_at))
        .collect();
    let expected = ranked(scores, |id| -created[id]);
    assert!(expected.len() > 500);

    let weights = Weights {
        product: ProductWeights {
            orders: 5,
            carts: 2,
            wishes: 7,
            window: window_from(from),
        },
        ..Weights::default()
    };
    assert_eq!(top(weights, "", "product", 10_000).await, expected);
    assert_eq!(top(weights, "", "product", 10).await, expected[..10]);
}

/// What a product is found by is wanted as much as the product.
#[tokio::test]
async fn slugs_and_skus_rank_as_the_products_that_have_them() {
    let demo = Demo::generate(1958, DAY);
    let of = |id: &str| demo.products.iter().find(|row| row.id == id).unwrap();
    // The demo store's day is long ago.
    let ever = Weights {
        product: ProductWeights {
            window: Duration::MAX,
            ..ProductWeights::default()
        },
        ..Weights::default()
    };
    let products = top(ever, "", "product", 250).await;
    let slugs = top(ever, "", "product.slug", 250).await;
    let expected: Vec<Scored> = products
        .iter()
        .map(|product| Scored {
            key: of(&product.key).slug.clone(),
            score: product.score,
        })
        .collect();
    assert_eq!(slugs.len(), 250);
    assert_eq!(slugs, expected);
    let skus = top(ever, "", "product.sku", 10_000).await;
    let place = |sku: &str| skus.iter().position(|scored| scored.key == sku);
    let own: Vec<usize> = products
        .iter()
        .map(|product| place(&of(&product.key).sku).unwrap())
        .collect();
    assert!(own.is_sorted(), "{own:?}");
    let (first, variants) = (&products[0].key, &demo.product_variants);
    let of_first = variants.iter().filter(|row| row.product_id == *first);
    for variant in of_first {
        assert!(place(&variant.sku).unwrap() < own[1], "{}", variant.sku);
    }
    assert!(variants.iter().any(|row| place(&row.sku).is_some()));
    let few = top(ever, "", "product.sku", 7).await;
    assert_eq!(few, skus[..7]);
}

/// The pages that the shop is opened with, and what stands on them.
#[tokio::test]
async fn the_first_pages_come_before_those_of_categories() {
    let demo = Demo::generate(1958, DAY);
    let pages = top(Weights::default(), "", "product.list", 1_000).await;
    let pages: Vec<&str> = pages.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(pages[..2], ["sort=newest", "featured=true&sort=newest"]);
    let tops = demo.categories.iter().filter(|row| row.parent_id.is_none());
    let tops: BTreeSet<String> = tops
        .map(|row| format!("category={}&sort=newest", row.id))
        .collect();
    let found: BTreeSet<String> = pages[6..6 + tops.len()]
        .iter()
        .map(|it| (*it).to_owned())
        .collect();
    assert_eq!(found, tops);
    let popular = top(Weights::default(), "", "product.popular", 3).await;
    assert_eq!(popular[0].key, "sort=popularity");
    assert_eq!(popular.len(), 3);

    let embedded = Embedded::new().await;
    let url = tingkat_sql::Url::sqlite(embedded.path());
    let database = Database::open(&url, &config()).await.unwrap();
    let products = database.front("product", 1_000).await.unwrap();
    let mut newest: Vec<_> = demo
        .products
        .iter()
        .filter(|row| row.status == "active")
        .collect();
    newest.sort_by_key(|row| (-row.created_at, row.id.clone()));
    for row in &newest[..20] {
        assert!(products.contains(&row.id), "{}", row.id);
    }
    let distinct: BTreeSet<&String> = products.iter().collect();
    assert_eq!(distinct.len(), products.len());
    assert_eq!(database.front("product", 7).await.unwrap(), products[..7]);
    let codes = database.front("postcode", 10_000).await.unwrap();
    for state in &demo.states {
        let of_state = demo
            .postcodes
            .iter()
            .filter(|row| row.state_code == state.code);
        let of_state: BTreeSet<&str> = of_state.map(|row| row.code.as_str()).collect();
        for code in of_state.into_iter().take(20) {
            assert!(codes.iter().any(|it| it == code), "{code}");
        }
    }
    assert!(database.front("states", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn postcodes_rank_by_deliveries_and_customers() {
    let demo = Demo::generate(1958, DAY);
    let from = cut(demo.orders.iter().map(|order| order.placed_at).collect());
    let mut scores: HashMap<String, u64> = HashMap::new();
    for order in demo.orders.iter().filter(|order| order.placed_at >= from) {
        *scores.entry(order.delivery_postcode.clone()).or_default() += 3;
    }
    for customer in &demo.customers {
        *scores.entry(customer.postcode.clone()).or_default() += 1;
    }
    let weights = Weights {
        postcode: PostcodeWeights {
            window: window_from(from),
            ..PostcodeWeights::default()
        },
        ..Weights::default()
    };
    let expected = ranked(scores, |_| 0);
    assert!(expected.len() > 50);
    assert_eq!(top(weights, "", "postcode", 10_000).await, expected);
}

#[tokio::test]
async fn without_activity_the_featured_and_one_postcode_of_each_state_stand_for_the_rest() {
    let demo = Demo::generate(1958, DAY);
    let idle = Weights {
        product: ProductWeights {
            window: Duration::from_hours(1),
            ..ProductWeights::default()
        },
        postcode: PostcodeWeights {
            window: Duration::from_hours(1),
            ..PostcodeWeights::default()
        },
    };
    // The demo store's day is long ago.
    let products = top(idle, "", "product", 1_000).await;
    let featured: BTreeSet<&str> = demo
        .products
        .iter()
        .filter(|row| row.featured)
        .map(|row| row.id.as_str())
        .collect();
    assert_eq!(
        products
            .iter()
            .map(|it| it.key.as_str())
            .collect::<BTreeSet<_>>(),
        featured
    );
    assert!(products.iter().all(|it| it.score == 0));

    let empty = "order_line orders cart_line wishlist_line customer";
    let postcodes = top(idle, empty, "postcode", 1_000).await;
    let of: HashMap<&str, &str> = demo
        .postcodes
        .iter()
        .filter(|row| row.position == 0)
        .map(|row| (row.code.as_str(), row.state_code.as_str()))
        .collect();
    let states: Vec<&str> = postcodes.iter().map(|it| of[it.key.as_str()]).collect();
    let mut all: Vec<&str> = demo.states.iter().map(|row| row.code.as_str()).collect();
    all.sort_unstable();
    assert_eq!(states, all);
    assert_eq!(top(idle, empty, "postcode", 3).await, postcodes[..3]);
}

#[tokio::test]
async fn categories_rank_by_their_products_on_sale() {
    let demo = Demo::generate(1958, DAY);
    let mut scores: HashMap<String, u64> = HashMap::new();
    for link in &demo.product_categories {
        *scores.entry(link.category_id.clone()).or_default() += 1;
    }
    let mut expected = ranked(scores, |_| 0);
    let ranked: BTreeSet<&str> = expected.iter().map(|it| it.key.as_str()).collect();
    let all = demo.categories.iter().map(|row| row.id.as_str());
    // The menu counts those as well that have no products themselves.
    let mut others: Vec<&str> = all.filter(|id| !ranked.contains(id)).collect();
    others.sort_unstable();
    let others = others.into_iter().map(|id| Scored {
        key: id.to_owned(),
        score: 0,
    });
    let others: Vec<Scored> = others.collect();
    expected.extend(others);
    assert_eq!(
        top(Weights::default(), "", "category.products", 1_000).await,
        expected
    );
    // Of which there is one entry.
    let states = top(Weights::default(), "", "states", 5).await;
    assert_eq!(states.len(), 1);
    assert_eq!(states[0].key, "all");
    assert!(top(Weights::default(), "", "brand", 5).await.is_empty());
}
