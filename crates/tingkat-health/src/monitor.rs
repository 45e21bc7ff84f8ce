//! Puts looks together into reports. It keeps the last looks and the alerts, and has no clock.

use std::sync::Arc;
use std::time::Duration;

use crate::alerts::{Alerts, Patience};
use crate::buckets::exact;
use crate::check::{Check, Group, Limits, Reading, Scope, Status};
use crate::checks;
use crate::field::number;
use crate::look::Look;
use crate::report::{self, Counted, Report, Said};
use crate::ring::{LONG, Ring};
use crate::score::{Part, score};
use crate::thresholds::Thresholds;
use crate::view::View;

/// More servers than this are not judged one by one.
const MOST_SERVERS: usize = 256;

/// Watches over a node.
#[derive(Debug, Default)]
pub struct Monitor {
    ring: Ring,
    alerts: Alerts,
    thresholds: Thresholds,
    patience: Patience,
    /// What was said of Redis last, and since when.
    redis: Option<(&'static str, u64)>,
    report: Option<Arc<Report>>,
}

impl Monitor {
    /// One with these limits, that tells somebody after this.
    pub fn new(thresholds: Thresholds, patience: Patience) -> Self {
        Self {
            thresholds,
            patience,
            ..Self::default()
        }
    }

    /// Other limits from the next look on.
    pub fn set(&mut self, thresholds: Thresholds, patience: Patience) {
        (self.thresholds, self.patience) = (thresholds, patience);
    }

    /// The last report; nothing before the first look.
    pub fn report(&self) -> Option<&Arc<Report>> {
        self.report.as_ref()
    }

    /// Takes in a look and judges it.
    pub fn take(&mut self, mut look: Look) -> Arc<Report> {
        if let Some(redis) = &mut look.redis {
            redis.servers.truncate(MOST_SERVERS);
        }
        let (at, wall_ms) = (look.at, look.wall_ms);
        self.ring.take(look);
        let Some(look) = self.ring.latest() else {
            // There is one: it was just taken in, or an older one is there.
            return Arc::new(self.judge(&Look::default(), None));
        };
        let name = look.observed.redis.name();
        let since = match self.redis {
            Some((before, since)) if before == name => since,
            Some(_) | None => wall_ms,
        };
        let mut report = self.judge(look, Some(since));
        self.redis = Some((name, since));
        let said = report
            .checks
            .iter()
            .filter(|said| said.weight > 0 || said.group == Group::Data);
        let said = said.map(|said| (said.id.as_str(), said.status, said.value));
        self.alerts.take((at, wall_ms), self.patience, said);
        report.alerts = self.alerts.raised();
        let report = Arc::new(report);
        self.report = Some(Arc::clone(&report));
        report
    }

    fn judge(&self, look: &Look, redis_since_ms: Option<u64>) -> Report {
        let checks: Vec<Judged> = checks::all()
            .flat_map(|check| self.said(check, look))
            .collect();
        let parts: Vec<Part> = checks.iter().map(|judged| judged.part).collect();
        let checks: Vec<Said> = checks.into_iter().map(|judged| judged.said).collect();
        let has_log = look.data.has_log;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Report {
            looked_at_ms: look.wall_ms,
            service: report::service(&look.observed),
            cache: score(&parts, is_several(look)),
            data: data(&checks),
            poll_age_ms: look.data.poll_age.map(millis),
            bound_ms: has_log.then(|| millis(look.data.bound)),
            redis: look.observed.redis.clone(),
            redis_since_ms,
            recommendations: recommendations(&checks),
            checks,
            alerts: Vec::new(),
            entities: self.counted(look),
            facts: look.facts.clone(),
        }
    }

    fn counted(&self, look: &Look) -> Vec<Counted> {
        let before = self.ring.ends(LONG).map(|(before, _)| before);
        let entities = look.entities.iter().map(|now| Counted {
            before: before
                .and_then(|before| before.entities.iter().find(|it| it.name == now.name))
                .cloned(),
            now: now.clone(),
        });
        entities.collect()
    }

