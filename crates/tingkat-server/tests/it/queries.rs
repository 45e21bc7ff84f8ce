//! A store with tables of its own, from the first command to a price that changes.

use std::time::Duration;

use serde_json::{Value, json};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_testkit::Postgres;
use tingkat_testkit::postgres::{Database, PRISMA_STORE};

use crate::program::{Ended, Folder, Node, Program};
use crate::wire::{TOKENS, get, patch};

/// No answer that is not marked stale is older.
const BOUND: Duration = Duration::from_secs(1);

pub(crate) const ROWS: &str = r#"
    INSERT INTO products (id, name, slug, sku, status, "regularPrice", "memberPrice", "stockQuantity",
      "updatedAt") VALUES
      ('clx4tea00000008l4h3yq2r7k', 'Teh Tarik', 'teh-tarik', 'TEH-01', 'ACTIVE', 19.99, 0.10, 7,
       '2026-11-27 08:30:15.5'),
      ('clx4kettle0000108l4f6e0d2', 'Cerek', 'cerek', 'CEREK', 'ACTIVE', 99999999.99, 99999999.99, 1,
       '2026-11-27');
    INSERT INTO categories (id, name, slug) VALUES ('clx4drinks', 'Drinks', 'drinks');
    INSERT INTO product_categories VALUES ('clx4m1', 'clx4tea00000008l4h3yq2r7k', 'clx4drinks');
    INSERT INTO malaysian_states VALUES ('SGR', 'Selangor');
    INSERT INTO malaysian_postcodes VALUES ('clx4p1', '47301', 'Petaling Jaya', 'SGR');
    INSERT INTO product_images (id, "productId", url) VALUES ('clx4i1', 'clx4tea00000008l4h3yq2r7k', '/1');
    INSERT INTO product_variants VALUES
      ('clx4v1', 'clx4tea00000008l4h3yq2r7k', 'size', '500 g', 'TEH-01-500', 49.90, 45.05, 3);
"#;

const TEA: &str = "clx4tea00000008l4h3yq2r7k";

async fn storefront() -> Database<'static> {
    let database = Postgres::shared().await.unwrap();
    database.psql(PRISMA_STORE).await.unwrap();
    database.psql(ROWS).await.unwrap();
    database
}

fn program(folder: &Folder, arguments: &[&str], url: &str) -> Program {
    Program::new(folder, arguments)
        .with("DATABASE_URL", url)
        .with("TINGKAT__SOURCE__PRESET", "prisma")
        .with("TINGKAT__SERVER__TOKENS", TOKENS)
}

async fn run(folder: &Folder, arguments: &[&str], url: &str) -> Ended {
    program(folder, arguments, url).run().await
}

async fn price(node: &Node) -> Value {
    let reply = get(node, "/v1/products?sku=TEH-01", "").await;
    assert!(!reply.header("cache-status").unwrap().contains("stale"));
    reply.body["regular_price"]["amount"].clone()
}

