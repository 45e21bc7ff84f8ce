//! The lanes, judged by sessions whose ways are known.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures::future::BoxFuture;
use tokio::sync::Barrier;

use super::*;
use crate::bench::calibration::Idle;
use crate::bench::law::Ground;
use crate::bench::subject::{Outcome, Tier};
use crate::bench::workload::Workload;

const MOMENT: Duration = Duration::from_millis(100);

async fn sent(
    session: impl Session + 'static,
    pace: Pace,
    change: impl FnOnce(&mut Workload),
    ledger: Option<Ledger>,
) -> Recorder {
    let mut workload = Workload::preset("product-read").unwrap();
    change(&mut workload);
    let (session, lane) = (Arc::new(session), Lane { number: 0, of: 1 });
    let phase = &workload.phases[0];
    let ground = Ground::new(&workload, phase, session.keys(), None, 7);
    let course = Course {
        draw: Draw::new(&workload, phase, &ground, lane, 7),
        session,
        lane,
        pace,
        start: SystemClock.now(),
        length: MOMENT,
        ledger: ledger.map(Arc::new),
        bound: None,
        stop: CancellationToken::new(),
        live: None,
    };
    course.run().await.unwrap()
}

/// Answers when so many ask at the same time.
struct Together(Barrier);

impl Session for Together {
    fn keys(&self) -> usize {
        1
    }

    fn perform<'a>(&'a self, _: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            self.0.wait().await;
            Outcome::new(Tier::Redis, State::Current)
        })
    }
}

#[tokio::test]
async fn callers_who_wait_are_under_way_together_and_others_never() {
    let together = Together(Barrier::new(16));
    let pace = Pace::Closed { callers: 16 };
    let some = |it: &mut Workload| it.operations = Some(160);
    let record = sent(together, pace, some, None).await;
    assert_eq!((record.under_way, record.sent), (16, 160));
    let at_once = sent(Idle, pace, some, None).await;
    assert_eq!((at_once.under_way, at_once.sent), (0, 160));
}

/// Does not answer the first one before the phase is over, and all others at once.
struct Stalled(AtomicBool);

impl Session for Stalled {
    fn keys(&self) -> usize {
        1
    }

    fn perform<'a>(&'a self, _: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            SystemClock.sleep(2 * MOMENT).await;
            Outcome::new(Tier::Redis, State::Current)
        })
    }

    fn at_once(&self, _: &Operation) -> Option<Outcome> {
        let is_first = !self.0.swap(true, Ordering::Relaxed);
        (!is_first).then(|| Outcome::new(Tier::Memory, State::Current))
    }
}

#[tokio::test]
async fn what_becomes_due_while_the_target_stands_still_is_held_by_it() {
    let pace = Pace::Open {
        interval_nanos: 1e6,
        most: 1,
    };
    let record = sent(Stalled(AtomicBool::new(false)), pace, |_| {}, None).await;
    let (held, late) = (record.held, record.late);
    assert!(held > 90 && late < 5, "{held} {late}");
}

/// Writes versions, if it writes at all; every look-up is answered with the first one.
struct Old {
    writes: bool,
    version: AtomicI64,
}

impl Session for Old {
    fn keys(&self) -> usize {
        1
    }

    fn at_once(&self, operation: &Operation) -> Option<Outcome> {
        let version = match operation {
            Operation::Write(_) if !self.writes => return Some(Outcome::error()),
            Operation::Write(_) => self.version.fetch_add(1, Ordering::Relaxed) + 1,
            Operation::Read(_)
            | Operation::Absent(_)
            | Operation::Batch(_)
            | Operation::Import(_) => 0,
        };
        Some(Outcome {
            version: Some(version),
            ..Outcome::new(Tier::Memory, State::Current)
        })
    }

    fn perform<'a>(&'a self, _: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::error() })
    }
}

#[tokio::test]
async fn answers_are_judged_once_something_was_written() {
    let pace = Pace::Closed { callers: 1 };
    let judged = async |writes| {
        let version = AtomicI64::new(0);
        let some = |it: &mut Workload| it.operations = Some(500);
        sent(Old { writes, version }, pace, some, Some(Ledger::new(1)))
            .await
            .staleness
    };
    assert_eq!(judged(false).await.len(), 0, "no write came through");
    let written = judged(true).await;
    assert!(written.max() > 0);
}
