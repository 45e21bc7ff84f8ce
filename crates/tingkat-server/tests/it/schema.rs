//! `tingkat schema`: what it puts into a database, and where it refuses.

use tingkat_testkit::{Postgres, free_port};

use crate::program::{Ended, Folder, Program};
use crate::stores::install;

async fn dry_run(url: &str) -> Ended {
    let folder = Folder::new();
    let ended = Program::new(&folder, &["schema", "install", "--demo", "--dry-run"])
        .with("DATABASE_URL", url)
        .run()
        .await;
    assert_eq!(folder.names(), [""; 0]);
    ended
}

#[tokio::test]
async fn the_demo_store_is_installed_once_and_a_second_time_is_refused() {
    let database = Postgres::shared().await.unwrap();
    let first = install(&database.url()).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let said =
        "The demo store is installed.\nThe change log is installed, with triggers on category,";
    assert!(first.stdout.starts_with(said), "{first:?}");
    let count = "SELECT count(*) FROM product";
    assert_eq!(database.psql(count).await.unwrap(), "1958");

    database.psql("DELETE FROM wishlist_line").await.unwrap();
    let second = install(&database.url()).await;
    assert_eq!((second.code, second.stdout.as_str()), (Some(2), ""));
    assert!(
        second
            .stderr
            .contains("these tables exist: cart_line, category,"),
        "{second:?}"
    );
    let count = "SELECT count(*) FROM wishlist_line";
    assert_eq!(database.psql(count).await.unwrap(), "0");
}

#[tokio::test]
async fn one_table_of_the_same_name_is_enough_to_refuse() {
    let database = Postgres::shared().await.unwrap();
    database.psql("CREATE TABLE orders (id int)").await.unwrap();
    let ended = install(&database.url()).await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.ends_with("these tables exist: orders\n"),
        "{ended:?}"
    );
    let tables = "SELECT string_agg(relname, ' ') FROM pg_class \
                  WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(database.psql(tables).await.unwrap(), "orders");
}

#[tokio::test]
async fn a_dry_run_prints_sql_that_works_and_touches_nothing() {
    let database = Postgres::shared().await.unwrap();
    let ended = dry_run(&database.url()).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let tables = "SELECT count(*) FROM pg_class \
                  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    assert_eq!(database.psql(tables).await.unwrap(), "0");
    database.psql(&ended.stdout).await.unwrap();
    assert_eq!(database.psql(tables).await.unwrap(), "12");
}

#[tokio::test]
async fn a_dry_run_needs_no_database() {
    let url = format!(
        "postgres://ali:hunter2@127.0.0.1:{}/shop",
        free_port().unwrap()
    );
    let ended = dry_run(&url).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("CREATE TABLE"), "{ended:?}");
}

#[tokio::test]
async fn the_embedded_database_needs_no_installation_and_the_command_says_so() {
    let folder = Folder::new();
    let ended = Program::new(&folder, &["schema", "install", "--demo"])
        .run()
        .await;
    assert_eq!(ended.code, Some(78));
    assert_eq!(ended.stderr.lines().count(), 1);
    let why = "`tingkat serve` creates the embedded one by itself";
    assert!(ended.stderr.contains(why), "{ended:?}");
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test]
async fn a_database_that_is_not_there_has_a_code_of_its_own() {
    let url = format!(
        "postgres://ali:hunter2@127.0.0.1:{}/shop",
        free_port().unwrap()
    );
    let ended = install(&url).await;
    assert_eq!(ended.code, Some(5));
    assert_eq!(ended.stderr.lines().count(), 1);
    assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
}
