//! Which operation comes next, and on which key: the same for the same seed.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

use super::number::{real_size, whole_size};
use super::subject::Operation;
use super::workload::{Law, Mix, Phase, Workload};

/// Keys that a trace names, in its order.
pub type Trace = Arc<[u32]>;

/// What all lanes of a run share: popularity says nothing about the place of a key.
#[derive(Clone)]
pub(super) struct Places(Arc<[u32]>);

impl Places {
    pub(super) fn new(keys: usize, seed: u64) -> Self {
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        let mut places: Vec<u32> = (0..keys).collect();
        places.shuffle(&mut StdRng::seed_from_u64(seed));
        Self(places.into())
    }

    fn key(&self, rank: usize) -> usize {
        let found = self.0.get(rank % self.0.len().max(1)).copied();
        usize::try_from(found.unwrap_or_default()).unwrap_or_default()
    }
}

/// Draws the operations of one lane in one phase.
pub(super) struct Draw {
    random: StdRng,
    places: Places,
    picks: Picks,
    mix: Mix,
    hot: f64,
    /// How many operations it has drawn.
    turn: usize,
}

enum Picks {
    Zipf(Zipf<f64>),
    Uniform,
    /// Every `step`th key, beginning with this one.
    Sequence {
        first: usize,
        step: usize,
    },
    Trace {
        trace: Trace,
        first: usize,
        step: usize,
    },
}

/// Which lane of how many it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) number: usize,
    pub(super) of: usize,
}

impl Draw {
    pub(super) fn new(
        workload: &Workload,
        phase: &Phase,
        places: &Places,
        trace: Option<&Trace>,
        lane: Lane,
        seed: u64,
    ) -> Self {
        let exponent = phase.exponent.unwrap_or(workload.keys.exponent);
        let (first, step) = (lane.number, lane.of.max(1));
        let picks = match (workload.keys.law, trace) {
            (Law::Trace, Some(trace)) => Picks::Trace {
                trace: Arc::clone(trace),
                first,
                step,
            },
            // Refused only for numbers that a workload can not have.
            (Law::Zipf, _) if exponent > 0.0 => {
                Zipf::new(real_size(places.0.len()).max(1.0), exponent)
                    .map_or(Picks::Uniform, Picks::Zipf)
            }
            (Law::Sequence, _) => Picks::Sequence { first, step },
            (Law::Zipf | Law::Uniform | Law::Trace, _) => Picks::Uniform,
        };
        let lane_seed = u64::try_from(lane.number).unwrap_or_default();
        Self {
            random: StdRng::seed_from_u64(seed.wrapping_add(lane_seed.wrapping_mul(0x9e37_79b9))),
            places: places.clone(),
            picks,
            mix: *phase.mix(workload),
            hot: phase.hot,
            turn: 0,
        }
    }

    /// The next operation.
    pub(super) fn next(&mut self) -> Operation {
        let mix = self.mix;
        let mut point = if mix.absent + mix.batch + mix.write > 0.0 {
            self.random.random::<f64>() * (mix.read + mix.absent + mix.batch + mix.write)
        } else {
            0.0
        };
        let mut falls_in = |share: f64| {
            point -= share;
            point < 0.0
        };
        if mix.write > 0.0 && falls_in(mix.write) {
            Operation::Write(self.key())
        } else if mix.batch > 0.0 && falls_in(mix.batch) {
            let keys = (0..mix.batch_keys).map(|_| self.key());
            Operation::Batch(keys.collect())
        } else if mix.absent > 0.0 && falls_in(mix.absent) {
            let key = self.key();
            Operation::Absent(key)
        } else {
            Operation::Read(self.key())
        }
    }

