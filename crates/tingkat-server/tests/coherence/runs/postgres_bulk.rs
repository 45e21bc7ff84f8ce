//! Many rows at once, and tables that go and come back.

use std::time::Duration;

use crate::history::Harm;
use crate::scene::{Plan, Scene};
use crate::store::{DATABASE, install_log};

/// Columns of a product that is none of the workload's, with a number `n`.
const FILLER: &str =
    "INSERT INTO product (id, sku, slug, name, regular_price, member_price, stock_quantity)
    SELECT 'bulk-' || n, 'bulk-' || n, 'bulk-' || n, 'Bulk ' || n, 100, 100, 1
      FROM generate_series";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_million_rows_are_imported() {
    let scene = Scene::begin(Plan::new("postgres: a million rows imported")).await;
    // Nobody has it, and every node knows that.
    let last = "/v1/products/bulk-1000000";
    for node in &scene.nodes {
        assert_eq!(scene.status(node, last).await, 404);
    }
    let fault = scene.fault("a million rows are imported", Harm::Nothing, None);
    let mut session = scene.store.session_with(Duration::from_mins(10));
    let imported = session.run(&format!("{FILLER} (1, 1000000) AS n;")).await;
    imported.unwrap();
    scene.is_over(fault);
    scene.goes_on(scene.plan.bound).await;
    for node in &scene.nodes {
        assert_eq!(scene.status(node, last).await, 200);
    }
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn every_row_is_changed_by_one_statement() {
    let scene = Scene::begin(Plan::new("postgres: every row changed at once")).await;
    // Above and below the number of rows from which on the whole entity is meant.
    for rows in ["", " (1, 20000)"] {
        if !rows.is_empty() {
            scene.store.sql(&format!("{FILLER}{rows} AS n")).await;
        }
        scene.change_all("").await;
        scene.is_busy().await;
    }
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn what_was_absent_is_copied_in() {
    let scene = Scene::begin(Plan::new("postgres: COPY")).await;
    // Nobody has it, and every node knows that.
    for node in &scene.nodes {
        assert_eq!(scene.status(node, "/v1/products/copied-1").await, 404);
        assert_eq!(scene.status(node, "/v1/products?sku=copied-1").await, 404);
    }
    let row = |n| format!("copied-{n}\tcopied-{n}\tcopied-{n}\tCopied {n}\t100\t100");
    let rows: Vec<String> = (1..=5_000).map(row).collect();
    let copy = format!(
        "COPY product (id, sku, slug, name, regular_price, member_price) FROM STDIN;\n{}\n\\.\n",
        rows.join("\n")
    );
    scene.store.sql(&copy).await;
    scene.goes_on(scene.plan.bound).await;
    for node in &scene.nodes {
        assert_eq!(scene.status(node, "/v1/products/copied-1").await, 200);
        assert_eq!(scene.status(node, "/v1/products?sku=copied-1").await, 200);
    }
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_table_is_truncated_and_filled_again() {
    let scene = Scene::begin(Plan::new("postgres: TRUNCATE")).await;
    let empty = "CREATE TEMPORARY TABLE kept AS SELECT * FROM product;
        CREATE TEMPORARY TABLE kept_in AS SELECT * FROM product_category;
        TRUNCATE product CASCADE;
        INSERT INTO product SELECT * FROM kept;
        INSERT INTO product_category SELECT * FROM kept_in;
        DROP TABLE kept, kept_in;";
    // PostgreSQL shows an emptied table to statements that waited for it with an older snapshot.
    let fault = scene.fault("a table is emptied", Harm::Rows, None);
    scene.change_all(empty).await;
    scene.is_over(fault);
    scene.is_busy().await;
    scene.finish().await.must_be_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_migration_makes_a_table_anew() {
    let scene = Scene::begin(Plan::new("postgres: table made anew")).await;
    let fault = scene.fault("the table has no triggers", Harm::Nothing, None);
    scene.writers.pause().await;
    let migration = "BEGIN;
        CREATE TABLE product_new (LIKE product INCLUDING ALL);
        INSERT INTO product_new SELECT * FROM product;
        DROP TABLE product CASCADE;
        ALTER TABLE product_new RENAME TO product;
        COMMIT;";
    scene.store.sql(migration).await;
    // The migration's own last step, as the documentation asks for.
    install_log(&scene.store.primary().url(DATABASE)).await;
    scene.is_over(fault);
    scene.writers.go_on();
    scene.is_busy().await;
    scene.goes_on(scene.plan.bound).await;
    scene.finish().await.must_be_kept();
}
