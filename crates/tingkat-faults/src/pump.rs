//! Moves bytes one way.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use crate::lane::Lane;

/// The most that is held for one way of one connection.
const CHUNK_BYTES: usize = 16 * 1024;

/// How one way has ended without an error.
pub(crate) enum Finish {
    /// The sender has finished, and the receiver knows.
    Eof,
    /// A cut: the whole connection ends.
    Cut,
}

/// Carries bytes until the sender has finished or a fault ends this way.
pub(crate) async fn run(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut lane: Lane,
) -> io::Result<Finish> {
    let half_closed = lane.ended();
    tokio::select! {
        finish = carry(&mut from, &mut to, &mut lane) => finish,
        () = half_closed => {
            to.shutdown().await?;
            tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
            Ok(Finish::Eof)
        }
    }
}

async fn carry(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    lane: &mut Lane,
) -> io::Result<Finish> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        // While this waits nothing more is read, which is what the sender feels.
        lane.clear_to_send().await;
        if read == 0 {
            to.shutdown().await?;
            return Ok(Finish::Eof);
        }
        let (allowed, is_cut) = lane.allow(read);
        to.write_all(chunk.get(..allowed).unwrap_or_default())
            .await?;
        lane.carried(allowed);
        if is_cut {
            lane.was_cut();
            to.shutdown().await?;
            return Ok(Finish::Cut);
        }
    }
}
