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
use super::subject::{Operation, Session};

/// Lets crowds of so many callers come, one after the other, until the time is over or every key was
/// asked for; what they waited, and how many crowds there were.
pub(super) async fn gather(
    session: &Arc<dyn Session>,
    callers: usize,
    lanes: usize,
    length: Duration,
    stop: &CancellationToken,
) -> (Recorder, u64) {
    let start = SystemClock.now();
    let end = start.after(length);
    let mut record = Recorder::new(start, length);
    let mut crowds = 0;
    for key in 0..session.keys() {
        if SystemClock.now() >= end || stop.is_cancelled() {
            break;
        }
        let moment = SystemClock.now();
        let mut tasks = JoinSet::new();
        for lane in 0..lanes {
            let part = callers / lanes + usize::from(lane < callers % lanes);
            tasks.spawn(ask(Arc::clone(session), key, part, moment));
        }
        // A lane that panicked is missed in the count.
        while let Some(Ok(flown)) = tasks.join_next().await {
            let count = u64::try_from(flown.len()).unwrap_or_default();
            record.sent += count;
            for flown in &flown {
                record.record(flown);
            }
        }
        crowds += 1;
    }
    (record, crowds)
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
    });
    flown.collect()
}
