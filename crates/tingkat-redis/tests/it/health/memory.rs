//! Servers without room, and values without measure.

use tingkat_health::check::Status;

use super::{Ward, evicting, judged_by, populate, small, write};
use crate::stage::PREFIX;

troubles! {
    full_and_forbidden_to_evict raises ["memory_cannot_evict", "writes_refused"] beside ["memory_time_to_full"];
    evicting_hard raises ["evictions"];
    keys_without_an_end_under_a_policy_that_needs_one raises ["memory_cannot_evict", "memory_time_to_full", "keys_without_ttl"];
    memory_that_fills_up_where_nothing_may_go raises ["memory_time_to_full"];
    fragmented_after_a_mass_delete raises ["memory_left_over"];
    without_a_limit_on_a_machine_that_is_nearly_full raises ["memory_limit"];
    values_that_are_too_big raises ["big_values"] beside ["client_buffers"];
    more_scripts_than_anybody_writes raises ["cached_scripts"];
    more_written_than_can_be_evicted raises ["eviction_behind"] beside ["evictions"];
    values_of_another_size_in_the_place_of_others raises ["memory_fragmentation"];
}

async fn full_and_forbidden_to_evict() -> Ward {
    let (server, mut ward) = Ward::at(small(4 << 20, "noeviction")).await;
    let mut from = 0;
    while write(&ward.tier, from, 100, 1_000).await {
        from += 100;
    }
    ward.look_after(301).await;
    ward.look().await;
    ward.look_after(70).await;
    // The last bytes may be free or not.
    let but_the_last_bytes = |mut bad: Vec<String>| {
        bad.retain(|id| id != "memory_time_to_full");
        bad
    };
    let bad = but_the_last_bytes(ward.look().await);
    assert_eq!(bad, ["memory_cannot_evict"]);
    assert_eq!(ward.status("memory_cannot_evict"), Status::Critical);
    assert!(!write(&ward.tier, 0, 10, 1_000).await);
    let bad = but_the_last_bytes(ward.look().await);
    assert_eq!(bad, ["memory_cannot_evict", "writes_refused"]);
    assert!(ward.report.cache.score.unwrap() <= 69.0);
    server
        .cmd(&["CONFIG", "SET", "maxmemory", "1gb"])
        .await
        .unwrap();
    ward.heals().await;
    ward
}

async fn evicting_hard() -> Ward {
    let (server, mut ward) = Ward::at(small(4 << 20, "allkeys-lru")).await;
    for from in (0..20).map(|n| n * 1_000) {
        assert!(write(&ward.tier, from, 1_000, 1_000).await);
    }
    assert_eq!(ward.look().await, ["evictions"]);
    assert_eq!(ward.status("evictions"), Status::Critical);
    server
        .cmd(&["CONFIG", "SET", "maxmemory", "1gb"])
        .await
        .unwrap();
    ward.heals().await;
    ward
}

