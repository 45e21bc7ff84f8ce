//! The command itself: its outputs, its exit codes, what it leaves behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat_faults::{Direction, Proxy};
use tingkat_lab::verify::{CHECKS, Group, Status};
use tingkat_testkit::postgres::Database;
use tingkat_testkit::{Certificates, Redis, eventually, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::breaks::{Break, How};
use crate::installation::{
    Installation, PREFIX, TOKEN, TOKENS, installed, judge, redis, those, told, url_at,
};
use crate::liar::Lie;
use crate::program::{Ended, Folder, PATIENCE, Program};
use crate::wiring::Keys;

/// What the tests of this file break.
pub(crate) const BREAKS: &[Break] = &[Break {
    name: "the port speaks without TLS as well",
    fails: &["redis_tls"],
    how: How::Scene(|_| ()),
}];

/// The checks of a report in JSON, by how they ended.
pub(crate) fn ended_so(report: &Value, status: &str) -> BTreeSet<String> {
    let groups = report["groups"].as_array().unwrap();
    let checks = groups
        .iter()
        .flat_map(|it| it["checks"].as_array().unwrap());
    let so = checks.filter(|check| check["status"] == status);
    so.map(|check| check["id"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn read(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

/// An output without what is another one each time: how long each check took.
pub(crate) fn steady(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let took = line.rsplit_once(" (").filter(|(_, took)| {
            let digits = took.trim_end().strip_suffix(" ms)").unwrap_or("-");
            digits.bytes().all(|digit| digit.is_ascii_digit())
        });
        match took {
            Some((line, _)) => {
                out.push_str(line);
                out.push_str(" (0 ms)\n");
            }
            None => out.push_str(line),
        }
    }
    out
}

/// How long all checks took together, which are made one after the other.
fn together(report: &Value) -> Duration {
    let groups = report["groups"].as_array().unwrap();
    let checks = groups
        .iter()
        .flat_map(|it| it["checks"].as_array().unwrap());
    Duration::from_millis(checks.map(|check| check["ms"].as_u64().unwrap()).sum())
}

#[tokio::test]
async fn a_sound_installation_passes_from_its_configuration_alone_and_nothing_is_left_behind() {
    let (database, redis) = tokio::join!(installed(), redis());
    let before = database.psql("SELECT count(*) FROM product").await.unwrap();
    let ended = Program::new(&Folder::new(), &["verify", "--json"])
        .with("DATABASE_URL", database.url())
        .with("REDIS_URL", url_at(&redis, redis.port()))
        .with("REDIS_KEY_PREFIX", PREFIX)
        .start()
        .ended_within(Duration::from_secs(100))
        .await;
    let report = read(&ended);
    assert_eq!(ended.code, Some(0), "{report:#}\n{}", ended.stderr);
    assert_eq!(report["success_rate"], 1.0);
    assert_eq!(report["schema_version"], 1);
    // It is promised, and takes a fifth of that on a machine that has nothing else to do.
    assert!(together(&report) <= Duration::from_mins(1), "{report:#}");
    // There is no TLS here, and nothing was warmed before.
    let made = CHECKS.len() - 2;
    assert_eq!(ended_so(&report, "passed").len(), made, "{report:#}");
    let one = report["groups"][0]["checks"][0].as_object().unwrap();
    let members: Vec<&str> = one.keys().map(String::as_str).collect();
    assert_eq!(members, ["detail", "hint", "id", "ms", "status"]);
    let after = database.psql("SELECT count(*) FROM product").await.unwrap();
    assert_eq!(before, after);
    let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
    assert!(keys.items().is_empty(), "{keys:?}");
}

#[tokio::test]
async fn nodes_that_run_are_judged_and_told_as_reviewed() {
    let installation = Installation::start().await;
    let url = |index: usize| format!("http://{}", installation.liars[index].address);
    let (first, second) = (url(0), url(1));
    let run = |arguments: &[&str]| {
        let arguments = [&[&*first, &second], arguments].concat();
        let process = installation.verify(&arguments).start();
        process.ended_within(Duration::from_secs(100))
    };
    let whole = run(&[]).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    insta::assert_snapshot!("whole", steady(&whole.stdout));
    // Nor do the nodes keep anything of the scratch products for those that come after them.
    let kept = installation.keys("*tingkat-verify-*").await;
    assert_eq!(kept, [""; 0]);

    installation.liars[0].tell(Lie::of(|asked, told, _| {
        if asked.path.ends_with("/00001") {
            told.becomes(200, "{}");
        }
    }));
    let short = run(&["--format", "short", "--read-only"]).await;
    assert_eq!(short.code, Some(3), "{short:?}");
    insta::assert_snapshot!("short", short.stdout.replace(&first, "http://node"));
}

#[tokio::test]
async fn without_a_configuration_it_says_what_it_did_not_look_at() {
    let folder = Folder::new();
    let node = Program::serve(&folder)
        .with("TINGKAT__SERVER__TOKENS", TOKENS)
        .listening()
        .await;
    let url = format!("http://{}", node.target.address());
    let ended = Program::new(&Folder::new(), &["verify", &url, "--json"])
        .with("REDIS_URL", "")
        .with("TINGKAT_TOKEN", TOKEN)
        .run()
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let report = read(&ended);
    assert_eq!(ended_so(&report, "failed"), BTreeSet::new(), "{report:#}");
    let skipped = ended_so(&report, "skipped");
    for id in ["config_sound", "tables", "products_true", "fresh"] {
        assert!(skipped.contains(id), "{report:#}");
    }
    let passed = ended_so(&report, "passed");
    for id in [
        "ready",
        "product_ways",
        "token_missing",
        "malformed",
        "removed",
    ] {
        assert!(passed.contains(id), "{report:#}");
    }
}

#[tokio::test]
async fn the_embedded_database_is_judged_as_any_other_and_none_is_created() {
    let folder = Folder::new();
    let refused = Program::new(&folder, &["verify"]).run().await;
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("tingkat serve"), "{refused:?}");
    assert_eq!(folder.names(), Vec::<String>::new());
    let node = Program::serve(&folder).listening().await;
    let ended = Program::new(&folder, &["verify", "--json"]).run().await;
    let report = read(&ended);
    assert_eq!(ended.code, Some(0), "{report:#}\n{}", ended.stderr);
    drop(node);
}

/// Every row of every table, and how many were ever written, undone ones as well.
const ROWS: &str = "
    SELECT schemaname, relname,
      md5(query_to_xml(format('SELECT * FROM %I.%I', schemaname, relname), true, false, '')::text),
      n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_user_tables ORDER BY 1, 2";

/// How often Redis has changed anything.
const CHANGES: &str = "rdb_changes_since_last_save";

#[tokio::test]
async fn read_only_writes_nothing_into_database_and_redis() {
    let (database, redis) = tokio::join!(installed(), redis());
    // What the installation wrote is counted by and by.
    database
        .psql("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    let before = (settled(&database).await, redis.info(CHANGES).await.unwrap());
    let ended = Program::new(&Folder::new(), &["verify", "--json", "--read-only"])
        .with("DATABASE_URL", database.url())
        .with("REDIS_URL", url_at(&redis, redis.port()))
        .with("REDIS_KEY_PREFIX", PREFIX)
        .run()
        .await;
    let report = read(&ended);
    assert_eq!(ended.code, Some(3), "{report:#}");
    assert_eq!(ended_so(&report, "failed"), BTreeSet::new(), "{report:#}");
    for id in ["products_true", "change_log", "redis_policy"] {
        assert!(ended_so(&report, "passed").contains(id), "{report:#}");
    }
    // Nodes that write nothing have no Redis, and the configured one is not known to be used.
    for id in ["fresh", "redis_connected", "redis_used", "health_redis"] {
        assert!(ended_so(&report, "skipped").contains(id), "{report:#}");
    }
    let after = (settled(&database).await, redis.info(CHANGES).await.unwrap());
    assert_eq!(after, before);
    let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
    assert!(keys.items().is_empty(), "{keys:?}");
}

/// What is in a database, when whoever was connected has told what he did and is gone.
async fn settled(database: &Database<'_>) -> String {
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    eventually(PATIENCE, async || {
        database.psql(others).await.unwrap().trim() == "0"
    })
    .await
    .unwrap();
    database.psql(ROWS).await.unwrap()
}

/// What is in the rows of the store, and what the log tells of them; nodes fold old changes by themselves.
async fn rows_and_log(installation: &Installation) -> Vec<String> {
    let rows = installation.database.psql(ROWS).await.unwrap();
    let ours = rows
        .lines()
        .filter(|row| row.starts_with("public|") || row.starts_with("tingkat|change|"));
    // Who is still connected tells how many he wrote when it suits him.
    ours.map(|row| row.rsplit_once('|').unwrap().0.to_owned())
        .collect()
}

/// Nodes that run fill Redis for themselves; verify adds nothing to that.
#[tokio::test]
async fn read_only_beside_nodes_that_run_leaves_the_database_as_it_is_and_no_key_of_its_own() {
    let installation = Installation::start().await;
    let before = rows_and_log(&installation).await;
    let url = format!("http://{}", installation.liars[0].address);
    let ended = installation
        .verify(&[&url, "--json", "--read-only"])
        .run()
        .await;
    let report = read(&ended);
    assert_eq!(ended_so(&report, "failed"), BTreeSet::new(), "{report:#}");
    let passed = ended_so(&report, "passed");
    assert!(passed.contains("redis_used"), "{report:#}");
    assert_eq!(rows_and_log(&installation).await, before);
    let keys = installation.keys("it:verify:verify:*").await;
    let of_the_run = keys.iter().filter(|key| !key.contains(":verify:c:"));
    assert_eq!(of_the_run.collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_exit_code_5_and_can_be_waited_for() {
    let port = free_port().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let ended = Program::new(&Folder::new(), &["verify", &url]).run().await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let waiting =
        Program::new(&Folder::new(), &["verify", &url, "--wait", "60s", "--json"]).start();
    let folder = Folder::new();
    let listen = format!("127.0.0.1:{port}");
    let node = Program::new(&folder, &["serve", "--listen", &listen])
        .listening()
        .await;
    let ended = waiting.ended_within(Duration::from_secs(90)).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    drop(node);
    let malformed = Program::new(&Folder::new(), &["verify", "localhost"])
        .run()
        .await;
    assert_eq!(malformed.code, Some(2), "{malformed:?}");
}

#[tokio::test]
async fn a_node_that_is_not_ready_is_waited_for_and_told_with_its_reason() {
    let installation = Installation::start().await;
    let url = |index: usize| format!("http://{}", installation.liars[index].address);
    let (first, second) = (url(0), url(1));
    let verify = |wait: &str| {
        Program::new(
            &Folder::new(),
            &["verify", &first, &second, "--wait", wait, "--json"],
        )
        .with("TINGKAT_TOKEN", TOKEN)
        .start()
    };
    installation.liars[1].tell(Lie::of(|asked, told, _| {
        if asked.path == "/readyz" {
            told.becomes(
                503,
                "{\"status\":\"not_ready\",\"reasons\":[\"it is cold\"]}",
            );
        }
    }));
    let ended = verify("2s").ended().await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let why = format!("{second}: /readyz answers 503: it is cold");
    assert!(ended.stderr.contains(&why), "{ended:?}");
    assert!(!ended.stderr.contains(&first), "{ended:?}");
    let mut waiting = verify("60s");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(waiting.is_running(), "{}", waiting.log());
    installation.liars[1].tell_the_truth();
    let ended = waiting.ended_within(Duration::from_secs(90)).await;
    // What can not be looked at without a configuration is skipped.
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended_so(&read(&ended), "passed").contains("ready"),
        "{ended:?}"
    );
}

/// How many products of a run there are.
const SCRATCH: &str = "SELECT count(*) FROM product WHERE id LIKE 'tingkat-verify-%'";

/// Waits until a run has written the first of them.
async fn has_begun(database: &Database<'_>) {
    eventually(PATIENCE, async || {
        database.psql(SCRATCH).await.unwrap().trim() != "0"
    })
    .await
    .unwrap();
}

/// It hangs from the middle of a run on.
#[tokio::test]
async fn the_time_of_a_run_is_kept_whatever_hangs_and_what_was_not_looked_at_is_skipped() {
    let (database, redis) = tokio::join!(installed(), redis());
    let proxy = Proxy::start(database.server().addr()).await.unwrap();
    let url = database
        .server()
        .url_at(proxy.addr().port(), database.name());
    let process = Program::new(&Folder::new(), &["verify", "--json", "--timeout", "12s"])
        .with("DATABASE_URL", url)
        .with("REDIS_URL", url_at(&redis, redis.port()))
        .with("REDIS_KEY_PREFIX", PREFIX)
        .start();
    has_begun(&database).await;
    proxy.pause(Direction::Both);
    // The time of the run, of leaving and of removing, none of which is longer than half a minute.
    let ended = process.ended_within(Duration::from_secs(100)).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let report = read(&ended);
    let skipped = ended_so(&report, "skipped");
    for check in CHECKS.iter().filter(|it| it.group == Group::Failure) {
        assert!(skipped.contains(check.id), "{}: {report:#}", check.id);
    }
    assert!(
        ended_so(&report, "failed").contains("removed"),
        "{report:#}"
    );
    let told = report.to_string();
    assert!(told.contains("the run may take 12s (--timeout)"), "{told}");
    assert!(report["success_rate"].as_f64().unwrap() < 1.0, "{report:#}");
}

#[tokio::test]
async fn a_signal_ends_it_with_130_and_nothing_is_left_behind() {
    let (database, redis) = tokio::join!(installed(), redis());
    for signal in [Signal::INT, Signal::TERM] {
        let mut process = Program::new(&Folder::new(), &["verify"])
            .with("DATABASE_URL", database.url())
            .with("REDIS_URL", url_at(&redis, redis.port()))
            .with("REDIS_KEY_PREFIX", PREFIX)
            .start();
        has_begun(&database).await;
        process.signal(signal);
        let ended = process.ended().await;
        assert_eq!(ended.code, Some(130), "{ended:?}");
        assert!(ended.stdout.contains("Stopped before its end"), "{ended:?}");
        assert_eq!(database.psql(SCRATCH).await.unwrap().trim(), "0");
        let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
        assert!(keys.items().is_empty(), "{keys:?}");
    }
}

#[tokio::test]
async fn a_database_that_hangs_does_not_hang_it() {
    let database = installed().await;
    let address = database.server().addr();
    let proxy = Proxy::start(address).await.unwrap();
    proxy.pause(Direction::Both);
    let port = proxy.addr().port();
    let url = database.server().url_at(port, database.name());
    let ended = Program::new(&Folder::new(), &["verify"])
        .with("DATABASE_URL", url)
        .run()
        .await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
}

/// Answers whoever speaks without TLS, and lets others through.
async fn before_tls(redis: &Redis) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = redis.addr();
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the test")]
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                let mut first = [0_u8];
                client.peek(&mut first).await.unwrap();
                if first == *b"*" {
                    client.write_all(b"+PONG\r\n").await.unwrap();
                    let _ = client.read(&mut first).await;
                    return;
                }
                let mut server = TcpStream::connect(upstream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_port_that_speaks_without_tls_as_well_fails_the_check_of_it() {
    let certificates = Certificates::generate().unwrap();
    let redis = Redis::config().tls(&certificates).start().await.unwrap();
    let files = tingkat_redis::TlsFiles {
        authority: Some(certificates.authority()),
        ..tingkat_redis::TlsFiles::default()
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let installation = Installation::start().await;
    for (port, fails) in [
        (redis.port(), BTreeSet::new()),
        (before_tls(&redis).await, BTreeSet::from(["redis_tls"])),
    ] {
        let mut config = tingkat_redis::Config::new(redis.url_at(port).parse().unwrap(), PREFIX);
        config.tls = tingkat_redis::Tls::read(&files, |path| std::fs::read(path)).unwrap();
        let probe = tingkat_redis::Probe::start(config, Arc::new(SystemClock));
        probe.is_there(PATIENCE).await.unwrap();
        let mut scene = installation.scene();
        scene.redis = Ok(Arc::new(Keys(probe)));
        let report = judge(&scene, &[Group::Redis]).await;
        // What rests on the nodes' own Redis is another one here.
        let mut failed = those(&report, Status::Failed);
        for of_the_nodes in ["redis_used", "redis_foreign_bytes", "redis_policy"] {
            failed.remove(of_the_nodes);
        }
        assert_eq!(failed, fails, "{}", told(&report));
    }
}
