//! Installing the change log in somebody else's live store, by roles with few rights, and finding
//! out whether it is whole.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tingkat::ports::Wanted;
use tingkat_shop::ProductPatch;
use tingkat_sql::{
    CheckErrorKind, Coherence, Compaction, InstallErrorKind, Preset, Queries, changes_drop_sql,
    changes_sql, install_changes, install_demo, uninstall_changes,
};
use tingkat_testkit::eventually;

use crate::poller::{LIMIT, Poller};
use crate::stores::{Served, open, parsed};

const SOON: Duration = Duration::from_secs(20);

const TABLES: [&str; 7] = [
    "category",
    "postcode",
    "product",
    "product_category",
    "product_image",
    "product_variant",
    "state",
];

/// A store that has no change log.
async fn bare() -> Served {
    let store = Served::empty().await;
    install_demo(&store.database).await.unwrap();
    store
}

async fn traces(store: &Served) -> String {
    let sql = "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tingkat%') || ' ' ||
        (SELECT count(*) FROM pg_namespace WHERE nspname = 'tingkat')";
    store.server.psql(sql).await.unwrap()
}

#[tokio::test]
async fn it_is_installed_once_and_removed_without_a_trace() {
    let store = bare().await;
    assert_eq!(
        store.database.coherence().await.unwrap(),
        Coherence::Missing
    );
    let first = install_changes(&store.database).await.unwrap();
    assert_eq!(first.changed, TABLES);
    assert_eq!(store.database.coherence().await.unwrap(), Coherence::Whole);
    let mut node = Poller::new(&store.database).await;
    let before = node.poll().await.unwrap().incarnation;

    let second = install_changes(&store.database).await.unwrap();
    assert_eq!(
        (second.changed.len(), &second.unchanged[..]),
        (0, &TABLES.map(String::from)[..])
    );
    assert_eq!(node.poll().await.unwrap().incarnation, before);
    assert_eq!(traces(&store).await, "28 1");

    assert_eq!(
        uninstall_changes(&store.database).await.unwrap().changed,
        TABLES
    );
    assert_eq!(traces(&store).await, "0 0");
    assert_eq!(
        store.database.coherence().await.unwrap(),
        Coherence::Missing
    );
    store
        .server
        .psql("UPDATE product SET stock_quantity = 0")
        .await
        .unwrap();
    assert_eq!(
        uninstall_changes(&store.database).await.unwrap().changed,
        [""; 0]
    );
}

#[tokio::test]
async fn the_sql_that_is_shown_does_the_same() {
    let store = bare().await;
    store
        .server
        .psql(&changes_sql(Preset::Tingkat))
        .await
        .unwrap();
    assert_eq!(store.database.coherence().await.unwrap(), Coherence::Whole);
    let again = install_changes(&store.database).await.unwrap();
    assert_eq!(again.changed, [""; 0]);
    store
        .server
        .psql(&changes_drop_sql(&Queries::default()))
        .await
        .unwrap();
    assert_eq!(traces(&store).await, "0 0");
}

#[tokio::test]
async fn a_database_without_the_store_is_refused() {
    let store = Served::empty().await;
    let refused = install_changes(&store.database).await.unwrap_err();
    assert_eq!(refused.kind(), InstallErrorKind::TablesMissing);
    assert!(
        refused.to_string().contains("no table category, postcode,"),
        "{refused}"
    );
    assert_eq!(traces(&store).await, "0 0");
}

#[tokio::test]
async fn what_others_put_into_the_schema_is_not_removed() {
    let store = Served::new().await;
    store
        .server
        .psql("CREATE TABLE tingkat.mine (a int)")
        .await
        .unwrap();
    let refused = uninstall_changes(&store.database).await.unwrap_err();
    assert_eq!(refused.kind(), InstallErrorKind::Refused);
    // In one transaction: of the log everything is still there.
    assert_eq!(traces(&store).await, "0 1");
    store
        .server
        .psql("TABLE tingkat.mine; TABLE tingkat.change")
        .await
        .unwrap();
}

