//! The whole command where Redis and the database are as production has them, and where one of them says
//! nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tingkat_faults::{Direction, Proxy};
use tingkat_lab::verify::{CHECKS, Group};
use tingkat_testkit::redis::{Cluster, Sentinel};
use tingkat_testkit::{Certificates, Postgres, Redis};
use tokio::net::TcpListener;

use crate::command::{ended_so, read};
use crate::installation::{PREFIX, installed, redis, url_at};
use crate::program::{Ended, Folder, Program};

/// A sound installation takes a minute at most; this is for a machine that is busy.
const WHOLE: Duration = Duration::from_mins(2);

/// Of what was not made: nothing was warmed before.
const NOT_WARMED: usize = 1;

async fn verify(variables: &[(&str, String)]) -> (Ended, Value) {
    let program = Program::new(&Folder::new(), &["verify", "--json"]);
    let program = program.with("REDIS_KEY_PREFIX", PREFIX);
    let with = |program: Program, (name, value): &(&str, String)| program.with(name, value);
    let program = variables.iter().fold(program, with);
    let ended = program.start().ended_within(WHOLE).await;
    let report = read(&ended);
    (ended, report)
}

fn ids(status: &str, report: &Value) -> BTreeSet<String> {
    ended_so(report, status)
}

/// Both through TLS that is checked, with the proxy of the faults between.
#[tokio::test]
async fn encrypted_ways_are_judged_like_others_and_the_faults_behind_them() {
    let certificates = Certificates::generate().unwrap();
    let authority = certificates.authority().display().to_string();
    let redis = Redis::config()
        .password("hunter2")
        .tls(&certificates)
        .max_memory(256 << 20, "allkeys-lfu")
        .start()
        .await
        .unwrap();
    let server = Postgres::config().tls(&certificates).start().await.unwrap();
    server.create_database("shop").await.unwrap();
    let url = server.url("shop");
    let bare = url.split('?').next().unwrap();
    let url = format!("{bare}?sslmode=verify-full&sslrootcert={authority}");
    let installed = Program::new(&Folder::new(), &["schema", "install", "--demo"])
        .with("DATABASE_URL", &url)
        .run()
        .await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let (ended, report) = verify(&[
        ("DATABASE_URL", url),
        ("REDIS_URL", redis.url()),
        ("TINGKAT__REDIS__TLS__CA", authority),
    ])
    .await;
    assert_eq!(ended.code, Some(0), "{report:#}\n{}", ended.stderr);
    let passed = ids("passed", &report);
    assert_eq!(passed.len(), CHECKS.len() - NOT_WARMED, "{report:#}");
    assert!(passed.contains("redis_tls") && passed.contains("redis_black_hole"));
}

#[tokio::test]
async fn the_master_behind_sentinels_is_judged_and_its_faults() {
    let database = installed().await;
    let sentinel = Sentinel::config()
        .node(
            Redis::config()
                .password("for nodes")
                .max_memory(256 << 20, "allkeys-lfu"),
        )
        .replicas(1)
        .password("for sentinels")
        .start()
        .await
        .unwrap();
    let hosts: Vec<String> = sentinel.sentinels.iter().map(Redis::addr).collect();
    let (ended, report) = verify(&[
        ("DATABASE_URL", database.url()),
        ("REDIS_URL", "redis://:for%20nodes@nowhere".to_owned()),
        ("TINGKAT__REDIS__MODE", "sentinel".to_owned()),
        ("TINGKAT__REDIS__SENTINEL__HOSTS", hosts.join(",")),
        (
            "TINGKAT__REDIS__SENTINEL__MASTER",
            Sentinel::SERVICE.to_owned(),
        ),
        (
            "TINGKAT__REDIS__SENTINEL__PASSWORD",
            "for sentinels".to_owned(),
        ),
    ])
    .await;
    assert_eq!(ended.code, Some(0), "{report:#}\n{}", ended.stderr);
    for id in ["redis_used", "redis_refused", "redis_cut", "one_load"] {
        assert!(ids("passed", &report).contains(id), "{id}: {report:#}");
    }
}

/// No proxy can stand before a cluster; all else is judged, and what was not is told.
#[tokio::test]
async fn a_cluster_is_judged_but_for_its_faults() {
    let database = installed().await;
    let node = Redis::config()
        .password("hunter2")
        .max_memory(256 << 20, "allkeys-lfu");
    let cluster = Cluster::config().node(node).start().await.unwrap();
    let (ended, report) = verify(&[
        ("DATABASE_URL", database.url()),
        ("REDIS_URL", cluster.nodes[0].url()),
    ])
    .await;
    assert_eq!(ids("failed", &report), BTreeSet::new(), "{report:#}");
    assert_eq!(ended.code, Some(3), "{report:#}\n{}", ended.stderr);
    let skipped = ids("skipped", &report);
    for check in CHECKS.iter().filter(|it| it.group == Group::Failure) {
        assert!(skipped.contains(check.id), "{}: {report:#}", check.id);
    }
    let passed = ids("passed", &report);
    for id in ["redis_used", "fresh", "one_load", "removed"] {
        assert!(passed.contains(id), "{id}: {report:#}");
    }
}

/// It takes connections and says nothing, for the whole run.
#[tokio::test]
async fn a_redis_that_hangs_fails_what_needs_it_and_does_not_hang_the_rest() {
    let (database, redis) = tokio::join!(installed(), redis());
    let proxy = Proxy::start(redis.addr()).await.unwrap();
    proxy.pause(Direction::Both);
    let (ended, report) = verify(&[
        ("DATABASE_URL", database.url()),
        ("REDIS_URL", url_at(&redis, proxy.addr().port())),
    ])
    .await;
    assert_eq!(ended.code, Some(3), "{report:#}\n{}", ended.stderr);
    let needing = [
        "redis_connected",
        "redis_round_trip",
        "redis_scripts",
        "redis_used",
        "redis_foreign_bytes",
        "redis_policy",
        "redis_version",
        "redis_login",
        "warm_works",
        "redis_refused",
        "redis_reset",
        "redis_black_hole",
        "redis_slow",
        "redis_cut",
        // Whether keys were left can not be known.
        "removed",
    ];
    let mut failed = ids("failed", &report);
    // An alert comes after a while, which may be longer than the run takes to that check.
    failed.remove("health_alerts");
    assert_eq!(failed, needing.map(str::to_owned).into(), "{report:#}");
    // That health says so of it is true.
    for id in [
        "products_true",
        "fresh",
        "postcodes_true",
        "one_load",
        "health_redis",
    ] {
        assert!(ids("passed", &report).contains(id), "{id}: {report:#}");
    }
}

/// A node that takes connections and says nothing.
#[tokio::test]
async fn a_node_that_hangs_is_one_that_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ended = Program::new(&Folder::new(), &["verify", &url]).run().await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
}
