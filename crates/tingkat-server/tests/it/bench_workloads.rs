//! Each workload of `tingkat bench`, and whether it shows what it promises.

use std::path::Path;

use serde_json::Value;
use tingkat_lab::bench::workload::PRESETS;
use tingkat_testkit::Redis;

use crate::bench::{bench, bench_with, count, phases, report};
use crate::program::Folder;

/// The order lines of the demo store.
fn order_lines() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tingkat-sql/data/order_lines.csv");
    path.to_str().unwrap().to_owned()
}

fn counter(phase: &Value, name: &str) -> u64 {
    phase["counters"][name].as_u64().unwrap()
}

fn operations(phase: &Value) -> u64 {
    phase["operations"].as_u64().unwrap()
}

/// Operations of a kind, whoever answered.
fn of_kind(phase: &Value, kind: &str) -> u64 {
    let kinds = phase["kinds"].as_array().unwrap();
    let found = kinds.iter().filter(|it| it["kind"] == kind);
    found.map(|it| it["operations"].as_u64().unwrap()).sum()
}

/// What a workload promises, of the phases of a short run of it.
fn is_shown(name: &str, phases: &[Value]) {
    let all = Value::from(phases);
    match name {
        "tiers" => {
            assert!(count(&phases[0], "read", "memory", "current") > 0, "{all}");
            assert!(count(&phases[3], "read", "redis", "current") > 0, "{all}");
            assert!(
                count(&phases[4], "read", "database", "current") > 0,
                "{all}"
            );
        }
        "product-read" => {
            assert!(
                of_kind(&phases[0], "read") > of_kind(&phases[0], "write"),
                "{all}"
            );
            assert!(of_kind(&phases[0], "write") > 0, "{all}");
        }
        "product-batch" => assert!(of_kind(&phases[0], "batch") > 0, "{all}"),
        "product-write" => assert!(of_kind(&phases[0], "write") > 0, "{all}"),
        "postcode" => {
            // The first of its key, each of them.
            assert_eq!(phases[0]["hit_ratio"], 0.0, "{all}");
            assert_eq!(
                operations(&phases[0]),
                counter(&phases[0], "loaded_keys"),
                "{all}"
            );
            // Redis has what the first phase has loaded.
            let of = |tier: &str| count(&phases[1], "read", tier, "current");
            assert!(of("redis") > 10 * of("database"), "{all}");
            assert!(phases[2]["hit_ratio"].as_f64().unwrap() > 0.9, "{all}");
            // Hits beside misses.
            let mixed = phases[3]["hit_ratio"].as_f64().unwrap();
            assert!((0.1..0.95).contains(&mixed), "{all}");
        }
        "sweep" => {
            assert_eq!(phases.len(), 5, "{all}");
            let waited = |at: usize| phases[at]["under_way"].as_u64().unwrap();
            assert!(waited(4) > waited(0), "{all}");
        }
        "memory-pressure" => {
            assert!(counter(&phases[0], "evictions") > 0, "{all}");
            assert!(counter(&phases[0], "bytes") <= 262_144, "{all}");
        }
        "flash-sale" => {
            let rate = |at: usize| phases[at]["asked_rate"].as_f64().unwrap();
            assert!((rate(1) / rate(0) - 3.0).abs() < 1e-9, "{all}");
            assert!(of_kind(&phases[1], "write") > 0, "{all}");
            assert!(
                phases[1]["staleness"]["judged"].as_u64().unwrap() > 0,
                "{all}"
            );
        }
        "catalog-crawl" => {
            assert_eq!(phases[0]["hit_ratio"], 0.0, "{all}");
            assert_eq!(operations(&phases[0]), operations(&phases[1]), "{all}");
        }
        "cold-start" => {
            assert!(counter(&phases[0], "loads") > 0, "{all}");
            assert!(count(&phases[1], "read", "redis", "current") > 0, "{all}");
            // Redis has everything, also what the first phase has not asked for; a promotion that begins
            // or ends meanwhile is loaded again.
            let loaded = counter(&phases[1], "loaded_keys");
            assert!(loaded * 20 < operations(&phases[1]), "{all}");
        }
        "stampede" => {
            assert_eq!(
                phases[0]["crowd"]["crowds"], phases[0]["crowd"]["loaded_keys"],
                "{all}"
            );
        }
        "redis-outage" => {
            let names: Vec<&Value> = phases.iter().map(|it| &it["name"]).collect();
            assert_eq!(names, ["steady", "slow", "black hole", "back"]);
            assert!(phases.iter().all(|phase| phase["errors"] == 0), "{all}");
        }
        "import" => {
            // Reads see what others have written past every node.
            assert!(of_kind(&phases[1], "import") > 0, "{all}");
            assert_eq!(of_kind(&phases[0], "import"), 0, "{all}");
            let of = |at: usize, name: &str| phases[at]["staleness"][name].as_u64().unwrap();
            let both = |name: &str| of(1, name) + of(2, name);
            assert!(both("judged") > both("replaced"), "{all}");
            assert_eq!(both("beyond_bound"), 0, "{all}");
        }
        "lag" => {
            let lag = &phases[0]["lag"];
            assert!(lag["seen"].as_u64().unwrap() > 0, "{all}");
            assert_eq!(lag["unseen"], 0, "{all}");
            assert_eq!(phases[0]["errors"], 0, "{all}");
        }
        "trace" => {
            assert!(
                (phases[0]["laps"].as_f64().unwrap() - 1.0).abs() < 1e-9,
                "{all}"
            );
        }
        _ => panic!("{name} is shown by no test"),
    }
}

