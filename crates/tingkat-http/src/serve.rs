//! The server under the routes: takes connections, bounds them, and drains them when it stops.
//!
//! The caller owns the listener and the signal to stop. HTTP/1.1 only, with TLS or without: a proxy
//! in front speaks everything else.

mod addresses;
mod impatient;
mod turn;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures::FutureExt;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::edge::Proxies;
use crate::edge::client::over;
use crate::limits::Limits;
use crate::tls::Tls;
use addresses::{Addresses, Counted, TooMany};
use impatient::{Impatient, Patience};
use turn::{Telling, Turn};

/// The smallest buffer that hyper takes.
const LEAST_BUFFER: usize = 8 << 10;

/// Without file descriptors, this long passes until the next try to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A client that has not agreed on a key after this long is cut.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The open connections of a listener, and how many were refused. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    open: TaskTracker,
    refused: Arc<AtomicU64>,
}

impl Connections {
    pub(crate) fn open(&self) -> u64 {
        self.open.len() as u64
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Where clients come in.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    connections: Connections,
    proxies: Proxies,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Tls(TcpListener, Tls),
    Unix(UnixListener),
}

/// A connection, before anything was said.
enum Stream {
    Tcp(TcpStream),
    Tls(TcpStream, Tls),
    Unix(UnixStream),
}

impl Listener {
    /// The connections that it takes are counted there.
    pub fn counted(self, connections: Connections) -> Self {
        Self {
            connections,
            ..self
        }
    }

    /// These may have as many connections as they like.
    pub fn trusting(self, proxies: &Proxies) -> Self {
        Self {
            proxies: proxies.clone(),
            ..self
        }
    }

    fn over(socket: Socket) -> Self {
        Self {
            socket,
            connections: Connections::default(),
            proxies: Proxies::default(),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::over(Socket::Tcp(listener))
    }
}

impl From<(TcpListener, Tls)> for Listener {
    fn from((listener, tls): (TcpListener, Tls)) -> Self {
        Self::over(Socket::Tls(listener, tls))
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::over(Socket::Unix(listener))
    }
}

impl Socket {
    /// A connection, and the address at its other end; one over a UNIX socket has none.
    async fn accept(&self) -> std::io::Result<(Stream, Option<IpAddr>)> {
        // Answers are written whole. Without the option a small one may wait for an acknowledgement;
        // it is not worth failing for.
        let quick = |(stream, peer): (TcpStream, SocketAddr)| {
            let _ = stream.set_nodelay(true);
            (stream, Some(peer.ip()))
        };
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = quick(listener.accept().await?);
                (Stream::Tcp(stream), peer)
            }
            Self::Tls(listener, tls) => {
                let (stream, peer) = quick(listener.accept().await?);
                (Stream::Tls(stream, tls.clone()), peer)
            }
            Self::Unix(listener) => (Stream::Unix(listener.accept().await?.0), None),
        })
    }
}

/// What answers requests: a router of axum, or what [`face`](crate::face) gives.
pub trait Routes:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Routes for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Serves until `shutdown` is cancelled, and returns when no connection is left.
///
/// From then on nothing new is accepted, idle connections are closed, and requests in flight have
/// `limits.drain_timeout` to finish. What is still open after that is cut.
pub async fn serve(
    listener: impl Into<Listener>,
    routes: impl Routes,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let Listener {
        socket,
        connections: Connections {
            open: connections,
            refused,
        },
        proxies,
    } = listener.into();
    let places = Arc::new(Semaphore::new(limits.connections));
    let addresses = Addresses::new(limits.connections_per_address);
    let cut = CancellationToken::new();
    let http = http(&limits);
    let talk = |(stream, peer, place): (Stream, Option<IpAddr>, OwnedSemaphorePermit)| {
        let Ok(counted) = count(&addresses, &proxies, peer) else {
            // Without an answer: it would have to be encrypted, read and waited for.
            refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("an address has as many connections as it may, one more is closed");
            return;
        };
        let (http, routes) = (http.clone(), routes.clone());
        let (shutdown, cut) = (shutdown.clone(), cut.clone());
        let talking = async move {
            match stream {
                Stream::Tcp(stream) => converse(http, stream, routes, limits, shutdown, cut).await,
                Stream::Unix(stream) => converse(http, stream, routes, limits, shutdown, cut).await,
                Stream::Tls(stream, tls) => {
                    if let Some(stream) = encrypted(&tls, stream, &shutdown).await {
                        converse(http, stream, routes, limits, shutdown, cut).await;
                    }
                }
            }
            drop((place, counted));
        };
        connections.spawn(over(peer, talking));
    };

    while let Some(Some(connection)) = shutdown.run_until_cancelled(accept(&socket, &places)).await
    {
        talk(connection);
    }
    // Whoever connected before the end may have sent its request already.
    tokio::task::yield_now().await;
    while let Some(Some(connection)) = accept(&socket, &places).now_or_never() {
        talk(connection);
    }
    drop(socket);

    connections.close();
    if tokio::time::timeout(limits.drain_timeout, connections.wait())
        .await
        .is_err()
    {
        let open = connections.len();
        tracing::warn!(
            open,
            "connections are still open after the drain, they are cut"
        );
        cut.cancel();
        connections.wait().await;
    }
}

/// Counts a connection, if it is one of those that are.
fn count(
    addresses: &Addresses,
    proxies: &Proxies,
    peer: Option<IpAddr>,
) -> Result<Option<Counted>, TooMany> {
    match peer {
        Some(address) if !proxies.trusts(address.to_canonical()) => {
            addresses.count(address).map(Some)
        }
        _ => Ok(None),
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.head_bytes.max(LEAST_BUFFER))
        .max_buf_size(limits.head_bytes.max(LEAST_BUFFER));
    http
}

/// The next connection, once there is a place for it. At the cap the kernel lets clients wait, probes
/// among them, since nobody can tell who connects: those who must be answered whatever shoppers do
/// ask on a listener of their own, which has places of its own.
async fn accept(
    socket: &Socket,
    places: &Arc<Semaphore>,
) -> Option<(Stream, Option<IpAddr>, OwnedSemaphorePermit)> {
    // Nobody closes the semaphore.
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Agrees on a key with a client, unless it takes too long or the server stops.
async fn encrypted(
    tls: &Tls,
    stream: TcpStream,
    shutdown: &CancellationToken,
) -> Option<TlsStream<TcpStream>> {
    let accepting = tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream));
    match shutdown.run_until_cancelled(accepting).await? {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a client could not agree on TLS");
            None
        }
        Err(_) => None,
    }
}

/// Answers the requests of one connection.
async fn converse(
    http: http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: impl Routes,
    limits: Limits,
    shutdown: CancellationToken,
    cut: CancellationToken,
) {
    let patience = Patience {
        head: limits.head_timeout,
        send: limits.send_timeout,
    };
    let turn = Arc::new(Turn::default());
    let stream = TokioIo::new(Impatient::new(stream, patience, Arc::clone(&turn)));
    let service = Telling {
        service: routes,
        turn,
    };
    let mut connection = pin!(http.serve_connection(stream, service));
    let ended = tokio::select! {
        // First, so that a request that has arrived is seen before the connection counts as idle.
        biased;
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            // One turn of the reactor and one of the connection, for the same reason.
            tokio::task::yield_now().await;
            if let Some(ended) = (&mut connection).now_or_never() {
                return log(ended);
            }
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = cut.cancelled() => Ok(()),
            }
        }
    };
    log(ended);
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        // The other side's doing: it went away, was too slow, or does not speak HTTP.
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection broke"
        );
    }
}
