//! What warming by the orders of the first days is worth to the customers of the following ones.

use std::collections::{BTreeMap, HashSet};

use tingkat::warm::{Limits, Plan, PlanEntity, Warmer};
use tingkat::{Key as _, Node};
use tingkat_shop::Shop;
use tingkat_shop::popularity::{Popularity as _, ProductWeights, Weights};
use tingkat_shop::product::ProductId;
use tingkat_sql::demo::Demo;
use tingkat_sql::{Config, Database, Url};
use tokio_util::sync::CancellationToken;

use crate::stores::{DAY, Embedded, config};

const SIZES: [usize; 4] = [50, 200, 500, 1_000];

/// Of the look-ups of following days: those that the first customer finds warm.
struct Hits {
    /// Of all look-ups, where nothing but what was warmed is in the tiers.
    all: usize,
    /// Of the first look-ups of each product.
    first: usize,
}

/// Products in the order in which they are looked up, each by a line of an order.
struct Days {
    /// The orders that are known when it is warmed, and those that come after.
    cut: i64,
    following: Vec<String>,
}

impl Days {
    /// Two thirds of the days come first.
    fn of(demo: &Demo) -> Self {
        let placed: BTreeMap<&str, i64> = demo
            .orders
            .iter()
            .map(|order| (order.id.as_str(), order.placed_at))
            .collect();
        let days: Vec<i64> = placed.values().map(|at| at / 86_400_000_000).collect();
        let days: std::collections::BTreeSet<i64> = days.into_iter().collect();
        let cut = days.iter().nth(days.len() * 2 / 3).unwrap() * 86_400_000_000;
        let mut following: Vec<(i64, String)> = demo
            .order_lines
            .iter()
            .map(|line| (placed[line.order_id.as_str()], line.product_id.clone()))
            .filter(|(at, _)| *at >= cut)
            .collect();
        following.sort_by_key(|(at, _)| *at);
        Self {
            cut,
            following: following.into_iter().map(|(_, id)| id).collect(),
        }
    }

    /// Replays the following days against what is warm.
    fn replay(&self, is_warm: impl Fn(&str) -> bool) -> Hits {
        let mut seen = HashSet::new();
        let mut hits = Hits { all: 0, first: 0 };
        for id in &self.following {
            let hit = is_warm(id);
            hits.all += usize::from(hit);
            hits.first += usize::from(seen.insert(id) && hit);
        }
        hits
    }

    /// Nothing can be better than these, by this measure.
    fn best(&self, most: usize) -> HashSet<&str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &self.following {
            *counts.entry(id).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        counts.into_iter().take(most).map(|(id, _)| id).collect()
    }
}

/// The store as it was before the following days.
async fn store_of(days: &Days) -> (Embedded, Database) {
    let embedded = Embedded::new().await;
    let at = days.cut;
    // Carts and wishes are derived from all orders, and would tell what is to come.
    for sql in [
        "DELETE FROM cart_line".to_owned(),
        "DELETE FROM wishlist_line".to_owned(),
        format!(
            "DELETE FROM order_line WHERE order_id IN (SELECT id FROM orders WHERE placed_at >= {at})"
        ),
        format!("DELETE FROM orders WHERE placed_at >= {at}"),
    ] {
        embedded.run(&sql).await;
    }
    let config = Config {
        weights: Weights {
            product: ProductWeights {
                window: std::time::Duration::from_hours(24 * 365 * 50),
                ..ProductWeights::default()
            },
            ..Weights::default()
        },
        ..config()
    };
    let database = Database::open(&Url::sqlite(embedded.path()), &config)
        .await
        .unwrap();
    (embedded, database)
}

/// What a node has in memory after it was warmed with these products.
async fn warmed(database: &Database, keys: Vec<String>) -> HashSet<String> {
    let node = Node::builder()
        .change_log(database.change_log().unwrap())
        .build();
    let shop = Shop::new(&node, database.sources());
    let plan = Plan {
        entities: vec![PlanEntity {
            entity: "product".to_owned(),
            keys: keys.clone(),
            has_no_order: false,
        }],
        limits: Limits::default(),
        check: 20,
        ..Plan::default()
    };
    let end = CancellationToken::new();
    let report = Warmer::new(&node).run(plan, &end, |_| ()).await;
    assert!(report.success, "{report:?}");
    assert_eq!(report.entities[0].checked.unwrap().same, 20.min(keys.len()));
    let cache = node.registry().find("product").unwrap();
    let warm: HashSet<String> = cache.keys(usize::MAX).into_iter().collect();
    assert_eq!(warm.len(), keys.len());
    // As a customer finds it.
    let id = ProductId::parse(&keys[0]).unwrap();
    shop.products
        .by_id(&id, tingkat::Options::default())
        .await
        .unwrap();
    assert_eq!(cache.stats().memory_hits.get(), 1);
    node.shut_down(std::time::Duration::from_secs(5)).await;
    warm
}

#[tokio::test]
async fn the_orders_of_the_first_days_tell_what_the_following_ones_look_up() {
    let demo = Demo::generate(1958, DAY);
    let days = Days::of(&demo);
    let (_embedded, database) = store_of(&days).await;
    let (total, firsts) = (days.following.len(), days.replay(|_| true).first);
    let share = |hits: usize, of: usize| {
        let percent = |hits: usize| u32::try_from(hits * 1_000 / of).unwrap();
        f64::from(percent(hits)) / 10.0
    };
    // Ids are given without regard to popularity, and their hashes to nothing at all.
    let mut random: Vec<&str> = demo.products.iter().map(|it| it.id.as_str()).collect();
    random.sort_by_key(|id| tingkat::key::fingerprint(id));
    println!("{total} look-ups of {firsts} products follow");
    println!("warm  | look-ups: warmed, best, random % | first ones: warmed, best, random %");
    for most in SIZES {
        let top = database.top("product", most).await.unwrap();
        let keys: Vec<String> = top.into_iter().map(|scored| scored.key).collect();
        assert_eq!(keys.len(), most, "there are so many with orders");
        let warm = warmed(&database, keys).await;
        let (best, chance) = (days.best(most), &random[..most]);
        let warm = days.replay(|id| warm.contains(id));
        let best = days.replay(|id| best.contains(id));
        let chance: HashSet<&str> = chance.iter().copied().collect();
        let chance = days.replay(|id| chance.contains(id));
        println!(
            "{most:>5} | {:>5.1} {:>5.1} {:>5.1} | {:>5.1} {:>5.1} {:>5.1}",
            share(warm.all, total),
            share(best.all, total),
            share(chance.all, total),
            share(warm.first, firsts),
            share(best.first, firsts),
            share(chance.first, firsts),
        );
        assert!(warm.all * 100 >= best.all * 60, "near the best possible");
        assert!(
            (warm.all - chance.all) * 2 >= best.all - chance.all,
            "half of all that can be better than chance"
        );
        assert!(warm.first > chance.first);
    }
}