#[tokio::test]
async fn every_workload_shows_what_it_promises() {
    let redis = Redis::start().await.unwrap();
    for (name, _) in PRESETS {
        let lines = order_lines();
        // Those that end with their keys, or have a course, get the time for it.
        let duration = match *name {
            "postcode" | "catalog-crawl" | "trace" => "1m",
            "redis-outage" | "cold-start" => "2s",
            // Ten statements a second in a third of it.
            "import" => "3s",
            _ => "600ms",
        };
        let mut arguments = vec![*name, "--duration", duration, "--warm-up", "0s", "--json"];
        match *name {
            "trace" => arguments.extend(["--trace", &lines]),
            // The warm phase ends by its time.
            "postcode" => arguments.extend(["--operations", "5000"]),
            _ => {}
        }
        let ended = bench_with(&redis, &arguments).await;
        let report = report(&ended);
        is_shown(name, phases(&report, 0));
    }
}

#[tokio::test]
async fn a_restart_without_redis_is_left_out() {
    let arguments = ["cold-start", "--duration", "1s", "--json"];
    let report = report(&bench(&Folder::new(), &arguments).await);
    assert_eq!(phases(&report, 0).len(), 1);
    let skipped = report["subjects"][0]["skipped"].to_string();
    assert!(skipped.contains("there is no Redis"), "{skipped}");
}

#[tokio::test]
async fn the_order_lines_of_the_demo_store_are_replayed_on_its_own_products() {
    let ended = bench(
        &Folder::new(),
        &["trace", "--trace", &order_lines(), "--json"],
    )
    .await;
    let report = report(&ended);
    let trace = &report["trace"];
    assert_eq!(trace["name"], "order_lines.csv");
    assert_eq!(trace["by_sku"], true);
    let of = |name: &str| trace[name].as_u64().unwrap();
    // The store was made of them: nearly all of them are on sale.
    assert!(
        of("replayed_requests") * 100 > of("requests") * 95,
        "{trace}"
    );
    let phase = &phases(&report, 0)[0];
    assert_eq!(operations(phase), of("replayed_requests"));
    // It began empty: what was asked for was loaded once, and the rest are hits.
    assert_eq!(
        counter(phase, "loaded_keys"),
        of("replayed_keys"),
        "{phase}"
    );
}

#[tokio::test]
async fn redis_alone_does_the_same_work_as_cache_aside() {
    let redis = Redis::start().await.unwrap();
    let quick = [
        "--duration",
        "1s",
        "--warm-up",
        "0s",
        "--json",
        "--against",
        "redis",
    ];
    let run = async |name: &str| {
        let ended = bench_with(&redis, &[&[name], &quick[..]].concat()).await;
        report(&ended)
    };
    let written = run("product-write").await;
    let plain = &phases(&written, 1)[0];
    // A write removes the value, and the next look-up loads it.
    assert!(count(plain, "write", "database", "current") > 0, "{plain}");
    assert!(count(plain, "read", "database", "current") > 0, "{plain}");
    assert!(count(plain, "read", "redis", "current") > 0, "{plain}");
    let staleness = &plain["staleness"];
    assert!(staleness["judged"].as_u64().unwrap() > 0, "{staleness}");

    let crawl = run("catalog-crawl").await;
    let (own, plain) = (phases(&crawl, 0), phases(&crawl, 1));
    for phases in [own, plain] {
        assert_eq!(phases[0]["hit_ratio"], 0.0, "{crawl}");
        assert!(phases[1]["hit_ratio"].as_f64().unwrap() > 0.0, "{crawl}");
    }
    let import = run("import").await;
    let plain = &phases(&import, 1)[1];
    assert_eq!(plain["errors"], 0, "{plain}");
    assert!(of_kind(plain, "import") > 0, "{plain}");
    let tiers = run("tiers").await;
    let skipped = tiers["subjects"][1]["skipped"].to_string();
    assert!(skipped.contains("--against database"), "{skipped}");
}
