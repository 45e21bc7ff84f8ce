//! One load per key: who joins gets the answer, who leads and goes away hands over.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread;

use crate::flight::{Flights, Leader, Role};
use crate::schedules::{is_caught, under_all};

const KEY: u8 = 7;
const CALLERS: usize = 3;

/// Starts threads and waits for them.
fn together(work: impl IntoIterator<Item = Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = work.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The loads of a scenario; each ends with a number that is larger than the last.
#[derive(Default)]
struct Loads {
    is_running: AtomicBool,
    ended: AtomicU64,
}

impl Loads {
    fn run(&self) -> u64 {
        let was_running = self.is_running.swap(true, Ordering::SeqCst);
        assert!(!was_running, "two loads of one key at a time");
        let number = self.ended.load(Ordering::SeqCst) + 1;
        self.ended.store(number, Ordering::SeqCst);
        self.is_running.store(false, Ordering::SeqCst);
        number
    }
}

/// Some way to share loads.
trait Share: Send + Sync + 'static {
    fn new() -> Arc<Self>;
    /// The answer of a load, led or joined.
    fn call(self: &Arc<Self>, loads: &Loads) -> u64;
}

impl Share for Flights<u8, u64> {
    fn new() -> Arc<Self> {
        Self::new()
    }

    fn call(self: &Arc<Self>, loads: &Loads) -> u64 {
        match self.join_or_lead(&KEY, 0) {
            Role::Leader(leader) => {
                let answer = loads.run();
                leader.complete(answer);
                answer
            }
            Role::Waiter(waiter) => block_on(waiter).unwrap(),
        }
    }
}

/// Wrong on purpose: answers while the flight can still be joined, and takes it off afterwards.
#[derive(Default)]
struct Careless {
    flying: Mutex<Option<Arc<Answer>>>,
}

#[derive(Default)]
struct Answer {
    value: Mutex<Option<u64>>,
    came: Condvar,
}

impl Share for Careless {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn call(self: &Arc<Self>, loads: &Loads) -> u64 {
        let mut flying = self.flying.lock().unwrap();
        if let Some(answer) = flying.clone() {
            drop(flying);
            let value = answer.value.lock().unwrap();
            return answer
                .came
                .wait_while(value, |value| value.is_none())
                .unwrap()
                .unwrap();
        }
        let answer = Arc::<Answer>::default();
        *flying = Some(Arc::clone(&answer));
        drop(flying);
        let value = loads.run();
        *answer.value.lock().unwrap() = Some(value);
        answer.came.notify_all();
        *self.flying.lock().unwrap() = None;
        value
    }
}

/// Nobody gets the answer of a load whose leader had been answered before the call began.
fn callers_share_loads<S: Share>() {
    let (share, loads) = (S::new(), Arc::new(Loads::default()));
    let answered = Arc::new(AtomicU64::new(0));
    together((0..CALLERS).map(|_| -> Box<dyn FnOnce() + Send> {
        let (share, loads, answered) = (share.clone(), loads.clone(), answered.clone());
        Box::new(move || {
            let before = answered.load(Ordering::SeqCst);
            let answer = share.call(&loads);
            assert!(answer > before, "an answer from before the call");
            answered.fetch_max(answer, Ordering::SeqCst);
        })
    }));
}

#[test]
fn all_who_join_get_the_one_answer_and_nobody_an_older_one() {
    under_all(callers_share_loads::<Flights<u8, u64>>);
}

#[test]
fn answering_before_the_flight_is_off_the_list_is_caught() {
    is_caught(callers_share_loads::<Careless>, "from before the call");
}

/// Calls until there is an answer; the first time that it leads, it goes away like this.
fn call_after(flights: &Arc<Flights<u8, u64>>, mut go_away: Option<fn(Leader<u8, u64>)>) -> u64 {
    loop {
        match (flights.join_or_lead(&KEY, 0), go_away.take()) {
            (Role::Leader(leader), Some(go_away)) => go_away(leader),
            (Role::Leader(leader), None) => {
                leader.complete(1);
                return 1;
            }
            (Role::Waiter(waiter), kept) => {
                go_away = kept;
                if let Some(answer) = block_on(waiter) {
                    return answer;
                }
            }
        }
    }
}

