//! `tingkat health` and what the service knows about itself.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use tingkat_testkit::{Redis, eventually};

use crate::program::{Ended, Folder, Node, PATIENCE, Program};
use crate::stores::installed;

/// Often enough for a test.
fn program(folder: &Folder) -> Program {
    Program::serve(folder).with("TINGKAT__HEALTH__INTERVAL", "100ms")
}

async fn told(node: &Node) -> Value {
    node.get("/v1/health").await.json().unwrap()
}

fn check<'a>(told: &'a Value, id: &str) -> &'a Value {
    let mut checks = told["checks"].as_array().unwrap().iter();
    checks.find(|check| check["id"] == id).unwrap()
}

/// Waits until a check says this.
async fn says(node: &Node, id: &str, status: &str) -> Value {
    let last = std::cell::RefCell::new(Value::Null);
    let right = eventually(PATIENCE, async || {
        let now = told(node).await;
        let is_right = check(&now, id)["status"] == status;
        last.replace(now);
        is_right
    });
    let right = right.await;
    let last = last.into_inner();
    assert!(right.is_ok(), "{id} is not {status}: {}", check(&last, id));
    last
}

async fn health(node: &Node, arguments: &[&str]) -> Ended {
    let url = format!("http://{}", node.target.address());
    let arguments = [&["health"], arguments, &[&url]].concat();
    Program::new(&Folder::new(), &arguments).run().await
}

