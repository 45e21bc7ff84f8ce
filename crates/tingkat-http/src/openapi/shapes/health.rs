//! How the service, the cache and the data are.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::probes::Withheld;

super::adder! {
    Health HealthOfService HealthOfCache HealthOfData HealthOfRedis HealthCheck HealthAlert
    HealthOfEntity HealthObjective
}

/// Three answers that are never mixed, with what they rest on and what to do.
#[derive(ToSchema)]
struct Health {
    /// When it was looked, null before the first time; what can be told at any time is of now.
    #[schema(required = true, format = DateTime)]
    looked_at: Option<String>,
    service: HealthOfService,
    cache: HealthOfCache,
    data: HealthOfData,
    redis: HealthOfRedis,
    checks: Vec<HealthCheck>,
    /// Checks that stay bad.
    alerts: Vec<HealthAlert>,
    /// What to do, the most urgent first.
    recommendations: Vec<String>,
    entities: Vec<HealthOfEntity>,
    /// Rules of its environment that the operator allows the node to break; left out if there are none.
    #[schema(required = false)]
    waived: Vec<String>,
    /// Entities with fields that never reach Redis; left out if there are none.
    #[schema(required = false)]
    privacy: Vec<Withheld>,
}

/// Whether the service can answer; Redis has no part in that.
#[derive(ToSchema)]
struct HealthOfService {
    /// `ready`, `degraded`, `not_ready` or `draining`.
    status: String,
}

/// From 0 to 100, and the grade of that; null while too little is known.
#[derive(ToSchema)]
struct HealthOfCache {
    #[schema(required = true)]
    score: Option<f64>,
    /// `A`, `B`, `C`, `D` or `F`.
    #[schema(required = true)]
    grade: Option<String>,
    /// The share of the weights of the checks that is known.
    coverage: f64,
}

/// How true the data is.
#[derive(ToSchema)]
struct HealthOfData {
    /// `ok`, `warning`, `critical` or `unknown`; by the age of the last poll alone where nobody has
    /// looked for minutes.
    status: String,
    #[schema(required = true)]
    poll_age_ms: Option<u64>,
    #[schema(required = true)]
    bound_ms: Option<u64>,
}

/// Whether Redis is there.
#[derive(ToSchema)]
struct HealthOfRedis {
    /// `off`, `connecting`, `up`, `limited` or `down`.
    status: String,
    #[schema(required = true, format = DateTime)]
    since: Option<String>,
}

/// What one check says.
#[derive(ToSchema)]
struct HealthCheck {
    /// That of an entity has its name behind a dot.
    id: String,
    /// `ok`, `warning`, `critical`, `unknown` or `skipped`.
    status: String,
    #[schema(required = true)]
    value: Option<f64>,
    #[schema(required = true)]
    unit: Option<String>,
    /// The limit that the value has passed, or would pass next.
    #[schema(required = true)]
    threshold: Option<f64>,
    /// How far apart the looks were that it compared.
    #[schema(required = true)]
    window_s: Option<u64>,
    /// What was read, such as `used_memory=1048576`.
    evidence: Vec<String>,
    #[schema(required = true)]
    recommendation: Option<String>,
    /// Where it is explained, such as `docs/health.md#cpu`.
    docs: String,
}

/// A check that stays bad.
#[derive(ToSchema)]
struct HealthAlert {
    id: String,
    status: String,
    #[schema(format = DateTime)]
    since: String,
    #[schema(required = true)]
    value: Option<f64>,
    /// In how many looks it was bad.
    count: u64,
}

/// A cache within the last minutes.
#[derive(ToSchema)]
struct HealthOfEntity {
    entity: String,
    #[schema(required = true)]
    hit_ratio: Option<f64>,
    #[schema(required = true)]
    memory_hit_ratio: Option<f64>,
    #[schema(required = true)]
    redis_hit_ratio: Option<f64>,
    #[schema(required = true)]
    absent_share: Option<f64>,
    #[schema(required = true)]
    p99_ms: Option<f64>,
    objective: HealthObjective,
    entries: u64,
    bytes: u64,
    #[schema(required = true)]
    mean_age_ms: Option<u64>,
    /// What operators want to know of its things, such as `low_stock`.
    facts: BTreeMap<String, u64>,
}

/// What is expected of a cache.
#[derive(ToSchema)]
struct HealthObjective {
    hit_ratio: f64,
    p99_ms: u64,
}
