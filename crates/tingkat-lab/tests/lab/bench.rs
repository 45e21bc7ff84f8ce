//! The generator, judged by targets whose slowness is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock as _, Tick};
use tingkat_lab::bench::workload::Law;
use tingkat_lab::bench::{
    Counters, Environment, Metric, Objective, Operation, Outcome, PhaseReport, Plan, Progress,
    Report, Session, Stage, State, Subject, SubjectError, Tier, Workload, run,
};
use tokio_util::sync::CancellationToken;

/// What a target does with an operation.
type Act = dyn Fn(&Operation) -> Reaction + Send + Sync;

/// The same, for operations that need no wait.
type ActInPlace = dyn Fn(&Operation) -> Option<Outcome> + Send + Sync;

/// How it answers.
enum Reaction {
    AtOnce(Outcome),
    At(Tick, Outcome),
    Never,
}

/// A target that does as told.
struct Told {
    act: Arc<Act>,
    in_place: Arc<ActInPlace>,
    asked: AtomicUsize,
    bound: Option<Duration>,
    is_elsewhere: bool,
}

impl Told {
    fn new(act: impl Fn(&Operation) -> Reaction + Send + Sync + 'static) -> Arc<Self> {
        Self::with(act, |_| None)
    }

    fn with(
        act: impl Fn(&Operation) -> Reaction + Send + Sync + 'static,
        in_place: impl Fn(&Operation) -> Option<Outcome> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            act: Arc::new(act),
            in_place: Arc::new(in_place),
            asked: AtomicUsize::new(0),
            bound: None,
            is_elsewhere: false,
        })
    }
}

impl Subject for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn about(&self) -> &'static str {
        "does as told"
    }

    fn prepare<'a>(
        &'a self,
        _: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let session: Arc<dyn Session> = Arc::new(Doing {
            act: Arc::clone(&self.act),
            in_place: Arc::clone(&self.in_place),
        });
        Box::pin(async { Ok(session) })
    }

    fn is_in_process(&self) -> bool {
        !self.is_elsewhere
    }

    fn staleness_bound(&self) -> Option<Duration> {
        self.bound
    }
}

struct Doing {
    act: Arc<Act>,
    in_place: Arc<ActInPlace>,
}

impl Session for Doing {
    fn keys(&self) -> usize {
        50
    }

    fn at_once(&self, operation: &Operation) -> Option<Outcome> {
        (self.in_place)(operation)
    }

    fn perform<'a>(&'a self, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match (self.act)(operation) {
                Reaction::AtOnce(outcome) => outcome,
                Reaction::At(at, outcome) => {
                    SystemClock.sleep(at.since(SystemClock.now())).await;
                    outcome
                }
                Reaction::Never => std::future::pending().await,
            }
        })
    }

    fn counters(&self) -> BoxFuture<'_, Option<Counters>> {
        Box::pin(async { Some(Counters::default()) })
    }
}

const GOOD: Outcome = Outcome::new(Tier::Memory, State::Current);

fn workload(change: impl FnOnce(&mut Workload)) -> Workload {
    let mut workload = Workload::preset("product-read").unwrap();
    workload.mix.write = 0.0;
    workload.warm_up = Duration::ZERO;
    workload.duration = Duration::from_secs(1);
    change(&mut workload);
    workload
}

async fn measured(workload: Workload, subject: Arc<Told>) -> Report {
    stopped(workload, subject, &CancellationToken::new()).await
}

async fn stopped(workload: Workload, subject: Arc<Told>, stop: &CancellationToken) -> Report {
    let plan = Plan {
        workload,
        trace: None,
        seed: 1,
        runs: 1,
        environment: Environment::default(),
    };
    let subjects: [Arc<dyn Subject>; 1] = [subject];
    run(&plan, &subjects, stop, &|_| {}).await.unwrap()
}

fn phase(report: &Report) -> &PhaseReport {
    let run = report.first().unwrap().runs.first().unwrap();
    run.phases.first().unwrap()
}