/// While somebody reads or writes a table for long, others go on with it, and the installation gets
/// its turn in the end.
#[tokio::test]
async fn a_table_in_use_is_not_blocked_and_not_given_up() {
    let store = bare().await;
    let mut holder = PgConnection::connect(&store.server.url()).await.unwrap();
    let mut transaction = holder.begin().await.unwrap();
    let write = "UPDATE product SET stock_quantity = 1 WHERE id = '1'";
    transaction.execute(write).await.unwrap();

    let installing = install_changes(&store.database);
    let using = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND datname = current_database() AND query LIKE '%CREATE OR REPLACE TRIGGER%'";
        let is_waiting = async || store.server.psql(waiting).await.unwrap() == "1";
        eventually(SOON, is_waiting).await.unwrap();
        // Queues behind the installation's lock, which therefore must be given up soon.
        let other =
            "SET statement_timeout = '4s'; UPDATE product SET stock_quantity = 2 WHERE id = '2'";
        store.server.psql(other).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let (installed, ()) = tokio::join!(installing, using);
    assert_eq!(installed.unwrap().changed, TABLES);
    assert_eq!(store.database.coherence().await.unwrap(), Coherence::Whole);
}

#[tokio::test]
async fn what_is_missing_is_named_and_repaired() {
    let store = Served::new().await;
    for (damage, named) in [
        (
            "DROP TRIGGER tingkat_truncate ON product",
            "no enabled triggers on product",
        ),
        (
            "ALTER TABLE state DISABLE TRIGGER tingkat_update",
            "no enabled triggers on state",
        ),
        (
            "ALTER TABLE category DISABLE TRIGGER ALL",
            "no enabled triggers on category",
        ),
        (
            "ALTER TABLE category ENABLE REPLICA TRIGGER tingkat_insert",
            "no enabled triggers on category",
        ),
        (
            "DROP FUNCTION tingkat.forget(text[])",
            "missing: tingkat.forget",
        ),
        (
            "DROP TABLE tingkat.change_old",
            "missing: tingkat.change_old",
        ),
        (
            "COMMENT ON SCHEMA tingkat IS 'Tingkat change log, version 0'",
            "of another release",
        ),
    ] {
        store.server.psql(damage).await.unwrap();
        let coherence = store.database.coherence().await.unwrap();
        let text = coherence.to_string();
        assert!(
            text.contains(named) && text.ends_with("run `tingkat schema install`"),
            "{damage}: {text}"
        );
        install_changes(&store.database).await.unwrap();
        assert_eq!(
            store.database.coherence().await.unwrap(),
            Coherence::Whole,
            "{damage}"
        );
    }
}

/// A migration that makes a table anew loses its triggers without a word.
#[tokio::test]
async fn a_table_that_was_made_anew_is_found() {
    let store = Served::new().await;
    let whole = store.database.check_triggers().await.unwrap();
    assert_eq!((whole.watched.len(), whole.missing.len()), (7, 0));
    let sql = "CREATE TABLE anew (LIKE product_image INCLUDING ALL);
        INSERT INTO anew TABLE product_image; DROP TABLE product_image;
        ALTER TABLE anew RENAME TO product_image";
    store.server.psql(sql).await.unwrap();
    let report = store.database.check_triggers().await.unwrap();
    assert_eq!(report.missing, ["product_image"]);
    assert_eq!(
        install_changes(&store.database).await.unwrap().changed,
        ["product_image"]
    );
    assert!(
        store
            .database
            .check_triggers()
            .await
            .unwrap()
            .missing
            .is_empty()
    );
}

/// The tables behind a view are those that change.
#[tokio::test]
async fn a_view_is_seen_through() {
    let store = Served::new().await;
    let sql = "ALTER TABLE state RENAME TO territory; CREATE VIEW state AS TABLE territory";
    store.server.psql(sql).await.unwrap();
    let report = store.database.check_triggers().await.unwrap();
    assert!(
        report.missing.is_empty() && report.watched.contains(&"territory".to_owned()),
        "{report:?}"
    );
    store
        .server
        .psql("DROP TRIGGER tingkat_delete ON territory")
        .await
        .unwrap();
    let report = store.database.check_triggers().await.unwrap();
    assert_eq!(report.missing, ["territory"]);
}

/// The grants of docs/postgres.md: who installs need not own the store, and who serves may read it.
const ROLES: &str = "
    CREATE ROLE NAME_installer LOGIN; CREATE ROLE NAME_server LOGIN; CREATE ROLE NAME_shop LOGIN;
    GRANT CREATE ON DATABASE NAME TO NAME_installer;
    GRANT SELECT, TRIGGER ON category, postcode, product, product_category, product_image,
      product_variant, state TO NAME_installer;
    GRANT SELECT ON category, postcode, product, product_category, product_image,
      product_variant, state TO NAME_server;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO NAME_shop";

