//! What orchestrators are told, and what errors are.

use utoipa::ToSchema;

super::adder! {
    Alive AliveStatus Readiness ReadinessCheck ReadinessStatus SourceStatus RedisStatus DataStatus WarmStatus Feed Withheld
}

/// Whether the node is alive; the other members only where the query has `verbose`.
#[derive(ToSchema)]
struct Alive {
    status: AliveStatus,
    #[schema(required = false)]
    node: String,
    #[schema(required = false)]
    version: String,
    #[schema(required = false)]
    uptime_ms: u64,
    /// How long ago its event loop last ran; null where nobody looks.
    #[schema(required = false)]
    heartbeat_age_ms: Option<u64>,
    #[schema(required = false)]
    requests_in_flight: u64,
}

/// `stuck`: the event loop does not run.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum AliveStatus {
    Alive,
    Stuck,
}

/// Whether the node should be sent requests, and what is missing.
#[derive(ToSchema)]
struct Readiness {
    status: ReadinessStatus,
    source: SourceStatus,
    redis: RedisStatus,
    data: DataStatus,
    /// Null without a change log.
    #[schema(required = true)]
    feed: Option<Feed>,
    /// What is missing, in words.
    reasons: Vec<String>,
    /// How warming at the start went; left out where it was not wanted.
    #[schema(required = false)]
    warm: WarmStatus,
    /// Rules of its environment that the operator allows it to break; left out if there are none.
    #[schema(required = false)]
    waived: Vec<String>,
    /// Entities with fields that never reach Redis; left out if there are none.
    #[schema(required = false)]
    privacy: Vec<Withheld>,
    /// Each neighbour; this and what follows only where the query has `verbose`.
    #[schema(required = false)]
    checks: Vec<ReadinessCheck>,
    #[schema(required = false)]
    node: String,
    #[schema(required = false)]
    version: String,
    #[schema(required = false)]
    uptime_ms: u64,
    /// How long ago its event loop last ran; null where nobody looks.
    #[schema(required = false)]
    heartbeat_age_ms: Option<u64>,
    #[schema(required = false)]
    requests_in_flight: u64,
}

/// A neighbour of the node.
#[derive(ToSchema)]
struct ReadinessCheck {
    id: String,
    /// Whether nothing is missing of it.
    ok: bool,
    /// Whether the node takes no requests without it.
    required: bool,
}

/// `ready` and `degraded` take requests.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ReadinessStatus {
    Ready,
    Degraded,
    NotReady,
    Draining,
}

/// `deadline`: the node did not wait for its end. `incomplete`: it ended, and not all is warm.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum WarmStatus {
    Running,
    Done,
    Incomplete,
    Deadline,
}

/// The database.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum SourceStatus {
    Unknown,
    Up,
    Down,
}

/// `limited`: a part of it is away, or a right is missing.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum RedisStatus {
    Off,
    Connecting,
    Up,
    Limited,
    Down,
}

/// `critical`: values may be older than promised.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum DataStatus {
    Unknown,
    Whole,
    Critical,
}

/// How far the node follows the change log.
#[derive(ToSchema)]
struct Feed {
    /// The life of the log; null before the first poll.
    #[schema(required = true, pattern = "^[0-9a-f]{32}$")]
    incarnation: Option<String>,
    /// How long ago the last successful poll was sent.
    #[schema(required = true)]
    poll_age_ms: Option<u64>,
    /// The staleness bound.
    bound_ms: u64,
    /// Whether the poll is younger than the bound.
    anchored: bool,
}

/// An entity with fields that never reach Redis.
#[derive(ToSchema)]
pub(super) struct Withheld {
    entity: String,
    /// `strip` leaves the fields out, `refuse` keeps the entity out of Redis.
    policy: String,
    fields: Vec<String>,
    /// Values that were answered and not written, as they had a field that their type does not tell.
    values: u64,
}
