//! Sends the operations of a phase. As many lanes run as there are cores; each is one task, which
//! sends, waits for many answers at the same time, and writes down when they came.
//!
//! With a rate, an operation is due at an instant that does not depend on how earlier ones fared,
//! and its response time counts from there: a target that stops for a second has kept everybody
//! waiting who came meanwhile, though the generator has not asked for them.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::poll_fn;
use futures::stream::FuturesUnordered;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tokio_util::sync::CancellationToken;

use super::law::{Draw, Lane};
use super::ledger::Ledger;
use super::live::Live;
use super::number::{real_size, whole};
use super::pacer::Pacer;
use super::recorder::{Class, Flown, LATE, Recorder};
use super::subject::{Operation, Session, State};

/// After so many operations that needed no wait, the lane lets others run.
const BREATH: usize = 64;

/// How long answers are awaited when the last operation was sent; longer than any subject takes.
const GRACE: Duration = Duration::from_secs(10);

/// The same when somebody has interrupted the run.
const SHORT_GRACE: Duration = Duration::from_millis(500);

/// How operations follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// One after so many nanoseconds, over all lanes; at most so many under way in this one.
    Open { interval_nanos: f64, most: usize },
    /// So many callers of this lane wait for their answers.
    Closed { callers: usize },
    /// One caller; so many operations lie between two looks at the clock.
    Volleys { of: usize },
}

/// What a lane is to do.
pub(super) struct Course {
    pub(super) session: Arc<dyn Session>,
    pub(super) draw: Draw,
    pub(super) lane: Lane,
    pub(super) pace: Pace,
    pub(super) start: Tick,
    pub(super) length: Duration,
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) bound: Option<Duration>,
    pub(super) stop: CancellationToken,
    /// Who looks on.
    pub(super) live: Option<Arc<Live>>,
}

/// A course that is being run.
struct Running {
    course: Course,
    flights: FuturesUnordered<futures::future::BoxFuture<'static, Flown>>,
    record: Recorder,
    end: Tick,
}

impl Course {
    /// Sends all of it, and waits for the answers.
    pub(super) async fn run(self) -> std::io::Result<Recorder> {
        let mut record = Recorder::new(self.start, self.length);
        if let Some(live) = &self.live {
            record = record.watched_by(live);
        }
        let (pace, end) = (self.pace, self.start.after(self.length));
        let mut running = Running {
            course: self,
            flights: FuturesUnordered::new(),
            record,
            end,
        };
        match pace {
            Pace::Open {
                interval_nanos,
                most,
            } => running.open(interval_nanos, most).await?,
            Pace::Closed { callers } => running.closed(callers).await,
            Pace::Volleys { of } => running.volleys(of).await,
        }
        running.drain().await;
        Ok(running.record)
    }
}

impl Running {
    async fn open(&mut self, interval_nanos: f64, most: usize) -> std::io::Result<()> {
        let pacer = Pacer::new()?;
        let lane = self.course.lane;
        let (mut breath, mut is_behind) = (0, false);
        for turn in 0_usize.. {
            let number = lane.number + turn * lane.of;
            let after = whole(real_size(number) * interval_nanos);
            let due = self.course.start.after(Duration::from_nanos(after));
            if due >= self.end || self.course.stop.is_cancelled() {
                break;
            }
            while self.flights.len() >= most {
                is_behind = true;
                if !self.land_one().await {
                    return Ok(());
                }
            }
            let now = self.await_due(&pacer, due).await?;
            // With a target that never catches up the phase still ends.
            if now >= self.end.after(GRACE) || (interval_nanos <= 0.0 && now >= self.end) {
                break;
            }
            if now.since(due) <= LATE {
                is_behind = false;
            } else if is_behind {
                // Also those that became due while it was held.
                self.record.held += 1;
            } else {
                self.record.late += 1;
            }
            if !self.send(due, now) {
                break;
            }
            breath = self.breathe(breath).await;
        }
        Ok(())
    }

    async fn closed(&mut self, callers: usize) {
        let mut breath = 0;
        while SystemClock.now() < self.end && !self.course.stop.is_cancelled() {
            if self.flights.len() >= callers {
                self.land_one().await;
                continue;
            }
            let now = SystemClock.now();
            if !self.send(now, now) {
                break;
            }
            breath = self.breathe(breath).await;
        }
    }

    /// For answers that take less than to draw the operation and to look at the clock: these are drawn
    /// before, and the clock is read once for many. What must be waited for is timed by itself.
    async fn volleys(&mut self, of: usize) {
        let mut breath = 0;
        let mut operations = Vec::with_capacity(of);
        let mut outcomes = Vec::with_capacity(of);
        while SystemClock.now() < self.end && !self.course.stop.is_cancelled() {
            operations.extend((0..of).map_while(|_| self.course.draw.next()));
            if operations.is_empty() {
                break;
            }
            let count = operations.len();
            self.record.looked_up += operations.iter().map(Operation::looked_up).sum::<u64>();
            let session = &self.course.session;
            let began = SystemClock.now();
            outcomes.extend(operations.iter().map(|it| session.at_once(it)));
            let ended = SystemClock.now();
            let answered = operations.iter().zip(&outcomes);
            let answered = answered.filter_map(|(operation, outcome)| {
                outcome.map(|outcome| Class::of(operation, outcome))
            });
            self.record.record_volley(began, ended, count, answered);
            for (operation, outcome) in operations.drain(..).zip(outcomes.drain(..)) {
                if outcome.is_none() {
                    let now = SystemClock.now();
                    self.ask(operation, now, now);
                    self.land_one().await;
                }
            }
            breath = self.breathe(breath).await;
        }
    }

