//! The proxy as its owner sees it: started, used through its control, gone when dropped.

use std::io;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::sync::Arc;

use tokio::net::ToSocketAddrs;
use tokio::task::JoinSet;

use crate::acceptor;
use crate::control::{Control, Shared};
use crate::door::Door;

/// Connections carried at the same time; one more is reset. With two buffers of 16 KiB each this
/// bounds a proxy to 32 MiB.
pub const MAX_CONNECTIONS: usize = 1024;

/// A running proxy. It derefs to its [`Control`], and stops with all its connections on drop.
#[derive(Debug)]
pub struct Proxy {
    control: Control,
    /// The acceptor, which owns the tasks of the connections.
    tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 in front of `upstream` (`host:port`). The upstream need
    /// not exist yet: it is dialled once for each connection, and a client whose upstream cannot be
    /// reached is reset.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(upstream: impl Into<String>) -> io::Result<Self> {
        Self::bind((Ipv4Addr::LOCALHOST, 0), upstream).await
    }

    /// Listens on `listen` in front of `upstream`.
    ///
    /// # Errors
    /// The address is not known or cannot be listened on.
    pub async fn bind(listen: impl ToSocketAddrs, upstream: impl Into<String>) -> io::Result<Self> {
        let listen = tokio::net::lookup_host(listen).await?.next();
        let listen =
            listen.ok_or_else(|| io::Error::other("the name to listen on has no address"))?;
        let door = Door::open_at(listen)?;
        let shared = Arc::new(Shared::new(door.addr(), upstream.into()));
        let (doorbell, entrance_done) = acceptor::doorbell();
        let mut tasks = JoinSet::new();
        tasks.spawn(acceptor::run(door, Arc::clone(&shared), doorbell));
        Ok(Self {
            control: Control::new(shared, entrance_done),
            tasks,
        })
    }

    /// A handle to the faults, for another task.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops, and returns when the port is free and every connection has been dropped. Dropping the
    /// proxy does the same without waiting.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.control.emptied().await;
    }
}

impl Deref for Proxy {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
