//! Numbers of a report by name, such as `p99`, `read.p99`, `redis.p50`, `hit_ratio` or
//! `sale:error_rate`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::number::real;
use super::report::{Latency, PhaseReport};
use super::span;
use super::subject::{Kind, State, Tier};

/// One number of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Metric {
    /// The one phase that counts; nothing for each of them.
    phase: Option<String>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Time(Of, Which),
    ErrorRate,
    HitRatio,
    Rate,
    StalenessP99,
    StalenessMax,
    BeyondBound,
    LoadsPerCrowd,
    Lag(Which),
}

/// Whose time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    All,
    /// All kinds that look something up, of which the slowest counts.
    LookUps,
    Kind(Kind),
    /// Current answers to look-ups of one key by a tier.
    Tier(Tier),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Mean,
    P50,
    P90,
    P99,
    P999,
    Max,
}

/// What numbers there are, for whoever names one that there is not.
const NAMES: &str = "p50, p90, p99, p999, mean or max, alone or after lookup., read., absent., batch., \
                     write., import., memory., redis. or database.; error_rate, hit_ratio, rate, \
                     staleness.p99, staleness.max, beyond_bound, loads_per_crowd, lag.p50, lag.p99 or lag.max; any of them after a phase and `:`";

/// What a number is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Microseconds.
    Time,
    /// Of a whole.
    Share,
    /// A second.
    Rate,
    Count,
}

impl Unit {
    /// A number as people read it.
    pub(super) fn shown(self, number: f64) -> String {
        match self {
            Self::Time => super::words::time(number),
            Self::Share => super::words::percent(number),
            Self::Rate => format!("{}/s", super::words::count(number)),
            Self::Count => super::words::count(number),
        }
    }

    /// Reads a number with its unit.
    pub(super) fn read(self, text: &str) -> Result<f64, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|it| it.is_finite());
        match self {
            Self::Time => span::parse(text).map(|time| time.as_secs_f64() * 1e6),
            Self::Share => text
                .strip_suffix('%')
                .map_or_else(|| number(text), |it| number(it).map(|it| it / 100.0))
                .filter(|share| (0.0..=1.0).contains(share))
                .ok_or_else(|| {
                    format!("{text:?}: expected 0% to 100% or 0 to 1, such as 0.1% or 0.001")
                }),
            Self::Rate | Self::Count => {
                number(text).ok_or_else(|| format!("{text:?}: expected a number"))
            }
        }
    }
}

impl Metric {
    /// A number of each phase.
    pub(super) const fn look_up_p99() -> Self {
        Self::everywhere(What::Time(Of::LookUps, Which::P99))
    }

    pub(super) const fn error_rate() -> Self {
        Self::everywhere(What::ErrorRate)
    }

    pub(super) const fn hit_ratio() -> Self {
        Self::everywhere(What::HitRatio)
    }

    pub(super) const fn loads_per_crowd() -> Self {
        Self::everywhere(What::LoadsPerCrowd)
    }

    pub(super) const fn beyond_bound() -> Self {
        Self::everywhere(What::BeyondBound)
    }

    /// The least that a number can be.
    pub(super) const fn floor(&self) -> f64 {
        // Somebody has to load what a crowd asks for.
        if matches!(self.what, What::LoadsPerCrowd) {
            1.0
        } else {
            0.0
        }
    }

    /// The one phase that counts, if one alone does.
    pub(super) fn phase(&self) -> Option<&str> {
        self.phase.as_deref()
    }

    const fn everywhere(what: What) -> Self {
        Self { phase: None, what }
    }

