//! Installing the demo store: into an empty schema, wholly or not at all.

use tingkat_sql::{InstallErrorKind, demo_sql, install_demo};

use crate::stores::{Served, install, open, parsed, values};

/// The names of all tables outside of the system's schemas.
async fn tables(store: &Served) -> Vec<String> {
    let sql = "SELECT schemaname || '.' || tablename FROM pg_tables
               WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'tingkat') ORDER BY 1";
    store
        .server
        .psql(sql)
        .await
        .unwrap()
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test]
async fn the_demo_store_is_complete_and_installed_once() {
    let store = Served::new().await;
    store.database.check().await.unwrap();
    assert_eq!(tables(&store).await.len(), 12);
    for (table, rows) in [
        ("product", 1_958),
        ("postcode", 3_028),
        ("orders", 336),
        ("order_line", 7_265),
    ] {
        let count = store
            .server
            .psql(&format!("SELECT count(*) FROM {table}"))
            .await
            .unwrap();
        assert_eq!(count, rows.to_string(), "{table}");
    }
    let newest = store
        .server
        .psql("SELECT max(placed_at)::date FROM orders")
        .await
        .unwrap();
    assert_eq!(newest, "2026-02-28");
    let analyzed = "SELECT count(*) FROM pg_stats WHERE tablename = 'product' AND attname = 'sku'";
    assert_eq!(store.server.psql(analyzed).await.unwrap(), "1");

    let again = install_demo(&store.database).await.unwrap_err();
    assert_eq!(again.kind(), InstallErrorKind::TablesExist);
    assert_eq!(
        again.to_string(),
        "the demo store needs an empty schema, and these tables exist: cart_line, category, \
         customer, order_line, orders, postcode, product, product_category, product_image, \
         product_variant, state, wishlist_line"
    );
}

#[tokio::test]
async fn an_existing_table_is_left_alone_and_named() {
    let store = Served::empty().await;
    store
        .server
        .psql("CREATE TABLE orders (mine text); INSERT INTO orders VALUES ('x')")
        .await
        .unwrap();
    let refused = install_demo(&store.database).await.unwrap_err();
    assert_eq!(refused.kind(), InstallErrorKind::TablesExist);
    assert!(
        refused.to_string().ends_with("these tables exist: orders"),
        "{refused}"
    );
    assert_eq!(tables(&store).await, ["public.orders"]);
    assert_eq!(
        store.server.psql("SELECT mine FROM orders").await.unwrap(),
        "x"
    );
}

#[tokio::test]
async fn an_installation_that_fails_half_way_leaves_nothing_behind() {
    let store = Served::empty().await;
    // An index of the last table but one: everything before it has been created by then.
    let taken = "CREATE TABLE other (id text); CREATE INDEX cart_line_product ON other (id)";
    store.server.psql(taken).await.unwrap();
    let refused = install_demo(&store.database).await.unwrap_err();
    assert_eq!(refused.kind(), InstallErrorKind::Refused);
    assert_eq!(tables(&store).await, ["public.other"]);
}

#[tokio::test]
async fn tables_of_another_schema_are_in_nobodys_way() {
    let store = Served::empty().await;
    store
        .server
        .psql("CREATE TABLE product (theirs text); CREATE SCHEMA \"My Store\"")
        .await
        .unwrap();
    let url = format!("{}?schema=My%20Store", store.server.url());
    let database = open(&url).await;
    install(&database).await;
    database.check().await.unwrap();
    assert_eq!(
        values(&*database.sources().products, [parsed("7")])
            .await
            .len(),
        1
    );
    let installed = tables(&store).await;
    assert!(
        installed.contains(&"My Store.product".to_owned()),
        "{installed:?}"
    );
    assert_eq!(installed.len(), 13);
}

#[tokio::test]
async fn of_two_installations_at_once_one_is_refused() {
    let store = Served::empty().await;
    let both = futures::future::join(install_demo(&store.database), install_demo(&store.database));
    let (one, other) = both.await;
    let refused = match (one, other) {
        (Ok(()), Err(refused)) | (Err(refused), Ok(())) => refused,
        both => panic!("{both:?}"),
    };
    assert_eq!(refused.kind(), InstallErrorKind::TablesExist);
    store.database.check().await.unwrap();
}

#[tokio::test]
async fn the_sql_that_is_shown_creates_the_tables_that_are_installed() {
    let store = Served::empty().await;
    store.server.psql(demo_sql()).await.unwrap();
    store.database.check().await.unwrap();
    assert_eq!(tables(&store).await.len(), 12);
}