    /// Takes answers in until an instant; the time then.
    async fn await_due(&mut self, pacer: &Pacer, due: Tick) -> std::io::Result<Tick> {
        loop {
            let now = SystemClock.now();
            if now >= due || self.course.stop.is_cancelled() {
                return Ok(now);
            }
            tokio::select! {
                biased;
                reached = pacer.until(due) => reached?,
                Some(flown) = self.flights.next(), if !self.flights.is_empty() => self.land(&flown),
                () = self.course.stop.cancelled() => {}
            }
        }
    }

    /// Sends the next operation, if there is one; one that needs no wait is over with that.
    fn send(&mut self, intended: Tick, began: Tick) -> bool {
        let Some(operation) = self.course.draw.next() else {
            return false;
        };
        self.record.sent += 1;
        self.record.looked_up += operation.looked_up();
        if let Some(outcome) = self.course.session.at_once(&operation) {
            self.land(&Flown {
                operation,
                outcome,
                intended,
                began,
                ended: SystemClock.now(),
                imported: Vec::new(),
            });
            return true;
        }
        self.ask(operation, intended, began);
        true
    }

    /// Sends an operation that is waited for.
    fn ask(&mut self, operation: Operation, intended: Tick, began: Tick) {
        let session = Arc::clone(&self.course.session);
        self.flights.push(Box::pin(async move {
            let (outcome, imported) = if let Operation::Import(keys) = &operation {
                let imported = session.import(keys).await;
                (imported.outcome, imported.versions)
            } else {
                (session.perform(&operation).await, Vec::new())
            };
            Flown {
                operation,
                outcome,
                intended,
                began,
                ended: SystemClock.now(),
                imported,
            }
        }));
        let under_way = u64::try_from(self.flights.len()).unwrap_or_default();
        self.record.waited += 1;
        self.record.under_way = self.record.under_way.max(under_way);
    }

    /// Sets new operations going and takes in what has ended; now and then others get their turn.
    async fn breathe(&mut self, breath: usize) -> usize {
        if !self.flights.is_empty() {
            self.settle().await;
        }
        if breath < BREATH {
            return breath + 1;
        }
        tokio::task::yield_now().await;
        0
    }

    /// Takes in what has ended, without a wait.
    async fn settle(&mut self) {
        poll_fn(|context| {
            while let Poll::Ready(Some(flown)) = self.flights.poll_next_unpin(context) {
                self.land(&flown);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Waits for one answer; whether there was one before the run was interrupted or given up.
    async fn land_one(&mut self) -> bool {
        let deadline = self.end.after(GRACE).since(SystemClock.now());
        let next = tokio::time::timeout(deadline, self.flights.next());
        tokio::select! {
            biased;
            flown = next => match flown {
                Ok(Some(flown)) => {
                    self.land(&flown);
                    true
                }
                Ok(None) | Err(_) => false,
            },
            () = self.course.stop.cancelled() => false,
        }
    }

    async fn drain(&mut self) {
        let deadline = self.end.after(GRACE);
        while !self.flights.is_empty() {
            let left = if self.course.stop.is_cancelled() {
                SHORT_GRACE
            } else {
                deadline.since(SystemClock.now())
            };
            let Ok(Some(flown)) = tokio::time::timeout(left, self.flights.next()).await else {
                break;
            };
            self.land(&flown);
        }
        let left = u64::try_from(self.flights.len()).unwrap_or_default();
        self.record.unfinished += left;
    }

    fn land(&mut self, flown: &Flown) {
        self.record.record(flown);
        let Some(ledger) = &self.course.ledger else {
            return;
        };
        for (key, version) in &flown.imported {
            ledger.wrote(*key, *version, flown.ended);
        }
        let Some(version) = flown.outcome.version else {
            return;
        };
        match &flown.operation {
            Operation::Write(key) => ledger.wrote(*key, version, flown.ended),
            Operation::Read(key) => {
                let Some(age) = ledger.staleness(*key, version, flown.began) else {
                    return;
                };
                self.record
                    .staleness
                    .saturating_record(super::number::nanos(age));
                let is_marked = flown.outcome.state == State::Stale;
                let is_beyond = self.course.bound.is_some_and(|bound| age > bound);
                self.record.beyond_bound += u64::from(is_beyond && !is_marked);
            }
            Operation::Absent(_) | Operation::Batch(_) | Operation::Import(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
