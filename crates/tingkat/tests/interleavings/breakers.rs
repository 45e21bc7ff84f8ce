//! A breaker behind a lock: calls and probes from several threads never leave it open for ever.

use std::time::Duration;

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use tingkat::breaker::{Breaker, Config, Outcome, State};

use crate::ports::Tick;
use crate::schedules::under_all;

const FAST: Outcome = Outcome::Answered(Duration::from_millis(1));

struct Guarded {
    breaker: Mutex<Breaker>,
    clock_ms: AtomicU64,
}

impl Guarded {
    /// The time of a step; reading it and taking the lock are two, so times come out of order.
    fn now(&self) -> Tick {
        let ms = self.clock_ms.fetch_add(150, Ordering::SeqCst);
        Tick::from_nanos(ms * 1_000_000)
    }

    fn call(&self) {
        if self.breaker.lock().unwrap().allows() {
            let outcome = random_outcome();
            let now = self.now();
            self.breaker.lock().unwrap().record(now, outcome);
        }
    }

    fn probe(&self) {
        let now = self.now();
        if self.breaker.lock().unwrap().wants_probe(now) {
            let outcome = random_outcome();
            let now = self.now();
            self.breaker.lock().unwrap().record_probe(now, outcome);
        }
    }
}

fn random_outcome() -> Outcome {
    if thread_rng().gen_bool(0.7) {
        Outcome::Failed
    } else {
        FAST
    }
}

#[test]
fn calls_and_probes_at_once_never_leave_it_open_for_ever() {
    under_all(|| {
        let config = Config {
            minimum: 2,
            ..Config::default()
        };
        let (probes, longest) = (config.probes, config.open_for_most);
        let guarded = Arc::new(Guarded {
            breaker: Mutex::new(Breaker::new(config)),
            clock_ms: AtomicU64::new(0),
        });
        let threads: Vec<_> = [Guarded::call, Guarded::call, Guarded::probe, Guarded::probe]
            .into_iter()
            .map(|step| {
                let guarded = Arc::clone(&guarded);
                thread::spawn(move || (0..3).for_each(|_| step(&guarded)))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let ended = guarded.now();
        let mut breaker = guarded.breaker.lock().unwrap();
        assert_eq!(breaker.allows(), breaker.probe_at().is_none());
        if let Some(due) = breaker.probe_at() {
            assert!(
                due <= ended.after(longest),
                "put off beyond the longest pause"
            );
            let due = due.max(ended);
            // Some of the probes may have succeeded already.
            for _ in 0..probes {
                if breaker.wants_probe(due) {
                    breaker.record_probe(due, FAST);
                }
            }
        }
        assert_eq!(
            breaker.state(),
            State::Closed,
            "good probes do not close it"
        );
    });
}
