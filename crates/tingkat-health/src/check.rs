//! One check: what it measures, when that is bad, and what to do then.

use std::time::Duration;

use crate::field::Field;
use crate::look::Entity;
use crate::view::View;

/// What a check is about, and how much that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Whether Redis is there.
    Availability,
    /// How fast it answers.
    Latency,
    /// Whether it has room.
    Memory,
    /// Whether it is of use.
    Effect,
    /// Whether clients get in.
    Connections,
    /// Whether it refuses what it is asked.
    Errors,
    /// Whether several servers go together.
    Replication,
    /// Whether it saves what it should.
    Persistence,
    /// Whether answers are true; no part of the score.
    Data,
}

impl Group {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::Latency => "latency",
            Self::Memory => "memory",
            Self::Effect => "effect",
            Self::Connections => "connections",
            Self::Errors => "errors",
            Self::Replication => "replication",
            Self::Persistence => "persistence",
            Self::Data => "data",
        }
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// This value.
    Is(f64),
    /// There is nothing to judge, such as a replica's link on a server that follows nobody.
    Skipped,
}

/// Which values are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Those above the limits.
    High,
    /// Those below.
    Low,
}

/// From where on values are bad.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// A value past this is a warning.
    pub warning: Option<f64>,
    /// A value at this or past it is critical.
    pub critical: Option<f64>,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// Each server; the worst counts.
    Server,
    /// The tier as a whole.
    Redis,
    /// Each cache, as a check of its own.
    Entity,
    /// The node.
    Node,
}

