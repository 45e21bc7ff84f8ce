//! A user with the least rights is enough, and each that is missing is named with the line that
//! grants it.

use tingkat::ports::{Acquired, Remote};
use tingkat_redis::{Config, Redis as Tier, State};
use tingkat_testkit::Redis;
use tingkat_testkit::redis::Cluster;

use crate::stage::{LONG, PREFIX, SOON, cell, is_up, lease, patient, start, value, why_down_as};

/// What `docs/redis.md` says.
const LEAST: &str = "resetkeys ~shop:* resetchannels &shop:hint -@all +ping +get +mget +set +getrange +pttl +pexpire +unlink +eval +evalsha +publish +subscribe";
const IN_A_CLUSTER: &str = "+cluster|slots +cluster|info +asking";

/// A server with a user who has these rights, and a tier that is this user.
async fn tier_with(rights: &str) -> (Redis, Tier) {
    let config = Redis::config().user("shop", &format!("on >pass {rights}"));
    let server = config.start().await.unwrap();
    let tier = start(patient(&url(&server)));
    (server, tier)
}

fn url(server: &Redis) -> String {
    format!("redis://shop:pass@{}/", server.addr())
}

async fn is_state(tier: &Tier, is_right: impl Fn(&State) -> bool) -> State {
    let mut state = tier.state();
    let right = tokio::time::timeout(SOON, state.wait_for(is_right)).await;
    assert!(right.is_ok(), "still {:?}", *tier.state().borrow());
    right.unwrap().unwrap().clone()
}

/// What is wrong, while the rest can be used.
async fn limit(tier: &Tier) -> String {
    let state = is_state(tier, |state| matches!(state, State::Limited(_))).await;
    state.trouble().unwrap().to_owned()
}

