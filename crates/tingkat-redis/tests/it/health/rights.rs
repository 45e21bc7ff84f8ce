//! With few rights there is less to tell, and nothing is asked again that was refused.

use std::collections::BTreeSet;

use tingkat_health::check::Status;
use tingkat_testkit::Redis;

use super::{Ward, evicting};
use crate::stage::{SOON, patient, start};

troubles! {
    a_right_that_the_tier_lacks_is_named_and_granted raises ["redis_limited"] beside ["denied"];
    with_ping_and_info_alone_it_is_told_what_the_tier_lacks raises ["redis_reachable"] beside ["denied"];
}

/// All that the tier needs.
const TIER: &str = "~shop:* &shop:hint +get +mget +set +getrange +pttl +pexpire +unlink +eval +evalsha +publish +subscribe";

async fn server_with(rights: &str) -> (Redis, Ward) {
    let config = evicting().user("shop", &format!("on >pass resetkeys -@all +ping {rights}"));
    let server = config.start().await.unwrap();
    let tier = start(patient(&format!("redis://shop:pass@{}/", server.addr())));
    let mut state = tier.state();
    let told = state.wait_for(|state| *state != tingkat_redis::State::Connecting);
    tokio::time::timeout(SOON, told).await.unwrap().unwrap();
    (server, Ward::of(tier).await)
}

async fn denied(server: &Redis) -> u64 {
    let errors = server.info("errorstat_NOPERM").await;
    errors.map_or(0, |it| it.strip_prefix("count=").unwrap().parse().unwrap())
}

#[tokio::test]
async fn what_the_tier_needs_and_info_are_enough_to_look_and_nothing_forbidden_is_asked_twice() {
    let (server, mut ward) = server_with(&format!("+info {TIER}")).await;
    let before = denied(&server).await;
    assert!(before > 0);
    for _ in 0..5 {
        ward.look().await;
    }
    assert_eq!(denied(&server).await, before);
    // Nor do the looks raise anything by what was refused to them.
    assert_eq!(ward.seen, BTreeSet::new());
    assert_eq!(ward.value("denied"), Some(0.0));
    assert_eq!(ward.status("clients"), Status::Ok);
    assert_eq!(ward.status("keys_of_others"), Status::Unknown);
    assert!(ward.report.cache.coverage > 0.8, "{:?}", ward.report.cache);
}

#[tokio::test]
async fn a_service_that_takes_commands_away_is_looked_at_all_the_same() {
    let gone = ["CONFIG", "SLOWLOG", "LATENCY", "MEMORY", "RANDOMKEY"];
    let config = gone.iter().fold(evicting(), |config, command| {
        config.set("rename-command", format!("{command} \"\""))
    });
    let (server, mut ward) = Ward::at(config).await;
    let errors = async || server.info("total_error_replies").await.unwrap();
    let before = errors().await;
    for _ in 0..5 {
        assert_eq!(ward.look().await, [""; 0]);
    }
    assert_eq!(errors().await, before);
    assert_eq!(ward.status("memory_cannot_evict"), Status::Ok);
    for id in ["slow_log", "latency_events", "keys_of_others"] {
        assert_eq!(ward.status(id), Status::Unknown, "{id}");
    }
    assert!(ward.report.cache.coverage > 0.8, "{:?}", ward.report.cache);
}

#[tokio::test]
async fn without_info_little_is_known_and_that_is_told() {
    let (server, mut ward) = server_with(TIER).await;
    let before = denied(&server).await;
    for _ in 0..5 {
        ward.look().await;
    }
    assert_eq!(denied(&server).await, before);
    assert_eq!(ward.bad(), [""; 0]);
    assert_eq!(ward.status("redis_reachable"), Status::Ok);
    assert_eq!(ward.status("clients"), Status::Unknown);
    assert_eq!(ward.report.cache.grade, None);
}

async fn a_right_that_the_tier_lacks_is_named_and_granted() -> Ward {
    let (server, mut ward) = server_with(&format!("+info {}", TIER.replace("+unlink", ""))).await;
    ward.look_after(301).await;
    ward.becomes(&["redis_limited"]).await;
    let told = ward.report.recommendations.join(" ");
    assert!(
        told.contains("+unlink") && !told.contains("SETUSER shop"),
        "{told}"
    );
    server
        .cmd(&["ACL", "SETUSER", "shop", "+unlink"])
        .await
        .unwrap();
    ward.becomes_so(2 * SOON, <[String]>::is_empty).await;
    ward
}

async fn with_ping_and_info_alone_it_is_told_what_the_tier_lacks() -> Ward {
    let (server, mut ward) = server_with("+info").await;
    ward.includes("redis_reachable").await;
    let told = ward.report.recommendations.join(" ");
    assert!(
        told.contains("answers, but may not be used: ")
            && told.contains("ACL SETUSER USER +get +mget")
            && !told.contains("firewall"),
        "{told}"
    );
    assert_eq!(ward.status("clients"), Status::Ok);
    let grant = format!("ACL SETUSER shop {TIER}");
    let grant: Vec<&str> = grant.split(' ').collect();
    server.cmd(&grant).await.unwrap();
    ward.includes_not("redis_reachable").await;
    ward.heals().await;
    ward
}
