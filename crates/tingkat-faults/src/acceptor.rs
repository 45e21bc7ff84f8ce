//! The task that owns the listening port and the tasks of the connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::{self, Place};
use crate::control::Shared;
use crate::door::Door;
use crate::faults::Entrance;
use crate::proxy::MAX_CONNECTIONS;

/// How long `accept` rests after an error: the usual one is that descriptors have run out, which
/// lasts, and asking again at once would spin.
const ACCEPT_REST: Duration = Duration::from_millis(10);

/// The last order about the entrance that was carried out, and how it went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EntranceDone {
    pub(crate) order: u64,
    pub(crate) failed: Option<io::ErrorKind>,
}

/// Where the acceptor says what it has done, and where the control hears it. The control learns
/// from the closed channel that the acceptor is gone.
pub(crate) fn doorbell() -> (watch::Sender<EntranceDone>, watch::Receiver<EntranceDone>) {
    watch::channel(EntranceDone::default())
}

/// Accepts until it is aborted; its connections end with it.
pub(crate) async fn run(
    mut door: Door,
    shared: Arc<Shared>,
    doorbell: watch::Sender<EntranceDone>,
) {
    let mut faults = shared.faults.subscribe();
    let mut carried = JoinSet::new();
    let mut entrance = Entrance::Open;
    loop {
        let (wanted, order) = {
            let faults = faults.borrow_and_update();
            (faults.entrance, faults.entrance_order)
        };
        if doorbell.borrow().order != order {
            entrance = wanted;
            let failed = move_to(&mut door, wanted).err().map(|e| e.kind());
            doorbell.send_replace(EntranceDone { order, failed });
        }
        tokio::select! {
            // A change of the entrance goes before the next connection.
            biased;
            // The sender is in `shared`, so this is never the end of the channel.
            _ = faults.changed() => {}
            // A panic has been reported, and has closed its own connection only.
            Some(_) = carried.join_next() => {}
            accepted = door.accept() => match accepted {
                Ok(client) => admit(client, entrance, &shared, &mut carried),
                Err(_) => tokio::time::sleep(ACCEPT_REST).await,
            },
        }
    }
}

fn move_to(door: &mut Door, entrance: Entrance) -> io::Result<()> {
    match entrance {
        Entrance::Open | Entrance::Resetting => door.open(),
        Entrance::Refusing => {
            door.close();
            Ok(())
        }
    }
}

fn admit(client: TcpStream, entrance: Entrance, shared: &Arc<Shared>, carried: &mut JoinSet<()>) {
    let limit = shared.faults.borrow().limit.unwrap_or(MAX_CONNECTIONS);
    let full = shared.connections.borrow().open.len() >= limit.min(MAX_CONNECTIONS);
    if full || entrance == Entrance::Resetting {
        shared.tally.turn_away();
        connection::reset(&client);
        return;
    }
    shared.tally.accept();
    let place = Place::take(Arc::clone(shared));
    carried.spawn(connection::run(place, client));
}
