//! Runs one phase on one subject, and judges whether its numbers mean anything.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::crowd;
use super::lane::{Course, Pace};
use super::law::{Draw, Ground, Lane};
use super::ledger::Ledger;
use super::live::{Live, Progress, TOLD_EVERY};
use super::number::{micros, nanos, real, real_size, share};
use super::recorder::{Class, Recorder};
use super::report::{
    ClassReport, CoursePoint, Crowd, CurvePoint, Generator, KindReport, Latency, PhaseReport,
    Staleness, TierReport,
};
use super::run::BenchError;
use super::subject::{Kind, Session, State, Subject, Tier};
use super::workload::{MOST_UNDER_WAY, Phase, Workload};

/// Where the curve has its points.
const QUANTILES: [f64; 16] = [
    0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999,
    1.0,
];

/// Less of the asked rate than this is another workload.
const LEAST_ACHIEVED: f64 = 0.95;

/// A generator that uses more of its cores than this measures itself.
const MOST_GENERATOR: f64 = 0.8;

/// A larger share of late operations is no constant rate.
const MOST_LATE: f64 = 0.05;

/// Of fewer operations nobody can tell the slowest of a hundred.
const LEAST_OPERATIONS: u64 = 100;

/// How the reason ends that says that the target did not keep up.
const TOO_SLOW: &str = "less than 95 %";

/// Whether all that is wrong with a phase is that its target does not keep up with the rate: what was
/// seen of it is true all the same.
pub(super) fn is_only_too_slow(phase: &PhaseReport) -> bool {
    let reasons = &phase.invalid;
    !reasons.is_empty() && reasons.iter().all(|why| why.ends_with(TOO_SLOW))
}

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
        let (record, crowds) = match phase.crowd {
            Some(callers) => {
                let crowds = crowd::gather(
                    &self.session,
                    callers,
                    self.generator.lanes,
                    length,
                    self.stop,
                );
                let (record, crowds) = crowds.await;
                (record, Some((callers, crowds)))
            }
            None => (self.drive(phase, length, &ground).await?, None),
        };
        let seconds = SystemClock.now().since(started).as_secs_f64();
        let process_cores = process_time().saturating_sub(cpu).as_secs_f64() / seconds.max(1e-9);
        let after = self.session.counters().await;
        let counters = after.zip(before).map(|(after, before)| after.since(before));
        let crowd = crowds.map(|(callers, crowds)| Crowd {
            callers,
            crowds,
            loaded_keys: counters.map(|counters| counters.loaded_keys),
        });
        // What never came back took all the time there was.
        let is_over = ground.is_done() && record.unfinished == 0;
        let measured = Measured {
            length: if is_over { Duration::ZERO } else { length },
            record,
            started,
            process_cores,
        };
        let mut report = self.report(phase, &measured);
        report.counters = counters;
        report.crowd = crowd;
        report.laps = ground.laps();
        report.invalid = self.judge(&report, &measured.record);
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
        let callers = phase.concurrency.unwrap_or(self.workload.concurrency);
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
        let asked = count(&|it| it.kind != Kind::Write);
        let hits = count(&|it| {
            it.kind != Kind::Write
                && matches!(it.tier, Tier::Memory | Tier::Redis)
                && it.state != State::Error
        });
        let errors = count(&|it| it.state == State::Error);
        let knows_tiers = count(&|it| it.tier != Tier::Unknown) > 0;
        let asked_rate = self.workload.rate.filter(|_| is_open);
        PhaseReport {
            name: phase.name.clone(),
            seconds,
            invalid: Vec::new(),
            operations: service.len() + record.unfinished,
            errors: errors + record.unfinished,
            asked_rate: asked_rate.map(|rate| rate * phase.rate_factor),
            achieved_rate: real(service.len()) / seconds.max(1e-9),
            late: record.late,
            held: record.held,
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
            laps: None,
            curve: curve(noticed),
            tiers: tiers(record, counts_from_intended),
            course: course(record),
        }
    }

    /// How many cores the generator used: what operations cost it, or, where it times volleys, all that
    /// the subject did not use of its lanes.
    fn generator_cores(&self, record: &Recorder, elapsed: Duration, is_in_volleys: bool) -> f64 {
        let elapsed = real(nanos(elapsed).max(1));
        if is_in_volleys {
            let subject = real(nanos(record.in_volleys)) / elapsed;
            return (real_size(self.generator.lanes) - subject).max(0.0);
        }
        real(record.sent) * self.generator.nanos_per_operation / elapsed
    }

    fn staleness(&self, record: &Recorder) -> Option<Staleness> {
        let ages = &record.staleness;
        let judged = ages.len();
        if judged == 0 {
            // Nothing was written, or no answer has a version.
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
            p99_ms: micros(ages.value_at_quantile(0.99)) / 1e3,
            max_ms: micros(ages.max()) / 1e3,
        })
    }

    /// Why the numbers mean nothing.
    fn judge(&self, report: &PhaseReport, record: &Recorder) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.stop.is_cancelled() {
            reasons.push("it was interrupted".to_owned());
        } else if let Some(asked) = report.asked_rate
            && report.achieved_rate < asked * LEAST_ACHIEVED
        {
            reasons.push(format!(
                "{:.1} of {asked:.1} operations a second were answered, {TOO_SLOW}",
                report.achieved_rate
            ));
        }
        let lanes = real_size(self.generator.lanes);
        let cores = report.generator_cores;
        if cores > MOST_GENERATOR * lanes {
            reasons.push(format!(
                "the generator is saturated: it used {cores:.2} of {lanes} cores"
            ));
        }
        if share(record.late, record.sent) > MOST_LATE {
            reasons.push(format!(
                "the generator was late: {} of {} operations were sent 5 ms or more after they \
                 were due",
                record.late, record.sent
            ));
        }
        if record.unfinished > 0 {
            reasons.push(format!("{} operations never came back", record.unfinished));
        }
        if report.operations < LEAST_OPERATIONS {
            reasons.push(format!(
                "{} operations are too few: p99 needs {LEAST_OPERATIONS}",
                report.operations
            ));
        }
        reasons
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