    /// What is usually compared between runs: times by who waits and by who answered, as the mixture of
    /// all of them hides each.
    pub(super) fn compared() -> Vec<Self> {
        let owners = [
            Of::LookUps,
            Of::Kind(Kind::Write),
            Of::Kind(Kind::Import),
            Of::Tier(Tier::Memory),
            Of::Tier(Tier::Redis),
            Of::Tier(Tier::Database),
        ];
        let times = owners.map(|of| [Which::P50, Which::P99].map(|which| What::Time(of, which)));
        let others = [
            What::HitRatio,
            What::ErrorRate,
            What::StalenessP99,
            What::BeyondBound,
            What::LoadsPerCrowd,
            What::Lag(Which::P50),
            What::Lag(Which::P99),
        ];
        let all = [What::Rate].into_iter().chain(times.into_iter().flatten());
        all.chain(others).map(Self::everywhere).collect()
    }

    /// The same number of each phase.
    pub(super) const fn anywhere(&self) -> Self {
        Self::everywhere(self.what)
    }

    /// The same number of any phase.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.what == other.what
    }

    /// Whether a phase counts.
    pub(super) fn concerns(&self, phase: &str) -> bool {
        self.phase.as_deref().is_none_or(|wanted| wanted == phase)
    }

    pub(super) const fn unit(&self) -> Unit {
        match self.what {
            What::Time(..) | What::StalenessP99 | What::StalenessMax | What::Lag(_) => Unit::Time,
            What::ErrorRate | What::HitRatio => Unit::Share,
            What::Rate => Unit::Rate,
            What::BeyondBound | What::LoadsPerCrowd => Unit::Count,
        }
    }

    /// Whether more of it is better.
    pub(super) const fn is_better_when_high(&self) -> bool {
        matches!(self.what, What::HitRatio | What::Rate)
    }

    /// The number of a phase, if it has it.
    pub(super) fn of(&self, phase: &PhaseReport) -> Option<f64> {
        Some(match self.what {
            What::Time(of, which) => which.of(latency(phase, of)?),
            What::ErrorRate => phase.error_rate(),
            What::HitRatio => phase.hit_ratio?,
            What::Rate => phase.achieved_rate,
            What::StalenessP99 => phase.staleness?.replaced_p99_ms * 1e3,
            What::StalenessMax => phase.staleness?.max_ms * 1e3,
            What::BeyondBound => real(phase.staleness?.beyond_bound),
            What::Lag(which) => {
                let lag = phase.lag.filter(|lag| lag.seen > 0)?;
                let millis = match which {
                    Which::P50 => lag.p50_ms,
                    Which::P99 => lag.p99_ms,
                    Which::Mean | Which::P90 | Which::P999 | Which::Max => lag.max_ms,
                };
                millis * 1e3
            }
            What::LoadsPerCrowd => {
                let crowd = phase.crowd?;
                real(crowd.loaded_keys?) / real(crowd.crowds.max(1))
            }
        })
    }
}

fn latency(phase: &PhaseReport, of: Of) -> Option<&Latency> {
    match of {
        Of::All => (phase.operations > 0).then(|| phase.noticed()),
        Of::LookUps => {
            let kinds = phase.kinds.iter().filter(|it| it.kind.is_look_up());
            let times = kinds.map(|it| &it.noticed);
            times.max_by(|one, other| one.p99.total_cmp(&other.p99))
        }
        Of::Kind(kind) => {
            let report = phase.kinds.iter().find(|it| it.kind == kind);
            report.map(|it| &it.noticed)
        }
        Of::Tier(tier) => {
            let is_it = (Kind::Read, tier, State::Current);
            let mut classes = phase.classes.iter();
            let report = classes.find(|it| (it.kind, it.tier, it.state) == is_it);
            report.map(|it| &it.service)
        }
    }
}

impl Which {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Mean, "mean"),
        (Self::P50, "p50"),
        (Self::P90, "p90"),
        (Self::P99, "p99"),
        (Self::P999, "p999"),
        (Self::Max, "max"),
    ];

    const fn of(self, latency: &Latency) -> f64 {
        match self {
            Self::Mean => latency.mean,
            Self::P50 => latency.p50,
            Self::P90 => latency.p90,
            Self::P99 => latency.p99,
            Self::P999 => latency.p999,
            Self::Max => latency.max,
        }
    }
}

