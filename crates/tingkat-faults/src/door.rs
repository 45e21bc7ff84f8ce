//! The listening port, which can be closed and opened again without being lost to others.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that wait for `accept`.
const BACKLOG: u32 = 1024;

/// A TCP port on which the proxy listens, or which it holds without listening.
#[derive(Debug)]
pub(crate) struct Door {
    addr: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(TcpListener),
    /// Bound but not listening: the kernel refuses connections, and gives the port to nobody who
    /// asks for any free one.
    Held(TcpSocket),
    /// The port could not be held. Opening tries to bind it again.
    Lost,
}

impl Door {
    /// Listens on `addr`; port 0 takes a free one.
    pub(crate) fn open_at(addr: SocketAddr) -> io::Result<Self> {
        let listener = bound(addr)?.listen(BACKLOG)?;
        Ok(Self {
            addr: listener.local_addr()?,
            state: State::Open(listener),
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening. Connections that nobody has accepted yet are reset.
    pub(crate) fn close(&mut self) {
        if matches!(self.state, State::Open(_)) {
            // The listener must be gone before the port can be bound again.
            self.state = State::Lost;
            if let Ok(socket) = bound(self.addr) {
                self.state = State::Held(socket);
            }
        }
    }

    /// Listens again.
    ///
    /// # Errors
    /// The port could not be held while the door was closed, and somebody else has it now.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.state, State::Lost) {
            State::Held(socket) => socket,
            State::Lost => bound(self.addr)?,
            open @ State::Open(_) => {
                self.state = open;
                return Ok(());
            }
        };
        self.state = State::Open(socket.listen(BACKLOG)?);
        Ok(())
    }

    /// The next connection; never, while the door is closed.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        match &self.state {
            State::Open(listener) => Ok(listener.accept().await?.0),
            State::Held(_) | State::Lost => std::future::pending().await,
        }
    }
}

/// A socket with this address. The address may be reused: connections of an earlier listener
/// linger on the same port.
fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}
