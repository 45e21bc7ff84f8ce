//! SIGHUP: tokens are rotated and policies changed without a restart; what is wrong changes nothing.

use std::fs;

use rustix::process::Signal;
use tingkat_testkit::{Certificates, eventually};

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::wire::{TOKENS, patch};

/// The SHA-256 of `bar`, from another program.
const BAR: &str = "write:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

async fn node(folder: &Folder) -> Node {
    let tokens = folder.path().join("tokens");
    fs::write(&tokens, TOKENS).unwrap();
    let program = Program::serve(folder).with("TINGKAT__SERVER__TOKENS_FILE", &tokens);
    program.listening().await
}

async fn way(node: &Node) -> String {
    let answer = node.get("/v1/products/3").await;
    answer.header("cache-status").unwrap().to_owned()
}

async fn write(node: &Node) -> u16 {
    patch(node, "7", r#"{"stock":1}"#).await.status
}

#[tokio::test]
async fn a_token_is_taken_out_without_a_restart() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    assert_eq!(write(&node).await, 200);
    fs::write(folder.path().join("tokens"), format!("{BAR}\n")).unwrap();
    node.process.signal(Signal::HUP);
    eventually(PATIENCE, async || write(&node).await == 401)
        .await
        .unwrap();
    node.says("the configuration was read again: server.tokens")
        .await;

    fs::write(folder.path().join("tokens"), format!("{BAR},{TOKENS}")).unwrap();
    node.process.signal(Signal::HUP);
    eventually(PATIENCE, async || write(&node).await == 200)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_can_change_does_and_what_can_not_is_named() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    let file = folder.path().join("tingkat.toml");
    fs::write(
        &file,
        "[entity.product]\nmode = \"bypass\"\n[feed]\nstaleness_bound = \"9s\"\n",
    )
    .unwrap();
    way(&node).await;
    assert!(way(&node).await.contains("memory; hit"));
    node.process.signal(Signal::HUP);
    node.says("the configuration was read again: entity.product.mode")
        .await;
    node.says("these differ and need a restart: feed.staleness_bound")
        .await;
    eventually(PATIENCE, async || !way(&node).await.contains("memory; hit"))
        .await
        .unwrap();
    assert_eq!(node.readiness().await.1["feed"]["bound_ms"], 1_000);
}

#[tokio::test]
async fn a_policy_that_is_set_and_taken_out_again_is_the_default_again() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    let file = folder.path().join("tingkat.toml");
    way(&node).await;
    assert!(way(&node).await.contains("memory; hit"));
    fs::write(
        &file,
        "[entity.product]\nfresh_for = \"30ms\"\nmode = \"bypass\"",
    )
    .unwrap();
    node.process.signal(Signal::HUP);
    node.says("read again: entity.product.fresh_for, entity.product.mode")
        .await;
    eventually(PATIENCE, async || !way(&node).await.contains("memory; hit"))
        .await
        .unwrap();
    fs::remove_file(&file).unwrap();
    node.process.signal(Signal::HUP);
    eventually(PATIENCE, async || way(&node).await.contains("memory; hit"))
        .await
        .unwrap();
}

#[tokio::test]
async fn everything_that_differs_and_needs_a_restart_is_named_each_time() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    let file = folder.path().join("tingkat.toml");
    let waiting = "these differ and need a restart: server.listen, redis.key_prefix, \
                   redis.budget, source.max_connections, feed.poll_interval, \
                   privacy.more_fields, log.format, entity.postcode.memory_bytes\n";
    fs::write(
        &file,
        "server.listen = \"127.0.0.1:1\"\n[redis]\nbudget = \"40ms\"\nkey_prefix = \"x:\"\n\
         [source]\nmax_connections = 41\n[feed]\npoll_interval = \"90ms\"\n\
         [privacy]\nmore_fields = [\"diary\"]\n[log]\nformat = \"json\"\n\
         [entity.postcode]\nmemory_bytes = \"8MiB\"\n",
    )
    .unwrap();
    for times in 1..=2 {
        node.process.signal(Signal::HUP);
        eventually(PATIENCE, async || {
            node.process.log().matches(waiting).count() == times
        })
        .await
        .unwrap_or_else(|_| panic!("{}", node.process.log()));
    }
    assert!(node.process.log().contains("nothing to change"));
}

