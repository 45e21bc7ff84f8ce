//! Runs one phase on one subject, and judges whether its numbers mean anything.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::crowd::Crowds;
use super::lag::Watch;
use super::lane::{Course, Pace};
use super::law::{Draw, Ground, Lane};
use super::ledger::Ledger;
use super::live::{Live, Progress, TOLD_EVERY};
use super::number::{micros, nanos, real, real_size, share};
use super::recorder::{Class, Recorder};
use super::report::{Crowd, Generator, PhaseReport, Staleness};
use super::run::BenchError;
use super::subject::{Session, State, Subject, Tier};
use super::tally::{classes, course, curve, kinds, latency, tiers, together};
use super::validity::{Clocks, reasons};
use super::workload::{MOST_UNDER_WAY, Phase, Workload};

/// What all phases of a run share.
pub(super) struct Field<'a> {
    pub(super) workload: &'a Workload,
    pub(super) replay: Option<&'a Arc<[u32]>>,
    pub(super) subject: &'a dyn Subject,
    pub(super) session: Arc<dyn Session>,
    pub(super) generator: Generator,
    pub(super) seed: u64,
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) stop: &'a CancellationToken,
    pub(super) progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl Field<'_> {
    /// Runs a phase for so long, without counting.
    pub(super) async fn warm_up(&self, phase: &Phase, length: Duration) -> Result<(), BenchError> {
        self.drive(phase, length, &self.ground(phase)).await?;
        Ok(())
    }

    fn ground(&self, phase: &Phase) -> Ground {
        Ground::new(
            self.workload,
            phase,
            self.session.keys(),
            self.replay,
            self.seed,
        )
    }

    /// Runs a phase.
    pub(super) async fn run(&self, phase: &Phase) -> Result<PhaseReport, BenchError> {
        let length = self.workload.duration_of(phase);
        let ground = self.ground(phase);
        let before = self.session.counters().await;
        let (started, cpu) = (SystemClock.now(), process_time());
        let wall_ms = SystemClock.wall_ms();
        let mut lag = None;
        let (record, crowds, is_done) = if phase.lag {
            let watch = Watch {
                session: &self.session,
                length,
                operations: self.workload.operations,
                stop: self.stop,
            };
            let watched = watch.watch().await;
            lag = Some(watched.lag);
            (watched.record, None, watched.is_done)
        } else if let Some(callers) = phase.crowd {
            let crowds = Crowds {
                session: &self.session,
                callers,
                lanes: self.generator.lanes,
                length,
                operations: self.workload.operations,
                stop: self.stop,
            };
            let gathered = crowds.gather().await?;
            let crowds = Some((callers, gathered.crowds));
            (gathered.record, crowds, gathered.is_done)
        } else {
            let record = self.drive(phase, length, &ground).await?;
            (record, None, ground.is_done())
        };
        let monotonic = SystemClock.now().since(started);
        let wall_ms = SystemClock.wall_ms().cast_signed() - wall_ms.cast_signed();
        let clocks = Clocks { monotonic, wall_ms };
        let seconds = monotonic.as_secs_f64();
        let process_cores = process_time().saturating_sub(cpu).as_secs_f64() / seconds.max(1e-9);
        let after = self.session.counters().await;
        let counters = after.zip(before).map(|(after, before)| after.since(before));
        let crowd = crowds.map(|(callers, crowds)| Crowd {
            callers,
            crowds,
            loaded_keys: counters.map(|counters| counters.loaded_keys),
        });
        // What never came back took all the time there was.
        let is_over = is_done && record.unfinished == 0;
        let measured = Measured {
            length: if is_over { Duration::ZERO } else { length },
            record,
            started,
            process_cores,
        };
        let mut report = self.report(phase, &measured);
        report.counters = counters;
        report.crowd = crowd;
        report.lag = lag;
        report.laps = ground.laps();
        let lanes = self.generator.lanes;
        let is_interrupted = self.stop.is_cancelled();
        report.invalid = reasons(&report, &measured.record, lanes, is_interrupted, clocks);
        Ok(report)
    }

    /// Sends what belongs to a phase for so long.
    async fn drive(
        &self,
        phase: &Phase,
        length: Duration,
        ground: &Ground,
    ) -> Result<Recorder, BenchError> {
        let rate = self.workload.rate.map(|rate| rate * phase.rate_factor);
        let callers = self.workload.callers_of(phase);
        let lanes = match rate {
            Some(_) => self.generator.lanes,
            None => self.generator.lanes.min(callers),
        };
        let start = SystemClock.now();
        let live = Arc::new(Live::new(start, length));
        let mut tasks = JoinSet::new();
        for number in 0..lanes {
            let lane = Lane { number, of: lanes };
            let pace = match rate {
                Some(rate) => Pace::Open {
                    interval_nanos: 1e9 / rate,
                    most: (MOST_UNDER_WAY / lanes).max(1),
                },
                None if phase.timed_together > 1 => Pace::Volleys {
                    of: phase.timed_together,
                },
                None => Pace::Closed {
                    // The first ones have one more where it does not divide.
                    callers: callers / lanes + usize::from(number < callers % lanes),
                },
            };
            let course = Course {
                session: Arc::clone(&self.session),
                draw: Draw::new(self.workload, phase, ground, lane, self.seed),
                lane,
                pace,
                start,
                length,
                ledger: self.ledger.clone(),
                bound: self.subject.staleness_bound(),
                stop: self.stop.clone(),
                live: Some(Arc::clone(&live)),
            };
            tasks.spawn(course.run());
        }
        let mut all = Recorder::new(start, length);
        let mut look = tokio::time::interval(TOLD_EVERY);
        loop {
            let lane = tokio::select! {
                lane = tasks.join_next() => lane,
                _ = look.tick() => {
                    let mut now = live.now(SystemClock.now());
                    now.done = now.done.max(ground.done());
                    (self.progress)(Progress::Goes(&now));
                    continue;
                }
            };
            let Some(lane) = lane else { break };
            all.add(
                lane.map_err(BenchError::panicked)?
                    .map_err(BenchError::Timer)?,
            );
        }
        Ok(all)
    }

    fn report(&self, phase: &Phase, measured: &Measured) -> PhaseReport {
        let record = &measured.record;
        let is_open = self.workload.rate.is_some() && phase.crowd.is_none();
        let counts_from_intended = is_open || phase.crowd.is_some();
        let elapsed = measured.elapsed(self.stop.is_cancelled());
        let seconds = elapsed.as_secs_f64();
        let is_in_volleys = phase.timed_together > 1 && self.workload.rate.is_none();
        let timed_together = is_in_volleys.then_some(phase.timed_together);
        let all = |_: &Class| true;
        let service = together(record, false, all);
        let response = together(record, true, all);
        let noticed = if counts_from_intended {
            &response
        } else {
            &service
        };
        let count = |wanted: &dyn Fn(&Class) -> bool| {
            let cells = record.cells.iter().filter(|cell| wanted(&cell.class));
            cells.map(|cell| cell.service.len()).sum::<u64>()
        };
        let asked = count(&|it| it.kind.is_look_up());
        let hits = count(&|it| {
            it.kind.is_look_up()
                && matches!(it.tier, Tier::Memory | Tier::Redis)
                && !it.state.is_failure()
        });
        let errors = count(&|it| it.state.is_failure());
        let wrong = count(&|it| it.state == State::Wrong);
        let knows_tiers = count(&|it| it.tier != Tier::Unknown) > 0;
        let asked_rate = self.workload.rate.filter(|_| is_open);
        PhaseReport {
            name: phase.name.clone(),
            seconds,
            invalid: Vec::new(),
            operations: service.len() + record.unfinished,
            errors: errors + record.unfinished,
            wrong,
            looked_up: record.looked_up,
            asked_rate: asked_rate.map(|rate| rate * phase.rate_factor),
            achieved_rate: real(service.len()) / seconds.max(1e-9),
            late: record.late,
            held: record.held,
            callers: self.callers_of(phase),
            under_way: record.under_way,
            process_cores: measured.process_cores,
            generator_cores: if self.subject.is_in_process() {
                self.generator_cores(record, elapsed, is_in_volleys)
            } else {
                // The target is elsewhere: all that is used here is for asking it.
                measured.process_cores
            },
            timed_together,
            service: latency(&service),
            response: is_open.then(|| latency(&response)),
            kinds: kinds(record, counts_from_intended),
            classes: classes(record),
            hit_ratio: (knows_tiers && asked > 0).then(|| share(hits, asked)),
            counters: None,
            staleness: self.staleness(record),
            crowd: None,
            lag: None,
            laps: None,
            curve: curve(noticed),
            tiers: tiers(record, counts_from_intended),
            course: course(record),
        }
    }

    /// How many callers wait for their answers, where that is how operations follow each other.
    fn callers_of(&self, phase: &Phase) -> Option<usize> {
        let is_closed = self.workload.rate.is_none() && phase.crowd.is_none() && !phase.lag;
        let callers = if phase.timed_together > 1 {
            self.generator.lanes.min(self.workload.callers_of(phase))
        } else {
            self.workload.callers_of(phase)
        };
        is_closed.then_some(callers)
    }

    /// How many cores the generator used: what operations cost it, or, where it times volleys, all that
    /// the subject did not use of its lanes.
    fn generator_cores(&self, record: &Recorder, elapsed: Duration, is_in_volleys: bool) -> f64 {
        let elapsed = real(nanos(elapsed).max(1));
        if is_in_volleys {
            let subject = real(nanos(record.in_volleys)) / elapsed;
            return (real_size(self.generator.lanes) - subject).max(0.0);
        }
        let generator = self.generator;
        let at_once = real(record.sent.saturating_sub(record.waited));
        let waited = real(record.waited);
        (at_once * generator.nanos_per_operation + waited * generator.nanos_per_wait) / elapsed
    }

    fn staleness(&self, record: &Recorder) -> Option<Staleness> {
        let ages = &record.staleness;
        let judged = ages.len();
        if judged == 0 {
            // Nothing that was read was written before, or no answer has a version.
            return None;
        }
        let bound = self.subject.staleness_bound();
        let replaced = judged - ages.count_between(0, 0);
        // The same of these alone, as they are the oldest.
        let of_replaced = 1.0 - 0.01 * share(replaced, judged);
        Some(Staleness {
            judged,
            replaced,
            replaced_p99_ms: micros(ages.value_at_quantile(of_replaced)) / 1e3,
            beyond_bound: record.beyond_bound,
            bound_ms: bound.map(|bound| bound.as_secs_f64() * 1e3),
            knew_writes: self.subject.knows_writes(),
            p99_ms: micros(ages.value_at_quantile(0.99)) / 1e3,
            max_ms: micros(ages.max()) / 1e3,
        })
    }
}

/// What was measured in a phase.
struct Measured {
    record: Recorder,
    /// It took no less than this.
    length: Duration,
    started: tingkat::ports::Tick,
    process_cores: f64,
}

impl Measured {
    /// From the beginning to the last answer, and no less than what was planned, unless it was over
    /// before.
    fn elapsed(&self, was_stopped: bool) -> Duration {
        let until_last = self.record.last_ended.since(self.started);
        if was_stopped {
            until_last
        } else {
            until_last.max(self.length)
        }
    }
}

/// The time that all threads of this process have used.
pub(super) fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