#[tokio::test]
async fn a_service_that_is_well_says_so_to_people_and_to_programs() {
    let (folder, redis) = (Folder::new(), Redis::start().await.unwrap());
    let node = program(&folder)
        .with("REDIS_URL", redis.url())
        .listening()
        .await;
    node.get("/v1/products/1").await;
    node.sees("status", "ready").await;
    says(&node, "clients", "ok").await;
    // Of data nobody knows before the first polls are back.
    says(&node, "poll_age", "ok").await;
    let json = health(&node, &["--json", "--strict"]).await;
    assert_eq!(json.code, Some(0), "{json:?}");
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["service"]["status"], "ready");
    assert_eq!(json["redis"]["status"], "up");
    assert_eq!(json["data"]["bound_ms"], 1_000);
    assert_eq!(json["alerts"], serde_json::json!([]));
    let people = health(&node, &[]).await;
    assert_eq!(people.code, Some(0));
    assert!(
        people.stdout.starts_with("service  ready\ncache    "),
        "{}",
        people.stdout
    );
    assert!(!people.stdout.contains("What to do"), "{}", people.stdout);
    // The first look may have been before the first product was loaded.
    eventually(PATIENCE, async || {
        let all = health(&node, &["--all"]).await;
        assert!(all.stdout.contains("clients"), "{}", all.stdout);
        let mut lines = all.stdout.lines();
        lines.any(|line| line.starts_with("product ") && line.contains(" 1  "))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_stays_bad_is_told_with_what_to_do_and_strict_makes_it_an_error() {
    let config = Redis::config()
        .volatile()
        .max_memory(64 << 20, "noeviction");
    let (folder, redis) = (Folder::new(), config.start().await.unwrap());
    let fill = "for i = 1, 6000 do redis.call('SET', i, string.rep('x', 1000)) end";
    redis.cmd(&["EVAL", fill, "0"]).await.unwrap();
    // Nearly full: there is room for what the node writes.
    let used: u64 = redis.info("used_memory").await.unwrap().parse().unwrap();
    let most = (used + used / 15).to_string();
    redis
        .cmd(&["CONFIG", "SET", "maxmemory", &most])
        .await
        .unwrap();
    let node = program(&folder)
        .with("REDIS_URL", redis.url())
        .listening()
        .await;
    says(&node, "memory_cannot_evict", "critical").await;
    eventually(PATIENCE, async || {
        told(&node).await["alerts"][0]["id"].is_string()
    })
    .await
    .unwrap();
    let people = health(&node, &[]).await;
    assert_eq!(people.code, Some(0));
    for part in [
        "memory_cannot_evict",
        "see      docs/health.md#memory_cannot_evict",
        "What to do",
        "alert    ",
        "maxmemory-policy allkeys-lfu",
    ] {
        assert!(people.stdout.contains(part), "{part}: {}", people.stdout);
    }
    assert_eq!(health(&node, &["--strict"]).await.code, Some(4));
    redis
        .cmd(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .await
        .unwrap();
    let now = says(&node, "memory_cannot_evict", "ok").await;
    assert_eq!(
        check(&now, "memory_cannot_evict")["recommendation"],
        Value::Null
    );
    // The alert ends a few looks later, and with it all that was wrong.
    let healed = eventually(PATIENCE, async || {
        health(&node, &["--strict"]).await.code == Some(0)
    });
    assert!(healed.await.is_ok(), "{}", health(&node, &[]).await.stdout);
    assert_eq!(told(&node).await["alerts"], serde_json::json!([]));
}

#[tokio::test]
async fn a_service_that_is_not_there_can_not_be_asked() {
    let port = tingkat_testkit::free_port().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let ended = Program::new(&Folder::new(), &["health", "--json", &url])
        .run()
        .await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
}

#[tokio::test]
async fn limits_are_changed_under_way() {
    let (folder, redis) = (Folder::new(), Redis::start().await.unwrap());
    let mut node = program(&folder)
        .with("REDIS_URL", redis.url())
        .listening()
        .await;
    says(&node, "clients", "ok").await;
    let file = folder.path().join("tingkat.toml");
    fs::write(
        &file,
        "[health.thresholds.clients]\nwarning = 0.001\n[alerts]\nwarning_after = 1\n",
    )
    .unwrap();
    node.process.signal(Signal::HUP);
    node.says("read again: health.thresholds.clients.warning, alerts.warning_after")
        .await;
    let now = says(&node, "clients", "warning").await;
    assert_eq!(check(&now, "clients")["threshold"], 0.001);
    fs::write(&file, "").unwrap();
    node.process.signal(Signal::HUP);
    says(&node, "clients", "ok").await;
}

#[tokio::test]
async fn facts_of_the_shop_are_counted() {
    let folder = Folder::new();
    let node = program(&folder).listening().await;
    let product = |told: &Value| {
        let mut entities = told["entities"].as_array().unwrap().iter();
        entities.find(|it| it["entity"] == "product").cloned()
    };
    let facts = eventually(PATIENCE, async || {
        let facts = product(&told(&node).await)?["facts"].clone();
        facts["active"].is_u64().then_some(facts)
    });
    let facts = facts.await.unwrap();
    assert!(facts["active"].as_u64().unwrap() > 1_000, "{facts}");
    assert!(
        facts["low_stock"].is_u64() && facts["promotions_about_to_end"].is_u64(),
        "{facts}"
    );
}

#[tokio::test]
async fn what_one_node_knows_is_seen_on_another() {
    let (folder, redis) = (Folder::new(), Redis::start().await.unwrap());
    let alone = program(&folder)
        .with("REDIS_URL", redis.url())
        .listening()
        .await;
    says(&alone, "poll_age", "ok").await;
    assert_eq!(check(&told(&alone).await, "canary")["status"], "skipped");
    let other = program(&folder)
        .with("REDIS_URL", redis.url())
        .listening()
        .await;
    for node in [&alone, &other] {
        let now = says(node, "canary", "ok").await;
        assert_eq!(check(&now, "canary")["evidence"][0], "seen=true");
    }
}

#[tokio::test]
async fn looks_go_on_while_the_database_hangs() {
    let (folder, database) = (Folder::new(), installed().await);
    let node = program(&folder)
        .with("DATABASE_URL", database.url())
        .with("TINGKAT__HEALTH__FACTS", "1s")
        .listening()
        .await;
    says(&node, "poll_age", "ok").await;
    let mut lock = database
        .server()
        .session(database.name(), PATIENCE)
        .unwrap();
    lock.run("BEGIN; LOCK TABLE product IN ACCESS EXCLUSIVE MODE;")
        .await
        .unwrap();
    // The statement that counts the facts, by its connection and its beginning.
    let waiting = async || {
        let sql = "SELECT string_agg(pid || ' ' || query_start, ',' ORDER BY pid) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let found = database.psql(sql).await.unwrap();
        let found = found.trim().to_owned();
        (!found.is_empty()).then_some(found)
    };
    let looked_at = async || told(&node).await["looked_at"].clone();
    let goes_on = eventually(PATIENCE, async || {
        let before = waiting().await?;
        let (mut seen, mut looks) = (looked_at().await, 0);
        while looks < 3 && waiting().await.as_ref() == Some(&before) {
            let now = looked_at().await;
            looks += u32::from(now != seen);
            seen = now;
        }
        (looks == 3).then_some(())
    });
    goes_on.await.unwrap();
    lock.run("COMMIT;").await.unwrap();
}

#[tokio::test]
async fn what_is_waived_is_told_with_the_rest() {
    let node = program(&Folder::new())
        .with("TINGKAT_ENV", "staging")
        .with("TINGKAT__ALLOW", "embedded-database,tokens-unset")
        .listening()
        .await;
    let people = health(&node, &[]).await;
    let line = "waived   embedded-database, tokens-unset\n";
    assert!(people.stdout.contains(line), "{}", people.stdout);
}