type Measure = fn(&View<'_>) -> Option<Reading>;
type Advice = fn(&View<'_>, f64) -> String;

/// One check. It is a row of a table: see [`checks`](crate::checks).
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, which is also where docs/health.md explains it.
    pub id: &'static str,
    /// What it is about.
    pub group: Group,
    /// How much it counts in its group; 0 is for information.
    pub weight: u32,
    /// What its value is counted in.
    pub unit: &'static str,
    /// Which values are bad.
    pub bad: Bad,
    /// From where on, unless configured otherwise; those of a cache follow from its objective.
    pub limits: Limits,
    /// How far back it looks, if it does.
    pub window: Option<Duration>,
    /// What it needs to know of a server: without one of these it tells nothing.
    pub inputs: &'static [Field],
    /// What the whole score is at most while it is critical.
    pub most: u32,
    pub(crate) scope: Scope,
    pub(crate) of_objective: Option<fn(&Entity) -> Limits>,
    pub(crate) measure: Measure,
    pub(crate) advice: Advice,
}

/// The whole score while one ordinary check is critical.
pub(crate) const ONE_CRITICAL: u32 = 69;

impl Check {
    const fn new(scope: Scope, id: &'static str, group: Group, measure: Measure) -> Self {
        Self {
            id,
            group,
            weight: 0,
            unit: "",
            bad: Bad::High,
            limits: Limits {
                warning: None,
                critical: None,
            },
            window: None,
            inputs: &[],
            most: ONE_CRITICAL,
            scope,
            of_objective: None,
            measure,
            advice: |_, _| String::new(),
        }
    }

    pub(crate) const fn server(id: &'static str, group: Group, measure: Measure) -> Self {
        Self::new(Scope::Server, id, group, measure)
    }

    pub(crate) const fn redis(id: &'static str, group: Group, measure: Measure) -> Self {
        Self::new(Scope::Redis, id, group, measure)
    }

    pub(crate) const fn entity(id: &'static str, group: Group, measure: Measure) -> Self {
        Self::new(Scope::Entity, id, group, measure)
    }

    pub(crate) const fn node(id: &'static str, measure: Measure) -> Self {
        Self::new(Scope::Node, id, Group::Data, measure)
    }

    pub(crate) const fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    pub(crate) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Values above these are bad.
    pub(crate) const fn above(mut self, warning: f64, critical: f64) -> Self {
        self.limits = Limits {
            warning: Some(warning),
            critical: Some(critical),
        };
        self
    }

    /// Values below these are bad.
    pub(crate) const fn below(self, warning: f64, critical: f64) -> Self {
        self.above(warning, critical).low()
    }

    /// Low values are bad.
    pub(crate) const fn low(mut self) -> Self {
        self.bad = Bad::Low;
        self
    }

    /// It never is critical.
    pub(crate) const fn warns(mut self, above: f64) -> Self {
        self.limits = Limits {
            warning: Some(above),
            critical: None,
        };
        self
    }

    /// It never only warns.
    pub(crate) const fn fails(mut self, from: f64) -> Self {
        self.limits = Limits {
            warning: None,
            critical: Some(from),
        };
        self
    }

    pub(crate) const fn over(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    pub(crate) const fn needs(mut self, inputs: &'static [Field]) -> Self {
        self.inputs = inputs;
        self
    }

    /// The whole score is at most this while it is critical.
    pub(crate) const fn caps(mut self, most: u32) -> Self {
        self.most = most;
        self
    }

    pub(crate) const fn of_objective(mut self, limits: fn(&Entity) -> Limits) -> Self {
        self.of_objective = Some(limits);
        self
    }

    pub(crate) const fn advice(mut self, advice: Advice) -> Self {
        self.advice = advice;
        self
    }
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// There is nothing to judge.
    Skipped,
    /// Nobody can tell: something that it needs is missing, or not enough was seen yet.
    Unknown,
    /// All is well.
    Ok,
    /// Somebody should look at it.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Status {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Whether something is to be done.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Warning | Self::Critical)
    }
}

impl Limits {
    /// What a value is.
    pub fn status(&self, bad: Bad, value: f64) -> Status {
        let is_past = |limit: f64| match bad {
            Bad::High => value > limit,
            Bad::Low => value < limit,
        };
        let is_at = |limit: f64| match bad {
            Bad::High => value >= limit,
            Bad::Low => value <= limit,
        };
        if self.critical.is_some_and(is_at) {
            Status::Critical
        } else if self.warning.is_some_and(is_past) {
            Status::Warning
        } else {
            Status::Ok
        }
    }

    /// What a value is worth: 100 up to the warning, 0 from critical on, and in between in
    /// proportion. What can only warn costs a half.
    pub fn points(&self, bad: Bad, value: f64) -> f64 {
        let status = self.status(bad, value);
        match (self.warning, self.critical) {
            (Some(warning), Some(critical)) if (critical - warning).abs() > 0.0 => {
                let share = (critical - value) / (critical - warning);
                (share * 100.0).clamp(0.0, 100.0)
            }
            _ => match status {
                Status::Critical => 0.0,
                Status::Warning => 50.0,
                Status::Ok | Status::Unknown | Status::Skipped => 100.0,
            },
        }
    }

    /// The limit that a value has passed, or would pass next.
    pub(crate) fn nearest(&self, status: Status) -> Option<f64> {
        if status == Status::Critical {
            self.critical.or(self.warning)
        } else {
            self.warning.or(self.critical)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::float_cmp, reason = "of whole numbers")]
    #[test]
    fn points_fall_evenly_from_the_warning_to_the_critical_limit() {
        let rising = Limits {
            warning: Some(70.0),
            critical: Some(90.0),
        };
        let points = [0.0, 70.0, 80.0, 90.0, 200.0].map(|value| rising.points(Bad::High, value));
        assert_eq!(points, [100.0, 100.0, 50.0, 0.0, 0.0]);
        let falling = Limits {
            warning: Some(0.6),
            critical: Some(0.3),
        };
        let points = [1.0, 0.6, 0.3, 0.0].map(|value| falling.points(Bad::Low, value));
        assert_eq!(points, [100.0, 100.0, 0.0, 0.0]);
    }

    #[expect(clippy::float_cmp, reason = "of whole numbers")]
    #[test]
    fn a_limit_is_a_warning_past_it_and_critical_at_it() {
        use Status::{Critical, Ok, Warning};
        let limits = Limits {
            warning: Some(0.0),
            critical: Some(5.0),
        };
        let statuses = [0.0, 0.1, 5.0].map(|value| limits.status(Bad::High, value));
        assert_eq!(statuses, [Ok, Warning, Critical]);
        let flag = Limits {
            warning: None,
            critical: Some(1.0),
        };
        assert_eq!(flag.status(Bad::High, 1.0), Critical);
        assert_eq!(flag.points(Bad::High, 0.0), 100.0);
        assert_eq!(Limits::default().status(Bad::High, 1e9), Ok);
    }
}
