//! One number for the cache, and the grade that follows from it.
//!
//! The score is the mean of what is known, by groups with weights, and at most what the worst check
//! leaves of it. Whatever gets worse can only lower it, and nothing moves it by a leap: a check costs
//! more the further it is past its warning.

use serde::Serialize;

use crate::check::{Check, Group, ONE_CRITICAL, Status};
use crate::checks::weight_of;

/// With less than this share of the weights known there is no grade.
const ENOUGH: f64 = 0.5;

/// What is left while two checks are critical.
const TWO_CRITICAL: u32 = 59;

/// How good a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Grade {
    /// Below 60.
    F,
    /// From 60.
    D,
    /// From 70.
    C,
    /// From 80.
    B,
    /// From 90.
    A,
}

impl Grade {
    /// The grade of a score; of nothing else.
    pub fn of(score: f64) -> Self {
        match score {
            90.0.. => Self::A,
            80.0.. => Self::B,
            70.0.. => Self::C,
            60.0.. => Self::D,
            _ => Self::F,
        }
    }

    /// The letter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::F => "F",
        }
    }
}

/// How the cache is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// From 0 to 100; nothing while too little is known.
    pub score: Option<f64>,
    /// Its grade.
    pub grade: Option<Grade>,
    /// The share of the weights that is known.
    pub coverage: f64,
}

/// What one check brings to the score.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What the check is about.
    pub group: Group,
    /// How much it counts there.
    pub weight: u32,
    /// What it says.
    pub status: Status,
    /// From 0 to 100.
    pub points: f64,
    /// What the whole score is at most with 0 of them.
    pub most: u32,
    /// Of what it is about, the share that it could look at: of three servers two.
    pub share: f64,
}

impl Part {
    /// What a check brings, with these points.
    pub(crate) fn of(check: &Check, weight: u32, status: Status, points: f64) -> Self {
        Self {
            group: check.group,
            weight,
            status,
            points,
            most: check.most,
            share: 1.0,
        }
    }

    pub(crate) const fn is_known(&self) -> bool {
        matches!(self.status, Status::Ok | Status::Warning | Status::Critical)
    }

    /// Whether it stands above everything else, so that nothing else needs to be known: a cluster that
    /// calls itself down is no better for what nobody can ask it.
    const fn is_plain(&self) -> bool {
        match self.most {
            0 => self.status.is_bad(),
            most => most < ONE_CRITICAL && matches!(self.status, Status::Critical),
        }
    }

    /// What is missing of its points, as a share.
    fn lost(&self) -> f64 {
        (1.0 - self.points / 100.0).clamp(0.0, 1.0)
    }
}

/// The score of these parts.
pub fn score(parts: &[Part], is_several: bool) -> Score {
    let counted: Vec<Part> = parts
        .iter()
        .copied()
        .filter(|part| part.weight > 0 && part.status != Status::Skipped)
        .collect();
    let (mut points, mut known, mut all) = (0.0, 0.0, 0.0);
    for group in GROUPS {
        let weight = f64::from(weight_of(group, is_several));
        let here = || counted.iter().filter(move |part| part.group == group);
        let sum = |parts: &mut dyn Iterator<Item = &Part>| -> f64 {
            parts.map(|part| f64::from(part.weight)).sum()
        };
        let whole = sum(&mut here());
        if whole == 0.0 {
            continue;
        }
        all += weight;
        let told = sum(&mut here().filter(|part| part.is_known()));
        if told == 0.0 {
            continue;
        }
        let earned: f64 = here()
            .filter(|part| part.is_known())
            .map(|part| f64::from(part.weight) * part.points)
            .sum();
        // By what it counts as a whole: a group of which little is known sways as much.
        points += weight * earned / told;
        known += weight;
    }
    let coverage = if all > 0.0 {
        covered(&counted, is_several) / all
    } else {
        0.0
    };
    let told: Vec<Part> = counted.into_iter().filter(Part::is_known).collect();
    let is_plain = told.iter().any(Part::is_plain);
    if known == 0.0 || (coverage < ENOUGH && !is_plain) {
        return Score {
            score: None,
            grade: None,
            coverage,
        };
    }
    let score = (points / known).min(most(&told)).clamp(0.0, 100.0);
    Score {
        score: Some(score),
        grade: Some(Grade::of(score)),
        coverage,
    }
}

const GROUPS: [Group; 8] = [
    Group::Availability,
    Group::Latency,
    Group::Memory,
    Group::Effect,
    Group::Connections,
    Group::Errors,
    Group::Replication,
    Group::Persistence,
];

/// The weights of groups, each by the share of it that is known.
fn covered(counted: &[Part], is_several: bool) -> f64 {
    let shares = GROUPS.iter().map(|&group| {
        let here = || counted.iter().filter(move |part| part.group == group);
        let whole: f64 = here().map(|part| f64::from(part.weight)).sum();
        let known: f64 = here()
            .filter(|part| part.is_known())
            .map(|part| f64::from(part.weight) * part.share)
            .sum();
        if whole == 0.0 {
            0.0
        } else {
            f64::from(weight_of(group, is_several)) * known / whole
        }
    });
    shares.sum()
}

/// What the worst checks leave: one that is critical its own most, a second one ten points less.
fn most(told: &[Part]) -> f64 {
    let own = told
        .iter()
        .map(|part| 100.0 - (100.0 - f64::from(part.most)) * part.lost());
    let least = own.fold(100.0, f64::min);
    let mut lost: Vec<f64> = told.iter().map(Part::lost).collect();
    lost.sort_by(|one, two| two.total_cmp(one));
    let second = lost.get(1).copied().unwrap_or(0.0);
    (least - f64::from(ONE_CRITICAL - TWO_CRITICAL) * second).max(0.0)
}
