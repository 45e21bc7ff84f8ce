//! The wish that a command ends: Ctrl-C, or whoever runs jobs wants this one to end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::exit::Failure;

/// Counts them, from the moment on that it is made: none is lost while nobody waits for one.
pub(crate) struct Interrupts(Mutex<Heard>);

struct Heard {
    interrupt: Signal,
    terminate: Signal,
    count: u32,
}

impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let hear = |kind| {
            let heard = signal(kind);
            heard.map_err(|error| Failure::unexpected(format!("failed to handle signals: {error}")))
        };
        Ok(Self(Mutex::new(Heard {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            count: 0,
        })))
    }

    /// Completes with the first one, at once if it has come.
    pub(crate) async fn first(&self) {
        self.came(1).await;
    }

    /// Completes with the second one: somebody does not want to wait.
    pub(crate) async fn second(&self) {
        self.came(2).await;
    }

    /// Completes with one more than were waited for until now.
    pub(crate) async fn next(&self) {
        self.0.lock().await.one().await;
    }

    async fn came(&self, times: u32) {
        let mut heard = self.0.lock().await;
        while heard.count < times {
            heard.one().await;
        }
    }
}

impl Heard {
    async fn one(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        self.count += 1;
    }
}
