//! Redis comes and goes; the answers stay right and none is missing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use tingkat_faults::{Direction, Proxy};
use tingkat_testkit::{Redis, eventually, free_port};

use crate::crowd::{CALLERS, Crowd, slower_than};
use crate::program::{Folder, Node, PATIENCE, Program};
use crate::question::{distinct, further};

/// When a Redis that does not answer is given up.
const GIVEN_UP: Duration = Duration::from_millis(40);

/// What one request may spend on Redis.
const BUDGET: Duration = Duration::from_millis(50);

/// No request takes longer, whatever Redis does: many budgets, and few loads.
const BOUND: Duration = Duration::from_secs(2);

const PREFIX: &str = "it:redis:";

const FOUND_IN_REDIS: &str = "memory; fwd=uri-miss, redis; hit";

async fn node(url: &str) -> Node {
    node_in(&Folder::new(), url).await
}

async fn node_in(folder: &Folder, url: &str) -> Node {
    Program::serve(folder)
        .with("REDIS_URL", url)
        .with("REDIS_KEY_PREFIX", PREFIX)
        .listening()
        .await
}

async fn node_with(redis: &Redis) -> Node {
    let node = node(&redis.url()).await;
    node.sees("redis", "up").await;
    node
}

/// All keys in it, which must be ours.
async fn keys(redis: &Redis) -> Vec<String> {
    let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
    let keys: Vec<String> = keys.items().iter().map(|key| key.text().unwrap()).collect();
    let foreign = keys.iter().find(|key| !key.starts_with(PREFIX));
    assert_eq!(foreign, None);
    keys
}

/// Waits until another process finds in Redis what this one has looked up.
async fn is_used(node: &Node, redis: &Redis) {
    let other = node_in(&node.process.folder, &redis.url()).await;
    other.sees("redis", "up").await;
    let questions = RefCell::new(further());
    eventually(PATIENCE, async || {
        let question = questions.borrow_mut().next().unwrap();
        question.check(&node.get(&question.path).await).unwrap();
        let answer = other.get(&question.path).await;
        question.check(&answer).unwrap();
        answer.header("cache-status") == Some(FOUND_IN_REDIS)
    })
    .await
    .unwrap();
    assert!(!keys(redis).await.is_empty());
}

#[tokio::test]
async fn what_one_process_has_loaded_another_finds_in_redis() {
    let (redis, folder) = (Redis::start().await.unwrap(), Folder::new());
    let questions = distinct(2_000);
    let first = node_in(&folder, &redis.url()).await;
    first.sees("redis", "up").await;
    Crowd::ask(&first.target, questions.clone())
        .finished()
        .await
        .right();

    let second = node_in(&folder, &redis.url()).await;
    second.sees("redis", "up").await;
    let report = Crowd::ask(&second.target, questions).finished().await;
    let answers = report.right();
    let found = answers
        .iter()
        .filter(|answer| answer.header("cache-status") == Some(FOUND_IN_REDIS));
    // On a busy machine a few fills or reads are given up at the end of their budget.
    assert!(found.count() > answers.len() * 9 / 10);
    assert!(keys(&redis).await.len() > answers.len() * 9 / 10);
}

#[tokio::test]
async fn two_stores_of_one_developer_have_keys_of_their_own() {
    let redis = Redis::start().await.unwrap();
    let mut prefixes = BTreeSet::new();
    for _ in 0..2 {
        let program = Program::serve(&Folder::new()).with("REDIS_URL", redis.url());
        let node = program.listening().await;
        node.sees("redis", "up").await;
        let report = Crowd::ask(&node.target, distinct(100)).finished().await;
        for answer in report.right() {
            let way = answer.header("cache-status").unwrap();
            assert!(way.contains("source"), "{way}");
        }
        let keys = redis.cmd(&["KEYS", "tingkat:dev:*"]).await.unwrap();
        let keys = keys.items().iter().map(|key| key.text().unwrap());
        // Behind the prefix of a store are cells, and what its nodes show each other.
        let prefix = |key: String| key.splitn(4, ':').take(3).collect::<Vec<_>>().join(":");
        prefixes.extend(keys.map(prefix));
    }
    let hex = |prefix: &str| prefix.rsplit(':').next().unwrap().len();
    assert!(
        prefixes.iter().all(|prefix| hex(prefix) == 8),
        "{prefixes:?}"
    );
    assert_eq!(prefixes.len(), 2, "{prefixes:?}");
}

