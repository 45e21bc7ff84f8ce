//! Which deps a change of the store writes: computed from the old and the new images of its rows.

use crate::dep_rule::{CASES, ROWS as SHARED_ROWS};
use crate::stores::Served;

/// The deps that a transaction of these statements writes; it is rolled back.
pub(crate) async fn written(store: &Served, statements: &str) -> Vec<String> {
    let sql = format!(
        "BEGIN; {statements};
         SELECT 'dep ' || kind::text || ' ' || dep FROM tingkat.change WHERE xid = pg_current_xact_id()
         ORDER BY dep COLLATE \"C\";
         ROLLBACK"
    );
    let printed = store.server.psql(&sql).await.unwrap();
    // A function that is called prints a line of its own.
    let rows = printed.lines().filter_map(|line| line.strip_prefix("dep "));
    let deps = rows.map(|row| {
        let dep = row.strip_prefix("f ");
        dep.expect("triggers forget, they never expire").to_owned()
    });
    deps.collect()
}

/// A product with a row of everything.
const ROWS: &str = "
    INSERT INTO category (id, slug, name) VALUES ('a', 'a', 'A'), ('b', 'b', 'B');
    INSERT INTO product (id, sku, slug, name, regular_price, member_price, stock_quantity) VALUES
      ('p', 'S1', 's-1', 'P', 200, 100, 5), ('q', 'S2', 's-2', 'Q', 200, 100, 5);
    INSERT INTO product_category VALUES ('p', 'a');
    INSERT INTO product_image (product_id, position, url) VALUES ('p', 0, '/0'), ('q', 0, '/0');
    INSERT INTO product_variant (sku, product_id, name, value, regular_price, member_price)
      VALUES ('V1', 'p', 'size', 'XL', 2, 1);
    INSERT INTO state VALUES ('ZZZ', 'Nowhere', 'west'), ('YYY', 'Elsewhere', 'east');
    INSERT INTO postcode VALUES ('99998', 0, 'Town', 'ZZZ'), ('99998', 1, 'City', 'ZZZ');";

