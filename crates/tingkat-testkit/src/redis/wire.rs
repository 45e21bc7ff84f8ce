//! Just enough of RESP2 to ask a server something (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//! Not a client: one command at a time, no pipeline, no push messages.

use std::io;
use std::path::Path;

use bytes::Bytes;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream,
};
use tokio::net::{TcpStream, UnixStream};

use super::reply::Reply;

/// A connection to a server of ours.
pub(crate) struct Wire {
    stream: BufStream<Box<dyn Stream>>,
}

/// TCP or a Unix socket.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Wire {
    pub(crate) async fn tcp(port: u16) -> io::Result<Self> {
        Ok(Self::over(TcpStream::connect(("127.0.0.1", port)).await?))
    }

    pub(crate) async fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self::over(UnixStream::connect(path).await?))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: BufStream::new(Box::new(stream)),
        }
    }

    /// Sends one command and reads its reply.
    pub(crate) async fn call(&mut self, args: &[impl AsRef<[u8]>]) -> io::Result<Reply> {
        let mut command = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args.iter().map(AsRef::as_ref) {
            command.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            command.extend_from_slice(arg);
            command.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&command).await?;
        self.stream.flush().await?;
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line().await?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| malformed(&line))?;
        match kind {
            "+" => Ok(Reply::Status(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => rest.parse().map(Reply::Int).map_err(|_| malformed(&line)),
            "$" => match rest.parse() {
                Ok(length) => self.bulk(length).await,
                Err(_) if rest == "-1" => Ok(Reply::Nil),
                Err(_) => Err(malformed(&line)),
            },
            "*" => match rest.parse::<usize>() {
                Ok(length) => {
                    let mut items = Vec::new();
                    for _ in 0..length {
                        items.push(Box::pin(self.reply()).await?);
                    }
                    Ok(Reply::Array(items))
                }
                Err(_) if rest == "-1" => Ok(Reply::Nil),
                Err(_) => Err(malformed(&line)),
            },
            _ => Err(malformed(&line)),
        }
    }

    async fn bulk(&mut self, length: usize) -> io::Result<Reply> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await?;
        let mut end = [0; 2];
        self.stream.read_exact(&mut end).await?;
        Ok(Reply::Bulk(Bytes::from(bytes)))
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not a RESP2 reply: {line:?}"),
    )
}
