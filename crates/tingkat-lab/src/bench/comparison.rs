//! How a run differs from an earlier one, judged over repeated runs and not over samples: the
//! operations of one run share its machine, its minute and its luck.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::report::{Report, RunReport, names_of_phases};
use super::statistics::{differ, median};
use super::workload::Workload;

/// What is known of a subject and differs from minute to minute.
const FLEETING: [&str; 1] = ["redis round trip"];

/// Two reports side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the earlier one is called.
    pub baseline: String,
    /// What makes the two hard to compare, such as another machine.
    pub caveats: Vec<String>,
    /// What is another and was perhaps meant to be, such as the build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The numbers that both have.
    pub rows: Vec<Row>,
    /// The numbers that the earlier one has and this one has not, such as those of a phase that was
    /// skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// One number that was measured before, and not now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The phase.
    pub phase: String,
    /// The number.
    pub metric: Metric,
}

/// One number of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The phase.
    pub phase: String,
    /// The number.
    pub metric: Metric,
    /// The median of the earlier runs.
    pub before: f64,
    /// The median of these.
    pub now: f64,
    /// By which share it changed; nothing where it was zero.
    pub change: Option<f64>,
    /// What that means.
    pub verdict: Verdict,
}

/// What a difference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No more than chance does.
    Noise,
    /// More than chance does, and good.
    Better,
    /// More than chance does, and bad.
    Worse,
    /// With fewer than four runs on either side nobody can tell.
    TooFewRuns,
}

/// What a run must not become worse by: `p99 > +10%`.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    metric: Metric,
    is_rise: bool,
    by: f64,
}

impl Comparison {
    /// What differs between two reports, in what is usually compared and in what a run must not become
    /// worse by.
    pub fn of(baseline: &str, before: &Report, now: &Report, wanted: &[Regression]) -> Self {
        let (then, these) = (runs(before), runs(now));
        let (mut rows, mut missing) = (Vec::new(), Vec::new());
        for phase in names_of_phases(then.iter().chain(these)) {
            for metric in compared(wanted, phase) {
                let before = numbers(then, phase, &metric);
                let now = numbers(these, phase, &metric);
                if now.is_empty() && !before.is_empty() {
                    let phase = phase.to_owned();
                    missing.push(Missing { phase, metric });
                } else {
                    rows.extend(row(phase, metric, &before, &now));
                }
            }
        }
        Self {
            baseline: baseline.to_owned(),
            caveats: caveats(before, now),
            notes: notes(before, now),
            rows,
            missing,
        }
    }

    /// The rows by which a run is worse than it may be.
    pub fn failures(&self, regressions: &[Regression]) -> Vec<&Row> {
        let rows = self.rows.iter();
        rows.filter(|row| regressions.iter().any(|it| it.is_met_by(row)))
            .collect()
    }

    /// What a run must not become worse by, and of which nobody can tell whether it has: it was not
    /// measured now, or not often enough.
    pub fn untold(&self, regressions: &[Regression]) -> Vec<String> {
        let mut untold = Vec::new();
        for wanted in regressions {
            let is_about = |phase: &str, metric: &Metric| wanted.is_about(phase, metric);
            let all_missing = || {
                let missing = self.missing.iter();
                missing.filter(|it| is_about(&it.phase, &it.metric))
            };
            let told = |it: &Missing| format!("{}:{} was not measured", it.phase, it.metric);
            untold.extend(all_missing().map(told));
            let rows = || {
                let rows = self.rows.iter();
                rows.filter(|it| is_about(&it.phase, &it.metric))
            };
            let few = rows().filter(|row| row.verdict == Verdict::TooFewRuns);
            untold.extend(few.map(|it| {
                let words = it.verdict.words();
                format!("{}:{} was measured in {words}", it.phase, it.metric)
            }));
            if rows().next().is_none() && all_missing().next().is_none() {
                untold.push(format!("{} was not measured", wanted.metric));
            }
        }
        untold.sort();
        untold.dedup();
        untold
    }
}

