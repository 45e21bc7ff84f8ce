//! An entity of the operator's own: from a table to answers that follow it.

use std::time::Duration;

use serde_json::{Value, json};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_testkit::postgres::Database;
use tingkat_testkit::redis::Reply;
use tingkat_testkit::{Redis, eventually};

use crate::program::{Ended, Folder, Node, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::{TOKEN, TOKENS, ask, get, post};

/// No answer that is not marked stale is older.
const BOUND: Duration = Duration::from_secs(1);

const TABLE: &str = "
    CREATE TABLE shipping_rate (postcode_prefix text PRIMARY KEY, sen bigint NOT NULL);
    INSERT INTO shipping_rate VALUES ('50', 800), ('88', 1900), ('a b', 1);
";

const CONFIGURATION: &str = r#"
[source]
queries = "queries"

[entity.shipping_rate]
load = "shipping_rate_load.sql"
tables = ["shipping_rate"]
"#;

const LOAD: &str = "
    SELECT postcode_prefix AS key, jsonb_build_object('sen', sen)::text AS value, '[]' AS deps
    FROM shipping_rate
    WHERE postcode_prefix = ANY ($1::text[])
";

const CHANGES: &str = "
    SELECT 'shipping_rate:' || postcode_prefix AS dep, jsonb_build_array(sen) AS seen FROM rows
";

/// A folder with this configuration and these files, in which the program is run.
fn folder(load: &str, changes: Option<&str>) -> Folder {
    let folder = Folder::new();
    let queries = folder.path().join("queries");
    std::fs::create_dir_all(&queries).unwrap();
    std::fs::write(folder.path().join("tingkat.toml"), CONFIGURATION).unwrap();
    std::fs::write(queries.join("shipping_rate_load.sql"), load).unwrap();
    if let Some(changes) = changes {
        std::fs::write(queries.join("changes_shipping_rate.sql"), changes).unwrap();
    }
    folder
}

fn program(folder: &Folder, arguments: &[&str], database: &Database<'_>) -> Program {
    Program::new(folder, arguments)
        .with("DATABASE_URL", database.url())
        .with(
            "TINGKAT__SERVER__TOKENS",
            TOKENS.replace("write:", "operate:"),
        )
}

async fn store() -> Database<'static> {
    let database = installed().await;
    database.psql(TABLE).await.unwrap();
    database
}

/// A node over the demo store and shipping rates, which may be written and operated with the token.
pub(crate) async fn serving(database: &Database<'_>) -> Node {
    database.psql(TABLE).await.unwrap();
    let folder = folder(LOAD, Some(CHANGES));
    let installed = program(&folder, &["schema", "install"], database)
        .run()
        .await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let node = program(&folder, &["serve"], database)
        .with(
            "TINGKAT__SERVER__TOKENS",
            format!("{TOKENS},{}", TOKENS.replace("write:", "operate:")),
        )
        .listening()
        .await;
    eventually(PATIENCE, async || {
        node.readiness().await.1["status"] == "ready"
    })
    .await
    .unwrap();
    node
}

