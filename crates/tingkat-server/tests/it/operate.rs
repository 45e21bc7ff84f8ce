//! The commands that operate a service which runs: `forget` and `inspect`.

use serde_json::Value;
use tingkat_testkit::{Redis, eventually};

use crate::program::{Ended, Folder, Node, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::{TOKEN, TOKENS, ask_as, get};

/// The token of the tests opens writes; this one, with the same text, operates.
fn operate_tokens() -> String {
    TOKENS.replace("write:", "operate:")
}

async fn tingkat(node: &Node, arguments: &[&str]) -> Ended {
    tingkat_as(node, TOKEN, arguments).await
}

async fn tingkat_as(node: &Node, token: &str, arguments: &[&str]) -> Ended {
    Program::new(&Folder::new(), arguments)
        .with("TINGKAT_URL", format!("http://{}", node.target.address()))
        .with("TINGKAT_TOKEN", token)
        .run()
        .await
}

async fn json(node: &Node, arguments: &[&str]) -> Value {
    let ended = tingkat(node, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// What the tiers have of a product: whether memory has it, and the state in Redis.
async fn held(node: &Node, id: &str) -> (bool, String) {
    let entry = json(node, &["inspect", "product", id]).await;
    let redis = entry["redis"]["state"].as_str().unwrap().to_owned();
    (entry["memory"]["accepted"] == true, redis)
}

#[tokio::test]
async fn what_one_node_is_told_to_forget_no_node_shows_any_more() {
    let database = installed().await;
    let redis = Redis::start().await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let program = Program::serve(&Folder::new())
            .with("DATABASE_URL", database.url())
            .with("REDIS_URL", redis.url())
            .with("REDIS_KEY_PREFIX", "it:operate:")
            .with("TINGKAT__SERVER__TOKENS", operate_tokens());
        let node = program.listening().await;
        node.sees("redis", "up").await;
        nodes.push(node);
    }
    let fill = async || {
        for node in &nodes {
            for id in ["7", "8"] {
                assert_eq!(
                    get(node, &format!("/v1/products/{id}"), "").await.status,
                    200
                );
            }
        }
    };
    fill().await;
    let kept = (true, "entry".to_owned());
    for node in &nodes {
        assert_eq!(held(node, "7").await, kept);
    }
    let entry = json(&nodes[0], &["inspect", "product", "7"]).await;
    assert_eq!(entry["redis"]["entry"]["accepted"], true, "{entry}");
    assert!(entry["redis"]["bytes"].as_u64().unwrap() > 100);
    assert!(
        entry["memory"]["deps"][0]
            .as_str()
            .unwrap()
            .starts_with("category:")
    );

    for (arguments, seven, eight) in [
        (&["forget", "product", "7"][..], false, true),
        (&["forget", "product", "7", "8"], false, false),
        (&["forget", "product", "--pattern", "8*"], true, false),
        (&["forget", "product", "--all", "--yes"], false, false),
        (&["forget", "--all", "--yes"], false, false),
    ] {
        fill().await;
        let ended = tingkat(&nodes[0], arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert!(
            ended.stdout.starts_with("Forgotten on every node: "),
            "{ended:?}"
        );
        for node in &nodes {
            eventually(PATIENCE, async || {
                held(node, "7").await.0 == seven && held(node, "8").await.0 == eight
            })
            .await
            .unwrap_or_else(|_| panic!("{arguments:?}"));
        }
    }
    // A postcode shows where it is, by each name that the place has.
    let accepted = async || {
        let entry = json(&nodes[1], &["inspect", "postcode", "40000"]).await;
        entry["memory"]["accepted"] == true
    };
    for arguments in [
        &["forget", "--tag", "state:SGR"][..],
        &["forget", "--tag", "zone:west"],
        &["forget", "--tag", "city:Shah Alam"],
        &["forget", "--tag", "region:40"],
        &["forget", "postcode", "40000"],
        &["forget", "postcode", "--pattern", "40*"],
        &["forget", "postcode", "--all", "--yes"],
    ] {
        get(&nodes[1], "/v1/postcodes/40000", "").await;
        assert!(accepted().await, "{arguments:?}");
        let told = json(&nodes[0], arguments).await;
        if let ["forget", "--tag", tag] = arguments {
            assert_eq!(told["forgotten"]["tags"][0], **tag);
        }
        eventually(PATIENCE, async || !accepted().await)
            .await
            .unwrap_or_else(|_| panic!("{arguments:?}"));
    }
    // What is elsewhere stays.
    fill().await;
    get(&nodes[1], "/v1/postcodes/40000", "").await;
    json(&nodes[0], &["forget", "--tag", "state:KUL"]).await;
    json(&nodes[0], &["forget", "product", "7"]).await;
    eventually(PATIENCE, async || !held(&nodes[1], "7").await.0)
        .await
        .unwrap();
    assert!(accepted().await);
}

#[tokio::test]
async fn mistakes_are_told_and_forget_nothing() {
    let node = Program::serve(&Folder::new())
        .with("TINGKAT__SERVER__TOKENS", operate_tokens())
        .listening()
        .await;
    get(&node, "/v1/products/7", "").await;
    for (arguments, words) in [
        (&["forget"][..], "required"),
        (&["forget", "product"], "which keys of product?"),
        (&["forget", "product", "7", "--all"], "cannot be used with"),
        (&["forget", "product", "--tag", "a"], "cannot be used with"),
        (&["forget", "--all"], "--yes forgets all without a question"),
        (&["forget", "basket", "1"], "No such entity"),
        (&["forget", "product", "a b"], "Not a key of the entity"),
        (&["inspect", "basket"], "No such entity"),
        (&["inspect", "postcode", "5"], "Not a key of the entity"),
        (
            &["inspect", "--url", "ftp://x"],
            "expected http://host:port",
        ),
    ] {
        let ended = tingkat(&node, arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
    }
    let ended = tingkat_as(&node, "wrong", &["forget", "product", "7"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("TINGKAT_TOKEN has the token"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("wrong"), "{ended:?}");
    assert_eq!(held(&node, "7").await, (true, "unused".to_owned()));

    let address = node.target.address();
    drop(node);
    let ended = Program::new(
        &Folder::new(),
        &["inspect", "--url", &format!("http://{address}")],
    )
    .run()
    .await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("failed to connect"), "{ended:?}");
}

#[tokio::test]
async fn people_read_a_table_and_an_outline() {
    let node = Node::alone().await;
    for _ in 0..3 {
        get(&node, "/v1/products/7", "").await;
    }
    let ended = tingkat(&node, &["inspect"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let words = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(lines[0]),
        [
            "entity",
            "mode",
            "hit ratio",
            "memory hits",
            "redis hits",
            "keys loaded",
            "entries",
            "bytes"
        ]
    );
    assert_eq!(
        words(lines[1])[..7],
        ["product", "cache", "66.7 %", "2", "0", "1", "1"]
    );
    assert_eq!(words(lines[2])[2], "--");
    let ended = tingkat(&node, &["inspect", "product", "7"]).await;
    assert!(ended.stdout.contains("\n  accepted: true\n"), "{ended:?}");
    assert!(ended.stdout.contains("\n  state: "), "{ended:?}");
}

#[tokio::test]
async fn a_developer_without_tokens_is_given_one_for_this_run_that_no_log_has() {
    let serve = async |log: &str| {
        let program = Program::serve(&Folder::new()).with("TINGKAT__LOG__LEVEL", log);
        let node = program.listening().await;
        let given = "token for writes, of this run alone: ";
        let said = node.process.output("stdout");
        let token = said.lines().find_map(|line| line.strip_prefix(given));
        (token.unwrap().to_owned(), node)
    };
    let (token, node) = serve("trace").await;
    assert_eq!(token.len(), 32, "{token}");
    let body = r#"{"stock":4711}"#;
    let refused = ask_as(&node, "another", "PATCH", "/v1/products/7", body).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    let written = ask_as(&node, &token, "PATCH", "/v1/products/7", body).await;
    assert_eq!(written.status, 200, "{written:?}");
    let operated = tingkat_as(&node, &token, &["forget", "product", "7"]).await;
    assert_eq!(operated.code, Some(0), "{operated:?}");
    let log = node.process.log();
    assert!(
        log.contains("listening on") && !log.contains(&token),
        "{log}"
    );
    assert_ne!(serve("info").await.0, token);
}