#[tokio::test]
async fn a_prisma_storefront_is_installed_checked_served_written_and_left() {
    let database = storefront().await;
    let (url, folder) = (database.url(), Folder::new());
    let installed = run(&folder, &["schema", "install"], &url).await;
    assert_eq!(
        installed.stdout,
        "The change log is installed, with triggers on categories, malaysian_postcodes, \
         malaysian_states, product_categories, product_images, product_variants, products.\n"
    );
    let checked = run(&folder, &["schema", "check", "--json"], &url).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let checks: Value = serde_json::from_str(&checked.stdout).unwrap();
    let checks = checks["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 + 38 + 17);
    let odd: Vec<&Value> = checks
        .iter()
        .filter(|it| it["status"] != "passed")
        .collect();
    assert_eq!(odd, [&Value::Null; 0]);

    let node = program(&folder, &["serve"], &url).listening().await;
    node.sees("source", "up").await;
    let tea = get(&node, &format!("/v1/products/{TEA}"), "").await.body;
    assert_eq!(
        tea["regular_price"],
        json!({ "amount": 1_999, "currency": "MYR" })
    );
    assert_eq!(tea["member_price"]["amount"], 10);
    assert_eq!(
        (&tea["status"], &tea["updated_at"]),
        (&json!("active"), &json!("2026-11-27T08:30:15.5Z"))
    );
    assert_eq!(tea["categories"][0]["name"], "Drinks");
    let kettle = get(&node, "/v1/products?slug=cerek", "").await.body;
    assert_eq!(kettle["regular_price"]["amount"], 9_999_999_999_i64);
    let place = get(&node, "/v1/postcodes/47301", "").await.body;
    assert_eq!(place["location"]["city"], "Petaling Jaya");

    // As Prisma writes it, beside the service; it lives an hour, so only the log can tell.
    for sen in [2_001, 1_000, 10] {
        let sql = format!(
            r#"UPDATE "public"."products" SET "regularPrice" = {}.{:02}, "updatedAt" = now()
               WHERE ("public"."products"."id" = '{TEA}' AND 1=1)"#,
            sen / 100,
            sen % 100
        );
        price(&node).await;
        database.psql(&sql).await.unwrap();
        let written = SystemClock.now();
        loop {
            let asked = SystemClock.now();
            if price(&node).await == sen {
                break;
            }
            let late = asked.since(written);
            assert!(late <= BOUND, "an old price after {late:?}");
        }
    }
    let version = get(&node, &format!("/v1/products/{TEA}"), "").await.body["version"].clone();
    let body =
        format!(r#"{{"regular_price":{{"amount":1999,"currency":"MYR"}},"version":{version}}}"#);
    let written = patch(&node, TEA, &body).await;
    assert_eq!(
        (written.status, &written.body["regular_price"]["amount"]),
        (200, &json!(1_999)),
        "{written:?}"
    );
    let column = r#"SELECT "regularPrice" FROM products WHERE sku = 'TEH-01'"#;
    assert_eq!(database.psql(column).await.unwrap(), "19.99");
    let again = patch(&node, TEA, &body).await;
    assert_eq!(again.status, 409, "{again:?}");
    drop(node);

    let removed = run(&folder, &["schema", "uninstall"], &url).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let traces = "SELECT count(*) FROM pg_namespace WHERE nspname = 'tingkat'";
    assert_eq!(database.psql(traces).await.unwrap(), "0");
    let dry = run(&folder, &["schema", "install", "--dry-run"], &url).await;
    database.psql(&dry.stdout).await.unwrap();
    assert_eq!(database.psql(traces).await.unwrap(), "1");
    let demo = run(&folder, &["schema", "install", "--demo"], &url).await;
    assert_eq!(demo.code, Some(78), "{demo:?}");
}

/// A directory with one file in it.
fn queries(folder: &Folder, name: &str, text: &str) -> String {
    let directory = folder.path().join("queries");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), text).unwrap();
    "queries".to_owned()
}

#[tokio::test]
async fn a_wrong_override_is_named_by_file_column_and_type() {
    let database = storefront().await;
    let (url, folder) = (database.url(), Folder::new());
    let load = "SELECT id, sku AS code FROM products WHERE sku = ANY ($1::text[])";
    queries(&folder, "product_sku_load.sql", load);
    let load = "SELECT slug, 7 AS id FROM products WHERE slug = ANY ($1::text[])";
    let directory = queries(&folder, "product_slug_load.sql", load);
    let check = |arguments: &[&str]| {
        program(&folder, &[&["schema", "check"], arguments].concat(), &url)
            .with("TINGKAT__SOURCE__QUERIES", &directory)
            .run()
    };
    let checked = check(&[]).await;
    assert_eq!(checked.code, Some(3), "{checked:?}");
    for line in [
        "failed   statement: product_sku_load: queries/product_sku_load.sql: column `sku`: expected \
         text, and it is missing",
        "failed   statement: product_slug_load: queries/product_slug_load.sql: column `id`: expected \
         text, found integer",
    ] {
        assert!(checked.stdout.lines().any(|it| it == line), "{checked:?}");
    }
    let checked = check(&["--json"]).await;
    let checks: Value = serde_json::from_str(&checked.stdout).unwrap();
    let checks = checks["checks"].as_array().unwrap();
    let complaints = checks.iter().filter_map(|it| it["complaints"].as_array());
    let complaints: Vec<&Value> = complaints.flatten().collect();
    let expected = [
        json!({
            "file": "queries/product_sku_load.sql", "line": null, "column": "sku",
            "expected": "text", "found": null,
            "message": "column `sku`: expected text, and it is missing",
        }),
        json!({
            "file": "queries/product_slug_load.sql", "line": null, "column": "id",
            "expected": "text", "found": "integer",
            "message": "column `id`: expected text, found integer",
        }),
    ];
    assert!(complaints.into_iter().eq(&expected), "{checked:?}");
}

#[tokio::test]
async fn a_file_that_is_no_statement_stops_every_command_with_a_suggestion() {
    let folder = Folder::new();
    queries(&folder, "product_lod.sql", "SELECT 1");
    let directory = queries(&folder, "state_list.sql", "SELECT 'x' WHERE 'a' = $1");
    for command in [&["serve"][..], &["schema", "install"], &["config", "check"]] {
        let ended = program(&folder, command, "postgres://shop@127.0.0.1:1/shop")
            .with("TINGKAT__SOURCE__QUERIES", &directory)
            .run()
            .await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        let told = format!("{}{}", ended.stdout, ended.stderr);
        for words in [
            "queries/product_lod.sql: there is no such statement",
            "did you mean product_load.sql?",
            "queries/state_list.sql: expected no parameter, found one parameter, $1",
        ] {
            assert!(told.contains(words), "{command:?}: {told}");
        }
    }
}
