//! A `PostgreSQL` server: what it keeps, how it fails, who follows it.

use std::time::Duration;

use tingkat_testkit::postgres::SessionError;
use tingkat_testkit::{Postgres, eventually};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_url_works_and_nobody_runs_as_root() {
    let server = Postgres::start().await.unwrap();
    server.create_database("shop \"1\"").await.unwrap();
    let url = server.url("shop \"1\"");
    let name = server
        .psql_url(&url, "SELECT current_database()")
        .await
        .unwrap();
    assert_eq!(name, "shop \"1\"");

    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        let process = format!("/proc/{}", server.pid().unwrap());
        assert_ne!(std::fs::metadata(process).unwrap().uid(), 0);
    }
}

#[tokio::test]
async fn each_test_has_an_empty_database_on_the_shared_server() {
    let first = Postgres::shared().await.unwrap();
    first.psql("CREATE TABLE t (a int)").await.unwrap();
    first
        .psql("CREATE EXTENSION pg_stat_statements")
        .await
        .unwrap();
    first
        .psql("SELECT count(*) FROM pg_stat_statements")
        .await
        .unwrap();

    let second = Postgres::shared().await.unwrap();
    second.psql("CREATE TABLE t (a int)").await.unwrap();
    assert_eq!(first.server().pid(), second.server().pid());
    assert_ne!(first.url(), second.url());
}

#[tokio::test]
async fn settings_are_those_asked_for() {
    let config = Postgres::config().fsync().set("work_mem", "7MB");
    let server = config.start().await.unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("work_mem", "7MB"),
        ("wal_level", "replica"),
        ("max_prepared_transactions", "16"),
        ("listen_addresses", "127.0.0.1"),
    ] {
        let shown = server.psql(&format!("SHOW {setting}")).await.unwrap();
        assert_eq!(shown, value, "{setting}");
    }
}

#[tokio::test]
async fn an_immediate_stop_loses_nothing_that_was_committed() {
    let server = Postgres::start().await.unwrap();
    let port = server.port();
    server
        .psql("CREATE TABLE t AS SELECT 1 AS a")
        .await
        .unwrap();

    server.kill_immediate().await.unwrap();
    assert_eq!(server.pid(), None);
    server.psql("SELECT 1").await.unwrap_err();

    server.restart().await.unwrap();
    assert_eq!(server.psql("TABLE t").await.unwrap(), "1");
    assert_eq!(server.port(), port);
    assert!(
        server.log().contains("automatic recovery in progress"),
        "{}",
        server.log()
    );

    server.shut_down().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(server.psql("TABLE t").await.unwrap(), "1");
}

#[tokio::test]
async fn a_standby_follows_and_can_be_promoted() {
    let primary = Postgres::start().await.unwrap();
    primary
        .psql("CREATE TABLE t AS SELECT 1 AS a")
        .await
        .unwrap();
    let standby = primary.standby().await.unwrap();
    assert!(standby.is_standby().await.unwrap());
    primary.psql("INSERT INTO t VALUES (2)").await.unwrap();
    eventually(SOON, async || {
        standby.psql("TABLE t").await.unwrap() == "1\n2"
    })
    .await
    .unwrap();
    standby.psql("INSERT INTO t VALUES (3)").await.unwrap_err();

    primary.kill_immediate().await.unwrap();
    standby.promote().await.unwrap();
    assert!(!standby.is_standby().await.unwrap());
    standby.psql("INSERT INTO t VALUES (3)").await.unwrap();
}

#[tokio::test]
async fn a_stopped_server_answers_once_it_goes_on() {
    let server = Postgres::start().await.unwrap();
    let open = server.psql("SELECT pg_sleep(0.01), 'open'");
    server.stop().unwrap();
    let asked = async { tokio::join!(open, server.psql("SELECT 'new'")) };
    tokio::pin!(asked);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err(), "a stopped server answered {early:?}");
    server.cont().unwrap();
    let (open, new) = asked.await;
    assert_eq!(
        (open.unwrap().as_str(), new.unwrap().as_str()),
        ("|open", "new")
    );
}

#[tokio::test]
async fn a_stopped_server_does_not_hold_up_its_end() {
    let server = Postgres::start().await.unwrap();
    server.stop().unwrap();
    let dir = server.dir().to_owned();
    tokio::time::timeout(
        Duration::from_secs(4),
        tokio::task::spawn_blocking(|| drop(server)),
    )
    .await
    .expect("the postmaster waits 5 s for children that do not answer")
    .unwrap();
    assert!(!dir.exists());
}

#[tokio::test]
async fn clients_can_be_thrown_out() {
    let server = Postgres::start().await.unwrap();
    let sleeps = server.psql("SELECT pg_sleep(60)");
    let killed =
        async { eventually(SOON, async || server.kill_backends().await.unwrap() == 1).await };
    let (sleeps, killed) = tokio::join!(sleeps, killed);
    killed.unwrap();
    let said = sleeps.unwrap_err().to_string();
    assert!(
        said.contains("terminating connection due to administrator command"),
        "{said}"
    );
}

#[tokio::test]
async fn a_failing_statement_is_an_error_and_ends_the_script() {
    let database = Postgres::shared().await.unwrap();
    let error = database
        .psql("SELECT 1; SELECT nonsense; CREATE TABLE t ()")
        .await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("\"nonsense\" does not exist")
    );
    database.psql("TABLE t").await.unwrap_err();
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let error = Postgres::config()
        .set("wal_level", "guess")
        .start()
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains("postgres ended with"), "{error}");
    assert!(error.contains("wal_level"), "{error}");
}

#[tokio::test]
async fn a_session_keeps_its_transaction_through_errors_and_ends_with_its_backend() {
    let server = Postgres::start().await.unwrap();
    let mut session = server.session("postgres", SOON).unwrap();
    let created = session.run("CREATE TABLE t (a int); BEGIN;").await;
    assert_eq!(created.unwrap(), "");
    let row = "INSERT INTO t VALUES (1) RETURNING a, a + 1;";
    assert_eq!(session.run(row).await.unwrap(), "1|2");
    // Nobody else sees it before the end of the transaction.
    assert_eq!(server.psql("SELECT count(*) FROM t").await.unwrap(), "0");
    let refused = session.run("SELECT 1/0;").await.unwrap_err();
    let message = "division by zero".to_owned();
    let state = "22012".to_owned();
    assert_eq!(refused, SessionError::Refused { state, message });
    assert!(session.run("SELECT 1;").await.is_err());
    session.run("ROLLBACK;").await.unwrap();
    assert_eq!(session.run("SELECT 'a\nb', 3;").await.unwrap(), "a\nb|3");

    server.kill_backends().await.unwrap();
    let ended = session.run("SELECT 1;").await.unwrap_err();
    assert_eq!(ended, SessionError::Ended);
    assert_eq!(session.run("SELECT 1;").await.unwrap_err(), ended);
}

#[tokio::test]
async fn a_session_that_gets_no_answer_has_ended() {
    let server = Postgres::start().await.unwrap();
    let patience = Duration::from_millis(300);
    let mut session = server.session("postgres", patience).unwrap();
    let waiting = session.run("SELECT pg_sleep(60);").await;
    assert_eq!(waiting.unwrap_err(), SessionError::Ended);
}
