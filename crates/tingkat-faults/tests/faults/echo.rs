//! The server behind the proxy, and what a client does with it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long nothing may be heard before a client counts as cut off. A loopback answer takes tens of
/// microseconds; a machine so slow that it takes longer makes no test fail.
pub(crate) const QUIET: Duration = Duration::from_millis(60);

/// Sends back what it hears.
pub(crate) struct Echo {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                clients.spawn(async move {
                    let (mut reads, mut writes) = client.split();
                    // A connection that a fault ends is what these tests are about.
                    let _ = tokio::io::copy(&mut reads, &mut writes).await;
                });
            }
        });
        Self {
            addr,
            _tasks: tasks,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// What must happen, and within 5 s.
pub(crate) async fn deadline<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what)
        .await
        .expect("nothing happened for 5 s")
}

/// Sends `message` and hears it.
pub(crate) async fn exchange(client: &mut TcpStream, message: &[u8]) {
    let (mut reads, mut writes) = client.split();
    let mut answer = vec![0; message.len()];
    // At the same time: a long message fills the buffers of both sides.
    let (sent, heard) =
        deadline(async { tokio::join!(writes.write_all(message), reads.read_exact(&mut answer)) })
            .await;
    sent.unwrap();
    heard.unwrap();
    assert!(answer == message, "heard another message");
}

/// Hears `message`.
pub(crate) async fn hears(client: &mut TcpStream, message: &[u8]) {
    let mut answer = vec![0; message.len()];
    deadline(client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, message);
}

/// Whether nothing comes and nothing ends.
pub(crate) async fn is_silent(client: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::time::timeout(QUIET, client.peek(&mut byte))
        .await
        .is_err()
}

/// What comes until the connection ends in order, or how it breaks.
pub(crate) async fn end_of(client: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut rest = Vec::new();
    match deadline(client.read_to_end(&mut rest)).await {
        Ok(_) => Ok(rest),
        Err(e) => Err(e.kind()),
    }
}
