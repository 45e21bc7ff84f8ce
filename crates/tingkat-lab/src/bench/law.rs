//! Which operation comes next, and on which key: the same for the same seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

use super::number::{real_size, whole_size};
use super::subject::Operation;
use super::workload::{Law, Mix, Phase, Workload};

/// What all lanes of a phase share: where the keys are, and how much of it is done.
#[derive(Clone)]
pub(super) struct Ground {
    /// Popularity says nothing about the place of a key.
    places: Arc<[u32]>,
    /// Keys in the order of a trace.
    replay: Option<Arc<[u32]>>,
    /// Nothing where the phase ends by time alone.
    operations: Option<Arc<Turns>>,
    /// Turns of keys that go round over all lanes; nothing where each lane draws its own.
    keys: Option<Arc<Turns>>,
    /// Parts of the catalogue that were imported, which goes round.
    imports: Arc<Turns>,
}

/// Turns that lanes take from one another.
struct Turns {
    taken: AtomicUsize,
    most: usize,
}

impl Turns {
    fn of(most: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            most,
        })
    }

    /// The next one, unless all were taken.
    fn next(&self) -> Option<usize> {
        // Nothing else is read by it.
        let turn = self.taken.fetch_add(1, Ordering::Relaxed);
        (turn < self.most).then_some(turn)
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed).min(self.most)
    }
}

impl Ground {
    /// So many keys, and a trace if there is one.
    pub(super) fn new(
        workload: &Workload,
        phase: &Phase,
        keys: usize,
        replay: Option<&Arc<[u32]>>,
        seed: u64,
    ) -> Self {
        let count = u32::try_from(keys).unwrap_or(u32::MAX);
        let mut places: Vec<u32> = (0..count).collect();
        places.shuffle(&mut StdRng::seed_from_u64(seed));
        let replay = replay.filter(|_| workload.keys.law == Law::Trace).cloned();
        let once = replay.as_ref().map_or(keys, |replay| replay.len());
        let most_keys = if phase.once { once } else { usize::MAX };
        Self {
            places: places.into(),
            keys: (phase.once || replay.is_some()).then(|| Turns::of(most_keys)),
            operations: workload.operations.map(Turns::of),
            imports: Turns::of(usize::MAX),
            replay,
        }
    }

    /// Whether nothing is left to be done, by its count and not by time.
    pub(super) fn is_done(&self) -> bool {
        self.done() >= 1.0
    }

    /// The share that is done, where it ends by a count.
    pub(super) fn done(&self) -> f64 {
        let counts = [&self.operations, &self.keys].into_iter().flatten();
        let shares = counts
            .filter(|turns| turns.most < usize::MAX)
            .map(|turns| real_size(turns.taken()) / real_size(turns.most.max(1)));
        shares.fold(0.0, f64::max)
    }

    /// How often the trace was gone through.
    pub(super) fn laps(&self) -> Option<f64> {
        let (replay, keys) = self.replay.as_ref().zip(self.keys.as_ref())?;
        Some(real_size(keys.taken()) / real_size(replay.len().max(1)))
    }

    fn key(&self, rank: usize) -> usize {
        let found = self.places.get(rank % self.places.len().max(1)).copied();
        usize::try_from(found.unwrap_or_default()).unwrap_or_default()
    }
}

