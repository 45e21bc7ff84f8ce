//! What is warm before anybody asks: at the start, by the command, by the clock.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use tingkat_testkit::{Redis, eventually};

use crate::program::{Ended, Folder, Node, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::{TOKEN, TOKENS, get};

fn operate_tokens() -> String {
    TOKENS.replace("write:", "operate:")
}

/// A database and a Redis, and programs that use both.
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) redis: Redis,
}

impl Store {
    pub(crate) async fn new() -> (tingkat_testkit::postgres::Database<'static>, Self) {
        let database = installed().await;
        let redis = Redis::start().await.unwrap();
        let url = database.url();
        (database, Self { url, redis })
    }

    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        Program::new(&Folder::new(), arguments)
            .with("DATABASE_URL", &self.url)
            .with("REDIS_URL", self.redis.url())
            .with("REDIS_KEY_PREFIX", "it:warm:")
            .with("TINGKAT__SERVER__TOKENS", operate_tokens())
            .with("TINGKAT_TOKEN", TOKEN)
    }

    /// How many products Redis has.
    pub(crate) async fn products(&self) -> usize {
        let keys = self.redis.cmd(&["KEYS", "*c:product.*"]).await.unwrap();
        let keys = keys
            .items()
            .iter()
            .filter_map(tingkat_testkit::redis::Reply::text);
        // Not of its skus, slugs and lists.
        let is_product = |key: &String| {
            let rest = key.split_once("c:product.").map(|(_, rest)| rest);
            rest.is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
        };
        keys.filter(is_product).count()
    }
}

pub(crate) fn report(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

pub(crate) fn entity<'a>(report: &'a Value, name: &str) -> &'a Value {
    let entities = report["entities"].as_array().unwrap();
    entities.iter().find(|it| it["entity"] == name).unwrap()
}

/// Who answered, by the header that tells.
pub(crate) async fn answered_by(node: &Node, path: &str) -> String {
    let reply = get(node, path, "").await;
    assert_eq!(reply.status, 200, "{path}");
    reply.header("cache-status").unwrap().to_owned()
}