fn leaders_go_away(go_away: fn(Leader<u8, u64>)) {
    let flights = Flights::new();
    together((0..CALLERS).map(|caller| -> Box<dyn FnOnce() + Send> {
        let flights = Arc::clone(&flights);
        // The last one stays.
        let go_away = (caller + 1 < CALLERS).then_some(go_away);
        Box::new(move || assert_eq!(call_after(&flights, go_away), 1))
    }));
    assert!(!flights.is_flying(&KEY));
}

#[test]
fn a_leader_that_is_dropped_hands_over_and_nobody_hangs() {
    under_all(|| leaders_go_away(drop));
}

#[test]
fn a_leader_that_panics_hands_over_and_nobody_hangs() {
    under_all(|| {
        leaders_go_away(|leader| {
            let outcome = catch_unwind(AssertUnwindSafe(move || {
                let _leader = leader;
                // Without the hook: its message would come a thousand times.
                resume_unwind(Box::new("the loader is broken"));
            }));
            assert!(outcome.is_err());
        });
    });
}

#[test]
fn a_flight_that_nobody_leads_is_off_the_list() {
    under_all(|| {
        let flights: Arc<Flights<u8, u64>> = Flights::new();
        together((0..CALLERS).map(|_| -> Box<dyn FnOnce() + Send> {
            let flights = Arc::clone(&flights);
            Box::new(move || drop(flights.join_or_lead(&KEY, 0)))
        }));
        assert!(!flights.is_flying(&KEY));
    });
}

#[test]
fn a_leader_that_goes_away_without_a_word_is_caught() {
    is_caught(|| leaders_go_away(std::mem::forget), "deadlock");
}

/// Callers come at ascending times and want a load that reads after they came; one of them may be
/// `patient` and takes any.
fn callers_want_young_loads(since: fn(u64) -> u64) {
    let flights: Arc<Flights<u8, u64>> = Flights::new();
    let clock = Arc::new(AtomicU64::new(1));
    together((0..CALLERS).map(|caller| -> Box<dyn FnOnce() + Send> {
        let (flights, clock) = (flights.clone(), clock.clone());
        let is_patient = caller == 0;
        Box::new(move || {
            let came_at = clock.fetch_add(1, Ordering::SeqCst);
            let since = if is_patient { 0 } else { since(came_at) };
            let answer = match flights.join_or_lead(&KEY, since) {
                Role::Leader(leader) => {
                    let waiter = leader.waiter();
                    let sent = leader.sender();
                    sent.sent(clock.load(Ordering::SeqCst));
                    let read_at = clock.load(Ordering::SeqCst);
                    leader.complete(read_at);
                    block_on(waiter)
                }
                Role::Waiter(waiter) => block_on(waiter),
            };
            // Also the waiters of a flight that was replaced have their answer.
            let read_at = answer.unwrap();
            assert!(
                is_patient || read_at >= came_at,
                "a load from before the call"
            );
        })
    }));
}

#[test]
fn a_load_that_is_too_old_is_replaced_and_its_own_waiters_still_get_it() {
    under_all(|| callers_want_young_loads(|came_at| came_at));
}

#[test]
fn joining_loads_of_any_age_is_caught() {
    is_caught(|| callers_want_young_loads(|_| 0), "from before the call");
}

#[test]
fn a_waiter_that_leaves_takes_nobody_elses_place() {
    under_all(|| {
        let flights: Arc<Flights<u8, u64>> = Flights::new();
        let Role::Leader(leader) = flights.join_or_lead(&KEY, 0) else {
            panic!("nobody else is there");
        };
        let mut leaving = Box::pin(leader.waiter());
        let mut context = Context::from_waker(Waker::noop());
        assert!(leaving.as_mut().poll(&mut context).is_pending());
        // Another one moves house: only the waker that it had last is of use.
        let mut moving = Box::pin(leaving.another());
        assert!(moving.as_mut().poll(&mut context).is_pending());
        let staying = leaving.another();
        together([
            Box::new(move || drop(leaving)) as Box<dyn FnOnce() + Send>,
            Box::new(move || assert_eq!(block_on(Pin::new(&mut moving)), Some(5))),
            Box::new(move || assert_eq!(block_on(staying), Some(5))),
            Box::new(move || leader.complete(5)),
        ]);
    });
}
