//! The last piece of a node's way to the database, on which polls of the change log can be held while
//! all else goes on: they are told by their text.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Statements that ask for changes have this in them, and no others: loads and writes have not.
const OF_POLLS: &[u8] = b"tingkat.change AS c";

/// More than one message of the protocol.
const CHUNK_BYTES: usize = 64 << 10;

/// A proxy that knows polls.
pub(crate) struct Lane {
    address: SocketAddr,
    is_held: watch::Sender<bool>,
    /// Ends with this value.
    _carrying: JoinSet<()>,
}

impl Lane {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_held = watch::Sender::new(false);
        let held = is_held.subscribe();
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // It ends with either of its two ends, however that is.
                connections.spawn(carry(client, server.clone(), held.clone()));
            }
        });
        Self {
            address,
            is_held,
            _carrying: carrying,
        }
    }

    /// Where the node's way leads.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Lets no poll through: as if its connection had fallen into a black hole.
    pub(crate) fn hold_polls(&self) {
        self.is_held.send_replace(true);
    }

    /// Lets them through again.
    pub(crate) fn let_go(&self) {
        self.is_held.send_replace(false);
    }
}

async fn carry(client: TcpStream, server: String, held: watch::Receiver<bool>) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! {
        ended = up(from_client, to_server, held) => ended,
        ended = down => ended.map(drop),
    }
}

async fn up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut held: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await?;
        let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        let is_poll = read
            .windows(OF_POLLS.len())
            .any(|window| window == OF_POLLS);
        // Whoever lets go keeps the sender until then; without one nothing is held.
        if is_poll && held.wait_for(|is_held| !is_held).await.is_err() {
            return Ok(());
        }
        to.write_all(read).await?;
    }
}
