//! A breaker that is shared: calls and probes from several threads never leave it open for ever.

use std::time::Duration;

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

use crate::breaker::{Config, Outcome, Shared, State};
use crate::ports::Tick;
use crate::schedules::under_all;

const FAST: Outcome = Outcome::Answered(Duration::from_millis(1));

struct Guarded {
    breaker: Shared,
    clock_ms: AtomicU64,
}

impl Guarded {
    /// The time of a step; reading it and taking the lock are two, so times come out of order.
    fn now(&self) -> Tick {
        let ms = self.clock_ms.fetch_add(150, Ordering::SeqCst);
        Tick::from_nanos(ms * 1_000_000)
    }

    fn call(&self) {
        if self.breaker.allows() {
            let outcome = random_outcome();
            let now = self.now();
            self.breaker.with(|breaker| breaker.record(now, outcome));
        }
    }

    fn probe(&self) {
        let now = self.now();
        if self.breaker.with(|breaker| breaker.wants_probe(now)) {
            let outcome = random_outcome();
            let now = self.now();
            self.breaker
                .with(|breaker| breaker.record_probe(now, outcome));
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
            breaker: Shared::new(config),
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
        let breaker = &guarded.breaker;
        let (allows, due) = breaker.with(|breaker| (breaker.allows(), breaker.probe_at()));
        assert_eq!(allows, due.is_none());
        assert_eq!(
            breaker.allows(),
            allows,
            "what calls are told is what it says"
        );
        if let Some(due) = due {
            assert!(
                due <= ended.after(longest),
                "put off beyond the longest pause"
            );
            let due = due.max(ended);
            // Some of the probes may have succeeded already.
            for _ in 0..probes {
                breaker.with(|breaker| {
                    if breaker.wants_probe(due) {
                        breaker.record_probe(due, FAST);
                    }
                });
            }
        }
        assert!(breaker.allows(), "good probes do not close it");
        assert_eq!(
            breaker.with(|breaker| breaker.state()),
            State::Closed,
            "good probes do not close it"
        );
    });
}
