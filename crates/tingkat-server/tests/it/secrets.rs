//! Secrets are planted everywhere, and looked for in everything that comes out.

use std::fs;

use rustix::process::Signal;
use tingkat_testkit::{Certificates, Postgres, Redis, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::wire::{TOKENS, ask_as, get, patch};

/// What every planted secret has in it.
const SEED: &str = "hunter2";

/// A token that operates, and what the service knows of it: its SHA-256, which is as secret.
const OPERATOR: &str = "hunter2-operator";
const OPERATOR_HASH: &str = "4665732c2e928be0cebed0123a52c51419ba1cc60ec6308165ee075cbd7854a4";

/// Everything that a program says, and whatever it was asked for.
fn assert_clean(what: &str, text: &str) {
    if let Some(at) = text.find(SEED).or_else(|| text.find(OPERATOR_HASH)) {
        let from = text.floor_char_boundary(at.saturating_sub(200));
        let to = text.ceil_char_boundary(at + 50);
        panic!("{what}: {}", &text[from..to]);
    }
}

/// Where a service with wrong logins is led.
struct Wrong {
    redis: String,
    database: String,
    /// What is wrong with each, as it must be told: otherwise nothing was tried.
    told: [&'static str; 2],
}

/// A service whose every login is wrong, in a file, in variables and in files that those name.
async fn serving(wrong: &Wrong) -> Node {
    let folder = Folder::new();
    let secrets = folder.path().join("secrets");
    fs::write(&secrets, "hunter2-file\n").unwrap();
    let database = folder.path().join("database");
    fs::write(&database, &wrong.database).unwrap();
    let file = "[redis.sentinel]\nusername = \"hunter2-user\"\nhosts = \"127.0.0.1:1\"\n";
    let file = if wrong.redis.contains("sentinel") {
        file
    } else {
        "# hunter2-comment\n[server]\nrequest_timeout = \"20s\" # hunter2\n"
    };
    fs::write(folder.path().join("tingkat.toml"), file).unwrap();
    let program = Program::serve(&folder)
        .with("REDIS_URL", &wrong.redis)
        .with("DATABASE_URL_FILE", &database)
        .with(
            "TINGKAT__SERVER__TOKENS",
            format!("{TOKENS},operate:{OPERATOR_HASH}"),
        )
        .with("TINGKAT__SERVER__CORS_ORIGINS", "https://shop.example")
        .with("TINGKAT__SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
        .with("TINGKAT__LOG__ACCESS", "1")
        .with("TINGKAT__LOG__LEVEL", "trace");
    let program = if wrong.redis.contains("sentinel") {
        program.with("TINGKAT__REDIS__SENTINEL__PASSWORD_FILE", &secrets)
    } else {
        program
    };
    program.listening().await
}

/// Everything that is answered to requests with secrets in them.
async fn answers(node: &Node) -> String {
    let bearer = "authorization: Bearer hunter2-token\r\ncookie: session=hunter2-cookie\r\n";
    let basic = "authorization: Basic hunter2-basic\r\nx-api-key: hunter2-key\r\n";
    // Headers that are answered with, told in problems or logged when they are sound; these are not.
    let names = "x-request-id: https://shop:hunter2@id\r\ntraceparent: 00-hunter2\r\n\
                 tracestate: Hunter=hunter2\r\norigin: https://shop:hunter2@shop.example\r\n\
                 x-forwarded-for: hunter2\r\nforwarded: for=hunter2\r\n";
    let mut said = String::new();
    for path in [
        "/v1/products/1",
        "/v1/products",
        "/v1/postcodes/50450",
        "/v1/states",
        "/livez",
        "/readyz",
        "/metrics",
        "/",
        "/openapi.json",
        "/v1/health",
        "/v1/caches",
        "/v1/caches/product",
        "/v1/caches/product/keys/1",
        "/v1/caches/nowhere?token=hunter2-query",
        "/v1/warm",
        "/v1/forget",
        "/v1/x/nowhere/1",
        "/docs",
        "/problems",
        "/v1/nowhere",
        "/v1/products/1?access_token=hunter2-query",
        "/v1/changes?token=hunter2-query",
        "/v1/postcodes/hunter",
        "/%",
    ] {
        for header in [bearer, basic, names] {
            said += &get(node, path, header).await.whole();
        }
    }
    for body in [
        r#"{"stock":1}"#,
        r#"{"stock":1,"password":"hunter2-body"}"#,
        "hunter2-body",
    ] {
        let reply = patch(node, "1", body).await;
        assert!(reply.status >= 400, "{reply:?}");
        said += &reply.whole();
    }
    said += &operated(node).await;
    let metrics = get(node, "/metrics", bearer).await;
    assert!(metrics.whole().contains("tingkat_build_info"));
    said += &metrics.whole();
    said
}

/// Everything that is answered to an operator, who brings a token and writes others where they do not
/// belong.
async fn operated(node: &Node) -> String {
    let mut said = String::new();
    for (method, path, body) in [
        ("POST", "/v1/forget", r#"{"entity":"product","keys":["1"]}"#),
        (
            "POST",
            "/v1/forget",
            r#"{"entity":"product","all":true,"password":"hunter2-body"}"#,
        ),
        ("POST", "/v1/forget?token=hunter2-query", "hunter2-body"),
        ("POST", "/v1/warm", r#"{"keys":{"product":["1"]}}"#),
        (
            "POST",
            "/v1/warm",
            r#"{"keys":{"product":["1"]},"token":"hunter2-body"}"#,
        ),
        ("POST", "/v1/warm", "[\"hunter2-body\"]"),
        ("GET", "/v1/warm", ""),
        ("DELETE", "/v1/warm?token=hunter2-query", ""),
        ("GET", "/v1/caches", ""),
        ("GET", "/v1/caches/product/keys/1", ""),
        ("GET", "/v1/health", ""),
        ("PATCH", "/v1/products/1", r#"{"stock":1}"#),
    ] {
        let reply = ask_as(node, OPERATOR, method, path, body).await;
        // It is known, and does not write.
        assert_ne!(reply.status, 401, "{method} {path}: {reply:?}");
        assert_eq!(
            reply.status == 403,
            method == "PATCH",
            "{method} {path}: {reply:?}"
        );
        said += &reply.whole();
        // Nobody knows this one.
        let stranger = ask_as(node, "hunter2-stranger", method, path, body).await;
        said += &stranger.whole();
    }
    said
}

async fn says_no_secret(wrong: Wrong) {
    let mut node = serving(&wrong).await;
    node.sees("redis", "down").await;
    node.sees("source", "down").await;
    for words in wrong.told {
        eventually(PATIENCE, async || {
            get(&node, "/readyz", "").await.whole().contains(words)
        })
        .await
        .unwrap_or_else(|_| panic!("{words:?} is not told:\n{}", node.process.log()));
    }
    assert_clean("answers", &answers(&node).await);
    // The configuration is read again, once right and once wrong.
    node.process.signal(Signal::HUP);
    node.says("nothing to change").await;
    let file = node.process.folder.path().join("tingkat.toml");
    fs::write(file, "[redis]\npasword = \"hunter2-key\"\n").unwrap();
    node.process.signal(Signal::HUP);
    node.says("stays as it was").await;
    assert!(node.process.log().lines().count() > 20);
    let log = node.process.log();
    // Requests were logged, with a known token and without, and what was asked for was not.
    assert!(
        log.contains(" access ")
            && log.contains("scope=\"write\"")
            && log.contains("scope=\"operate\""),
        "{log}"
    );
    let mut access = log.lines().filter(|line| line.contains(" access "));
    assert!(
        access.all(|line| !line.contains("50450") && !line.contains("127.0.0.1")),
        "{log}"
    );
    assert_clean("log", &node.process.log());
    assert_clean("output", &node.process.output("stdout"));
}

#[tokio::test]
async fn a_service_with_wrong_passwords_everywhere_says_none_of_them() {
    let redis = Redis::config().user("shop", "on >right ~* &* +@all");
    let redis = redis.start().await.unwrap();
    let database = Postgres::config().password("right").start().await.unwrap();
    database.create_database("shop").await.unwrap();
    let (_, place) = database.url("shop").split_once('@').map(owned).unwrap();
    says_no_secret(Wrong {
        redis: format!("redis://shop:hunter2-redis@{}/", redis.addr()),
        database: format!("postgres://postgres:hunter2-db@{place}"),
        told: ["WRONGPASS", "password"],
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_neighbours_prove_nothing_says_no_secret() {
    let certificates = Certificates::generate().unwrap();
    let redis = Redis::config().tls(&certificates).start().await.unwrap();
    let database = Postgres::config().tls(&certificates).start().await.unwrap();
    database.create_database("shop").await.unwrap();
    let (_, place) = database.url("shop").split_once('@').map(owned).unwrap();
    let place = place.split('?').next().unwrap().to_owned();
    says_no_secret(Wrong {
        redis: format!("rediss://shop:hunter2-tls@{}/", redis.addr()),
        database: format!("postgres://postgres:hunter2-db@{place}?sslmode=verify-full"),
        told: ["redis.tls.ca", "authority that is not trusted"],
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_neighbours_are_away_says_no_secret() {
    says_no_secret(Wrong {
        redis: "redis://sentinel:hunter2-redis@127.0.0.1:1/".to_owned(),
        database: "postgres://shop:hunter2-db@127.0.0.1:1/shop?password=hunter2-too".to_owned(),
        told: [
            "no Sentinel names a master",
            "the database has never been reached",
        ],
    })
    .await;
}

fn owned((before, after): (&str, &str)) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

/// What each of these says, whatever is configured.
const COMMANDS: &[&[&str]] = &[
    &["config", "check"],
    &["config", "check", "--json"],
    &["config", "show", "--origin"],
    &["config", "show", "--json"],
    &["config", "explain", "redis.url"],
    &["config", "explain", "source.url", "--json"],
    &["config", "explain", "redis.password"],
    &["config", "explain", "redis.password", "--json"],
    &["config", "explain", "redis.key_prefix", "--json"],
    &["config", "explain", "server.tokens", "--json"],
    &["config", "explain", "redis.sentinel.password", "--json"],
    &["config", "init"],
    &["config", "init", "--json"],
    &["config", "schema"],
    &["config", "schema", "--json"],
    &["schema", "compact", "--json"],
    &["schema", "check"],
    &["schema", "check", "--json"],
    &["schema", "install", "--dry-run", "--json"],
    &["schema", "uninstall", "--json"],
    &["forget", "product", "7"],
    &["inspect", "product", "7", "--json"],
    &["health", "--json"],
    &["healthcheck"],
    &["warm", "--json"],
    &["warm", "--help"],
    &["inspect", "--help"],
    &["health", "--help"],
    &["config", "explain", "server.tls.key"],
    // Where nobody listens: what is judged and measured is in the test below.
    &["verify", "--wait", "0s", "--json", "http://127.0.0.1:1"],
    &["verify", "--wait", "0s", "http://shop:hunter2@127.0.0.1:1"],
    &["bench", "postcode", "--json", "--url", "http://127.0.0.1:1"],
    &["bench", "postcode", "--url", "http://u:hunter2@127.0.0.1:1"],
    &[
        "bench",
        "postcode",
        "--url",
        "https://u:hunter2@127.0.0.1:1",
    ],
];

#[tokio::test]
async fn no_command_repeats_a_secret_whether_it_is_right_or_wrong() {
    let variables: &[&[(&str, &str)]] = &[
        &[("REDIS_URL", "redis://:hunter2@cache:6379/0")],
        &[("REDIS_URL", "redis://:hunter2@cache:port")],
        &[("REDIS_URL", "hunter2")],
        &[("DATABASE_URL", "postgres://shop:hunter2@db/shop")],
        &[("DATABASE_URL", "postgres://shop:1/hunter2@db/shop")],
        &[
            ("REDIS_URL", "redis://cache"),
            ("REDIS_PASSWORD", "hunter2"),
        ],
        &[("REDIS_PASSWORD_FILE", "secret")],
        &[("REDIS_URL_FILE", "url"), ("REDIS_URL", "")],
        &[
            ("TINGKAT__REDIS__SENTINEL__HOSTS", "one"),
            ("TINGKAT__REDIS__SENTINEL__PASSWORD", "hunter2"),
        ],
        &[("REDIS_PASSWORD_FILE", "postgres://shop:hunter2@nowhere")],
        &[("TINGKAT__SERVER__TOKENS", "write:hunter2")],
        &[("TINGKAT__SERVER__TLS__KEY_FILE", "key")],
        &[(
            "TINGKAT__REDIS__TLS__KEY",
            "-----BEGIN PRIVATE KEY-----hunter2",
        )],
        &[("TINGKAT__REDIS__PASWORD", "hunter2")],
        &[("REDIS_KEY_PREFIX", "redis://:hunter2@cache")],
        &[("TINGKAT__SERVER__LISTEN", "shop:hunter2@db")],
        &[(
            "TINGKAT__SERVER__CORS_ORIGINS",
            "https://shop:hunter2@shop.example",
        )],
        &[(
            "TINGKAT__SERVER__TRUSTED_PROXIES",
            "https://shop:hunter2@proxy",
        )],
        &[("TINGKAT__LOG__ACCESS", "redis://:hunter2@cache")],
        &[
            ("TINGKAT_URL", "http://127.0.0.1:1"),
            ("TINGKAT_TOKEN", "hunter2"),
        ],
        &[("TINGKAT_URL", "http://shop:hunter2@127.0.0.1:1")],
        &[("TINGKAT_URL", "shop:hunter2@127.0.0.1")],
        &[
            ("TINGKAT_URL", "http://127.0.0.1:1"),
            ("TINGKAT_TOKEN_FILE", "secret"),
        ],
    ];
    let folder = Folder::new();
    fs::write(folder.path().join("secret"), "hunter2").unwrap();
    fs::write(
        folder.path().join("key"),
        "-----BEGIN PRIVATE KEY-----\nhunter2\n",
    )
    .unwrap();
    fs::write(folder.path().join("url"), "rediss://:hunter2@one,two").unwrap();
    let mut fingerprints = 0;
    for set in variables {
        for command in COMMANDS {
            let program = Program::new(&folder, command);
            let program = set
                .iter()
                .fold(program, |program, (name, value)| program.with(name, value));
            let ended = program.run().await;
            let what = format!("{command:?} with {set:?}");
            assert_clean(&what, &ended.stdout);
            assert_clean(&what, &ended.stderr);
            fingerprints += ended.stdout.matches("fingerprint").count();
        }
    }
    // What is right was read, and could have been shown.
    assert!(fingerprints > 20, "{fingerprints}");
}

#[tokio::test]
async fn an_installation_is_judged_and_measured_without_a_secret_being_told() {
    let database = Postgres::config()
        .password("hunter2-db")
        .start()
        .await
        .unwrap();
    database.create_database("shop").await.unwrap();
    let redis = Redis::config().user("shop", "on >hunter2-redis ~* &* +@all");
    let redis = redis.start().await.unwrap();
    let url = format!("redis://shop:hunter2-redis@{}/", redis.addr());
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        Program::new(&folder, arguments)
            .with("DATABASE_URL", database.url("shop"))
            .with("REDIS_URL", &url)
            .with("REDIS_KEY_PREFIX", "it:secrets:")
            .with(
                "TINGKAT__SERVER__TOKENS",
                format!("operate:{OPERATOR_HASH}"),
            )
            .with("TINGKAT_TOKEN", OPERATOR)
    };
    let installed = run(&["schema", "install", "--demo"]).run().await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let node = run(&["serve"]).listening().await;
    node.sees("redis", "up").await;
    let at = format!("http://{}", node.target.address());
    let quick = ["--duration", "300ms", "--warm-up", "0s"];
    let bench = |rest: &[&'static str]| [&["bench"], rest, &quick].concat();
    let mut commands = vec![
        vec!["verify", "--json", &at],
        vec!["verify", "--read-only", &at],
        bench(&["postcode", "--json", "--against", "redis"]),
    ];
    for rest in [
        &["--json"][..],
        &["--quiet", "--html", "out.html", "--csv", "out.csv"],
    ] {
        let mut command = bench(&["postcode"]);
        command.extend(["--url", &at]);
        command.extend(rest);
        commands.push(command);
    }
    for command in commands {
        let ended = run(&command).start().ended_within(PATIENCE * 3).await;
        assert!(matches!(ended.code, Some(0 | 3)), "{command:?}: {ended:?}");
        assert!(
            ended.stdout.len() + ended.stderr.len() > 100,
            "{command:?}: {ended:?}"
        );
        assert_clean(&format!("{command:?}"), &ended.stdout);
        assert_clean(&format!("{command:?}"), &ended.stderr);
    }
    for name in folder.names() {
        let written = fs::read(folder.path().join(&name)).unwrap();
        assert_clean(&name, &String::from_utf8_lossy(&written));
    }
    assert!(folder.names().contains(&"out.html".to_owned()));
    assert_clean("log", &node.process.log());
    assert_clean("output", &node.process.output("stdout"));
}

#[tokio::test]
async fn a_file_with_secrets_is_repeated_by_no_command() {
    let files = [
        "[redis]\nurl = \"redis://:hunter2@cache\"\n[redis.sentinel]\nhosts = \"one\"\npassword = \"hunter2\"\n",
        "[source]\nurl = \"postgres://shop:hunter2@127.0.0.1:1/shop\"\n",
        "[redis]\npassword = \"hunter2\"\nbudget = 7\n",
        "[server]\ntokens = [\"write:hunter2\"]\n",
        "[redis]\npassword = \"hunter2\n",
        "redis.pasword = \"hunter2\" # hunter2\n",
    ];
    for file in files {
        let folder = Folder::new();
        fs::write(folder.path().join("tingkat.toml"), file).unwrap();
        for command in [
            &["config", "check"][..],
            &["config", "check", "--json"],
            &["config", "show", "--origin"],
            &["config", "show", "--json"],
            &["config", "explain", "redis.url", "--json"],
            &["schema", "check", "--json"],
        ] {
            let program = Program::new(&folder, command).with("REDIS_URL", "");
            let ended = program.run().await;
            let what = format!("{command:?} with {file:?}");
            assert_clean(&what, &ended.stdout);
            assert_clean(&what, &ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_secret_on_the_command_line_is_refused_without_repeating_it() {
    for arguments in [
        &["serve", "--redis-url=redis://:hunter2@cache"][..],
        &["serve", "redis://:hunter2@cache"],
        &["serve", "--listen", "postgres://shop:hunter2@db/shop"],
        &["serve", "--scenario", "redis://:hunter2@cache"],
        &["serve", "--config", "redis://:hunter2@cache"],
        &["serve", "--redis-password=hunter2"],
        &["serve", "--token", "hunter2"],
        &["serve", "--log-level", "redis://:hunter2@cache"],
        &["config", "explain", "redis://:hunter2@cache"],
    ] {
        let ended = Program::new(&Folder::new(), arguments).run().await;
        assert!(matches!(ended.code, Some(2 | 78)), "{ended:?}");
        let what = format!("{arguments:?}");
        assert_clean(&what, &ended.stdout);
        assert_clean(&what, &ended.stderr);
    }
}
