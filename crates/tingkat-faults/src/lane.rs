//! One way through one connection: what the faults in force say to its next bytes.

use std::sync::Arc;

use tokio::sync::watch;

use crate::connection::Place;
use crate::control::Shared;
use crate::direction::Way;
use crate::faults::{Faults, LaneFaults};
use crate::jitter::Jitter;

/// The view of one pump on the faults.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    faults: watch::Receiver<Faults>,
    way: Way,
    connection: u64,
    jitter: Jitter,
    allowance: Option<Allowance>,
}

/// What is left of a cut.
struct Allowance {
    order: u64,
    left: u64,
}

impl Lane {
    pub(crate) fn new(place: &Place, way: Way) -> Self {
        Self {
            shared: Arc::clone(&place.shared),
            faults: place.shared.faults.subscribe(),
            way,
            connection: place.number,
            jitter: Jitter::new(place.number, way),
            allowance: None,
        }
    }

    /// Waits while this way is paused.
    async fn unpaused(&mut self) {
        let way = self.way;
        self.until(|faults| !faults.lane(way).paused).await;
    }

    /// Waits until the next chunk may go: not paused, and delayed as ordered. A change of the
    /// faults while it waits counts at once.
    pub(crate) async fn clear_to_send(&mut self) {
        let mut has_waited = false;
        let first = self.now();
        if first.paused || first.delay.is_some() {
            self.shared.tally.hold();
        }
        loop {
            self.unpaused().await;
            let now = self.now();
            let delay = match now.delay {
                Some(delay) if !has_waited => delay,
                Some(_) | None => return,
            };
            let way = self.way;
            let wait = delay.base + self.jitter.below(delay.jitter);
            tokio::select! {
                () = tokio::time::sleep(wait) => has_waited = true,
                () = self.until(|faults| *faults.lane(way) != now) => {}
            }
        }
    }

    /// How many of `bytes` may still go, and whether the connection is cut after them.
    pub(crate) fn allow(&mut self, bytes: usize) -> (usize, bool) {
        let Some(cut) = self.now().cut else {
            self.allowance = None;
            return (bytes, false);
        };
        let allowance = self.allowance.get_or_insert(Allowance {
            order: cut.order,
            left: cut.after,
        });
        if allowance.order != cut.order {
            *allowance = Allowance {
                order: cut.order,
                left: cut.after,
            };
        }
        let allowed = usize::try_from(allowance.left).map_or(bytes, |left| left.min(bytes));
        allowance.left -= allowed as u64;
        (allowed, allowance.left == 0)
    }

    /// Waits for a fault that ends this way alone.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let (way, connection) = (self.way, self.connection);
        let shared = Arc::clone(&self.shared);
        async move {
            let mut faults = shared.faults.subscribe();
            let _ = faults
                .wait_for(|faults| connection < faults.lane(way).ended_below)
                .await;
        }
    }

    /// Counts this connection as one that a cut has ended.
    pub(crate) fn was_cut(&self) {
        self.shared.tally.cut();
    }

    /// Counts bytes that the receiver has.
    pub(crate) fn carried(&self, bytes: usize) {
        self.shared.tally.carry(self.way, bytes);
    }

    fn now(&self) -> LaneFaults {
        *self.faults.borrow().lane(self.way)
    }

    async fn until(&mut self, is_so: impl FnMut(&Faults) -> bool) {
        // The sender is in `shared`, so this is never the end of the channel.
        let _ = self.faults.wait_for(is_so).await;
    }
}
