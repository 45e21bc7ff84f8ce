//! A store in which nothing happens: no query for what is cached, and few to know that.

use std::time::Duration;

use serde_json::Value as Json;

use crate::node::Node;
use crate::readers;
use crate::scene::{Plan, Scene};
use crate::store::KEYS;

/// For so long everybody reads.
const READING: Duration = Duration::from_secs(10);

/// Ten polls a second, and what else a node asks.
const MOST_STATEMENTS_A_SECOND: f64 = 15.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_what_does_not_change_run_no_sql_and_the_idle_feed_little() {
    let scene = Scene::begin(Plan {
        nodes: 1,
        bound: Duration::from_secs(1),
        poll: Duration::from_millis(100),
        writers: 0,
        readers_of_each: 4,
        validates: false,
        ..Plan::new("quiet")
    })
    .await;
    let node = scene.nodes.first().unwrap();
    readers::read_all(node).await;
    scene.store.count_anew().await;
    let before = scene.answered(0);
    scene.goes_on(READING).await;
    let counted = scene.store.statements().await;
    let reads = scene.answered(0) - before;
    assert!(reads > 1_000, "{reads} reads show nothing");
    let loads = scene.store.rows_loaded().await;
    assert_eq!(loads, 0, "{reads} reads ran SQL");
    let a_second = counted / READING.as_secs_f64();
    assert!(
        a_second > 5.0 && a_second <= MOST_STATEMENTS_A_SECOND,
        "{a_second} statements a second"
    );
    let reads = scene.finish().await.history.reads;
    assert!(reads.iter().all(|read| read.outcome.is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_stock_refuses_its_product_and_neither_another_nor_a_listing() {
    let scene = Scene::begin(Plan {
        nodes: 2,
        writers: 0,
        ..Plan::new("one stock changed")
    })
    .await;
    let category = "SELECT category_id FROM product_category WHERE product_id = '3' LIMIT 1";
    let category = scene.store.sql(category).await;
    for node in &scene.nodes {
        readers::read_all(node).await;
        assert_eq!(listed(node, &category).await, [Some(3); LISTINGS]);
    }
    let before = scene.store.calls_of(OF_LISTINGS).await;
    assert!(before > 0, "the statement is no more known by its text");
    scene.store.count_anew().await;
    let change = "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id = '3'";
    scene.store.sql(change).await;
    scene.goes_on(scene.plan.bound).await;
    for node in &scene.nodes {
        let reads = readers::read_all(node).await;
        assert_eq!(
            reads.iter().filter(|read| read.outcome.is_ok()).count(),
            KEYS
        );
        // What they enumerate stayed, and they show the product as it is.
        assert_eq!(listed(node, &category).await, [Some(4); LISTINGS]);
    }
    // Of two nodes one asked the source; the readers had asked for everything all the time.
    assert_eq!(scene.store.rows_loaded().await, 1);
    assert_eq!(scene.store.calls_of(OF_LISTINGS).await, 0);
}

/// Ways to ask for the products of a category.
const LISTINGS: usize = 2;

/// Only the statements of listings have this in them.
const OF_LISTINGS: &str = "wanted AS MATERIALIZED";

/// The stock of product 3 as each listing of its category shows it.
async fn listed(node: &Node, category: &str) -> [Option<i64>; LISTINGS] {
    let target = node.target().unwrap();
    let mut stocks = [None; LISTINGS];
    let paths = [
        format!("/v1/categories/{category}/products?limit=100"),
        format!("/v1/products?category={category}&sort=price&limit=100"),
    ];
    for (path, stock) in paths.iter().zip(&mut stocks) {
        let answer = target.get(path).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        let page = answer.json().unwrap();
        let mut items = page.get("items").and_then(Json::as_array).unwrap().iter();
        let item = items.find(|item| item.get("id").and_then(Json::as_str) == Some("3"));
        *stock = item.and_then(|item| item.get("stock_quantity")?.as_i64());
    }
    stocks
}
