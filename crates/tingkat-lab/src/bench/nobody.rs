//! A listener that gives every request the same answer at once, to find out what it costs to ask.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The only product that it has.
pub(super) const KEY: &str = "1";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncache-status: memory; hit\r\n\
    content-type: application/json\r\ncontent-length: 22\r\n\r\n{\"id\":\"1\",\"version\":1}";

/// Where the head of a request ends; none of them has a body.
const END: &[u8] = b"\r\n\r\n";

/// It listens until it is dropped.
pub(super) struct Nobody {
    pub(super) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Nobody {
    pub(super) async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener));
        Ok(Self {
            address,
            _tasks: tasks,
        })
    }
}

async fn accept(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream));
        while connections.try_join_next().is_some() {}
    }
}

/// Until it is closed.
async fn answer(mut stream: TcpStream) {
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        read.extend_from_slice(part.get(..count).unwrap_or_default());
        // A method with a body has one of a few bytes, which is in the same segment.
        if read.windows(END.len()).any(|window| window == END) {
            read.clear();
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
