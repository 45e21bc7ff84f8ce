//! Grades from A to F, from what the workload says is good enough; and what to do, from what was
//! seen.

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::number::{real, share};
use super::objective::Objective;
use super::report::{ClassReport, PhaseReport, Report};
use super::subject::{Kind, Tier};
use super::validity::is_only_too_slow;
use super::words;
use super::workload::Workload;

/// How good a run was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grades {
    /// The worst of the others.
    pub overall: Grade,
    /// By objective.
    pub objectives: Vec<Graded>,
    /// What to do.
    pub recommendations: Vec<String>,
}

/// One objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graded {
    /// What is good enough.
    pub objective: String,
    /// What was measured.
    pub measured: String,
    /// How good that is.
    pub grade: Grade,
}

/// From A, half of what is allowed, and B, what is allowed, to F, more than three times that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// Half of what is allowed.
    A,
    /// What is allowed.
    B,
    /// Half as much again.
    C,
    /// Up to three times as much.
    D,
    /// More than that.
    F,
}

impl Grade {
    fn of(strain: f64) -> Self {
        match strain {
            ..=0.5 => Self::A,
            ..=1.0 => Self::B,
            ..=1.5 => Self::C,
            ..=3.0 => Self::D,
            _ => Self::F,
        }
    }

    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
            Self::D => 'D',
            Self::F => 'F',
        }
    }
}

/// The grades of a report; nothing where the workload has no objective, or the numbers mean nothing.
pub fn grade(report: &Report) -> Option<Grades> {
    let runs = &report.first()?.runs;
    if !report.invalid().is_empty() {
        return None;
    }
    let graded = |objective: Objective| {
        let measured = objective.measured(runs)?;
        Some(Graded {
            grade: Grade::of(objective.strain(measured)),
            measured: objective.shown(measured),
            objective: objective.to_string(),
        })
    };
    let objectives: Vec<Graded> = objectives(&report.workload)
        .into_iter()
        .filter_map(graded)
        .collect();
    Some(Grades {
        overall: objectives.iter().map(|it| it.grade).max()?,
        recommendations: recommendations(report),
        objectives,
    })
}

fn objectives(workload: &Workload) -> Vec<Objective> {
    let wanted = workload.objective;
    let hit_ratio = wanted
        .hit_ratio
        .map(|it| Objective::at_least(Metric::hit_ratio(), it));
    let p99 = wanted
        .p99_ms
        .map(|it| Objective::at_most(Metric::look_up_p99(), it * 1e3));
    let error_rate = wanted
        .error_rate
        .map(|it| Objective::at_most(Metric::error_rate(), it));
    let loads_per_crowd = wanted
        .loads_per_crowd
        .map(|it| Objective::at_most(Metric::loads_per_crowd(), it));
    let beyond_bound = wanted
        .beyond_bound
        .map(|it| Objective::at_most(Metric::beyond_bound(), it));
    let all = [hit_ratio, p99, error_rate, loads_per_crowd, beyond_bound];
    all.into_iter().flatten().collect()
}

/// What to do where there is no grade and all that is wrong is that the target did not keep up with
/// the rate: why it did not was seen all the same.
pub fn advice_without_grade(report: &Report) -> Vec<String> {
    let runs = report.first().map_or(&[][..], |it| &it.runs);
    let phases = || runs.iter().flat_map(|run| &run.phases);
    let is_told = |phase: &PhaseReport| phase.invalid.is_empty() || is_only_too_slow(phase);
    if report.invalid().is_empty() || !phases().all(is_told) {
        return Vec::new();
    }
    recommendations(report)
}

/// What to do: each is said once, with the phase in which it was seen first.
fn recommendations(report: &Report) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let mut topics: Vec<&str> = Vec::new();
    let runs = report.first().map_or(&[][..], |it| &it.runs);
    for phase in runs.iter().flat_map(|run| &run.phases) {
        for (topic, text) in advice(&report.workload, phase) {
            if !topics.contains(&topic) {
                topics.push(topic);
                said.push(format!("{}: {text}", phase.name));
            }
        }
    }
    said
}

