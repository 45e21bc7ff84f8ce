//! How a run ends that found something, or could not look.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tingkat_testkit::{Redis, eventually, free_port};

use crate::command::{ended_so, read, steady};
use crate::installation::{Installation, PREFIX, TOKENS, installed, redis, url_at};
use crate::liar::{Liar, Lie};
use crate::program::{Folder, PATIENCE, Program};

/// What the keys of a run begin with, when a command of its nodes has come to Redis.
async fn prefix_of_the_run(redis: &Redis) -> String {
    let scratch = format!("{PREFIX}verify:");
    let found = Mutex::new(None);
    eventually(PATIENCE, async || {
        let commands = redis.cmd(&["SLOWLOG", "GET", "1000"]).await.unwrap();
        let told = format!("{commands:?}");
        let run = told.split(&*scratch).nth(1);
        let run = run.and_then(|rest| rest.split_once(':'));
        *found.lock().unwrap() = run.map(|(run, _)| format!("{scratch}{run}:"));
        run.is_some()
    })
    .await
    .unwrap();
    found.into_inner().unwrap().unwrap()
}

/// Nodes of the run are there, and one that it is told of is not.
#[tokio::test]
async fn a_node_that_does_not_answer_leaves_no_key_behind() {
    let (database, redis) = tokio::join!(installed(), redis());
    let told = ["CONFIG", "SET", "slowlog-log-slower-than", "0"];
    redis.cmd(&told).await.unwrap();
    let url = format!("http://127.0.0.1:{}", free_port().unwrap());
    let process = Program::new(&Folder::new(), &["verify", &url, "--wait", "10s"])
        .with("DATABASE_URL", database.url())
        .with("REDIS_URL", url_at(&redis, redis.port()))
        .with("REDIS_KEY_PREFIX", PREFIX)
        .start();
    // As a node would that somebody asked, or that has run for a while.
    let key = format!("{}of a node", prefix_of_the_run(&redis).await);
    redis.cmd(&["SET", &key, "left"]).await.unwrap();
    let ended = process.ended_within(Duration::from_secs(90)).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
    assert!(keys.items().is_empty(), "{keys:?}");
}

/// It is stopped as soon as a node of the run has connected.
#[tokio::test]
async fn a_signal_while_nodes_are_started_leaves_no_key_behind() {
    let (database, redis) = tokio::join!(installed(), redis());
    let mut process = Program::new(&Folder::new(), &["verify"])
        .with("DATABASE_URL", database.url())
        .with("REDIS_URL", url_at(&redis, redis.port()))
        .with("REDIS_KEY_PREFIX", PREFIX)
        .start();
    let others = "SELECT count(*) > 0 FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    eventually(PATIENCE, async || {
        database.psql(others).await.unwrap().trim() == "t"
    })
    .await
    .unwrap();
    process.signal(Signal::INT);
    let ended = process.ended_within(Duration::from_mins(1)).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
    assert!(keys.items().is_empty(), "{keys:?}");
}

/// A node that nobody gave a token for shows none, and that says nothing.
#[tokio::test]
async fn where_no_secret_is_known_none_is_looked_for() {
    let node = Program::serve(&Folder::new())
        .with("TINGKAT__SERVER__TOKENS", TOKENS)
        .listening()
        .await;
    let url = format!("http://{}", node.target.address());
    let ended = Program::new(&Folder::new(), &["verify", &url, "--json"])
        .with("REDIS_URL", "")
        .run()
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let report = read(&ended);
    assert!(
        ended_so(&report, "skipped").contains("secrets"),
        "{report:#}"
    );
}

/// The same of every run: neither how long it took nor where its nodes are.
fn settled(mut report: Value) -> Value {
    for group in report["groups"].as_array_mut().unwrap() {
        for check in group["checks"].as_array_mut().unwrap() {
            check["ms"] = 0.into();
            // What was seen of a sound thing has numbers that change.
            if check["status"] == "passed" {
                check["detail"] = "…".into();
            }
        }
    }
    report
}

#[tokio::test]
async fn a_broken_installation_is_told_as_reviewed() {
    let installation = Installation::start().await;
    let url = |index: usize| format!("http://{}", installation.liars[index].address);
    let (first, second) = (url(0), url(1));
    installation.liars[0].tell(Lie::of(|asked, told, _| {
        if asked.path.ends_with("/00001") {
            told.becomes(200, "{}");
        }
    }));
    let run = |arguments: &[&str]| {
        let arguments = [&[&*first, &second, "--read-only"], arguments].concat();
        installation.verify(&arguments).run()
    };
    let nameless = |text: &str| {
        text.replace(&first, "http://node")
            .replace(&second, "http://other")
    };
    let whole = run(&[]).await;
    assert_eq!(whole.code, Some(3), "{whole:?}");
    insta::assert_snapshot!("broken", nameless(&steady(&whole.stdout)));
    let object = run(&["--json"]).await;
    assert_eq!(object.code, Some(3), "{object:?}");
    let report = settled(read(&object));
    assert_eq!(
        ended_so(&report, "failed"),
        BTreeSet::from(["postcode_unknown".to_owned()])
    );
    insta::assert_snapshot!("broken_json", nameless(&format!("{report:#}")));
}

/// A node that has just started: it says that it is connecting, when it is asked for the first few times.
const HAS_JUST_STARTED: Lie = Lie::of(|asked, told, memory| {
    let asked_before = memory.entry("asked".to_owned()).or_default();
    if asked_before.len() < 4 && asked.path == "/readyz" {
        asked_before.push('1');
        told.replace("\"redis\":\"up\"", "\"redis\":\"connecting\"");
        told.replace("\"anchored\":true", "\"anchored\":false");
    }
});

#[tokio::test]
async fn a_node_that_is_still_connecting_is_waited_for() {
    let installation = Installation::start().await;
    let url = |liar: &Liar| {
        liar.tell(HAS_JUST_STARTED);
        format!("http://{}", liar.address)
    };
    let (first, second) = (url(&installation.liars[0]), url(&installation.liars[1]));
    let verify = installation.verify(&[&*first, &second, "--read-only", "--json"]);
    let ended = verify.run().await;
    let report = read(&ended);
    assert_eq!(ended_so(&report, "failed"), BTreeSet::new(), "{report:#}");
    let passed = ended_so(&report, "passed");
    assert!(passed.contains("redis_connected"), "{report:#}");
    assert!(passed.contains("unmarked"), "{report:#}");
}
