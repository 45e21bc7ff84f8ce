//! A node that warms itself, over neighbours that are there or not.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use tingkat::Cache;
use tingkat::error::SourceError;
use tingkat::ports::{Loaded, Tick};
use tingkat::warm::{EntityReport, FailureCount, Limits};
use tingkat_shop::{Popularity, Scored};
use tingkat_testkit::TestClock;

use super::*;

/// A clock whose wall clock is ahead by so many milliseconds.
struct Jumping(TestClock, AtomicU64);

impl Clock for Jumping {
    fn now(&self) -> Tick {
        self.0.now()
    }

    fn coarse(&self) -> Tick {
        self.0.coarse()
    }

    fn wall_ms(&self) -> u64 {
        self.0.wall_ms() + self.1.load(Ordering::Relaxed)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

/// Three products are wanted.
struct Store;

impl Popularity for Store {
    fn top<'a>(
        &'a self,
        _entity: &'a str,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Scored>, SourceError>> {
        let scored = |n: u64| Scored {
            key: n.to_string(),
            score: n,
        };
        let top = (1..=3).rev().map(scored).take(most).collect();
        Box::pin(std::future::ready(Ok(top)))
    }
}

fn config(schedule: Option<Schedule>) -> config::Warm {
    config::Warm {
        on_start: true,
        deadline: Duration::from_secs(3),
        top: 10,
        limits: Limits::default(),
        schedule,
        jitter: Duration::from_secs(10),
        accesses: 0,
        snapshot: None,
    }
}

struct Scene {
    clock: Arc<Jumping>,
    stove: Stove,
    observed: Arc<watch::Sender<Observed>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// It is warmed as long as it is there.
    _cache: Cache<u64, u64>,
}

/// A node that is about to begin; its database takes so long, or fails.
fn scene(load: Result<Duration, ()>, schedule: Option<Schedule>) -> Scene {
    let clock = Arc::new(Jumping(TestClock::new(), AtomicU64::new(0)));
    let node = Node::builder().clock(Arc::<Jumping>::clone(&clock)).build();
    let load = move |n: u64| async move {
        let pause = load.map_err(|()| SourceError::transient("no database"))?;
        tokio::time::sleep(pause).await;
        Ok(Loaded::value(n))
    };
    let cache = Cache::builder("product").node(&node).load(load).build();
    let config = config(schedule);
    let as_clock: Arc<dyn Clock> = Arc::<Jumping>::clone(&clock);
    let stove = Stove::new(&node, &as_clock, None, "t:", &config, Arc::new(Store));
    let observed = Observed {
        source_was_ever_up: true,
        ..Observed::default()
    };
    Scene {
        clock,
        stove,
        observed: Arc::new(watch::Sender::new(observed)),
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        _cache: cache,
    }
}

impl Scene {
    fn light(&self) {
        self.stove.light(&self.tasks, &self.observed, &self.stop);
    }

    async fn ended(&self) -> WarmState {
        let mut seen = self.observed.subscribe();
        let ended = seen.wait_for(|observed| observed.warm != WarmState::Running);
        let seen = tokio::time::timeout(Duration::from_mins(2), ended).await;
        seen.unwrap().unwrap().warm
    }

    /// Runs that have begun so far.
    fn runs(&self) -> u64 {
        let standing = self.stove.warming().standing();
        let latest = standing.running.or(standing.last);
        latest.map_or(0, |run| run.run)
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_start_after_which_all_is_warm_is_done() {
    let well = scene(Ok(Duration::from_millis(10)), None);
    well.light();
    assert_eq!(well.ended().await, WarmState::Done);

    let failing = scene(Err(()), None);
    failing.light();
    assert_eq!(failing.ended().await, WarmState::Incomplete);

    // Somebody else's run goes on.
    let busy = scene(Ok(Duration::from_secs(3)), None);
    let (warming, wish) = (busy.stove.warming(), busy.stove.wish());
    let _outcome = warming.start(Reason::Request, wish).unwrap();
    busy.light();
    assert_eq!(busy.ended().await, WarmState::Incomplete);

    let slow = scene(Ok(Duration::from_secs(4)), None);
    slow.light();
    assert_eq!(slow.ended().await, WarmState::Deadline);
}

/// The machine was asleep for hours, while its monotonic clock stood still.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_missed_is_left_out_and_the_next_one_comes() {
    // It is midnight.
    let schedule = Schedule::parse("0 * * * *", "UTC", 1_767_225_600_000).unwrap();
    let scene = scene(Ok(Duration::from_secs(1)), Some(schedule));
    scene.light();
    assert_eq!(scene.ended().await, WarmState::Done);
    assert_eq!(scene.runs(), 1);
    let hour = Duration::from_hours(1);
    tokio::time::sleep(hour + Duration::from_mins(1)).await;
    assert_eq!(scene.runs(), 2, "at one");
    // Now it is half past six.
    let ahead = Duration::from_mins(5 * 60 + 29);
    let ahead = u64::try_from(ahead.as_millis()).unwrap();
    scene.clock.1.store(ahead, Ordering::Relaxed);
    let is_to_come = |ms: &u64| *ms > scene.clock.wall_ms();
    let told = || scene.stove.warming().standing().next_runs_ms;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(scene.runs(), 2, "the one at two is not made up for");
    assert_eq!(told().len(), TOLD);
    assert!(told().iter().all(is_to_come), "{:?}", told());
    tokio::time::sleep(hour / 2).await;
    assert_eq!(scene.runs(), 3, "at seven");
    assert_eq!(told().len(), TOLD);
    assert!(told().iter().all(is_to_come), "{:?}", told());
    scene.stop.cancel();
}

#[test]
fn a_run_is_done_for_all_nodes_if_something_came_of_it() {
    let entity = |wanted, left, failed, stopped| EntityReport {
        wanted,
        left,
        failed: vec![FailureCount {
            reason: "the source failed".to_owned(),
            keys: failed,
        }],
        stopped,
        ..EntityReport::default()
    };
    let report = |end, entities: &[EntityReport]| Report {
        end,
        entities: entities.to_vec(),
        ..Report::default()
    };
    let well = entity(10, 0, 1, None);
    for (end, entities, done) in [
        (End::Completed, vec![well.clone()], true),
        (End::Completed, vec![], true),
        (End::Completed, vec![entity(0, 0, 0, None)], true),
        (End::Completed, vec![entity(10, 0, 10, None)], false),
        (
            End::Completed,
            vec![entity(0, 0, 0, Some(Stopped::NoOrder))],
            false,
        ),
        (
            End::Completed,
            vec![well.clone(), entity(10, 5, 5, Some(Stopped::Failing))],
            false,
        ),
        (
            End::Completed,
            vec![well.clone(), entity(0, 0, 0, Some(Stopped::NoOrder))],
            true,
        ),
        (End::TimedOut, vec![well.clone()], false),
        (End::Cancelled, vec![well], false),
    ] {
        assert_eq!(
            is_done(&report(end, &entities)),
            done,
            "{end:?} {entities:?}"
        );
    }
}
