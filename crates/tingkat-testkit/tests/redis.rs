//! A single Redis server: what it keeps, who gets in, how it fails.

use std::time::Duration;

use tingkat_testkit::redis::{Replicated, Reply};
use tingkat_testkit::{Redis, eventually};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_killed_server_comes_back_on_its_port_with_its_data() {
    let redis = Redis::start().await.unwrap();
    let (port, pid) = (redis.port(), redis.pid());
    redis.cmd(&["SET", "a", "b"]).await.unwrap();

    redis.kill();
    assert_eq!(redis.pid(), None);
    redis.cmd(&["PING"]).await.unwrap_err();

    redis.restart().await.unwrap();
    assert_eq!(redis.cmd(&["GET", "a"]).await.unwrap(), "b");
    assert_eq!(redis.port(), port);
    assert_ne!(redis.pid(), pid);
}

#[tokio::test]
async fn a_server_shut_down_in_order_comes_back_with_its_data() {
    let redis = Redis::start().await.unwrap();
    redis.cmd(&["SET", "a", "b"]).await.unwrap();
    redis.shut_down().await.unwrap();
    redis.restart().await.unwrap();
    assert_eq!(redis.cmd(&["GET", "a"]).await.unwrap(), "b");
}

#[tokio::test]
async fn a_volatile_server_comes_back_empty() {
    let redis = Redis::config().volatile().start().await.unwrap();
    redis.cmd(&["SET", "a", "b"]).await.unwrap();
    redis.restart().await.unwrap();
    assert_eq!(redis.cmd(&["GET", "a"]).await.unwrap(), Reply::Nil);
}

