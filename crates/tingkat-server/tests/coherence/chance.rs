//! The chances of a workload: repeatable by their seed.

use std::time::Duration;

use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::history::Key;
use crate::store::{KEYS, WRITTEN};

/// How unequally keys are wanted.
const ZIPF_EXPONENT: i32 = 11;

/// One writer's or reader's chances.
pub(crate) struct Chance {
    random: StdRng,
    zipf: WeightedIndex<f64>,
}

impl Chance {
    /// The chances of the one with this name in the run with this seed.
    pub(crate) fn of(seed: u64, name: u64) -> Self {
        let weight = |rank: u32| f64::from(rank).powf(-f64::from(ZIPF_EXPONENT) / 10.0);
        let ranks = 1..=u32::try_from(KEYS).unwrap();
        Self {
            random: StdRng::seed_from_u64(seed ^ (name << 32)),
            zipf: WeightedIndex::new(ranks.map(weight)).unwrap(),
        }
    }

    /// A key: the first ones far more often than the last ones.
    pub(crate) fn key(&mut self) -> Key {
        self.zipf.sample(&mut self.random)
    }

    /// The same, of those that writers may write.
    pub(crate) fn written_key(&mut self) -> Key {
        self.key().min(WRITTEN - 1)
    }

    /// One of those, each as often as any other.
    pub(crate) fn any_written_key(&mut self) -> Key {
        self.random.random_range(0..WRITTEN)
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.random.random_range(0..most)
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.random.random_ratio(1, times)
    }

    /// Something from nothing up to `most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.random())
    }
}
