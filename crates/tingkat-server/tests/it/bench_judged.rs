//! What `tingkat bench` refuses, and how what it measured is judged.

use serde_json::Value;
use tingkat_testkit::Redis;

use crate::bench::bench;
use crate::program::{Folder, PATIENCE, Program};

#[tokio::test]
async fn what_was_not_measured_again_ends_the_run_with_its_own_code() {
    let folder = Folder::new();
    let redis = Redis::start().await.unwrap();
    let run = async |redis: Option<&Redis>, more: &[&str]| {
        let usual = [
            "bench",
            "tiers",
            "--duration",
            "2s",
            "--warm-up",
            "0s",
            "--runs",
            "4",
        ];
        let program = Program::new(&folder, &[&usual[..], more].concat());
        let program = match redis {
            Some(redis) => program.with("REDIS_URL", redis.url()),
            None => program,
        };
        program.start().ended_within(PATIENCE * 4).await
    };
    let kept = run(Some(&redis), &["--json"]).await;
    assert_eq!(kept.code, Some(0), "{kept:?}");
    std::fs::write(folder.path().join("before.json"), &kept.stdout).unwrap();
    let guarded = "redis:redis.p50 > +5000%";
    let again = run(None, &["--compare", "before.json", "--fail-on", guarded]).await;
    assert_eq!(again.code, Some(6), "{again:?}");
    let told = "redis:redis.p50 was not measured";
    assert!(again.stderr.contains(told), "{again:?}");
    assert!(
        again.stdout.contains("not measured now: redis:rate"),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_has_become_worse_ends_the_run_with_its_own_code() {
    let folder = Folder::new();
    let usual = [
        "product-write",
        "--duration",
        "1s",
        "--warm-up",
        "0s",
        "--runs",
        "4",
    ];
    let run = async |more: &[&str]| {
        let program = Program::new(&folder, &[&["bench"], &usual[..], more].concat());
        program.start().ended_within(PATIENCE * 4).await
    };
    let kept = run(&["--save-baseline", "before"]).await;
    assert_eq!(kept.code, Some(0), "{kept:?}");
    // As if it had been a hundred times as fast.
    let path = folder.path().join("tingkat-bench-before.json");
    let mut before: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for run in before["subjects"][0]["runs"].as_array_mut().unwrap() {
        let p99 = &mut run["phases"][0]["service"]["p99"];
        *p99 = (p99.as_f64().unwrap() / 100.0).into();
    }
    std::fs::write(&path, before.to_string()).unwrap();
    let worse = run(&["--compare", "before", "--fail-on", "steady:p99 > +10%"]).await;
    assert_eq!(worse.code, Some(6), "{worse:?}");
    assert!(
        worse.stdout.contains("worse") && !worse.stdout.contains("INVALID"),
        "{worse:?}"
    );
    assert!(!worse.stdout.contains("hard to compare"), "{worse:?}");
    let other = ["--compare", "before", "--runs", "4", "--fail-on"];
    for (arguments, words) in [
        (
            &["product-write", "stdy:p99 > +10%"],
            "expected one of steady:rate, steady:lookup.p50",
        ),
        (
            &["product-read", "p99 > +10%"],
            "another workload, product-write",
        ),
    ] {
        let arguments = [&arguments[..1], &other, &arguments[1..]].concat();
        let ended = bench(&folder, &arguments).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
}

#[tokio::test]
async fn what_means_nothing_is_not_kept_for_later() {
    let folder = Folder::new();
    let few = [
        "--rate",
        "5",
        "--save-baseline",
        "few",
        "--duration",
        "400ms",
        "--warm-up",
        "0s",
    ];
    let ended = bench(&folder, &few).await;
    assert_eq!(ended.code, Some(6), "{ended:?}");
    assert!(ended.stderr.contains("not kept as a baseline"), "{ended:?}");
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[tokio::test]
async fn objectives_and_baselines_decide_how_it_ends() {
    let folder = Folder::new();
    // Operations that cost so much more than to send them that no machine calls the run invalid.
    let usual = ["product-write", "--duration", "3s", "--warm-up", "0s"];
    let run = async |more: &[&str]| bench(&folder, &[&usual[..], more].concat()).await;
    let kept = run(&["--slo", "steady:p99<1h", "--save-baseline", "before"]).await;
    assert_eq!(kept.code, Some(0), "{kept:?}");
    assert!(kept.stdout.contains("√ steady:p99 ≤ "), "{kept:?}");
    assert_eq!(folder.names(), ["tingkat-bench-before.json"]);
    let missed = run(&["--slo", "p99<1ns", "--compare", "before"]).await;
    assert_eq!(missed.code, Some(6), "{missed:?}");
    assert!(missed.stdout.contains("× p99 ≤ 1 ns"), "{missed:?}");
    assert!(missed.stdout.contains("too few runs to tell"), "{missed:?}");
    let files = ["--html", "it.html", "--csv", "it.csv", "--hdr", "it.hgrm"];
    let written = run(&files).await;
    assert_eq!(written.code, Some(0), "{written:?}");
    let html = std::fs::read_to_string(folder.path().join("it.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("uPlot"));
    for (file, begin) in [
        ("it.csv", "subject,run,phase"),
        ("it.hgrm", "#[Subject: in process"),
    ] {
        let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(text.starts_with(begin), "{file}: {text}");
    }
}

#[tokio::test]
async fn mistakes_are_told_before_anything_is_measured() {
    let folder = Folder::new();
    for (arguments, words) in [
        (&["coffee"][..], "expected one of tiers, product-read"),
        (&["--workload", "none.toml"], "failed to read none.toml"),
        (&["--duration", "soon"], "expected something like 10s"),
        (&["--duration", "2h"], "at most an hour"),
        (&["--rate", "0"], "rate: expected 0.1 to"),
        (&["--concurrency", "0"], "concurrency: expected 1 to 10000"),
        (
            &["--rate", "5", "--concurrency", "5"],
            "cannot be used with",
        ),
        (&["--runs", "0"], "expected 1 to 30"),
        (&["--slo", "p98<1ms"], "there is no number \"p98\""),
        (&["--slo", "stedy:p99<1ms"], "expected one of steady"),
        (&["trace"], "name its file by --trace"),
        (&["--operations", "0"], "operations: expected at least 1"),
        (
            &["sweep", "--rate", "100"],
            "with a rate there are no callers",
        ),
        (
            &["sweep", "--concurrency", "5"],
            "says how many callers it has",
        ),
        (
            &["lag", "--concurrency", "5"],
            "says how many callers it has",
        ),
        (&["stampede", "--rate", "100"], "crowds come all at once"),
        (
            &["stampede", "--concurrency", "5"],
            "says how many callers it has",
        ),
        (
            &["stampede", "--operations", "5"],
            "expected as many as one crowd has callers",
        ),
        (&["--slo", "error_rate<5"], "expected 0% to 100% or 0 to 1"),
        (
            &["--against", "database", "--against", "database"],
            "the same is given twice",
        ),
        (&["sweep", "--allow-forget"], "--url"),
        (
            &["sweep", "--url", "http://192.0.2.1:8080"],
            "--allow-production measures it",
        ),
        (&["--fail-on", "p99 > +5%"], "--compare"),
        (&["--compare", "none"], "there is no none and no such file"),
        (&["--save-baseline", "../x"], "expected letters, digits"),
        (&["--trace", "none.trace"], "failed to read none.trace"),
        (
            &["--against", "memcached"],
            "possible values: redis, database",
        ),
        (&["--url", "ftp://x", "sweep"], "expected http://host:port"),
        (&["redis-outage"], "set REDIS_URL"),
        (
            &["tiers", "--against", "redis", "--url", "http://x"],
            "leave one out",
        ),
    ] {
        let ended = bench(&folder, arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {ended:?}");
    }
    let production = Program::new(&folder, &["bench"]).with("TINGKAT_ENV", "production");
    let ended = production.run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--allow-production"), "{ended:?}");
    let nobody = Program::new(&folder, &["bench", "sweep", "--against", "redis"])
        .with("REDIS_URL", "redis://127.0.0.1:1");
    let ended = nobody.run().await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert_eq!(folder.names(), Vec::<String>::new());
}
