//! Five variables, and a service is in production: as an operator starts it, with neighbours that prove
//! who they are.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tingkat_testkit::redis::Reply;
use tingkat_testkit::{Certificates, Postgres, Redis, eventually};

use crate::program::{Folder, PATIENCE, PROGRAM, Program};
use crate::wire::{TOKENS, get, patch};

const PREFIX: &str = "shop:prod:";

/// The neighbours, who speak TLS alone and want passwords.
struct Neighbours {
    certificates: Certificates,
    database: Postgres,
    redis: Redis,
}

impl Neighbours {
    async fn start() -> Self {
        let certificates = Certificates::generate().unwrap();
        let database = Postgres::config().tls(&certificates).password("hunter2-db");
        let database = database.start().await.unwrap();
        database.create_database("shop").await.unwrap();
        let redis = Redis::config().tls(&certificates).user(
            "shop",
            "on >hunter2-redis ~shop:prod:* &shop:prod:* +@all -@dangerous +info",
        );
        let redis = redis.start().await.unwrap();
        Self {
            certificates,
            database,
            redis,
        }
    }

    /// All that an operator sets. The authority of the database is named in its URL, as everywhere.
    fn five(&self) -> [(&'static str, String); 5] {
        let database = self.database.url("shop");
        assert!(database.contains("?sslmode=verify-full&sslrootcert="));
        [
            ("TINGKAT_ENV", "production".to_owned()),
            ("DATABASE_URL", database),
            (
                "REDIS_URL",
                format!("rediss://shop:hunter2-redis@{}", self.redis.addr()),
            ),
            ("REDIS_KEY_PREFIX", PREFIX.to_owned()),
            (
                "TINGKAT__SERVER__TOKENS",
                TOKENS.replace("write:", "operate:"),
            ),
        ]
    }

    /// A run with these variables alone. The machine trusts the authority of this test, as another one
    /// trusts those that its system came with.
    fn run(&self, folder: &Folder, arguments: &[&str], set: &[(&str, String)]) -> Program {
        let program = Program::bare(folder, arguments);
        let program = program.with("SSL_CERT_FILE", self.certificates.authority());
        set.iter()
            .fold(program, |program, (name, value)| program.with(name, value))
    }
}

#[tokio::test]
async fn five_variables_are_all_that_production_needs() {
    let all = Neighbours::start().await;
    let (five, folder) = (all.five(), Folder::new());
    let install = ["schema", "install", "--demo"];
    let installed = all.run(&folder, &install, &five).run().await;
    assert_eq!(installed.code, Some(0), "{installed:?}");

    let checked = all.run(&folder, &["config", "check"], &five).run().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert_eq!(folder.names(), [""; 0]);

    // The ports of production may be taken on this machine; nothing else is told.
    let ports = "[server]\nadmin_listen = \"127.0.0.1:0\"\n";
    fs::write(folder.path().join("ports.toml"), ports).unwrap();
    let serve = ["serve", "--config", "ports.toml", "--listen", "127.0.0.1:0"];
    let node = all.run(&folder, &serve, &five).listening().await;
    node.sees("source", "up").await;
    node.sees("redis", "up").await;
    let product = get(&node, "/v1/products/1", "").await;
    assert_eq!(
        (product.status, &product.body["id"]),
        (200, &json!("1")),
        "{product:?}"
    );
    assert_eq!(product.header("cache-control"), Some("no-cache"));
    eventually(PATIENCE, async || {
        let keys = all.redis.cmd(&["KEYS", "shop:prod:*"]).await.unwrap();
        let mut keys = keys.items().iter().filter_map(Reply::text);
        keys.any(|key| key.contains("product"))
    })
    .await
    .unwrap();
    let is_ready = eventually(PATIENCE, async || {
        let (status, ready) = node.readiness().await;
        status == 200 && ready["status"] == "ready"
    });
    assert!(is_ready.await.is_ok(), "{}", node.process.log());

    // Shoppers reach look-ups alone; the log is for programs, and no rule was waived for it.
    let written = patch(&node, "1", r#"{"stock":1}"#).await;
    assert_eq!(written.status, 405, "{written:?}");
    let log = node.process.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let is_well = |line: &Value| line["level"] != "ERROR" && !line.to_string().contains("waived");
    assert!(lines.iter().all(is_well), "{log}");
    assert_eq!(folder.names(), ["ports.toml"]);
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn without_one_of_the_five_production_is_not_started_and_told_which() {
    let all = Neighbours::start().await;
    for (missing, words) in [
        ("DATABASE_URL", "source.url: must be set in production"),
        ("REDIS_URL", "redis.url: must be set in production"),
        (
            "REDIS_KEY_PREFIX",
            "redis.key_prefix: must be set in production",
        ),
        (
            "TINGKAT__SERVER__TOKENS",
            "server.tokens: must be set in production",
        ),
    ] {
        let four = all.five().into_iter().filter(|(name, _)| *name != missing);
        let four: Vec<_> = four.collect();
        let folder = Folder::new();
        let ended = all.run(&folder, &["serve"], &four).run().await;
        assert_eq!(ended.code, Some(78), "{missing}: {ended:?}");
        let told: Vec<&str> = ended
            .stderr
            .lines()
            .filter(|it| it.starts_with("tingkat:"))
            .collect();
        assert!(
            told.len() == 1 && told[0].contains(words),
            "{missing}: {ended:?}"
        );
        assert!(
            ended.stderr.contains(&format!("help: set {missing}")),
            "{ended:?}"
        );
        assert_eq!(folder.names(), [""; 0]);
    }
}

/// The lines between the fences under which the pages show the five variables.
fn five_of(page: &str) -> &str {
    let (_, rest) = page.split_once("```sh\nTINGKAT_ENV=production\n").unwrap();
    rest.split_once("```").unwrap().0
}

#[tokio::test]
async fn the_five_variables_of_the_pages_are_a_right_production() {
    let page = |name: &str| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::read_to_string(root.join(name)).unwrap()
    };
    let (readme, configuration) = (page("README.md"), page("docs/configuration.md"));
    let readme = five_of(&readme);
    assert_eq!(readme, five_of(&configuration));
    assert_eq!(readme.lines().count(), 4);
    let script =
        format!("set -a\nTINGKAT_ENV=production\nTOKEN=foo\n{readme}\nexec {PROGRAM} config check");
    let folder = Folder::new();
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).current_dir(folder.path());
    let ended = shell
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        "The configuration is right, for production, without a file.\n",
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_machine_that_does_not_trust_the_neighbours_reads_and_says_so() {
    let all = Neighbours::start().await;
    let other = Certificates::generate().unwrap();
    let (five, folder) = (all.five(), Folder::new());
    let installed = all
        .run(&folder, &["schema", "install", "--demo"], &five)
        .run()
        .await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let ports = "[server]\nadmin_listen = \"127.0.0.1:0\"\n";
    fs::write(folder.path().join("ports.toml"), ports).unwrap();
    let serve = ["serve", "--config", "ports.toml", "--listen", "127.0.0.1:0"];
    let node = all
        .run(&folder, &serve, &five)
        .with("SSL_CERT_FILE", other.authority())
        .listening()
        .await;
    node.says("redis is away: ").await;
    node.says("the server's certificate is refused").await;
    node.sees("source", "up").await;
    assert_eq!(node.get("/v1/products/1").await.status, 200);
}
