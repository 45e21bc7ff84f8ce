//! What systemd is told of a node that it started.

use rustix::process::Signal;
use tokio::net::UnixDatagram;

use crate::program::{Folder, PATIENCE, Program};

/// Waits until the supervisor is told this.
async fn is_told(supervisor: &UnixDatagram, words: &str) {
    let told = async {
        let mut bytes = [0; 256];
        loop {
            let length = supervisor.recv(&mut bytes).await.unwrap();
            let text = std::str::from_utf8(&bytes[..length]).unwrap();
            if text.lines().any(|line| line == words) {
                return;
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await;
    told.unwrap_or_else(|_| panic!("{words} was not told"));
}

#[tokio::test]
async fn the_supervisor_hears_that_a_node_serves_lives_and_leaves() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    let mut node = Program::serve(&folder)
        .with("NOTIFY_SOCKET", &path)
        .with("WATCHDOG_USEC", "300000")
        .with("TINGKAT__SERVER__SHUTDOWN_DELAY", "1h")
        .listening()
        .await;
    is_told(&supervisor, "READY=1").await;
    for _ in 0..3 {
        is_told(&supervisor, "WATCHDOG=1").await;
    }
    node.process.signal(Signal::TERM);
    is_told(&supervisor, "STOPPING=1").await;
}