const GRANTS: &str = "
    GRANT USAGE ON SCHEMA tingkat TO NAME_server;
    GRANT SELECT ON ALL TABLES IN SCHEMA tingkat TO NAME_server";

#[tokio::test]
async fn roles_with_the_documented_rights_are_enough_and_fewer_are_named() {
    let store = bare().await;
    let name = store.server.name();
    let run = async |sql: &str| store.server.psql(&sql.replace("NAME", name)).await.unwrap();
    let url = |role: &str| {
        store
            .server
            .url()
            .replace("postgres@", &format!("{name}_{role}@"))
    };
    run(ROLES).await;

    let installer = open(&url("installer")).await;
    assert_eq!(install_changes(&installer).await.unwrap().changed, TABLES);
    assert_eq!(installer.coherence().await.unwrap(), Coherence::Whole);

    // Without the grants, what is missing is named.
    let server = open(&url("server")).await;
    let text = server.coherence().await.unwrap().to_string();
    assert!(
        text.contains("not granted to us: SELECT ON tingkat.change,"),
        "{text}"
    );
    assert!(text.contains("USAGE ON SCHEMA tingkat"), "{text}");
    let error = server
        .change_log()
        .unwrap()
        .history(LIMIT)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("GRANT USAGE ON SCHEMA tingkat"),
        "{error}"
    );
    let error = server.compact().await.unwrap_err();
    assert_eq!(error.kind(), CheckErrorKind::Refused);

    // With them it follows, loads, appends, compacts and begins new lives.
    run(GRANTS).await;
    assert_eq!(server.coherence().await.unwrap(), Coherence::Whole);
    let mut node = Poller::new(&server).await;
    let products = server.sources().products;
    let wanted = [Wanted {
        key: parsed("1"),
        known: None,
    }];
    assert!(products.load(&wanted).await.unwrap().certificate.is_some());
    let life = node.poll().await.unwrap().incarnation;
    node.log.replace_incarnation(life).await.unwrap();
    assert_ne!(node.poll().await.unwrap().incarnation, life);
    assert_eq!(server.compact().await.unwrap(), Compaction::Folded(0));

    // The store's own role needs no right on the log, and can not write into it otherwise.
    let shop = url("shop");
    let update = "UPDATE product SET stock_quantity = 0 WHERE id = '1'";
    store.server.server().psql_url(&shop, update).await.unwrap();
    assert_eq!(node.news().await, ["product:1"]);
    let forge = "DELETE FROM tingkat.change";
    store
        .server
        .server()
        .psql_url(&shop, forge)
        .await
        .unwrap_err();
    store
        .server
        .server()
        .psql_url(&url("server"), forge)
        .await
        .unwrap_err();

    // To write products takes one more right.
    let writer = server.product_writer();
    let (id, patch) = (parsed("1"), ProductPatch::set_stock(1));
    assert!(writer.write(&id, &patch).await.is_err());
    run("GRANT UPDATE ON product TO NAME_server").await;
    writer.write(&id, &patch).await.unwrap();

    // An application that calls the function itself.
    run("GRANT USAGE ON SCHEMA tingkat TO NAME_shop").await;
    node.poll().await.unwrap();
    let forget = "SELECT tingkat.forget(ARRAY['zone:east'])";
    store.server.server().psql_url(&shop, forget).await.unwrap();
    assert_eq!(node.news().await, ["zone:east"]);
}

/// A role that puts its own functions before the system's must not be able to trick a trigger.
#[tokio::test]
async fn a_search_path_of_the_writer_changes_nothing() {
    let store = Served::new().await;
    let mut node = Poller::new(&store.database).await;
    let sql = "CREATE SCHEMA mine;
        CREATE FUNCTION mine.left(text, integer) RETURNS text LANGUAGE sql AS 'SELECT ''forged''';
        CREATE FUNCTION mine.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS 'SELECT ''1''::xid8';
        SET search_path = mine, pg_catalog, public;
        UPDATE public.product SET stock_quantity = 0 WHERE id = '1'";
    store.server.psql(sql).await.unwrap();
    assert_eq!(node.news().await, ["product:1"]);
}
