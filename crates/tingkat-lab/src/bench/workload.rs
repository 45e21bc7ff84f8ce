//! What is done to a subject: plain TOML, of which some are built in.

mod check;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::span;
use super::subject::{Start, Way};

/// The most keys that are used; more only fill memory.
pub const MOST_KEYS: usize = 1_000_000;

/// The longest run, warm-up included.
pub const LONGEST: Duration = Duration::from_hours(1);

/// The most operations under way at the same time.
pub const MOST_UNDER_WAY: usize = 10_000;

/// The highest rate that can be asked for.
pub const HIGHEST_RATE: f64 = 10_000_000.0;

/// The most operations that are timed together.
pub const MOST_TOGETHER: usize = 1_000;

/// The built-in workloads by name.
pub const PRESETS: &[(&str, &str)] = &[
    ("tiers", include_str!("workloads/tiers.toml")),
    ("product-read", include_str!("workloads/product-read.toml")),
    (
        "product-batch",
        include_str!("workloads/product-batch.toml"),
    ),
    (
        "product-write",
        include_str!("workloads/product-write.toml"),
    ),
    ("postcode", include_str!("workloads/postcode.toml")),
    ("sweep", include_str!("workloads/sweep.toml")),
    (
        "memory-pressure",
        include_str!("workloads/memory-pressure.toml"),
    ),
    ("flash-sale", include_str!("workloads/flash-sale.toml")),
    (
        "catalog-crawl",
        include_str!("workloads/catalog-crawl.toml"),
    ),
    ("cold-start", include_str!("workloads/cold-start.toml")),
    ("stampede", include_str!("workloads/stampede.toml")),
    ("redis-outage", include_str!("workloads/redis-outage.toml")),
    ("lag", include_str!("workloads/lag.toml")),
    ("import", include_str!("workloads/import.toml")),
    ("trace", include_str!("workloads/trace.toml")),
];

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What it is called.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// What is looked up.
    pub entity: Entity,
    /// How long all phases take together.
    #[serde(with = "span::field")]
    pub duration: Duration,
    /// The same before the first phase, not counted.
    #[serde(with = "span::field")]
    pub warm_up: Duration,
    /// Each phase ends after so many operations, if its time is not over before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<usize>,
    /// Operations a second, sent whether or not earlier ones were answered; without it, each of
    /// `concurrency` callers sends the next one when the last was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How many callers there are without a rate.
    pub concurrency: usize,
    /// How much memory the entity may take, where that is not as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Which keys.
    pub keys: Keys,
    /// How often what.
    pub mix: Mix,
    /// What is good enough.
    #[serde(default)]
    pub objective: Objective,
    /// One after the other; at least one.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// Products by id.
    Product,
    /// Postcodes.
    Postcode,
}

impl Entity {
    /// What the service calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Postcode => "postcode",
        }
    }
}

/// Which keys are used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// How they are picked.
    pub law: Law,
    /// The exponent of Zipf's law: 0 is uniform, 0.99 what most benchmarks use.
    #[serde(default = "usual_exponent")]
    pub exponent: f64,
    /// At most so many of those that the subject has.
    pub most: usize,
}

const fn usual_exponent() -> f64 {
    0.99
}

/// How keys are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// A few often, most seldom; which ones is drawn by the seed.
    Zipf,
    /// All alike.
    Uniform,
    /// One after the other, as a crawler does.
    Sequence,
    /// As a trace says, which is given beside the workload.
    Trace,
}

/// How often what is done; only how the numbers compare matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Look-ups of one key.
    pub read: f64,
    /// Look-ups of a key that does not exist.
    pub absent: f64,
    /// Look-ups of many keys.
    pub batch: f64,
    /// Writes of one key.
    pub write: f64,
    /// How many keys a batch has.
    pub batch_keys: usize,
    /// Writes of many keys by one statement each, which go through the catalogue in its order.
    #[serde(skip_serializing_if = "is_zero")]
    pub import: f64,
    /// How many keys such a statement writes.
    #[serde(skip_serializing_if = "is_usual_import")]
    pub import_keys: usize,
}