/// What follows from a phase: the topic, and the advice.
fn advice(workload: &Workload, phase: &PhaseReport) -> Vec<(&'static str, String)> {
    let entity = workload.entity.name();
    let counters = phase.counters.unwrap_or_default();
    let mut advice = Vec::new();
    let wanted = workload.objective;
    let misses_hits = wanted
        .hit_ratio
        .zip(phase.hit_ratio)
        .is_some_and(|(least, is)| is < least);
    if misses_hits {
        advice.push(("hits", on_hits(entity, phase)));
    }
    let p99 = Metric::look_up_p99().of(phase);
    if wanted
        .p99_ms
        .zip(p99)
        .is_some_and(|(most, is)| is > most * 1e3)
    {
        advice.extend(on_time(entity, phase));
    }
    if let Some(asked) = phase.asked_rate.filter(|_| is_only_too_slow(phase)) {
        advice.push((
            "rate",
            format!(
                "of {}/s asked for the target answered {}/s: that is what it can do here, or ask it \
                 for less by --rate",
                words::count(asked),
                words::count(phase.achieved_rate)
            ),
        ));
    }
    if wanted
        .error_rate
        .is_some_and(|most| phase.error_rate() > most)
    {
        advice.push(("errors", on_errors(phase)));
    }
    if counters.overloads > 0 {
        advice.push((
            "overload",
            format!(
                "{} look-ups were refused because too many loads were waiting: raise \
                 entity.{entity}.max_loads if the database can do more, entity.{entity}.max_queue \
                 if customers can wait",
                words::count_of(counters.overloads)
            ),
        ));
    }
    if counters.redis_failures > 0 {
        advice.push((
            "redis",
            format!(
                "{} calls of Redis failed or took longer than redis.budget: see whether it is \
                 meant to be that slow; the breaker keeps most requests from paying for it",
                words::count_of(counters.redis_failures)
            ),
        ));
    }
    if let Some(crowd) = phase.crowd
        && crowd.loaded_keys.is_some_and(|keys| keys > crowd.crowds)
    {
        advice.push((
            "crowd",
            "some keys were loaded more than once by a crowd: more than one node loads, or loads \
             fail and are tried again"
                .to_owned(),
        ));
    }
    if let Some(staleness) = phase.staleness.filter(|it| it.beyond_bound > 0) {
        advice.push((
            "staleness",
            format!(
                "{} answers were older than feed.staleness_bound and not marked: this is a bug of \
                 Tingkat, unless something else writes these products",
                words::count_of(staleness.beyond_bound)
            ),
        ));
    }
    advice
}

/// Why look-ups were not answered by a tier, as far as the counters tell.
fn on_hits(entity: &str, phase: &PhaseReport) -> String {
    let Some(counters) = phase.counters else {
        return format!(
            "too few look-ups were answered by a tier; why is not known, as the target tells no \
             counters: see its GET /v1/caches/{entity}"
        );
    };
    let loaded = words::count_of(counters.loaded_keys);
    let of = |wanted: &dyn Fn(&ClassReport) -> bool| {
        let classes = phase.classes.iter().filter(|it| wanted(it));
        classes.map(|it| it.operations).sum::<u64>()
    };
    let written = of(&|it| !it.kind.is_look_up() && !it.state.is_failure());
    if counters.evictions > 0 {
        format!(
            "memory had no room for {} entries, with {} in {}: raise entity.{entity}.memory_bytes",
            words::count_of(counters.evictions),
            words::count_of(counters.entries),
            words::bytes(counters.bytes)
        )
    } else if counters.loaded_keys > 0 && counters.loaded_keys <= counters.entries {
        // What was loaded is still there, so nothing of it was loaded twice.
        format!(
            "{loaded} keys were loaded and each only once, for they are still in memory: load them \
             before customers come (`tingkat warm`, warm.on_start)"
        )
    } else if written.saturating_mul(2) >= counters.loaded_keys.max(1) {
        format!(
            "{} writes made entries worthless, and {loaded} keys were loaded: fewer writes of what \
             does not change, or writes of many fields at once, keep more entries",
            words::count_of(written)
        )
    } else {
        format!(
            "{loaded} keys were loaded with {} in memory and none evicted, so that entries became \
             too old or were forgotten: see entity.{entity}.fresh_for",
            words::count_of(counters.entries)
        )
    }
}

