//! What came of all checks.

use std::time::Duration;

use serde_json::{Value, json};

use super::check::{Check, Group};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The promise was seen to hold.
    Passed,
    /// It was seen not to hold.
    Failed,
    /// It was not looked at.
    Skipped,
    /// There is no such promise here: nothing is to be looked at.
    Moot,
}

impl Status {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Moot => "does not apply",
        }
    }
}

/// A check that was made.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which one.
    pub check: &'static Check,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub took: Duration,
    /// What was seen, or why nothing was.
    pub detail: String,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order in which they were made.
    pub judged: Vec<Judged>,
    /// Somebody stopped it before its end.
    pub is_interrupted: bool,
    /// The time of the run was over before its end.
    pub is_out_of_time: bool,
}

impl Report {
    /// How many ended so.
    pub fn count(&self, status: Status) -> usize {
        self.judged.iter().filter(|it| it.status == status).count()
    }

    /// The checks of promises that there are here.
    pub fn made(&self) -> impl Iterator<Item = &Judged> {
        let judged = self.judged.iter();
        judged.filter(|judged| judged.status != Status::Moot)
    }

    /// The share that passed; what was skipped did not.
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    pub fn success_rate(&self) -> f64 {
        match self.made().count() {
            0 => 0.0,
            made => self.count(Status::Passed) as f64 / made as f64,
        }
    }

    /// Whether every check passed, and there was one.
    pub fn is_success(&self) -> bool {
        let passed = self.count(Status::Passed);
        !self.is_interrupted && passed > 0 && passed == self.made().count()
    }

    /// The checks of a group.
    pub fn of(&self, group: Group) -> impl Iterator<Item = &Judged> {
        self.made().filter(move |it| it.check.group == group)
    }

    /// For programs, but for the version of the shape.
    pub fn object(&self) -> Value {
        let groups: Vec<Value> = Group::ALL
            .into_iter()
            .filter(|group| self.of(*group).next().is_some())
            .map(|group| {
                let checks: Vec<Value> = self.of(group).map(Judged::object).collect();
                json!({ "id": group.id(), "checks": checks })
            })
            .collect();
        let rate = (self.success_rate() * 10_000.0).round() / 10_000.0;
        json!({ "groups": groups, "success_rate": rate })
    }
}

impl Judged {
    fn object(&self) -> Value {
        let hint = (self.status != Status::Passed).then(|| self.check.hint());
        json!({
            "id": self.check.id,
            "status": self.status.name(),
            "ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "detail": self.detail,
            "hint": hint,
        })
    }
}
