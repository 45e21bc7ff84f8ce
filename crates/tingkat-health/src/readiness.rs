//! Whether a node should be sent requests.
//!
//! A dependency that all nodes share may not take all of them out at once. Redis down is ready, and
//! so is a database that does not answer, if the node has once seen it or Redis may stand in: the
//! tiers still answer. Not ready is only the node that can not answer anything, and the one that is
//! about to leave.

use serde::Serialize;

use crate::required::Neighbour;

/// What was last seen of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceState {
    /// Nobody has asked it yet.
    #[default]
    Unknown,
    /// The last question was answered.
    Up,
    /// The last question was not answered.
    Down {
        /// The error, in words that may be shown to anybody: no URL, no user name.
        why: String,
        /// When this began, in milliseconds since 1970.
        since_ms: u64,
    },
}

impl SourceState {
    /// All words for it.
    pub const NAMES: [&str; 3] = ["unknown", "up", "down"];

    /// The word for it in answers and on pages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down { .. } => "down",
        }
    }
}

/// What was last seen of Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RedisState {
    /// The node is configured to do without.
    #[default]
    Off,
    /// No connection has been made yet.
    Connecting,
    /// The last command was answered.
    Up,
    /// It is used, and something is wrong with it: a part of it is away, a right is missing.
    Limited {
        /// What is wrong, in words that may be shown to anybody.
        why: String,
    },
    /// The connection was lost, or the breaker is open.
    Down {
        /// The error, in words that may be shown to anybody: no URL, no user name.
        why: String,
    },
}

impl RedisState {
    /// All words for it.
    pub const NAMES: [&str; 5] = ["off", "connecting", "up", "limited", "down"];

    /// The word for it in answers and on pages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Limited { .. } => "limited",
            Self::Down { .. } => "down",
        }
    }
}

/// What the promise of freshness rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataState {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// The change log is there and whole.
    Whole,
    /// Values may be older than promised.
    Critical {
        /// Why, each in words that may be shown to anybody.
        reasons: Vec<String>,
    },
}

impl DataState {
    /// All words for it.
    pub const NAMES: [&str; 3] = ["unknown", "whole", "critical"];

    /// The word for it in answers and on pages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Whole => "whole",
            Self::Critical { .. } => "critical",
        }
    }
}

/// Whether the tiers were warmed at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarmState {
    /// Nobody wanted it.
    #[default]
    Off,
    /// It goes on, and requests are sent to others until then.
    Running,
    /// It has ended, and all is warm.
    Done,
    /// It has ended, or did not begin, and not all is warm.
    Incomplete,
    /// It took longer than the node waits for it, and may go on.
    Deadline,
}

impl WarmState {
    /// The word for it in answers and on pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Running => "running",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Deadline => "deadline",
        }
    }
}

/// Who may answer for a database that the node has never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StandIn {
    /// Nobody: nothing stale may be served, or the database answers and refuses us.
    #[default]
    Nobody,
    /// Redis: the database does not answer, and of some entity what is there may be served meanwhile,
    /// marked as stale.
    Redis,
}

/// All that the verdict depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The database.
    pub source: SourceState,
    /// Whether the database has answered at least once since the node started.
    pub source_was_ever_up: bool,
    /// Who may answer if it never has.
    pub stand_in: StandIn,
    /// Redis.
    pub redis: RedisState,
    /// The change log.
    pub data: DataState,
    /// There is a change log, and the last poll of it is older than the staleness bound.
    pub feed_is_adrift: bool,
    /// Warming at the start.
    pub warm: WarmState,
    /// The node was told to stop.
    pub draining: bool,
    /// Without these it takes no requests, although it could answer them.
    pub required: Vec<Neighbour>,
    /// Rules of its environment that the operator allows it to break.
    pub waived: Vec<&'static str>,
    /// Entities with fields that never reach Redis.
    pub privacy: Vec<Withheld>,
}

/// An entity with fields that never reach Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// The entity.
    pub entity: &'static str,
    /// What is done: `strip` leaves the fields out, `refuse` keeps the entity out of Redis.
    pub policy: &'static str,
    /// The fields, as far as the type of the values tells them.
    pub fields: Vec<String>,
    /// Values that were answered and not written, as they brought along a field that their type
    /// does not tell.
    pub values: u64,
}

/// The verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is missing.
    Ready,
    /// It answers, though something is missing.
    Degraded,
    /// It can not answer anything yet.
    NotReady,
    /// It is about to stop and wants no new requests.
    Draining,
}

impl Status {
    /// All words for it.
    pub const NAMES: [&str; 4] = ["ready", "degraded", "not_ready", "draining"];

    /// The word for it in answers and on pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::NotReady => "not_ready",
            Self::Draining => "draining",
        }
    }

    /// Whether the node should be sent requests.
    pub const fn takes_requests(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }
}

