//! What a run must keep: `--slo 'read.p99<2ms,error_rate<0.1%'`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::report::{Report, RunReport};
use super::statistics::median;

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    metric: Metric,
    is_upper: bool,
    limit: f64,
}

/// Whether an objective was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was wanted.
    pub objective: String,
    /// What was measured; nothing where nothing was.
    pub measured: Option<String>,
    /// Whether that is so.
    pub is_kept: bool,
}

impl Objective {
    pub(super) const fn at_most(metric: Metric, limit: f64) -> Self {
        Self {
            metric,
            is_upper: true,
            limit,
        }
    }

    pub(super) const fn at_least(metric: Metric, limit: f64) -> Self {
        Self {
            metric,
            is_upper: false,
            limit,
        }
    }

    /// The one phase that it is about, if it is about one alone.
    pub fn phase(&self) -> Option<&str> {
        self.metric.phase()
    }

    /// Reads several, with commas between them.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(str::parse).collect()
    }

    /// The median over the runs of what the worst phase has.
    pub(super) fn measured(&self, runs: &[RunReport]) -> Option<f64> {
        let of_run = |run: &RunReport| {
            let phases = run
                .phases
                .iter()
                .filter(|it| self.metric.concerns(&it.name));
            let numbers = phases.filter_map(|phase| self.metric.of(phase));
            if self.is_upper {
                numbers.max_by(f64::total_cmp)
            } else {
                numbers.min_by(f64::total_cmp)
            }
        };
        let numbers: Vec<f64> = runs.iter().filter_map(of_run).collect();
        median(&numbers)
    }

    /// How far a number is from the limit: up to 1 it is kept.
    pub(super) fn strain(&self, number: f64) -> f64 {
        let (number, limit) = if self.is_upper {
            let floor = self.metric.floor();
            (number - floor, self.limit - floor)
        } else if self.metric.unit() == super::metric::Unit::Share {
            // What is missing to all of it.
            (1.0 - number, 1.0 - self.limit)
        } else {
            (self.limit, number)
        };
        if limit > 0.0 {
            (number / limit).max(0.0)
        } else if number > 0.0 {
            f64::INFINITY
        } else {
            0.0
        }
    }

    fn keeps(&self, number: f64) -> bool {
        if self.is_upper {
            number <= self.limit
        } else {
            number >= self.limit
        }
    }

    /// A number of this kind as people read it.
    pub(super) fn shown(&self, number: f64) -> String {
        self.metric.unit().shown(number)
    }

    /// What a report says of it. Numbers that mean nothing keep no objective.
    pub fn judge(&self, report: &Report) -> Verdict {
        let runs = report.first().map_or(&[][..], |it| &it.runs);
        let measured = self.measured(runs);
        let is_valid = report.invalid().is_empty();
        Verdict {
            objective: self.to_string(),
            measured: measured.map(|number| self.shown(number)),
            is_kept: is_valid && measured.is_some_and(|number| self.keeps(number)),
        }
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let missing = || format!("{text:?}: expected something like p99<2ms or hit_ratio>90%");
        let at = text.find(['<', '>']).ok_or_else(missing)?;
        let (name, rest) = text.split_at(at);
        let is_upper = rest.starts_with('<');
        let limit = rest.trim_start_matches(['<', '>']).trim_start_matches('=');
        let metric: Metric = name.parse()?;
        let limit = metric.unit().read(limit.trim())?;
        Ok(Self {
            metric,
            is_upper,
            limit,
        })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_upper { '≤' } else { '≥' };
        write!(f, "{} {sign} {}", self.metric, self.shown(self.limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read_and_wrong_ones_explained() {
        let all = Objective::read_all("get.p99<2ms, error_rate<=0.1%,hit_ratio>0.9").unwrap();
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "read.p99 ≤ 2.00 ms",
                "error_rate ≤ 0.1 %",
                "hit_ratio ≥ 90.0 %"
            ]
        );
        for (text, words) in [
            ("p99", "expected something like p99<2ms"),
            ("p99<2", "expected something like 10s"),
            ("p98<2ms", "there is no number \"p98\""),
            ("error_rate<x", "such as 0.1%"),
            ("error_rate<5", "expected 0% to 100% or 0 to 1"),
            ("hit_ratio>101%", "expected 0% to 100% or 0 to 1"),
            ("hit_ratio>-1%", "expected 0% to 100% or 0 to 1"),
            ("", "expected something like p99<2ms"),
        ] {
            let error = Objective::read_all(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn the_strain_is_one_at_the_limit_whatever_the_direction() {
        for (text, at, better) in [
            ("p99<2ms", 2000.0, 1000.0),
            ("hit_ratio>0.6", 0.6, 0.8),
            ("rate>100", 100.0, 200.0),
        ] {
            let objective: Objective = text.parse().unwrap();
            assert!((objective.strain(at) - 1.0).abs() < 1e-9);
            assert!((objective.strain(better) - 0.5).abs() < 1e-9);
            assert!(objective.keeps(at) && objective.keeps(better));
        }
        let none: Objective = "error_rate<0".parse().unwrap();
        assert!(none.strain(0.0).abs() < 1e-9 && none.strain(0.1).is_infinite());
        assert!(none.keeps(0.0) && !none.keeps(0.1));
        // One load for each crowd is all that can be wished for.
        let one: Objective = "loads_per_crowd<1".parse().unwrap();
        assert!(one.strain(1.0).abs() < 1e-9 && one.strain(1.5).is_infinite());
        assert!(one.keeps(1.0) && !one.keeps(1.5));
    }
}
