//! One connection to a server, for one request after the other.
//!
//! It has no task of its own: whoever waits for an answer moves the bytes, and whoever gives up
//! closes it.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

use crate::answer::{AskError, AskErrorKind};

/// To an address, or to the socket of a file.
type Stream = Either<TcpStream, UnixStream>;
type Wire = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// An open connection.
pub(crate) struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    wire: Pin<Box<Wire>>,
    has_ended: bool,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, AskError> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(AskError::of(AskErrorKind::Unreachable))?;
        // Without the option a request may wait for an acknowledgement; it is not worth failing for.
        let _ = stream.set_nodelay(true);
        Self::over(Either::Left(stream)).await
    }

    pub(crate) async fn open_socket(path: &Path) -> Result<Self, AskError> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(AskError::of(AskErrorKind::Unreachable))?;
        Self::over(Either::Right(stream)).await
    }

    async fn over(stream: Stream) -> Result<Self, AskError> {
        let (requests, wire) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(AskError::of(AskErrorKind::Unreachable))?;
        Ok(Self {
            requests,
            wire: Box::pin(wire),
            has_ended: false,
        })
    }

    /// Whether it takes another request; the server may have closed it in the meantime.
    pub(crate) async fn is_usable(&mut self) -> bool {
        if self.has_ended {
            return false;
        }
        tokio::select! {
            biased;
            // First, because it is here that the end of the connection is seen.
            _ = &mut self.wire => {
                self.has_ended = true;
                false
            }
            ready = self.requests.ready() => ready.is_ok(),
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        most_bytes: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), AskError> {
        let requests = &mut self.requests;
        let mut answer = pin!(async move {
            let response = requests
                .send_request(request)
                .await
                .map_err(AskError::of(AskErrorKind::Unanswered))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, most_bytes).collect().await;
            let body = body.map_err(|error| {
                let kind = if error.is::<LengthLimitError>() {
                    AskErrorKind::TooLarge
                } else {
                    AskErrorKind::CutShort
                };
                AskError::of(kind)(error)
            })?;
            Ok((head.status, head.headers, body.to_bytes()))
        });
        tokio::select! {
            answer = &mut answer => answer,
            _ = &mut self.wire => {
                self.has_ended = true;
                // What had arrived before the end is still to be read; an error of the wire comes
                // out here as well.
                answer.await
            }
        }
    }
}
