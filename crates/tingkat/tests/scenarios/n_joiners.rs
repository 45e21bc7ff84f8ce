//! Who may have what another caller's flight brings, wherever that flight is stopped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::clock::SystemClock;
use tingkat::ports::{Clock, Tick};
use tingkat::{Cache, Node, Options, Tier};
use tingkat_testkit::fakes::{FakeDatabase, FakeRedis, FakeSource, Versioned};

use crate::stage::{ENTITY, key, still};

type Interruption = Box<dyn FnOnce() + Send>;

/// The system's clock; asking it for the time runs what was put in its way.
#[derive(Clone, Default)]
struct Interrupted(Arc<Interruptions>);

#[derive(Default)]
struct Interruptions {
    /// Questions until it is run.
    left: AtomicUsize,
    next: Mutex<Option<Interruption>>,
}

impl Interrupted {
    /// Runs it at the question with this number, counted from the next one.
    fn at(&self, number: usize, interruption: Interruption) {
        *self.0.next.lock().unwrap() = Some(interruption);
        self.0.left.store(number, Ordering::SeqCst);
    }

    /// Whether it has not been run; it is not any more.
    fn is_left(&self) -> bool {
        self.0.left.store(0, Ordering::SeqCst);
        self.0.next.lock().unwrap().take().is_some()
    }
}

impl Clock for Interrupted {
    fn now(&self) -> Tick {
        let left = |left: usize| left.checked_sub(1);
        if self
            .0
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            == Ok(1)
        {
            let interruption = self.0.next.lock().unwrap().take();
            if let Some(interruption) = interruption {
                interruption();
            }
        }
        SystemClock.now()
    }

    fn coarse(&self) -> Tick {
        SystemClock.coarse()
    }

    fn wall_ms(&self) -> u64 {
        SystemClock.wall_ms()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(duration)
    }
}

/// Waits, on a thread that has nothing else to do, but not for ever: nobody may wait for it in turn.
#[expect(
    clippy::disallowed_methods,
    reason = "on a thread of its own, up to a deadline"
)]
fn soon(is_so: impl Fn() -> bool) {
    for _ in 0..100 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a caller got who began after an own write had returned, while another caller's flight was
/// stopped at the question number `number`; nothing if it does not ask so often.
async fn read_after_a_write(number: usize, is_in_redis: bool) -> Option<(u64, Tier, bool)> {
    let (database, redis) = (FakeDatabase::new(), FakeRedis::new());
    database.write(ENTITY, "7", 1);
    let source = FakeSource::new(&database, ENTITY);
    let clock = Interrupted::default();
    let cache = |clock: Arc<dyn Clock>| {
        let node = Node::builder()
            .clock(clock)
            .remote(Arc::new(redis.handle()))
            .change_log(Arc::new(database.log()))
            .poll_interval(Duration::from_hours(1))
            .staleness_bound(Duration::from_hours(3))
            .build();
        let cache: Cache<String, Versioned> = Cache::builder(ENTITY)
            .node(&node)
            .policy(still())
            .source(Arc::new(source.clone()))
            .build();
        cache
    };
    if is_in_redis {
        let other = cache(Arc::new(SystemClock));
        other.get(&key()).await.unwrap();
        while redis.cells().values().all(|cell| cell[0] != b'V') {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let cache = cache(Arc::new(clock.clone()));
    cache.get(&"another".to_owned()).await.unwrap();

    let (send, receive) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    let (writer, reader) = (cache.clone(), cache.clone());
    let interruption = move || {
        let joined = reader.stats().joined.get();
        let late = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&late);
        let stats = reader.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                database.write(ENTITY, "7", 2);
                writer.forget(&key()).await.unwrap();
                *answer.lock().unwrap() = Some(reader.look_up(&key(), Options::default()).await);
            });
            let answer = answer.lock().unwrap().take();
            let _ = send.send(answer.unwrap().unwrap());
        });
        soon(|| stats.stats().joined.get() > joined || late.lock().unwrap().is_some());
    };
    clock.at(number, Box::new(interruption));
    let first = cache.get(&key()).await.unwrap().unwrap();
    assert!((1..=2).contains(&first.version));
    if clock.is_left() {
        return None;
    }
    let late = tokio::task::spawn_blocking(move || receive.recv().unwrap());
    let late = late.await.unwrap();
    let version = late.value().unwrap().version;
    Some((version, late.trail().tier, cache.stats().joined.get() > 0))
}

async fn nobody_reads_before_his_own_write(is_in_redis: bool) {
    let (mut stops, mut joins) = (0, 0);
    for number in 1.. {
        let Some((version, tier, joined)) = read_after_a_write(number, is_in_redis).await else {
            break;
        };
        assert_eq!(version, 2, "stopped at question {number}, from {tier:?}");
        stops += 1;
        joins += u32::from(joined);
    }
    assert!(
        stops >= 3,
        "the flight asks for the time more often than {stops} times"
    );
    assert!(joins >= 1, "nobody joined the flight");
}

/// R5 and R8. Between its judgement and its end the find of a flight may have been overtaken.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_redis_had_is_not_for_who_has_written_since() {
    nobody_reads_before_his_own_write(true).await;
}

/// The same of a load.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_load_brought_is_not_for_who_has_written_since() {
    nobody_reads_before_his_own_write(false).await;
}
