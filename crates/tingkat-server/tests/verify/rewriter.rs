//! A proxy before Redis that changes words in its answers into others of the same length.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Words = Option<(&'static str, &'static str)>;

/// The proxy. It stops on drop.
pub(crate) struct Rewriter {
    pub(crate) address: SocketAddr,
    words: Arc<Mutex<Words>>,
    _tasks: JoinSet<()>,
}

impl Rewriter {
    pub(crate) async fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let words = Arc::<Mutex<Words>>::default();
        let (mut tasks, shared) = (JoinSet::new(), Arc::clone(&words));
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&upstream).await.unwrap();
                let words = Arc::clone(&shared);
                clients.spawn(async move {
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let up = tokio::io::copy(&mut from_client, &mut to_server);
                    let down = async {
                        // An answer of this size comes in one piece.
                        let mut buffer = vec![0; 256 << 10];
                        loop {
                            let count = from_server.read(&mut buffer).await?;
                            if count == 0 {
                                return std::io::Result::Ok(());
                            }
                            let words = *words.lock().unwrap();
                            rewrite(&mut buffer[..count], words);
                            to_client.write_all(&buffer[..count]).await?;
                        }
                    };
                    // The end of either side is the end of both.
                    tokio::select! {
                        _ = up => {}
                        _ = down => {}
                    }
                });
            }
        });
        Self {
            address,
            words,
            _tasks: tasks,
        }
    }

    pub(crate) fn rewrite(&self, words: Words) {
        *self.words.lock().unwrap() = words;
    }
}

fn rewrite(bytes: &mut [u8], words: Words) {
    let Some((what, by)) = words else { return };
    assert_eq!(what.len(), by.len());
    let mut at = 0;
    while at + what.len() <= bytes.len() {
        if bytes[at..].starts_with(what.as_bytes()) {
            bytes[at..at + by.len()].copy_from_slice(by.as_bytes());
        }
        at += 1;
    }
}
