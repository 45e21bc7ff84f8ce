//! When to stop asking a tier that fails: a state machine without a clock, and a lock for those who
//! share one.
//!
//! Errors are counted in a sliding window. Too many of them, or too many slow answers, open the
//! breaker for a while; then probes decide whether it closes. Waiting for a turn is no failure of
//! the server and is not to be recorded: no command waits for a connection here, and who gave up
//! with the rest of a budget has not asked for long enough to tell.

use std::time::Duration;

use crate::ports::Tick;
use crate::sync::{AtomicBool, Mutex, Ordering, PoisonError};

/// When a breaker opens and how it closes.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Outcomes older than this do not count.
    pub window: Duration,
    /// With fewer outcomes in the window it stays closed.
    pub minimum: u32,
    /// Opens at this share of failures (0 to 1).
    pub failure_share: f64,
    /// An answer that takes longer counts as a failure.
    pub slow: Duration,
    /// How long it stays open before the first probe.
    pub open_for: Duration,
    /// After each failed probe it stays open twice as long, up to this.
    pub open_for_most: Duration,
    /// Probes that must succeed in a row before it closes.
    pub probes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            minimum: 5,
            failure_share: 0.5,
            slow: Duration::from_millis(100),
            open_for: Duration::from_millis(500),
            open_for_most: Duration::from_secs(5),
            probes: 2,
        }
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// No call passes.
    Open,
    /// Only probes pass.
    HalfOpen,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer, after this long.
    Answered(Duration),
    /// No answer, or an error of the server.
    Failed,
}

const SLICES: usize = 10;
const SLICES_WIDE: u64 = SLICES as u64;