async fn operate(node: &Node, arguments: &[&str]) -> Ended {
    let ended = Program::new(&Folder::new(), arguments)
        .with("TINGKAT_URL", format!("http://{}", node.target.address()))
        .with("TINGKAT_TOKEN", TOKEN)
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

async fn held(node: &Node) -> Value {
    let ended = operate(node, &["inspect", "shipping_rate", "50", "--json"]).await;
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Asks until the answer is this one, which is to be within the bound.
async fn shows(node: &Node, path: &str, expected: &Value) {
    let written = SystemClock.now();
    loop {
        let asked = SystemClock.now();
        let reply = get(node, path, "").await;
        if reply.body == *expected {
            return;
        }
        let late = asked.since(written);
        assert!(late <= BOUND, "{path}: after {late:?} still {reply:?}");
    }
}

#[tokio::test]
async fn a_table_of_ones_own_is_installed_checked_served_followed_and_forgotten() {
    let database = store().await;
    let redis = Redis::start().await.unwrap();
    let folder = folder(LOAD, Some(CHANGES));
    let run = |arguments: &[&str]| program(&folder, arguments, &database).run();
    let installed = run(&["schema", "install"]).await;
    assert_eq!(
        installed.stdout,
        "The change log is whole again: triggers on shipping_rate were created.\n",
        "{installed:?}"
    );
    let checked = run(&["schema", "check"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let line = "passed   statement: shipping_rate: the database gives what is read of it";
    assert!(checked.stdout.lines().any(|it| it == line), "{checked:?}");

    let node = program(&folder, &["serve"], &database)
        .with("REDIS_URL", redis.url())
        .with("REDIS_KEY_PREFIX", "it:documents:")
        .listening()
        .await;
    node.sees("source", "up").await;
    node.sees("redis", "up").await;
    let rate = "/v1/x/shipping_rate/50";
    let first = get(&node, rate, "").await;
    assert_eq!((first.status, &first.body), (200, &json!({ "sen": 800 })));
    assert!(first.whole().ends_with("\n{\"sen\": 800}"), "{first:?}");
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    let tag = format!("if-none-match: {}\r\n", first.header("etag").unwrap());
    let again = get(&node, rate, &tag).await;
    assert_eq!(again.status, 304);
    assert_eq!(again.header("cache-status"), Some("memory; hit"));
    let spaced = get(&node, "/v1/x/shipping_rate/a%20b", "").await;
    assert_eq!(spaced.body, json!({ "sen": 1 }));
    let absent = get(&node, "/v1/x/shipping_rate/77", "").await;
    assert_eq!(
        (absent.status, &absent.body["code"]),
        (404, &json!("document_unknown"))
    );
    let batch = get(&node, "/v1/x/shipping_rate?keys=88,77,50,88", "").await;
    assert_eq!(
        batch.body,
        json!({
            "items": [
                { "key": "88", "value": { "sen": 1_900 } },
                { "key": "50", "value": { "sen": 800 } },
            ],
            "missing": ["77"],
        })
    );
    let many = "/v1/x/shipping_rate:batchGet";
    let posted = post(&node, many, r#"{"keys":["88","77","50","88"]}"#).await;
    assert_eq!((posted.status, &posted.body), (200, &batch.body));
    assert_eq!(posted.header("cache-status"), Some("memory; hit"));
    let too_many = format!(r#"{{"keys":[{}"1"]}}"#, r#""1","#.repeat(200));
    for (path, body, status, code) in [
        (many, r#"{"keys":[]}"#, 400, "ids_empty"),
        (many, &too_many, 400, "ids_too_many"),
        (many, r#"{"keys":[""]}"#, 422, "key_malformed"),
        (many, r#"{"ids":["50"]}"#, 422, "ids_invalid"),
        (many, "{", 400, "body_malformed"),
        ("/v1/x/product:batchGet", "{}", 404, "entity_unknown"),
        ("/v1/x/shipping_rate", "{}", 405, "method_not_allowed"),
    ] {
        let refused = post(&node, path, body).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (status, &json!(code)),
            "{path} {body}"
        );
    }
    let unknown = get(&node, "/v1/x/product/1", "").await;
    assert_eq!(
        (unknown.status, &unknown.body["code"]),
        (404, &json!("entity_unknown"))
    );
    assert_eq!(unknown.body["known_entities"], json!(["shipping_rate"]));
    let caches = get(&node, "/v1/caches/shipping_rate", "").await;
    assert_eq!(caches.body["entity"], "shipping_rate", "{caches:?}");

    // It lives an hour, so only the log can tell; also of what was not there.
    let update = "UPDATE shipping_rate SET sen = 850 WHERE postcode_prefix = '50'";
    database.psql(update).await.unwrap();
    shows(&node, rate, &json!({ "sen": 850 })).await;
    let insert = "INSERT INTO shipping_rate VALUES ('77', 1200)";
    database.psql(insert).await.unwrap();
    shows(&node, "/v1/x/shipping_rate/77", &json!({ "sen": 1_200 })).await;
    let entry = held(&node).await;
    assert_eq!(
        (&entry["memory"]["accepted"], &entry["redis"]["state"]),
        (&json!(true), &json!("entry")),
        "{entry}"
    );
    operate(&node, &["forget", "shipping_rate", "50"]).await;
    let entry = held(&node).await;
    assert_ne!(
        (&entry["memory"]["accepted"], &entry["redis"]["state"]),
        (&json!(true), &json!("entry")),
        "{entry}"
    );
    assert_eq!(get(&node, rate, "").await.body, json!({ "sen": 850 }));
}

/// A statement that gives more than may be kept.
const PRIVATE: &str = "
    SELECT postcode_prefix AS key, '[]' AS deps,
        jsonb_build_object('sen', sen, 'driver', jsonb_build_object('phone', '0123456789', 'name', 'Siti'))::text AS value
    FROM shipping_rate
    WHERE postcode_prefix = ANY ($1::text[])
";

/// Every byte of the rates in Redis.
async fn rates(redis: &Redis) -> String {
    let keys = redis.cmd(&["KEYS", "*c:shipping_rate.*"]).await.unwrap();
    let mut all = String::new();
    for key in keys.items() {
        let value = redis.cmd(&["GET", &key.text().unwrap()]).await.unwrap();
        if let Reply::Bulk(bytes) = value {
            all += &String::from_utf8_lossy(&bytes);
        }
    }
    all
}

#[tokio::test]
async fn a_private_field_of_ones_own_is_stripped_or_keeps_its_value_out_of_redis() {
    let database = store().await;
    let redis = Redis::start().await.unwrap();
    let folder = folder(PRIVATE, Some(CHANGES));
    let installed = program(&folder, &["schema", "install"], &database)
        .run()
        .await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let serve = async |prefix: &str, privacy: &str| {
        let node = program(&folder, &["serve"], &database)
            .with("REDIS_URL", redis.url())
            .with("REDIS_KEY_PREFIX", prefix)
            .with("TINGKAT__ENTITY__SHIPPING_RATE__PRIVACY", privacy)
            // What is compressed could not be looked through.
            .with("TINGKAT__ENTITY__SHIPPING_RATE__COMPRESS_ABOVE", "64MiB")
            .listening()
            .await;
        node.sees("source", "up").await;
        node.sees("redis", "up").await;
        node
    };
    let rate = "/v1/x/shipping_rate/50";

    let refusing = serve("it:refuse:", "refuse").await;
    let driver = json!({ "name": "Siti", "phone": "0123456789" });
    let whole = json!({ "sen": 800, "driver": driver });
    assert_eq!(get(&refusing, rate, "").await.body, whole);
    let told =
        json!([{ "entity": "shipping_rate", "policy": "refuse", "fields": [], "values": 1 }]);
    eventually(PATIENCE, async || {
        refusing.readiness().await.1["privacy"] == told
    })
    .await
    .unwrap();
    assert_eq!(rates(&redis).await, "");

    let stripping = serve("it:strip:", "strip").await;
    let rest = json!({ "sen": 800, "driver": { "name": "Siti" } });
    assert_eq!(get(&stripping, rate, "").await.body, rest);
    let told = json!([{ "entity": "shipping_rate", "policy": "strip", "fields": [], "values": 0 }]);
    assert_eq!(stripping.readiness().await.1["privacy"], told);
    stripping
        .says("privacy: shipping_rate keeps every private field out of redis (strip)")
        .await;
    let stored = eventually(PATIENCE, async || {
        let bytes = rates(&redis).await;
        bytes.contains("Siti").then_some(bytes)
    });
    let stored = stored.await.unwrap();
    assert!(
        !stored.contains("phone") && !stored.contains("0123456789"),
        "{stored}"
    );
    // What another node reads there is the same.
    let other = serve("it:strip:", "strip").await;
    assert_eq!(get(&other, rate, "").await.body, rest);
}

#[tokio::test]
async fn a_table_of_ones_own_is_warmed_and_judged_like_any_other() {
    let database = installed().await;
    let node = serving(&database).await;
    let wanted = r#"{"keys":{"shipping_rate":["50","88","77"]},"validate":true}"#;
    assert_eq!(ask(&node, "POST", "/v1/warm", wanted).await.status, 202);
    eventually(PATIENCE, async || {
        get(&node, "/v1/warm", "").await.body["running"].is_null()
    })
    .await
    .unwrap();
    let report = get(&node, "/v1/warm", "").await.body["last"]["report"].clone();
    let entity = &report["entities"][0];
    assert_eq!(
        (&entity["loaded"], &entity["absent"]),
        (&json!(3), &json!(1)),
        "{report}"
    );
    let first = get(&node, "/v1/x/shipping_rate/88", "").await;
    assert_eq!(first.header("cache-status"), Some("memory; hit"));
    eventually(PATIENCE, async || {
        let health = get(&node, "/v1/health", "").await.body;
        let entities = health["entities"].as_array().into_iter().flatten();
        entities
            .filter(|entity| entity["entity"] == "shipping_rate")
            .any(|entity| entity["entries"] == 3)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_a_document_shows_of_another_table_follows_that_one() {
    let database = store().await;
    let load = "
        SELECT postcode_prefix AS key, to_jsonb(product.name)::text AS value,
          '[\"product:7\"]' AS deps
        FROM shipping_rate CROSS JOIN product
        WHERE product.id = '7' AND postcode_prefix = ANY ($1::text[])
    ";
    let folder = folder(load, Some(CHANGES));
    let run = |arguments: &[&str]| program(&folder, arguments, &database).run();
    let installed = run(&["schema", "install"]).await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let node = program(&folder, &["serve"], &database).listening().await;
    node.sees("source", "up").await;
    let path = "/v1/x/shipping_rate/50";
    let before = get(&node, path, "").await;
    assert!(
        before.status == 200 && before.body.is_string(),
        "{before:?}"
    );
    let again = get(&node, path, "").await;
    assert_eq!(again.header("cache-status"), Some("memory; hit"));
    let update = "UPDATE product SET name = 'Another lamp' WHERE id = '7'";
    database.psql(update).await.unwrap();
    shows(&node, path, &json!("Another lamp")).await;
}

#[tokio::test]
async fn a_wrong_load_is_named_by_file_column_and_key() {
    let database = store().await;
    let wrong = "SELECT postcode_prefix AS key, jsonb_build_object() AS value FROM shipping_rate \
                 WHERE postcode_prefix = ANY ($1::text[])";
    let folder = folder(wrong, Some(CHANGES));
    let run = |arguments: &[&str]| program(&folder, arguments, &database).run();
    let checked = run(&["schema", "check"]).await;
    assert_eq!(checked.code, Some(3), "{checked:?}");
    let line = "failed   statement: shipping_rate: queries/shipping_rate_load.sql: column `value`: \
                expected text (JSON), found jsonb; queries/shipping_rate_load.sql: column `deps`: \
                expected text (JSON), and it is missing";
    assert!(checked.stdout.lines().any(|it| it == line), "{checked:?}");

    // What is no JSON is known when a row is read, and spoils no other row.
    let file = folder.path().join("queries/shipping_rate_load.sql");
    let some = "SELECT postcode_prefix AS key, '[]' AS deps, \
                CASE postcode_prefix WHEN '50' THEN '{' ELSE '7' END AS value FROM shipping_rate \
                WHERE postcode_prefix = ANY ($1::text[])";
    std::fs::write(file, some).unwrap();
    let installed = run(&["schema", "install"]).await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let node = program(&folder, &["serve"], &database)
        .with("TINGKAT__LOG__LEVEL", "info,tingkat_http=debug")
        .listening()
        .await;
    node.sees("source", "up").await;
    let other = get(&node, "/v1/x/shipping_rate/88", "").await;
    assert_eq!((other.status, &other.body), (200, &json!(7)));
    let broken = get(&node, "/v1/x/shipping_rate/50", "").await;
    assert_eq!(
        (broken.status, &broken.body["code"]),
        (503, &json!("source_failed"))
    );
    let log = node.process.log().replace('\\', "");
    let why = "shipping_rate_load.sql: the key \"50\": column `value` has the wrong JSON: ";
    assert!(log.contains(why), "{log}");
    let batch = get(&node, "/v1/x/shipping_rate?keys=88,50", "").await;
    assert_eq!(batch.status, 503, "{batch:?}");
}

#[tokio::test]
async fn a_table_that_nothing_tells_of_stops_every_command() {
    let database = store().await;
    let folder = folder(LOAD, None);
    for command in [&["schema", "install"][..], &["serve"], &["config", "check"]] {
        let ended = program(&folder, command, &database).run().await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        let told = format!("{}{}", ended.stdout, ended.stderr);
        for words in [
            "queries/changes_shipping_rate.sql: there is no such file, and",
            "entity.shipping_rate.tables names the table",
        ] {
            assert!(told.contains(words), "{command:?}: {told}");
        }
    }
}
