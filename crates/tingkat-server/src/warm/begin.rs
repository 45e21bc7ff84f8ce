//! What goes on before the first key is warmed: it ends by the same wish and the same clock as the rest.

use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tingkat::warm::{End, Report};

use crate::exit::Failure;
use crate::signals::Interrupts;

/// The beginning of a command, from which its time is counted.
pub(super) struct Start<'a> {
    at: Tick,
    timeout: Option<Duration>,
    interrupts: &'a Interrupts,
}

/// What came of a step.
pub(super) enum Begun<T> {
    Well(T),
    /// Somebody stopped it, or its time was over: nothing was warmed.
    Ended(Report),
}

impl<'a> Start<'a> {
    pub(super) fn now(timeout: Option<Duration>, interrupts: &'a Interrupts) -> Self {
        Self {
            at: SystemClock.now(),
            timeout,
            interrupts,
        }
    }

    pub(super) const fn interrupts(&self) -> &'a Interrupts {
        self.interrupts
    }

    /// What is left of the time; nothing where there is no limit.
    pub(super) fn left(&self) -> Option<Duration> {
        let timeout = self.timeout?;
        Some(timeout.saturating_sub(self.took()))
    }

    fn took(&self) -> Duration {
        SystemClock.now().since(self.at)
    }

    /// A step before anything is warmed.
    pub(super) async fn with<T>(
        &self,
        step: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Begun<T>, Failure> {
        let time = async {
            match self.left() {
                Some(left) => SystemClock.sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = step => outcome.map(Begun::Well),
            () = self.interrupts.first() => Ok(Begun::Ended(self.nothing(End::Cancelled))),
            () = time => Ok(Begun::Ended(self.nothing(End::TimedOut))),
        }
    }

    /// The report of a run in which nothing was done.
    fn nothing(&self, end: End) -> Report {
        self.whole(Report {
            end,
            ..Report::default()
        })
    }

    /// A report with the time from the beginning on.
    pub(super) fn whole(&self, report: Report) -> Report {
        Report {
            seconds: self.took().as_secs_f64(),
            ..report
        }
    }
}
