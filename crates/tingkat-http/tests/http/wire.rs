//! A client that sends bytes, so that it can send wrong ones.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tingkat_http::{Connections, Limits, Listener, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longer than anything here takes, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a port of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(routes: Router, limits: Limits) -> Self {
        Self::counted(routes, limits, Connections::default()).await
    }

    /// One whose connections are counted.
    pub(crate) async fn counted(routes: Router, limits: Limits, connections: Connections) -> Self {
        Self::with(routes, limits, |listener| listener.counted(connections)).await
    }

    /// One whose listener is made so.
    pub(crate) async fn with(
        routes: Router,
        limits: Limits,
        make: impl FnOnce(Listener) -> Listener,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = make(listener.into());
        let shutdown = CancellationToken::new();
        let task = TaskTracker::new().spawn(serve(listener, routes, limits, shutdown.clone()));
        Self {
            address,
            shutdown,
            task,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Connects from another address of this machine.
    pub(crate) async fn connect_from(&self, address: &str) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::new(address.parse().unwrap(), 0))
            .unwrap();
        Client(socket.connect(self.address).await.unwrap())
    }

    /// Connects and sends bytes without giving the server a turn.
    pub(crate) fn connect_at_once(&self, bytes: &str) -> Client {
        let mut stream = std::net::TcpStream::connect(self.address).unwrap();
        std::io::Write::write_all(&mut stream, bytes.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Client(TcpStream::from_std(stream).unwrap())
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until it has.
    pub(crate) async fn stopped(self) {
        patiently(self.task).await.unwrap();
    }
}

/// One connection.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends bytes, unless the server has closed the connection.
    pub(crate) async fn try_send(&mut self, bytes: &str) -> bool {
        self.0.write_all(bytes.as_bytes()).await.is_ok()
    }

    /// Sends bytes without giving the server a turn, even if it is on the same thread.
    pub(crate) fn send_at_once(&self, bytes: &str) {
        assert_eq!(self.0.try_write(bytes.as_bytes()).unwrap(), bytes.len());
    }

    /// Sends a GET on a connection that stays open.
    pub(crate) async fn get(&mut self, uri: &str) -> String {
        self.send(format!("GET {uri} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        self.response().await
    }

    /// Reads one response with a length: its head and its body.
    pub(crate) async fn response(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patiently(self.0.read_u8()).await.unwrap());
        }
        let mut text = String::from_utf8(head).unwrap();
        if text.starts_with("HTTP/1.1 304") {
            return text;
        }
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        patiently(self.0.read_exact(&mut body)).await.unwrap();
        text.push_str(&String::from_utf8(body).unwrap());
        text
    }

    /// Reads all that comes until the server closes the connection.
    pub(crate) async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as well: the server closed while bytes of ours were under way.
        let _ = patiently(self.0.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }
}

pub(crate) async fn patiently<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.expect("this did not end within the patience of the test")
}
