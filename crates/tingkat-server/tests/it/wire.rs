//! Requests with headers of their own, and streams that do not end.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{Node, PATIENCE};

/// The token that the tests write with, and what the server knows of it.
pub(crate) const TOKEN: &str = "foo";
pub(crate) const TOKENS: &str =
    "write:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    /// Null if it is no JSON.
    pub(crate) body: Value,
    /// As it came.
    pub(crate) text: String,
}

impl Reply {
    /// All of it, as it came.
    pub(crate) fn whole(&self) -> String {
        format!("{}\n{}", self.head, self.text)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}

async fn open(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Asks for a path with these header lines.
pub(crate) async fn get(node: &Node, path: &str, headers: &str) -> Reply {
    exchange(node, &format!("GET {path} HTTP/1.1\r\n{headers}"), "").await
}

/// Writes a product.
pub(crate) async fn patch(node: &Node, id: &str, body: &str) -> Reply {
    let head = format!(
        "PATCH /v1/products/{id} HTTP/1.1\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    exchange(node, &head, body).await
}

/// Posts JSON to a path.
pub(crate) async fn post(node: &Node, path: &str, body: &str) -> Reply {
    let head = format!(
        "POST {path} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    exchange(node, &head, body).await
}

/// Sends a request with the token, and with a body if there is one.
pub(crate) async fn ask(node: &Node, method: &str, address: &str, body: &str) -> Reply {
    ask_as(node, TOKEN, method, address, body).await
}

/// The same with another token.
pub(crate) async fn ask_as(
    node: &Node,
    token: &str,
    method: &str,
    address: &str,
    body: &str,
) -> Reply {
    let mut head = format!("{method} {address} HTTP/1.1\r\nauthorization: Bearer {token}\r\n");
    if !body.is_empty() {
        let length = body.len();
        let _ = write!(
            head,
            "content-type: application/json\r\ncontent-length: {length}\r\n"
        );
    }
    exchange(node, &head, body).await
}

async fn exchange(node: &Node, head: &str, body: &str) -> Reply {
    let request = format!("{head}host: x\r\nconnection: close\r\n\r\n{body}");
    let mut stream = open(node.target.address(), &request).await;
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head[9..12].parse().unwrap(),
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or_default(),
        text: body.to_owned(),
    }
}

/// A client that follows the changes.
pub(crate) struct Follower {
    stream: TcpStream,
    text: String,
    /// Where it is.
    pub(crate) cursor: String,
}

impl Follower {
    pub(crate) async fn start(node: &Node, cursor: Option<&str>) -> Self {
        let from = cursor.map(|it| format!("last-event-id: {it}\r\n"));
        let from = from.unwrap_or_default();
        let request = format!("GET /v1/changes HTTP/1.1\r\nhost: x\r\n{from}\r\n");
        Self {
            stream: open(node.target.address(), &request).await,
            text: String::new(),
            cursor: cursor.unwrap_or_default().to_owned(),
        }
    }

    /// The data of the next event with this name; none may come before it.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            if let Some((before, event)) = self.text.split_once("event: ")
                && let Some((event, rest)) = event.split_once("\n\n")
            {
                assert!(event.starts_with(&format!("{name}\n")), "{before}{event}");
                let field = |name: &str| event.lines().find_map(|it| it.strip_prefix(name));
                if let Some(id) = field("id: ") {
                    id.clone_into(&mut self.cursor);
                }
                let data = serde_json::from_str(field("data: ").unwrap()).unwrap();
                let end = self.text.len() - rest.len();
                self.text.drain(..end);
                return data;
            }
            assert!(self.read().await > 0, "the stream ended: {}", self.text);
        }
    }

    /// Waits until the server ends the stream.
    pub(crate) async fn ended(mut self) -> String {
        while self.read().await > 0 {}
        self.text
    }

    async fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes));
        let count = read.await.unwrap().unwrap_or(0);
        self.text
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
        count
    }
}