/// Whether a node should be sent requests, and why not or why only just.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The verdict.
    pub status: Status,
    /// What is missing, the worst first; empty exactly when nothing is.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// The verdict on what was seen.
    pub fn of(observed: &Observed) -> Self {
        let mut reasons = Vec::new();
        if observed.draining {
            reasons.push("the node is stopping".to_owned());
        }
        let mut lacks_required = false;
        for neighbour in &observed.required {
            if !neighbour.is_well(observed) {
                lacks_required = true;
                reasons.push(format!("readiness.require insists on {}", neighbour.name()));
            }
        }
        reasons.extend(source_reason(observed));
        if observed.feed_is_adrift {
            reasons.push("the change log does not answer: answers are marked stale".to_owned());
        }
        if let DataState::Critical { reasons: why } = &observed.data {
            reasons.extend(why.iter().map(|why| format!("data is at risk: {why}")));
        }
        reasons.extend(redis_reason(&observed.redis));
        let is_warming = observed.warm == WarmState::Running;
        if is_warming {
            reasons.push("the tiers are being warmed: /v1/warm tells how far it is".to_owned());
        }

        let can_answer = observed.source_was_ever_up
            || observed.source == SourceState::Up
            || redis_stands_in(observed);
        let status = if observed.draining {
            Status::Draining
        } else if !can_answer || lacks_required || is_warming {
            Status::NotReady
        } else if reasons.is_empty() {
            Status::Ready
        } else {
            Status::Degraded
        };
        Self { status, reasons }
    }
}

fn source_reason(observed: &Observed) -> Option<String> {
    let was_up = observed.source_was_ever_up;
    match &observed.source {
        SourceState::Up => None,
        SourceState::Unknown if was_up => {
            Some("it is not known whether the database answers".to_owned())
        }
        SourceState::Unknown => Some("the database has not been reached yet".to_owned()),
        SourceState::Down { why, .. } if was_up => Some(format!(
            "the database is down, answers come from the cache: {why}"
        )),
        SourceState::Down { why, .. } if redis_stands_in(observed) => Some(format!(
            "the database has never been reached, answers come from redis: {why}"
        )),
        SourceState::Down { why, .. } => {
            Some(format!("the database has never been reached: {why}"))
        }
    }
}

/// Whether a node that has never seen its database may answer with what others have left in Redis.
const fn redis_stands_in(observed: &Observed) -> bool {
    let is_usable = matches!(observed.redis, RedisState::Up | RedisState::Limited { .. });
    let is_down = matches!(observed.source, SourceState::Down { .. });
    is_down && is_usable && matches!(observed.stand_in, StandIn::Redis)
}

