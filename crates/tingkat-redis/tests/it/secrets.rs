//! Who gets in, and that no text shows a password.

use tingkat_redis::{Config, Redis as Tier, State};
use tingkat_testkit::Redis;

use crate::stage::{connected, hasty, is_up, patient, start, why_down_as};
use tingkat::ports::Remote;

/// The password that no text may have in it.
const SECRET: &str = "hunter2";

/// Everything that a tier shows.
async fn shown(redis: &Tier, config: &Config) -> String {
    let state: State = redis.state().borrow().clone();
    let error = redis.get("k").await.err();
    format!(
        "{redis:?} {config:?} {state:?} {error:?} {}",
        config.address
    )
}

#[tokio::test]
async fn the_right_password_opens_and_is_not_shown() {
    let server = Redis::config().password(SECRET).start().await.unwrap();
    let redis = connected(&server.url()).await;
    redis.ping().await.unwrap();
    let config = patient(&server.url());
    assert!(config.address.has_credentials());
    let up = shown(&redis, &config).await;
    server.kill();
    why_down_as(&redis, "refused").await;
    let down = shown(&redis, &config).await;
    assert!(!(up + &down).contains(SECRET));
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let server = Redis::config().password("right").start().await.unwrap();
    for login in [":hunter2", "default:hunter2", "nobody:hunter2"] {
        let config = patient(&format!("redis://{login}@{}/", server.addr()));
        let redis = start(config.clone());
        why_down_as(&redis, "WRONGPASS").await;
        let shown = shown(&redis, &config).await;
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn a_missing_password_is_named() {
    let server = Redis::config().password(SECRET).start().await.unwrap();
    let config = patient(&format!("redis://{}/", server.addr()));
    let redis = start(config.clone());
    why_down_as(&redis, "NOAUTH").await;
    let shown = shown(&redis, &config).await;
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn a_password_where_none_is_wanted_is_not_shown() {
    let server = Redis::start().await.unwrap();
    let config = hasty(&format!("redis://:hunter2@{}/", server.addr()));
    // The default user of such a server takes any password.
    let redis = start(config.clone());
    is_up(&redis).await;
    let shown = shown(&redis, &config).await;
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn a_user_logs_in_by_name_and_a_password_with_signs_in_it() {
    let config = Redis::config().user("shop", "on >p@ss:w/rd% ~* &* +@all");
    let server = config.start().await.unwrap();
    let url = format!("redis://shop:p%40ss%3Aw%2Frd%25@{}/", server.addr());
    let redis = connected(&url).await;
    redis.ping().await.unwrap();
    assert_eq!(crate::server::clients(&server, "user").await, ["shop"]);
}
