//! `tingkat schema`: what it puts into a database, and where it refuses.

use serde_json::{Value, json};
use tingkat_testkit::{Postgres, free_port};

use crate::program::{Ended, Folder, Program};
use crate::stores::{install, installed};

async fn dry_run(url: &str) -> Ended {
    let folder = Folder::new();
    let ended = Program::new(&folder, &["schema", "install", "--demo", "--dry-run"])
        .with("DATABASE_URL", url)
        .run()
        .await;
    assert_eq!(folder.names(), [""; 0]);
    ended
}

async fn schema(arguments: &[&str], url: &str) -> Ended {
    let arguments = [&["schema"], arguments].concat();
    Program::new(&Folder::new(), &arguments)
        .with("DATABASE_URL", url)
        .run()
        .await
}

/// The one object that a command prints with `--json`.
fn object(ended: &Ended) -> Value {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

const TABLES: [&str; 7] = [
    "category",
    "postcode",
    "product",
    "product_category",
    "product_image",
    "product_variant",
    "state",
];

#[tokio::test]
async fn the_change_log_comes_and_goes_by_command() {
    let database = installed().await;
    let url = database.url();
    let again = schema(&["install"], &url).await;
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        again.stdout,
        "The change log was installed already, with all its triggers.\n"
    );
    let checked = schema(&["check", "--json"], &url).await;
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let checks = object(&checked);
    let checks = checks["checks"].as_array().unwrap();
    let of = |kind: &str| {
        let ids = checks.iter().map(|check| check["id"].as_str().unwrap());
        ids.filter(|id| id.starts_with(kind)).count()
    };
    assert_eq!((of("deps: "), of("statement: ")), (38, 17));
    assert_eq!(checks.len(), 2 + 38 + 17);
    assert!(
        checks.iter().all(|check| check["status"] == "passed"),
        "{checks:?}"
    );
    let compacted = schema(&["compact", "--json"], &url).await;
    assert_eq!(compacted.code, Some(0));
    assert_eq!(
        object(&compacted),
        json!({ "folded": 0, "schema_version": 1 })
    );

    let removed = schema(&["uninstall", "--json"], &url).await;
    assert_eq!(removed.code, Some(0));
    let triggers = json!({ "changed": TABLES, "unchanged": [] });
    assert_eq!(
        object(&removed),
        json!({ "schema_version": 1, "triggers": triggers })
    );
    let lacking = schema(&["check"], &url).await;
    assert_eq!(lacking.code, Some(3), "{lacking:?}");
    let lines: Vec<&str> = lacking
        .stdout
        .lines()
        .filter(|line| !line.contains(" statement: "))
        .collect();
    let expected = [
        "passed   tables: the store's tables are there",
        "failed   change_log: the database has no change log: run `tingkat schema install`",
    ];
    assert_eq!(lines, expected);
    assert_eq!(lacking.stderr, "tingkat: 1 of 19 checks failed\n");
    let nothing = schema(&["compact"], &url).await;
    assert_eq!(nothing.code, Some(3), "{nothing:?}");
    assert!(
        nothing.stderr.contains("run `tingkat schema install`"),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn a_trigger_that_is_gone_is_named_and_put_back() {
    let database = installed().await;
    database
        .psql("DROP TRIGGER tingkat_update ON product")
        .await
        .unwrap();
    let checked = schema(&["check"], &database.url()).await;
    assert_eq!(checked.code, Some(3));
    assert!(
        checked.stdout.contains("no enabled triggers on product"),
        "{checked:?}"
    );
    let again = schema(&["install"], &database.url()).await;
    assert_eq!(
        again.stdout,
        "The change log is whole again: triggers on product were created.\n"
    );
    let checked = schema(&["check"], &database.url()).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[tokio::test]
async fn every_command_says_in_time_that_nobody_answers() {
    let url = format!(
        "postgres://ali:hunter2@127.0.0.1:{}/shop",
        free_port().unwrap()
    );
    for command in ["install", "uninstall", "check", "compact"] {
        let ended = schema(&[command], &url).await;
        assert_eq!(ended.code, Some(5), "{command}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{command}: {ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_store_of_nobody_gets_no_change_log() {
    let database = Postgres::shared().await.unwrap();
    let ended = schema(&["install"], &database.url()).await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .stderr
            .contains("--demo creates those of the demo store"),
        "{ended:?}"
    );
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'tingkat'";
    assert_eq!(database.psql(schemas).await.unwrap(), "0");
}

#[tokio::test]
async fn the_demo_store_is_installed_once_and_a_second_time_is_refused() {
    let database = Postgres::shared().await.unwrap();
    let first = install(&database.url()).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(
        first.stdout,
        "The demo store is installed.\n\
         The change log is installed, with triggers on category, postcode, product, \
         product_category, product_image, product_variant, state.\n"
    );
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
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tingkat%'";
    assert_eq!(database.psql(triggers).await.unwrap(), "28");

    let ended = schema(&["uninstall", "--dry-run"], &database.url()).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(database.psql(triggers).await.unwrap(), "28");
    database.psql(&ended.stdout).await.unwrap();
    assert_eq!(database.psql(triggers).await.unwrap(), "0");
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
    for command in [
        &["schema", "install", "--demo"][..],
        &["schema", "uninstall"],
        &["schema", "check"],
        &["schema", "compact"],
    ] {
        let ended = Program::new(&folder, command).run().await;
        assert_eq!(ended.code, Some(78));
        assert_eq!(ended.stderr.lines().count(), 1);
        let why = "`tingkat serve` creates the embedded one by itself";
        assert!(ended.stderr.contains(why), "{ended:?}");
        assert_eq!(folder.names(), [""; 0]);
    }
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
