//! How the program is told to stop: once, and it takes its time; twice, and it ends.

use std::sync::Arc;
use std::time::Duration;

use tingkat::ports::Clock;
use tingkat_health::Observed;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::supervisor;
use crate::exit::Failure;

/// Signals that follow the first one this closely say the same.
const SAME_WISH: Duration = Duration::from_millis(200);

pub(super) fn handler(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::unexpected(format!("failed to handle signals: {error}")))
}

/// SIGTERM and Ctrl-C.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// What happens at the first signal.
pub(super) struct Leave {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observed: Arc<watch::Sender<Observed>>,
    /// For how long it goes on serving: so long others may go on sending requests here.
    pub(super) delay: Duration,
    pub(super) shutdown: CancellationToken,
}

impl Leave {
    async fn begin(&self) {
        self.observed
            .send_modify(|observed| observed.draining = true);
        supervisor::stopping();
        if !self.delay.is_zero() {
            tracing::info!(
                "stopping in {:?}: /readyz tells that no new requests are wanted",
                self.delay
            );
            self.clock.sleep(self.delay).await;
        }
        tracing::info!("stopping: no new connections; requests under way are finished");
        self.shutdown.cancel();
    }
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
        })
    }

    /// Begins to stop at the first signal; returns at the second, which waits for nobody.
    pub(super) async fn twice(&mut self, leave: Leave) {
        self.first().await;
        let leaving = async {
            leave.begin().await;
            std::future::pending::<()>().await;
        };
        let again = async {
            // Some supervisors signal a process and then its group: that is one wish, told twice.
            let _ = tokio::time::timeout(SAME_WISH, self.all()).await;
            self.first().await;
        };
        tokio::select! {
            // First, so that Ctrl-C is quick.
            biased;
            () = leaving => {}
            () = again => tracing::warn!("stopping at once"),
        }
    }

    /// Takes in signals for ever.
    async fn all(&mut self) {
        loop {
            self.first().await;
        }
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
