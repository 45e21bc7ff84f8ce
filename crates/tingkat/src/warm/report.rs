//! What a run did. It says that it succeeded only if every key is where it belongs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cause, Checked, Warmed};

/// Malformed keys that are shown as examples.
const EXAMPLES: usize = 3;

/// Characters of one that are shown.
const SHOWN: usize = 60;

/// How a run stands or ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It goes on.
    #[default]
    Running,
    /// It went through all keys.
    Completed,
    /// Its time was over.
    TimedOut,
    /// It had loaded as many bytes as it may.
    BytesReached,
    /// Somebody stopped it.
    Cancelled,
    /// The node stopped.
    ShutDown,
    /// It broke off by a mistake in the program.
    Broken,
}

impl End {
    /// In a few words, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "under way",
            Self::Completed => "completed",
            Self::TimedOut => "ended by its time limit",
            Self::BytesReached => "ended by its limit of bytes",
            Self::Cancelled => "cancelled",
            Self::ShutDown => "ended as the node stops",
            Self::Broken => "broken off by a mistake in the program",
        }
    }
}

/// What a run did so far, or in the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it stands or ended.
    pub end: End,
    /// Every key that is wanted is in redis, or in memory if it belongs there alone, nothing is left, and
    /// nothing that was checked differs. Keys that memory had no room for are told and are no failure: it
    /// has the most wanted. Of a run that only looked: that all are warm.
    pub success: bool,
    /// Nothing was loaded: it was only looked what is warm.
    pub dry_run: bool,
    /// How long it took.
    pub seconds: f64,
    /// The entities, in the order of the plan.
    pub entities: Vec<EntityReport>,
}

/// What a run did for one entity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntityReport {
    /// Its name.
    pub entity: String,
    /// Keys to be warm, each once.
    pub wanted: usize,
    /// Nobody ranks its keys, so that none is wanted: no activity counts for it, and no look-ups are known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unranked: bool,
    /// Keys that were named again.
    pub duplicates: usize,
    /// Texts that are no keys of the entity.
    pub malformed: usize,
    /// Some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malformed_examples: Vec<String>,
    /// Keys that a tier had already.
    pub already_warm: AlreadyWarm,
    /// Keys that were loaded from the source.
    pub loaded: usize,
    /// Of those, keys of which there is no such thing.
    pub absent: usize,
    /// Keys that the memory tier has and redis, where they belong as well, is not known to have.
    pub not_in_redis: usize,
    /// Keys that redis has and the memory of this node, where they belong as well, had no room for.
    pub not_in_memory: usize,
    /// Keys that are in no tier, by reason.
    pub failed: Vec<FailureCount>,
    /// Keys that were not tried.
    pub left: usize,
    /// Why not, if it was not the end of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Bytes that were loaded or copied.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// What came of comparing some of the keys with the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<CheckCount>,
}

/// Keys by the tier that had them already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlreadyWarm {
    /// Of this node.
    pub memory: usize,
    /// Of all nodes.
    pub redis: usize,
}

/// Keys that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCount {
    /// The reason.
    pub reason: String,
    /// How many.
    pub keys: usize,
}

/// Why an entity was left before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// There is no such entity.
    UnknownEntity,
    /// It is not answered from the tiers at the moment.
    NotCached,
    /// It could not be told what is wanted.
    NoOrder,
    /// Nothing but failures came of it.
    Failing,
    /// It is kept in memory alone, which is full.
    MemoryFull,
    /// Of many keys in a row there is no such thing.
    NothingThere,
}

impl Stopped {
    /// In a few words, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownEntity => "there is no such entity",
            Self::NotCached => "it is not answered from the tiers",
            Self::NoOrder => "it could not be told which keys are wanted",
            Self::Failing => "given up after failures in a row",
            Self::MemoryFull => "memory is full",
            Self::NothingThere => "given up after 1000 keys in a row that the source does not know",
        }
    }
}

/// What came of comparing keys with the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCount {
    /// Every tier that has it has the same.
    pub same: usize,
    /// A tier would answer otherwise.
    pub different: usize,
    /// No tier had it any more.
    pub missing: usize,
    /// The source did not say, or was not asked any more.
    pub unknown: usize,
}

impl Report {
    /// Says how it ended, and whether it did what it should.
    pub(super) fn conclude(&mut self, end: End, took: Duration) {
        self.end = end;
        self.seconds = took.as_secs_f64();
        self.success =
            end == End::Completed && self.entities.iter().all(EntityReport::is_as_it_should);
    }

    /// Adds what a later run did with other keys, as if both were one.
    pub fn add(&mut self, other: &Self) {
        for entity in &other.entities {
            match self
                .entities
                .iter_mut()
                .find(|it| it.entity == entity.entity)
            {
                Some(known) => known.add(entity),
                None => self.entities.push(entity.clone()),
            }
        }
        self.end = other.end;
        self.seconds += other.seconds;
        self.success &= other.success;
    }

    /// Keys that are wanted, of all entities.
    pub fn wanted(&self) -> usize {
        self.entities.iter().map(|entity| entity.wanted).sum()
    }