    fn key(&mut self) -> usize {
        let turn = self.turn;
        self.turn = turn.wrapping_add(1);
        if self.hot > 0.0 && self.random.random::<f64>() < self.hot {
            return self.places.key(0);
        }
        match &self.picks {
            Picks::Zipf(law) => {
                let rank = law.sample(&mut self.random);
                self.places.key(whole_size(rank).saturating_sub(1))
            }
            Picks::Uniform => {
                let keys = self.places.0.len().max(1);
                self.random.random_range(0..keys)
            }
            Picks::Sequence { first, step } => {
                let at = first.wrapping_add(turn.wrapping_mul(*step));
                at % self.places.0.len().max(1)
            }
            Picks::Trace { trace, first, step } => {
                let at = first.wrapping_add(turn.wrapping_mul(*step)) % trace.len().max(1);
                let id = trace.get(at).copied().unwrap_or_default();
                // Things are numbered by their first appearance, so that they spread over the keys.
                self.places.key(usize::try_from(id).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ONE: Lane = Lane { number: 0, of: 1 };

    fn draw(change: impl FnOnce(&mut Workload), trace: Option<&Trace>) -> Draw {
        let mut workload = Workload::preset("product-read").unwrap();
        change(&mut workload);
        let places = Places::new(1000, 7);
        Draw::new(&workload, &workload.phases[0], &places, trace, ONE, 7)
    }

    fn reads(mut draw: Draw, count: usize) -> Vec<usize> {
        let keys = (0..count).map(|_| match draw.next() {
            Operation::Read(key) | Operation::Absent(key) | Operation::Write(key) => key,
            Operation::Batch(_) => panic!("a batch"),
        });
        keys.collect()
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let twice = [(), ()].map(|()| reads(draw(|_| {}, None), 500));
        assert_eq!(twice[0], twice[1]);
    }

    #[test]
    fn zipf_prefers_few_keys_as_much_as_the_law_says() {
        let keys = reads(draw(|_| {}, None), 100_000);
        let mut counts = HashMap::new();
        for key in keys {
            *counts.entry(key).or_insert(0_usize) += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let top: usize = counts[..10].iter().sum();
        // The ten first of a thousand have 39 % under 0.99.
        assert!((36_000..42_000).contains(&top), "{top}");
        let places = Places::new(1000, 7);
        assert_ne!(places.key(0), 0, "popular keys are spread");
    }

    #[test]
    fn each_law_picks_its_way() {
        let sequence = reads(draw(|it| it.keys.law = Law::Sequence, None), 1002);
        assert_eq!(sequence[..3], [0, 1, 2]);
        assert_eq!(sequence[1000..], [0, 1]);
        let trace: Trace = vec![0, 1, 0].into();
        let traced = reads(draw(|it| it.keys.law = Law::Trace, Some(&trace)), 6);
        assert_eq!(traced[0], traced[2]);
        assert_ne!(traced[0], traced[1]);
        assert_eq!(traced[..3], traced[3..]);
        let uniform = reads(draw(|it| it.keys.law = Law::Uniform, None), 100_000);
        let first = uniform.iter().filter(|key| **key < 100).count();
        assert!((9_000..11_000).contains(&first), "{first}");
    }

    #[test]
    fn the_mix_and_the_hot_key_have_their_shares() {
        let mut draw = draw(
            |it| {
                it.mix = Mix {
                    read: 1.0,
                    absent: 1.0,
                    batch: 1.0,
                    write: 1.0,
                    batch_keys: 3,
                };
                it.phases[0].hot = 0.5;
            },
            None,
        );
        let hot = draw.places.key(0);
        let (mut kinds, mut hits, mut keys) = ([0; 4], 0, 0);
        for _ in 0..40_000 {
            let operation = draw.next();
            kinds[operation.kind() as usize] += 1;
            let asked = match operation {
                Operation::Read(key) | Operation::Absent(key) | Operation::Write(key) => vec![key],
                Operation::Batch(keys) => {
                    assert_eq!(keys.len(), 3);
                    keys
                }
            };
            keys += asked.len();
            hits += asked.iter().filter(|key| **key == hot).count();
        }
        assert!(
            kinds.iter().all(|count| (9_000..11_000).contains(count)),
            "{kinds:?}"
        );
        assert!(
            hits * 10 > keys * 5 && hits * 10 < keys * 7,
            "{hits} of {keys}"
        );
    }
}
