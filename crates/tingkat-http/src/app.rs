//! What the routes share.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tingkat::Node;
use tingkat::ports::Clock;
use tingkat::warm::{Warming, Wish};
use tingkat_health::{Observed, Report};
use tingkat_shop::{Documents, ProductWrites, Shop};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::changes::Changes;
use crate::edge::Edge;
use crate::heartbeat::Heartbeat;
use crate::keeps::Keeps;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::tokens::Tokens;

/// What the routes need; every handler sees the same one.
#[derive(Clone)]
pub struct App {
    /// The look-ups.
    pub shop: Shop,
    /// Entities that the operator names.
    pub documents: Documents,
    /// The node that they belong to.
    pub node: Node,
    /// Writes to products; nothing where the source is not written.
    pub writes: Option<ProductWrites>,
    /// Who may write.
    pub tokens: Tokens,
    /// What changed lately; hears the node's events.
    pub changes: Arc<Changes>,
    /// What is counted for `/metrics` alone; hears the node's events.
    pub metrics: Metrics,
    /// Warms the tiers, one run at a time.
    pub warming: Warming,
    /// What a run takes unless a request says otherwise.
    pub usual_warming: Wish,
    /// Decides which price is paid now.
    pub clock: Arc<dyn Clock>,
    /// What the node last saw of its neighbours, and whether it is stopping.
    pub readiness: watch::Receiver<Observed>,
    /// For how long others may keep answers.
    pub keeps: Keeps,
    /// Whether the node is alive.
    pub heartbeat: Heartbeat,
    /// How all of it was judged last; nothing before the first look.
    pub health: watch::Receiver<Option<Arc<Report>>>,
    /// What one request may cost.
    pub limits: Limits,
    /// What is decided before any route.
    pub edge: Edge,
    /// Cancelled when the server stops: streams end then.
    pub shutdown: CancellationToken,
}

impl App {
    /// The time of day.
    pub(crate) fn wall_time(&self) -> Timestamp {
        timestamp(self.clock.wall_ms())
    }
}

/// The instant this many milliseconds after the beginning of 1970.
///
/// One that no calendar has comes from a clock that is broken, and is as good as the last one.
pub(crate) fn timestamp(wall_ms: u64) -> Timestamp {
    i64::try_from(wall_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
