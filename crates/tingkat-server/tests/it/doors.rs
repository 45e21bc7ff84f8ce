//! Where a node listens: for shoppers, operators, scrapers, and a sidecar.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::process::Signal;
use tingkat_lab::{Target, ask_socket};
use tingkat_testkit::eventually;

use crate::program::{Folder, Node, PATIENCE, Program};
use crate::wire::{TOKENS, patch};

/// The target at the address that the log names for somebody.
async fn target(node: &Node, whose: &str) -> Target {
    let begin = format!("{whose}: http://");
    node.says(&begin).await;
    let log = node.process.log();
    let (_, rest) = log.split_once(&begin).unwrap();
    let address = rest.lines().next().unwrap().trim();
    Target::new(address.parse().unwrap())
}

async fn status(target: &Target, path: &str) -> u16 {
    target.get(path).await.unwrap().status.as_u16()
}

#[tokio::test]
async fn operators_and_scrapers_have_doors_of_their_own() {
    let program = Program::serve(&Folder::new())
        .with("TINGKAT__SERVER__TOKENS", TOKENS)
        .with("TINGKAT__SERVER__ADMIN_LISTEN", "127.0.0.1:0")
        .with("TINGKAT__SERVER__METRICS_LISTEN", "127.0.0.1:0");
    let node = program.listening().await;
    node.sees("source", "up").await;
    let operators = target(&node, "operators").await;
    let scrapers = target(&node, "scrapers").await;
    for (path, at) in [
        ("/v1/products/1", [200, 200, 404]),
        ("/v1/states", [200, 200, 404]),
        ("/problems", [200, 200, 404]),
        ("/", [404, 200, 404]),
        ("/v1/caches", [404, 200, 404]),
        ("/v1/caches/product/keys/1", [404, 200, 404]),
        ("/metrics", [404, 200, 200]),
        ("/livez", [200, 200, 200]),
        ("/readyz", [200, 200, 200]),
    ] {
        let found = [
            status(&node.target, path).await,
            status(&operators, path).await,
            status(&scrapers, path).await,
        ];
        assert_eq!(found, at, "{path}");
    }
    // Whoever writes is an operator.
    assert_eq!(patch(&node, "1", r#"{"stock":1}"#).await.status, 405);
    // The writer's connection is closed in a moment.
    eventually(PATIENCE, async || {
        let metrics = scrapers.get("/metrics").await.unwrap().text();
        ["main", "admin", "metrics"].iter().all(|listener| {
            metrics.contains(&format!(
                "tingkat_http_connections{{listener=\"{listener}\"}} 1\n"
            ))
        })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn without_doors_of_their_own_all_are_served_at_one() {
    let node = Node::alone().await;
    for path in ["/v1/states", "/v1/caches", "/metrics", "/readyz", "/"] {
        assert_eq!(status(&node.target, path).await, 200, "{path}");
    }
    let log = node.process.log();
    assert!(!log.contains("operators:") && !log.contains("scrapers:"));
}

#[tokio::test]
async fn a_scraper_alone_takes_only_the_metrics_along() {
    let program =
        Program::serve(&Folder::new()).with("TINGKAT__SERVER__METRICS_LISTEN", "127.0.0.1:0");
    let node = program.listening().await;
    assert_eq!(status(&node.target, "/metrics").await, 404);
    assert_eq!(status(&node.target, "/v1/caches").await, 200);
    let scrapers = target(&node, "scrapers").await;
    assert_eq!(status(&scrapers, "/metrics").await, 200);
}

#[tokio::test]
async fn a_taken_address_stops_the_start_and_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let program = Program::serve(&folder).with("TINGKAT__SERVER__ADMIN_LISTEN", &address);
    let ended = program.run().await;
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    let told = format!("failed to listen on {address}: ");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("set server.admin_listen"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.names(), [""; 0]);
}

#[tokio::test]
async fn other_doors_need_a_restart() {
    let folder = Folder::new();
    let mut node = Program::serve(&folder).listening().await;
    let file =
        "[server]\nadmin_listen = \"127.0.0.1:1\"\nsocket = \"x\"\nshutdown_delay = \"1s\"\n";
    fs::write(folder.path().join("tingkat.toml"), file).unwrap();
    node.process.signal(Signal::HUP);
    node.says(
        "these differ and need a restart: server.admin_listen, server.socket, server.shutdown_delay",
    )
    .await;
}

fn served_at(folder: &Folder, path: &Path) -> Program {
    Program::serve(folder).with("TINGKAT__SERVER__SOCKET", path)
}

async fn asked(socket: &Path, path: &str) -> (u16, String) {
    let answer = ask_socket(socket, path, PATIENCE).await.unwrap();
    (answer.status.as_u16(), answer.text())
}

#[tokio::test]
async fn a_sidecar_is_served_behind_a_socket_that_goes_with_the_node() {
    let folder = Folder::new();
    let socket = folder.path().join("tingkat.sock");
    let program = served_at(&folder, &socket).with("TINGKAT__SERVER__ADMIN_LISTEN", "127.0.0.1:0");
    let mut node = program.listening().await;
    node.sees("source", "up").await;
    let (code, states) = asked(&socket, "/v1/states").await;
    assert!(code == 200 && states.contains("Selangor"), "{states}");
    assert_eq!(asked(&socket, "/v1/caches").await.0, 404);
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(
        folder
            .names()
            .iter()
            .filter(|it| it.contains("sock"))
            .count(),
        1
    );
    node.process.signal(Signal::TERM);
    let ended = node.process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!socket.exists());
}

#[tokio::test]
async fn the_rights_of_the_socket_are_those_of_the_configuration() {
    let folder = Folder::new();
    let socket = folder.path().join("tingkat.sock");
    let program = served_at(&folder, &socket).with("TINGKAT__SERVER__SOCKET_MODE", "0600");
    let _node = program.listening().await;
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_socket_that_a_killed_node_left_behind_is_replaced() {
    let folder = Folder::new();
    let socket = folder.path().join("tingkat.sock");
    let mut killed = served_at(&folder, &socket).listening().await;
    killed.process.signal(Signal::KILL);
    killed.process.ended().await;
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
    let node = served_at(&folder, &socket).listening().await;
    assert_eq!(asked(&socket, "/livez").await.0, 200);
    drop(node);
}

#[tokio::test]
async fn a_socket_in_use_and_any_other_file_are_left_alone() {
    let folder = Folder::new();
    let socket = folder.path().join("tingkat.sock");
    let other = UnixListener::bind(&socket).unwrap();
    let ended = served_at(&folder, &socket).run().await;
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    let told = "another program listens there: choose another path with server.socket";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    drop(other);

    let file = folder.path().join("notes");
    fs::write(&file, "mine").unwrap();
    let ended = served_at(&folder, &file).run().await;
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("no socket"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let nowhere = folder.path().join("nowhere/tingkat.sock");
    let ended = served_at(&folder, &nowhere).run().await;
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("its directory must be there"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.names(), ["notes", "tingkat.sock"]);
}
