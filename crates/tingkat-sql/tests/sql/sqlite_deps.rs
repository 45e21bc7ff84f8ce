//! What the triggers of the embedded store write, and what REPLACE can not hide from them.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;
use tingkat_sql::{Database, Url};

use crate::dep_rule::{CASES, Case, ROWS};
use crate::follower::Follower;
use crate::stores::{Embedded, config};

/// A store with the rows of the dep rule, to be copied for each case.
struct Template(Embedded);

impl Template {
    async fn new() -> Self {
        let template = Self(Embedded::new().await);
        template.run(ROWS).await;
        template
    }

    /// Changes what is copied from now on.
    async fn run(&self, sql: &'static str) {
        self.0.run(sql).await;
        self.0.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    }

    async fn copy(&self) -> (TempDir, Database, Follower) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        std::fs::copy(self.0.path(), &path).unwrap();
        let database = Database::open(&Url::sqlite(path), &config()).await.unwrap();
        let follower = Follower::of(&database).await;
        (folder, database, follower)
    }

    /// Runs the cases one by one, on connections that differ from ours as `options` says.
    async fn check(&self, cases: &[Case], options: impl Fn(Options) -> Options) {
        for (statement, deps) in cases {
            let (folder, database, mut follower) = self.copy().await;
            let plain = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
            let mut connection = options(plain).connect().await.unwrap();
            connection.execute(*statement).await.unwrap();
            assert_eq!(follower.deps().await, *deps, "{statement}");
            database.close().await;
        }
    }
}

type Options = SqliteConnectOptions;

#[tokio::test]
async fn a_statement_writes_exactly_what_depends_on_it() {
    Template::new().await.check(CASES, |options| options).await;
}

/// Rows that are in the way go without a word, as far as their own triggers are concerned.
const REPLACEMENTS: &[Case] = &[
    (
        "REPLACE INTO product (id, sku, slug, name, regular_price, member_price)
         VALUES ('pc', 'SC', 'lc', 'x', 1, 1)",
        &[
            "product.sku:SC",
            "product.slug:lc",
            "product:pc",
            "products.list",
        ],
    ),
    (
        "REPLACE INTO product (id, sku, slug, name, regular_price, member_price)
         VALUES ('pc', 'SX', 'lx', 'x', 1, 1)",
        &[
            "product.sku:SC",
            "product.sku:SX",
            "product.slug:lc",
            "product.slug:lx",
            "product:pc",
            "products.list",
        ],
    ),
    // Another product has the sku, and a third one the slug: both are gone then.
    (
        "INSERT OR REPLACE INTO product (id, sku, slug, name, regular_price, member_price)
         VALUES ('px', 'SC', 'ld', 'x', 1, 1)",
        &[
            "product.sku:SC",
            "product.sku:SD",
            "product.slug:lc",
            "product.slug:ld",
            "product:pc",
            "product:pd",
            "product:px",
            "products.list",
        ],
    ),
    (
        "UPDATE OR REPLACE product SET sku = 'SC', slug = 'ld' WHERE id = 'pe'",
        &[
            "product.sku:SC",
            "product.sku:SD",
            "product.sku:SE",
            "product.slug:lc",
            "product.slug:ld",
            "product.slug:le",
            "product:pc",
            "product:pd",
            "product:pe",
            "products.list",
        ],
    ),
    (
        "UPDATE OR REPLACE product SET id = 'pd' WHERE id = 'pc'",
        &[
            "product.sku:SC",
            "product.sku:SD",
            "product.slug:lc",
            "product.slug:ld",
            "product:pc",
            "product:pd",
            "products.list",
        ],
    ),
    (
        "REPLACE INTO category (id, slug, name) VALUES ('cx', 'cc', 'x')",
        &["categories.tree", "category:cc", "category:cx"],
    ),
    (
        "UPDATE OR REPLACE category SET slug = 'cc' WHERE id = 'cd'",
        &["categories.tree", "category:cc", "category:cd"],
    ),
    (
        "REPLACE INTO product_image (product_id, position, url) VALUES ('pb', 0, '/x')",
        &["product:pb"],
    ),
    (
        "UPDATE OR REPLACE product_image SET product_id = 'pb'
         WHERE product_id = 'pa' AND position = 0",
        &["product:pa", "product:pb"],
    ),
    (
        "REPLACE INTO product_variant (sku, product_id, name, value, regular_price, member_price)
         VALUES ('VB', 'pc', 'size', 'S', 10, 9)",
        &["product.sku:VB", "product:pb", "product:pc"],
    ),
    (
        "UPDATE OR REPLACE product_variant SET sku = 'VB' WHERE sku = 'VA'",
        &[
            "product.sku:VA",
            "product.sku:VB",
            "product:pa",
            "product:pb",
        ],
    ),
    (
        "REPLACE INTO product_category (product_id, category_id) VALUES ('pb', 'cb')",
        &["category.members:cb", "product:pb"],
    ),
    (
        "UPDATE OR REPLACE product_category SET category_id = 'cb'
         WHERE product_id = 'pa' AND category_id = 'ca'",
        &["category.members:ca", "category.members:cb", "product:pa"],
    ),
    (
        "REPLACE INTO postcode (code, position, city, state_code) VALUES ('99991', 0, 'x', 'ZZA')",
        &["postcode:99991", "postcodes.list"],
    ),
    (
        "UPDATE OR REPLACE postcode SET code = '99990' WHERE code = '99991'",
        &["postcode:99990", "postcode:99991", "postcodes.list"],
    ),
    (
        "REPLACE INTO state (code, name, zone) VALUES ('ZZB', 'x', 'east')",
        &["state:ZZB", "states.list"],
    ),
];