const USUAL_IMPORT: usize = 100;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(share: &f64) -> bool {
    *share <= 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_usual_import(keys: &usize) -> bool {
    *keys == USUAL_IMPORT
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            read: 0.0,
            absent: 0.0,
            batch: 0.0,
            write: 0.0,
            batch_keys: 20,
            import: 0.0,
            import_keys: USUAL_IMPORT,
        }
    }
}

/// What is good enough; grades are made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// The least share of look-ups that a tier answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_ratio: Option<f64>,
    /// The longest that 99 of 100 look-ups may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// The largest share of operations without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// The most loads for a key that a crowd asks for at the same moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loads_per_crowd: Option<f64>,
    /// The most answers that are older than promised, and not marked stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond_bound: Option<f64>,
}

/// A part of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What it is called.
    pub name: String,
    /// How much of the duration it takes, beside the other phases.
    #[serde(default = "one")]
    pub share: f64,
    /// What the tiers have when it begins.
    #[serde(default)]
    pub start: Start,
    /// Which tiers may answer.
    #[serde(default)]
    pub way: Way,
    /// The rate is multiplied by this.
    #[serde(default = "one")]
    pub rate_factor: f64,
    /// Another number of callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// Another exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<f64>,
    /// This share of the operations is for one key, which is the same in every run.
    #[serde(default)]
    pub hot: f64,
    /// Another mix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// So many operations lie between two looks at the clock, and each is said to have taken the mean:
    /// for answers that take less than looking. Only without a rate, and where nothing is written.
    #[serde(default = "alone", skip_serializing_if = "is_alone")]
    pub timed_together: usize,
    /// Every key is asked for once, or the trace is gone through once; the phase ends with that, if
    /// its time is not over before.
    #[serde(default, skip_serializing_if = "is_not")]
    pub once: bool,
    /// What is wrong with Redis.
    #[serde(default)]
    pub redis: Fault,
    /// One key after the other is written, and looked up until the write is seen.
    #[serde(default, skip_serializing_if = "is_not")]
    pub lag: bool,
    /// So many callers ask for one key that nobody has asked for, all at once, again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<usize>,
}

const fn one() -> f64 {
    1.0
}

const fn alone() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_not(it: &bool) -> bool {
    !*it
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_alone(operations: &usize) -> bool {
    *operations == 1
}

/// What is wrong with Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each answer comes 20 ms late.
    Slow,
    /// Nothing moves and nothing closes.
    BlackHole,
    /// Connections are refused.
    Refused,
}

/// Why a workload can not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WorkloadError(String);

impl WorkloadError {
    pub(super) fn no_phase() -> Self {
        Self("phase: expected at least one".to_owned())
    }
}

impl Workload {
    /// The built-in one of a name.
    ///
    /// # Errors
    /// There is none; the text names them all.
    pub fn preset(name: &str) -> Result<Self, WorkloadError> {
        Self::read(preset_text(name)?)
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn read(text: &str) -> Result<Self, WorkloadError> {
        let workload: Self =
            toml::from_str(text).map_err(|error| WorkloadError(error.to_string()))?;
        workload.check()?;
        Ok(workload)
    }

    /// Whether it changes what is in the store.
    pub fn writes(&self) -> bool {
        if self.phases.iter().any(|phase| phase.lag) {
            return true;
        }
        let mixes = self.phases.iter().map(|phase| phase.mix(self));
        mixes
            .into_iter()
            .any(|mix| mix.write > 0.0 || mix.import > 0.0)
    }

    /// Whether something is wrong with Redis in one of its phases.
    pub fn breaks_redis(&self) -> bool {
        self.phases.iter().any(|phase| phase.redis != Fault::None)
    }

    /// How many callers a phase has without a rate.
    pub fn callers_of(&self, phase: &Phase) -> usize {
        phase.concurrency.unwrap_or(self.concurrency)
    }

    /// How long a phase takes.
    pub fn duration_of(&self, phase: &Phase) -> Duration {
        let all: f64 = self.phases.iter().map(|phase| phase.share).sum();
        self.duration.mul_f64(phase.share / all)
    }
}

/// The text of a built-in workload.
///
/// # Errors
/// There is none of that name; the text names them all.
pub fn preset_text(name: &str) -> Result<&'static str, WorkloadError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        WorkloadError(format!(
            "there is no workload {name:?}; expected one of {}, or --workload with a file",
            names.join(", ")
        ))
    })
}

