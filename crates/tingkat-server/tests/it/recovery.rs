//! A node that is started too early: its database is not there, or does not know its password. It says
//! so once, and goes on when that is mended.

use tingkat_testkit::{Postgres, Redis, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::question::Question;
use crate::stores::must_install;
use crate::truth::postcodes;

/// Whoever tells everything anew tells it more often than this.
const ATTEMPTS: usize = 6;

async fn start(database: &str, redis: &str) -> Node {
    Program::serve(&Folder::new())
        .with("DATABASE_URL", database)
        .with("REDIS_URL", redis)
        .listening()
        .await
}

/// Waits until the server has refused the node so often, for a reason with these words.
async fn has_refused(server: &Postgres, words: &str) {
    eventually(PATIENCE, async || {
        server.log().matches(words).count() >= ATTEMPTS
    })
    .await
    .unwrap_or_else(|_| panic!("{words:?}: {}", server.log()));
}

/// What was warned of, in order, without the time: by the neighbours' own look at them, by the feed,
/// and by whoever counts what is popular.
fn warnings(node: &Node) -> Vec<String> {
    let log = node.process.log();
    let lines = log.lines().filter_map(|line| {
        let warning = line
            .split_once(" WARN ")
            .or_else(|| line.split_once("ERROR "));
        Some(warning?.1.to_owned())
    });
    lines.collect()
}

/// Each thing that is wrong was told, and no more than once.
fn was_told_once(node: &Node, wrong: &[&str]) {
    let told = warnings(node);
    for words in wrong {
        let times = told.iter().filter(|it| it.starts_with(words)).count();
        assert_eq!(times, 1, "{words:?}: {told:?}");
    }
    assert_eq!(told.len(), wrong.len(), "{told:?}");
}

const AWAY: [&str; 3] = [
    "the database does not answer: ",
    "cache: the change log does not answer: ",
    "it can not be counted what customers want most ",
];

async fn waits(node: &Node, words: &str) {
    node.sees("source", "down").await;
    let (status, body) = node.readiness().await;
    assert_eq!(
        (status, &body["status"]),
        (503, &"not_ready".into()),
        "{body}"
    );
    assert!(
        body["reasons"].to_string().contains(words),
        "{words:?}: {body}"
    );
    assert_eq!(node.get("/livez").await.status, 200);
    let answer = node.get("/v1/postcodes/50450").await;
    assert_eq!(answer.json().unwrap()["code"], "source_failed");
}

async fn recovers(node: &Node) {
    let is_ready = eventually(PATIENCE, async || node.readiness().await.0 == 200);
    assert!(is_ready.await.is_ok(), "{}", node.process.log());
    let question = Question::postcode(&postcodes()[0]);
    question.check(&node.get(&question.path).await).unwrap();
    node.says("the database answers").await;
}

#[tokio::test]
async fn a_database_that_comes_later_is_found_and_was_missed_aloud_once() {
    let server = Postgres::start().await.unwrap();
    server.create_database("prepared").await.unwrap();
    must_install(&server.url("prepared")).await;

    let node = start(&server.url("shop"), "off").await;
    has_refused(&server, "database \"shop\" does not exist").await;
    waits(&node, "the server has no database of this name").await;
    was_told_once(&node, &AWAY);

    server
        .psql("ALTER DATABASE prepared RENAME TO shop")
        .await
        .unwrap();
    recovers(&node).await;
    was_told_once(&node, &AWAY);
}

#[tokio::test]
async fn passwords_that_become_right_are_accepted_and_were_told_to_be_wrong_once() {
    let server = Postgres::config()
        .password("another")
        .start()
        .await
        .unwrap();
    server.create_database("shop").await.unwrap();
    let url = server.url("shop");
    must_install(&url).await;
    let redis = Redis::config().user("shop", "on >another ~* &* +@all");
    let redis = redis.start().await.unwrap();

    let cache = format!("redis://shop:hunter2@{}/", redis.addr());
    let node = start(&url.replace("another", "hunter2"), &cache).await;
    has_refused(&server, "password authentication failed").await;
    node.sees("redis", "down").await;
    let refused = async || {
        let stats = redis
            .cmd(&["INFO", "errorstats"])
            .await
            .unwrap()
            .text()
            .unwrap();
        let wrong = stats
            .lines()
            .find_map(|it| it.strip_prefix("errorstat_WRONGPASS:count="));
        wrong
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0)
    };
    eventually(PATIENCE, async || refused().await >= ATTEMPTS)
        .await
        .unwrap();
    waits(&node, "the password is not the one of this user").await;
    was_told_once(&node, &[&AWAY[..], &["redis is away: "]].concat());
    let log = node.process.log();
    assert!(!log.contains("hunter2"), "{log}");

    server
        .psql("ALTER ROLE CURRENT_USER PASSWORD 'hunter2'")
        .await
        .unwrap();
    recovers(&node).await;
    redis
        .cmd(&["ACL", "SETUSER", "shop", "resetpass", ">hunter2"])
        .await
        .unwrap();
    for (part, state) in [("redis", "up"), ("status", "ready")] {
        node.sees(part, state).await;
    }
}
