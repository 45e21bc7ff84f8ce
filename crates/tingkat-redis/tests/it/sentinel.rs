//! Sentinel: the tier follows the master, whoever that is.

use tingkat::ports::Remote;
use tingkat_redis::{Address, Config, Mode, Sentinels, State, Tls, TlsFiles};
use tingkat_testkit::redis::Sentinel;
use tingkat_testkit::{Certificates, Redis};

use crate::rush::{Rush, hurried};
use crate::stage::{is_up, kind, patient, set, start, why_down_as};

/// The hosts of Sentinels, as configuration names them.
fn hosts(set: &Sentinel) -> String {
    let addrs: Vec<String> = set.sentinels.iter().map(Redis::addr).collect();
    addrs.join(",")
}

fn watched(set: &Sentinel) -> Sentinels {
    Sentinels {
        address: Some(Address::of_hosts(&hosts(set), 26_379).unwrap()),
        master: Some(Sentinel::SERVICE.to_owned()),
    }
}

/// A tier that asks Sentinels; its own address has but the login for the nodes.
fn config(set: &Sentinel) -> Config {
    Config {
        mode: Mode::Sentinel,
        sentinels: watched(set),
        ..hurried("redis://nowhere")
    }
}

#[tokio::test]
async fn a_failover_on_demand_is_followed_and_no_read_fails() {
    let set = Sentinel::start().await.unwrap();
    let old = set.master().await.unwrap();
    let rush = Rush::start(|| config(&set)).await;
    let command = ["SENTINEL", "FAILOVER", Sentinel::SERVICE];
    set.sentinels[0].cmd(&command).await.unwrap();
    set.failed_over_from(old).await.unwrap();
    rush.recovers("SENTINEL FAILOVER").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn a_killed_master_is_replaced_and_no_read_fails() {
    let set = Sentinel::start().await.unwrap();
    let old = set.master().await.unwrap();
    let rush = Rush::start(|| config(&set)).await;
    old.kill();
    let new = set.failed_over_from(old).await.unwrap();
    rush.recovers("a master was SIGKILLed and replaced").await;
    // It comes back as a replica, which nobody writes to.
    old.restart().await.unwrap();
    rush.goes_on(500).await;
    assert_eq!(set.master().await.unwrap().port(), new.port());
    rush.recovers("the old master came back").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn a_master_that_hangs_is_left_and_no_read_fails() {
    let set = Sentinel::start().await.unwrap();
    let old = set.master().await.unwrap();
    let rush = Rush::start(|| config(&set)).await;
    old.stop().unwrap();
    set.failed_over_from(old).await.unwrap();
    rush.recovers("a master was SIGSTOPped and replaced").await;
    old.cont().unwrap();
    rush.goes_on(500).await;
    rush.recovers("the old master went on").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn a_lost_sentinel_is_named_and_the_others_are_enough() {
    let set = Sentinel::start().await.unwrap();
    let old = set.master().await.unwrap();
    let rush = Rush::start(|| config(&set)).await;
    set.sentinels[0].kill();
    let mut state = rush.remotes[0].state();
    let named = state.wait_for(
        |state| matches!(state, State::Limited(why) if why.contains(&set.sentinels[0].addr())),
    );
    tokio::time::timeout(crate::stage::SOON, named)
        .await
        .unwrap()
        .unwrap();
    rush.recovers("a Sentinel was lost").await;
    old.kill();
    set.failed_over_from(old).await.unwrap();
    rush.recovers("a master was lost after a Sentinel").await;
    rush.ends_well().await;
}

#[tokio::test]
async fn the_master_need_not_be_named_where_there_is_but_one() {
    let set = Sentinel::config().replicas(1).start().await.unwrap();
    let sentinels = Sentinels::default();
    let url = format!("redis://{}", hosts(&set));
    let redis = start(Config {
        mode: Mode::Sentinel,
        sentinels,
        ..patient(&url)
    });
    is_up(&redis).await;
    set_and_read(&redis, &set).await;
}

/// What the tier writes is on the master.
async fn set_and_read(redis: &tingkat_redis::Redis, sentinel: &Sentinel) {
    set(redis, "k", "cell").await;
    let master = sentinel.master().await.unwrap();
    assert_eq!(master.cmd(&["GET", "k"]).await.unwrap(), "cell");
    assert_eq!(redis.get("k").await.unwrap().unwrap(), "cell");
}

#[tokio::test]
async fn a_wrong_name_of_the_master_is_named() {
    let set = Sentinel::config().replicas(1).start().await.unwrap();
    let sentinels = Sentinels {
        master: Some("mian".to_owned()),
        ..watched(&set)
    };
    let redis = start(Config {
        sentinels,
        ..patient("redis://nowhere")
    });
    why_down_as(&redis, "watches no master named \"mian\"").await;
}

#[tokio::test]
async fn sentinels_and_nodes_have_logins_and_tls_of_their_own() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = Certificates::generate().unwrap();
    let set = Sentinel::config()
        .node(Redis::config().password("for nodes").tls(&certificates))
        .replicas(1)
        .password("hunter2")
        .start()
        .await
        .unwrap();
    let files = TlsFiles {
        authority: Some(certificates.authority()),
        ..TlsFiles::default()
    };
    let tls = Tls::read(&files, |path| std::fs::read(path)).unwrap();
    let config = |password: &str| {
        let mut sentinels = watched(&set);
        let address = sentinels.address.take().unwrap();
        let address = address.encrypted(true).login(None, Some(&password.into()));
        sentinels.address = Some(address);
        Config {
            mode: Mode::Sentinel,
            sentinels,
            tls: tls.clone(),
            ..patient("rediss://:for%20nodes@nowhere")
        }
    };
    let redis = start(config("hunter2"));
    is_up(&redis).await;
    set_and_read(&redis, &set).await;

    let redis = start(config("guess"));
    let why = why_down_as(&redis, "WRONGPASS").await;
    assert!(why.contains("no Sentinel names a master"), "{why}");
    assert!(!why.contains("guess"), "{why}");
    assert_eq!(
        kind(redis.get("k").await),
        tingkat::error::RemoteErrorKind::Disconnected
    );
}

#[tokio::test]
async fn a_user_of_sentinels_needs_few_rights() {
    let set = Sentinel::config().replicas(1).start().await.unwrap();
    for sentinel in &set.sentinels {
        let rules = [
            "ACL",
            "SETUSER",
            "watcher",
            "on",
            ">pass",
            "resetchannels",
            "&+switch-master",
            "-@all",
            "+sentinel|get-master-addr-by-name",
            "+subscribe",
        ];
        sentinel.cmd(&rules).await.unwrap();
    }
    let mut sentinels = watched(&set);
    let address = sentinels.address.take().unwrap();
    sentinels.address = Some(address.login(Some("watcher"), Some(&"pass".into())));
    let redis = start(Config {
        sentinels,
        ..patient("redis://nowhere")
    });
    let mut state = redis.state();
    let up = state.wait_for(|state| *state == State::Up);
    tokio::time::timeout(crate::stage::SOON, up)
        .await
        .unwrap()
        .unwrap();
    set_and_read(&redis, &set).await;
}
