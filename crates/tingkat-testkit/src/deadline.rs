//! Waiting for something to come true. Tests do this instead of sleeping.

use std::time::Duration;

use crate::error::{Error, Result};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(3);

/// What a condition answers: `bool`, or `Option<T>` when there is something to hand over.
pub trait Outcome {
    /// What the condition yields when it is true.
    type Value;

    /// The value, if the condition is true.
    fn value(self) -> Option<Self::Value>;
}

impl Outcome for bool {
    type Value = ();

    fn value(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Outcome for Option<T> {
    type Value = T;

    fn value(self) -> Option<T> {
        self
    }
}

/// Asks `condition` every few milliseconds until it is true. A condition that hangs counts as not
/// true. With tokio's clock paused the waiting is virtual, as with any tokio timer.
///
/// An `async ||` that changes what it captures does not fit; one with a `Cell` does. The stricter
/// bound is what lets callers wait inside spawned tasks.
///
/// # Errors
/// The condition was not true `within` the time.
pub async fn eventually<F>(
    within: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<<F::Output as Outcome>::Value>
where
    F: Future<Output: Outcome>,
{
    let came_true = async {
        loop {
            if let Some(value) = condition().await.value() {
                return value;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(within, came_true)
        .await
        .map_err(|_| Error::new(format!("the condition did not come true within {within:?}")))
}
