//! What is asked past the service: keys and bytes as they are, on one server and on many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tingkat::clock::SystemClock;
use tingkat_redis::{Config, Probe};
use tingkat_testkit::Redis;
use tingkat_testkit::redis::Cluster;

use crate::server::keys;
use crate::stage::SOON;

const LIFE: Duration = Duration::from_mins(1);

async fn probe(url: &str) -> Probe {
    let config = Config::new(url.parse().unwrap(), "shop:");
    let probe = Probe::start(config, Arc::new(SystemClock));
    probe.is_there(SOON).await.unwrap();
    probe
}

/// Writes keys, finds them and no others, and removes them.
async fn finds(probe: &Probe) {
    let names: BTreeSet<String> = (0..50).map(|n| format!("shop:[a]*{n}")).collect();
    for name in &names {
        probe
            .put(name, Bytes::from_static(b"1"), LIFE)
            .await
            .unwrap();
    }
    probe
        .put("shop:a", Bytes::from_static(b"1"), LIFE)
        .await
        .unwrap();
    let found = probe.keys("shop:[a]*", 1_000).await.unwrap();
    assert_eq!(BTreeSet::from_iter(found.clone()), names);
    assert_eq!(probe.keys("shop:", 7).await.unwrap().len(), 7);
    probe.remove(&found).await.unwrap();
    assert_eq!(probe.keys("shop:", 1_000).await.unwrap(), ["shop:a"]);
    probe.set("shop:a", b"2").await.unwrap();
    assert_eq!(probe.get("shop:a").await.unwrap().unwrap(), "2");
    assert_eq!(probe.get("shop:b").await.unwrap(), None);
    assert_eq!(probe.lease("shop:lease").await.unwrap(), None);
    assert_eq!(probe.get("shop:lease").await.unwrap(), None);
}

/// Would match other keys if it were a pattern.
const ODD: &str = "it:[a]*?:";

/// So many that no server tells them all in one answer.
#[tokio::test]
async fn the_keys_of_a_prefix_are_found_and_no_others() {
    let server = Redis::start().await.unwrap();
    let probe = probe(&server.url()).await;
    let put = async |key: String| {
        probe
            .put(&key, Bytes::from_static(b"x"), LIFE)
            .await
            .unwrap();
    };
    for number in 0..2_500 {
        put(format!("{ODD}{number}")).await;
    }
    for number in 0..3 {
        put(format!("it:a__:{number}")).await;
    }
    let found = probe.keys(ODD, 10_000).await.unwrap();
    assert_eq!(found.len(), 2_500);
    assert!(found.iter().all(|key| key.starts_with(ODD)));
    assert_eq!(probe.keys(ODD, 10).await.unwrap().len(), 10);
    probe.remove(&found).await.unwrap();
    assert_eq!(probe.keys(ODD, 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(keys(&server, "*").await.len(), 3);
    let release = probe.servers().await.unwrap()[0].release().unwrap();
    assert!(
        release.starts_with("redis ") || release.starts_with("valkey "),
        "{release}"
    );
    probe.ping().await.unwrap();
    probe.close().await;
}

#[tokio::test]
async fn keys_are_found_on_one_server() {
    let server = Redis::config().max_memory(64 << 20, "allkeys-lfu");
    let server = server.start().await.unwrap();
    let probe = probe(&server.url()).await;
    finds(&probe).await;
    let life = server.cmd(&["PTTL", "shop:a"]).await.unwrap();
    assert!(life.int().unwrap() > 0, "{life:?}");
    let (host, port) = probe.one_server().unwrap();
    assert_eq!((host.as_str(), port), ("127.0.0.1", server.port()));
    let told = probe.servers().await.unwrap();
    assert_eq!(told[0].maxmemory_policy, "allkeys-lfu");
    assert_eq!(told[0].maxmemory, Some(64 << 20));
    assert!(told[0].version.contains('.'), "{told:?}");
    assert_eq!(probe.serves_strangers().await, Ok(None));
    assert_eq!(probe.serves_plain().await, Ok(None));
}

#[tokio::test]
async fn keys_are_found_on_every_node_of_a_cluster() {
    let cluster = Cluster::start().await.unwrap();
    let probe = probe(&cluster.urls()[0]).await;
    finds(&probe).await;
    for number in 0..300 {
        let key = format!("{ODD}{number}");
        probe
            .put(&key, Bytes::from_static(b"x"), LIFE)
            .await
            .unwrap();
    }
    assert_eq!(probe.keys(ODD, 10_000).await.unwrap().len(), 300);
    assert_eq!(probe.one_server(), None);
    assert!(probe.servers().await.unwrap().len() > 1);
}

#[tokio::test]
async fn what_the_user_may_not_do_is_told_apart_from_a_server_that_is_away() {
    let rights = "on >pass ~shop:* &shop:hint -@all +ping +get +mget +set +getrange +pttl +pexpire +unlink +eval +evalsha +publish";
    let server = Redis::config().user("shop", rights).start().await.unwrap();
    let probe = probe(&format!("redis://shop:pass@{}/", server.addr())).await;
    let refused = probe.keys("shop:", 10).await.unwrap_err();
    assert!(refused.is_refused(), "{refused}");
    assert!(probe.servers().await.unwrap_err().is_refused());
    server.kill();
    let away = probe.keys("shop:", 10).await.unwrap_err();
    assert!(!away.is_refused(), "{away}");
}

#[tokio::test]
async fn whether_a_login_is_asked_for_is_found_out_without_one() {
    let server = Redis::config().password("secret").start().await.unwrap();
    let probe = probe(&server.url()).await;
    assert_eq!(probe.serves_strangers().await, Ok(Some(false)));
    server
        .cmd(&["ACL", "SETUSER", "default", "nopass"])
        .await
        .unwrap();
    assert_eq!(probe.serves_strangers().await, Ok(Some(true)));
}