    /// What a check says: once, or for each cache.
    fn said(&self, check: &'static Check, look: &Look) -> Vec<Judged> {
        let limits = self.thresholds.of(check);
        match check.scope {
            Scope::Redis | Scope::Node => {
                vec![self.judged(check, check.id.to_owned(), limits, || {
                    View::new(&self.ring, look)
                })]
            }
            Scope::Server => vec![self.worst(check, limits, look)],
            Scope::Entity => {
                let each = look.entities.iter().map(|entity| {
                    let limits = check.of_objective.map_or(limits, |of| of(entity));
                    let id = format!("{}.{}", check.id, entity.name);
                    let mut judged = self.judged(check, id, limits, || {
                        View::of_entity(&self.ring, look, entity)
                    });
                    if !entity.objective.counts {
                        (judged.said.weight, judged.part.weight) = (0, 0);
                    }
                    judged
                });
                each.collect()
            }
        }
    }

    /// Of several servers the one that is worst off speaks for all. While one of them is silent nobody
    /// knows whether all are well; for the score those count that do speak.
    fn worst(&self, check: &'static Check, limits: Limits, look: &Look) -> Judged {
        let servers = look.redis.as_ref().map_or(&[][..], |redis| &redis.servers);
        let each = servers.iter().map(|server| {
            let mut judged = self.judged(check, check.id.to_owned(), limits, || {
                View::of_server(&self.ring, look, server)
            });
            if servers.len() > 1 {
                judged
                    .said
                    .evidence
                    .insert(0, format!("server={}", server.name));
            }
            judged
        });
        let each: Vec<Judged> = each.collect();
        let parts = || each.iter().map(|judged| judged.part);
        let asked = parts().filter(|part| part.status != Status::Skipped);
        let asked = asked.count();
        let known: Vec<Part> = parts().filter(Part::is_known).collect();
        let said = each
            .into_iter()
            .max_by(|one, two| compared(&one.part, &two.part));
        let Some(mut judged) = said else {
            let status = if look.redis.is_some() {
                Status::Unknown
            } else {
                Status::Skipped
            };
            return nothing(check, check.id.to_owned(), limits, status);
        };
        if let Some(part) = known.iter().copied().max_by(compared) {
            let share = exact(known.len() as u64) / exact(asked as u64);
            judged.part = Part { share, ..part };
        }
        judged
    }

    #[expect(clippy::unused_self, reason = "reads as one of the steps beside it")]
    fn judged<'a>(
        &self,
        check: &'static Check,
        id: String,
        limits: Limits,
        view: impl Fn() -> View<'a>,
    ) -> Judged {
        let seen = view();
        let value = match (check.measure)(&seen) {
            Some(Reading::Is(value)) if value.is_finite() => value,
            Some(Reading::Skipped) => return nothing(check, id, limits, Status::Skipped),
            Some(Reading::Is(_)) | None => {
                let mut judged = nothing(check, id, limits, Status::Unknown);
                judged.said.evidence = seen.into_evidence();
                return judged;
            }
        };
        let status = limits.status(check.bad, value);
        let points = limits.points(check.bad, value);
        let recommendation = status.is_bad().then(|| (check.advice)(&view(), value));
        Judged {
            part: Part::of(check, check.weight, status, points),
            said: Said {
                window_s: window(check, &seen),
                status,
                value: Some(value),
                threshold: limits.nearest(status),
                evidence: seen.into_evidence(),
                recommendation: recommendation.filter(|text| !text.is_empty()),
                points,
                ..nothing(check, id, limits, status).said
            },
        }
    }
}

/// How far apart the looks were that a check compared; how far they should be, where none were.
fn window(check: &Check, seen: &View<'_>) -> Option<u64> {
    let window = check.window?;
    let span = seen
        .span()
        .and_then(|span| Duration::try_from_secs_f64(span.round()).ok());
    Some(span.unwrap_or(window).as_secs())
}

/// What a check says, and what that brings to the score.
struct Judged {
    said: Said,
    part: Part,
}

