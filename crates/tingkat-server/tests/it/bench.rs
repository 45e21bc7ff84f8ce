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
async fn without_tingkat_every_look_up_is_a_statement() {
    let redis = Redis::start().await.unwrap();
    let run = async |workload: &str, duration: &str, more: &[&str]| {
        let usual = [
            workload,
            "--duration",
            duration,
            "--warm-up",
            "0s",
            "--json",
        ];
        report(&bench_with(&redis, &[&usual[..], more].concat()).await)
    };
    let against = ["--against", "redis", "--against", "database"];
    let many = [&against[..], &["--concurrency", "64"]].concat();
    let loaded = |phase: &Value| {
        let of = |name: &str| phase["counters"][name].as_u64().unwrap();
        (of("loads"), of("loaded_keys"))
    };
    let read = run("memory-pressure", "800ms", &many).await;
    let loads = &phases(&read, 2)[0];
    let operations = loads["operations"].as_u64().unwrap();
    // Those that were under way when it ended were asked for as well.
    let (statements, keys) = loaded(loads);
    assert!(keys >= operations && statements == keys, "{loads}");
    // Nobody waits beside another for a load of theirs.
    let crowd = run("stampede", "5m", &["--against", "database", "--keys", "2"]).await;
    let crowd = &phases(&crowd, 1)[0];
    assert_eq!(loaded(crowd), (2000, 2000), "{crowd}");
    // A careful person asks for twenty by one statement.
    let batch = run("product-batch", "800ms", &against[2..]).await;
    let batch = &phases(&batch, 1)[0];
    let (statements, keys) = loaded(batch);
    assert_eq!(keys, 20 * statements, "{batch}");
    // Beside Redis what is not there is loaded by one statement each, and then is there.
    let cold = run(
        "catalog-crawl",
        "5m",
        &[&many[..2], &["--concurrency", "64"]].concat(),
    )
    .await;
    let cold = &phases(&cold, 1)[0];
    let (statements, keys) = loaded(cold);
    assert!(keys > 0 && statements == keys, "{cold}");
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
    // It ends with its keys, and what it took is told by the clock.
    let few = ["stampede", "--duration", "50m", "--json", "--keys", "3"];
    let report = self::report(&bench(&folder, &few).await);
    let phase = &phases(&report, 0)[0];
    assert_eq!(phase["crowd"]["crowds"], 3);
    assert!(phase["seconds"].as_f64().unwrap() < 600.0, "{phase}");
    let few = [&few[..5], &["300", "--operations", "2000"]].concat();
    let report = self::report(&bench(&folder, &few).await);
    assert_eq!(phases(&report, 0)[0]["crowd"]["crowds"], 2);
}

#[tokio::test]
async fn more_callers_wait_beside_each_other() {
    let redis = Redis::start().await.unwrap();
    let arguments = ["sweep", "--duration", "2s", "--warm-up", "0s", "--json"];
    let report = report(&bench_with(&redis, &arguments).await);
    let phases = phases(&report, 0);
    let of = |name: &str| -> Vec<u64> {
        let numbers = phases.iter().map(|phase| phase[name].as_u64().unwrap());
        numbers.collect()
    };
    assert_eq!(of("callers"), [1, 8, 64, 256, 1024]);
    let waited = of("under_way");
    assert_eq!(waited[0], 1, "{waited:?}");
    assert!(waited[1] > 1 && waited[4] > waited[1], "{waited:?}");
    for phase in phases {
        assert!(count(phase, "read", "redis", "current") > 0, "{phase}");
        assert_eq!(count(phase, "read", "memory", "current"), 0, "{phase}");
    }
    let told = bench_with(&redis, &arguments[..5]).await;
    let head = "closed loop, 1, 8, 64, 256 and then 1,024 callers, phase by phase";
    assert!(told.stdout.contains(head), "{told:?}");
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
    assert_eq!(report["generator"]["is_over_http"], true);

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
    let run_of = async |workload: &str, more: &[&str]| {
        let arguments = [&["bench", workload, "--json"], &QUICK[..], more].concat();
        let program = Program::new(&Folder::new(), &arguments).with("DATABASE_URL", database.url());
        program.start().ended_within(Duration::from_mins(1)).await
    };
    let run = async |more: &[&str]| run_of("product-write", more).await;
    let refused = run(&[]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--allow-writes"), "{refused:?}");
    let written = report(&run(&["--allow-writes"]).await);
    let phase = &phases(&written, 0)[0];
    assert!(count(phase, "write", "database", "current") > 0, "{phase}");
    assert_eq!(phase["staleness"]["beyond_bound"], 0, "{phase}");
    let refused = run_of("import", &[]).await;
    assert!(refused.stderr.contains("--allow-writes"), "{refused:?}");
    let imported = report(&run_of("import", &["--allow-writes"]).await);
    let phase = &phases(&imported, 0)[1];
    assert_eq!(phase["errors"], 0, "{phase}");
    assert!(count(phase, "import", "database", "current") > 0, "{phase}");
}
