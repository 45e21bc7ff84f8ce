//! Beside a pooler (`PgBouncer`) in transaction mode, with its defaults: every transaction may come to another
//! session, and other programs share these.

use std::time::Duration;

use futures::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tingkat_shop::ProductPatch;
use tingkat_shop::product::Slug;
use tingkat_sql::{Coherence, Compaction, Config, Database, install_changes, install_demo};
use tingkat_testkit::Postgres;

use crate::poller::Poller;
use crate::stores::{config, load, parsed, values};

#[tokio::test]
async fn everything_works_through_a_pooler_and_leaves_its_sessions_clean() {
    let server = Postgres::start().await.unwrap();
    server.create_database("shop").await.unwrap();
    let bouncer = server.bouncer(2).await.unwrap();
    let url = server.url_at(bouncer.port(), "shop");
    let database = Database::open(&parsed(&url), &config()).await.unwrap();

    install_demo(&database).await.unwrap();
    install_changes(&database).await.unwrap();
    database.check().await.unwrap();
    assert_eq!(database.coherence().await.unwrap(), Coherence::Whole);
    assert_eq!(database.compact().await.unwrap(), Compaction::Folded(0));
    let mut node = Poller::new(&database).await;

    // Loads of every kind at once, many more than there are sessions, beside polls and writes.
    let sources = database.sources();
    let writer = database.product_writer();
    let slugs: Vec<Slug> = values(
        &*sources.products,
        (1..=40).map(|id: u32| parsed(&id.to_string())),
    )
    .await
    .into_iter()
    .map(|product| product.slug)
    .collect();
    for round in 0..10_i64 {
        let products =
            join_all((1..=20_u32).map(|id| load(&*sources.products, [parsed(&id.to_string())])));
        let owners = join_all(
            slugs
                .iter()
                .map(|slug| load(&*sources.slugs, [slug.clone()])),
        );
        let places = join_all((0..10).map(|_| load(&*sources.postcodes, [parsed("50450")])));
        let (id, patch) = (parsed("7"), ProductPatch::set_stock(round));
        let written = writer.write(&id, &patch);
        let (products, owners, places, written) = futures::join!(products, owners, places, written);
        assert!(products.into_iter().all(|loaded| loaded.is_ok()));
        assert!(owners.into_iter().all(|loaded| loaded.is_ok()));
        assert!(places.into_iter().all(|loaded| loaded.is_ok()));
        written.unwrap();
        assert_eq!(node.news().await, ["product:7"]);
    }
    let products = values(&*sources.products, [parsed("7")]).await;
    assert_eq!(products[0].stock_quantity, 9);

    // Another program that gets these sessions finds nothing of ours in them.
    let settings = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
        current_setting('transaction_isolation'), (SELECT count(*) FROM pg_prepared_statements)";
    for _ in 0..4 {
        let found = server.psql_url(&url, settings).await.unwrap();
        assert_eq!(found, "0|0|read committed|0");
    }
}

/// What a pooler refuses at the start is said within each transaction instead.
#[tokio::test]
async fn a_schema_and_a_timeout_are_set_for_each_transaction() {
    let server = Postgres::start().await.unwrap();
    server.create_database("shop").await.unwrap();
    server
        .psql_in("shop", "CREATE SCHEMA \"My Store\"")
        .await
        .unwrap();
    let direct = format!("{}?schema=My%20Store", server.url("shop"));
    let direct = Database::open(&parsed(&direct), &config()).await.unwrap();
    install_demo(&direct).await.unwrap();
    install_changes(&direct).await.unwrap();

    let bouncer = server.bouncer(2).await.unwrap();
    let url = format!(
        "{}?schema=My%20Store",
        server.url_at(bouncer.port(), "shop")
    );
    let impatient = Config {
        statement_timeout: Duration::from_millis(300),
        ..config()
    };
    let database = Database::open(&parsed(&url), &impatient).await.unwrap();
    assert_eq!(database.coherence().await.unwrap(), Coherence::Whole);
    let products = database.sources().products;
    assert_eq!(values(&*products, [parsed("7")]).await.len(), 1);

    let mut holder = PgConnection::connect(&server.url("shop")).await.unwrap();
    let lock = "BEGIN; LOCK TABLE \"My Store\".product IN ACCESS EXCLUSIVE MODE";
    holder.execute(lock).await.unwrap();
    let error = load(&*products, [parsed("7")]).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("statement timeout"), "{cause}");
}
