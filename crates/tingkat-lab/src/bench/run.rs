//! All runs of a workload, on all subjects, interleaved so that what disturbs the machine disturbs
//! all of them.

use std::sync::Arc;
use std::time::Duration;

use tingkat_faults::Direction;
use tokio_util::sync::CancellationToken;

use super::beside::compared;
use super::calibration::calibrate;
use super::environment::Environment;
use super::ledger::Ledger;
use super::live::Progress;
use super::phase::Field;
use super::report::{Generator, PhaseReport, Report, RunReport, SCHEMA_VERSION, SubjectReport};
use super::subject::{Session, Stage, Start, Subject, SubjectError};
use super::trace::{Replay, Trace};
use super::workload::{Fault, Phase, Workload, WorkloadError};

/// How late each answer of a slow Redis comes.
const SLOW: Duration = Duration::from_millis(20);

/// The most runs.
pub const MOST_RUNS: usize = 30;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workload, with all that flags change.
    pub workload: Workload,
    /// What a workload replays that replays something.
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
    /// Somebody has stopped the run before anything was measured of a phase.
    #[error("it was interrupted")]
    Interrupted,
    /// The machine gives no timer.
    #[error("failed to set a timer")]
    Timer(#[source] std::io::Error),
    /// The faults of Redis can not be switched.
    #[error("failed to switch the faults of Redis")]
    Faults(#[source] std::io::Error),
    /// Nothing can be put where a service would be, to find out what asking costs.
    #[error("failed to listen where nothing is served")]
    Idle(#[source] std::io::Error),
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
    let idle = match subjects.first() {
        Some(subject) => subject.idle().await.map_err(BenchError::Idle)?,
        None => None,
    };
    let generator = calibrate(&plan.workload, idle).await?;
    let mut reports: Vec<SubjectReport> = subjects
        .iter()
        .map(|subject| SubjectReport {
            name: subject.name().to_owned(),
            about: subject.about().to_owned(),
            runs: Vec::new(),
            skipped: Vec::new(),
        })
        .collect();
    let mut trace = None;
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
        if trace.is_none() {
            // The first subject is what the report is about.
            let replay = runs.first().and_then(|ran| ran.replay.as_ref());
            trace = replay.map(|replay| replay.told.clone());
        }
        for (report, ran) in reports.iter_mut().zip(runs) {
            // One that could do nothing of it keeps its place, so that runs of the same number stand beside
            // each other.
            if !(ran.phases.is_empty() && stop.is_cancelled()) {
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
        trace,
        environment: plan.environment.clone(),
        generator,
        ratios: compared(&reports),
        subjects: reports,
        interrupted: stop.is_cancelled(),
        objectives: Vec::new(),
        grades: None,
        advice: Vec::new(),
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
    replay: Option<Replay>,
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
        match self.phase(phase, subject, ran).await {
            Ok(report) => ran.phases.push(report),
            // What there was by then is told.
            Err(BenchError::Interrupted) => {}
            Err(BenchError::Subject { source, .. }) if !source.is_unreachable() => {
                ran.skipped.push(format!("{}: {source}", phase.name));
                // The first is told if nothing can be done.
                ran.unsuited.get_or_insert(source);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn phase(
        &self,
        phase: &Phase,
        subject: &dyn Subject,
        ran: &mut Ran,
    ) -> Result<PhaseReport, BenchError> {
        let workload = &self.plan.workload;
        let (name, runs) = (subject.name(), self.plan.runs);
        let length = super::span::shown(workload.duration_of(phase));
        let begins = |what: &str| {
            let line = format!("run {} of {runs}, {name}: {what}", self.number);
            (self.progress)(Progress::Begins(&line));
        };
        begins(&format!("{}, being prepared", phase.name));
        let stage = Stage {
            start: phase.start,
            way: phase.way,
            memory_bytes: workload.memory_bytes,
            keys: workload.keys.most,
            imports: phase.mix(workload).import > 0.0,
            lag: phase.lag,
        };
        // To fill the tiers of a large store takes a while.
        let session = self.stop.run_until_cancelled(subject.prepare(&stage)).await;
        let session = session.ok_or(BenchError::Interrupted)?;
        let session: Arc<dyn Session> = session.map_err(BenchError::subject(name))?;
        if ran.ledger.is_none() && workload.writes() {
            ran.ledger = Some(Arc::new(Ledger::new(session.keys())));
        }
        if ran.replay.is_none() {
            let trace = self.plan.trace.as_ref();
            ran.replay = trace.map(|trace| trace.on(&*session));
        }
        let field = Field {
            workload,
            replay: ran.replay.as_ref().map(|replay| &replay.places),
            subject,
            session,
            generator: self.generator,
            seed: self
                .plan
                .seed
                .wrapping_add(u64::try_from(self.number).unwrap_or_default()),
            ledger: ran.ledger.clone(),
            stop: self.stop,
            progress: self.progress,
        };
        let is_first = workload.phases.first() == Some(phase);
        // What begins cold is not warmed up, and a crowd comes for what nobody has asked for.
        let may_be_warm = matches!(phase.start, Start::AsIs | Start::Filled);
        let is_warmed_up = may_be_warm && !phase.once && phase.crowd.is_none() && !phase.lag;
        if is_first && is_warmed_up && !workload.warm_up.is_zero() {
            let length = super::span::shown(workload.warm_up);
            begins(&format!(
                "{}, warm-up that is not counted ({length})",
                phase.name
            ));
            field.warm_up(phase, workload.warm_up).await?;
        }
        switch(subject, phase.redis).await?;
        begins(&format!("{} ({length})", phase.name));
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