/// The state machine. Every method takes the time.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: Config,
    state: State,
    /// Outcomes per tenth of the window: its number, how many, how many failed.
    slices: [(u64, u32, u32); SLICES],
    until: Tick,
    open_for: Duration,
    succeeded: u32,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: Config) -> Self {
        let open_for = config.open_for;
        Self {
            config,
            state: State::Closed,
            slices: [(0, 0, 0); SLICES],
            until: Tick::from_nanos(0),
            open_for,
            succeeded: 0,
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether an ordinary call may pass.
    pub fn allows(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether a probe is due; asking moves an open breaker to half open.
    pub fn wants_probe(&mut self, now: Tick) -> bool {
        if self.state == State::Open && now >= self.until {
            self.state = State::HalfOpen;
            self.succeeded = 0;
        }
        self.state == State::HalfOpen
    }

    /// Takes in how an ordinary call ended; tells whether the state changed.
    pub fn record(&mut self, now: Tick, outcome: Outcome) -> bool {
        if self.state != State::Closed {
            // A call that began before it opened; the probes decide now.
            return false;
        }
        let failed = self.is_failure(outcome);
        let number = self.slice_number(now);
        if let Some(slice) = self
            .slices
            .get_mut(usize::try_from(number % SLICES_WIDE).unwrap_or(0))
        {
            if slice.0 != number {
                *slice = (number, 0, 0);
            }
            slice.1 = slice.1.saturating_add(1);
            slice.2 = slice.2.saturating_add(u32::from(failed));
        }
        if !failed {
            return false;
        }
        let (calls, failures) = self.counts(number);
        let opens = calls >= self.config.minimum
            && f64::from(failures) >= f64::from(calls) * self.config.failure_share;
        if opens {
            self.open(now);
        }
        opens
    }

    /// Takes in how a probe ended; tells whether the state changed.
    pub fn record_probe(&mut self, now: Tick, outcome: Outcome) -> bool {
        if self.state != State::HalfOpen {
            return false;
        }
        if self.is_failure(outcome) {
            self.open_for = self
                .open_for
                .saturating_mul(2)
                .min(self.config.open_for_most);
            self.open(now);
            return true;
        }
        self.succeeded += 1;
        let closes = self.succeeded >= self.config.probes;
        if closes {
            self.state = State::Closed;
            self.open_for = self.config.open_for;
            self.slices = [(0, 0, 0); SLICES];
        }
        closes
    }

    /// When the next probe is due, while it is open.
    pub fn probe_at(&self) -> Option<Tick> {
        match self.state {
            State::Closed => None,
            State::Open => Some(self.until),
            State::HalfOpen => Some(Tick::from_nanos(0)),
        }
    }

    fn open(&mut self, now: Tick) {
        self.state = State::Open;
        self.until = now.after(self.open_for);
        self.succeeded = 0;
    }

    fn is_failure(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered(took) => took > self.config.slow,
            Outcome::Failed => true,
        }
    }

    fn slice_number(&self, now: Tick) -> u64 {
        let slice = u64::try_from(self.config.window.as_nanos()).unwrap_or(u64::MAX) / SLICES_WIDE;
        // Number 0 stands for an empty slice.
        now.as_nanos() / slice.max(1) + 1
    }

    fn counts(&self, number: u64) -> (u32, u32) {
        self.slices
            .iter()
            .filter(|(slice, ..)| *slice > 0 && slice + SLICES_WIDE > number)
            .fold((0, 0), |(calls, failures), (_, c, f)| {
                (calls + c, failures + f)
            })
    }
}

/// A breaker that many calls share.
#[derive(Debug)]
pub struct Shared {
    breaker: Mutex<Breaker>,
    /// What it says to an ordinary call, to be read without the lock.
    allows: AtomicBool,
}

impl Shared {
    /// A closed breaker.
    pub fn new(config: Config) -> Self {
        let breaker = Breaker::new(config);
        Self {
            allows: AtomicBool::new(breaker.allows()),
            breaker: Mutex::new(breaker),
        }
    }

    /// Whether an ordinary call may pass.
    pub fn allows(&self) -> bool {
        self.allows.load(Ordering::Relaxed)
    }

    /// Asks or tells the breaker something.
    pub fn with<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut breaker);
        self.allows.store(breaker.allows(), Ordering::Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Outcome = Outcome::Answered(Duration::from_millis(1));

    fn at(ms: u64) -> Tick {
        Tick::from_nanos(ms * 1_000_000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(Config::default());
        for _ in 0..5 {
            breaker.record(at(0), Outcome::Failed);
        }
        assert_eq!(breaker.state(), State::Open);
        breaker
    }

    #[test]
    fn it_opens_at_the_minimum_and_not_before() {
        let mut breaker = Breaker::new(Config::default());
        for _ in 0..4 {
            assert!(!breaker.record(at(0), Outcome::Failed));
            assert!(breaker.allows());
        }
        assert!(breaker.record(at(0), Outcome::Failed));
        assert!(!breaker.allows());
    }

    #[test]
    fn a_few_failures_among_many_answers_do_not_open_it() {
        let mut breaker = Breaker::new(Config::default());
        for ms in 0..1_000 {
            breaker.record(at(ms), if ms % 3 == 0 { Outcome::Failed } else { FAST });
        }
        assert!(breaker.allows());
    }

    #[test]
    fn failures_outside_the_window_do_not_count() {
        let mut breaker = Breaker::new(Config::default());
        for second in 0..20 {
            breaker.record(at(second * 3_000), Outcome::Failed);
        }
        assert!(breaker.allows(), "never five within ten seconds");
    }

    #[test]
    fn slow_answers_open_it_too() {
        let mut breaker = Breaker::new(Config::default());
        for _ in 0..5 {
            breaker.record(at(0), Outcome::Answered(Duration::from_millis(200)));
        }
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn two_good_probes_close_it() {
        let mut breaker = opened();
        assert!(!breaker.wants_probe(at(499)));
        assert!(breaker.wants_probe(at(500)));
        assert!(!breaker.record_probe(at(501), FAST));
        assert!(!breaker.allows());
        assert!(breaker.record_probe(at(502), FAST));
        assert!(breaker.allows());
        breaker.record(at(503), Outcome::Failed);
        assert!(breaker.allows(), "it begins with an empty window");
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_a_limit() {
        let mut breaker = opened();
        let mut now = 500;
        for pause in [1_000, 2_000, 4_000, 5_000, 5_000] {
            assert!(breaker.wants_probe(at(now)));
            assert!(breaker.record_probe(at(now), Outcome::Failed));
            assert!(!breaker.wants_probe(at(now + pause - 1)));
            now += pause;
        }
    }

    #[test]
    fn a_late_answer_of_an_earlier_call_changes_nothing() {
        let mut breaker = opened();
        assert!(!breaker.record(at(1), FAST));
        assert_eq!(breaker.state(), State::Open);
        assert!(!breaker.record_probe(at(1), FAST), "not half open");
    }
}