fn redis_reason(redis: &RedisState) -> Option<String> {
    match redis {
        RedisState::Off | RedisState::Up => None,
        RedisState::Connecting => Some("redis has not been reached yet".to_owned()),
        RedisState::Limited { why } => Some(format!("redis is limited: {why}")),
        RedisState::Down { why } => Some(format!("redis is down: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_down() -> SourceState {
        SourceState::Down {
            why: "connection refused".into(),
            since_ms: 1_767_225_600_000,
        }
    }

    fn redis_down() -> RedisState {
        RedisState::Down {
            why: "timed out".into(),
        }
    }

    /// The source, whether it was ever up, redis, draining; then the status and its reasons.
    type Row = (
        SourceState,
        bool,
        RedisState,
        bool,
        Status,
        &'static [&'static str],
    );

    #[test]
    fn the_verdict_is_this_table() {
        use RedisState as R;
        use SourceState as S;
        use Status::{Degraded, Draining, NotReady, Ready};

        const NEVER: &str = "the database has never been reached: connection refused";
        const NOT_YET: &str = "the database has not been reached yet";
        const DOWN: &str = "the database is down, answers come from the cache: connection refused";
        const UNSURE: &str = "it is not known whether the database answers";
        const NO_REDIS: &str = "redis is down: timed out";
        const REDIS_LATER: &str = "redis has not been reached yet";
        const STOPPING: &str = "the node is stopping";

        let table: Vec<Row> = vec![
            (S::Up, true, R::Up, false, Ready, &[]),
            (S::Up, true, R::Off, false, Ready, &[]),
            // The flag may lag behind the state.
            (S::Up, false, R::Up, false, Ready, &[]),
            (S::Up, true, R::Connecting, false, Degraded, &[REDIS_LATER]),
            (S::Up, true, redis_down(), false, Degraded, &[NO_REDIS]),
            (source_down(), true, R::Up, false, Degraded, &[DOWN]),
            (source_down(), true, R::Off, false, Degraded, &[DOWN]),
            (
                source_down(),
                true,
                redis_down(),
                false,
                Degraded,
                &[DOWN, NO_REDIS],
            ),
            (S::Unknown, true, R::Up, false, Degraded, &[UNSURE]),
            (source_down(), false, R::Up, false, NotReady, &[NEVER]),
            (
                source_down(),
                false,
                redis_down(),
                false,
                NotReady,
                &[NEVER, NO_REDIS],
            ),
            (S::Unknown, false, R::Off, false, NotReady, &[NOT_YET]),
            (
                S::Unknown,
                false,
                R::Connecting,
                false,
                NotReady,
                &[NOT_YET, REDIS_LATER],
            ),
            (S::Up, true, R::Up, true, Draining, &[STOPPING]),
            (
                source_down(),
                false,
                R::Off,
                true,
                Draining,
                &[STOPPING, NEVER],
            ),
        ];
        for (source, source_was_ever_up, redis, draining, status, reasons) in table {
            let observed = Observed {
                source,
                source_was_ever_up,
                redis,
                draining,
                ..Observed::default()
            };
            let readiness = Readiness::of(&observed);
            assert_eq!(readiness.status, status, "{observed:?}");
            assert_eq!(readiness.reasons, reasons, "{observed:?}");
        }
    }

    #[test]
    fn a_node_that_starts_in_an_outage_takes_requests_if_redis_may_stand_in() {
        let limited = RedisState::Limited {
            why: "a part of it is away".into(),
        };
        let (connecting, off) = (RedisState::Connecting, RedisState::Off);
        for (redis, stand_in, status) in [
            (RedisState::Up, StandIn::Redis, Status::Degraded),
            (limited, StandIn::Redis, Status::Degraded),
            (RedisState::Up, StandIn::Nobody, Status::NotReady),
            (redis_down(), StandIn::Redis, Status::NotReady),
            (connecting, StandIn::Redis, Status::NotReady),
            (off, StandIn::Redis, Status::NotReady),
        ] {
            let observed = Observed {
                source: source_down(),
                stand_in,
                redis,
                ..Observed::default()
            };
            let readiness = Readiness::of(&observed);
            assert_eq!(readiness.status, status, "{observed:?}");
            let says_so = readiness.reasons[0].contains("answers come from redis");
            assert_eq!(says_so, status == Status::Degraded, "{readiness:?}");
        }
        // It is not known yet that there is an outage.
        let unknown = Observed {
            stand_in: StandIn::Redis,
            redis: RedisState::Up,
            ..Observed::default()
        };
        assert_eq!(Readiness::of(&unknown).status, Status::NotReady);
    }

    #[test]
    fn data_at_risk_degrades_a_node_and_takes_it_out_of_nothing() {
        let well = Observed {
            source: SourceState::Up,
            source_was_ever_up: true,
            ..Observed::default()
        };
        let at_risk = Observed {
            data: DataState::Critical {
                reasons: vec!["no triggers on product".into(), "and so on".into()],
            },
            ..well.clone()
        };
        let readiness = Readiness::of(&at_risk);
        assert_eq!(readiness.status, Status::Degraded);
        let reasons = [
            "data is at risk: no triggers on product",
            "data is at risk: and so on",
        ];
        assert_eq!(readiness.reasons, reasons);
        let adrift = Observed {
            feed_is_adrift: true,
            ..well
        };
        assert_eq!(Readiness::of(&adrift).status, Status::Degraded);
        assert_eq!(Readiness::of(&adrift).reasons.len(), 1);
    }

    #[test]
    fn a_node_that_is_being_warmed_takes_no_requests_until_it_is_done_or_late() {
        for (warm, status) in [
            (WarmState::Off, Status::Ready),
            (WarmState::Running, Status::NotReady),
            (WarmState::Done, Status::Ready),
            (WarmState::Incomplete, Status::Ready),
            (WarmState::Deadline, Status::Ready),
        ] {
            let observed = Observed {
                source: SourceState::Up,
                source_was_ever_up: true,
                warm,
                ..Observed::default()
            };
            let readiness = Readiness::of(&observed);
            assert_eq!(readiness.status, status, "{warm:?}");
            assert_eq!(readiness.reasons.is_empty(), status == Status::Ready);
        }
    }

    #[test]
    fn a_node_that_has_seen_nothing_takes_no_requests() {
        let status = Readiness::of(&Observed::default()).status;
        assert_eq!(status, Status::NotReady);
        assert!(!status.takes_requests());
    }

    #[test]
    fn only_a_node_that_can_answer_takes_requests() {
        let takes = [
            Status::Ready,
            Status::Degraded,
            Status::NotReady,
            Status::Draining,
        ]
        .map(Status::takes_requests);
        assert_eq!(takes, [true, true, false, false]);
    }

    #[test]
    fn the_name_of_a_status_is_how_it_is_written() {
        for status in [
            Status::Ready,
            Status::Degraded,
            Status::NotReady,
            Status::Draining,
        ] {
            let written = serde_json::to_string(&status).unwrap();
            assert_eq!(written, format!("{:?}", status.name()));
        }
    }
}