    /// Keys that are done with, whatever became of them.
    pub fn done(&self) -> usize {
        let done = |entity: &EntityReport| entity.wanted - entity.left.min(entity.wanted);
        self.entities.iter().map(done).sum()
    }

    /// Keys that failed.
    pub fn failed(&self) -> usize {
        self.entities.iter().map(EntityReport::failures).sum()
    }

    /// Keys that memory had no room for.
    pub fn not_in_memory(&self) -> usize {
        self.entities
            .iter()
            .map(|entity| entity.not_in_memory)
            .sum()
    }
}

impl EntityReport {
    /// A report of an entity of which nothing was done yet.
    pub(super) fn new(entity: &str) -> Self {
        Self {
            entity: entity.to_owned(),
            ..Self::default()
        }
    }

    /// Keys that failed.
    pub fn failures(&self) -> usize {
        self.failed.iter().map(|failed| failed.keys).sum()
    }

    fn is_as_it_should(&self) -> bool {
        let is_right = |checked: &CheckCount| {
            checked.different == 0 && checked.missing == 0 && checked.unknown == 0
        };
        self.stopped.is_none()
            && self.left == 0
            && self.not_in_redis == 0
            // A file of nothing but rubbish is not done with.
            && (self.wanted > 0 || self.malformed == 0)
            && self.failed.is_empty()
            && self.checked.as_ref().is_none_or(is_right)
    }

    /// A text that is no key. It comes from data, and is shown cut short.
    pub(super) fn is_malformed(&mut self, text: &str) {
        self.malformed += 1;
        if self.malformed_examples.len() < EXAMPLES {
            let shown = text.chars().take(SHOWN);
            let plain = shown.map(|c| if c.is_control() { '\u{fffd}' } else { c });
            self.malformed_examples.push(plain.collect());
        }
    }

    /// Takes in what became of keys; the bytes that were loaded.
    pub(super) fn take_in(&mut self, outcomes: &[Warmed]) -> u64 {
        let before = self.bytes;
        let mut failures: BTreeMap<Cause, usize> = BTreeMap::new();
        self.left = self.left.saturating_sub(outcomes.len());
        for outcome in outcomes {
            match *outcome {
                Warmed::Memory { is_everywhere } => {
                    self.already_warm.memory += 1;
                    self.not_in_redis += usize::from(!is_everywhere);
                }
                Warmed::Remote { lacks_memory } => {
                    self.already_warm.redis += 1;
                    self.not_in_memory += usize::from(lacks_memory);
                }
                Warmed::Copied { bytes } => {
                    self.already_warm.memory += 1;
                    self.bytes += bytes as u64;
                }
                Warmed::Loaded {
                    bytes,
                    is_absent,
                    is_everywhere,
                    lacks_memory,
                } => {
                    self.loaded += 1;
                    self.bytes += bytes as u64;
                    self.absent += usize::from(is_absent);
                    self.not_in_redis += usize::from(!is_everywhere);
                    self.not_in_memory += usize::from(lacks_memory);
                }
                Warmed::Cold => self.left += 1,
                Warmed::Failed(cause) => *failures.entry(cause).or_default() += 1,
            }
        }
        for (cause, keys) in failures {
            self.add_failures(cause.name(), keys);
        }
        self.bytes - before
    }

    fn add_failures(&mut self, reason: &str, keys: usize) {
        match self.failed.iter_mut().find(|it| it.reason == reason) {
            Some(known) => known.keys += keys,
            None => self.failed.push(FailureCount {
                reason: reason.to_owned(),
                keys,
            }),
        }
    }

    /// Adds what a later run did with other keys.
    fn add(&mut self, other: &Self) {
        self.wanted += other.wanted;
        self.duplicates += other.duplicates;
        self.malformed += other.malformed;
        let examples = other.malformed_examples.iter().cloned();
        let room = EXAMPLES.saturating_sub(self.malformed_examples.len());
        self.malformed_examples.extend(examples.take(room));
        self.already_warm.memory += other.already_warm.memory;
        self.already_warm.redis += other.already_warm.redis;
        self.loaded += other.loaded;
        self.absent += other.absent;
        self.not_in_redis += other.not_in_redis;
        self.not_in_memory += other.not_in_memory;
        for failed in &other.failed {
            self.add_failures(&failed.reason, failed.keys);
        }
        self.left += other.left;
        self.stopped = self.stopped.or(other.stopped);
        self.bytes += other.bytes;
        self.seconds += other.seconds;
        if let Some(checked) = &other.checked {
            let count = self.checked.get_or_insert_default();
            count.same += checked.same;
            count.different += checked.different;
            count.missing += checked.missing;
            count.unknown += checked.unknown;
        }
    }

    /// Takes in what came of a comparison.
    pub(super) fn take_in_checks(&mut self, checks: &[Checked]) {
        let count = self.checked.get_or_insert_default();
        for check in checks {
            let place = match check {
                Checked::Same => &mut count.same,
                Checked::Different => &mut count.different,
                Checked::Missing => &mut count.missing,
                Checked::Unknown => &mut count.unknown,
            };
            *place += 1;
        }
    }
}
