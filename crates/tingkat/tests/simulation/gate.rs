//! How a process is stopped: nothing on it goes on while time does, and it keeps what it had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::ports::{Clock, Tick};
use tingkat_testkit::TestClock;
use tokio::sync::Notify;

/// What everything on a node passes before it goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_closed: AtomicBool,
    opened: Notify,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.0.is_closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) {
        self.0.is_closed.store(false, Ordering::Relaxed);
        self.0.opened.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::Relaxed)
    }

    /// Goes on once the gate is open.
    pub(crate) async fn pass(&self) {
        loop {
            let opened = self.0.opened.notified();
            if !self.is_closed() {
                return;
            }
            opened.await;
        }
    }
}

/// A clock whose timers are late on a stopped node.
#[derive(Debug)]
pub(crate) struct GatedClock {
    pub(crate) clock: TestClock,
    pub(crate) gate: Gate,
}

impl Clock for GatedClock {
    fn now(&self) -> Tick {
        self.clock.now()
    }

    fn coarse(&self) -> Tick {
        // A coarse clock is behind by up to a tick of the kernel.
        self.clock.now().before(Duration::from_millis(4))
    }

    fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (sleep, gate) = (self.clock.sleep(duration), self.gate.clone());
        Box::pin(async move {
            sleep.await;
            gate.pass().await;
        })
    }
}