async fn keys_without_an_end_under_a_policy_that_needs_one() -> Ward {
    let (server, mut ward) = Ward::at(small(4 << 20, "volatile-lru")).await;
    let prefix = format!("{PREFIX}k");
    populate(&server, &prefix, 3_000, 1_000).await;
    assert_eq!(
        ward.look().await,
        [
            "memory_cannot_evict",
            "memory_time_to_full",
            "keys_without_ttl"
        ]
    );
    server
        .cmd(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .await
        .unwrap();
    server
        .cmd(&["CONFIG", "SET", "maxmemory", "1gb"])
        .await
        .unwrap();
    ward.heals().await;
    ward
}

async fn memory_that_fills_up_where_nothing_may_go() -> Ward {
    let (server, mut ward) = Ward::at(small(64 << 20, "noeviction")).await;
    for from in 0..14 {
        // A megabyte in ten seconds: sixty last for ten minutes.
        assert!(write(&ward.tier, from * 1_000, 1_000, 1_000).await);
        ward.look().await;
    }
    assert_eq!(ward.bad(), ["memory_time_to_full"]);
    assert_eq!(ward.status("memory_time_to_full"), Status::Critical);
    server
        .cmd(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .await
        .unwrap();
    assert_eq!(ward.look().await, [""; 0]);
    ward
}

async fn fragmented_after_a_mass_delete() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    let prefix = format!("{PREFIX}k");
    populate(&server, &prefix, 200_000, 1_000).await;
    assert_eq!(ward.look().await, [""; 0]);
    let delete = |which: &str| {
        format!(
            "for i = 0, 199999 do if i % 10 {which} 0 then redis.call('UNLINK', ARGV[1] .. i) end end"
        )
    };
    let keys = format!("{prefix}:");
    server
        .cmd(&["EVAL", &delete("~="), "0", &keys])
        .await
        .unwrap();
    ward.becomes(&["memory_left_over"]).await;
    assert!(ward.report.cache.score.unwrap() > 95.0);
    server
        .cmd(&["EVAL", &delete("=="), "0", &keys])
        .await
        .unwrap();
    server.cmd(&["MEMORY", "PURGE"]).await.unwrap();
    ward.becomes(&[]).await;
    ward
}

async fn without_a_limit_on_a_machine_that_is_nearly_full() -> Ward {
    let (server, mut ward) = Ward::at(small(0, "allkeys-lru")).await;
    let prefix = format!("{PREFIX}k");
    populate(&server, &prefix, 20_000, 1_000).await;
    // As if the machine were small: twenty megabytes are a part of any that tests run on.
    judged_by(&mut ward, "memory_limit", 0.001, 0.002);
    assert_eq!(ward.look().await, ["memory_limit"]);
    server
        .cmd(&["CONFIG", "SET", "maxmemory", "1gb"])
        .await
        .unwrap();
    assert_eq!(ward.look().await, [""; 0]);
    ward
}

async fn values_that_are_too_big() -> Ward {
    let (_server, mut ward) = Ward::at(evicting()).await;
    assert!(write(&ward.tier, 0, 10, 2 << 20).await);
    // For a moment the server has buffers of that size as well.
    ward.becomes(&["big_values"]).await;
    ward.heals().await;
    ward
}

async fn more_scripts_than_anybody_writes() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    for from in (0..501).step_by(20) {
        let load = (from..from + 20).map(|n| format!("return {n}"));
        for script in load {
            server.cmd(&["SCRIPT", "LOAD", &script]).await.unwrap();
        }
        // Each command of the test opens a connection.
        ward.look().await;
    }
    ward.becomes(&["cached_scripts"]).await;
    server.cmd(&["SCRIPT", "FLUSH", "SYNC"]).await.unwrap();
    ward.heals().await;
    ward
}

async fn more_written_than_can_be_evicted() -> Ward {
    let (server, mut ward) = Ward::at(evicting().set("maxmemory-eviction-tenacity", 0)).await;
    populate(&server, &format!("{PREFIX}k"), 400_000, 100).await;
    assert_eq!(ward.look().await, [""; 0]);
    let limit = async |bytes: &str| {
        let command = ["CONFIG", "SET", "maxmemory", bytes];
        server.cmd(&command).await.unwrap();
    };
    limit("4mb").await;
    ward.includes("eviction_behind").await;
    limit("1gb").await;
    ward.heals().await;
    ward
}

async fn values_of_another_size_in_the_place_of_others() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    let [small, large] = ["small", "large"].map(|name| format!("{PREFIX}{name}"));
    populate(&server, &small, 250_000, 1_000).await;
    let delete = async |which: &str| {
        let script = format!(
            "for i = 0, 249999 do if i % 10 {which} 0 then redis.call('UNLINK', ARGV[1] .. i) end end"
        );
        let keys = format!("{small}:");
        server.cmd(&["EVAL", &script, "0", &keys]).await.unwrap();
    };
    // What is left lies on nearly every page, and no page has room for what comes.
    delete("~=").await;
    populate(&server, &large, 14_000, 16_000).await;
    ward.becomes(&["memory_fragmentation"]).await;
    delete("==").await;
    server.cmd(&["MEMORY", "PURGE"]).await.unwrap();
    ward.becomes(&[]).await;
    ward
}
