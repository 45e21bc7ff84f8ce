//! How long it takes until others see a write: one key after the other is written, and looked up until the
//! answer is no older than that.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tokio_util::sync::CancellationToken;

use super::number::{micros, nanos};
use super::recorder::{Flown, Recorder, histogram};
use super::report::Lag;
use super::subject::{Operation, Outcome, Session};

/// Between two look-ups of a key, so that they are not all that the machine does.
const PAUSE: Duration = Duration::from_millis(1);

/// A write that nobody has seen by then is not seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// How writes are to be watched.
pub(super) struct Watch<'a> {
    pub(super) session: &'a Arc<dyn Session>,
    pub(super) length: Duration,
    /// It ends when there were so many.
    pub(super) operations: Option<usize>,
    pub(super) stop: &'a CancellationToken,
}

/// What was seen.
pub(super) struct Watched {
    pub(super) record: Recorder,
    pub(super) lag: Lag,
    /// There were operations enough before the time was over.
    pub(super) is_done: bool,
}

impl Watch<'_> {
    /// Writes and looks up until the time is over, or there were operations enough.
    pub(super) async fn watch(&self) -> Watched {
        let start = SystemClock.now();
        let end = start.after(self.length);
        let mut record = Recorder::new(start, self.length);
        let most = self.operations.and_then(|it| u64::try_from(it).ok());
        let most = most.unwrap_or(u64::MAX);
        let (mut lags, mut unseen) = (histogram(), 0);
        for key in (0..self.session.keys()).cycle() {
            let is_over = SystemClock.now() >= end || record.sent >= most;
            if is_over || self.stop.is_cancelled() {
                break;
            }
            // So that there is an older answer that can be given.
            self.ask(Operation::Read(key), &mut record).await;
            let (written, returned) = self.ask(Operation::Write(key), &mut record).await;
            let Some(version) = written.version else {
                continue;
            };
            match self.seen(key, version, returned, &mut record).await {
                Some(at) => lags.saturating_record(nanos(at.since(returned))),
                None if self.stop.is_cancelled() => {}
                None => unseen += 1,
            }
        }
        Watched {
            is_done: record.sent >= most,
            lag: told(&lags, unseen),
            record,
        }
    }

    /// When an answer came that is no older than the version; nothing if none did.
    async fn seen(
        &self,
        key: usize,
        version: i64,
        returned: Tick,
        record: &mut Recorder,
    ) -> Option<Tick> {
        loop {
            let (outcome, ended) = self.ask(Operation::Read(key), record).await;
            if outcome.version.is_some_and(|it| it >= version) {
                return Some(ended);
            }
            if ended.since(returned) > PATIENCE || self.stop.is_cancelled() {
                return None;
            }
            SystemClock.sleep(PAUSE).await;
        }
    }

    async fn ask(&self, operation: Operation, record: &mut Recorder) -> (Outcome, Tick) {
        record.sent += 1;
        record.looked_up += operation.looked_up();
        let began = SystemClock.now();
        let outcome = if let Some(outcome) = self.session.at_once(&operation) {
            outcome
        } else {
            record.waited += 1;
            self.session.perform(&operation).await
        };
        let ended = SystemClock.now();
        record.record(&Flown {
            operation,
            outcome,
            intended: began,
            began,
            ended,
            imported: Vec::new(),
        });
        (outcome, ended)
    }
}

fn told(lags: &Histogram<u64>, unseen: u64) -> Lag {
    let at = |quantile| micros(lags.value_at_quantile(quantile)) / 1e3;
    Lag {
        seen: lags.len(),
        unseen,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        max_ms: micros(lags.max()) / 1e3,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures::future::BoxFuture;

    use super::super::subject::{State, Tier};
    use super::*;

    /// Shows a write at the third look-up after it, or never.
    struct Late {
        is_blind: bool,
        version: AtomicI64,
        looks: AtomicI64,
    }

    impl Session for Late {
        fn keys(&self) -> usize {
            1
        }

        fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
            let version = if let Operation::Write(_) = operation {
                self.looks.store(0, Ordering::Relaxed);
                self.version.fetch_add(1, Ordering::Relaxed) + 1
            } else {
                let looks = self.looks.fetch_add(1, Ordering::Relaxed);
                let is_old = self.is_blind || looks < 2;
                self.version.load(Ordering::Relaxed) - i64::from(is_old)
            };
            Box::pin(async move {
                Outcome {
                    version: Some(version),
                    ..Outcome::new(Tier::Memory, State::Current)
                }
            })
        }
    }

    async fn watched(is_blind: bool, stop: &CancellationToken) -> Watched {
        let session: Arc<dyn Session> = Arc::new(Late {
            is_blind,
            version: AtomicI64::new(1),
            looks: AtomicI64::new(0),
        });
        let watch = Watch {
            session: &session,
            length: Duration::from_hours(1),
            operations: Some(50),
            stop,
        };
        watch.watch().await
    }

    #[tokio::test]
    async fn the_lag_is_from_the_return_of_a_write_to_the_first_answer_that_has_it() {
        let watched = watched(false, &CancellationToken::new()).await;
        // A look-up, a write and three look-ups each.
        assert_eq!((watched.lag.seen, watched.lag.unseen), (10, 0));
        assert_eq!(watched.record.sent, 50);
        assert!(watched.is_done);
        // There are two pauses between the first look-up and the third one.
        assert!(watched.lag.p50_ms >= 2.0, "{:?}", watched.lag);
    }

    #[tokio::test]
    async fn a_write_that_is_not_seen_when_it_is_stopped_is_no_lag() {
        let stop = CancellationToken::new();
        let (watched, ()) = tokio::join!(watched(true, &stop), async { stop.cancel() });
        assert_eq!((watched.lag.seen, watched.lag.unseen), (0, 0));
    }
}
