//! Waits for an instant far more exactly than the timer of the runtime, whose tick is a millisecond:
//! an operation that is sent late looks slow.

use std::io;

use tingkat::ports::Tick;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use exact::Pacer;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use usual::Pacer;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod exact {
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    use super::{Tick, io};

    /// A timer of the kernel.
    pub(crate) struct Pacer(AsyncFd<OwnedFd>);

    impl Pacer {
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe for types that may change their descriptor, \
                          which an owned one does not"
            )]
            let timer = AsyncFd::new(timer)?;
            Ok(Self(timer))
        }

        /// Returns at an instant of the machine's monotonic clock, at once if it is over.
        pub(crate) async fn until(&self, at: Tick) -> io::Result<()> {
            let nanos = at.as_nanos().max(1);
            let time = Timespec {
                tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
                // Less than a second always fits.
                tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or_default(),
            };
            let once = Itimerspec {
                it_interval: Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                it_value: time,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                let mut count = [0; 8];
                let read = ready.try_io(|timer| {
                    rustix::io::read(timer.get_ref(), &mut count).map_err(io::Error::from)
                });
                if let Ok(read) = read {
                    return read.map(drop);
                }
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod usual {
    use tingkat::clock::SystemClock;
    use tingkat::ports::Clock as _;

    use super::{Tick, io};

    /// The timer of the runtime.
    pub(crate) struct Pacer;

    impl Pacer {
        #[expect(
            clippy::unnecessary_wraps,
            reason = "a timer of the kernel may be refused"
        )]
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Returns at an instant of the machine's monotonic clock, at once if it is over.
        pub(crate) async fn until(&self, at: Tick) -> io::Result<()> {
            SystemClock.sleep(at.since(SystemClock.now())).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tingkat::clock::SystemClock;
    use tingkat::ports::Clock as _;

    use super::*;

    #[tokio::test]
    async fn it_returns_at_the_instant_and_not_before() {
        let pacer = Pacer::new().unwrap();
        for wait in [3, 0, 2] {
            let at = SystemClock.now().after(Duration::from_millis(wait));
            pacer.until(at).await.unwrap();
            assert!(SystemClock.now() >= at);
        }
        // An instant long ago.
        pacer.until(Tick::from_nanos(0)).await.unwrap();
    }
}
