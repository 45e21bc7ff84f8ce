//! A file of the release before the change log.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tingkat_sql::{Database, Url};

use crate::follower::Follower;
use crate::stores::{config, parsed, values};

const STORE: &str = include_str!("../../migrations/sqlite/0001_store.sql");

/// As the old release left it, with rows of the owner's.
pub(crate) async fn old_file(path: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let mut connection = options.connect().await.unwrap();
    connection.execute(STORE).await.unwrap();
    let rows = "INSERT INTO state (code, name, zone) VALUES ('SGR', 'Selangor', 'west');
                INSERT INTO product (id, sku, slug, name, regular_price, member_price)
                VALUES ('mine', 'M', 'm', 'Mine', 100, 90)";
    connection.execute(rows).await.unwrap();
    connection.close().await.unwrap();
}

async fn open(path: &Path) -> Database {
    Database::open(&Url::sqlite(path), &config()).await.unwrap()
}

#[tokio::test]
async fn a_file_of_the_release_before_gets_a_change_log_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    old_file(&path).await;
    let database = open(&path).await;
    database.check().await.unwrap();
    let mine = values(&*database.sources().products, [parsed("mine")]).await;
    assert_eq!(mine[0].name, "Mine");

    let mut follower = Follower::of(&database).await;
    let mut other = SqliteConnectOptions::new()
        .filename(&path)
        .connect()
        .await
        .unwrap();
    other
        .execute("UPDATE product SET regular_price = 99")
        .await
        .unwrap();
    assert_eq!(follower.deps().await, ["product:mine", "products.list"]);
    let products = sqlx::query("SELECT count(*) AS products FROM product");
    let products: i64 = products
        .fetch_one(&mut other)
        .await
        .unwrap()
        .get("products");
    assert_eq!(products, 1, "the demo store was put into somebody's own");
}

#[tokio::test]
async fn processes_that_migrate_a_file_at_once_share_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    old_file(&path).await;
    let children = [(); 3].map(|()| crate::file::start_other_process(&path));
    let databases = futures::future::join_all((0..3).map(|_| open(&path))).await;
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let mut incarnations = Vec::new();
    for database in &databases {
        incarnations.push(Follower::of(database).await.incarnation);
    }
    assert!(
        incarnations
            .iter()
            .all(|incarnation| *incarnation == incarnations[0])
    );
}
