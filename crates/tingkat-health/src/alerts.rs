//! What somebody should be told: checks that stay bad, until they stay well.
//!
//! One bad look is no alert, and one good look ends none. What nobody can tell changes nothing, for
//! as long as windows reach back; after that an alert would speak of another time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::Status;
use crate::ring::LONG;

/// How long a check has to be bad, or well, in looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A warning is an alert after so many looks in a row.
    pub warning: u32,
    /// So many for what is critical.
    pub critical: u32,
    /// An alert ends after so many times as many good looks in a row.
    pub leave: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            warning: 3,
            critical: 2,
            leave: 2,
        }
    }
}

/// A check that stayed bad.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The check.
    pub id: String,
    /// How bad it is.
    pub status: Status,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Its last value.
    pub value: Option<f64>,
    /// In how many looks it was bad.
    pub count: u64,
}

/// The alerts of the moment, and what may become one.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    watched: BTreeMap<String, Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Looks in a row that were at least a warning, at least critical, less than each.
    warnings: u32,
    criticals: u32,
    less_than_critical: u32,
    good: u32,
    began_ms: u64,
    /// When somebody could tell last, on a clock that only goes forward.
    told_at: Duration,
    raised: Option<Alert>,
}

impl Alerts {
    /// Takes in what the checks say.
    pub(crate) fn take<'a>(
        &mut self,
        (at, wall_ms): (Duration, u64),
        patience: Patience,
        said: impl Iterator<Item = (&'a str, Status, Option<f64>)>,
    ) {
        let mut seen = Vec::new();
        for (id, status, value) in said {
            seen.push(id.to_owned());
            if status.is_bad() {
                let watched = self.watched.entry(id.to_owned()).or_default();
                watched.told_at = at;
                watched.is_bad(id, status, value, wall_ms, patience);
            } else if let Some(watched) = self.watched.get_mut(id) {
                let is_over = match status {
                    Status::Unknown => watched.is_forgotten(at),
                    // There is nothing left that could be bad.
                    Status::Skipped => true,
                    Status::Ok | Status::Warning | Status::Critical => {
                        watched.told_at = at;
                        watched.is_good(value, patience)
                    }
                };
                if is_over {
                    self.watched.remove(id);
                }
            }
        }
        // An entity or a check that is there no more.
        self.watched.retain(|id, _| seen.contains(id));
    }

    /// Those of the moment, the worst and the oldest first.
    pub(crate) fn raised(&self) -> Vec<Alert> {
        let raised = self.watched.values().filter_map(|it| it.raised.clone());
        let mut raised: Vec<Alert> = raised.collect();
        raised.sort_by_key(|alert| (std::cmp::Reverse(alert.status), alert.since_ms));
        raised
    }
}

impl Watched {
    fn is_bad(
        &mut self,
        id: &str,
        status: Status,
        value: Option<f64>,
        wall_ms: u64,
        patience: Patience,
    ) {
        self.good = 0;
        if self.warnings == 0 && self.raised.is_none() {
            self.began_ms = wall_ms;
        }
        self.warnings = self.warnings.saturating_add(1);
        if status == Status::Critical {
            self.criticals = self.criticals.saturating_add(1);
            self.less_than_critical = 0;
        } else {
            self.criticals = 0;
            self.less_than_critical = self.less_than_critical.saturating_add(1);
        }
        let is_critical = self.criticals >= patience.critical;
        match &mut self.raised {
            None if is_critical || self.warnings >= patience.warning => {
                self.raised = Some(Alert {
                    id: id.to_owned(),
                    status: if is_critical {
                        Status::Critical
                    } else {
                        Status::Warning
                    },
                    since_ms: self.began_ms,
                    value,
                    count: u64::from(self.warnings),
                });
            }
            None => {}
            Some(alert) => {
                alert.value = value;
                alert.count = alert.count.saturating_add(1);
                let leaves = patience.critical.saturating_mul(patience.leave);
                if is_critical {
                    alert.status = Status::Critical;
                } else if self.less_than_critical >= leaves {
                    alert.status = Status::Warning;
                }
            }
        }
    }

