//! Two nodes over one file: what anybody writes is seen by both, within the bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Executor as _;
use tingkat::event::Event;
use tingkat::{Cache, Node, Options, Tier};
use tingkat_shop::product::{Product, ProductId};
use tingkat_shop::{Money, ProductPatch, ProductWrites, Shop, WriteErrorKind};
use tingkat_sql::Database;
use tingkat_testkit::eventually;

use crate::stores::{Embedded, parsed};

/// Twice what the machine of these tests needs at its busiest.
const BOUND: Duration = Duration::from_secs(3);

fn node(database: &Database) -> tingkat::node::Builder {
    Node::builder()
        .change_log(database.change_log().unwrap())
        .staleness_bound(BOUND)
        .poll_interval(Duration::from_millis(50))
}

struct Shopkeeper {
    shop: Shop,
    writes: ProductWrites,
    resets: Arc<AtomicUsize>,
}

impl Shopkeeper {
    /// Lives are an hour and more: nothing here becomes right by itself.
    fn new(database: &Database) -> Self {
        let resets = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&resets);
        let node = node(database)
            .on_event(move |event| {
                if let Event::ColdReset { .. } = event {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        let shop = Shop::new(&node, database.sources());
        let into = database.product_writer();
        let writes = ProductWrites::new(&node, &shop.products, into);
        Self {
            shop,
            writes,
            resets,
        }
    }

    async fn product(&self, id: &str) -> (Product, Tier) {
        let answer = self
            .shop
            .products
            .by_id(&parsed(id), Options::default())
            .await
            .unwrap();
        assert!(!answer.trail().stale);
        (answer.value().unwrap().clone(), answer.trail().tier)
    }

    async fn price(&self, id: &str) -> i64 {
        self.product(id).await.0.regular_price.amount
    }

    /// Until both products are answered from memory.
    async fn warm(&self) {
        for id in ["7", "8"] {
            let is_warm = || async { self.product(id).await.1 == Tier::Memory };
            eventually(Duration::from_secs(10), is_warm).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_price_changed_with_plain_sql_is_seen_by_every_node_within_the_bound() {
    let store = Embedded::new().await;
    let other = store.open_again().await;
    let nodes = [Shopkeeper::new(&store.database), Shopkeeper::new(&other)];
    let mut foreign = store.foreign().await;
    for price in [1_001_i64, 1_002, 1_003] {
        for node in &nodes {
            node.warm().await;
        }
        let update =
            format!("UPDATE product SET regular_price = {price}, member_price = 1 WHERE id = '7'");
        foreign.execute(sqlx::AssertSqlSafe(update)).await.unwrap();
        for node in &nodes {
            let sees = || async { node.price("7").await == price };
            eventually(BOUND, sees).await.unwrap();
            // And nothing else was loaded again.
            assert_eq!(node.product("8").await.1, Tier::Memory);
        }
    }
}

#[tokio::test]
async fn a_write_is_read_at_once_where_it_was_made_and_with_its_token_elsewhere() {
    let store = Embedded::new().await;
    let other = store.open_again().await;
    let here = Shopkeeper::new(&store.database);
    let node = node(&other).build();
    let there = Cache::of_entity()
        .node(&node)
        .source(other.sources().products)
        .build();
    let id: ProductId = parsed("7");
    for stock in 1_000..1_020 {
        here.warm().await;
        there.look_up(&id, Options::default()).await.unwrap();
        let saved = here.writes.set_stock(&id, stock).await.unwrap();
        let product = here.product("7").await.0;
        assert_eq!(product.stock_quantity, stock);
        assert_eq!(product.version, saved.version);
        assert_eq!(product.updated_at, saved.updated_at);
        let token = saved.written.unwrap();
        let read = there.get_at_least(&id, token).await.unwrap();
        assert_eq!(
            read.value().map(|product| product.stock_quantity),
            Some(stock)
        );
    }
}

#[tokio::test]
async fn two_nodes_that_write_one_product_lose_nothing() {
    let store = Embedded::new().await;
    let other = store.open_again().await;
    let (here, there) = (Shopkeeper::new(&store.database), Shopkeeper::new(&other));
    let id = parsed("7");
    let before = here.product("7").await.0;
    let adjust = async |node: &Shopkeeper| {
        for _ in 0..40 {
            node.writes.adjust_stock(&id, 1).await.unwrap();
        }
    };
    futures::future::join(adjust(&here), adjust(&there)).await;
    for node in [&here, &there] {
        let sees =
            || async { node.product("7").await.0.stock_quantity == before.stock_quantity + 80 };
        eventually(BOUND, sees).await.unwrap();
        assert_eq!(node.product("7").await.0.version, before.version + 80);
    }
    // Only one of two writes that saw the same version.
    let patch = ProductPatch::set_price(Some(Money::sen(5)), Some(Money::sen(5)));
    let patch = patch.if_version(before.version + 80);
    let both = futures::future::join(
        here.writes.write(&id, &patch),
        there.writes.write(&id, &patch),
    );
    let (one, two) = both.await;
    let refused = one.and(two).unwrap_err();
    let current = before.version + 81;
    assert_eq!(refused.kind(), WriteErrorKind::Conflict { current });
}

#[tokio::test]
async fn a_store_that_went_back_makes_every_node_begin_again() {
    let store = Embedded::new().await;
    let other = store.open_again().await;
    let nodes = [Shopkeeper::new(&store.database), Shopkeeper::new(&other)];
    let mut foreign = store.foreign().await;
    foreign
        .execute("UPDATE product SET regular_price = 777, member_price = 1 WHERE id = '7'")
        .await
        .unwrap();
    for node in &nodes {
        node.warm().await;
        eventually(BOUND, || async { node.price("7").await == 777 })
            .await
            .unwrap();
    }
    // The triggers are silent about what a restored copy has not seen.
    foreign
        .execute(
            "BEGIN; UPDATE product SET regular_price = 555 WHERE id = '7';
             DELETE FROM tingkat_change;
             UPDATE sqlite_sequence SET seq = 3 WHERE name = 'tingkat_change'; COMMIT",
        )
        .await
        .unwrap();
    for node in &nodes {
        eventually(BOUND, || async { node.price("7").await == 555 })
            .await
            .unwrap();
        assert!(node.resets.load(Ordering::Relaxed) > 0);
    }
}
