//! One run at a time on a node: whoever wants one starts it, and everybody sees how far it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::Either;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{End, Limits, Order, Plan, PlanEntity, Report, Warmer};
use crate::cache::Mode;
use crate::feed::either;
use crate::node::Node;

/// What is wanted of a run.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The entities; where none is named, all of the node that are answered from the tiers.
    pub entities: Vec<String>,
    /// So many keys of each, as the [`Order`] has them.
    pub top: usize,
    /// These keys instead, by entity.
    pub keys: Option<BTreeMap<String, Vec<String>>>,
    /// What it may take.
    pub limits: Limits,
    /// Keys of each entity that are compared with the source afterwards, at most.
    pub check: usize,
    /// Only look what is warm.
    pub dry_run: bool,
}

/// Who wanted a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The node began.
    Start,
    /// It was time.
    Schedule,
    /// Somebody asked.
    Request,
}

impl Reason {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Schedule => "schedule",
            Self::Request => "request",
        }
    }
}

/// A run that goes on.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its number on this node.
    pub run: u64,
    /// Who wanted it.
    pub reason: Reason,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// How far it is.
    pub report: Report,
}

/// A run that has ended.
pub type Finished = Running;

/// What is to be known of warming on this node.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The run that goes on.
    pub running: Option<Running>,
    /// The last one that ended.
    pub last: Option<Finished>,
    /// When the next ones begin, in milliseconds since 1970.
    pub next_runs_ms: Vec<u64>,
}

/// Another run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run {run} goes on")]
pub struct Busy {
    /// Its number.
    pub run: u64,
}

/// What a node warms; cheap to clone.
#[derive(Clone)]
pub struct Warming(Arc<Inner>);

struct Inner {
    node: Node,
    order: Arc<dyn Order>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    standing: Standing,
    runs: u64,
    stop: CancellationToken,
}

impl Warming {
    /// For the caches of a node, in this order.
    pub fn new(node: &Node, order: Arc<dyn Order>) -> Self {
        Self(Arc::new(Inner {
            node: node.clone(),
            order,
            state: Mutex::default(),
        }))
    }

    /// Begins a run; its number, and what it did once it has ended. It goes on whoever waits for it.
    ///
    /// # Errors
    /// When another one goes on.
    pub fn start(
        &self,
        reason: Reason,
        wish: Wish,
    ) -> Result<(u64, oneshot::Receiver<Report>), Busy> {
        let inner = &self.0;
        let (run, stop) = {
            let mut state = inner.lock();
            if let Some(running) = &state.standing.running {
                return Err(Busy { run: running.run });
            }
            state.runs += 1;
            state.stop = CancellationToken::new();
            let run = state.runs;
            state.standing.running = Some(Running {
                run,
                reason,
                started_ms: inner.node.0.clock.wall_ms(),
                report: Report::default(),
            });
            (run, state.stop.clone())
        };
        let (done, outcome) = oneshot::channel();
        let ends = Ends(Arc::clone(inner));
        inner.node.spawn(async move {
            let report = ends.0.carry_out(wish, &stop).await;
            ends.0.lock().tell(&report);
            drop(ends);
            // Whoever began it may be gone.
            let _ = done.send(report);
        });
        Ok((run, outcome))
    }

    /// Ends the run that goes on, after what is under way; its number, if there is one.
    pub fn stop(&self) -> Option<u64> {
        let state = self.0.lock();
        state.stop.cancel();
        state.standing.running.as_ref().map(|running| running.run)
    }

    /// What is to be known.
    pub fn standing(&self) -> Standing {
        let mut standing = self.0.lock().standing.clone();
        let now = self.0.node.0.clock.wall_ms();
        standing.next_runs_ms.retain(|begins| *begins > now);
        standing
    }

    /// Says when the next runs begin.
    pub fn set_next_runs(&self, next_runs_ms: Vec<u64>) {
        self.0.lock().standing.next_runs_ms = next_runs_ms;
    }
}

impl Inner {
    async fn carry_out(&self, wish: Wish, stop: &CancellationToken) -> Report {
        let started = self.node.0.clock.now();
        let over = either(
            either(stop.cancelled(), self.node.0.shutdown.cancelled()),
            self.node.0.clock.sleep(wish.limits.timeout),
        );
        // A run whose time is over before it is known what is wanted ends with nothing.
        let entities = match either(self.plan(&wish), over).await {
            Either::Left(entities) => entities,
            Either::Right(_) => Vec::new(),
        };
        let plan = Plan {
            entities,
            limits: wish.limits,
            check: wish.check,
            dry_run: wish.dry_run,
            only_remote: false,
        };
        let progress = |report: &Report| self.lock().tell(report);
        let warmer = Warmer::new(&self.node);
        warmer.run_since(started, plan, stop, progress).await
    }

    async fn plan(&self, wish: &Wish) -> Vec<PlanEntity> {
        if let Some(keys) = &wish.keys {
            let named = keys.iter().map(|(entity, keys)| PlanEntity {
                entity: entity.clone(),
                keys: keys.clone(),
                ..PlanEntity::default()
            });
            return named.collect();
        }
        let mut entities = wish.entities.clone();
        if entities.is_empty() {
            let mut caches = self.node.registry().all();
            // Nothing is kept of what is in another mode, unless somebody insists.
            caches.retain(|cache| cache.mode() == Mode::Cache);
            entities = caches.iter().map(|cache| cache.name().to_owned()).collect();
        }
        ordered(&*self.order, entities, wish.top).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most wanted keys of these entities, as a plan has them.
pub async fn ordered(
    order: &dyn Order,
    entities: impl IntoIterator<Item = String>,
    most: usize,
) -> Vec<PlanEntity> {
    let mut plan = Vec::new();
    for entity in entities {
        let counted = order.top(&entity, most).await;
        let has_no_order = counted.is_err();
        if let Err(error) = &counted {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, entity, "it can not be told which keys are wanted");
        }
        let keys = counted.unwrap_or_default();
        plan.push(PlanEntity {
            entity,
            is_unranked: keys.is_empty() && !has_no_order,
            keys,
            has_no_order,
        });
    }
    plan
}

impl State {
    fn tell(&mut self, report: &Report) {
        if let Some(running) = &mut self.standing.running {
            running.report = report.clone();
        }
    }
}

/// Makes room for the next run, whatever becomes of this one.
struct Ends(Arc<Inner>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let Some(mut ended) = state.standing.running.take() {
            // Nobody concluded it: it panicked, or its task was thrown away.
            if ended.report.end == End::Running {
                ended.report.end = if self.0.node.is_shut_down() {
                    End::ShutDown
                } else {
                    End::Broken
                };
            }
            state.standing.last = Some(ended);
        }
    }
}

impl fmt::Debug for Warming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warming").finish_non_exhaustive()
    }
}
