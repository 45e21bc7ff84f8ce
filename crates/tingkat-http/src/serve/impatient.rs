//! A connection that does not wait for ever for the other side: to read an answer, or to go on with
//! the head of a request that it has begun.
//!
//! Between requests, and for a body, others wait: the server's own timeout for idle connections, and
//! whoever reads the body.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::turn::Turn;

/// For how long it waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first byte of a head to its last.
    pub(super) head: Duration,
    /// Until a write makes progress.
    pub(super) send: Duration,
}

/// Fails once the patience is over.
pub(super) struct Impatient<S> {
    stream: S,
    patience: Patience,
    turn: Arc<Turn>,
    /// Runs while a write waits.
    sending: Option<Pin<Box<Sleep>>>,
    /// Runs while the rest of a head is awaited.
    heading: Option<Pin<Box<Sleep>>>,
    /// Whether a head has begun, as the first one has with the connection.
    has_begun: bool,
    /// So many heads were whole when it was last looked at.
    heads: u32,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, patience: Patience, turn: Arc<Turn>) -> Self {
        let heads = turn.heads();
        Self {
            stream,
            patience,
            turn,
            sending: None,
            heading: None,
            has_begun: true,
            heads,
        }
    }

    fn sent<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.sending = None;
            return progress;
        }
        ready!(wait(&mut self.sending, self.patience.send, cx));
        Poll::Ready(Err(timed_out("the other side does not read")))
    }

    fn written(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if progress.is_ready() {
            // Whoever sends the next head behind a long answer is not slow.
            self.heading = None;
        }
        self.sent(cx, progress)
    }

    /// Forgets about a head that is whole.
    fn look(&mut self) {
        let heads = self.turn.heads();
        if heads != self.heads {
            self.heads = heads;
            self.has_begun = false;
            self.heading = None;
        }
    }
}

fn wait(timer: &mut Option<Pin<Box<Sleep>>>, patience: Duration, cx: &mut Context<'_>) -> Poll<()> {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
    timer.as_mut().poll(cx)
}

fn timed_out(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.look();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if this.turn.is_ours() {
            return read;
        }
        if read.is_ready() {
            this.has_begun |= buffer.filled().len() > before;
            return read;
        }
        if !this.has_begun {
            return Poll::Pending;
        }
        ready!(wait(&mut this.heading, this.patience.head, cx));
        Poll::Ready(Err(timed_out("the head of a request does not end")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, progress)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.written(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_flush(cx);
        this.sent(cx, progress)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.sent(cx, progress)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        send: Duration::from_secs(30),
    };

    fn impatient() -> (Impatient<DuplexStream>, DuplexStream, Arc<Turn>) {
        let (stream, other) = tokio::io::duplex(16);
        let turn = Arc::new(Turn::default());
        let stream = Impatient::new(stream, PATIENCE, Arc::clone(&turn));
        (stream, other, turn)
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (mut stream, _unread, _) = impatient();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_waited_for_as_long_as_it_reads() {
        let (mut stream, mut reader, _) = impatient();
        let slowly = async {
            let mut read = 0;
            while read < 160 {
                tokio::time::sleep(PATIENCE.send / 2).await;
                read += reader.read(&mut [0; 16]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[0; 160]), slowly);
        written.unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "the paused clock of tokio")]
    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_is_given_up_and_an_idle_connection_is_not() {
        let (mut stream, mut client, turn) = impatient();
        let trickle = async |mut client: DuplexStream| {
            loop {
                client.write_all(b"x").await.unwrap();
                tokio::time::sleep(PATIENCE.head / 4).await;
            }
        };
        // The first head is whole within its time, and its answer takes longer than any head may.
        client.write_all(b"head").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        turn.begin();
        let more = tokio::time::timeout(PATIENCE.head * 3, stream.read_u8()).await;
        assert!(more.is_err(), "{more:?}");
        turn.end();
        // Nothing is under way.
        let idle = tokio::time::timeout(PATIENCE.head * 6, stream.read_u8()).await;
        assert!(idle.is_err(), "{idle:?}");
        // The second one does not end.
        let reading = async {
            let began = tokio::time::Instant::now();
            let error = loop {
                if let Err(error) = stream.read_u8().await {
                    break error;
                }
            };
            (error.kind(), began.elapsed())
        };
        tokio::select! {
            (error, after) = reading => {
                assert_eq!(error, io::ErrorKind::TimedOut);
                assert!(after >= PATIENCE.head && after < PATIENCE.head * 2, "{after:?}");
            }
            () = trickle(client) => {}
        }
    }
}
