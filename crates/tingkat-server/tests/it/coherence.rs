//! What a node makes of a change log that is not there, comes late, or loses a part.

use std::time::Duration;

use serde_json::Value;
use tingkat_testkit::{Postgres, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::stores::{installed, must_install};
use crate::wire::get;

/// What a table's entities live at most when it reports nothing.
const MINUTE: Duration = Duration::from_mins(1);

fn serve(url: &str, arguments: &[&str]) -> Program {
    Program::new(&Folder::new(), &[&["serve"], arguments].concat())
        .with("DATABASE_URL", url)
        .with("TINGKAT__FEED__CHECK_INTERVAL", "1s")
}

/// Takes the log out of a database as its owner may.
const DROP: &str = "DROP SCHEMA tingkat CASCADE";

/// What freshness rests on without it.
const BY_TIME: &str = "freshness is by time alone";

async fn is(node: &Node, data: &str) {
    eventually(PATIENCE, async || node.readiness().await.1["data"] == data)
        .await
        .unwrap_or_else(|_| panic!("not {data}: {}", node.process.log()));
}

async fn price(node: &Node, id: &str) -> Value {
    let reply = get(node, &format!("/v1/products/{id}"), "").await;
    assert!(!reply.header("cache-status").unwrap().contains("stale"));
    reply.body["regular_price"]["amount"].clone()
}

#[tokio::test]
async fn without_the_log_it_does_not_serve_unless_it_is_allowed_to() {
    let database = installed().await;
    database.psql(DROP).await.unwrap();
    let ended = serve(&database.url(), &[]).run().await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(
        ended.stderr.contains("`tingkat schema install`"),
        "{ended:?}"
    );

    let node = serve(&database.url(), &["--allow-uncoherent"])
        .listening()
        .await;
    is(&node, "critical").await;
    node.sees("source", "up").await;
    let (status, body) = node.readiness().await;
    assert_eq!((status, &body["status"]), (200, &"degraded".into()));
    assert!(body["feed"].is_null(), "{body}");
    assert!(body["reasons"].to_string().contains(BY_TIME), "{body}");
    // Whoever looks at health alone sees it as well, and what to do.
    let health = async || get(&node, "/v1/health", "").await.body;
    let is_told = eventually(PATIENCE, async || {
        health().await["data"]["status"] == "critical"
    });
    let is_told = is_told.await.is_ok();
    let health = health().await;
    assert!(is_told, "{health}");
    let checks = health["checks"].as_array().unwrap();
    let critical: Vec<&Value> = checks
        .iter()
        .filter(|check| check["status"] == "critical")
        .collect();
    assert_eq!(critical.len(), 1, "{critical:?}");
    assert!(
        critical[0]["evidence"].to_string().contains(BY_TIME),
        "{critical:?}"
    );
    let advice = critical[0]["recommendation"].to_string();
    assert!(advice.contains("tingkat schema"), "{advice}");
    assert!(price(&node, "7").await.is_number());
    let changes = get(&node, "/v1/changes", "").await;
    assert_eq!(changes.body["code"], "changes_unsupported");
}

#[tokio::test]
async fn a_database_that_answers_later_and_has_no_log_stops_the_node() {
    let server = Postgres::start().await.unwrap();
    let url = server.url("postgres");
    must_install(&url).await;
    server.psql(DROP).await.unwrap();
    server.shut_down().await.unwrap();
    let node = serve(&url, &[]).listening().await;
    node.sees("source", "down").await;
    server.restart().await.unwrap();
    let ended = node.process.ended().await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(
        ended.stderr.contains("`tingkat schema install`"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_table_that_reports_nothing_is_told_and_what_is_read_from_it_lives_a_minute() {
    let database = installed().await;
    let node = serve(&database.url(), &[]).listening().await;
    is(&node, "whole").await;
    eventually(PATIENCE, async || {
        let feed = node.readiness().await.1["feed"].clone();
        feed["anchored"] == true && feed["bound_ms"] == 1000
    })
    .await
    .unwrap();
    price(&node, "7").await;
    price(&node, "8").await;

    database
        .psql("ALTER TABLE product DISABLE TRIGGER ALL")
        .await
        .unwrap();
    is(&node, "critical").await;
    let (status, body) = node.readiness().await;
    assert_eq!(status, 200);
    assert!(body["reasons"].to_string().contains("product"), "{body}");
    price(&node, "7").await;
    let silently = |amount: u64, id: &str| {
        format!(
            "UPDATE product SET regular_price = {amount}, member_price = {amount} WHERE id = '{id}'"
        )
    };
    database.psql(&silently(99_901, "7")).await.unwrap();
    eventually(MINUTE, async || price(&node, "7").await == 99_901)
        .await
        .unwrap();

    // What changed unnoticed is seen when the triggers are back, and then everything at once.
    price(&node, "8").await;
    database.psql(&silently(99_902, "8")).await.unwrap();
    database
        .psql("ALTER TABLE product ENABLE TRIGGER ALL")
        .await
        .unwrap();
    is(&node, "whole").await;
    eventually(PATIENCE, async || price(&node, "8").await == 99_902)
        .await
        .unwrap();
    database.psql(&silently(99_903, "8")).await.unwrap();
    eventually(PATIENCE, async || price(&node, "8").await == 99_903)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_feed_that_could_not_keep_its_bound_is_refused() {
    for (interval, bound, words) in [
        (
            "500ms",
            "1s",
            "more than twice TINGKAT__FEED__POLL_INTERVAL",
        ),
        ("soon", "1s", "such as 100ms or 1s"),
        ("-1s", "1s", "such as 100ms or 1s"),
        ("1ms", "1s", "such as 100ms or 1s"),
        ("1s", "2h", "such as 100ms or 1s"),
    ] {
        let ended = Program::serve(&Folder::new())
            .with("TINGKAT__FEED__POLL_INTERVAL", interval)
            .with("TINGKAT__FEED__STALENESS_BOUND", bound)
            .run()
            .await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
    for (name, value) in [
        ("TINGKAT__SERVER__TOKENS", "write:hunter2"),
        ("TINGKAT_ENV", "hunter2s"),
    ] {
        let program = Program::serve(&Folder::new()).with(name, value);
        let ended = program.run().await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        assert!(ended.stderr.contains(name), "{ended:?}");
        assert!(name == "TINGKAT_ENV" || !ended.stderr.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_statement_that_can_not_be_planned_ends_neither_the_check_nor_compaction() {
    let database = installed().await;
    let node = serve(&database.url(), &[]).listening().await;
    is(&node, "whole").await;
    let break_both = "ALTER TABLE state RENAME TO territory;
        ALTER TABLE product_image DISABLE TRIGGER ALL; DELETE FROM tingkat.tick";
    database.psql(break_both).await.unwrap();
    let reasons = async || node.readiness().await.1["reasons"].to_string();
    let are_told = eventually(PATIENCE, async || {
        let reasons = reasons().await;
        let unplanned = reasons.contains("state_list.sql") && reasons.contains("does not exist");
        unplanned && reasons.contains("no enabled triggers on product_image")
    });
    let are_told = are_told.await.is_ok();
    assert!(are_told, "{}", reasons().await);
    eventually(PATIENCE, async || {
        let ticks = database.psql("SELECT count(*) FROM tingkat.tick").await;
        ticks.unwrap() != "0"
    })
    .await
    .unwrap();
    let mend =
        "ALTER TABLE territory RENAME TO state; ALTER TABLE product_image ENABLE TRIGGER ALL";
    database.psql(mend).await.unwrap();
    is(&node, "whole").await;
}
