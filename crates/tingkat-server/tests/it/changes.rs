//! The feed of changes over several processes.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{Folder, Node, Program};
use crate::stores::installed;
use crate::wire::{Follower, TOKENS, patch};

async fn node(database: &str) -> Node {
    let program = Program::serve(&Folder::new())
        .with("DATABASE_URL", database)
        .with("TINGKAT__SERVER__TOKENS", TOKENS);
    program.listening().await
}

fn forgot(dep: &str) -> Value {
    json!({"changes": [{"kind": "forget", "dep": dep}]})
}

#[tokio::test]
async fn a_client_goes_on_at_another_process_and_misses_nothing() {
    let database = installed().await;
    let (first, second) = (node(&database.url()).await, node(&database.url()).await);
    let mut client = Follower::start(&first, None).await;
    assert_eq!(client.event("reset").await, json!({"reason": "no_cursor"}));
    assert_eq!(patch(&first, "7", r#"{"stock":11}"#).await.status, 200);
    assert_eq!(client.event("changes").await, forgot("product:7"));
    let cursor = client.cursor.clone();
    drop(client);

    database
        .psql("UPDATE product SET stock_quantity = 12 WHERE id = '8'")
        .await
        .unwrap();
    let mut resumed = Follower::start(&second, Some(&cursor)).await;
    assert_eq!(resumed.event("changes").await, forgot("product:8"));
    // One that has just started reads what the log has.
    let third = node(&database.url()).await;
    let mut late = Follower::start(&third, Some(&cursor)).await;
    assert_eq!(late.event("changes").await, forgot("product:8"));
    assert_eq!(patch(&first, "9", r#"{"stock":13}"#).await.status, 200);
    for client in [&mut resumed, &mut late] {
        assert_eq!(client.event("changes").await, forgot("product:9"));
    }
}

#[tokio::test]
async fn streams_end_at_once_when_the_process_is_stopped() {
    let database = installed().await;
    let mut node = node(&database.url()).await;
    let mut client = Follower::start(&node, None).await;
    client.event("reset").await;
    node.process.signal(Signal::TERM);
    let ended = client.ended().await;
    assert!(ended.ends_with("0\r\n\r\n"), "{ended:?}");
    assert_eq!(node.process.ended().await.code, Some(0));
}
