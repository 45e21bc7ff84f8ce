//! Whether a node wants requests, and what it says is missing.

use std::time::Duration;

use serde_json::Value;
use tingkat_faults::{Direction, Proxy};
use tingkat_testkit::{Postgres, Redis, eventually};

use crate::crowd::Crowd;
use crate::program::{Folder, Node, PATIENCE, Program};
use crate::question::{Question, distinct, further};
use crate::stores::{install, must_install};
use crate::truth::postcodes;

/// A secret that nobody may see.
const SECRET: &str = "hunter2";

/// All that the service has of its own, as variables name it.
const ENTITIES: [&str; 10] = [
    "PRODUCT",
    "PRODUCT_SKU",
    "PRODUCT_SLUG",
    "PRODUCT_LIST",
    "PRODUCT_POPULAR",
    "CATEGORIES",
    "CATEGORY_PRODUCTS",
    "POSTCODE",
    "POSTCODES",
    "STATES",
];

/// No look-up waits longer for a database that does not answer.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(12);

async fn node(url: &str) -> Node {
    let program = Program::serve(&Folder::new()).with("DATABASE_URL", url);
    program.listening().await
}

/// Waits until the node wants no requests for a reason with these words.
async fn is_not_ready(node: &Node, words: &str) {
    let is_so = eventually(PATIENCE, async || {
        let (status, body) = node.readiness().await;
        assert_eq!((status, &body["status"]), (503, &Value::from("not_ready")));
        body["reasons"].to_string().contains(words)
    });
    let is_so = is_so.await.is_ok();
    let found = node.readiness().await;
    assert!(is_so, "{words:?} is not in {found:?}");
    assert_eq!(node.get("/livez").await.status, 200);
}

async fn is_ready(node: &Node) {
    let is_so = eventually(PATIENCE, async || {
        let (status, body) = node.readiness().await;
        status == 200 && body["status"] == "ready" && body["reasons"] == Value::Array(vec![])
    });
    is_so.await.unwrap();
}

async fn answers_rightly(node: &Node) {
    let question = Question::postcode(&postcodes()[0]);
    question.check(&node.get(&question.path).await).unwrap();
}

#[tokio::test]
async fn a_node_waits_for_a_database_that_does_not_listen_yet() {
    let server = Postgres::start().await.unwrap();
    let url = server.url("postgres");
    must_install(&url).await;
    server.shut_down().await.unwrap();

    let node = node(&url).await;
    is_not_ready(&node, "the database does not answer").await;
    let answer = node.get("/v1/postcodes/50450").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json().unwrap()["code"], "source_failed");
    assert_eq!(answer.header("retry-after"), Some("1"));

    server.restart().await.unwrap();
    is_ready(&node).await;
    answers_rightly(&node).await;
}

#[tokio::test]
async fn a_database_that_swallows_everything_keeps_nobody_waiting_for_ever() {
    let server = Postgres::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    must_install(&server.url("postgres")).await;
    proxy.pause(Direction::Both);

    let node = node(&server.url_at(proxy.addr().port(), "postgres")).await;
    let answer = node.get("/v1/postcodes/50450").await;
    assert!(
        [503, 504].contains(&answer.status.as_u16()),
        "{}",
        answer.text()
    );
    assert!(answer.took < GIVEN_UP_WITHIN, "{:?}", answer.took);
    is_not_ready(&node, "the database does not answer").await;

    proxy.heal().await.unwrap();
    is_ready(&node).await;
    answers_rightly(&node).await;
}

#[tokio::test]
async fn a_database_without_tables_is_left_as_it_is_and_the_command_is_named() {
    let database = Postgres::shared().await.unwrap();
    let serve = |arguments: &[&str]| {
        let program = Program::new(&Folder::new(), arguments);
        program.with("DATABASE_URL", database.url())
    };
    let ended = serve(&["serve"]).run().await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    let command = "`tingkat schema install --demo`";
    assert!(ended.stderr.contains(command), "{ended:?}");

    let node = serve(&["serve", "--allow-uncoherent"]).listening().await;
    is_not_ready(&node, command).await;
    let relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(database.psql(relations).await.unwrap(), "0");

    assert_eq!(install(&database.url()).await.code, Some(0));
    node.sees("source", "up").await;
    answers_rightly(&node).await;
}