#[tokio::test]
async fn a_redis_that_is_off_or_does_not_listen_is_missed_by_nobody() {
    let closed = format!("redis://127.0.0.1:{}", free_port().unwrap());
    for (url, state) in [("off", "off"), (&closed, "down")] {
        let node = node(url).await;
        node.sees("redis", state).await;
        let report = Crowd::ask(&node.target, distinct(2_000)).finished().await;
        for answer in report.right() {
            let way = answer.header("cache-status").unwrap();
            assert!(!way.contains("redis"), "{way}");
        }
        assert_eq!(node.readiness().await.0, 200);
    }
}

#[tokio::test]
async fn a_redis_that_is_killed_under_load_fails_no_request_and_is_used_again_after_a_restart() {
    let redis = Redis::start().await.unwrap();
    let node = node_with(&redis).await;
    let crowd = Crowd::ask(&node.target, distinct(10_000));
    crowd.has_asked(3_000).await;
    assert!(keys(&redis).await.len() > 1_000);
    redis.kill();
    let report = crowd.finished().await;
    let answers = report.right();
    assert_eq!(answers.len(), 10_000);
    assert_eq!(slower_than(&answers, BOUND), 0);
    node.says("redis is away").await;
    assert_eq!(node.readiness().await.0, 200);

    redis.restart().await.unwrap();
    is_used(&node, &redis).await;
}

#[tokio::test]
async fn a_redis_that_hangs_under_load_fails_no_request_and_is_used_again_when_it_goes_on() {
    let redis = Redis::start().await.unwrap();
    let node = node_with(&redis).await;
    let crowd = Crowd::ask(&node.target, distinct(10_000));
    crowd.has_asked(3_000).await;
    redis.stop().unwrap();
    let report = crowd.finished().await;
    let answers = report.right();
    assert_eq!(answers.len(), 10_000);
    assert_eq!(slower_than(&answers, BOUND), 0);
    node.says("redis is away").await;

    redis.cont().unwrap();
    is_used(&node, &redis).await;
}

#[tokio::test]
async fn a_redis_that_comes_after_the_start_is_used() {
    let redis = Redis::start().await.unwrap();
    redis.kill();
    let node = node(&redis.url()).await;
    let report = Crowd::ask(&node.target, distinct(500)).finished().await;
    assert_eq!(report.right().len(), 500);
    assert_eq!(node.readiness().await.0, 200);

    redis.restart().await.unwrap();
    node.sees("redis", "up").await;
    is_used(&node, &redis).await;
}

#[tokio::test]
async fn a_redis_that_swallows_everything_is_left_alone_after_a_few_requests() {
    let redis = Redis::start().await.unwrap();
    let proxy = Proxy::start(redis.addr()).await.unwrap();
    let node = node(&redis.url_at(proxy.addr().port())).await;
    node.sees("redis", "up").await;
    proxy.pause(Direction::Both);

    let mut questions = distinct(6_000);
    let later = questions.split_off(CALLERS * 4);
    let report = Crowd::ask(&node.target, questions).finished().await;
    let first = report.right();
    assert!(slower_than(&first, GIVEN_UP) > 0);
    assert_eq!(slower_than(&first, BOUND), 0);
    node.says("redis is away").await;

    let count = later.len();
    let report = Crowd::ask(&node.target, later).finished().await;
    let answers = report.right();
    // All of them would be, if they waited. Some are because this machine is busy.
    assert!(slower_than(&answers, GIVEN_UP) < count / 10);
    assert_eq!(slower_than(&answers, BOUND), 0);
    for answer in answers {
        let way = answer.header("cache-status").unwrap();
        assert!(!way.contains("redis"), "{way}");
    }

    proxy.heal().await.unwrap();
    is_used(&node, &redis).await;
}

#[tokio::test]
async fn a_redis_that_becomes_slow_under_load_slows_few_requests_down() {
    let redis = Redis::start().await.unwrap();
    let proxy = Proxy::start(redis.addr()).await.unwrap();
    let node = node(&redis.url_at(proxy.addr().port())).await;
    node.sees("redis", "up").await;
    let crowd = Crowd::ask(&node.target, distinct(10_000));
    crowd.has_asked(3_000).await;
    proxy.delay(Direction::Down, BUDGET * 4, BUDGET);
    let report = crowd.finished().await;
    let answers = report.right();
    assert_eq!(answers.len(), 10_000);
    assert!(slower_than(&answers, BUDGET) < answers.len() / 10);
    assert_eq!(slower_than(&answers, BOUND), 0);

    proxy.heal().await.unwrap();
    is_used(&node, &redis).await;
}
