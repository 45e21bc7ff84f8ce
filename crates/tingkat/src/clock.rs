//! The machine's clock; the only place that asks the system for the time.

use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use rustix::time::{ClockId, clock_gettime};

use crate::ports::{Clock, Tick};

/// Monotonic time of the kernel, wall time of the system, sleep by tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The kernel's cheap clock, where there is one.
#[cfg(any(target_os = "linux", target_os = "android"))]
const COARSE: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const COARSE: ClockId = ClockId::Monotonic;

/// The kernel's clock that counts a suspended machine's sleep, where there is one.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

fn read(id: ClockId) -> Tick {
    let time = clock_gettime(id);
    // Both are positive on a monotonic clock, and 584 years fit.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Tick::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

impl Clock for SystemClock {
    fn now(&self) -> Tick {
        read(ClockId::Monotonic)
    }

    fn coarse(&self) -> Tick {
        read(COARSE)
    }

    fn boot(&self) -> Tick {
        read(BOOT)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the module that may ask")]
    fn wall_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
