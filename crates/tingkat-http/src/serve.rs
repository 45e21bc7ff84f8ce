//! The server under the routes: takes connections, bounds them, and drains them when it stops.
//!
//! The caller owns the listener and the signal to stop. HTTP/1.1 only: a proxy in front speaks
//! everything else, and ends TLS.

mod impatient;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::FutureExt;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::Limits;
use impatient::Impatient;

/// The smallest buffer that hyper takes.
const LEAST_BUFFER: usize = 8 << 10;

/// Without file descriptors, this long passes until the next try to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until `shutdown` is cancelled, and returns when no connection is left.
///
/// From then on nothing new is accepted, idle connections are closed, and requests in flight have
/// `limits.drain_timeout` to finish. What is still open after that is cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let http = http(&limits);
    let talk = |(stream, place)| {
        let (http, router) = (http.clone(), router.clone());
        let (shutdown, cut) = (shutdown.clone(), cut.clone());
        connections.spawn(async move {
            converse(http, stream, router, limits, shutdown, cut).await;
            drop(place);
        });
    };

    while let Some(Some(connection)) = shutdown
        .run_until_cancelled(accept(&listener, &places))
        .await
    {
        talk(connection);
    }
    // Whoever connected before the end may have sent its request already.
    tokio::task::yield_now().await;
    while let Some(Some(connection)) = accept(&listener, &places).now_or_never() {
        talk(connection);
    }
    drop(listener);

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

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.head_bytes.max(LEAST_BUFFER))
        .max_buf_size(limits.head_bytes.max(LEAST_BUFFER));
    http
}

/// The next connection, once there is a place for it. At the cap the kernel lets clients wait: a
/// refusal would reach the probes as well, and restart a node for being busy.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    // Nobody closes the semaphore.
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written whole. Without the option a small one may wait for an
                // acknowledgement; it is not worth failing for.
                let _ = stream.set_nodelay(true);
                return Some((stream, place));
            }
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

/// Answers the requests of one connection.
async fn converse(
    http: http1::Builder,
    stream: TcpStream,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
    cut: CancellationToken,
) {
    let stream = TokioIo::new(Impatient::new(stream, limits.send_timeout));
    let mut connection = pin!(http.serve_connection(stream, TowerToHyperService::new(router)));
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