/// Everything that a tier does, done.
async fn can_do_everything(tier: &Tier) {
    let key = format!("{PREFIX}c:1");
    let lease_cell = cell(lease(1), b"");
    let taken = tier.acquire(&key, None, lease_cell, LONG).await.unwrap();
    assert_eq!(taken, Acquired::Granted);
    assert!(tier.renew(&key, &lease(1), LONG).await.unwrap());
    let filled = tier.fill(&key, &lease(1), cell(value(1), b"x"), LONG).await;
    assert!(filled.unwrap());
    assert_eq!(tier.get(&key).await.unwrap().unwrap(), cell(value(1), b"x"));
    let keys = [key.clone()];
    assert!(tier.get_many(&keys).await.unwrap()[0].is_some());
    tier.remove(&keys).await.unwrap();
    assert!(tier.set_if_absent(&key, "x".into(), LONG).await.unwrap());
    tier.set_many(vec![(key, "y".into(), LONG)]).await.unwrap();
    tier.ping().await.unwrap();
    let incarnation = tingkat::certificate::Incarnation::from_bytes([7; 16]);
    let hint = tingkat::ports::Hint { incarnation, n: 1 };
    tier.hint(hint).await.unwrap();
    let mut heard = tier.listen(|_| ());
    let up = heard.wait_for(|state| *state == State::Up);
    tokio::time::timeout(SOON, up).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_documented_rights_are_enough() {
    let (_server, tier) = tier_with(LEAST).await;
    is_state(&tier, |state| *state == State::Up).await;
    can_do_everything(&tier).await;
}

#[tokio::test]
async fn the_documented_rights_are_enough_in_a_cluster() {
    let rights = format!("on >pass {LEAST} {IN_A_CLUSTER}");
    let node = Redis::config().user("shop", &rights);
    let cluster = Cluster::config().node(node).start().await.unwrap();
    let tier = start(patient(&url(&cluster.nodes[0])));
    is_state(&tier, |state| *state == State::Up).await;
    can_do_everything(&tier).await;
}

#[tokio::test]
async fn each_missing_command_is_named_with_the_line_that_grants_it() {
    for name in [
        "mget", "set", "getrange", "pttl", "pexpire", "unlink", "eval", "evalsha", "publish",
    ] {
        let (server, tier) = tier_with(&format!("{LEAST} -{name}")).await;
        let why = limit(&tier).await;
        let line = format!(
            "{}: the user lacks the commands {}; this grants it: ACL SETUSER shop +{name}",
            server.addr(),
            name.to_uppercase()
        );
        assert_eq!(why, line);
    }
}

#[tokio::test]
async fn what_the_line_grants_is_noticed() {
    let (server, tier) = tier_with(&format!("{LEAST} -evalsha -eval -publish")).await;
    let why = limit(&tier).await;
    let (_, line) = why.split_once("this grants it: ").unwrap();
    assert_eq!(line, "ACL SETUSER shop +eval +evalsha +publish");
    let words: Vec<&str> = line.split(' ').collect();
    server.cmd(&words).await.unwrap();
    is_state(&tier, |state| *state == State::Up).await;
    can_do_everything(&tier).await;
}

#[tokio::test]
async fn keys_of_another_prefix_are_named_and_make_the_tier_useless() {
    let rights = LEAST.replace("~shop:*", "~other:*");
    let (server, tier) = tier_with(&rights).await;
    let grant = "lacks the keys shop:*; this grants it: ACL SETUSER shop ~shop:*";
    why_down_as(&tier, grant).await;
    let line = ["ACL", "SETUSER", "shop", "~shop:*"];
    server.cmd(&line).await.unwrap();
    is_up(&tier).await;
    can_do_everything(&tier).await;
}

#[tokio::test]
async fn a_channel_that_is_not_allowed_is_named() {
    let rights = LEAST.replace("&shop:hint", "&other:*");
    let (_server, tier) = tier_with(&rights).await;
    let why = limit(&tier).await;
    let line = "lacks the channel shop:hint; this grants it: ACL SETUSER shop &shop:hint";
    assert!(why.ends_with(line), "{why}");
}

#[tokio::test]
async fn all_that_is_missing_stands_in_one_line() {
    let rights = "resetkeys ~shop:* resetchannels -@all +get +publish";
    let (server, tier) = tier_with(rights).await;
    let why = limit(&tier).await;
    let line = "lacks the commands MGET, SET, GETRANGE, PTTL, PEXPIRE, UNLINK, EVAL, EVALSHA and the channel shop:hint; this grants it: ACL SETUSER shop +mget +set +getrange +pttl +pexpire +unlink +eval +evalsha &shop:hint";
    assert!(why.ends_with(line), "{why}");
    assert!(!why.contains("pass@") && !why.contains(">pass"), "{why}");
    // What can be done is done, and a server that may not be pinged has answered.
    assert!(tier.get("shop:c:1").await.unwrap().is_none());
    for key in ["shop:c:1", "shop:c:3"] {
        server.cmd(&["SET", key, key]).await.unwrap();
    }
    // The second time nothing is asked for that is known to be refused.
    for _ in 0..2 {
        let crowd = ["shop:c:1", "shop:c:2", "shop:c:3"].map(|key| tier.get(key));
        let found = futures::future::join_all(crowd).await;
        let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        let [first, second, third] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(first.as_ref().unwrap(), "shop:c:1");
        assert!(second.is_none());
        assert_eq!(third.as_ref().unwrap(), "shop:c:3");
    }
    tier.ping().await.unwrap();
}

#[tokio::test]
async fn slots_that_may_not_be_asked_for_are_named() {
    let node = Redis::config().user("shop", &format!("on >pass {LEAST}"));
    let cluster = Cluster::config().node(node).start().await.unwrap();
    let tier = start(patient(&url(&cluster.nodes[0])));
    why_down_as(&tier, "ACL SETUSER shop +cluster|slots +cluster|info").await;
}

#[tokio::test]
async fn what_a_cluster_needs_besides_is_named() {
    for (given, named) in [
        ("+cluster|slots +asking", "+cluster|slots +cluster|info"),
        ("+cluster|slots +cluster|info", "+asking"),
    ] {
        let node = Redis::config().user("shop", &format!("on >pass {LEAST} {given}"));
        let cluster = Cluster::config().node(node).start().await.unwrap();
        let tier = start(patient(&url(&cluster.nodes[0])));
        let grant = format!("this grants it: ACL SETUSER shop {named}");
        let named = |state: &State| match state {
            State::Limited(why) | State::Down(why) => why.contains(&grant),
            State::Connecting | State::Up => false,
        };
        is_state(&tier, named).await;
    }
}

#[tokio::test]
async fn services_with_prefixes_of_their_own_share_a_server_and_do_not_meet() {
    let other = LEAST.replace("shop:", "till:");
    let config = Redis::config()
        .user("shop", &format!("on >pass {LEAST}"))
        .user("till", &format!("on >pass {other}"));
    let server = config.start().await.unwrap();
    let shop = start(patient(&url(&server)));
    let till = start(Config {
        prefix: "till:".to_owned(),
        hint_channel: "till:hint".to_owned(),
        ..patient(&format!("redis://till:pass@{}/", server.addr()))
    });
    for tier in [&shop, &till] {
        is_state(tier, |state| *state == State::Up).await;
    }
    let cell = vec![("shop:c:1".to_owned(), "x".into(), LONG)];
    shop.set_many(cell).await.unwrap();
    till.get("shop:c:1").await.unwrap_err();
    assert!(till.get("till:c:1").await.unwrap().is_none());
}
