//! All runs of a workload, on all subjects, interleaved so that what disturbs the machine disturbs
//! all of them.

use std::sync::Arc;
use std::time::Duration;

use tingkat::clock::SystemClock;
use tingkat::ports::Clock as _;
use tingkat_faults::Direction;
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use super::lane::{Course, Idle, Pace};
use super::law::{Draw, Lane, Places, Trace};
use super::ledger::Ledger;
use super::live::Progress;
use super::number::{nanos, real, real_size};
use super::phase::{Field, process_time};
use super::report::{Generator, PhaseReport, Report, RunReport, SCHEMA_VERSION, SubjectReport};
use super::subject::{Session, Stage, Subject, SubjectError};
use super::workload::{Fault, Phase, Workload, WorkloadError};

/// For how long it is tried what the generator costs.
const CALIBRATION: Duration = Duration::from_millis(200);

/// How late each answer of a slow Redis comes.
const SLOW: Duration = Duration::from_millis(20);

/// More lanes are more than any machine needs to keep a server busy.
const MOST_LANES: usize = 16;

/// The most runs.
pub const MOST_RUNS: usize = 30;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workload, with all that flags change.
    pub workload: Workload,
    /// Keys in the order of a trace, for a workload that replays one.
    pub trace: Option<Trace>,
    /// What chance is drawn from.
    pub seed: u64,
    /// How often each phase is run on each subject.
    pub runs: usize,
    /// Facts about where it is run that only the caller knows.
    pub environment: Environment,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The workload can not be run.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// A subject does not answer, or can not do what the workload asks for.
    #[error("{name} can not be measured")]
    Subject {
        /// Which one.
        name: String,
        /// Why.
        #[source]
        source: SubjectError,
    },
    /// The machine gives no timer.
    #[error("failed to set a timer")]
    Timer(#[source] std::io::Error),
    /// The faults of Redis can not be switched.
    #[error("failed to switch the faults of Redis")]
    Faults(#[source] std::io::Error),
    /// A task of the generator panicked.
    #[error("a task of the generator failed")]
    Panicked(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BenchError {
    pub(super) fn panicked(error: tokio::task::JoinError) -> Self {
        Self::Panicked(error.into())
    }

    fn subject(name: &str) -> impl FnOnce(SubjectError) -> Self {
        move |source| Self::Subject {
            name: name.to_owned(),
            source,
        }
    }
}

/// Runs a plan on its subjects; the first is what it is about. With `stop` it ends soon, and tells
/// what it has. `progress` hears what begins, and how it goes.
///
/// # Errors
/// There is nothing to report.
pub async fn run(
    plan: &Plan,
    subjects: &[Arc<dyn Subject>],
    stop: &CancellationToken,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Report, BenchError> {
    plan.workload.check()?;
    progress(Progress::Begins("finding out what the generator costs"));
    let generator = calibrate(&plan.workload).await?;
    let mut reports: Vec<SubjectReport> = subjects
        .iter()
        .map(|subject| SubjectReport {
            name: subject.name().to_owned(),
            about: subject.about().to_owned(),
            runs: Vec::new(),
            skipped: Vec::new(),
        })
        .collect();
    for number in 1..=plan.runs {
        let round = Round {
            plan,
            generator,
            stop,
            progress,
            number,
        };
        let runs = if plan.workload.breaks_redis() {
            round.one_by_one(subjects).await?
        } else {
            round.side_by_side(subjects).await?
        };
        for (report, ran) in reports.iter_mut().zip(runs) {
            if !ran.phases.is_empty() {
                report.runs.push(RunReport { phases: ran.phases });
            }
            report.skipped = ran.skipped;
        }
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        workload: plan.workload.clone(),
        seed: plan.seed,
        environment: plan.environment.clone(),
        generator,
        subjects: reports,
        interrupted: stop.is_cancelled(),
        objectives: Vec::new(),
        grades: None,
        comparison: None,
    })
}

/// What one run of a subject came to.
#[derive(Default)]
struct Ran {
    phases: Vec<PhaseReport>,
    /// Phases that it can not do, and why.
    skipped: Vec<String>,
    unsuited: Option<SubjectError>,
    ledger: Option<Arc<Ledger>>,
}

/// One run of all subjects.
struct Round<'a> {
    plan: &'a Plan,
    generator: Generator,
    stop: &'a CancellationToken,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
    number: usize,
}

impl Round<'_> {
    /// Each phase on all subjects, one after the other.
    async fn side_by_side(&self, subjects: &[Arc<dyn Subject>]) -> Result<Vec<Ran>, BenchError> {
        let mut runs: Vec<Ran> = subjects.iter().map(|_| Ran::default()).collect();
        for phase in &self.plan.workload.phases {
            for (subject, ran) in subjects.iter().zip(&mut runs) {
                self.run(phase, &**subject, ran).await?;
            }
        }
        self.told(subjects, runs)
    }

    /// All phases on one subject, then on the next: an outage has a course that is not interrupted.
    async fn one_by_one(&self, subjects: &[Arc<dyn Subject>]) -> Result<Vec<Ran>, BenchError> {
        let mut runs = Vec::new();
        for subject in subjects {
            let mut ran = Ran::default();
            for phase in &self.plan.workload.phases {
                self.run(phase, &**subject, &mut ran).await?;
            }
            switch(&**subject, Fault::None).await?;
            runs.push(ran);
        }
        self.told(subjects, runs)
    }

    /// What was run, unless a subject could do nothing of it.
    fn told(
        &self,
        subjects: &[Arc<dyn Subject>],
        mut runs: Vec<Ran>,
    ) -> Result<Vec<Ran>, BenchError> {
        let idle = |ran: &Ran| ran.phases.is_empty() && !self.stop.is_cancelled();
        let found = subjects.iter().zip(&mut runs).find(|(_, ran)| idle(ran));
        match found.and_then(|(subject, ran)| Some((subject, ran.unsuited.take()?))) {
            Some((subject, why)) => Err(BenchError::subject(subject.name())(why)),
            None => Ok(runs),
        }
    }

    /// Runs a phase, unless the subject can not do what it asks for.
    async fn run(
        &self,
        phase: &Phase,
        subject: &dyn Subject,
        ran: &mut Ran,
    ) -> Result<(), BenchError> {
        if self.stop.is_cancelled() {
            return Ok(());
        }
        match self.phase(phase, subject, &mut ran.ledger).await {
            Ok(report) => ran.phases.push(report),
            Err(BenchError::Subject { source, .. }) if !source.is_unreachable() => {
                ran.skipped.push(format!("{}: {source}", phase.name));
                ran.unsuited = Some(source);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn phase(
        &self,
        phase: &Phase,
        subject: &dyn Subject,
        ledger: &mut Option<Arc<Ledger>>,
    ) -> Result<PhaseReport, BenchError> {
        let workload = &self.plan.workload;
        let (name, runs) = (subject.name(), self.plan.runs);
        let length = super::span::shown(workload.duration_of(phase));
        let begins = format!(
            "run {} of {runs}, {name}: {} ({length})",
            self.number, phase.name
        );
        (self.progress)(Progress::Begins(&begins));
        let stage = Stage {
            start: phase.start,
            way: phase.way,
            memory_bytes: workload.memory_bytes,
            keys: workload.keys.most,
        };
        let session = subject.prepare(&stage).await;
        let session: Arc<dyn Session> = session.map_err(BenchError::subject(name))?;
        if ledger.is_none() && workload.writes() {
            *ledger = Some(Arc::new(Ledger::new(session.keys())));
        }
        let field = Field {
            workload,
            trace: self.plan.trace.as_ref(),
            subject,
            session,
            generator: self.generator,
            seed: self
                .plan
                .seed
                .wrapping_add(u64::try_from(self.number).unwrap_or_default()),
            ledger: ledger.clone(),
            stop: self.stop,
            progress: self.progress,
        };
        let is_first = workload.phases.first() == Some(phase);
        if is_first {
            field.warm_up(phase, workload.warm_up).await?;
        }
        switch(subject, phase.redis).await?;
        field.run(phase).await
    }
}

/// Lets this alone be wrong with the Redis of a subject.
async fn switch(subject: &dyn Subject, fault: Fault) -> Result<(), BenchError> {
    let Some(control) = subject.redis_faults() else {
        return Ok(());
    };
    control.heal().await.map_err(BenchError::Faults)?;
    match fault {
        Fault::None => {}
        Fault::Slow => control.delay(Direction::Down, SLOW, Duration::ZERO),
        Fault::BlackHole => control.pause(Direction::Both),
        Fault::Refused => control.down().await.map_err(BenchError::Faults)?,
    }
    Ok(())
}

/// Finds out what measuring costs: one lane sends as fast as it can to a target that does nothing.
async fn calibrate(workload: &Workload) -> Result<Generator, BenchError> {
    let lanes = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(MOST_LANES);
    let Some(phase) = workload.phases.first() else {
        return Err(BenchError::Workload(WorkloadError::no_phase()));
    };
    let lane = Lane { number: 0, of: 1 };
    let session: Arc<dyn Session> = Arc::new(Idle);
    let places = Places::new(session.keys(), 0);
    let (start, cpu) = (SystemClock.now(), process_time());
    let course = Course {
        draw: Draw::new(workload, phase, &places, None, lane, 0),
        session,
        lane,
        pace: Pace::Open {
            interval_nanos: 0.0,
            most: 1,
        },
        start,
        length: CALIBRATION,
        ledger: None,
        bound: None,
        stop: CancellationToken::new(),
        live: None,
    };
    // On a worker of the runtime, as lanes are.
    let mut task = tokio::task::JoinSet::new();
    task.spawn(course.run());
    let sent = match task.join_next().await {
        Some(record) => {
            let record = record.map_err(BenchError::panicked)?;
            record.map_err(BenchError::Timer)?.sent
        }
        None => 0,
    };
    let (wall, busy) = (
        SystemClock.now().since(start),
        process_time().saturating_sub(cpu),
    );
    let sent = real(sent.max(1));
    Ok(Generator {
        lanes,
        nanos_per_operation: real(nanos(busy)) / sent,
        highest_rate: sent / wall.as_secs_f64().max(1e-9) * real_size(lanes),
    })
}