fn nothing(check: &'static Check, id: String, limits: Limits, status: Status) -> Judged {
    Judged {
        part: Part::of(check, check.weight, status, 100.0),
        said: Said {
            id,
            group: check.group,
            weight: check.weight,
            status,
            value: None,
            unit: check.unit,
            threshold: limits.nearest(status),
            window_s: check.window.map(|window| window.as_secs()),
            evidence: Vec::new(),
            recommendation: None,
            points: 100.0,
        },
    }
}

/// Whether several servers have to go together.
fn is_several(look: &Look) -> bool {
    look.redis.as_ref().is_some_and(|redis| {
        let is_clustered = |server: &crate::server::Server| server.is_clustered == Some(true);
        redis.sentinels.is_some() || redis.servers.iter().any(is_clustered)
    })
}

/// Which of two is worse: by its status, and among equals by its points.
fn compared(one: &Part, two: &Part) -> std::cmp::Ordering {
    let by_status = badness(one.status).cmp(&badness(two.status));
    by_status.then(two.points.total_cmp(&one.points))
}

/// How much a status of one server says of all: of one that is silent nobody knows whether it is well.
const fn badness(status: Status) -> u8 {
    match status {
        Status::Skipped => 0,
        Status::Ok => 1,
        Status::Unknown => 2,
        Status::Warning => 3,
        Status::Critical => 4,
    }
}

/// What the promise of freshness rests on: without these nobody can tell how true the data is.
const CARRIES: [&str; 2] = ["change_log", "poll_age"];

/// The worst that is said of the data; unknown until something is, and while what carries it is.
fn data(checks: &[Said]) -> Status {
    let of_data = || checks.iter().filter(|said| said.group == Group::Data);
    let worst = of_data().map(|said| said.status).max();
    let is_carried = of_data()
        .filter(|said| CARRIES.contains(&said.id.as_str()))
        .all(|said| said.status != Status::Unknown);
    match worst {
        Some(Status::Ok) if is_carried => Status::Ok,
        Some(worst) if worst.is_bad() => worst,
        Some(_) | None => Status::Unknown,
    }
}

/// What to do, the worst first, and of equals what counts most.
fn recommendations(checks: &[Said]) -> Vec<String> {
    let mut bad: Vec<&Said> = checks
        .iter()
        .filter(|said| said.recommendation.is_some())
        .collect();
    bad.sort_by(|one, two| {
        let rank = |said: &Said| (said.weight > 0 || said.group == Group::Data, said.status);
        let by_rank = rank(two).cmp(&rank(one));
        by_rank.then(one.points.total_cmp(&two.points))
    });
    bad.into_iter()
        .filter_map(|said| said.recommendation.clone())
        .collect()
}

impl Said {
    /// Its value as people read it.
    pub fn shown(&self) -> String {
        let value = self.value.map_or_else(|| "--".to_owned(), number);
        if self.value.is_none() || self.unit.is_empty() {
            value
        } else {
            format!("{value} {}", self.unit)
        }
    }
}

impl Counted {
    /// What grew within the window, of a counter.
    pub fn grown(&self, of: fn(&crate::look::Entity) -> u64) -> u64 {
        let before = self.before.as_ref().map_or(0, of);
        of(&self.now).saturating_sub(before)
    }

    /// The share of answers that there is no such thing.
    pub fn absent_share(&self) -> Option<f64> {
        let asked = self.grown(|it| it.memory_hits) + self.grown(|it| it.memory_misses);
        let absent = self.grown(|it| it.absent_answers);
        (asked > 0).then(|| (exact(absent) / exact(asked)).min(1.0))
    }

    /// The share of look-ups that a tier answered: memory, Redis, and both together.
    pub fn hit_ratios(&self) -> [Option<f64>; 3] {
        let (memory, redis) = (
            self.grown(|it| it.memory_hits),
            self.grown(|it| it.redis_hits),
        );
        let asked = memory + self.grown(|it| it.memory_misses);
        let redis_asked = redis + self.grown(|it| it.redis_misses);
        let ratio =
            |part: u64, whole: u64| (whole > 0).then(|| (exact(part) / exact(whole)).min(1.0));
        [
            ratio(memory, asked),
            ratio(redis, redis_asked),
            ratio(memory + redis, asked),
        ]
    }
}
