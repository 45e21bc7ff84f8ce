//! Many callers who ask for one key at the same moment, and then for the next one.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::recorder::{Flown, Recorder};
use super::run::BenchError;
use super::subject::{Operation, Session};

/// How crowds are to come.
pub(super) struct Crowds<'a> {
    pub(super) session: &'a Arc<dyn Session>,
    /// So many callers each.
    pub(super) callers: usize,
    pub(super) lanes: usize,
    pub(super) length: Duration,
    /// It ends when the next crowd would make it more operations than these.
    pub(super) operations: Option<usize>,
    pub(super) stop: &'a CancellationToken,
}

/// What became of them.
pub(super) struct Gathered {
    /// What they waited.
    pub(super) record: Recorder,
    pub(super) crowds: u64,
    /// Nothing was left to be done before the time was over.
    pub(super) is_done: bool,
}

impl Crowds<'_> {
    /// Lets crowds come, one after the other, until the time is over, every key was asked for, or there
    /// were operations enough.
    pub(super) async fn gather(&self) -> Result<Gathered, BenchError> {
        let start = SystemClock.now();
        let end = start.after(self.length);
        let enough = self.operations.map_or(usize::MAX, |it| it / self.callers);
        let mut gathered = Gathered {
            record: Recorder::new(start, self.length),
            crowds: 0,
            is_done: true,
        };
        let record = &mut gathered.record;
        for key in 0..self.session.keys().min(enough) {
            if SystemClock.now() >= end || self.stop.is_cancelled() {
                gathered.is_done = false;
                break;
            }
            let moment = SystemClock.now();
            let mut tasks = JoinSet::new();
            for lane in 0..self.lanes {
                let more = usize::from(lane < self.callers % self.lanes);
                let part = self.callers / self.lanes + more;
                tasks.spawn(ask(Arc::clone(self.session), key, part, moment));
            }
            while let Some(flown) = tasks.join_next().await {
                let flown = flown.map_err(BenchError::panicked)?;
                let count = u64::try_from(flown.len()).unwrap_or_default();
                record.sent += count;
                record.waited += count;
                record.looked_up += count;
                for flown in &flown {
                    record.record(flown);
                }
            }
            gathered.crowds += 1;
        }
        Ok(gathered)
    }
}

async fn ask(session: Arc<dyn Session>, key: usize, callers: usize, moment: Tick) -> Vec<Flown> {
    let operation = Operation::Read(key);
    let calls: FuturesUnordered<_> = (0..callers)
        .map(|_| async {
            let outcome = match session.at_once(&operation) {
                Some(outcome) => outcome,
                None => session.perform(&operation).await,
            };
            (outcome, SystemClock.now())
        })
        .collect();
    let outcomes: Vec<_> = calls.collect().await;
    let flown = outcomes.into_iter().map(|(outcome, ended)| Flown {
        operation: operation.clone(),
        outcome,
        intended: moment,
        began: moment,
        ended,
        imported: Vec::new(),
    });
    flown.collect()
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::super::subject::{Outcome, State, Tier};
    use super::*;

    /// Three keys, of which looking up one may be a bug.
    struct Shop {
        bug: Option<usize>,
    }

    impl Session for Shop {
        fn keys(&self) -> usize {
            3
        }

        fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
            assert_ne!(Some(operation), self.bug.map(Operation::Read).as_ref());
            Box::pin(async { Outcome::new(Tier::Database, State::Current) })
        }
    }

    async fn gathered(
        bug: Option<usize>,
        length: Duration,
        operations: Option<usize>,
    ) -> Result<Gathered, BenchError> {
        let session: Arc<dyn Session> = Arc::new(Shop { bug });
        let crowds = Crowds {
            session: &session,
            callers: 10,
            lanes: 3,
            length,
            operations,
            stop: &CancellationToken::new(),
        };
        crowds.gather().await
    }

    #[tokio::test]
    async fn crowds_end_with_the_keys_the_operations_or_the_time() {
        let hour = Duration::from_hours(1);
        for (length, operations, crowds, is_done) in [
            (hour, None, 3, true),
            (hour, Some(29), 2, true),
            (hour, Some(1000), 3, true),
            (Duration::ZERO, None, 0, false),
        ] {
            let gathered = gathered(None, length, operations).await.unwrap();
            assert_eq!((gathered.crowds, gathered.is_done), (crowds, is_done));
            assert_eq!(gathered.record.sent, crowds * 10);
        }
    }

    #[tokio::test]
    async fn a_lane_that_fails_fails_the_run() {
        let outcome = gathered(Some(1), Duration::from_hours(1), None).await;
        assert!(matches!(outcome, Err(BenchError::Panicked(_))));
    }
}
