//! A server that answers as told, whatever it is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Sends these bytes for a request, and waits for the next one.
    Send(&'static [u8]),
    /// Closes the connection.
    Close,
    /// Reads a request and goes on to the next act.
    Read,
    /// Says nothing, for ever.
    Hang,
}

/// A server on a port of its own.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// Each connection goes through its own list of acts, the last list being for all later ones.
    pub(crate) async fn start(scripts: &'static [&'static [Act]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let connections = Arc::clone(&connections);
            async move {
                let mut played = JoinSet::new();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let number = connections.fetch_add(1, Ordering::Relaxed);
                    let script = scripts.get(number).or(scripts.last()).unwrap();
                    played.spawn(play(stream, script));
                }
            }
        });
        Self {
            address,
            connections,
            _tasks: tasks,
        }
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn play(mut stream: TcpStream, script: &'static [Act]) {
    for act in script {
        match act {
            Act::Read => {
                if read_head(&mut stream).await.is_none() {
                    return;
                }
            }
            Act::Send(bytes) => stream.write_all(bytes).await.unwrap(),
            Act::Close => return,
            Act::Hang => std::future::pending().await,
        }
    }
}

/// Reads up to the empty line; nothing when the client has left.
async fn read_head(stream: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(())
}
