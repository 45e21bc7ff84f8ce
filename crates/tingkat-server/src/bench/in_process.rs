//! The caches of the service in this process, put together as `serve` does it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::Mode;
use tingkat::policy::Placement;
use tingkat_faults::Control;
use tingkat_lab::bench::workload::Entity;
use tingkat_lab::bench::{Session, Stage, Start, Subject, SubjectError, Way};
use tokio::sync::{Mutex, OnceCell};

use super::keys::Keys;
use super::place::Place;
use super::ready::Ready;
use crate::cli::bench::Wanted;
use crate::config::Config;
use crate::exit::Failure;
use crate::serve::Parts;

/// Redis gets so long to be joined by new parts; without it they are measured as they are.
const JOINING: Duration = Duration::from_secs(5);

/// The service's caches.
pub(crate) struct InProcess {
    about: String,
    entity: Entity,
    memory_bytes: Option<u64>,
    has_redis: bool,
    writes: bool,
    bound: Duration,
    place: Arc<Place>,
    /// Listed once.
    keys: OnceCell<Arc<Keys>>,
    now: Mutex<Option<Now>>,
}

/// What stands at the moment.
struct Now {
    parts: Parts,
    /// Another node over the same database and Redis, where the workload writes: what a node has written
    /// itself it knows at once, so that how old its answers are is seen only by what others write.
    writer: Option<Parts>,
    way: Way,
    prefix: String,
    session: Arc<Ready>,
}

impl Now {
    async fn close(self) {
        if let Some(writer) = self.writer {
            writer.close().await;
        }
        self.parts.close().await;
    }
}

impl InProcess {
    pub(super) fn new(place: &Arc<Place>, wanted: &Wanted) -> Result<Self, Failure> {
        let tiers = if place.redis().is_some() {
            "the caches of the service in this process, in memory and Redis"
        } else {
            "the caches of the service in this process, in memory alone"
        };
        Ok(Self {
            about: tiers.to_owned(),
            entity: wanted.workload.entity,
            memory_bytes: wanted.workload.memory_bytes,
            has_redis: place.redis().is_some(),
            writes: wanted.workload.writes(),
            bound: place.config()?.feed.staleness_bound,
            place: Arc::clone(place),
            keys: OnceCell::new(),
            now: Mutex::new(None),
        })
    }

    /// Puts the parts together, under a prefix.
    async fn assemble(&self, way: Way, prefix: String, most: usize) -> Result<Now, SubjectError> {
        let list = || async {
            let keys = Keys::of_place(&self.place, self.entity, most).await;
            keys.map(Arc::new)
        };
        let keys = self.keys.get_or_try_init(list).await?;
        let config = self.place.config();
        let mut config = config.map_err(|failure| Keys::told(&failure))?;
        config.key_prefix = Some(prefix.clone());
        let memory_bytes = self.memory_bytes;
        config.policies.adjust(self.entity.name(), |policy, mode| {
            policy.memory_bytes = memory_bytes.unwrap_or(policy.memory_bytes);
            match way {
                Way::All => {}
                Way::Redis | Way::Network => policy.placement = Placement::Remote,
                Way::Database => *mode = Mode::Bypass,
            }
        });
        let parts = joined(&config).await?;
        let writer = if self.writes {
            Some(joined(&config).await?)
        } else {
            None
        };
        let wrote = writer.as_ref().unwrap_or(&parts);
        let session = Ready::new(&parts, wrote, self.entity, Arc::clone(keys));
        Ok(Now {
            session: Arc::new(session),
            parts,
            writer,
            way,
            prefix,
        })
    }

    /// The caches as a phase wants them.
    pub(super) async fn ready(&self, stage: &Stage) -> Result<Arc<Ready>, SubjectError> {
        let way = stage.way;
        if way == Way::Redis && !self.has_redis {
            return Err(SubjectError::unsuited("there is no Redis"));
        }
        if stage.start == Start::Restarted && !self.has_redis {
            let what = "after a restart Redis has everything, and there is no Redis: nothing would be \
                        left, as with empty tiers";
            return Err(SubjectError::unsuited(what));
        }
        let mut now = self.now.lock().await;
        if stage.start == Start::Restarted && way != Way::Database {
            // The node that is restarted has seen to it that Redis has everything.
            let before = if let Some(before) = now.take() {
                before
            } else {
                let prefix = self.place.another_prefix();
                self.assemble(way, prefix, stage.keys).await?
            };
            now.insert(before).session.fill().await?;
        }
        let is_as_it_was = now.as_ref().is_some_and(|now| now.way == way);
        let keeps_memory = matches!(stage.start, Start::AsIs | Start::Filled);
        if !(is_as_it_was && keeps_memory) {
            let prefix = now.as_ref().map(|before| before.prefix.clone());
            let prefix = prefix.filter(|_| stage.start != Start::Empty);
            let prefix = prefix.unwrap_or_else(|| self.place.another_prefix());
            let next = self.assemble(way, prefix, stage.keys).await?;
            // Not before: an embedded database that nobody has open is another one when it is opened
            // again, and what Redis has of it is worth nothing. In a deploy other nodes run on.
            if let Some(before) = now.replace(next) {
                before.close().await;
            }
        }
        let Some(now) = now.as_ref() else {
            return Err(SubjectError::unsuited("nothing was put together"));
        };
        let session = Arc::clone(&now.session);
        if stage.start == Start::Filled && way != Way::Database {
            session.fill().await?;
        }
        Ok(session)
    }
}

/// Parts that have joined their Redis, if there is one and it lets them.
async fn joined(config: &Config) -> Result<Parts, SubjectError> {
    let assembled = Parts::assemble(config, true).await;
    let (parts, _) = assembled.map_err(|failure| Keys::told(&failure))?;
    if let Some(redis) = &parts.redis {
        let mut state = redis.state();
        let joined = state.wait_for(tingkat_redis::State::is_usable);
        // During an outage it is not, and that is measured.
        drop(tokio::time::timeout(JOINING, joined).await);
    }
    Ok(parts)
}

impl Subject for InProcess {
    fn name(&self) -> &'static str {
        "in process"
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn prepare<'a>(
        &'a self,
        stage: &'a Stage,
    ) -> BoxFuture<'a, Result<Arc<dyn Session>, SubjectError>> {
        Box::pin(async move {
            let session: Arc<dyn Session> = self.ready(stage).await?;
            Ok(session)
        })
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn redis_faults(&self) -> Option<Control> {
        self.place.faults()
    }

    fn staleness_bound(&self) -> Option<Duration> {
        Some(self.bound)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(now) = self.now.lock().await.take() {
                now.close().await;
            }
        })
    }
}
