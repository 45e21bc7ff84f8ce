//! How a neighbour behaves at the moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// What a call meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// An answer.
    #[default]
    Well,
    /// An answer after this long.
    Slow(Duration),
    /// An error.
    Failing,
    /// No answer, until the mood changes.
    Hanging,
    /// A panic.
    Panicking,
}

/// Sets the mood; clones share it.
#[derive(Clone, Debug)]
pub struct Switch {
    mood: Arc<Mutex<Mood>>,
    /// In the order in which they came, so that a run can be repeated; a `watch` would shuffle them.
    changed: Arc<Notify>,
    calls: Arc<Mutex<u64>>,
}

impl Switch {
    /// A neighbour that is well.
    pub fn new() -> Self {
        Self {
            mood: Arc::default(),
            changed: Arc::default(),
            calls: Arc::default(),
        }
    }

    /// Changes the mood, also for calls that hang.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
        self.changed.notify_waiters();
    }

    /// No answer until [`restore`](Self::restore).
    pub fn cut(&self) {
        self.set(Mood::Hanging);
    }

    /// Everything is well again.
    pub fn restore(&self) {
        self.set(Mood::Well);
    }

    /// Answers take this long.
    pub fn slow(&self, pause: Duration) {
        self.set(Mood::Slow(pause));
    }

    /// Calls that were made.
    pub fn calls(&self) -> u64 {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a call goes through: whether it is to succeed.
    ///
    /// # Panics
    /// When the mood is to panic.
    #[expect(clippy::panic, reason = "the mood asks for it")]
    pub async fn pass(&self) -> bool {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        loop {
            let changed = self.changed.notified();
            let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
            match mood {
                Mood::Well => return true,
                Mood::Failing => return false,
                Mood::Panicking => panic!("a neighbour panics because the test wants it to"),
                Mood::Slow(pause) => {
                    tokio::time::sleep(pause).await;
                    return true;
                }
                Mood::Hanging => changed.await,
            }
        }
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self::new()
    }
}
