//! A PostgreSQL server that is away, hangs, restarts, or is not as it should be.

use std::time::Duration;

use futures::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tingkat::error::Recovery;
use tingkat::ports::Found;
use tingkat_shop::product::ProductId;
use tingkat_sql::{CheckErrorKind, Config, Database, InstallErrorKind, install_demo};
use tingkat_testkit::{Certificates, Identity, Postgres, eventually, free_port};

use crate::stores::{Served, config, install, load, open, parsed, values};

const SOON: Duration = Duration::from_secs(20);

fn ids(count: u32) -> Vec<ProductId> {
    (1..=count)
        .map(|number| parsed(&number.to_string()))
        .collect()
}

#[tokio::test]
async fn a_database_that_is_away_opens_says_so_and_recovers() {
    let server = Postgres::start().await.unwrap();
    server.create_database("shop").await.unwrap();
    server.shut_down().await.unwrap();
    let database = open(&server.url("shop")).await;
    let away = database.check().await.unwrap_err();
    assert_eq!(away.kind(), CheckErrorKind::Unreachable);
    let cause = std::error::Error::source(&away).unwrap().to_string();
    assert!(cause.contains("refused"), "{cause}");
    let load_away = load(&*database.sources().products, ids(1))
        .await
        .unwrap_err();
    assert_eq!(load_away.recovery(), Recovery::Reconnect);
    assert_eq!(
        install_demo(&database).await.unwrap_err().kind(),
        InstallErrorKind::Unreachable
    );

    server.restart().await.unwrap();
    let empty = database.check().await.unwrap_err();
    assert_eq!(empty.kind(), CheckErrorKind::SchemaMissing);
    assert!(
        empty
            .to_string()
            .contains("no table category, postcode, product,"),
        "{empty}"
    );
    install(&database).await;
    database.check().await.unwrap();
    assert_eq!(values(&*database.sources().products, ids(3)).await.len(), 3);

    server.kill_immediate().await.unwrap();
    assert_eq!(
        database.check().await.unwrap_err().kind(),
        CheckErrorKind::Unreachable
    );
    server.restart().await.unwrap();
    database.check().await.unwrap();
    assert_eq!(values(&*database.sources().products, ids(3)).await.len(), 3);
    server.kill_immediate().await.unwrap();
    server.restart().await.unwrap();
    // Nobody asked in between: connections are found dead, and new ones are made.
    database.check().await.unwrap();
    assert_eq!(values(&*database.sources().products, ids(3)).await.len(), 3);
}