/// What failed, and where to look.
fn on_errors(phase: &PhaseReport) -> String {
    let failed = |kind: Kind| {
        let is_it = |it: &&ClassReport| it.kind == kind && it.state.is_failure();
        let count = phase.classes.iter().filter(is_it);
        let count: u64 = count.map(|it| it.operations).sum();
        (count > 0).then(|| format!("{} {}", words::count_of(count), words::kind(kind)))
    };
    let mut failed: Vec<String> = Kind::ALL.into_iter().filter_map(failed).collect();
    if failed.is_empty() {
        failed.push("none came back".to_owned());
    }
    let counters = phase.counters.unwrap_or_default();
    let refused = share(counters.overloads, phase.errors) >= 0.5;
    let next = if refused {
        "most were refused, as the database did not keep up"
    } else {
        "see the log of the target, and whether its database answers (`tingkat doctor`, /readyz)"
    };
    format!(
        "{} of {} operations had no answer ({}): {next}",
        words::count_of(phase.errors),
        words::count(real(phase.operations)),
        failed.join(", ")
    )
}

/// What makes the slowest look-ups slow: the slowest class that is not rare.
fn on_time(entity: &str, phase: &PhaseReport) -> Option<(&'static str, String)> {
    let is_look_up = |it: &&ClassReport| it.kind.is_look_up() && !it.state.is_failure();
    let look_ups = || phase.classes.iter().filter(is_look_up);
    let all: u64 = look_ups().map(|class| class.operations).sum();
    // One of a hundred is enough to make the p99 of all.
    let frequent = look_ups().filter(|class| class.operations.saturating_mul(100) >= all);
    let class = frequent.max_by(|one, other| one.service.p99.total_cmp(&other.service.p99))?;
    let times = format!(
        "p50 {}, p99 {}",
        words::time(class.service.p50),
        words::time(class.service.p99)
    );
    let waits = phase
        .response
        .is_some_and(|response| response.p99 > 2.0 * phase.service.p99);
    if waits {
        return Some((
            "waits",
            "operations wait longer to be sent than they take: the target does not keep up with \
             this rate"
                .to_owned(),
        ));
    }
    Some(match class.tier {
        Tier::Database => (
            "database",
            format!(
                "the database makes the slowest slow ({times}): look at {entity}_load.sql and its \
                 indexes, then at entity.{entity}.max_loads and source.max_connections"
            ),
        ),
        Tier::Redis => (
            "redis is slow",
            format!(
                "Redis makes the slowest slow ({times}): bring it nearer, or let memory hold more \
                 (entity.{entity}.memory_bytes)"
            ),
        ),
        Tier::Memory => (
            "cores",
            format!(
                "even hits in memory are slow ({times}): the cores are busy with something else"
            ),
        ),
        Tier::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::subject::{Counters, State};
    use super::*;

    #[test]
    fn a_grade_says_how_much_of_what_is_allowed_was_used() {
        for (strain, letter) in [
            (0.0, 'A'),
            (0.5, 'A'),
            (0.9, 'B'),
            (1.2, 'C'),
            (2.0, 'D'),
            (9.0, 'F'),
        ] {
            assert_eq!(Grade::of(strain).letter(), letter);
        }
    }

    fn advice_for(change: impl FnOnce(&mut PhaseReport)) -> String {
        let mut report = samples::report();
        let phase = &mut report.subjects[0].runs[0].phases[0];
        change(phase);
        grade(&report).unwrap().recommendations.join("\n")
    }

    #[test]
    fn what_to_do_follows_from_what_was_seen() {
        assert_eq!(advice_for(|_| {}), "");
        let overload = advice_for(|phase| {
            phase.counters = Some(Counters {
                overloads: 3,
                redis_failures: 2,
                ..Counters::default()
            });
        });
        assert!(overload.contains("entity.product.max_loads") && overload.contains("redis.budget"));
        let slow = advice_for(|phase| {
            phase.service.p99 = 80_000.0;
            phase.response = None;
            phase.kinds[0].noticed.p99 = 80_000.0;
            for class in &mut phase.classes {
                if class.tier == Tier::Database {
                    class.service.p99 = 80_000.0;
                }
            }
        });
        assert!(slow.contains("product_load.sql"), "{slow}");
        let waits = advice_for(|phase| {
            let mut response = phase.service;
            response.p99 = 1e6;
            phase.response = Some(response);
            phase.kinds[0].noticed = response;
        });
        assert!(waits.contains("does not keep up"), "{waits}");
    }

    #[test]
    fn why_tiers_did_not_answer_is_said_as_far_as_the_counters_tell() {
        let few_hits = |counters: Option<Counters>, writes: bool| {
            advice_for(|phase| {
                phase.hit_ratio = Some(0.3);
                phase.counters = counters;
                if !writes {
                    phase.classes.retain(|class| class.kind != Kind::Write);
                }
            })
        };
        let counted = |loaded_keys, entries, evictions| {
            Some(Counters {
                loaded_keys,
                evictions,
                entries,
                ..Counters::default()
            })
        };
        for (counters, writes, words) in [
            (
                counted(900, 50, 7),
                false,
                "raise entity.product.memory_bytes",
            ),
            (counted(900, 900, 0), false, "each only once"),
            (
                counted(900, 50, 0),
                true,
                "500 writes made entries worthless",
            ),
            (counted(900, 50, 0), false, "entity.product.fresh_for"),
            (None, true, "why is not known"),
        ] {
            let said = few_hits(counters, writes);
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[test]
    fn what_had_no_answer_is_said_with_where_to_look() {
        let errors = |overloads| {
            advice_for(|phase| {
                phase.errors = 100;
                phase.classes[0].state = State::Error;
                phase.counters = Some(Counters {
                    overloads,
                    ..Counters::default()
                });
            })
        };
        let down = errors(0);
        assert!(
            down.contains("100 of 10,000 operations had no answer (9,000 read)"),
            "{down}"
        );
        assert!(down.contains("/readyz"), "{down}");
        let refused = errors(90);
        assert!(refused.contains("most were refused"), "{refused}");
    }

    #[test]
    fn crowds_and_old_answers_are_judged_and_told() {
        let mut report = samples::report();
        report.workload.objective.loads_per_crowd = Some(1.0);
        report.workload.objective.beyond_bound = Some(0.0);
        let crowd = |loaded_keys| super::super::report::Crowd {
            callers: 1000,
            crowds: 10,
            loaded_keys: Some(loaded_keys),
        };
        report.subjects[0].runs[0].phases[0].crowd = Some(crowd(10));
        assert_eq!(grade(&report).unwrap().overall, Grade::A);
        report.subjects[0].runs[0].phases[0].crowd = Some(crowd(13));
        let grades = grade(&report).unwrap();
        assert_eq!(grades.overall, Grade::F);
        assert!(grades.recommendations[0].contains("loaded more than once"));
        let phase = &mut report.subjects[0].runs[0].phases[0];
        phase.crowd = Some(crowd(10));
        phase.staleness.as_mut().unwrap().beyond_bound = 1;
        let grades = grade(&report).unwrap();
        assert_eq!(grades.overall, Grade::F);
        assert!(grades.recommendations[0].contains("feed.staleness_bound"));
    }

    #[test]
    fn a_target_that_does_not_keep_up_has_no_grade_and_its_advice() {
        let mut report = samples::report();
        assert!(advice_without_grade(&report).is_empty(), "it has a grade");
        let phase = &mut report.subjects[0].runs[0].phases[0];
        phase.achieved_rate = 500.0;
        phase
            .invalid
            .push("500.0 of 1000.0 operations a second were answered, less than 95 %".to_owned());
        phase.kinds[0].noticed.p99 = 2e6;
        phase.response = Some(phase.kinds[0].noticed);
        assert_eq!(grade(&report), None);
        let said = advice_without_grade(&report).join("\n");
        assert!(
            said.contains("of 1,000/s asked for the target answered 500/s"),
            "{said}"
        );
        assert!(said.contains("does not keep up with this rate"), "{said}");
        let phase = &mut report.subjects[0].runs[0].phases[0];
        phase.invalid.push("it was interrupted".to_owned());
        assert!(advice_without_grade(&report).is_empty());
    }

    #[test]
    fn each_tier_that_is_slow_is_named() {
        for (tier, words) in [
            (Tier::Database, "product_load.sql"),
            (Tier::Redis, "Redis makes the slowest slow"),
            (Tier::Memory, "the cores are busy"),
        ] {
            let said = advice_for(|phase| {
                phase.response = None;
                phase.kinds[0].noticed.p99 = 80_000.0;
                for class in phase.classes.iter_mut().filter(|it| it.tier == tier) {
                    class.service.p99 = 80_000.0;
                }
            });
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn numbers_that_mean_nothing_have_no_grade() {
        let mut report = samples::report();
        assert_eq!(grade(&report).unwrap().overall, Grade::A);
        report.subjects[0].runs[0].phases[0]
            .invalid
            .push("it was interrupted".to_owned());
        assert_eq!(grade(&report), None);
    }
}
