//! What others do to a server: commands that are slow, wrong, forbidden, or empty it.

use tingkat_health::check::Status;
use tingkat_testkit::Redis;

use super::{Ward, evicting, judged_by, populate, small};
use crate::stage::PREFIX;

#[tokio::test]
async fn commands_that_are_slow() {
    let (server, mut ward) = Ward::at(evicting()).await;
    for _ in 0..12 {
        let spin = "local n = 0 for i = 1, 2000000 do n = n + i end return n";
        server.cmd(&["EVAL", spin, "0"]).await.unwrap();
    }
    ward.look_after(60).await;
    assert_eq!(ward.bad(), ["command_time"]);
    assert_eq!(ward.status("command_time"), Status::Critical);
    let told = ward.report.recommendations.join(" ");
    assert!(told.contains("EVAL takes"), "{told}");
    ward.heals().await;
}

#[tokio::test]
async fn somebody_looks_for_keys() {
    let (server, mut ward) = Ward::at(evicting()).await;
    server.cmd(&["KEYS", "*"]).await.unwrap();
    assert_eq!(ward.look().await, ["keys_command"]);
    ward.heals().await;
}

#[tokio::test]
async fn a_stranger_empties_the_server() {
    let (server, mut ward) = Ward::at(evicting()).await;
    server.cmd(&["FLUSHALL"]).await.unwrap();
    assert_eq!(ward.look().await, ["flushed"]);
    assert_eq!(ward.status("flushed"), Status::Critical);
    ward.heals().await;
}

#[tokio::test]
async fn commands_that_fail() {
    let (server, mut ward) = Ward::at(evicting()).await;
    for _ in 0..40 {
        assert!(server.cmd(&["SET", "alone"]).await.is_err());
    }
    assert_eq!(ward.look().await, ["error_replies"]);
    ward.heals().await;
}

#[tokio::test]
async fn somebody_is_denied() {
    let (server, mut ward) = Ward::at(evicting().user("guest", "on >guest -@all")).await;
    assert!(
        server
            .cmd_as("guest", "guest", &["GET", "x"])
            .await
            .is_err()
    );
    assert_eq!(ward.look().await, ["denied"]);
    ward.heals().await;
}

#[tokio::test]
async fn foreign_keys_in_the_database() {
    let (server, mut ward) = Ward::at(evicting()).await;
    let ours = format!("{PREFIX}k");
    populate(&server, &ours, 50, 10).await;
    assert_eq!(ward.look().await, [""; 0]);
    populate(&server, "basket", 5_000, 10).await;
    ward.becomes(&["keys_of_others"]).await;
    let remove = "for i = 0, 4999 do redis.call('UNLINK', 'basket:' .. i) end";
    server.cmd(&["EVAL", remove, "0"]).await.unwrap();
    ward.heals().await;
}

#[tokio::test]
async fn keys_in_another_database_of_the_server() {
    let (server, mut ward) = Ward::at(evicting()).await;
    server
        .cmd(&["SET", "shop:a", "1", "EX", "600"])
        .await
        .unwrap();
    server
        .cmd(&["COPY", "shop:a", "shop:a", "DB", "1"])
        .await
        .unwrap();
    assert_eq!(ward.look().await, ["databases"]);
    let remove = "redis.call('SELECT', 1) return redis.call('DEL', 'shop:a')";
    server.cmd(&["EVAL", remove, "0"]).await.unwrap();
    assert_eq!(ward.look().await, [""; 0]);
}

#[tokio::test]
async fn a_snapshot_that_fails() {
    let (server, mut ward) = Ward::at(evicting()).await;
    // No file takes the place of a directory.
    std::fs::create_dir(server.dump_file()).unwrap();
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&["save_failed"]).await;
    std::fs::remove_dir(server.dump_file()).unwrap();
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&[]).await;
}

#[tokio::test]
async fn restarted_between_two_looks() {
    let (server, mut ward) = Ward::at(small(1 << 30, "allkeys-lru")).await;
    server.restart().await.unwrap();
    crate::stage::is_up(&ward.tier).await;
    ward.becomes(&["redis_restarts"]).await;
    ward.heals().await;
}

#[tokio::test]
async fn away_and_back() {
    let (server, mut ward) = Ward::at(evicting()).await;
    server.kill();
    ward.becomes(&["redis_reachable"]).await;
    for _ in 0..3 {
        ward.look().await;
    }
    assert_eq!(ward.status("redis_reachable"), Status::Critical);
    assert_eq!(ward.report.alerts[0].id, "redis_reachable");
    assert_eq!(ward.report.cache.score, Some(0.0));
    server.restart().await.unwrap();
    crate::stage::is_up(&ward.tier).await;
    ward.becomes(&["redis_restarts"]).await;
    ward.heals().await;
}

#[tokio::test]
async fn a_server_that_loads_its_data() {
    let config = Redis::config().slow_load(std::time::Duration::from_millis(2));
    let (server, mut ward) = Ward::at(config.set("maxmemory-policy", "allkeys-lru")).await;
    let prefix = format!("{PREFIX}k");
    populate(&server, &prefix, 2_000, 100).await;
    server.cmd(&["SAVE"]).await.unwrap();
    server.restart_loading().await.unwrap();
    // Until it is done nothing of it can be used, which other checks tell.
    let says = |bad: &[String], id: &str| bad.iter().any(|it| it == id);
    let is_loading = |bad: &[String]| says(bad, "redis_loading");
    ward.becomes_so(SOON, |bad| is_loading(bad) && says(bad, "redis_restarts"))
        .await;
    // By then so many looks may have passed that the restart has left its window.
    crate::stage::is_up(&ward.tier).await;
    ward.becomes_so(SOON, |bad| {
        !is_loading(bad) && !says(bad, "redis_reachable")
    })
    .await;
    ward.heals().await;
}

#[tokio::test]
async fn a_snapshot_for_which_the_server_stands_still() {
    let (server, mut ward) = Ward::at(evicting()).await;
    // As if the machine were slow: any fork takes some microseconds.
    judged_by(&mut ward, "fork_time", 0.0, 1_000.0);
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&["fork_time"]).await;
    ward.heals().await;
}