/// Answers at once, but from its third second to its fourth not at all.
fn that_stops_for_a_second() -> Arc<Told> {
    let began = SystemClock.now();
    let (stops, goes_on) = (
        began.after(Duration::from_secs(3)),
        began.after(Duration::from_secs(4)),
    );
    Told::new(move |_| {
        let now = SystemClock.now();
        if (stops..goes_on).contains(&now) {
            Reaction::At(goes_on, GOOD)
        } else {
            Reaction::AtOnce(GOOD)
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_stops_for_a_second_is_seen_in_an_open_loop_and_hidden_in_a_closed_one() {
    let open = workload(|it| {
        it.duration = Duration::from_secs(10);
        it.rate = Some(100.0);
    });
    let mut closed = open.clone();
    (closed.rate, closed.concurrency) = (None, 1);
    // As fast as the target, which is not what is tested.
    let (open, closed) = tokio::join!(
        measured(open, that_stops_for_a_second()),
        measured(closed, that_stops_for_a_second())
    );
    let response = phase(&open).response.unwrap();
    assert!(response.p99 >= 800_000.0, "{response:?}");
    assert!(response.p50 < 500_000.0, "{response:?}");
    assert_eq!(phase(&open).operations, 1000);
    // Nobody asked while it stood still, so only one operation in thousands was slow.
    let closed = phase(&closed);
    assert!(closed.response.is_none());
    assert!(closed.service.p99 < 800_000.0 && closed.service.max >= 800_000.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_keep_up_is_invalid() {
    let next = Arc::new(AtomicU64::new(SystemClock.now().as_nanos()));
    // One operation after the other, 10 ms each: a hundred a second.
    let slow = Told::new(move |_| {
        let took = 10_000_000;
        let at = next.fetch_add(took, Ordering::Relaxed) + took;
        Reaction::At(Tick::from_nanos(at), GOOD)
    });
    let report = measured(workload(|it| it.rate = Some(400.0)), slow).await;
    let phase = phase(&report);
    let reason = phase.invalid.join("\n");
    assert!(
        reason.contains("of 400.0 operations a second were answered, less than 95 %"),
        "{reason:?}"
    );
    // Kept waiting, and that is told: the last of four hundred waits for three seconds.
    assert!(phase.response.unwrap().max > 1_500_000.0);
    let kept = "p99<1h".parse::<Objective>().unwrap().judge(&report);
    assert!(!kept.is_kept, "numbers that mean nothing keep no objective");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generator_that_can_not_send_so_fast_says_so() {
    let report = measured(
        workload(|it| {
            it.rate = Some(10_000_000.0);
            it.duration = Duration::from_millis(200);
        }),
        Told::new(|_| Reaction::AtOnce(GOOD)),
    )
    .await;
    let phase = phase(&report);
    assert!(!phase.invalid.is_empty());
    assert!(phase.late > 0, "{:?}", phase.invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_operations_are_no_measurement() {
    let report = measured(
        workload(|it| it.rate = Some(20.0)),
        Told::new(|_| Reaction::AtOnce(GOOD)),
    )
    .await;
    let reasons = phase(&report).invalid.join("\n");
    assert!(reasons.contains("20 operations are too few"), "{reasons}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_and_tiers_are_counted_apart() {
    let turn = AtomicUsize::new(0);
    let report = measured(
        workload(|it| {
            it.rate = Some(1000.0);
            it.mix.absent = it.mix.read;
        }),
        Told::new(move |operation| {
            let outcome = match (operation, turn.fetch_add(1, Ordering::Relaxed) % 4) {
                (Operation::Absent(_), _) => Outcome::new(Tier::Database, State::Absent),
                (_, 0) => Outcome::error(),
                (_, 1) => Outcome::new(Tier::Redis, State::Stale),
                _ => GOOD,
            };
            Reaction::AtOnce(outcome)
        }),
    )
    .await;
    let phase = phase(&report);
    let count = |tier, state| {
        let mut classes = phase.classes.iter();
        classes
            .find(|it| (it.tier, it.state) == (tier, state))
            .map_or(0, |it| it.operations)
    };
    assert_eq!(count(Tier::Unknown, State::Error), phase.errors);
    assert!(phase.errors > 0 && count(Tier::Redis, State::Stale) > 0);
    let hits = count(Tier::Redis, State::Stale) + count(Tier::Memory, State::Current);
    let absent = count(Tier::Database, State::Absent);
    assert_eq!(hits + absent + phase.errors, phase.operations);
    let ratio = phase.hit_ratio.unwrap() * 1000.0;
    assert!((ratio - f64::from(u32::try_from(hits).unwrap())).abs() < 1.0);
    let times: u64 = phase.course.iter().map(|_| 1).sum();
    assert!(times > 1, "the course has its parts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_for_another_key_is_wrong_and_no_hit() {
    let report = measured(
        workload(|it| {
            it.operations = Some(500);
            it.keys.law = Law::Uniform;
        }),
        Told::new(|operation| {
            let is_right = !matches!(operation, Operation::Read(7));
            Reaction::AtOnce(GOOD.if_right(is_right))
        }),
    )
    .await;
    let phase = phase(&report);
    assert!(phase.wrong > 0 && phase.wrong < 500, "{}", phase.wrong);
    assert_eq!(phase.errors, phase.wrong);
    assert_eq!(report.wrong(), phase.wrong);
    let missed = 1.0 - phase.hit_ratio.unwrap();
    assert!((missed - phase.error_rate()).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_tells_what_it_has() {
    let stop = CancellationToken::new();
    let asked = AtomicUsize::new(0);
    let stopping = stop.clone();
    let subject = Told::new(move |_| {
        // The hundredth operation is when somebody presses Ctrl-C.
        if asked.fetch_add(1, Ordering::Relaxed) == 100 {
            stopping.cancel();
        }
        if asked.load(Ordering::Relaxed) > 100 {
            Reaction::Never
        } else {
            Reaction::AtOnce(GOOD)
        }
    });
    let long = workload(|it| {
        it.duration = Duration::from_mins(10);
        it.rate = Some(1000.0);
    });
    let report = stopped(long, subject, &stop).await;
    assert!(report.interrupted);
    let phase = phase(&report);
    assert!(
        (100..200).contains(&phase.operations),
        "{}",
        phase.operations
    );
    assert!(phase.invalid.contains(&"it was interrupted".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_replaced_long_ago_is_found() {
    let version = AtomicI64::new(1);
    let mut subject = Told::new(move |operation| {
        let outcome = match operation {
            Operation::Write(_) => Outcome {
                version: Some(version.fetch_add(1, Ordering::Relaxed) + 1),
                ..Outcome::new(Tier::Database, State::Current)
            },
            // For ever the first one.
            Operation::Read(_)
            | Operation::Absent(_)
            | Operation::Batch(_)
            | Operation::Import(_) => Outcome {
                version: Some(1),
                ..GOOD
            },
        };
        Reaction::AtOnce(outcome)
    });
    Arc::get_mut(&mut subject).unwrap().bound = Some(Duration::from_millis(100));
    let report = measured(
        workload(|it| {
            it.mix.write = 5.0;
            it.rate = Some(1000.0);
        }),
        subject,
    )
    .await;
    let staleness = phase(&report).staleness.unwrap();
    assert!(staleness.beyond_bound > 100, "{staleness:?}");
    assert!(staleness.max_ms > 500.0 && staleness.max_ms < 30_000.0);
    assert!(staleness.replaced > staleness.beyond_bound);
    let metric: Metric = "beyond_bound".parse().unwrap();
    assert_eq!(metric.to_string(), "beyond_bound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_asks_for_one_key_at_the_same_moment() {
    let mut stampede = Workload::preset("stampede").unwrap();
    stampede.duration = Duration::from_millis(300);
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let report = measured(
        stampede,
        Told::new(move |operation| {
            if let (Operation::Read(key), Ok(mut log)) = (operation, log.lock()) {
                log.push(*key);
            }
            Reaction::At(SystemClock.now().after(Duration::from_millis(1)), GOOD)
        }),
    )
    .await;
    let crowd = phase(&report).crowd.unwrap();
    assert_eq!(crowd.callers, 1000);
    let seen = seen.lock().unwrap();
    let count = u64::try_from(seen.len()).unwrap();
    assert_eq!(count, crowd.crowds * 1000);
    // One key after the other.
    assert!(
        seen.chunks(1000)
            .enumerate()
            .all(|(turn, keys)| keys.iter().all(|key| *key == turn))
    );
}

fn volleys(workload: &mut Workload) {
    for phase in &mut workload.phases {
        phase.timed_together = 16;
    }
    workload.keys.law = Law::Uniform;
}

/// Keeps the lane for so long.
fn busy_for(time: Duration) {
    let until = SystemClock.now().after(time);
    while SystemClock.now() < until {
        std::hint::spin_loop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_in_place_are_timed_together_and_others_by_themselves() {
    const IN_PLACE: Duration = Duration::from_micros(20);
    const LATER: Duration = Duration::from_millis(3);
    let found = Outcome::new(Tier::Database, State::Current);
    let subject = Told::with(
        move |_| Reaction::At(SystemClock.now().after(LATER), found),
        |operation| {
            let is_in_place = matches!(operation, Operation::Read(key) if *key < 48);
            is_in_place.then(|| {
                busy_for(IN_PLACE);
                GOOD
            })
        },
    );
    let report = measured(workload(volleys), subject).await;
    let phase = phase(&report);
    assert_eq!(phase.timed_together, Some(16));
    let of = |tier| phase.classes.iter().find(|it| it.tier == tier).unwrap();
    let (memory, database) = (of(Tier::Memory), of(Tier::Database));
    assert_eq!(phase.operations, memory.operations + database.operations);
    // Most of a volley took as long; a mean is not far below.
    assert!(memory.service.p50 > 10.0, "{memory:?}");
    assert!(memory.service.p50 < 3_000.0, "{memory:?}");
    assert!(database.service.p50 >= 2_990.0, "{database:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volley_says_what_the_generator_cost() {
    let spent = |in_place: fn() -> Outcome| async move {
        let subject = Told::with(|_| Reaction::AtOnce(GOOD), move |_| Some(in_place()));
        let report = measured(workload(volleys), subject).await;
        phase(&report).clone()
    };
    let is_saturated = |phase: &PhaseReport| {
        let mut why = phase.invalid.iter();
        why.any(|why| why.contains("the generator is saturated"))
    };
    let slow = spent(|| {
        busy_for(Duration::from_micros(50));
        GOOD
    })
    .await;
    assert!(!is_saturated(&slow), "{:?}", slow.invalid);
    // Nothing but the generator.
    let nothing = spent(|| GOOD).await;
    assert!(is_saturated(&nothing), "{}", nothing.generator_cores);
}

#[test]
fn a_workload_that_writes_times_each_by_itself() {
    let mut workload = workload(volleys);
    workload.check().unwrap();
    workload.mix.write = 1.0;
    let error = workload.check().unwrap_err().to_string();
    assert!(error.contains("timed_together: expected 1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phase_of_each_key_once_ends_when_there_is_none_left() {
    for rate in [None, Some(1000.0)] {
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let report = measured(
            workload(|it| {
                it.rate = rate;
                it.duration = Duration::from_mins(10);
                // A key that was asked for before would not be cold.
                it.warm_up = Duration::from_mins(10);
                it.phases[0].once = true;
            }),
            Told::new(move |operation| {
                if let (Operation::Read(key), Ok(mut log)) = (operation, log.lock()) {
                    log.push(*key);
                }
                Reaction::AtOnce(GOOD)
            }),
        )
        .await;
        let phase = phase(&report);
        assert_eq!(phase.operations, 50);
        assert!(phase.seconds < 300.0, "{}", phase.seconds);
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phase_of_so_many_operations_ends_with_the_last_one() {
    for timed_together in [1, 16] {
        let report = measured(
            workload(|it| {
                it.duration = Duration::from_mins(10);
                it.operations = Some(1234);
                it.phases[0].timed_together = timed_together;
            }),
            Told::with(|_| Reaction::AtOnce(GOOD), |_| Some(GOOD)),
        )
        .await;
        assert_eq!(phase(&report).operations, 1234);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_target_elsewhere_the_whole_process_is_the_generator() {
    let share = async |is_elsewhere| {
        let mut subject = Told::new(|_| {
            busy_for(Duration::from_micros(100));
            Reaction::AtOnce(GOOD)
        });
        Arc::get_mut(&mut subject).unwrap().is_elsewhere = is_elsewhere;
        let report = measured(workload(|_| {}), subject).await;
        let phase = phase(&report);
        (phase.generator_cores, phase.process_cores)
    };
    let (generator, process) = share(true).await;
    assert!(
        (generator - process).abs() < 1e-9,
        "{generator} of {process}"
    );
    let (generator, process) = share(false).await;
    assert!(generator < process, "{generator} of {process}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_on_hears_of_the_preparation_and_the_warm_up() {
    let heard = std::sync::Mutex::new(Vec::new());
    let plan = Plan {
        workload: workload(|it| it.warm_up = Duration::from_millis(100)),
        trace: None,
        seed: 1,
        runs: 1,
        environment: Environment::default(),
    };
    let subjects: [Arc<dyn Subject>; 1] = [Told::new(|_| Reaction::AtOnce(GOOD))];
    let progress = |progress: Progress<'_>| {
        if let (Progress::Begins(begins), Ok(mut heard)) = (progress, heard.lock()) {
            heard.push(begins.to_owned());
        }
    };
    run(&plan, &subjects, &CancellationToken::new(), &progress)
        .await
        .unwrap();
    let heard = heard.into_inner().unwrap();
    assert_eq!(
        heard[1..],
        [
            "run 1 of 1, told: steady, being prepared",
            "run 1 of 1, told: steady, warm-up that is not counted (100ms)",
            "run 1 of 1, told: steady (1s)",
        ]
    );
}
