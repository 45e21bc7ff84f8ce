//! The caches of the service in this process, put together as `serve` does it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::Mode;
use tingkat::error::GetError;
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
    /// Every look-up loads.
    loads_only: bool,
    has_redis: bool,
    writes: bool,
    faults: Option<Control>,
    bound: Duration,
    make: Box<dyn Fn() -> Result<Config, Failure> + Send + Sync>,
    another_prefix: Box<dyn Fn() -> String + Send + Sync>,
    /// Listed once, by parts of their own: to list keys is to look them up, and fills the tiers.
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
    pub(super) fn new(
        place: &Arc<Place>,
        wanted: &Wanted,
        loads_only: bool,
    ) -> Result<Self, Failure> {
        let tiers = match (place.redis().is_some(), loads_only) {
            (_, true) => "without any tier: every look-up loads from the database",
            (true, false) => "the caches of the service in this process, in memory and Redis",
            (false, false) => "the caches of the service in this process, in memory alone",
        };
        let (maker, namer) = (Arc::clone(place), Arc::clone(place));
        Ok(Self {
            about: tiers.to_owned(),
            entity: wanted.workload.entity,
            memory_bytes: wanted.workload.memory_bytes,
            loads_only,
            has_redis: place.redis().is_some(),
            writes: wanted.workload.writes(),
            faults: place.faults(),
            bound: place.config()?.feed.staleness_bound,
            make: Box::new(move || maker.config()),
            another_prefix: Box::new(move || namer.another_prefix()),
            keys: OnceCell::new(),
            now: Mutex::new(None),
        })
    }

    async fn list(&self, most: usize) -> Result<Arc<Keys>, SubjectError> {
        let mut config = (self.make)().map_err(|failure| told(&failure))?;
        config.key_prefix = Some((self.another_prefix)());
        config.redis = None;
        let assembled = Parts::assemble(&config, true).await;
        let (parts, _) = assembled.map_err(|failure| told(&failure))?;
        let keys = Keys::list(&parts.shop, self.entity, most).await;
        parts.close().await;
        let keys = keys.map_err(failed_to_list)?;
        if keys.len() == 0 {
            let what = format!("the store has no {} to look up", self.entity.name());
            return Err(SubjectError::unsuited(what));
        }
        Ok(Arc::new(keys))
    }

    /// Puts the parts together, under a prefix.
    async fn assemble(&self, way: Way, prefix: String, most: usize) -> Result<Now, SubjectError> {
        let keys = self.keys.get_or_try_init(|| self.list(most)).await?;
        let mut config = (self.make)().map_err(|failure| told(&failure))?;
        config.key_prefix = Some(prefix.clone());
        let memory_bytes = self.memory_bytes;
        config.policies.adjust(self.entity.name(), |policy, mode| {
            policy.memory_bytes = memory_bytes.unwrap_or(policy.memory_bytes);
            match way {
                Way::All => {}
                Way::Redis => policy.placement = Placement::Remote,
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
        let way = if self.loads_only {
            Way::Database
        } else {
            stage.way
        };
        if way == Way::Redis && !self.has_redis {
            return Err(SubjectError::unsuited("there is no Redis"));
        }
        let mut now = self.now.lock().await;
        let is_as_it_was = now.as_ref().is_some_and(|now| now.way == way);
        let keeps_memory = matches!(stage.start, Start::AsIs | Start::Filled);
        if !(is_as_it_was && keeps_memory) {
            let prefix = now.as_ref().map(|before| before.prefix.clone());
            let prefix = prefix.filter(|_| stage.start != Start::Empty);
            let prefix = prefix.unwrap_or_else(&self.another_prefix);
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
    let (parts, _) = assembled.map_err(|failure| told(&failure))?;
    if let Some(redis) = &parts.redis {
        let mut state = redis.state();
        let joined = state.wait_for(tingkat_redis::State::is_usable);
        // During an outage it is not, and that is measured.
        drop(tokio::time::timeout(JOINING, joined).await);
    }
    Ok(parts)
}

fn told(failure: &Failure) -> SubjectError {
    SubjectError::unreachable(failure.lines().join("; "))
}

fn failed_to_list(error: GetError) -> SubjectError {
    SubjectError::unreachable("failed to list the keys of the store").caused_by(error)
}

impl Subject for InProcess {
    fn name(&self) -> &str {
        if self.loads_only {
            "database"
        } else {
            "in process"
        }
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
        self.faults.clone()
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
