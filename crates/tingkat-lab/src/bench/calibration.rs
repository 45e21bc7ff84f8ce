//! What measuring costs: all lanes send to a target that does nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tokio_util::sync::CancellationToken;

use super::lane::{Course, Pace};
use super::law::{Draw, Ground, Lane};
use super::number::{nanos, real};
use super::phase::process_time;
use super::report::Generator;
use super::run::BenchError;
use super::statistics::median;
use super::subject::{Operation, Outcome, Session, State, Tier};
use super::workload::{Workload, WorkloadError};

/// For how long it is tried each time, and how often: the median counts.
const LENGTH: Duration = Duration::from_millis(60);
const TIMES: usize = 3;

/// More lanes are more than any machine needs to keep a server busy.
const MOST_LANES: usize = 16;

/// So many operations of a lane wait at the same time.
const CALLERS: usize = 16;

/// Finds out what operations cost that are answered at once, and what those that are waited for; over
/// HTTP by asking `idle`.
pub(super) async fn calibrate(
    workload: &Workload,
    idle: Option<Arc<dyn Session>>,
) -> Result<Generator, BenchError> {
    let lanes = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(MOST_LANES);
    let at_once = Pace::Open {
        interval_nanos: 0.0,
        most: 1,
    };
    let (at_once, rate) = tried(workload, &(Arc::new(Idle) as _), at_once, lanes).await?;
    let is_over_http = idle.is_some();
    let waiting = idle.unwrap_or_else(|| Arc::new(Waiting));
    let pace = Pace::Closed { callers: CALLERS };
    let (waited, rate_of_waited) = tried(workload, &waiting, pace, lanes).await?;
    Ok(Generator {
        lanes,
        nanos_per_operation: if is_over_http { waited } else { at_once },
        nanos_per_wait: waited,
        highest_rate: if is_over_http { rate_of_waited } else { rate },
        is_over_http,
    })
}

/// Nanoseconds of a core for an operation, and operations a second of all lanes: the medians.
async fn tried(
    workload: &Workload,
    session: &Arc<dyn Session>,
    pace: Pace,
    lanes: usize,
) -> Result<(f64, f64), BenchError> {
    let (mut costs, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let (cost, rate) = once(workload, session, pace, lanes).await?;
        costs.push(cost);
        rates.push(rate);
    }
    let middle = |numbers: &[f64]| median(numbers).unwrap_or_default();
    Ok((middle(&costs), middle(&rates)))
}

async fn once(
    workload: &Workload,
    session: &Arc<dyn Session>,
    pace: Pace,
    lanes: usize,
) -> Result<(f64, f64), BenchError> {
    let Some(phase) = workload.phases.first() else {
        return Err(BenchError::Workload(WorkloadError::no_phase()));
    };
    // Until the time is over, and not until each key was asked for.
    let (mut workload, mut phase) = (workload.clone(), phase.clone());
    (workload.operations, phase.once) = (None, false);
    let ground = Ground::new(&workload, &phase, session.keys(), None, 0);
    let (start, cpu) = (SystemClock.now(), process_time());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..lanes {
        let lane = Lane { number, of: lanes };
        let course = Course {
            draw: Draw::new(&workload, &phase, &ground, lane, 0),
            session: Arc::clone(session),
            lane,
            pace,
            start,
            length: LENGTH,
            ledger: None,
            bound: None,
            stop: CancellationToken::new(),
            live: None,
        };
        tasks.spawn(course.run());
    }
    let mut sent = 0;
    while let Some(record) = tasks.join_next().await {
        let record = record.map_err(BenchError::panicked)?;
        sent += record.map_err(BenchError::Timer)?.sent;
    }
    let (wall, busy) = (
        SystemClock.now().since(start),
        process_time().saturating_sub(cpu),
    );
    let sent = real(sent.max(1));
    Ok((
        real(nanos(busy)) / sent,
        sent / wall.as_secs_f64().max(1e-9),
    ))
}

/// Answers at once and does nothing: what it costs to measure it is what measuring costs.
pub(super) struct Idle;

impl Session for Idle {
    fn keys(&self) -> usize {
        1000
    }

    fn at_once(&self, _: &Operation) -> Option<Outcome> {
        Some(Outcome::new(Tier::Unknown, State::Current))
    }

    fn perform<'a>(&'a self, _: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::error() })
    }
}

/// Does nothing either, and lets its caller wait for it once.
struct Waiting;

impl Session for Waiting {
    fn keys(&self) -> usize {
        1000
    }

    fn perform<'a>(&'a self, _: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            tokio::task::yield_now().await;
            Outcome::new(Tier::Unknown, State::Current)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::HttpSubject;
    use super::super::subject::Subject as _;
    use super::super::workload::Entity;
    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_is_tried_as_well_and_over_http_a_service_that_does_nothing() {
        let workload = Workload::preset("product-read").unwrap();
        let here = calibrate(&workload, None).await.unwrap();
        assert!(here.nanos_per_operation > 0.0 && here.highest_rate > 0.0);
        assert!(here.nanos_per_wait > here.nanos_per_operation, "{here:?}");
        assert!(!here.is_over_http);
        let url = "http://127.0.0.1:9";
        let subject = HttpSubject::of_url(url, url, Entity::Product, None).await;
        let idle = subject.unwrap().idle().await.unwrap();
        let there = calibrate(&workload, idle).await.unwrap();
        assert!(there.is_over_http && there.highest_rate > 0.0, "{there:?}");
        assert!(there.highest_rate < here.highest_rate, "{there:?} {here:?}");
    }
}