    /// Whether nobody could tell for longer than anything is remembered.
    fn is_forgotten(&self, at: Duration) -> bool {
        at.saturating_sub(self.told_at) > LONG
    }

    /// Whether nothing is left to be watched.
    fn is_good(&mut self, value: Option<f64>, patience: Patience) -> bool {
        (self.warnings, self.criticals) = (0, 0);
        self.less_than_critical = self.less_than_critical.saturating_add(1);
        self.good = self.good.saturating_add(1);
        let Some(alert) = &mut self.raised else {
            return true;
        };
        alert.value = value;
        let entered = if alert.status == Status::Critical {
            patience.critical
        } else {
            patience.warning
        };
        self.good >= entered.saturating_mul(patience.leave)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Critical, Ok, Unknown, Warning};

    /// The alert after looks that are ten seconds apart, and with which of them it began.
    fn after(said: &[Status]) -> Option<(Status, u64)> {
        let mut alerts = Alerts::default();
        for (at, &status) in (0_u64..).zip(said) {
            let said = [("x", status, Some(1.0))];
            let at = (Duration::from_secs(at * 10), at * 10_000);
            alerts.take(at, Patience::default(), said.into_iter());
        }
        let raised = alerts.raised();
        raised
            .first()
            .map(|alert| (alert.status, alert.since_ms / 10_000))
    }

    #[test]
    fn a_warning_takes_three_looks_and_what_is_critical_two() {
        assert_eq!(after(&[Warning, Warning]), None);
        assert_eq!(after(&[Ok, Warning, Warning, Warning]), Some((Warning, 1)));
        assert_eq!(after(&[Critical]), None);
        assert_eq!(after(&[Critical, Critical]), Some((Critical, 0)));
        assert_eq!(after(&[Warning, Warning, Critical]), Some((Warning, 0)));
    }

    #[test]
    fn it_takes_twice_as_many_good_looks_to_leave() {
        let warned = [Warning; 3];
        assert!(after(&[&warned[..], &[Ok; 5]].concat()).is_some());
        assert_eq!(after(&[&warned[..], &[Ok; 6]].concat()), None);
        let failed = [Critical; 2];
        assert!(after(&[&failed[..], &[Ok; 3]].concat()).is_some());
        assert_eq!(after(&[&failed[..], &[Ok; 4]].concat()), None);
        // It gets less bad before it gets well.
        let told = after(&[&failed[..], &[Warning; 4]].concat());
        assert_eq!(told, Some((Warning, 0)));
    }

    #[test]
    fn what_flaps_is_neither_raised_nor_ended() {
        let flapping: Vec<Status> = [Warning, Warning, Ok].repeat(20);
        assert_eq!(after(&flapping), None);
        let mut raised = vec![Critical, Critical];
        raised.extend([Ok, Ok, Critical].repeat(20));
        assert!(after(&raised).is_some());
    }

    #[test]
    fn what_nobody_can_tell_changes_nothing() {
        assert_eq!(after(&[Warning, Warning, Unknown, Unknown]), None);
        let told = after(&[Warning, Warning, Unknown, Warning]);
        assert_eq!(told, Some((Warning, 0)));
        assert!(after(&[&[Critical; 2][..], &[Unknown; 30]].concat()).is_some());
        assert_eq!(after(&[Critical, Critical, Status::Skipped]), None);
    }

    #[test]
    fn an_alert_ends_when_nobody_could_tell_for_five_minutes() {
        let failed = [Critical; 2];
        assert_eq!(after(&[&failed[..], &[Unknown; 31]].concat()), None);
        // Whoever could tell meanwhile begins anew.
        let told = [&failed[..], &[Unknown; 20], &[Ok], &[Unknown; 30]].concat();
        assert!(after(&told).is_some());
    }

    #[test]
    fn checks_that_are_gone_are_forgotten() {
        let mut alerts = Alerts::default();
        let mut take = |at, said| {
            let at = (Duration::from_secs(at), at * 1_000);
            alerts.take(at, Patience::default(), [said].into_iter());
        };
        take(0, ("x", Critical, None));
        take(1, ("x", Critical, None));
        take(3, ("y", Ok, None));
        assert!(alerts.raised().is_empty() && alerts.watched.is_empty());
    }
}
