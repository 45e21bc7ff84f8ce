//! The switches of a proxy.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::acceptor::EntranceDone;
use crate::counters::{Counters, Tally};
use crate::direction::Direction;
use crate::faults::{Cut, Delay, Entrance, Faults};

/// A cheap handle that switches the faults of one [`Proxy`](crate::Proxy).
///
/// Faults add up, hold for open connections as well as new ones unless they say otherwise, and last
/// until [`heal`](Self::heal). Bytes that a client sends after a call has returned meet the fault.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
    entrance_done: watch::Receiver<EntranceDone>,
}

/// What the control, the acceptor and the connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) addr: SocketAddr,
    pub(crate) upstream: String,
    pub(crate) faults: watch::Sender<Faults>,
    pub(crate) connections: watch::Sender<Connections>,
    pub(crate) tally: Tally,
}

/// The open connections, by number.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// The number of the next connection. Numbers only grow, so "all that are open now" is
    /// "all with a lower number than this".
    pub(crate) next: u64,
    pub(crate) open: BTreeSet<u64>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>, entrance_done: watch::Receiver<EntranceDone>) -> Self {
        Self {
            shared,
            entrance_done,
        }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// Where the proxy connects to.
    pub fn upstream(&self) -> &str {
        &self.shared.upstream
    }

    /// What has passed so far.
    pub fn counters(&self) -> Counters {
        let open = self.shared.connections.borrow().open.len();
        self.shared.tally.snapshot(open)
    }

    /// Ends every lasting fault: the port listens, bytes that were held go on. Connections that a
    /// fault has closed, or closed on one side, stay so.
    ///
    /// # Errors
    /// The port cannot be opened again, or the proxy has stopped.
    pub async fn heal(&self) -> io::Result<()> {
        let mut order = 0;
        self.change(|faults| order = faults.heal());
        self.entrance_is(order).await
    }

    /// Closes the port: new connections are refused (`ECONNREFUSED`), open ones go on.
    ///
    /// # Errors
    /// The proxy has stopped.
    pub async fn refuse(&self) -> io::Result<()> {
        self.set_entrance(Entrance::Refusing).await
    }

    /// Resets every open connection (RST), and each new one as soon as it is accepted.
    ///
    /// # Errors
    /// The port cannot be opened again after [`refuse`](Self::refuse), or the proxy has stopped.
    pub async fn reset(&self) -> io::Result<()> {
        self.set_entrance(Entrance::Resetting).await?;
        self.reset_open().await;
        Ok(())
    }

    /// Refuses new connections and resets open ones, as when the upstream's process dies.
    ///
    /// # Errors
    /// The proxy has stopped.
    pub async fn down(&self) -> io::Result<()> {
        self.refuse().await?;
        self.reset_open().await;
        Ok(())
    }

    /// Closes every open connection; new ones are carried. Returns when they are closed. A
    /// connection that the proxy has not accepted yet counts as new.
    pub async fn sever(&self) {
        let next = self.next_connection();
        self.change(|faults| faults.severed_below = next);
        self.closed_below(next).await;
    }

    /// Resets a new connection while `connections` are open, as a server does that has reached its
    /// limit. [`MAX_CONNECTIONS`](crate::MAX_CONNECTIONS) cannot be exceeded.
    pub fn limit(&self, connections: usize) {
        self.change(|faults| faults.limit = Some(connections));
    }

    /// A black hole: nothing moves in this direction and nothing closes. The proxy stops reading
    /// after one chunk, so the sender's buffers fill and it feels the stall.
    pub fn pause(&self, direction: Direction) {
        self.change(|faults| {
            for way in direction.ways() {
                faults.lane_mut(*way).paused = true;
            }
        });
    }

    /// Makes each chunk (at most 16 KiB) wait for `base` plus up to `jitter`. Chunks wait one after
    /// the other, so this also limits the throughput.
    pub fn delay(&self, direction: Direction, base: Duration, jitter: Duration) {
        self.change(|faults| {
            for way in direction.ways() {
                faults.lane_mut(*way).delay = Some(Delay { base, jitter });
            }
        });
    }

    /// Lets each connection carry `bytes` more in this direction, then closes it, in the middle of
    /// a message if it so happens. A new connection has the same allowance.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.change(|faults| {
            faults.cuts += 1;
            let order = faults.cuts;
            for way in direction.ways() {
                faults.lane_mut(*way).cut = Some(Cut {
                    order,
                    after: bytes,
                });
            }
        });
    }

    /// Ends this direction of every open connection: the receiver sees the end of the stream, what
    /// the sender still writes is thrown away, and the other direction goes on.
    pub fn half_close(&self, direction: Direction) {
        let next = self.next_connection();
        self.change(|faults| {
            for way in direction.ways() {
                faults.lane_mut(*way).ended_below = next;
            }
        });
    }

    /// Waits until no connection is open.
    pub(crate) async fn emptied(&self) {
        self.closed_below(u64::MAX).await;
    }

    async fn set_entrance(&self, entrance: Entrance) -> io::Result<()> {
        let mut order = 0;
        self.change(|faults| order = faults.set_entrance(entrance));
        self.entrance_is(order).await
    }

    /// Waits until the acceptor has carried out this order or a later one.
    async fn entrance_is(&self, order: u64) -> io::Result<()> {
        let mut done = self.entrance_done.clone();
        let done = done
            .wait_for(|done| done.order >= order)
            .await
            .map_err(|_| io::Error::other("the proxy has stopped"))?;
        match done.failed {
            None => Ok(()),
            Some(kind) => Err(io::Error::new(
                kind,
                format!("failed to listen on {} again", self.addr()),
            )),
        }
    }

    async fn reset_open(&self) {
        let next = self.next_connection();
        self.change(|faults| faults.reset_below = next);
        self.closed_below(next).await;
    }

    async fn closed_below(&self, number: u64) {
        let mut connections = self.shared.connections.subscribe();
        // The sender is in `shared`, which this handle keeps alive.
        let _ = connections
            .wait_for(|c| c.open.first().is_none_or(|oldest| *oldest >= number))
            .await;
    }

    fn next_connection(&self) -> u64 {
        self.shared.connections.borrow().next
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        self.shared.faults.send_modify(change);
    }
}

impl Shared {
    pub(crate) fn new(addr: SocketAddr, upstream: String) -> Self {
        Self {
            addr,
            upstream,
            faults: watch::Sender::default(),
            connections: watch::Sender::default(),
            tally: Tally::default(),
        }
    }
}
