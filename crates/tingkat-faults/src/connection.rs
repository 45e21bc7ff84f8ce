//! One client and its connection to the upstream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::control::Shared;
use crate::direction::Way;
use crate::lane::Lane;
use crate::pump::{self, Finish};

/// How long the upstream may take to accept: a client of a black hole gives up long before.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection's number and its entry among the open ones, which goes when this is dropped.
pub(crate) struct Place {
    pub(crate) shared: Arc<Shared>,
    pub(crate) number: u64,
}

/// How a connection ends for both sides.
enum End {
    /// In order (FIN).
    Close,
    /// With RST.
    Reset,
}

/// Carries bytes until one side, or a fault, ends the connection.
///
/// Parameters are dropped from the last to the first, so the place goes when the socket is closed:
/// whoever waits for the connection to end finds it ended.
pub(crate) async fn run(place: Place, mut client: TcpStream) {
    let upstream = tokio::select! {
        end = ordered_end(&place) => return conclude(&end, &client, None),
        upstream = dial(&place.shared.upstream) => upstream,
    };
    let Ok(mut upstream) = upstream else {
        return reset(&client);
    };
    let end = tokio::select! {
        end = ordered_end(&place) => end,
        end = carry(&mut client, &mut upstream, &place) => end,
    };
    conclude(&end, &client, Some(&upstream));
}

/// Makes dropping this socket send RST.
pub(crate) fn reset(socket: &TcpStream) {
    // Fails only for a socket that the peer has already reset.
    let _ = socket.set_zero_linger();
}

async fn dial(upstream: &str) -> io::Result<TcpStream> {
    tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(upstream)).await?
}

/// Both ways at once, until both have ended in order or one has ended the whole connection.
async fn carry(client: &mut TcpStream, upstream: &mut TcpStream, place: &Place) -> End {
    // The proxy may not add delays of its own.
    for socket in [&*client, &*upstream] {
        // Fails only for a socket that the peer has already reset, which the pumps find out.
        let _ = socket.set_nodelay(true);
    }
    let (client_reads, client_writes) = client.split();
    let (upstream_reads, upstream_writes) = upstream.split();
    let up = pump::run(client_reads, upstream_writes, Lane::new(place, Way::Up));
    let down = pump::run(upstream_reads, client_writes, Lane::new(place, Way::Down));
    tokio::pin!(up, down);
    let (first, other) = tokio::select! {
        first = &mut up => (first, down),
        first = &mut down => (first, up),
    };
    let last = match first {
        Ok(Finish::Eof) => other.await,
        ended => ended,
    };
    match last {
        Ok(Finish::Eof | Finish::Cut) => End::Close,
        // The side that reset the connection is not told again; the other one is.
        Err(_) => End::Reset,
    }
}

/// Waits for a fault that ends this connection.
async fn ordered_end(place: &Place) -> End {
    let mut faults = place.shared.faults.subscribe();
    let number = place.number;
    let ended = faults
        .wait_for(|f| number < f.severed_below || number < f.reset_below)
        .await;
    match ended {
        Ok(faults) if number < faults.reset_below => End::Reset,
        // The sender is in `place.shared`, so this is never the end of the channel.
        Ok(_) | Err(_) => End::Close,
    }
}

fn conclude(end: &End, client: &TcpStream, upstream: Option<&TcpStream>) {
    match end {
        End::Close => {}
        End::Reset => {
            reset(client);
            if let Some(upstream) = upstream {
                reset(upstream);
            }
        }
    }
}

impl Place {
    /// Enters a new connection among the open ones.
    pub(crate) fn take(shared: Arc<Shared>) -> Self {
        let mut number = 0;
        shared.connections.send_modify(|connections| {
            number = connections.next;
            connections.next += 1;
            connections.open.insert(number);
        });
        Self { shared, number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.connections.send_modify(|connections| {
            connections.open.remove(&self.number);
        });
    }
}