impl Phase {
    /// What is done in it.
    pub fn mix<'a>(&'a self, workload: &'a Workload) -> &'a Mix {
        self.mix.as_ref().unwrap_or(&workload.mix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_run_and_has_its_own_name() {
        for (name, text) in PRESETS {
            let workload = Workload::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(workload.name, *name);
            let written = toml::to_string(&workload).unwrap();
            assert_eq!(Workload::read(&written).unwrap(), workload, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_would_be_right() {
        let (_, text) = PRESETS[1];
        for (from, to, words) in [
            (
                "exponent = 0.99",
                "exponent = 9",
                "keys.exponent: expected 0 to 5",
            ),
            ("duration = \"10s\"", "duration = \"2h\"", "at most an hour"),
            (
                "duration = \"10s\"",
                "duration = \"soon\"",
                "expected something like 10s",
            ),
            ("read = 95", "reads = 95", "unknown field `reads`"),
            (
                "read = 95\nwrite = 5",
                "",
                "of which one at least is above 0",
            ),
            (
                "entity = \"product\"",
                "entity = \"basket\"",
                "unknown variant `basket`",
            ),
            (
                "hit_ratio = 0.6",
                "hit_ratio = 60",
                "objective.hit_ratio: expected a share from 0 to 1, not 60",
            ),
            (
                "p99_ms = 10",
                "p99_ms = 0",
                "objective.p99_ms: expected a time above 0",
            ),
            (
                "name = \"steady\"",
                "name = \"a\"\n[[phase]]\nname = \"a\"",
                "phase \"a\": expected another name",
            ),
            (
                "start = \"filled\"",
                "concurrency = 2\n[[phase]]\nname = \"crowd\"\ncrowd = 9\nconcurrency = 3",
                "phase \"crowd\": concurrency: `crowd` says",
            ),
            (
                "concurrency = 32",
                "concurrency = 0",
                "concurrency: expected 1 to 10000",
            ),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Workload::read(&text.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(error.contains(words), "{to}: {error}");
        }
        let error = preset_text("coffee").unwrap_err().to_string();
        assert!(error.contains("product-read, product-batch"), "{error}");
    }

    #[test]
    fn what_would_be_without_effect_is_refused() {
        let wrong = |name: &str, change: fn(&mut Workload)| {
            let mut workload = Workload::preset(name).unwrap();
            change(&mut workload);
            workload.check().unwrap_err().to_string()
        };
        let rate = wrong("sweep", |it| it.rate = Some(100.0));
        assert!(rate.contains("with a rate there are no callers"), "{rate}");
        let lag = wrong("lag", |it| it.rate = Some(100.0));
        assert!(lag.contains("`lag` writes one key"), "{lag}");
        let crowd = wrong("stampede", |it| it.rate = Some(100.0));
        assert!(crowd.contains("crowds come all at once"), "{crowd}");
        let few = wrong("stampede", |it| it.operations = Some(999));
        assert!(few.contains("operations: expected as many"), "{few}");
    }

    #[test]
    fn phases_share_the_duration() {
        let workload = Workload::preset("flash-sale").unwrap();
        let sum: Duration = workload
            .phases
            .iter()
            .map(|it| workload.duration_of(it))
            .sum();
        assert!(workload.duration.abs_diff(sum) < Duration::from_millis(1));
        assert!(workload.writes() && !workload.breaks_redis());
        assert!(Workload::preset("redis-outage").unwrap().breaks_redis());
    }
}
