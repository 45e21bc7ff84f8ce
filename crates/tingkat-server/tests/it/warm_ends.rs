//! The command ends when it should, also before the first key; and refuses what would be of no use.

use std::process::Command;

use rustix::process::Signal;
use tingkat_testkit::Redis;

use crate::program::{Folder, Program};
use crate::stores::installed;
use crate::warm::{Store, answered_by, report};

/// A list that never comes.
fn silent(folder: &Folder) -> String {
    let path = folder.path().join("keys");
    let path = path.to_str().unwrap().to_owned();
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    path
}

#[tokio::test]
async fn a_list_that_never_comes_ends_with_the_time_or_with_a_signal() {
    let (_database, store) = Store::new().await;
    let node = store.program(&["serve"]).listening().await;
    node.sees("redis", "up").await;
    let url = format!("http://{}", node.target.address());
    let folder = Folder::new();
    let path = silent(&folder);
    for to in [&[][..], &["--url", &url]] {
        let list = [
            "warm",
            "--entity",
            "product",
            "--from-file",
            &path,
            "--json",
        ];
        let arguments = [&list[..], to].concat();
        let within = [&arguments[..], &["--timeout", "1s"]].concat();
        let ended = store.program(&within).run().await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        let told = report(&ended);
        assert_eq!(
            (&told["end"], &told["success"]),
            (&"timed_out".into(), &false.into())
        );

        for signal in [Signal::INT, Signal::TERM] {
            let mut process = store.program(&arguments).start();
            // It is listened for before anything else.
            tingkat_testkit::eventually(crate::program::PATIENCE, async || {
                handles(process.id(), signal)
            })
            .await
            .unwrap();
            process.signal(signal);
            let ended = process.ended().await;
            assert_eq!(ended.code, Some(130), "{ended:?}");
            assert_eq!(report(&ended)["end"], "cancelled");
        }
    }
}

/// Whether the process has a handler of its own for a signal, as Linux tells.
fn handles(process: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught & (1 << (signal.as_raw() - 1)) != 0
}

/// A database that hangs.
#[tokio::test]
async fn a_database_that_hangs_does_not_keep_the_command() {
    let (database, store) = (installed().await, Redis::start().await.unwrap());
    drop(database);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://shop@{}/shop", silent.local_addr().unwrap());
    let ended = Program::new(&Folder::new(), &["warm", "--timeout", "1s", "--json"])
        .with("DATABASE_URL", url)
        .with("REDIS_URL", store.url())
        .run()
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(report(&ended)["end"], "timed_out");
}

/// What nobody would believe afterwards is not done.
#[tokio::test]
async fn a_file_that_nobody_serves_is_not_warmed_and_one_that_is_served_is() {
    let (folder, redis) = (Folder::new(), Redis::start().await.unwrap());
    let program = |arguments: &[&str]| {
        Program::new(&folder, arguments)
            .with("REDIS_URL", redis.url())
            .with("REDIS_KEY_PREFIX", "it:file:")
    };
    let warm = ["warm", "--entity", "product", "--top", "20", "--json"];
    let refused = program(&warm).run().await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("name it by --url"), "{refused:?}");
    let dry = program(&[&warm[..], &["--dry-run"]].concat()).run().await;
    assert_eq!(dry.code, Some(0), "{dry:?}");

    let node = program(&["serve"]).listening().await;
    node.sees("redis", "up").await;
    let ended = program(&warm).run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = node.get("/v1/products?sort=popularity&limit=3").await;
    let page = page.json().unwrap();
    let id = page["items"][0]["id"].as_str().unwrap();
    // The page has it from Redis, and memory from there.
    assert_eq!(
        answered_by(&node, &format!("/v1/products/{id}")).await,
        "memory; hit"
    );
    let caches = node.get("/v1/caches").await.json().unwrap();
    let caches = caches["items"].as_array().unwrap();
    let product = caches.iter().find(|it| it["entity"] == "product").unwrap();
    assert_eq!(product["source"]["keys"], 0, "{product}");
}