#[tokio::test]
async fn what_was_answered_once_is_answered_on_when_the_database_dies() {
    let server = Postgres::start().await.unwrap();
    let url = server.url("postgres");
    must_install(&url).await;
    let node = node(&url).await;
    is_ready(&node).await;
    let questions = distinct(1_000);
    Crowd::ask(&node.target, questions.clone())
        .finished()
        .await
        .right();

    server.kill_immediate().await.unwrap();
    node.sees("source", "down").await;
    let (status, body) = node.readiness().await;
    assert_eq!((status, &body["status"]), (200, &Value::from("degraded")));
    let report = Crowd::ask(&node.target, questions).finished().await;
    for answer in report.right() {
        assert_eq!(answer.header("cache-status"), Some("memory; hit"));
    }
    let unasked = further().next().unwrap();
    let answer = node.get(&unasked.path).await;
    assert_eq!(answer.json().unwrap()["code"], "source_failed");

    server.restart().await.unwrap();
    is_ready(&node).await;
    unasked.check(&node.get(&unasked.path).await).unwrap();
}

#[tokio::test]
async fn a_node_that_starts_in_an_outage_answers_from_redis_and_takes_requests() {
    let (server, redis) = tokio::join!(Postgres::start(), Redis::start());
    let (server, redis) = (server.unwrap(), redis.unwrap());
    let url = server.url("postgres");
    must_install(&url).await;
    let serve = || {
        let program = Program::serve(&Folder::new()).with("DATABASE_URL", &url);
        program.with("REDIS_URL", redis.url())
    };
    let first = serve().listening().await;
    is_ready(&first).await;
    let question = Question::postcode(&postcodes()[0]);
    question.check(&first.get(&question.path).await).unwrap();
    eventually(PATIENCE, async || {
        let keys = redis.cmd(&["KEYS", "*c:postcode.*"]).await.unwrap();
        !keys.items().is_empty()
    })
    .await
    .unwrap();
    server.kill_immediate().await.unwrap();

    let second = serve().listening().await;
    second.sees("redis", "up").await;
    second.sees("source", "down").await;
    let (status, body) = second.readiness().await;
    assert_eq!(
        (status, &body["status"]),
        (200, &Value::from("degraded")),
        "{body}"
    );
    let answer = second.get(&question.path).await;
    question.check(&answer).unwrap();
    let told = answer.header("cache-status").unwrap();
    assert!(told.contains("detail=stale"), "{told}");

    // Who may show nothing that is stale can answer nothing.
    let strict = ENTITIES.iter().fold(serve(), |program, entity| {
        program.with(&format!("TINGKAT__ENTITY__{entity}__STRICT"), "true")
    });
    let strict = strict.listening().await;
    strict.sees("redis", "up").await;
    is_not_ready(&strict, "the database has never been reached").await;
}

#[tokio::test]
async fn a_password_is_shown_nowhere_whether_it_is_right_or_wrong() {
    for right in [SECRET, "another"] {
        let server = Postgres::config().password(right).start().await.unwrap();
        let redis = Redis::config().password(right).start().await.unwrap();
        let with_secret = |url: String| url.replace(right, SECRET);
        let node = Program::new(&Folder::new(), &["serve", "--allow-uncoherent"])
            .with("DATABASE_URL", with_secret(server.url("postgres")))
            .with("REDIS_URL", with_secret(redis.url()))
            .with("TINGKAT__LOG__LEVEL", "trace")
            .listening()
            .await;
        let (source, state) = if right == SECRET {
            ("`tingkat schema install --demo`", "up")
        } else {
            ("the database refuses us", "down")
        };
        is_not_ready(&node, source).await;
        node.sees("redis", state).await;
        let mut shown = node.process.log();
        for path in ["/", "/readyz", "/v1/postcodes/50450"] {
            shown.push_str(&node.get(path).await.text());
        }
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
