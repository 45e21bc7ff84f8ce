//! One load per key on this node: the first caller leads, the others wait for what it finds.
//!
//! A leader that goes away before it is done hands over: one of the waiters leads instead. The
//! part knows neither keys' meaning nor values; it is written over [`crate::sync`] so that its
//! schedules can be explored.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};

const SHARDS: usize = 16;

/// The loads under way of one cache.
pub(crate) struct Flights<K, T> {
    shards: Vec<Mutex<Flying<K, T>>>,
    hasher: RandomState,
}

type Flying<K, T> = HashMap<K, Arc<Flight<T>>>;

/// One load under way.
pub(crate) struct Flight<T> {
    state: Mutex<State<T>>,
    /// When its load was sent to the source; 0 before that.
    sent_at: AtomicU64,
}

enum State<T> {
    /// A place per waiter; empty once it stopped waiting.
    Running(Vec<Option<Waker>>),
    Done(T),
    /// The leader went away.
    Abandoned,
}

/// What a caller became.
pub(crate) enum Role<K: Eq + Hash + Clone, T: Clone> {
    /// It shall find the answer and [`complete`](Leader::complete).
    Leader(Leader<K, T>),
    /// It waits for the leader's answer.
    Waiter(Waiter<T>),
}

impl<K: Eq + Hash + Clone, T: Clone> Flights<K, T> {
    pub(crate) fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect();
        Arc::new(Self {
            shards,
            hasher: RandomState::new(),
        })
    }

    /// Joins the flight of `key`, or begins one. A flight whose load was sent before `sent_since`
    /// is too old to join: a new one takes its place, and the old one ends for its own waiters.
    pub(crate) fn join_or_lead(self: &Arc<Self>, key: &K, sent_since: u64) -> Role<K, T> {
        let mut flights = self.shard(key);
        if let Some(flight) = flights.get(key) {
            let sent_at = flight.sent_at.load(Ordering::Acquire);
            if (sent_at == 0 || sent_at >= sent_since) && !flight.is_over() {
                return Role::Waiter(Waiter::new(flight));
            }
        }
        let flight = Arc::new(Flight {
            state: Mutex::new(State::Running(Vec::new())),
            sent_at: AtomicU64::new(0),
        });
        flights.insert(key.clone(), Arc::clone(&flight));
        Role::Leader(Leader {
            flights: Arc::clone(self),
            key: key.clone(),
            flight,
        })
    }

    /// Whether a load of `key` is under way.
    pub(crate) fn is_flying(&self, key: &K) -> bool {
        self.shard(key).contains_key(key)
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Flying<K, T>> {
        // The remainder fits, and there are that many shards.
        let index = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Flight<T> {
    /// Ends the flight once; tells the waiters.
    fn end(&self, end: State<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let wakers = match &mut *state {
            State::Running(wakers) => std::mem::take(wakers),
            State::Done(_) | State::Abandoned => return,
        };
        *state = end;
        drop(state);
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    fn is_over(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(*state, State::Running(_))
    }
}

/// The right and the duty to answer a flight; dropping it hands over.
pub(crate) struct Leader<K: Eq + Hash + Clone, T: Clone> {
    flights: Arc<Flights<K, T>>,
    key: K,
    flight: Arc<Flight<T>>,
}

impl<K: Eq + Hash + Clone, T: Clone> Leader<K, T> {
    /// The key that it loads.
    pub(crate) const fn key(&self) -> &K {
        &self.key
    }

    /// A handle to say when the load was sent.
    pub(crate) fn sender(&self) -> Sender<T> {
        Sender(Arc::clone(&self.flight))
    }

    /// Waits for what this leader finds, wherever it is moved to.
    pub(crate) fn waiter(&self) -> Waiter<T> {
        Waiter::new(&self.flight)
    }

    /// Gives every waiter the answer.
    pub(crate) fn complete(self, answer: T) {
        // Off the map first, so that who comes now begins anew instead of finding an old answer.
        self.unlist();
        self.flight.end(State::Done(answer));
    }

    fn unlist(&self) {
        let mut flights = self.flights.shard(&self.key);
        if flights
            .get(&self.key)
            .is_some_and(|listed| Arc::ptr_eq(listed, &self.flight))
        {
            flights.remove(&self.key);
        }
    }
}

/// Tells a flight that its load was sent.
pub(crate) struct Sender<T>(Arc<Flight<T>>);

impl<T> Sender<T> {
    /// Who comes too late for a load sent at `sent_at` does not join.
    pub(crate) fn sent(&self, sent_at: u64) {
        self.0.sent_at.store(sent_at.max(1), Ordering::Release);
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Drop for Leader<K, T> {
    fn drop(&mut self) {
        self.unlist();
        self.flight.end(State::Abandoned);
    }
}

/// Waits for a leader's answer; nothing comes when the leader went away.
pub(crate) struct Waiter<T> {
    flight: Arc<Flight<T>>,
    place: Option<usize>,
}

impl<T> Waiter<T> {
    fn new(flight: &Arc<Flight<T>>) -> Self {
        Self {
            flight: Arc::clone(flight),
            place: None,
        }
    }

    /// Another waiter for the same answer.
    pub(crate) fn another(&self) -> Self {
        Self::new(&self.flight)
    }
}

impl<T: Clone> Future for Waiter<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let flight = Arc::clone(&self.flight);
        let mut state = flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Running(wakers) => {
                let waker = Some(context.waker().clone());
                if let Some(place) = self.place.and_then(|place| wakers.get_mut(place)) {
                    *place = waker;
                } else {
                    self.place = Some(wakers.len());
                    wakers.push(waker);
                }
                Poll::Pending
            }
            State::Done(answer) => Poll::Ready(Some(answer.clone())),
            State::Abandoned => Poll::Ready(None),
        }
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut state = self
            .flight
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let State::Running(wakers) = &mut *state
            && let Some(waker) = wakers.get_mut(place)
        {
            *waker = None;
        }
    }
}
