//! What warming by the orders of the first days is worth to the customers of the next one.

use std::collections::{BTreeMap, HashSet};

use tingkat::warm::{Limits, Plan, PlanEntity, Warmer};
use tingkat::{Key as _, Node, Tier};
use tingkat_shop::Shop;
use tingkat_shop::popularity::{Popularity as _, ProductWeights, Weights};
use tingkat_shop::product::ProductId;
use tingkat_sql::demo::Demo;
use tingkat_sql::{Config, Database, Url};
use tokio_util::sync::CancellationToken;

use crate::stores::{DAY, Embedded, config};

const SIZES: [usize; 4] = [50, 200, 500, 1_000];

/// Of the look-ups of the day that follows: those that memory answers.
#[derive(Debug, Default, PartialEq)]
struct Hits {
    /// Of all look-ups, with what earlier ones left in memory.
    all: usize,
    /// Of the first look-ups of each product: what warming did.
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

    /// Has customers look all of it up.
    async fn replay(&self, shop: &Shop) -> Hits {
        let (mut seen, mut hits) = (HashSet::new(), Hits::default());
        for text in &self.following {
            let id = ProductId::parse(text).unwrap();
            let answer = shop.products.by_id(&id, tingkat::Options::default());
            let trail = answer.await.unwrap().trail();
            let is_hit = usize::from(trail.tier == Tier::Memory);
            hits.all += is_hit;
            hits.first += if seen.insert(text) { is_hit } else { 0 };
        }
        hits
    }

    /// What they find where these are warm, if memory loses nothing.
    fn expected(&self, warm: &[String]) -> Hits {
        let mut held: HashSet<&String> = warm.iter().collect();
        let (mut seen, mut hits) = (HashSet::new(), Hits::default());
        for id in &self.following {
            let is_hit = usize::from(!held.insert(id));
            hits.all += is_hit;
            hits.first += if seen.insert(id) { is_hit } else { 0 };
        }
        hits
    }

    /// How many products are looked up.
    fn products(&self) -> usize {
        self.following.iter().collect::<HashSet<_>>().len()
    }

    /// Nothing can be better than these, by this measure.
    fn best(&self, most: usize) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &self.following {
            *counts.entry(id).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        let best = counts.into_iter().take(most);
        best.map(|(id, _)| id.to_owned()).collect()
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

/// What the customers of a node find that was warmed with these products before the first of them came.
async fn found(database: &Database, days: &Days, keys: Vec<String>) -> Hits {
    let node = Node::builder()
        .change_log(database.change_log().unwrap())
        .build();
    let shop = Shop::new(&node, database.sources());
    let count = keys.len();
    let plan = Plan {
        entities: vec![PlanEntity {
            entity: "product".to_owned(),
            keys,
            ..PlanEntity::default()
        }],
        limits: Limits::default(),
        check: 20,
        ..Plan::default()
    };
    let end = CancellationToken::new();
    let report = Warmer::new(&node).run(plan, &end, |_| ()).await;
    assert!(report.success, "{report:?}");
    assert_eq!(report.entities[0].checked.unwrap().same, 20.min(count));
    let cache = node.registry().find("product").unwrap();
    assert_eq!(cache.keys(usize::MAX).len(), count);
    let hits = days.replay(&shop).await;
    let counted = cache.stats().memory_hits.get();
    assert_eq!(counted, hits.all as u64);
    node.shut_down(std::time::Duration::from_secs(5)).await;
    hits
}

/// The page tells what is measured here, in one table.
const PAGE: &str = include_str!("../../../../docs/warming.md");

#[tokio::test]
async fn the_orders_of_the_first_days_tell_what_the_next_one_looks_up() {
    let demo = Demo::generate(1958, DAY);
    let days = Days::of(&demo);
    let (_embedded, database) = store_of(&days).await;
    let (total, firsts) = (days.following.len(), days.products());
    let share = |hits: usize, of: usize| {
        let permille = u32::try_from(hits * 1_000 / of).unwrap();
        f64::from(permille) / 10.0
    };
    // Ids are given without regard to popularity, and their hashes to nothing at all.
    let mut random: Vec<String> = demo.products.iter().map(|it| it.id.clone()).collect();
    random.sort_by_key(|id| tingkat::key::fingerprint(id));
    let cold = days.expected(&[]);
    let mut table = Vec::new();
    for most in SIZES {
        let top = database.top("product", most).await.unwrap();
        let keys: Vec<String> = top.into_iter().map(|scored| scored.key).collect();
        assert_eq!(keys.len(), most, "there are so many with orders");
        let warm = found(&database, &days, keys.clone()).await;
        // So the other two need not be looked up one by one.
        assert_eq!(warm, days.expected(&keys));
        let best = days.expected(&days.best(most));
        let chance = days.expected(&random[..most]);
        let first = [&warm, &best, &chance].map(|it| share(it.first, firsts));
        let all = [&warm, &best, &chance, &cold].map(|it| share(it.all, total));
        let cells: Vec<String> = first
            .iter()
            .chain(&all)
            .map(|it| format!("{it:.1} %"))
            .collect();
        table.push(format!("| {most} | {} |", cells.join(" | ")));
        assert!(warm.first * 100 >= best.first * 60, "near the best");
        assert!(warm.first * 100 >= chance.first * 115, "better than chance");
        assert!(chance.all >= cold.all);
    }
    let table = table.join("\n");
    assert!(
        PAGE.contains(&table),
        "docs/warming.md should have\n{table}"
    );
    let lookups = format!("{total} look-ups of {firsts} products");
    assert!(
        PAGE.contains(&lookups),
        "docs/warming.md should have {lookups}"
    );
}
