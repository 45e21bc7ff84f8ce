//! `tingkat bench`: what it measures, what it judges, and what it leaves behind.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tingkat_testkit::redis::Reply;
use tingkat_testkit::{Redis, eventually};

use crate::program::{Ended, Folder, Node, PATIENCE, Program};
use crate::stores::installed;
use crate::wire::{TOKEN, TOKENS};

pub(crate) async fn bench(folder: &Folder, arguments: &[&str]) -> Ended {
    let arguments = [&["bench"], arguments].concat();
    Program::new(folder, &arguments).run().await
}

pub(crate) async fn bench_with(redis: &Redis, arguments: &[&str]) -> Ended {
    let arguments = [&["bench"], arguments].concat();
    let program = Program::new(&Folder::new(), &arguments).with("REDIS_URL", redis.url());
    program.run().await
}

pub(crate) fn report(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The phases of the first run of a subject.
pub(crate) fn phases(report: &Value, subject: usize) -> &Vec<Value> {
    report["subjects"][subject]["runs"][0]["phases"]
        .as_array()
        .unwrap()
}

/// How many operations a phase has of a kind, a tier and an outcome.
pub(crate) fn count(phase: &Value, kind: &str, tier: &str, state: &str) -> u64 {
    let classes = phase["classes"].as_array().unwrap();
    let is_it = |it: &&Value| it["kind"] == kind && it["tier"] == tier && it["state"] == state;
    let found = classes.iter().filter(is_it);
    found.map(|it| it["operations"].as_u64().unwrap()).sum()
}

/// The keys that Redis has, in their order.
async fn keys(redis: &Redis) -> Vec<String> {
    let reply = redis.cmd(&["KEYS", "*"]).await.unwrap();
    let mut keys: Vec<String> = reply.items().iter().filter_map(Reply::text).collect();
    keys.sort();
    keys
}

const QUICK: [&str; 4] = ["--duration", "500ms", "--warm-up", "0s"];

#[tokio::test]
async fn without_anything_it_measures_a_demo_store_of_its_own_and_leaves_nothing() {
    let folder = Folder::new();
    let ended = bench(&folder, &[&QUICK[..], &["--json"]].concat()).await;
    let report = report(&ended);
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["workload"]["name"], "product-read");
    assert_eq!(report["subjects"][0]["name"], "in process");
    assert!(report["generator"]["highest_rate"].as_f64().unwrap() > 0.0);
    let phase = &phases(&report, 0)[0];
    assert!(count(phase, "read", "memory", "current") > 0, "{phase}");
    assert!(count(phase, "write", "database", "current") > 0, "{phase}");
    assert_eq!(phase["errors"], 0);
    let staleness = &phase["staleness"];
    assert!(staleness["judged"].as_u64().unwrap() > 0, "{staleness}");
    assert_eq!(staleness["beyond_bound"], 0, "{staleness}");
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[tokio::test]
async fn each_tier_is_measured_by_itself_and_redis_is_left_as_it_was() {
    let redis = Redis::start().await.unwrap();
    redis.cmd(&["SET", "mine", "1"]).await.unwrap();
    redis.cmd(&["SET", "tingkat:bench:", "1"]).await.unwrap();
    let arguments = [
        "tiers",
        "--duration",
        "2500ms",
        "--warm-up",
        "0s",
        "--json",
        "--against",
        "redis",
        "--against",
        "database",
    ];
    let ended = bench_with(&redis, &arguments).await;
    let report = report(&ended);
    let (own, plain, loads) = (phases(&report, 0), phases(&report, 1), phases(&report, 2));
    let only = |phase: &Value, tier: &str| {
        let all = phase["operations"].as_u64().unwrap();
        let of_tier = count(phase, "read", tier, "current");
        // A promotion that begins or ends meanwhile is loaded again.
        assert!(of_tier > 0 && of_tier * 100 >= all * 99, "{phase}");
    };
    only(&own[0], "memory");
    assert!(
        count(&own[1], "batch", "memory", "current") > 0,
        "{}",
        own[1]
    );
    assert!(
        count(&own[2], "absent", "memory", "absent") > 0,
        "{}",
        own[2]
    );
    only(&own[3], "redis");
    only(&own[4], "database");
    only(&plain[0], "redis");
    only(&loads[0], "database");
    assert!(
        report["environment"]["details"]["redis"]
            .as_str()
            .unwrap()
            .contains(" at ")
    );
    assert_eq!(keys(&redis).await, ["mine", "tingkat:bench:"]);
}

#[tokio::test]
async fn ctrl_c_tells_what_there_is_and_cleans_up() {
    let redis = Redis::start().await.unwrap();
    let arguments = ["bench", "--duration", "10m", "--warm-up", "0s", "--json"];
    let program = Program::new(&Folder::new(), &arguments).with("REDIS_URL", redis.url());
    let mut process = program.start();
    // Filled, and so under way.
    eventually(PATIENCE, async || keys(&redis).await.len() > 1000)
        .await
        .unwrap();
    process.signal(Signal::INT);
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(keys(&redis).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_outage_of_redis_costs_no_answer_and_shows_no_old_one() {
    let redis = Redis::start().await.unwrap();
    let arguments = [
        "redis-outage",
        "--duration",
        "8s",
        "--warm-up",
        "0s",
        "--rate",
        "500",
        "--json",
    ];
    let ended = bench_with(&redis, &arguments).await;
    let report = report(&ended);
    let phases = phases(&report, 0);
    let names: Vec<&str> = phases
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["steady", "slow", "black hole", "back"]);
    for phase in phases {
        assert_eq!(phase["errors"], 0, "{phase}");
        assert_eq!(phase["staleness"]["beyond_bound"], 0, "{phase}");
        assert!(phase["counters"]["loads"].as_u64().is_some());
        assert!(phase["response"]["p99"].as_f64().is_some());
    }
    // Another node writes, which this one learns by its feed and not at once.
    let replaced = |at: usize| phases[at]["staleness"]["replaced"].as_u64().unwrap();
    assert!((0..4).map(replaced).sum::<u64>() > 0, "{report}");
    // On a machine that is too busy a run has no grades, and its workload has objectives all the same.
    let objective = &report["workload"]["objective"];
    assert_eq!(objective["beyond_bound"], 0.0, "{objective}");
    let failures = |at: usize| phases[at]["counters"]["redis_failures"].as_u64().unwrap();
    // Where the breaker is open already, a black hole is not noticed any more.
    assert!(failures(1) + failures(2) > 0, "{} {}", phases[1], phases[2]);
    assert_eq!(
        count(&phases[2], "read", "redis", "current"),
        0,
        "{}",
        phases[2]
    );
    assert_eq!(keys(&redis).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_crowd_loads_a_product_once() {
    let folder = Folder::new();
    let ended = bench(&folder, &["stampede", "--duration", "1s", "--json"]).await;
    let report = report(&ended);
    let crowd = &phases(&report, 0)[0]["crowd"];
    assert_eq!(crowd["callers"], 1000);
    assert!(crowd["crowds"].as_u64().unwrap() > 0);
    assert_eq!(crowd["crowds"], crowd["loaded_keys"]);
}

#[tokio::test]
async fn a_service_is_measured_over_http() {
    let node = Node::alone().await;
    let url = format!("http://{}", node.target.address());
    let arguments = [
        "sweep",
        "--url",
        &url,
        "--duration",
        "2s",
        "--warm-up",
        "0s",
        "--json",
    ];
    let ended = bench(&Folder::new(), &arguments).await;
    let report = report(&ended);
    let phases = phases(&report, 0);
    assert_eq!(phases.len(), 5);
    for phase in phases {
        assert_eq!(phase["errors"], 0, "{phase}");
        assert!(count(phase, "read", "memory", "current") > 0, "{phase}");
    }
    assert!(phases[0]["counters"]["memory_hits"].as_u64().unwrap() > 0);

    let shares = |name: &str| phases[0][name].as_f64().unwrap();
    assert!((shares("generator_cores") - shares("process_cores")).abs() < 1e-9);

    // What would change something of theirs, or how they are set up, is refused or left out.
    let refused = bench(&Folder::new(), &["product-read", "--url", &url]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--allow-writes"), "{refused:?}");
    let ended = bench(&Folder::new(), &["redis-outage", "--url", &url]).await;
    assert!(ended.stderr.contains("in process alone"), "{ended:?}");
    let postcode = ["postcode", "--url", &url, "--duration", "1s", "--json"];
    let ended = bench(&Folder::new(), &postcode).await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let skipped = &report["subjects"][0]["skipped"];
    assert!(
        skipped[0].as_str().unwrap().contains("--allow-forget"),
        "{skipped}"
    );
    assert!(
        skipped[1].as_str().unwrap().contains("leave --url out"),
        "{skipped}"
    );
    let allowed = [&postcode[..], &["--allow-forget"]].concat();
    let ended = bench(&Folder::new(), &allowed).await;
    assert!(ended.stdout.contains("TINGKAT_TOKEN"), "{ended:?}");
}

#[tokio::test]
async fn with_a_token_the_tiers_of_a_service_are_emptied_only_when_that_is_asked_for() {
    let tokens = TOKENS.replace("write:", "operate:");
    let serving = Program::serve(&Folder::new()).with("TINGKAT__SERVER__TOKENS", tokens);
    let node = serving.listening().await;
    let url = format!("http://{}", node.target.address());
    node.get("/v1/products?limit=10").await;
    let run = async |more: &[&str]| {
        let arguments = [
            "bench",
            "cold-start",
            "--url",
            &url,
            "--duration",
            "400ms",
            "--json",
        ];
        let arguments = [&arguments[..], more].concat();
        let program = Program::new(&Folder::new(), &arguments).with("TINGKAT_TOKEN", TOKEN);
        program.run().await
    };
    let refused = run(&[]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--allow-forget"), "{refused:?}");
    let cached = node.get("/v1/products?limit=10").await;
    let way = cached.header("cache-status").unwrap();
    assert!(way.contains("memory; hit"), "{way}");
    let allowed = run(&["--allow-forget"]).await;
    let report = report(&allowed);
    let phase = &phases(&report, 0)[0];
    assert!(phase["counters"]["loads"].as_u64().unwrap() > 0, "{phase}");
}

#[tokio::test]
async fn a_signal_is_heard_while_the_keys_are_listed() {
    // A service that takes connections and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let arguments = ["bench", "sweep", "--url", &url, "--json"];
    let mut process = Program::new(&Folder::new(), &arguments).start();
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let _connection = accepted.unwrap().unwrap();
    process.signal(Signal::TERM);
    let ended = process.ended().await;
    // Not the code of a service that does not answer, which it is after a while.
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
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
            "expected one of steady:rate",
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

#[tokio::test]
async fn workloads_are_listed_printed_and_run_from_a_file() {
    let folder = Folder::new();
    let listed = bench(&folder, &["--list"]).await;
    assert!(listed.stdout.contains("\nflash-sale "), "{listed:?}");
    let printed = bench(&folder, &["product-batch", "--print-workload"]).await;
    assert!(
        printed.stdout.starts_with("name = \"product-batch\"\n"),
        "{printed:?}"
    );
    let own = printed.stdout.replace("product-batch", "carts");
    std::fs::write(folder.path().join("carts.toml"), own).unwrap();
    std::fs::write(folder.path().join("lines.csv"), "no,sku\n1,A\n2,B\n3,A\n").unwrap();
    let arguments = [
        "--workload",
        "carts.toml",
        "--trace",
        "lines.csv",
        "--keys",
        "10",
        "--json",
    ];
    let ended = bench(&folder, &[&arguments[..], &QUICK[..]].concat()).await;
    let report = report(&ended);
    assert_eq!(report["workload"]["name"], "carts");
    assert_eq!(report["workload"]["keys"]["law"], "trace");
    // Two things are asked for, and ten were loaded before.
    let phase = &phases(&report, 0)[0];
    assert!(count(phase, "batch", "memory", "current") > 0, "{phase}");
}

#[tokio::test]
async fn the_products_of_a_configured_database_are_not_written_unasked() {
    let database = installed().await;
    let run = async |more: &[&str]| {
        let arguments = [&["bench", "product-write", "--json"], &QUICK[..], more].concat();
        let program = Program::new(&Folder::new(), &arguments).with("DATABASE_URL", database.url());
        program.start().ended_within(Duration::from_mins(1)).await
    };
    let refused = run(&[]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--allow-writes"), "{refused:?}");
    let report = report(&run(&["--allow-writes"]).await);
    let phase = &phases(&report, 0)[0];
    assert!(count(phase, "write", "database", "current") > 0, "{phase}");
    assert_eq!(phase["staleness"]["beyond_bound"], 0, "{phase}");
}