const MORE_ROWS: &str = "
    INSERT INTO product (id, sku, slug, name, regular_price, member_price) VALUES
      ('pd', 'SD', 'ld', 'D', 100, 90), ('pe', 'SE', 'le', 'E', 100, 90);
    INSERT INTO category (id, slug, name) VALUES ('cd', 'cd', 'D');
";

#[tokio::test]
async fn what_replace_removes_is_logged_whatever_the_connection_has_set() {
    let template = Template::new().await;
    template.run(MORE_ROWS).await;
    for is_recursive in ["OFF", "ON"] {
        for has_foreign_keys in [false, true] {
            let options = |options: Options| {
                let options = options.pragma("recursive_triggers", is_recursive);
                options.foreign_keys(has_foreign_keys)
            };
            template.check(REPLACEMENTS, options).await;
        }
    }
}

#[tokio::test]
async fn a_category_that_is_replaced_takes_its_members_along() {
    let template = Template::new().await;
    let cases: &[Case] = &[(
        "REPLACE INTO category (id, slug, name) VALUES ('cx', 'cb', 'x')",
        &[
            "categories.tree",
            "category.members:cb",
            "category:cb",
            "category:cx",
            "product:pa",
            "product:pb",
        ],
    )];
    template
        .check(cases, |options| options.pragma("recursive_triggers", "OFF"))
        .await;
}

/// No more than that: a stock that is written by an upsert refuses one product, not its listings.
#[tokio::test]
async fn an_upsert_writes_what_its_update_does() {
    let cases: &[Case] = &[
        (
            "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
             VALUES ('pa', 'SA', 'la', 'A', 100, 90)
             ON CONFLICT (id) DO UPDATE SET stock_quantity = 77",
            &["product:pa"],
        ),
        (
            "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
             VALUES ('pa', 'SA', 'la', 'A', 100, 90) ON CONFLICT DO NOTHING",
            &[],
        ),
        (
            "INSERT OR IGNORE INTO product (id, sku, slug, name, regular_price, member_price)
             VALUES ('pa', 'SA', 'la', 'A', 100, 90), ('pn', 'SN', 'ln', 'N', 100, 90)",
            &[
                "product.sku:SN",
                "product.slug:ln",
                "product:pn",
                "products.list",
            ],
        ),
        (
            "UPDATE OR IGNORE product SET stock_quantity = 3 WHERE id = 'pa'",
            &["product:pa"],
        ),
    ];
    Template::new().await.check(cases, |options| options).await;
}

#[tokio::test]
async fn a_column_that_no_statement_reads_writes_nothing() {
    let template = Template::new().await;
    template
        .run("ALTER TABLE product ADD COLUMN views integer NOT NULL DEFAULT 0")
        .await;
    let cases: &[Case] = &[("UPDATE product SET views = views + 1", &[])];
    template.check(cases, |options| options).await;
}

async fn begin(connection: &mut SqliteConnection) -> sqlx::Transaction<'_, sqlx::Sqlite> {
    connection.begin().await.unwrap()
}

#[tokio::test]
async fn what_is_rolled_back_was_never_there() {
    let template = Template::new().await;
    let (folder, database, mut follower) = template.copy().await;
    let plain = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut connection = plain.connect().await.unwrap();

    let mut transaction = begin(&mut connection).await;
    transaction
        .execute("UPDATE product SET stock_quantity = 1")
        .await
        .unwrap();
    assert_eq!(follower.deps().await, [""; 0], "not committed yet");
    transaction.rollback().await.unwrap();
    assert_eq!(follower.deps().await, [""; 0]);

    // Half of a transaction, and a statement that fails in the middle.
    let mut transaction = begin(&mut connection).await;
    transaction.execute("SAVEPOINT half").await.unwrap();
    transaction
        .execute("UPDATE product SET stock_quantity = 1 WHERE id = 'pa'")
        .await
        .unwrap();
    transaction.execute("ROLLBACK TO half").await.unwrap();
    transaction
        .execute("UPDATE product SET stock_quantity = 1 WHERE id = 'pb'")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let failing = "INSERT INTO product (id, sku, slug, name, regular_price, member_price)
                   VALUES ('py', 'SY', 'ly', 'Y', 1, 1), ('pz', 'SA', 'lz', 'Z', 1, 1)";
    connection.execute(failing).await.unwrap_err();
    assert_eq!(follower.deps().await, ["product:pb"]);
    database.close().await;
}