/// Statements, and exactly what each writes.
const RULE: &[(&str, &[&str])] = &[
    // A product's own row.
    (
        "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
           VALUES ('r', 'S3', 's-3', 'R', 1, 1)",
        &["product.sku:S3", "product.slug:s-3", "product:r", "products.list"],
    ),
    (
        "DELETE FROM product WHERE id = 'q'",
        &["product.sku:S2", "product.slug:s-2", "product:q", "products.list"],
    ),
    ("UPDATE product SET stock_quantity = 4 WHERE id = 'p'", &["product:p"]),
    ("UPDATE product SET low_stock_at = 4 WHERE id = 'p'", &["product:p"]),
    ("UPDATE product SET description = 'd' WHERE id = 'p'", &["product:p"]),
    ("UPDATE product SET version = version + 1 WHERE id = 'p'", &["product:p"]),
    ("UPDATE product SET updated_at = now() WHERE id = 'p'", &["product:p"]),
    ("UPDATE product SET created_at = '2020-01-01' WHERE id = 'p'", &["product:p", "products.list"]),
    // What listings filter or sort by.
    ("UPDATE product SET name = 'N' WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET status = 'draft' WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET featured = true WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET currency = 'SGD' WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET regular_price = 300 WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET member_price = 50 WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET promotional_price = 5 WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET promotion_starts_at = now() WHERE id = 'p'", &["product:p", "products.list"]),
    ("UPDATE product SET promotion_ends_at = now() WHERE id = 'p'", &["product:p", "products.list"]),
    // Names that move: the old and the new one.
    (
        "UPDATE product SET sku = 'S9' WHERE id = 'p'",
        &["product.sku:S1", "product.sku:S9", "product:p"],
    ),
    (
        "UPDATE product SET slug = 's-9' WHERE id = 'p'",
        &["product.slug:s-1", "product.slug:s-9", "product:p"],
    ),
    (
        "DELETE FROM product_image; DELETE FROM product_category; DELETE FROM product_variant;
         DELETE FROM tingkat.change WHERE xid = pg_current_xact_id();
         UPDATE product SET id = 'z' WHERE id = 'p'",
        &["product.sku:S1", "product.slug:s-1", "product:p", "product:z", "products.list"],
    ),
    (
        "UPDATE product SET sku = 'tmp' WHERE id = 'p'; UPDATE product SET sku = 'S1' WHERE id = 'q';
         DELETE FROM tingkat.change WHERE xid = pg_current_xact_id();
         UPDATE product SET sku = CASE id WHEN 'p' THEN 'S2' ELSE 'S7' END WHERE id IN ('p', 'q')",
        &["product.sku:S1", "product.sku:S2", "product.sku:S7", "product.sku:tmp", "product:p", "product:q"],
    ),
    // Many rows in one statement: each for itself.
    (
        "UPDATE product SET stock_quantity = CASE id WHEN 'p' THEN 1 ELSE 5 END WHERE id IN ('p', 'q')",
        &["product:p"],
    ),
    (
        "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
           VALUES ('p', 'S1', 's-1', 'P', 9, 9), ('r', 'S3', 's-3', 'R', 1, 1)
           ON CONFLICT (id) DO UPDATE SET regular_price = 300",
        &["product.sku:S3", "product.slug:s-3", "product:p", "product:r", "products.list"],
    ),
    (
        "MERGE INTO product USING (VALUES ('p'), ('q')) AS wanted (id) ON wanted.id = product.id
           WHEN MATCHED AND product.id = 'p' THEN UPDATE SET stock_quantity = 0
           WHEN MATCHED THEN DELETE",
        &["product.sku:S2", "product.slug:s-2", "product:p", "product:q", "products.list"],
    ),
    ("WITH w AS (UPDATE product SET stock_quantity = 1 WHERE id = 'p' RETURNING 1) SELECT FROM w", &["product:p"]),
    // What changes nothing that is read.
    ("UPDATE product SET name = name WHERE id = 'p'", &[]),
    ("UPDATE product SET stock_quantity = 0 WHERE id = 'nobody'", &[]),
    ("DELETE FROM product WHERE id = 'nobody'", &[]),
    ("ALTER TABLE product ADD views bigint DEFAULT 0; UPDATE product SET views = views + 1", &[]),
    ("INSERT INTO customer (id, name, email) VALUES ('c', 'C', 'c@example.com')", &[]),
    // Rows that a product shows.
    (
        "INSERT INTO product_category VALUES ('q', 'b')",
        &["category.members:b", "product:q"],
    ),
    (
        "UPDATE product_category SET category_id = 'b' WHERE product_id = 'p'",
        &["category.members:a", "category.members:b", "product:p"],
    ),
    (
        "UPDATE product_category SET product_id = 'q' WHERE product_id = 'p'",
        &["category.members:a", "product:p", "product:q"],
    ),
    (
        "DELETE FROM product_category WHERE product_id = 'p'",
        &["category.members:a", "product:p"],
    ),
    ("INSERT INTO product_image (product_id, position, url) VALUES ('p', 1, '/1')", &["product:p"]),
    ("UPDATE product_image SET alt = 'x' WHERE product_id = 'p'", &["product:p"]),
    (
        "UPDATE product_image SET product_id = 'q', position = 1 WHERE product_id = 'p'",
        &["product:p", "product:q"],
    ),
    ("DELETE FROM product_image WHERE product_id = 'q'", &["product:q"]),
    ("UPDATE product_variant SET stock_quantity = 7 WHERE sku = 'V1'", &["product:p"]),
    ("UPDATE product_variant SET product_id = 'q' WHERE sku = 'V1'", &["product.sku:V1", "product:p", "product:q"]),
    ("UPDATE product_variant SET sku = 'V2' WHERE sku = 'V1'", &["product.sku:V1", "product.sku:V2", "product:p"]),
    ("DELETE FROM product_variant WHERE sku = 'V1'", &["product.sku:V1", "product:p"]),
    // What a cascade deletes, too.
    (
        "DELETE FROM product WHERE id = 'p'",
        &[
            "category.members:a", "product.sku:S1", "product.sku:V1", "product.slug:s-1", "product:p",
            "products.list",
        ],
    ),
    (
        "DELETE FROM category WHERE id = 'a'",
        &["categories.tree", "category.members:a", "category:a", "product:p"],
    ),
    // Categories.
    ("UPDATE category SET name = 'X' WHERE id = 'a'", &["categories.tree", "category:a"]),
    ("UPDATE category SET active = false WHERE id = 'a'", &["categories.tree", "category:a"]),
    ("UPDATE category SET parent_id = 'b' WHERE id = 'a'", &["categories.tree", "category:a"]),
    ("INSERT INTO category (id, slug, name) VALUES ('c', 'c', 'C')", &["categories.tree", "category:c"]),
    // Places.
    ("UPDATE postcode SET city = 'X' WHERE code = '99998' AND position = 1", &["postcode:99998", "postcodes.list"]),
    ("INSERT INTO postcode VALUES ('99999', 0, 'Town', 'ZZZ')", &["postcode:99999", "postcodes.list"]),
    (
        "UPDATE postcode SET code = '99999' WHERE code = '99998'",
        &["postcode:99998", "postcode:99999", "postcodes.list"],
    ),
    ("DELETE FROM postcode WHERE code = '99998'", &["postcode:99998", "postcodes.list"]),
    // A row of a state and the set of them have different names.
    ("UPDATE state SET name = 'X' WHERE code = 'ZZZ'", &["state:ZZZ"]),
    ("INSERT INTO state VALUES ('XXX', 'New', 'east')", &["state:XXX", "states.list"]),
    ("DELETE FROM state WHERE code = 'YYY'", &["state:YYY", "states.list"]),
    (
        "UPDATE state SET code = 'XXX' WHERE code = 'YYY'",
        &["state:XXX", "state:YYY", "states.list"],
    ),
    // Whole tables.
    (
        "TRUNCATE product CASCADE",
        &["product.*", "product.sku.*", "product.slug.*", "products.list"],
    ),
    ("TRUNCATE product_category", &["product.*", "products.list"]),
    ("TRUNCATE product_image", &["product.*"]),
    ("TRUNCATE product_variant", &["product.*", "product.sku.*"]),
    (
        "TRUNCATE category CASCADE",
        &["categories.tree", "category.*", "product.*", "products.list"],
    ),
    ("TRUNCATE postcode", &["postcode.*", "postcodes.list"]),
    (
        "TRUNCATE state CASCADE",
        &["postcode.*", "postcodes.list", "states.*", "states.list"],
    ),
    // By the application itself.
    ("SELECT tingkat.forget(ARRAY['zone:east', 'product:p', 'zone:east'])", &["product:p", "zone:east"]),
    ("SELECT tingkat.forget(ARRAY[]::text[])", &[]),
];

