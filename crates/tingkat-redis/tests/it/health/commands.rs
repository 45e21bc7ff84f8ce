//! What others do to a server: commands that are slow, wrong, forbidden, or empty it.

use tingkat_health::check::Status;

use super::{Ward, evicting, judged_by, populate};
use crate::stage::PREFIX;

troubles! {
    commands_that_are_slow raises ["command_time"];
    somebody_looks_for_keys raises ["keys_command"];
    a_stranger_empties_the_server raises ["flushed"];
    commands_that_fail raises ["error_replies"];
    somebody_is_denied raises ["denied"];
    foreign_keys_in_the_database raises ["keys_of_others"];
    keys_in_another_database_of_the_server raises ["databases"];
    a_thread_that_is_busy raises ["cpu"];
    keys_that_end_together raises ["expired_stale"];
    moments_that_the_server_itself_found_too_long raises ["latency_events"];
}

async fn commands_that_are_slow() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    for _ in 0..12 {
        let spin = "local n = 0 for i = 1, 2000000 do n = n + i end return n";
        server.cmd(&["EVAL", spin, "0"]).await.unwrap();
    }
    ward.look_after(60).await;
    assert_eq!(ward.bad(), ["command_time"]);
    assert_eq!(ward.status("command_time"), Status::Critical);
    assert!(ward.value("slow_log") >= Some(1.0));
    let told = ward.report.recommendations.join(" ");
    assert!(told.contains("EVAL takes"), "{told}");
    ward.heals().await;
    ward
}

async fn somebody_looks_for_keys() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    server.cmd(&["KEYS", "*"]).await.unwrap();
    assert_eq!(ward.look().await, ["keys_command"]);
    ward.heals().await;
    ward
}

async fn a_stranger_empties_the_server() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    server.cmd(&["FLUSHALL"]).await.unwrap();
    assert_eq!(ward.look().await, ["flushed"]);
    assert_eq!(ward.status("flushed"), Status::Critical);
    ward.heals().await;
    ward
}

async fn commands_that_fail() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    for _ in 0..40 {
        assert!(server.cmd(&["SET", "alone"]).await.is_err());
    }
    assert_eq!(ward.look().await, ["error_replies"]);
    ward.heals().await;
    ward
}

async fn somebody_is_denied() -> Ward {
    let (server, mut ward) = Ward::at(evicting().user("guest", "on >guest -@all")).await;
    assert!(
        server
            .cmd_as("guest", "guest", &["GET", "x"])
            .await
            .is_err()
    );
    assert_eq!(ward.look().await, ["denied"]);
    ward.heals().await;
    ward
}

async fn foreign_keys_in_the_database() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    let ours = format!("{PREFIX}k");
    populate(&server, &ours, 50, 10).await;
    assert_eq!(ward.look().await, [""; 0]);
    populate(&server, "basket", 5_000, 10).await;
    ward.becomes(&["keys_of_others"]).await;
    let remove = "for i = 0, 4999 do redis.call('UNLINK', 'basket:' .. i) end";
    server.cmd(&["EVAL", remove, "0"]).await.unwrap();
    ward.heals().await;
    ward
}

async fn keys_in_another_database_of_the_server() -> Ward {
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
    ward
}

async fn a_thread_that_is_busy() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    // As if the core were slow: half a second of ten is nothing.
    judged_by(&mut ward, "cpu", 1.0, 50.0);
    assert_eq!(ward.look().await, [""; 0]);
    for _ in 0..6 {
        let spin = "local n = 0 for i = 1, 20000000 do n = n + i end return n";
        server.cmd(&["EVAL", spin, "0"]).await.unwrap();
    }
    assert_eq!(ward.look().await, ["cpu"]);
    let told = ward.report.recommendations.join(" ");
    assert!(told.contains("% of that with EVAL"), "{told}");
    ward.heals().await;
    ward
}

async fn keys_that_end_together() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    let put = "for i = ARGV[1], ARGV[2] do redis.call('SET', 'shop:' .. i, '', 'PX', 1500) end";
    for from in (0..400_000).step_by(50_000) {
        let (from, last) = (from.to_string(), (from + 49_999).to_string());
        server.cmd(&["EVAL", put, "0", &from, &last]).await.unwrap();
    }
    // Removing them takes the server a few turns, and so does forgetting that.
    ward.becomes(&["expired_stale"]).await;
    ward.becomes(&[]).await;
    ward.heals().await;
    ward
}

async fn moments_that_the_server_itself_found_too_long() -> Ward {
    let (server, mut ward) = Ward::at(evicting().set("latency-monitor-threshold", 20)).await;
    let spin = "local n = 0 for i = 1, 20000000 do n = n + i end return n";
    server.cmd(&["EVAL", spin, "0"]).await.unwrap();
    ward.becomes(&["latency_events"]).await;
    ward.heals().await;
    ward
}
