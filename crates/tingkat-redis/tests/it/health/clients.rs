//! Clients that are too many, too slow, or too busy.

use tingkat_health::check::Status;
use tingkat_testkit::{Redis, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Ward, evicting};
use crate::stage::SOON;

troubles! {
    many_clients raises ["clients"];
    connections_that_are_rejected raises ["rejected_connections"] beside ["clients"];
    a_connection_for_each_command raises ["connection_churn"];
    a_client_that_does_not_read_what_it_asked_for raises ["client_buffers"];
    a_client_that_waits_for_minutes raises ["blocked_clients"];
    a_client_that_takes_more_memory_than_clients_may raises ["evicted_clients"] beside ["client_buffers"];
}

async fn connect(server: &Redis, count: usize) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(TcpStream::connect(server.addr()).await.unwrap());
    }
    clients
}

async fn say(client: &mut TcpStream, words: &str) {
    client
        .write_all(format!("{words}\r\n").as_bytes())
        .await
        .unwrap();
}

async fn many_clients() -> Ward {
    let (server, mut ward) = Ward::at(evicting().set("maxclients", 40)).await;
    let clients = connect(&server, 33).await;
    ward.becomes(&["clients"]).await;
    assert_eq!(ward.status("clients"), Status::Warning);
    drop(clients);
    ward.becomes(&[]).await;
    ward
}

async fn connections_that_are_rejected() -> Ward {
    let (server, mut ward) = Ward::at(evicting().set("maxclients", 10)).await;
    let clients = connect(&server, 30).await;
    ward.includes("rejected_connections").await;
    drop(clients);
    ward.becomes(&["rejected_connections"]).await;
    ward.heals().await;
    ward
}

async fn a_connection_for_each_command() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    drop(connect(&server, 300).await);
    ward.becomes(&["connection_churn"]).await;
    ward.heals().await;
    ward
}

async fn a_client_that_does_not_read_what_it_asked_for() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    let value = "x".repeat(1 << 20);
    server.cmd(&["SET", "shop:big", &value]).await.unwrap();
    ward.becomes(&[]).await;
    let mut clients = connect(&server, 1).await;
    for _ in 0..40 {
        say(&mut clients[0], "GET shop:big").await;
    }
    ward.becomes(&["client_buffers"]).await;
    drop(clients);
    ward.becomes(&[]).await;
    ward
}

async fn a_client_that_waits_for_minutes() -> Ward {
    let (server, mut ward) = Ward::at(evicting()).await;
    let mut clients = connect(&server, 1).await;
    say(&mut clients[0], "BLPOP shop:queue 0").await;
    eventually(SOON, async || {
        server.info("blocked_clients").await.unwrap() == "1"
    })
    .await
    .unwrap();
    ward.look_after(301).await;
    for _ in 0..5 {
        assert_eq!(ward.look().await, [""; 0]);
    }
    assert_eq!(ward.look().await, ["blocked_clients"]);
    drop(clients);
    ward.becomes(&[]).await;
    ward
}

#[tokio::test]
async fn a_client_whose_script_runs_too_long() {
    let (server, mut ward) = Ward::at(evicting().set("lua-time-limit", "20")).await;
    let mut clients = connect(&server, 1).await;
    say(&mut clients[0], "EVAL \"while true do end\" 0").await;
    eventually(SOON, async || server.cmd(&["GET", "x"]).await.is_err())
        .await
        .unwrap();
    for _ in 0..3 {
        ward.look().await;
        assert_eq!(ward.status("clients"), Status::Unknown);
    }
    server.cmd(&["SCRIPT", "KILL"]).await.unwrap();
    // What was asked at the wrong time is asked again.
    ward.says("clients", Status::Ok).await;
    ward.includes_not("redis_reachable").await;
    assert_eq!(ward.status("redis_restarts"), Status::Ok);
}

async fn a_client_that_takes_more_memory_than_clients_may() -> Ward {
    let (server, mut ward) = Ward::at(evicting().set("maxmemory-clients", "8mb")).await;
    let value = "x".repeat(1 << 20);
    server.cmd(&["SET", "shop:big", &value]).await.unwrap();
    let mut clients = connect(&server, 1).await;
    for _ in 0..40 {
        // The server closes the connection before the last of them.
        let _ = clients[0].write_all(b"GET shop:big\r\n").await;
    }
    ward.becomes(&["evicted_clients"]).await;
    ward.heals().await;
    ward
}