/// Draws the operations of one lane in one phase.
pub(super) struct Draw {
    random: StdRng,
    ground: Ground,
    picks: Picks,
    mix: Mix,
    hot: f64,
    /// How many keys it has drawn.
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
    /// Each key once, in this order.
    Once(Law),
    Trace(Arc<[u32]>),
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
        ground: &Ground,
        lane: Lane,
        seed: u64,
    ) -> Self {
        let exponent = phase.exponent.unwrap_or(workload.keys.exponent);
        let (first, step) = (lane.number, lane.of.max(1));
        let picks = match (workload.keys.law, &ground.replay) {
            (Law::Trace, Some(replay)) => Picks::Trace(Arc::clone(replay)),
            (law, _) if phase.once => Picks::Once(law),
            // Refused only for numbers that a workload can not have.
            (Law::Zipf, _) if exponent > 0.0 => {
                Zipf::new(real_size(ground.places.len()).max(1.0), exponent)
                    .map_or(Picks::Uniform, Picks::Zipf)
            }
            (Law::Sequence, _) => Picks::Sequence { first, step },
            (Law::Zipf | Law::Uniform | Law::Trace, _) => Picks::Uniform,
        };
        let lane_seed = u64::try_from(lane.number).unwrap_or_default();
        Self {
            random: StdRng::seed_from_u64(seed.wrapping_add(lane_seed.wrapping_mul(0x9e37_79b9))),
            ground: ground.clone(),
            picks,
            mix: *phase.mix(workload),
            hot: phase.hot,
            turn: 0,
        }
    }

    /// The next operation; nothing when the phase has no more of them.
    pub(super) fn next(&mut self) -> Option<Operation> {
        if let Some(operations) = &self.ground.operations {
            operations.next()?;
        }
        let mix = self.mix;
        let others = mix.absent + mix.batch + mix.write + mix.import;
        let mut point = if others > 0.0 {
            self.random.random::<f64>() * (mix.read + others)
        } else {
            0.0
        };
        let mut falls_in = |share: f64| {
            point -= share;
            point < 0.0
        };
        Some(if mix.write > 0.0 && falls_in(mix.write) {
            Operation::Write(self.key()?)
        } else if mix.import > 0.0 && falls_in(mix.import) {
            self.import()?
        } else if mix.batch > 0.0 && falls_in(mix.batch) {
            let keys = (0..mix.batch_keys).map_while(|_| self.key());
            let keys: Vec<usize> = keys.collect();
            if keys.is_empty() {
                return None;
            }
            Operation::Batch(keys)
        } else if mix.absent > 0.0 && falls_in(mix.absent) {
            Operation::Absent(self.key()?)
        } else {
            Operation::Read(self.key()?)
        })
    }

    /// The next part of the catalogue, in its order, as an import goes through it.
    fn import(&self) -> Option<Operation> {
        let keys = self.ground.places.len();
        let most = self.mix.import_keys.min(keys);
        let first = self.ground.imports.next()?.wrapping_mul(most);
        let part = (0..most).map(|place| first.wrapping_add(place) % keys);
        Some(Operation::Import(part.collect()))
    }

    fn key(&mut self) -> Option<usize> {
        let turn = match &self.ground.keys {
            Some(keys) => keys.next()?,
            None => self.turn,
        };
        self.turn = self.turn.wrapping_add(1);
        if self.hot > 0.0 && self.random.random::<f64>() < self.hot {
            return Some(self.ground.key(0));
        }
        let keys = self.ground.places.len().max(1);
        Some(match &self.picks {
            Picks::Zipf(law) => {
                let rank = law.sample(&mut self.random);
                self.ground.key(whole_size(rank).saturating_sub(1))
            }
            Picks::Uniform => self.random.random_range(0..keys),
            Picks::Sequence { first, step } => first.wrapping_add(turn.wrapping_mul(*step)) % keys,
            Picks::Once(Law::Sequence) => turn,
            Picks::Once(_) => self.ground.key(turn),
            Picks::Trace(trace) => {
                let place = trace.get(turn % trace.len().max(1)).copied();
                usize::try_from(place.unwrap_or_default()).unwrap_or_default()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const ONE: Lane = Lane { number: 0, of: 1 };

    fn draw(change: impl FnOnce(&mut Workload), trace: Option<&Arc<[u32]>>) -> Draw {
        let mut workload = Workload::preset("product-read").unwrap();
        change(&mut workload);
        let phase = &workload.phases[0];
        let ground = Ground::new(&workload, phase, 1000, trace, 7);
        Draw::new(&workload, phase, &ground, ONE, 7)
    }

    fn reads(mut draw: Draw, count: usize) -> Vec<usize> {
        let drawn = std::iter::from_fn(|| draw.next());
        let keys = drawn.take(count).map(|operation| match operation {
            Operation::Read(key) | Operation::Absent(key) | Operation::Write(key) => key,
            Operation::Batch(_) | Operation::Import(_) => panic!("several keys"),
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
        assert_ne!(
            draw(|_| {}, None).ground.key(0),
            0,
            "popular keys are spread"
        );
    }

    #[test]
    fn each_law_picks_its_way() {
        let sequence = reads(draw(|it| it.keys.law = Law::Sequence, None), 1002);
        assert_eq!(sequence[..3], [0, 1, 2]);
        assert_eq!(sequence[1000..], [0, 1]);
        let trace: Arc<[u32]> = vec![5, 1, 5].into();
        let traced = reads(draw(|it| it.keys.law = Law::Trace, Some(&trace)), 6);
        assert_eq!(traced, [5, 1, 5, 5, 1, 5]);
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
                    ..Mix::default()
                };
                it.phases[0].hot = 0.5;
            },
            None,
        );
        let hot = draw.ground.key(0);
        let (mut kinds, mut hits, mut keys) = ([0; 4], 0, 0);
        for _ in 0..40_000 {
            let operation = draw.next().unwrap();
            kinds[operation.kind() as usize] += 1;
            let asked = match operation {
                Operation::Read(key) | Operation::Absent(key) | Operation::Write(key) => vec![key],
                Operation::Batch(keys) | Operation::Import(keys) => {
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

    #[test]
    fn an_import_goes_through_the_catalogue_in_its_order_and_round_it() {
        let mut draw = draw(
            |it| {
                it.mix = Mix {
                    import: 1.0,
                    import_keys: 300,
                    ..Mix::default()
                };
            },
            None,
        );
        let mut all = Vec::new();
        for _ in 0..4 {
            let Some(Operation::Import(keys)) = draw.next() else {
                panic!("nothing but imports was asked for");
            };
            all.extend(keys);
        }
        let expected: Vec<usize> = (0..1200).map(|turn| turn % 1000).collect();
        assert_eq!(all, expected);
    }

    fn once(workload: &mut Workload) {
        workload.phases[0].once = true;
        workload.mix.write = 0.0;
    }

    #[test]
    fn once_is_each_key_once_whatever_the_law() {
        for law in [Law::Zipf, Law::Uniform, Law::Sequence] {
            let mut keys = reads(
                draw(
                    |it| {
                        once(it);
                        it.keys.law = law;
                    },
                    None,
                ),
                5000,
            );
            if law == Law::Sequence {
                assert!(keys.is_sorted());
            }
            keys.sort_unstable();
            assert_eq!(keys, (0..1000).collect::<Vec<_>>(), "{law:?}");
        }
        let trace: Arc<[u32]> = vec![5, 1, 5].into();
        let traced = draw(
            |it| {
                once(it);
                it.keys.law = Law::Trace;
            },
            Some(&trace),
        );
        assert_eq!(reads(traced, 10), [5, 1, 5]);
    }

    #[test]
    fn a_phase_of_so_many_operations_has_no_more_of_them_in_all_its_lanes() {
        let mut workload = Workload::preset("product-batch").unwrap();
        workload.operations = Some(30);
        let phase = &workload.phases[0];
        let ground = Ground::new(&workload, phase, 1000, None, 7);
        let mut lanes = [0, 1].map(|number| {
            let lane = Lane { number, of: 2 };
            Draw::new(&workload, phase, &ground, lane, 7)
        });
        let turns = (0..100).filter(|turn| lanes[turn % 2].next().is_some());
        assert_eq!(turns.count(), 30);
        assert!(ground.is_done());
    }
}
