//! `tingkat healthcheck`, as a container or a script runs it.

use std::fs;

use serde_json::Value;
use tokio::net::TcpListener;

use crate::program::{Ended, Folder, Node, Program};

async fn healthcheck(folder: &Folder, arguments: &[&str]) -> Ended {
    Program::new(folder, &[&["healthcheck"], arguments].concat())
        .run()
        .await
}

fn url(node: &Node) -> String {
    format!("http://{}", node.target.address())
}

#[tokio::test]
async fn a_node_that_takes_requests_is_healthy() {
    let node = Node::alone().await;
    node.sees("source", "up").await;
    let (folder, url) = (Folder::new(), url(&node));
    let ended = healthcheck(&folder, &[&url]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.starts_with(&format!("{url}/readyz: ")),
        "{ended:?}"
    );
    let ended = healthcheck(&folder, &[&url, "--live", "--json"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let expected = serde_json::json!({
        "schema_version": 1, "asked": format!("{url}/livez"), "healthy": true,
        "status": "alive", "reasons": []
    });
    assert_eq!(told, expected);
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test]
async fn a_node_that_can_answer_nothing_is_alive_and_not_healthy() {
    let program =
        Program::serve(&Folder::new()).with("DATABASE_URL", "postgres://shop@127.0.0.1:1/shop");
    let node = program.listening().await;
    node.sees("source", "down").await;
    let folder = Folder::new();
    let ended = healthcheck(&folder, &[&url(&node)]).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let told = "/readyz: not_ready; the database has never been reached";
    assert!(ended.stdout.contains(told), "{ended:?}");
    let ended = healthcheck(&folder, &["--live", &url(&node)]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn the_service_is_found_by_its_configuration() {
    let folder = Folder::new();
    let port = tingkat_testkit::free_port().unwrap().to_string();
    let node = Program::serve(&folder)
        .with("PORT", &port)
        .listening()
        .await;
    let checked = Program::new(&folder, &["healthcheck", "--live"]).with("PORT", &port);
    let ended = checked.run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    drop(node);
    let checked = Program::new(&folder, &["healthcheck", "--live"]).with("PORT", &port);
    let ended = checked.run().await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("/livez: unreachable; failed to connect"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_socket_is_asked_where_it_is_named() {
    let folder = Folder::new();
    let socket = folder.path().join("tingkat.sock");
    let _node = Program::serve(&folder)
        .with("TINGKAT__SERVER__SOCKET", &socket)
        .listening()
        .await;
    let place = format!("unix:{}", socket.display());
    let ended = healthcheck(&folder, &["--live", &place]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let nobody = format!("{place}.nobody");
    assert_eq!(healthcheck(&folder, &[&nobody]).await.code, Some(5));
}

#[tokio::test]
async fn who_answers_nothing_or_something_else_is_not_healthy() {
    let folder = Folder::new();
    // It takes connections, by the kernel, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let ended = healthcheck(&folder, &[&url, "--timeout", "1", "--json"]).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&told["healthy"], &told["status"]),
        (&false.into(), &"unreachable".into())
    );

    for wrong in ["ftp://127.0.0.1", "127.0.0.1:1", "http://127.0.0.1:1/path"] {
        let ended = healthcheck(&folder, &[wrong]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
    fs::write(folder.path().join("tingkat.toml"), "[server]\nlisten = 5\n").unwrap();
    assert_eq!(healthcheck(&folder, &[]).await.code, Some(78));
}
