//! Servers that start anew, load their data, or save it.

use std::time::Duration;

use tingkat_faults::{Direction, Proxy};
use tingkat_health::check::Status;
use tingkat_testkit::Redis;

use super::{Ward, evicting, judged_by, populate, small};
use crate::stage::{PREFIX, SOON, connected};

troubles! {
    a_snapshot_that_fails raises ["save_failed"];
    restarted_between_two_looks raises ["redis_restarts"] beside ["redis_reachable"];
    away_and_back raises ["redis_reachable", "redis_restarts"];
    a_server_that_loads_its_data raises ["redis_loading", "redis_restarts"] beside ["redis_reachable"];
    a_snapshot_for_which_the_server_stands_still raises ["fork_time"];
    a_snapshot_that_takes_long raises ["save_running"];
    an_answer_that_comes_late raises ["round_trip_p99"];
}

async fn a_snapshot_that_fails() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    // No file takes the place of a directory.
    std::fs::create_dir(server.dump_file()).unwrap();
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&["save_failed"]).await;
    std::fs::remove_dir(server.dump_file()).unwrap();
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&[]).await;
    ward
}

async fn restarted_between_two_looks() -> Ward {
    let (server, mut ward) = Ward::at(small(1 << 30, "allkeys-lru")).await;
    server.restart().await.unwrap();
    crate::stage::is_up(&ward.tier).await;
    ward.becomes(&["redis_restarts"]).await;
    ward.heals().await;
    ward
}

async fn away_and_back() -> Ward {
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
    ward
}

async fn a_server_that_loads_its_data() -> Ward {
    let config = Redis::config().slow_load(Duration::from_millis(2));
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
    ward
}

async fn a_snapshot_for_which_the_server_stands_still() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    // As if the machine were slow: any fork takes some microseconds.
    judged_by(&mut ward, "fork_time", 0.0, 1_000.0);
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&["fork_time"]).await;
    ward.heals().await;
    ward
}

async fn a_snapshot_that_takes_long() -> Ward {
    let slow = evicting().set("rdb-key-save-delay", 100_000);
    let (server, mut ward) = Ward::at(slow).await;
    let prefix = format!("{PREFIX}k");
    populate(&server, &prefix, 40, 10).await;
    // As if a second were ten minutes.
    judged_by(&mut ward, "save_running", 0.0, 1_200.0);
    server.cmd(&["BGSAVE"]).await.unwrap();
    ward.becomes(&["save_running"]).await;
    ward.becomes(&[]).await;
    ward
}

async fn an_answer_that_comes_late() -> Ward {
    let server = evicting().start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let control = proxy.control();
    let url = format!("redis://{}/", control.addr());
    let mut ward = Ward::of(connected(&url).await).await;
    ward.is_timed = true;
    ward.becomes(&[]).await;
    let late = Duration::from_millis(50);
    control.delay(Direction::Down, late, Duration::ZERO);
    ward.becomes(&["round_trip_p99"]).await;
    assert_eq!(ward.status("round_trip_p99"), Status::Critical);
    control.delay(Direction::Down, Duration::ZERO, Duration::ZERO);
    ward.becomes(&[]).await;
    ward
}