const OWNERS: [(Of, &str); 11] = [
    (Of::LookUps, "lookup"),
    (Of::Kind(Kind::Read), "read"),
    // As most tools call it; the first name is the one that is written.
    (Of::Kind(Kind::Read), "get"),
    (Of::Kind(Kind::Absent), "absent"),
    (Of::Kind(Kind::Batch), "batch"),
    (Of::Kind(Kind::Write), "write"),
    (Of::Kind(Kind::Import), "import"),
    (Of::Tier(Tier::Memory), "memory"),
    (Of::Tier(Tier::Redis), "redis"),
    (Of::Tier(Tier::Database), "database"),
    (Of::All, ""),
];

const OTHERS: [(What, &str); 10] = [
    (What::ErrorRate, "error_rate"),
    (What::HitRatio, "hit_ratio"),
    (What::Rate, "rate"),
    (What::StalenessP99, "staleness.p99"),
    (What::StalenessMax, "staleness.max"),
    (What::BeyondBound, "beyond_bound"),
    (What::LoadsPerCrowd, "loads_per_crowd"),
    (What::Lag(Which::P50), "lag.p50"),
    (What::Lag(Which::P99), "lag.p99"),
    (What::Lag(Which::Max), "lag.max"),
];

impl FromStr for What {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some((what, _)) = OTHERS.iter().find(|(_, name)| *name == text) {
            return Ok(*what);
        }
        let (owner, which) = text.rsplit_once('.').unwrap_or(("", text));
        let owner = OWNERS.iter().find(|(_, name)| *name == owner).ok_or(())?;
        let which = Which::ALL
            .iter()
            .find(|(_, name)| *name == which)
            .ok_or(())?;
        Ok(Self::Time(owner.0, which.0))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Time(of, which) = self else {
            let name = OTHERS.iter().find(|(what, _)| what == self);
            return f.write_str(name.map_or("", |(_, name)| name));
        };
        let owner = OWNERS.iter().find(|(owner, _)| owner == of);
        let owner = owner.map_or("", |(_, name)| name);
        let which = Which::ALL.iter().find(|(known, _)| known == which);
        let which = which.map_or("", |(_, name)| name);
        if owner.is_empty() {
            f.write_str(which)
        } else {
            write!(f, "{owner}.{which}")
        }
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (phase, name) = match text.rsplit_once(':') {
            Some((phase, name)) => (Some(phase.trim().to_owned()), name.trim()),
            None => (None, text),
        };
        let what = name.parse();
        let what = what.map_err(|()| format!("there is no number {name:?}; expected {NAMES}"))?;
        Ok(Self { phase, what })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.phase {
            Some(phase) => write!(f, "{phase}:{}", self.what),
            None => self.what.fmt(f),
        }
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staleness_is_that_of_what_had_been_replaced() {
        let mut report = super::super::samples::report();
        let phase = &mut report.subjects[0].runs[0].phases[0];
        let p99: Metric = "staleness.p99".parse().unwrap();
        // 12 of 9,500 had been replaced: of all that were judged it would be zero.
        assert_eq!(p99.of(phase), Some(40_000.0));
        phase.staleness = None;
        assert_eq!(p99.of(phase), None);
    }

    #[test]
    fn a_number_is_written_as_it_is_read() {
        for text in [
            "p99",
            "read.p999",
            "write.max",
            "redis.p50",
            "hit_ratio",
            "rate",
            "staleness.p99",
            "black hole:error_rate",
            "sale:read.mean",
            "lookup.p99",
            "crowd:loads_per_crowd",
            "watched:lag.p99",
        ] {
            assert_eq!(text.parse::<Metric>().unwrap().to_string(), text);
        }
        assert_eq!("get.p99".parse::<Metric>().unwrap().to_string(), "read.p99");
        for text in ["", "p98", "reads.p99", "redis", "p99.read"] {
            let error = text.parse::<Metric>().unwrap_err();
            assert!(error.contains("expected p50, p90"), "{error}");
        }
    }
}