#[tokio::test]
async fn nobody_at_the_address_is_told_in_time() {
    let url = format!(
        "postgres://ali:s3cret@127.0.0.1:{}/shop",
        free_port().unwrap()
    );
    let database = open(&url).await;
    let within = tokio::time::timeout(Duration::from_secs(5), database.check());
    let error = within.await.expect("a check ends").unwrap_err();
    assert_eq!(error.kind(), CheckErrorKind::Unreachable);
    let all = format!("{error:?} {error} {database:?}");
    assert!(!all.contains("s3cret"), "{all}");
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_refusals_without_secrets() {
    let server = Postgres::config().password("right").start().await.unwrap();
    server.create_database("shop").await.unwrap();
    let url = server.url("shop");
    let cases = [
        url.replace(":right@", ":s3cret@"),
        url.replace("/shop", "/nothing"),
    ];
    for url in cases {
        let database = open(&url).await;
        let error = database.check().await.unwrap_err();
        assert_eq!(error.kind(), CheckErrorKind::Refused, "{error:?}");
        assert!(
            !format!("{error:?} {error} {database:?}").contains("s3cret"),
            "{error:?}"
        );
        // Somebody may be about to set it right: what is cached may stand in until then.
        let error = load(&*database.sources().products, ids(1))
            .await
            .unwrap_err();
        assert_eq!(error.recovery(), Recovery::Reconnect);
    }
}

#[tokio::test]
async fn a_table_that_we_may_not_read_is_named() {
    let store = Served::new().await;
    let sql = "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
               REVOKE SELECT ON state, product FROM reader";
    store.server.psql(sql).await.unwrap();
    let database = open(&store.server.url().replace("postgres@", "reader@")).await;
    let error = database.check().await.unwrap_err();
    assert_eq!(error.kind(), CheckErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        "we may not read product, state: GRANT SELECT ON product, state to our user"
    );
    let error = load(&*database.sources().products, ids(1))
        .await
        .unwrap_err();
    assert_eq!(error.recovery(), Recovery::Retry);
}

#[tokio::test]
async fn a_batch_is_one_statement() {
    let store = Served::new().await;
    store
        .server
        .psql("CREATE EXTENSION pg_stat_statements")
        .await
        .unwrap();
    store
        .server
        .psql("SELECT pg_stat_statements_reset()")
        .await
        .unwrap();
    let products = values(&*store.database.sources().products, ids(500)).await;
    assert_eq!(products.len(), 500);
    let slugs: Vec<_> = products.into_iter().map(|product| product.slug).collect();
    values(&*store.database.sources().slugs, slugs).await;
    let counted = "SELECT calls || ' ' || rows FROM pg_stat_statements
                   WHERE query ILIKE '%FROM product%' AND dbid = (SELECT oid FROM pg_database
                   WHERE datname = current_database()) ORDER BY 1";
    let calls = store.server.psql(counted).await.unwrap();
    assert_eq!(calls.lines().collect::<Vec<_>>(), ["1 500", "1 500"]);
}

#[tokio::test]
async fn a_connection_says_who_we_are() {
    let store = Served::new().await;
    values(&*store.database.sources().products, ids(1)).await;
    let sql = "SELECT DISTINCT application_name FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(store.server.psql(sql).await.unwrap(), "tingkat");
}

#[tokio::test]
async fn the_url_decides_how_far_a_certificate_is_trusted() {
    let certificates = Certificates::generate().unwrap();
    let authority = certificates.authority();
    let server = Postgres::config()
        .tls(&certificates)
        .identity(Identity::WrongName);
    let server = server.start().await.unwrap();
    server.create_database("shop").await.unwrap();
    let bare = server.url("shop");
    let bare = bare.split('?').next().unwrap();
    for (mode, expected) in [
        ("disable", CheckErrorKind::Refused),
        // From here on the connection is made, and the database is found empty.
        ("require", CheckErrorKind::SchemaMissing),
        ("verify-ca", CheckErrorKind::SchemaMissing),
        ("verify-full", CheckErrorKind::Unreachable),
    ] {
        let url = format!("{bare}?sslmode={mode}&sslrootcert={}", authority.display());
        let error = open(&url).await.check().await.unwrap_err();
        assert_eq!(error.kind(), expected, "{mode}: {error:?}");
    }
    let nobodys = format!("{bare}?sslmode=verify-ca");
    let error = open(&nobodys).await.check().await.unwrap_err();
    assert_eq!(error.kind(), CheckErrorKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_server_that_can_not_prove_who_it_is_is_refused_and_told_why() {
    let certificates = Certificates::generate().unwrap();
    let authority = certificates.authority();
    for (identity, expected) in [
        (Identity::Expired, "has expired"),
        (Identity::WrongName, "is for another name"),
        (Identity::UnknownAuthority, "authority that is not trusted"),
        (Identity::Server, "the database has no table"),
    ] {
        let server = Postgres::config().tls(&certificates).identity(identity);
        let server = server.start().await.unwrap();
        server.create_database("shop").await.unwrap();
        let bare = server.url("shop");
        let bare = bare.split('?').next().unwrap();
        let url = format!(
            "{bare}?sslmode=verify-full&sslrootcert={}",
            authority.display()
        );
        let error = open(&url).await.check().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{identity:?}: {error}");
    }
}

/// A server that has stopped to answer, while its machine still takes what is sent.
#[tokio::test]
async fn a_server_that_hangs_is_told_in_time_and_recovers() {
    let server = Postgres::start().await.unwrap();
    server.create_database("shop").await.unwrap();
    let database = open(&server.url("shop")).await;
    install(&database).await;
    database.check().await.unwrap();

    server.stop().unwrap();
    let error = database.check().await.unwrap_err();
    assert_eq!(error.kind(), CheckErrorKind::Unreachable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("no answer within 2s"), "{cause}");

    server.cont().unwrap();
    eventually(SOON, || async { database.check().await.is_ok() })
        .await
        .unwrap();
    assert_eq!(values(&*database.sources().products, ids(3)).await.len(), 3);
}

#[tokio::test]
async fn loads_given_up_on_dead_connections_do_not_use_the_pool_up() {
    const CONNECTIONS: u32 = 4;
    let store = Served::new().await;
    let few = Config {
        max_connections: CONNECTIONS,
        ..config()
    };
    let database = Database::open(&parsed(&store.server.url()), &few)
        .await
        .unwrap();
    let products = database.sources().products;
    // A lock makes the loads use all connections, and then their servers are stopped.
    let mut holder = PgConnection::connect(&store.server.url()).await.unwrap();
    let mut transaction = holder.begin().await.unwrap();
    transaction
        .execute("LOCK TABLE product IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let waiting = "SELECT pid FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let loads = join_all((0..CONNECTIONS).map(|_| load(&*products, ids(1))));
    let stopped = eventually(SOON, async || {
        let pids = store.server.psql(waiting).await.unwrap();
        (pids.lines().count() == CONNECTIONS as usize).then_some(pids)
    });
    let pids = tokio::select! {
        pids = stopped => pids.unwrap(),
        loaded = loads => panic!("the loads did not wait: {loaded:?}"),
    };
    let signal = |signal: &str| {
        let status = std::process::Command::new("kill")
            .arg(signal)
            .args(pids.lines())
            .status();
        assert!(status.unwrap().success());
    };
    signal("-STOP");
    transaction.rollback().await.unwrap();
    // The loads were dropped by `select!`, and their connections will not answer any more.
    let again = join_all((0..CONNECTIONS).map(|_| load(&*products, ids(1))));
    let again = tokio::time::timeout(SOON, again).await;
    signal("-CONT");
    for loaded in again.expect("loads end") {
        assert!(matches!(loaded.unwrap()[0].found, Found::Value(_)));
    }
}

/// A statement that is stuck ends at the server, too, and its connection is of further use.
#[tokio::test]
async fn a_load_behind_a_lock_is_given_up_by_the_server() {
    let store = Served::new().await;
    let impatient = Config {
        statement_timeout: Duration::from_millis(200),
        ..config()
    };
    let database = Database::open(&parsed(&store.server.url()), &impatient)
        .await
        .unwrap();
    let sources = database.sources();
    values(&*sources.products, ids(1)).await;

    let mut holder = PgConnection::connect(&store.server.url()).await.unwrap();
    let mut transaction = holder.begin().await.unwrap();
    transaction
        .execute("LOCK TABLE product IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let error = load(&*sources.products, ids(1)).await.unwrap_err();
    assert_eq!(error.recovery(), Recovery::Retry);
    // Another table is not touched by the lock.
    assert_eq!(
        values(&*sources.postcodes, [parsed("50450")]).await.len(),
        1
    );
    transaction.rollback().await.unwrap();
    assert_eq!(values(&*sources.products, ids(1)).await.len(), 1);
}
