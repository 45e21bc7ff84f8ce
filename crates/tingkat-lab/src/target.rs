//! The server under judgement, as any HTTP client sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Uri, header};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;

use crate::answer::{Answer, AskError, AskErrorKind};
use crate::connection::Connection;

/// Longer than the server itself lets a request take.
const DEADLINE: Duration = Duration::from_secs(20);

/// What helps whoever asks for TLS: it would need a name and an authority, and who operates or measures a
/// service is beside it.
const NO_TLS: &str = "https:// is not spoken here, only http://: ask where the service listens without TLS, \
                      such as server.admin_listen on its own machine (http://127.0.0.1:9091), or through \
                      a tunnel to it (ssh -L 9091:127.0.0.1:9091 host)";

/// The largest batch of products is a tenth of this.
const MOST_BODY_BYTES: usize = 4 << 20;

/// An HTTP/1.1 server at an address.
///
/// Requests at the same time have a connection each, which stays open for the next one. Nothing is
/// sent twice: a connection that breaks under a request is an error.
pub struct Target {
    address: SocketAddr,
    deadline: Duration,
    most_body_bytes: usize,
    idle: Mutex<Vec<Connection>>,
}

impl Target {
    /// The server at this address, which need not be there yet.
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            deadline: DEADLINE,
            most_body_bytes: MOST_BODY_BYTES,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The server of a URL such as `http://shop.internal:8080`, at the first address of its host.
    ///
    /// # Errors
    /// It is no such URL, or its host has no address.
    pub async fn of_url(url: &str) -> Result<Self, AskError> {
        let malformed = || {
            let what = "expected http://host:port, without a path";
            AskError::of(AskErrorKind::Malformed)(what)
        };
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        if uri.scheme_str() == Some("https") {
            return Err(AskError::of(AskErrorKind::Malformed)(NO_TLS));
        }
        let is_plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/");
        let host = uri.host().filter(|_| is_plain && uri.query().is_none());
        let host = host.ok_or_else(malformed)?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(80);
        let addresses = tokio::net::lookup_host((host, port)).await;
        let mut addresses = addresses.map_err(AskError::of(AskErrorKind::Unreachable))?;
        let address = addresses.next();
        address
            .map(Self::new)
            .ok_or_else(|| AskError::new(AskErrorKind::Unreachable))
    }

    /// Gives a request up after this long.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Refuses a body of an answer that is larger.
    pub const fn most_body_bytes(mut self, bytes: usize) -> Self {
        self.most_body_bytes = bytes;
        self
    }

    /// Asks for a path, which may have a query.
    ///
    /// # Errors
    /// There is no whole answer; an answer with an error status is an answer.
    pub async fn get(&self, path: &str) -> Result<Answer, AskError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// As [`get`](Self::get), with further headers.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, AskError> {
        self.request(Method::GET, path, headers, Bytes::new()).await
    }

    /// Sends a request with a body, which is JSON unless it is empty.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, AskError> {
        self.send_with(method, path, &[], body).await
    }

    /// As [`send`](Self::send), with further headers.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, AskError> {
        self.request(method, path, headers, body.into()).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, AskError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(body))
            .map_err(AskError::of(AskErrorKind::Malformed))?;
        tokio::time::timeout(self.deadline, self.answer(request))
            .await
            .unwrap_or_else(|_| Err(AskError::new(AskErrorKind::Deadline)))
    }

    /// Where the server is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Answer, AskError> {
        let started = SystemClock.now();
        let mut connection = self.connection().await?;
        let (status, headers, body) = connection.exchange(request, self.most_body_bytes).await?;
        let took = SystemClock.now().since(started);
        self.idle().push(connection);
        Ok(Answer {
            status,
            headers,
            body,
            took,
        })
    }

    /// An idle connection that the server has not closed, or a new one.
    async fn connection(&self) -> Result<Connection, AskError> {
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(mut connection) => {
                    if connection.is_usable().await {
                        return Ok(connection);
                    }
                }
                None => return Connection::open(self.address).await,
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
