//! A clock that tests move: the paused clock of tokio, as one node sees it.

use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::ports::{Clock, Tick};
use tokio::time::Instant;

/// Where monotonic time begins, so that "never" lies well before it.
const BEGINNING: Duration = Duration::from_hours(1_000);

/// Wall time at the beginning: 2026-01-01.
const WALL_BEGINNING_MS: u64 = 1_767_225_600_000;

/// Time of a runtime with `start_paused`: it stands still while there is work, jumps to the next
/// timer when there is none, and moves by [`tokio::time::advance`].
#[derive(Clone, Copy, Debug)]
pub struct TestClock {
    begun: Instant,
    rate: f64,
    wall_offset_ms: i64,
}

impl TestClock {
    /// A clock that runs true. Needs a runtime with paused time.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the others ask"
    )]
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            rate: 1.0,
            wall_offset_ms: 0,
        }
    }

    /// The same clock, as a machine with a bad crystal sees it.
    pub const fn with_rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// The same clock on a machine whose wall clock is wrong.
    pub const fn with_wall_offset_ms(mut self, offset_ms: i64) -> Self {
        self.wall_offset_ms = offset_ms;
        self
    }

    /// True time since the clock was made.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the others ask"
    )]
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.begun)
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Tick {
        Tick::from_nanos(0).after(BEGINNING + self.elapsed().mul_f64(self.rate))
    }

    fn coarse(&self) -> Tick {
        self.now()
    }

    fn wall_ms(&self) -> u64 {
        let passed = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        WALL_BEGINNING_MS
            .saturating_add(passed)
            .saturating_add_signed(self.wall_offset_ms)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration.div_f64(self.rate)))
    }
}