#[tokio::test]
async fn a_stopped_server_answers_once_it_goes_on() {
    let redis = Redis::start().await.unwrap();
    redis.stop().unwrap();
    let asked = redis.cmd(&["PING"]);
    tokio::pin!(asked);
    let early = tokio::time::timeout(Duration::from_millis(60), &mut asked).await;
    assert!(early.is_err(), "a stopped server answered {early:?}");
    redis.cont().unwrap();
    assert_eq!(asked.await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_stopped_server_can_be_restarted() {
    let redis = Redis::start().await.unwrap();
    redis.stop().unwrap();
    redis.restart().await.unwrap();
    assert_eq!(redis.cmd(&["PING"]).await.unwrap(), "PONG");
}

#[tokio::test]
async fn every_kind_of_reply_is_understood() {
    let redis = Redis::start().await.unwrap();
    assert_eq!(
        redis.cmd(&["SET", "a", "1"]).await.unwrap(),
        Reply::Status("OK".to_owned())
    );
    assert_eq!(redis.cmd(&["INCR", "a"]).await.unwrap(), 2);
    assert_eq!(redis.cmd(&["GET", "absent"]).await.unwrap(), Reply::Nil);
    assert_eq!(
        redis.cmd(&["GET", "a"]).await.unwrap(),
        Reply::Bulk("2".into())
    );
    redis
        .cmd(&[&b"SET"[..], b"raw", b"\0\r\n\xff"])
        .await
        .unwrap();
    let raw = redis.cmd(&["GET", "raw"]).await.unwrap();
    assert_eq!(raw, Reply::Bulk((&b"\0\r\n\xff"[..]).into()));
    let script = "return {1, {'x'}, false, redis.error_reply('MY error')}";
    assert_eq!(
        redis.cmd(&["EVAL", script, "0"]).await.unwrap().items(),
        [
            Reply::Int(1),
            Reply::Array(vec![Reply::Bulk("x".into())]),
            Reply::Nil,
            Reply::Error("MY error".to_owned()),
        ]
    );
    let error = redis.cmd(&["INCR", "raw"]).await.unwrap_err();
    assert!(
        error.to_string().starts_with("ERR value is not an integer"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_password_is_asked_for_and_stands_in_the_url() {
    let redis = Redis::config()
        .password(r#"p w"\é:/@"#)
        .start()
        .await
        .unwrap();
    assert_eq!(redis.cmd(&["PING"]).await.unwrap(), "PONG");
    let wrong = redis
        .cmd_as("default", "guess", &["PING"])
        .await
        .unwrap_err();
    assert!(wrong.to_string().starts_with("WRONGPASS"), "{wrong:?}");
    let url = format!(
        "redis://:p%20w%22%5C%C3%A9%3A%2F%40@127.0.0.1:{}/",
        redis.port()
    );
    assert_eq!(redis.url(), url);
}

#[tokio::test]
async fn a_user_without_a_right_is_refused() {
    let redis = Redis::config()
        .user("reader", "on >secret ~app:* +get")
        .start()
        .await
        .unwrap();
    redis.cmd(&["SET", "app:a", "b"]).await.unwrap();
    let read = redis.cmd_as("reader", "secret", &["GET", "app:a"]).await;
    assert_eq!(read.unwrap(), "b");
    for refused in [&["SET", "app:a", "c"][..], &["GET", "other"]] {
        let error = redis.cmd_as("reader", "secret", refused).await.unwrap_err();
        assert!(error.to_string().starts_with("NOPERM"), "{error:?}");
    }
}

#[tokio::test]
async fn a_full_server_refuses_writes_or_evicts_as_told() {
    const ROOM: u64 = 3 << 20;
    let value = "x".repeat(100_000);
    let fill = async |redis: &Redis| {
        for number in 0..40 {
            redis
                .cmd(&["SET", &format!("key:{number}"), &value])
                .await?;
        }
        Ok::<_, tingkat_testkit::Error>(())
    };

    let refusing = Redis::config()
        .max_memory(ROOM, "noeviction")
        .start()
        .await
        .unwrap();
    let error = fill(&refusing).await.unwrap_err();
    assert!(error.to_string().starts_with("OOM"), "{error:?}");

    let evicting = Redis::config()
        .max_memory(ROOM, "allkeys-lru")
        .start()
        .await
        .unwrap();
    fill(&evicting).await.unwrap();
    assert_ne!(evicting.info("evicted_keys").await.unwrap(), "0");
}

#[tokio::test]
async fn a_server_starts_with_a_dump_and_keeps_what_comes_later() {
    let source = Redis::start().await.unwrap();
    source.cmd(&["SET", "from", "dump"]).await.unwrap();
    source.cmd(&["SAVE"]).await.unwrap();

    let redis = Redis::config()
        .dump(source.dump_file())
        .start()
        .await
        .unwrap();
    assert_eq!(redis.cmd(&["GET", "from"]).await.unwrap(), "dump");
    redis.cmd(&["SET", "later", "too"]).await.unwrap();
    redis.restart().await.unwrap();
    assert_eq!(redis.cmd(&["GET", "from"]).await.unwrap(), "dump");
    assert_eq!(redis.cmd(&["GET", "later"]).await.unwrap(), "too");
}

#[tokio::test]
async fn a_server_that_loads_says_so() {
    let redis = Redis::config()
        .slow_load(Duration::from_millis(5))
        .start()
        .await
        .unwrap();
    let fill = "for i = 1, 100 do redis.call('SET', 'key:' .. i, string.rep('x', 100)) end";
    redis.cmd(&["EVAL", fill, "0"]).await.unwrap();
    redis.cmd(&["SAVE"]).await.unwrap();

    redis.restart_loading().await.unwrap();
    let error = redis.cmd(&["GET", "key:1"]).await.unwrap_err();
    assert!(error.to_string().starts_with("LOADING"), "{error:?}");
    eventually(SOON, async || redis.cmd(&["GET", "key:1"]).await.is_ok())
        .await
        .unwrap();
}

#[tokio::test]
async fn replicas_follow_their_master_also_when_it_comes_back() {
    let set = Replicated::start_with(Redis::config().password("secret"), 2)
        .await
        .unwrap();
    let follows = async |key: &str| {
        set.master.cmd(&["SET", key, "x"]).await.unwrap();
        for replica in &set.replicas {
            eventually(SOON, async || {
                replica
                    .cmd(&["GET", key])
                    .await
                    .is_ok_and(|value| value == "x")
            })
            .await
            .unwrap();
        }
    };
    follows("first").await;
    let refused = set.replicas[0].cmd(&["SET", "a", "b"]).await.unwrap_err();
    assert!(refused.to_string().starts_with("READONLY"), "{refused:?}");

    set.master.restart().await.unwrap();
    follows("second").await;
}

#[tokio::test]
async fn a_server_names_the_port_of_its_proxy() {
    let master = Redis::start().await.unwrap();
    let early = Redis::config().replica_of(&master).announce_port(1111);
    let early = early.start().await.unwrap();
    let late = Redis::config().replica_of(&master).start().await.unwrap();
    late.announce(2222).await.unwrap();
    // A master hears of the port when the replica connects.
    late.cmd(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    let port = master.port().to_string();
    late.cmd(&["REPLICAOF", "127.0.0.1", &port]).await.unwrap();
    eventually(SOON, async || {
        let known = master
            .cmd(&["INFO", "replication"])
            .await
            .unwrap()
            .to_string();
        known.contains("port=1111,") && known.contains("port=2222,")
    })
    .await
    .unwrap();
    drop(early);
}

#[tokio::test]
async fn a_server_whose_port_is_taken_waits_and_is_not_mistaken_for_the_thief() {
    let redis = Redis::start().await.unwrap();
    redis.cmd(&["SET", "a", "b"]).await.unwrap();
    redis.kill();
    let thief = Redis::config().port(redis.port()).start().await.unwrap();

    let restarted = redis.restart();
    let freed = async {
        let seen = eventually(SOON, async || {
            redis.log().contains("Address already in use")
        });
        seen.await.unwrap();
        drop(thief);
    };
    let (restarted, ()) = tokio::join!(restarted, freed);
    restarted.unwrap();
    assert_eq!(redis.cmd(&["GET", "a"]).await.unwrap(), "b");
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let error = Redis::config()
        .set("maxmemory-policy", "guess")
        .start()
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains("redis-server ended with"), "{error}");
    assert!(error.contains("maxmemory-policy"), "{error}");
}

#[tokio::test]
async fn a_killed_server_takes_the_child_with_it_that_saves() {
    // A minute for each key: longer than we wait.
    let config = Redis::config().set("rdb-key-save-delay", 60_000_000);
    let redis = config.start().await.unwrap();
    let fill = "for i = 1, 9 do redis.call('SET', 'key:' .. i, 'x') end";
    redis.cmd(&["EVAL", fill, "0"]).await.unwrap();
    redis.cmd(&["BGSAVE"]).await.unwrap();
    let log = redis.log();
    let (_, child) = log
        .rsplit_once("Background saving started by pid ")
        .unwrap();
    let child = child.lines().next().unwrap();
    let is_alive = || {
        let found = std::process::Command::new("ps")
            .args(["-p", child])
            .output()
            .unwrap();
        found.status.success()
    };
    assert!(is_alive());
    redis.kill();
    eventually(SOON, async || !is_alive()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_after_a_drop() {
    let redis = Redis::start().await.unwrap();
    let (dir, pid) = (redis.dir().to_owned(), redis.pid().unwrap());
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    assert!(dir.exists() && (process.exists() || !cfg!(target_os = "linux")));
    drop(redis);
    assert!(!dir.exists() && !process.exists());
}
