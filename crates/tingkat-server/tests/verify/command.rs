//! The command itself: its outputs, its exit codes, what it leaves behind.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::Value;
use tingkat::clock::SystemClock;
use tingkat_lab::verify::{CHECKS, Group, Status};
use tingkat_testkit::{Certificates, Redis, eventually, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::breaks::{Break, How};
use crate::installation::{
    Installation, PREFIX, TOKEN, TOKENS, installed, judge, redis, those, told, url_at,
};
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

/// An output without what is another one each time.
fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut digits = false;
    for letter in text.chars() {
        let is_digit = letter.is_ascii_digit();
        match (is_digit, digits) {
            (true, true) => {}
            (true, false) => out.push('0'),
            (false, _) => out.push(letter),
        }
        digits = is_digit;
    }
    out
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
        .ended_within(std::time::Duration::from_secs(100))
        .await;
    let report = read(&ended);
    assert_eq!(ended.code, Some(0), "{report:#}\n{}", ended.stderr);
    assert_eq!(report["success_rate"], 1.0);
    assert_eq!(report["schema_version"], 1);
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
        Program::new(
            &Folder::new(),
            &[&["verify", &first, &second], arguments].concat(),
        )
        .with("TINGKAT_TOKEN", TOKEN)
        .with("DATABASE_URL", installation.database.url())
        .with(
            "REDIS_URL",
            url_at(&installation.redis, installation.redis.port()),
        )
        .with("REDIS_KEY_PREFIX", PREFIX)
        .start()
        .ended_within(std::time::Duration::from_secs(100))
    };
    let whole = run(&[]).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    insta::assert_snapshot!("whole", steady(&whole.stdout));

    installation.liars[0].tell(crate::liar::Lie::of(|asked, told, _| {
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

#[tokio::test]
async fn read_only_writes_nothing_into_database_and_redis() {
    let (database, redis) = tokio::join!(installed(), redis());
    let written =
        "SELECT pg_current_xact_id_if_assigned() IS NULL, (SELECT count(*) FROM tingkat.change)";
    let before = database.psql(written).await.unwrap();
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
    assert!(ended_so(&report, "skipped").contains("fresh"), "{report:#}");
    assert_eq!(database.psql(written).await.unwrap(), before);
    let writes = redis.info("cmdstat_set").await.unwrap_or_default();
    let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
    assert!(keys.items().is_empty(), "{keys:?} {writes}");
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
    let ended = waiting
        .ended_within(std::time::Duration::from_secs(90))
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    drop(node);
    let malformed = Program::new(&Folder::new(), &["verify", "localhost"])
        .run()
        .await;
    assert_eq!(malformed.code, Some(2), "{malformed:?}");
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
        let scratch = "SELECT count(*) FROM product WHERE id LIKE 'tingkat-verify-%'";
        eventually(PATIENCE, async || {
            database.psql(scratch).await.unwrap().trim() != "0"
        })
        .await
        .unwrap();
        process.signal(signal);
        let ended = process.ended().await;
        assert_eq!(ended.code, Some(130), "{ended:?}");
        assert!(ended.stdout.contains("Stopped before its end"), "{ended:?}");
        assert_eq!(database.psql(scratch).await.unwrap().trim(), "0");
        let keys = redis.cmd(&["KEYS", "*"]).await.unwrap();
        assert!(keys.items().is_empty(), "{keys:?}");
    }
}

#[tokio::test]
async fn a_database_that_hangs_does_not_hang_it() {
    let database = installed().await;
    let address = database.server().addr();
    let proxy = tingkat_faults::Proxy::start(address).await.unwrap();
    proxy.pause(tingkat_faults::Direction::Both);
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