/// The statuses of so many look-ups in a row.
async fn statuses(node: &Node, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(node.get("/v1/states").await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn rate_limits_change_under_way() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    assert_eq!(statuses(&node, 20).await, [200; 20]);
    let file = folder.path().join("tingkat.toml");
    // One a second: too few for what is asked at once, however slow the machine is.
    fs::write(
        &file,
        "[server.rate_limit]\nlook_ups = 1\nlook_up_burst = 2\n",
    )
    .unwrap();
    node.process.signal(Signal::HUP);
    node.says("read again: server.rate_limit.look_ups, server.rate_limit.look_up_burst")
        .await;
    eventually(PATIENCE, async || statuses(&node, 20).await.contains(&429))
        .await
        .unwrap();
    assert_eq!(write(&node).await, 200, "writes are counted apart");
    assert_eq!(node.get("/livez").await.status, 200);

    fs::remove_file(&file).unwrap();
    node.process.signal(Signal::HUP);
    eventually(PATIENCE, async || statuses(&node, 20).await == [200; 20])
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_access_log_has_changes_under_way() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    assert_eq!(statuses(&node, 1).await, [200]);
    assert!(!node.process.log().contains(" access "));
    let file = folder.path().join("tingkat.toml");
    fs::write(&file, "log.access = 1\nlog.level = \"error\"\n").unwrap();
    node.process.signal(Signal::HUP);
    eventually(PATIENCE, async || {
        statuses(&node, 1).await;
        node.process.log().contains("route=\"/v1/states\"")
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_wrong_configuration_changes_nothing_and_is_told() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    fs::write(folder.path().join("tokens"), BAR).unwrap();
    fs::write(folder.path().join("tingkat.toml"), "[redis]\nbudgt = 5\n").unwrap();
    node.process.signal(Signal::HUP);
    node.says("redis.budgt: there is no such key").await;
    node.says("the configuration is wrong and stays as it was")
        .await;
    assert_eq!(write(&node).await, 200);
}

#[tokio::test]
async fn the_level_of_the_log_changes_under_way() {
    let folder = Folder::new();
    let mut node = node(&folder).await;
    let file = folder.path().join("tingkat.toml");
    fs::write(
        &file,
        "log.level = \"error\"\nentity.product.mode = \"bypass\"",
    )
    .unwrap();
    way(&node).await;
    assert!(way(&node).await.contains("memory; hit"));
    node.process.signal(Signal::HUP);
    eventually(PATIENCE, async || !way(&node).await.contains("memory; hit"))
        .await
        .unwrap();
    assert!(!node.process.log().contains("read again"));
    fs::write(&file, "log.level = \"info\"").unwrap();
    node.process.signal(Signal::HUP);
    node.says("the configuration was read again: log.level, entity.product.mode")
        .await;
}

/// A certificate that was renewed under the same name is taken in by a restart alone, and somebody has to know.
#[tokio::test]
async fn what_stands_in_a_named_file_and_needs_a_restart_is_named() {
    let folder = Folder::new();
    let ca = folder.path().join("ca.pem");
    let renewed = || {
        let certificates = Certificates::generate().unwrap();
        fs::copy(certificates.authority(), &ca).unwrap();
    };
    renewed();
    let program = Program::serve(&folder)
        .with("REDIS_URL", "rediss://localhost:1")
        .with("TINGKAT__REDIS__TLS__CA", &ca);
    let mut node = program.listening().await;
    node.process.signal(Signal::HUP);
    node.says("the configuration was read again: nothing to change")
        .await;
    assert!(!node.process.log().contains("need a restart"));
    renewed();
    node.process.signal(Signal::HUP);
    node.says("these differ and need a restart: redis.tls.ca\n")
        .await;
}
