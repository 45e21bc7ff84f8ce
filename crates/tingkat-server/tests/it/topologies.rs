//! Redis as production has it, set up by the environment alone: Sentinel, a cluster, TLS; and what
//! contradicts itself is told at the start.

use std::cell::Cell;
use std::fs;

use tingkat_testkit::redis::{Cluster, Sentinel};
use tingkat_testkit::{Certificates, Redis, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};

const FOUND_IN_REDIS: &str = "memory; fwd=uri-miss, redis; hit";

/// A node in a folder, with these variables.
async fn node(folder: &Folder, variables: &[(&str, String)]) -> Node {
    let program = Program::serve(folder).with("REDIS_KEY_PREFIX", "it:topologies:");
    let program = variables
        .iter()
        .fold(program, |program, (name, value)| program.with(name, value));
    let node = program.listening().await;
    node.sees("redis", "up").await;
    node
}

/// One node finds in Redis what another has loaded.
async fn is_shared(variables: &[(&str, String)]) {
    let folder = Folder::new();
    let (first, second) = (
        node(&folder, variables).await,
        node(&folder, variables).await,
    );
    let ids = Cell::new(0);
    eventually(PATIENCE, async || {
        ids.set(ids.get() + 1);
        let path = format!("/v1/products/{}", ids.get());
        first.get(&path).await;
        let answer = second.get(&path).await;
        answer.header("cache-status") == Some(FOUND_IN_REDIS)
    })
    .await
    .unwrap();
}

fn written(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_cluster_is_found_behind_the_url_in_a_file() {
    let node = Redis::config().password("hunter2");
    let cluster = Cluster::config().node(node).start().await.unwrap();
    let secrets = Folder::new();
    let url = written(&secrets, "url", &format!("{}\n", cluster.nodes[0].url()));
    is_shared(&[("REDIS_URL", String::new()), ("REDIS_URL_FILE", url)]).await;
}

#[tokio::test]
async fn sentinels_lead_to_the_master_with_tls_and_two_passwords() {
    let certificates = Certificates::generate().unwrap();
    let sentinel = Sentinel::config()
        .node(Redis::config().password("for nodes").tls(&certificates))
        .replicas(1)
        .password("for sentinels")
        .start()
        .await
        .unwrap();
    let secrets = Folder::new();
    let hosts: Vec<String> = sentinel.sentinels.iter().map(Redis::addr).collect();
    let authority = certificates.authority();
    is_shared(&[
        ("REDIS_URL", "rediss://:for%20nodes@nowhere".to_owned()),
        ("TINGKAT__REDIS__MODE", "sentinel".to_owned()),
        ("TINGKAT__REDIS__SENTINEL__HOSTS", hosts.join(",")),
        (
            "TINGKAT__REDIS__SENTINEL__MASTER",
            Sentinel::SERVICE.to_owned(),
        ),
        (
            "TINGKAT__REDIS__SENTINEL__PASSWORD_FILE",
            written(&secrets, "password", "for sentinels\n"),
        ),
        (
            "TINGKAT__REDIS__TLS__CA",
            authority.to_str().unwrap().to_owned(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_missing_right_is_in_the_log_with_the_line_and_in_readiness_without_the_user() {
    let config = Redis::config().user("shop", "on >hunter2 ~* &* +@all -evalsha");
    let redis = config.start().await.unwrap();
    let url = format!("redis://shop:hunter2@{}/", redis.addr());
    let program = Program::serve(&Folder::new()).with("REDIS_URL", url);
    let node = program.listening().await;
    node.sees("redis", "limited").await;
    node.says("ACL SETUSER shop +evalsha").await;
    let ready = node.readiness().await.1.to_string();
    assert!(ready.contains("ACL SETUSER USER +evalsha"), "{ready}");
    assert!(!(ready + &node.process.log()).contains("hunter2"));
}

#[tokio::test]
async fn what_contradicts_itself_is_told_at_the_start() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("TINGKAT__REDIS__MODE", "clustered")],
            "TINGKAT__REDIS__MODE: expected auto, standalone, sentinel or cluster; found \"clustered\"; did you mean cluster?",
        ),
        (
            &[
                ("TINGKAT__REDIS__MODE", "cluster"),
                ("REDIS_URL", "redis://cache/3"),
            ],
            "REDIS_URL: a cluster has no databases, and this names the number 3",
        ),
        (
            &[
                ("TINGKAT__REDIS__MODE", "cluster"),
                ("TINGKAT__REDIS__SENTINEL__MASTER", "main"),
            ],
            "TINGKAT__REDIS__SENTINEL__MASTER: has a meaning only with TINGKAT__REDIS__MODE=sentinel or auto",
        ),
        (
            &[("TINGKAT__REDIS__SENTINEL__PASSWORD", "hunter2")],
            "TINGKAT__REDIS__SENTINEL__PASSWORD: needs TINGKAT__REDIS__SENTINEL__HOSTS, so that the password goes nowhere else",
        ),
        (
            &[("TINGKAT__REDIS__SENTINEL__HOSTS", "one:x")],
            "TINGKAT__REDIS__SENTINEL__HOSTS: expected hosts such as one:26379,two:26379; found \"one:x\"",
        ),
        (
            &[("TINGKAT__REDIS__TLS__SERVER_NAME", "cache")],
            "TINGKAT__REDIS__TLS: has a meaning only with TLS",
        ),
        (
            &[("REDIS_URL_FILE", "/nowhere/url")],
            "REDIS_URL and REDIS_URL_FILE: only one of them may be set",
        ),
    ];
    for (variables, said) in cases {
        let program = Program::serve(&Folder::new()).with("REDIS_URL", "redis://:hunter2@cache");
        let program = variables
            .iter()
            .fold(program, |program, (name, value)| program.with(name, value));
        let ended = program.run().await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        let line = format!("tingkat: {said}\n");
        let help = ended.stderr.strip_prefix(&line);
        let is_helped = help.is_some_and(|it| it.is_empty() || it.starts_with("  help: "));
        assert!(is_helped, "{line}{ended:?}");
    }
}