/// What is compared of a phase.
fn compared(wanted: &[Regression], phase: &str) -> Vec<Metric> {
    let mut metrics = Metric::compared();
    for wanted in wanted.iter().map(|it| &it.metric) {
        if wanted.concerns(phase) && !metrics.iter().any(|it| it.is_like(wanted)) {
            metrics.push(wanted.anywhere());
        }
    }
    metrics
}

/// Why a comparison by these changes would never fail, whatever was measured: the earlier result is of
/// another workload, or has no such number.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn check_changes(
    wanted: &[Regression],
    baseline: &str,
    before: &Report,
    workload: &Workload,
) -> Result<(), String> {
    let mut then = before.workload.clone();
    // A longer run is still the same.
    (then.duration, then.warm_up) = (workload.duration, workload.warm_up);
    if then != *workload {
        return Err(format!(
            "{baseline} is a result of another workload, {}: expected one of {} with the same keys, \
             phases, rate and callers",
            before.workload.name, workload.name
        ));
    }
    let known = Comparison::of(baseline, before, before, wanted);
    for change in wanted {
        let has_it = |row: &Row| change.is_about(&row.phase, &row.metric);
        if !known.rows.iter().any(has_it) {
            return Err(format!(
                "{}: {baseline} has no such number; expected one of {}",
                change.metric,
                names(&known)
            ));
        }
    }
    Ok(())
}

fn names(comparison: &Comparison) -> String {
    let rows = comparison.rows.iter();
    let names: Vec<String> = rows
        .map(|row| format!("{}:{}", row.phase, row.metric))
        .collect();
    names.join(", ")
}

fn runs(report: &Report) -> &[RunReport] {
    report.first().map_or(&[], |it| &it.runs)
}

fn numbers(runs: &[RunReport], phase: &str, metric: &Metric) -> Vec<f64> {
    let phases = runs.iter().flat_map(|run| &run.phases);
    phases
        .filter(|it| it.name == phase)
        .filter_map(|phase| metric.of(phase))
        .collect()
}

fn row(phase: &str, metric: Metric, before: &[f64], now: &[f64]) -> Option<Row> {
    let (then, these) = (median(before)?, median(now)?);
    let verdict = match differ(before, now) {
        None => Verdict::TooFewRuns,
        Some(false) => Verdict::Noise,
        Some(true) if (these > then) == metric.is_better_when_high() => Verdict::Better,
        Some(true) => Verdict::Worse,
    };
    Some(Row {
        phase: phase.to_owned(),
        change: (then > 0.0).then(|| (these - then) / then),
        metric,
        before: then,
        now: these,
        verdict,
    })
}

fn caveats(before: &Report, now: &Report) -> Vec<String> {
    let mut caveats = Vec::new();
    let mut tell = |differs: bool, text: &str| {
        if differs {
            caveats.push(text.to_owned());
        }
    };
    let (then, these) = (&before.environment, &now.environment);
    tell(
        (&then.cpu, then.cores) != (&these.cpu, these.cores),
        "another machine",
    );
    let names = then.details.keys().chain(these.details.keys());
    let mut others: Vec<&str> = names
        .map(String::as_str)
        .filter(|name| !FLEETING.contains(name))
        .filter(|name| then.details.get(*name) != these.details.get(*name))
        .collect();
    others.sort_unstable();
    others.dedup();
    for name in others {
        tell(true, &format!("another {name}"));
    }
    tell(before.workload != now.workload, "another workload");
    tell(before.seed != now.seed, "another seed");
    tell(!before.invalid().is_empty(), "the baseline is invalid");
    tell(!now.invalid().is_empty(), "this run is invalid");
    caveats
}

fn notes(before: &Report, now: &Report) -> Vec<String> {
    let (then, these) = (&before.environment.build, &now.environment.build);
    if then == these {
        return Vec::new();
    }
    vec![format!("another build: {then}; now {these}")]
}

impl Verdict {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::TooFewRuns => "too few runs to tell",
        }
    }
}

impl Row {
    /// The change as people read it.
    pub(super) fn shown_change(&self) -> String {
        self.change.map_or_else(
            || "--".to_owned(),
            |change| format!("{:+.1} %", change * 100.0),
        )
    }
}

