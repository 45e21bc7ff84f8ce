//! Places among the requests that are answered at a time. A request that waits for its client, and
//! not for us, holds none.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::limits::Limits;
use crate::metrics::{Refusal, Requests};
use crate::problem::{Code, Problem, SOON};

tokio::task_local! {
    static HELD: Held;
}

/// The places of a node's listener.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    most: usize,
    patience: Duration,
    requests: Arc<Requests>,
}

/// The place of a request that may have to wait for its client.
struct Held {
    place: Cell<Option<OwnedSemaphorePermit>>,
    places: Places,
}

impl Places {
    pub(super) fn new(limits: &Limits, requests: Arc<Requests>) -> Self {
        let most = limits.in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            // Some of the time of the request is for the answer.
            patience: limits.body_timeout.min(limits.request_timeout / 2),
            requests,
        }
    }

    /// A place, if there is one.
    pub(super) fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.free.try_acquire().ok()
    }

    /// Answers a request that brings a body, in a place.
    pub(super) async fn during<T>(&self, answering: impl Future<Output = T>) -> Result<T, Problem> {
        let held = Held {
            place: Cell::new(Some(self.again()?)),
            places: self.clone(),
        };
        Ok(HELD.scope(held, answering).await)
    }

    fn again(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = Arc::clone(&self.free).try_acquire_owned();
        place.map_err(|_| self.refuse())
    }

    /// There is none.
    pub(super) fn refuse(&self) -> Problem {
        self.requests.refuse(Refusal::InFlight);
        let most = self.most;
        let detail =
            format!("the server answers {most} requests at a time, and so many are under way");
        Problem::new(Code::Overloaded, detail).retry_after(SOON)
    }
}

/// Waits for what the client still has to send, while others have its place, and not for long.
pub(crate) async fn without_place<T>(waiting: impl Future<Output = T>) -> Result<T, Problem> {
    let left = HELD.try_with(|held| {
        drop(held.place.take());
        held.places.clone()
    });
    // Without a body there is no place to leave, and nothing to wait for.
    let Ok(places) = left else {
        return Ok(waiting.await);
    };
    let Ok(sent) = tokio::time::timeout(places.patience, waiting).await else {
        let seconds = places.patience.as_secs_f64();
        let detail = format!("the body did not arrive whole within {seconds} s");
        return Err(Problem::new(Code::BodyTooSlow, detail));
    };
    let place = places.again()?;
    let _ = HELD.try_with(|held| held.place.set(Some(place)));
    Ok(sent)
}