/// The most popular product, by its page.
async fn popular(node: &Node) -> Vec<String> {
    let page = get(node, "/v1/products?sort=popularity&limit=50", "").await;
    let items = page.body["items"].as_array().unwrap().iter();
    items
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_node_is_ready_when_it_is_warm_and_the_first_customer_meets_a_hit() {
    let (_database, store) = Store::new().await;
    let start = |top: &str, deadline: &str| {
        store
            .program(&["serve"])
            .with("TINGKAT__WARM__ON_START", "true")
            .with("TINGKAT__WARM__TOP", top)
            .with("TINGKAT__WARM__DEADLINE", deadline)
    };
    let node = start("100", "30s").listening().await;
    eventually(PATIENCE, async || node.readiness().await.0 == 200)
        .await
        .unwrap();
    let (_, body) = node.readiness().await;
    assert_eq!(body["warm"], "done", "{body}");
    node.says("warm reason=\"start\"").await;
    let standing = node.get("/v1/warm").await.json().unwrap();
    let report = &standing["last"]["report"];
    assert_eq!(
        (&standing["last"]["reason"], &report["success"]),
        (&"start".into(), &true.into())
    );
    assert_eq!(entity(report, "product")["loaded"], 100, "{report}");
    for (name, count) in [("postcode", 100), ("categories", 1), ("states", 1)] {
        assert_eq!(entity(report, name)["loaded"], count, "{report}");
    }
    let first = popular(&node).await;
    for id in &first {
        let answer = answered_by(&node, &format!("/v1/products/{id}")).await;
        assert_eq!(answer, "memory; hit", "{id}");
    }
    // The next node takes from Redis what this one loaded, and is not ready the sooner for a deadline
    // that nothing can keep.
    let late = start("2000", "1ms").listening().await;
    late.says("ready before all is warm").await;
    eventually(PATIENCE, async || {
        let standing = late.get("/v1/warm").await.json().unwrap();
        standing["last"]["report"]["end"] == "completed"
    })
    .await
    .unwrap();
    let (status, body) = late.readiness().await;
    assert_eq!((status, &body["warm"]), (200, &"deadline".into()), "{body}");
    let standing = late.get("/v1/warm").await.json().unwrap();
    let product = entity(&standing["last"]["report"], "product").clone();
    assert_eq!(product["already_warm"]["redis"], 100, "{product}");
}

#[tokio::test]
async fn the_command_warms_redis_without_a_node_and_a_node_with_its_url() {
    let (_database, store) = Store::new().await;
    let dry = store
        .program(&["warm", "--dry-run", "--json", "--top", "50"])
        .run()
        .await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let dry_report = report(&dry);
    assert_eq!(entity(&dry_report, "product")["left"], 50);
    assert_eq!(
        (store.products().await, &dry_report["schema_version"]),
        (0, &1.into())
    );

    let ended = store
        .program(&["warm", "--top", "50", "--validate", "--json"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = report(&ended);
    let product = entity(&told, "product");
    assert_eq!(
        (&product["loaded"], &product["checked"]["same"]),
        (&50.into(), &50.into())
    );
    assert_eq!(store.products().await, 50);
    let again = store.program(&["warm", "--top", "50"]).run().await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stdout.contains("keys are warm"), "{again:?}");
    let lines: Vec<&str> = again.stdout.lines().collect();
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(words[..5], ["product", "50", "0", "50", "0"], "{again:?}");

    let node = store.program(&["serve"]).listening().await;
    node.sees("redis", "up").await;
    let url = format!("http://{}", node.target.address());
    let arguments = [
        "warm", "--url", &url, "--entity", "product", "--top", "80", "--json",
    ];
    let ended = store.program(&arguments).run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = report(&ended);
    let product = entity(&told, "product");
    assert_eq!(product["already_warm"]["redis"], 50, "{told}");
    assert_eq!(product["wanted"], 80, "{told}");
    for id in popular(&node).await {
        let answer = answered_by(&node, &format!("/v1/products/{id}")).await;
        assert_eq!(answer, "memory; hit", "{id}");
    }
}

#[tokio::test]
async fn keys_come_from_a_file_or_from_an_access_log() {
    let (_database, store) = Store::new().await;
    let folder = Folder::new();
    let path = folder.path().join("keys.txt");
    let path = path.to_str().unwrap();
    let node = store.program(&["serve"]).listening().await;
    node.sees("redis", "up").await;
    let url = format!("http://{}", node.target.address());
    // More than one request takes, and rubbish among them.
    let mut list = String::from("# ours\nproduct 7\nbasket 1\nproduct 7\npostcode 5O450\n");
    list.extend((30_000..36_000).map(|code| format!("postcode {code}\n")));
    fs::write(path, &list).unwrap();
    let ended = store
        .program(&["warm", "--url", &url, "--from-file", path, "--json"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("1 of 6004 lines name no key; line 3: \"basket 1\""),
        "{ended:?}"
    );
    let told = report(&ended);
    let product = entity(&told, "product");
    assert_eq!(
        (&product["wanted"], &product["duplicates"]),
        (&1.into(), &1.into())
    );
    let postcode = entity(&told, "postcode");
    assert_eq!(
        (&postcode["wanted"], &postcode["malformed"]),
        (&6_000.into(), &1.into())
    );
    let absent = postcode["absent"].as_u64().unwrap();
    assert!((1_000..6_000).contains(&absent), "{told}");
    assert_eq!(answered_by(&node, "/v1/products/7").await, "memory; hit");

    fs::write(
        path,
        "GET /v1/products/8 HTTP/1.1\nGET /v1/products/9 HTTP/1.1\nGET /v1/products/8\n",
    )
    .unwrap();
    let ended = store
        .program(&["warm", "--from-access-log", path, "--top", "1", "--json"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        answered_by(&node, "/v1/products/8").await,
        "memory; fwd=uri-miss, redis; hit"
    );
    let answer = answered_by(&node, "/v1/products/9").await;
    assert!(answer.contains("source"), "{answer}");
}

#[tokio::test]
async fn mistakes_are_told_and_warm_nothing() {
    let (_database, store) = Store::new().await;
    let folder = Folder::new();
    let path = folder.path().join("rubbish.txt");
    fs::write(&path, "rubbish\n".repeat(10_000)).unwrap();
    let path = path.to_str().unwrap();
    for (arguments, code, words) in [
        (
            &["--entity", "basket"][..],
            2,
            "there is no such entity; there are product,",
        ),
        (&["--top", "-5"], 2, "expected a number from 1 to 1000000"),
        (
            &["--concurrency", "0"],
            2,
            "expected a number from 1 to 1000",
        ),
        (&["--rate", "-1"], 2, "expected a number from 0 to"),
        (&["--timeout", "-5m"], 2, "expected a time up to 24h"),
        (&["--timeout", "soon"], 2, "expected a time up to 24h"),
        (
            &["--from-file", path],
            2,
            "none of 10000 lines names a key; line 1: \"rubbish\"",
        ),
        (
            &["--from-file", "nowhere.txt"],
            2,
            "failed to read nowhere.txt",
        ),
        (
            &["--url", "http://127.0.0.1:1"],
            5,
            "failed to ask the service",
        ),
    ] {
        let arguments = [&["warm"], arguments].concat();
        let ended = store.program(&arguments).run().await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
    let off = store
        .program(&["warm"])
        .with("REDIS_URL", "off")
        .run()
        .await;
    assert_eq!(off.code, Some(2), "{off:?}");
    assert!(
        off.stderr.contains("name a node that runs by --url"),
        "{off:?}"
    );
    let never = store
        .program(&["serve"])
        .with("TINGKAT__WARM__SCHEDULE", "0 0 31 2 *")
        .run()
        .await;
    assert_eq!(never.code, Some(78), "{never:?}");
    assert!(
        never.stderr.contains("\"0 0 31 2 *\" never fires"),
        "{never:?}"
    );
    let zone = store
        .program(&["serve"])
        .with("TINGKAT__WARM__TIME_ZONE", "Asia/KL")
        .run()
        .await;
    assert!(
        zone.stderr
            .contains("a time zone such as Asia/Kuala_Lumpur"),
        "{zone:?}"
    );
    assert_eq!(store.products().await, 0);
}

#[tokio::test]
async fn what_is_interrupted_tells_what_it_did_and_goes_on_where_it_was() {
    let (_database, store) = Store::new().await;
    let slowly = [
        "warm", "--entity", "product", "--top", "1500", "--rate", "400", "--json",
    ];
    let mut process = store.program(&slowly).start();
    let has_begun = async |least: usize| {
        eventually(PATIENCE, async || store.products().await >= least)
            .await
            .unwrap();
    };
    has_begun(100).await;
    process.signal(Signal::INT);
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let told = report(&ended);
    let loaded = entity(&told, "product")["loaded"].as_u64().unwrap();
    assert_eq!(told["end"], "cancelled");
    assert!((100..1_400).contains(&loaded), "{told}");
    assert_eq!(
        store.products().await as u64,
        loaded,
        "all that was loaded is there"
    );

    // Whoever runs jobs ends them otherwise, and is told the same.
    let mut process = store.program(&slowly).start();
    has_begun(usize::try_from(loaded).unwrap() + 100).await;
    process.signal(Signal::TERM);
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let more = report(&ended);
    assert_eq!(more["end"], "cancelled");
    let loaded = loaded + entity(&more, "product")["loaded"].as_u64().unwrap();

    // Killed: what reached Redis is not loaded again, and nothing else is missing.
    let mut process = store.program(&slowly).start();
    let before = usize::try_from(loaded).unwrap();
    has_begun(before + 100).await;
    process.signal(Signal::KILL);
    assert_eq!(process.ended().await.code, None);
    let left_there = store.products().await;
    let ended = store
        .program(&["warm", "--entity", "product", "--top", "1500", "--json"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = report(&ended);
    let product = entity(&told, "product");
    let in_redis = product["already_warm"]["redis"].as_u64().unwrap();
    assert!(in_redis >= left_there as u64, "{told}");
    assert_eq!(in_redis + product["loaded"].as_u64().unwrap(), 1_500);
    assert_eq!(store.products().await, 1_500);
}

#[tokio::test]
async fn what_memory_held_is_warm_first_at_the_next_start() {
    let (_database, store) = Store::new().await;
    for file in [None, Some("keys.json")] {
        let folder = Folder::new();
        let serve = || {
            let mut program = store.program(&["serve"]).with("TINGKAT__WARM__TOP", "5");
            if let Some(file) = file {
                program = program.with("TINGKAT__WARM__SNAPSHOT", folder.path().join(file));
            }
            program
        };
        let mut first = serve().listening().await;
        let wanted = popular(&first).await;
        let odd = (1..1_000)
            .map(|n: u32| n.to_string())
            .find(|id| !wanted.contains(id))
            .unwrap();
        // Often enough to be counted, which one hit in sixty-four is.
        for _ in 0..2_000 {
            first.get(&format!("/v1/products/{odd}")).await;
        }
        first.process.signal(Signal::TERM);
        let ended = first.process.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stderr.contains("remembered what memory held"),
            "{ended:?}"
        );
        let second = serve()
            .with("TINGKAT__WARM__ON_START", "true")
            .listening()
            .await;
        eventually(PATIENCE, async || {
            second.readiness().await.1["warm"] == "done"
        })
        .await
        .unwrap();
        let answer = answered_by(&second, &format!("/v1/products/{odd}")).await;
        assert_eq!(answer, "memory; hit", "{file:?}");
    }
}