impl Regression {
    /// Whether a row is worse by more than chance, and by more than this.
    fn is_met_by(&self, row: &Row) -> bool {
        let is_past = match (row.change, self.is_rise) {
            (Some(change), true) => change > self.by,
            (Some(change), false) => change < self.by,
            // From nothing to something is more than any share.
            (None, true) => row.now > row.before,
            (None, false) => false,
        };
        self.is_about(&row.phase, &row.metric) && row.verdict == Verdict::Worse && is_past
    }

    fn is_about(&self, phase: &str, metric: &Metric) -> bool {
        self.metric.is_like(metric) && self.metric.concerns(phase)
    }

    /// Reads several, with commas between them.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(str::parse).collect()
    }
}

impl FromStr for Regression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let missing =
            || format!("{text:?}: expected something like lookup.p99 > +10% or rate < -5%");
        let at = text.find(['<', '>']).ok_or_else(missing)?;
        let (name, rest) = text.split_at(at);
        let metric: Metric = name.parse()?;
        let is_rise = rest.starts_with('>');
        let by = rest.trim_start_matches(['<', '>', '=']).trim();
        let by = by
            .strip_suffix('%')
            .and_then(|by| by.trim().parse::<f64>().ok());
        let by = by.filter(|by| by.is_finite() && (*by > 0.0) == is_rise);
        let by = by.ok_or_else(missing)? / 100.0;
        Ok(Self {
            metric,
            is_rise,
            by,
        })
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_rise { '>' } else { '<' };
        write!(f, "{} {sign} {:+}%", self.metric, self.by * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::subject::{Kind, Tier};
    use super::*;

    fn report(p99s: &[f64]) -> Report {
        let mut report = samples::report();
        let first = &mut report.subjects[0];
        let run = first.runs[0].clone();
        first.runs = p99s
            .iter()
            .map(|p99| {
                let mut run = run.clone();
                for phase in &mut run.phases {
                    phase.service.p99 = *p99;
                    phase.response = None;
                    for of in phase.classes.iter_mut().filter(|it| it.tier == Tier::Redis) {
                        of.service.p99 = *p99;
                    }
                    for of in phase.kinds.iter_mut().filter(|it| it.kind == Kind::Read) {
                        of.noticed.p99 = *p99;
                    }
                }
                run
            })
            .collect();
        report
    }

    fn p99(comparison: &Comparison) -> &Row {
        let is_p99 = |row: &&Row| row.metric.to_string() == "lookup.p99";
        comparison.rows.iter().find(is_p99).unwrap()
    }

    #[test]
    fn what_is_more_than_chance_is_worse_or_better_and_the_rest_noise() {
        let before = report(&[100.0, 101.0, 102.0, 103.0]);
        for (now, verdict) in [
            (&[130.0, 131.0, 132.0, 133.0][..], Verdict::Worse),
            (&[70.0, 71.0, 72.0, 73.0], Verdict::Better),
            (&[99.0, 104.0, 100.5, 102.5], Verdict::Noise),
            (&[130.0, 131.0, 132.0], Verdict::TooFewRuns),
        ] {
            let comparison = Comparison::of("before", &before, &report(now), &[]);
            assert_eq!(p99(&comparison).verdict, verdict, "{now:?}");
        }
    }

    #[test]
    fn a_run_fails_on_what_is_worse_and_too_much() {
        let before = report(&[100.0, 101.0, 102.0, 103.0]);
        let now = report(&[130.0, 131.0, 132.0, 133.0]);
        let fails = |text: &str| {
            let wanted = Regression::read_all(text).unwrap();
            let worse = Comparison::of("before", &before, &now, &wanted);
            !worse.failures(&wanted).is_empty()
        };
        assert!(fails("p99 > +10%"));
        // What the mixture of all operations hides.
        assert!(fails("lookup.p99 > +10%"));
        assert!(fails("read.p99 > +10%"));
        assert!(fails("redis.p99 > +10%"));
        assert!(!fails("memory.p99 > +10%"));
        assert!(!fails("staleness.p99 > +10%"));
        assert!(fails("rate < -5%, p99>+25%"));
        assert!(!fails("p99 > +50%"), "by 29 %");
        assert!(!fails("p50 > +10%"));
        assert!(!fails("elsewhere:p99 > +10%"));
    }

    #[test]
    fn what_was_not_measured_has_not_stayed_as_it_was() {
        let before = report(&[100.0, 101.0, 102.0, 103.0]);
        let untold = |text: &str, now: &Report| {
            let wanted = Regression::read_all(text).unwrap();
            let comparison = Comparison::of("before", &before, now, &wanted);
            assert!(comparison.failures(&wanted).is_empty(), "{comparison:?}");
            comparison.untold(&wanted)
        };
        let mut now = before.clone();
        let none: [&str; 0] = [];
        assert_eq!(untold("redis.p99 > +10%", &now), none);
        let few = report(&[200.0]);
        assert_eq!(
            untold("redis.p99 > +10%", &few),
            ["steady:redis.p99 was measured in too few runs to tell"]
        );
        // A service that tells no counters any more.
        let runs = &mut now.subjects[0].runs;
        for phase in runs.iter_mut().flat_map(|run| &mut run.phases) {
            phase.hit_ratio = None;
        }
        assert_eq!(
            untold("p99 > +10%, hit_ratio < -1%", &now),
            ["steady:hit_ratio was not measured"]
        );
        // The phase was skipped, as there is no Redis.
        for run in &mut now.subjects[0].runs {
            run.phases.clear();
        }
        assert_eq!(
            untold("steady:redis.p99 > +10%", &now),
            ["steady:redis.p99 was not measured"]
        );
    }

    #[test]
    fn wrong_ones_are_explained() {
        for (text, words) in [
            ("p99", "expected something like lookup.p99 > +10%"),
            ("p99 > -10%", "expected something like lookup.p99 > +10%"),
            ("p99 > 10ms", "expected something like lookup.p99 > +10%"),
            ("p98 > +10%", "there is no number"),
        ] {
            let error = Regression::read_all(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn what_makes_two_runs_hard_to_compare_is_told() {
        let before = samples::report();
        let mut now = samples::report();
        assert_eq!(
            Comparison::of("before", &before, &now, &[]).caveats,
            Vec::<String>::new()
        );
        now.environment.cores = 64;
        now.seed = 7;
        now.environment = now.environment.with("redis", "8.0 at 127.0.0.1:6379");
        let caveats = Comparison::of("before", &before, &now, &[]).caveats;
        assert_eq!(
            caveats,
            ["another machine", "another redis", "another seed"]
        );
    }

    #[test]
    fn another_build_is_what_is_compared_and_a_round_trip_nobodys_choice() {
        let mut before = samples::report();
        let mut now = samples::report();
        before.environment = before.environment.with("redis round trip", "31 µs");
        now.environment = now.environment.with("redis round trip", "35 µs");
        now.environment.build = "tingkat 0.2.0, release".to_owned();
        let comparison = Comparison::of("before", &before, &now, &[]);
        assert_eq!(comparison.caveats, Vec::<String>::new());
        let builds = "another build: tingkat 0.1.0, release; now tingkat 0.2.0, release";
        assert_eq!(comparison.notes, [builds]);
    }

    #[test]
    fn changes_that_could_never_be_seen_are_refused() {
        let before = samples::report();
        let check = |changes: &str, workload: &Workload| {
            let wanted = Regression::read_all(changes).unwrap();
            check_changes(&wanted, "before", &before, workload)
        };
        let mut longer = before.workload.clone();
        longer.duration *= 2;
        assert_eq!(check("p99 > +10%, steady:rate < -5%", &longer), Ok(()));
        let error = check("stedy:p99 > +10%", &longer).unwrap_err();
        assert!(
            error.contains("expected one of steady:rate, steady:lookup.p50"),
            "{error}"
        );
        assert!(check("loads_per_crowd > +10%", &longer).is_err());
        let other = Workload::preset("postcode").unwrap();
        let error = check("p99 > +10%", &other).unwrap_err();
        assert!(error.contains("another workload, product-read"), "{error}");
    }
}