#[tokio::test]
async fn every_statement_writes_the_deps_of_the_rule_and_no_others() {
    let store = Served::new().await;
    store.server.psql(ROWS).await.unwrap();
    let mut wrong = Vec::new();
    for (statement, expected) in RULE {
        let found = written(&store, statement).await;
        if found != *expected {
            wrong.push(format!(
                "{statement}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table that the embedded database is held to, word for word.
#[tokio::test]
async fn both_dialects_write_the_same_deps() {
    let store = Served::new().await;
    store.server.psql(SHARED_ROWS).await.unwrap();
    let mut wrong = Vec::new();
    for (statement, expected) in CASES {
        let found = written(&store, statement).await;
        if found != *expected {
            wrong.push(format!(
                "{statement}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const MANY: &str = "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
    SELECT 'm' || n, 'M' || n, 'm-' || n, 'M', 1, 1 FROM generate_series(1, ROWS) AS n";

#[tokio::test]
async fn a_statement_of_more_than_ten_thousand_rows_writes_the_entity_alone() {
    const ENTITY: &[&str] = &[
        "product.*",
        "product.sku.*",
        "product.slug.*",
        "products.list",
    ];
    let store = Served::new().await;
    let (most, more) = (MANY.replace("ROWS", "10000"), MANY.replace("ROWS", "10001"));
    assert_eq!(written(&store, &most).await.len(), 3 * 10_000 + 1);
    assert_eq!(written(&store, &more).await, ENTITY);
    store.server.psql(&more).await.unwrap();
    for statement in [
        "UPDATE product SET stock_quantity = stock_quantity + 1 WHERE id LIKE 'm%'",
        "DELETE FROM product WHERE id LIKE 'm%'",
    ] {
        assert_eq!(written(&store, statement).await, ENTITY, "{statement}");
    }
}

#[tokio::test]
async fn rows_that_are_copied_in_are_reported() {
    let store = Served::new().await;
    let copy = "BEGIN; COPY state FROM stdin;\nXXX\tNew\teast\n\\.\n
        SELECT dep FROM tingkat.change WHERE xid = pg_current_xact_id() ORDER BY 1; ROLLBACK";
    let deps = store.server.psql(copy).await.unwrap();
    assert_eq!(deps, "state:XXX\nstates.list");
}

#[tokio::test]
async fn a_dep_that_no_index_takes_is_told_to_its_caller() {
    let store = Served::new().await;
    for deps in ["ARRAY[repeat('x', 2001)]", "ARRAY[NULL]", "ARRAY['']"] {
        let sql = format!("SELECT tingkat.forget({deps}::text[])");
        let error = store.server.psql(&sql).await.unwrap_err().to_string();
        assert!(error.contains("a dep has 1 to 2000 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_kind_that_nobody_knows_is_told_to_its_caller() {
    let store = Served::new().await;
    for kind in ["'forget'", "'x'", "''", "NULL"] {
        let sql = format!("SELECT tingkat.append(ARRAY['f', {kind}], ARRAY['a', 'b'])");
        let error = store.server.psql(&sql).await.unwrap_err().to_string();
        assert!(error.contains("a kind is f, e or p"), "{error}");
    }
}

/// A store of other rules than ours may have names that can not be reported in full.
#[tokio::test]
async fn a_name_of_any_length_does_not_break_the_stores_own_write() {
    let store = Served::new().await;
    let sql = "ALTER TABLE product DROP CONSTRAINT product_slug_check, ALTER slug DROP NOT NULL;
        UPDATE product SET slug = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 80) n)
          WHERE id = '1';
        UPDATE product SET slug = NULL WHERE id = '1'";
    store.server.psql(sql).await.unwrap();
}

/// Keys of the engine are bytes: what a collation takes for the same name is another key.
#[tokio::test]
async fn a_name_that_only_a_collation_takes_for_the_same_is_another_one() {
    let store = Served::new().await;
    let sql = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        ALTER TABLE product DROP CONSTRAINT product_sku_check;
        ALTER TABLE product ALTER sku TYPE text COLLATE loose;
        ALTER TABLE category DROP CONSTRAINT category_name_check;
        ALTER TABLE category ALTER name TYPE text COLLATE loose;
        INSERT INTO product (id, sku, slug, name, regular_price, member_price)
          VALUES ('p', 'same', 's-1', 'P', 200, 100);
        INSERT INTO category (id, slug, name) VALUES ('c', 'c', 'same')";
    store.server.psql(sql).await.unwrap();
    let sku = "UPDATE product SET sku = 'SAME' WHERE id = 'p'";
    assert_eq!(
        written(&store, sku).await,
        ["product.sku:SAME", "product.sku:same", "product:p"]
    );
    let category = "UPDATE category SET name = 'SAME' WHERE id = 'c'";
    assert_eq!(
        written(&store, category).await,
        ["categories.tree", "category:c"]
    );
}
