//! Tells the caches what customers want most, so that they keep it.

use std::sync::Arc;
use std::time::Duration;

use tingkat::Node;
use tingkat::error::SourceError;
use tingkat::ports::Clock;
use tingkat_shop::Popularity as _;
use tingkat_sql::Database;
use tokio_util::sync::CancellationToken;

/// After a failure it is tried again so soon.
const AGAIN: Duration = Duration::from_mins(1);

/// Counts popularity now and then.
pub(super) struct Favourites {
    pub(super) database: Database,
    pub(super) node: Node,
    pub(super) clock: Arc<dyn Clock>,
    /// How many keys of an entity; none at 0.
    pub(super) keep: usize,
    /// How often.
    pub(super) every: Duration,
    pub(super) stop: CancellationToken,
}

impl Favourites {
    /// Goes on until the node stops.
    pub(super) async fn keep(self) {
        if self.keep > 0 {
            let stop = self.stop.clone();
            stop.run_until_cancelled(self.go_on()).await;
        }
    }

    async fn go_on(&self) {
        let mut was_whole = true;
        loop {
            let failure = self.count().await;
            if let Some(error) = failure.as_ref().filter(|_| was_whole) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "it can not be counted what customers want most");
            }
            was_whole = failure.is_none();
            let pause = if was_whole {
                self.every
            } else {
                AGAIN.min(self.every)
            };
            self.clock.sleep(pause).await;
        }
    }

    /// Counts once; the first failure, if there is one.
    async fn count(&self) -> Option<SourceError> {
        let mut failure = None;
        for cache in self.node.registry().all() {
            match self.database.top(cache.name(), self.keep).await {
                Ok(top) if top.is_empty() => {}
                Ok(top) => {
                    let keys: Vec<String> = top.into_iter().map(|scored| scored.key).collect();
                    let kept = cache.favour(&keys);
                    tracing::debug!(entity = cache.name(), kept, "popular keys are kept");
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure
    }
}