/// The times of all cells of these classes.
fn together(
    record: &Recorder,
    from_intended: bool,
    is_wanted: impl Fn(&Class) -> bool,
) -> Histogram<u64> {
    let mut all = super::recorder::histogram();
    for cell in record.cells.iter().filter(|cell| is_wanted(&cell.class)) {
        let times = if from_intended {
            &cell.response
        } else {
            &cell.service
        };
        // All have the same bounds.
        let _ = all.add(times);
    }
    all
}

fn kinds(record: &Recorder, from_intended: bool) -> Vec<KindReport> {
    let kinds = [Kind::Read, Kind::Absent, Kind::Batch, Kind::Write];
    let reports = kinds.into_iter().map(|kind| {
        let times = together(record, from_intended, |class| class.kind == kind);
        KindReport {
            kind,
            operations: times.len(),
            noticed: latency(&times),
        }
    });
    reports.filter(|it| it.operations > 0).collect()
}

fn classes(record: &Recorder) -> Vec<ClassReport> {
    let report = |cell: &super::recorder::Cell| ClassReport {
        kind: cell.class.kind,
        tier: cell.class.tier,
        state: cell.class.state,
        operations: cell.service.len(),
        service: latency(&cell.service),
    };
    let mut classes: Vec<ClassReport> = record.cells.iter().map(report).collect();
    classes.sort_by_key(|it| (it.kind, it.tier, it.state));
    classes
}

fn latency(times: &Histogram<u64>) -> Latency {
    let at = |quantile| micros(times.value_at_quantile(quantile));
    if times.is_empty() {
        return Latency::default();
    }
    Latency {
        mean: times.mean() / 1e3,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: micros(times.max()),
    }
}

/// By who answered. Where nobody says, there is nothing to tell apart.
fn tiers(record: &Recorder, from_intended: bool) -> Vec<TierReport> {
    let tiers = [Tier::Memory, Tier::Redis, Tier::Database].map(|tier| {
        let times = together(record, from_intended, |class: &Class| class.tier == tier);
        TierReport {
            tier,
            operations: times.len(),
            noticed: latency(&times),
            curve: curve(&times),
        }
    });
    let answered = tiers.into_iter().filter(|tier| tier.operations > 0);
    answered.collect()
}

fn curve(times: &Histogram<u64>) -> Vec<CurvePoint> {
    if times.is_empty() {
        return Vec::new();
    }
    let point = |quantile| CurvePoint {
        quantile,
        micros: micros(times.value_at_quantile(quantile)),
    };
    QUANTILES.into_iter().map(point).collect()
}

fn course(record: &Recorder) -> Vec<CoursePoint> {
    let length = record.part_length().as_secs_f64();
    let mut end = 0.0;
    let points = record.parts.iter().map(|part| {
        end += length;
        let at = |quantile| micros(part.times.value_at_quantile(quantile));
        CoursePoint {
            seconds: end,
            rate: real(part.times.len()) / length,
            error_rate: real(part.errors) / length,
            by_tier: part.by_tier.map(|count| real(count) / length),
            p50: if part.times.is_empty() { 0.0 } else { at(0.5) },
            p99: if part.times.is_empty() { 0.0 } else { at(0.99) },
        }
    });
    points.collect()
}
