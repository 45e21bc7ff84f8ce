//! A task that does nothing but run: while it does, the others can.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tingkat::ports::{Clock, Tick};

/// How often it beats.
const BEAT: Duration = Duration::from_secs(1);

/// A node whose heart has not beaten for this long is to be restarted.
const LONGEST: Duration = Duration::from_secs(10);

/// When the heart last beat. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Beats for ever.
    pub async fn keep(self, clock: Arc<dyn Clock>) {
        loop {
            self.0.store(clock.now().as_nanos(), Ordering::Relaxed);
            clock.sleep(BEAT).await;
        }
    }

    /// Whether it beats, or has not begun to.
    pub fn is_alive(&self, clock: &dyn Clock) -> bool {
        self.age(clock).is_none_or(|age| age <= LONGEST)
    }

    /// How long ago it last beat; nothing where it never did.
    pub(crate) fn age(&self, clock: &dyn Clock) -> Option<Duration> {
        let last = self.0.load(Ordering::Relaxed);
        (last > 0).then(|| clock.now().since(Tick::from_nanos(last)))
    }
}
