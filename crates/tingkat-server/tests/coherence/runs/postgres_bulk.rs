//! Many rows at once, and tables that go and come back.

use std::time::Duration;

use crate::history::Harm;
use crate::scene::{Plan, Scene};
use crate::store::install_log_sql;

/// Columns of a product that is none of the workload's, with a number `n`.
const FILLER: &str =
    "INSERT INTO product (id, sku, slug, name, regular_price, member_price, stock_quantity)
    SELECT 'bulk-' || n, 'bulk-' || n, 'bulk-' || n, 'Bulk ' || n, 100, 100, 1
      FROM generate_series";

/// Copies the products, and lets nobody write them from then on.
const COPY: &str = "LOCK TABLE product IN ACCESS EXCLUSIVE MODE;
    CREATE TABLE product_new (LIKE product INCLUDING ALL);
    INSERT INTO product_new SELECT * FROM product;";

const DROP: &str = "DROP TABLE product CASCADE;";

const RENAME: &str = "ALTER TABLE product_new RENAME TO product;";

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

/// A migration makes a table anew while everybody writes: its lock lets no write be lost between the
/// copy and the drop, and its last step, as the documentation asks for, are the triggers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_migration_makes_a_table_anew() {
    let scene = Scene::begin(Plan::new("postgres: table made anew")).await;
    let install = install_log_sql().await;
    // PostgreSQL shows a table made anew as empty to statements that waited for it with an older
    // snapshot.
    let fault = scene.fault("a migration makes a table anew", Harm::Rows, None);
    for _ in 0..3 {
        let written = scene.writers.committed();
        let migration = format!("BEGIN; {COPY} {DROP} {RENAME} {install} COMMIT;");
        // On a machine that is busy loads wait for its lock for longer than they may take.
        let lock = scene.fault("its lock is held", Harm::Connections, None);
        scene.store.sql(&migration).await;
        scene.is_over(lock);
        scene.is_busy().await;
        assert!(scene.writers.committed() > written);
    }
    scene.is_over(fault);
    scene.goes_on(scene.plan.bound).await;
    scene.finish().await.must_be_kept();
}

/// The same in two steps, between which there is no table: writers fail, and so do loads; what a node
/// has stays current, for nobody can change it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "left to the soak"]
async fn a_table_is_away_for_a_while() {
    let scene = Scene::begin(Plan::new("postgres: table away")).await;
    let install = install_log_sql().await;
    for _ in 0..2 {
        let fault = scene.fault("there is no table", Harm::Connections, None);
        let drop = format!("BEGIN; {COPY} {DROP} COMMIT;");
        scene.store.sql(&drop).await;
        let written = scene.writers.committed();
        scene.goes_on(Duration::from_secs(2)).await;
        assert_eq!(scene.writers.committed(), written, "there is a table");
        // With the triggers everything is forgotten.
        let forgotten = scene.fault("there are new triggers", Harm::Forgotten, None);
        let rename = format!("BEGIN; {RENAME} {install} COMMIT;");
        scene.store.sql(&rename).await;
        // Every node has heard of it.
        scene.goes_on(scene.plan.poll).await;
        scene.is_over(forgotten);
        scene.is_over(fault);
        scene.is_busy().await;
    }
    scene.goes_on(scene.plan.bound).await;
    scene.finish().await.must_be_kept();
}
