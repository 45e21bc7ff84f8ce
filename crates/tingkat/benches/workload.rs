//! What the benchmarks share: keys by popularity, a source that answers at once, and ratios from
//! interleaved rounds.
#![allow(dead_code, missing_docs, reason = "each benchmark uses a part")]

use std::time::Duration;

use futures::future::BoxFuture;
use tingkat::error::SourceError;
use tingkat::ports::{Batch, Loaded, Source, Wanted};
use tingkat_testkit::fakes::FakeDatabase;
use tingkat_testkit::figures;

/// Values of one size, which it makes; certified by a database if there is one.
pub(crate) struct Blobs {
    pub(crate) database: Option<FakeDatabase>,
    pub(crate) size: usize,
}

impl Source<String, Vec<u8>> for Blobs {
    fn certifies(&self) -> bool {
        self.database.is_some()
    }

    fn load<'a>(
        &'a self,
        wanted: &'a [Wanted<String, Vec<u8>>],
    ) -> BoxFuture<'a, Result<Batch<Vec<u8>>, SourceError>> {
        Box::pin(async move {
            let certificate = self.database.as_ref().map(FakeDatabase::certificate);
            let loaded = wanted.iter().map(|_| Loaded::value(vec![7; self.size]));
            Ok(Batch {
                certificate,
                loaded: loaded.collect(),
            })
        })
    }
}

/// Picks among `keys` by Zipf's law with the given exponent, the same for the same seed.
pub(crate) fn zipf(keys: usize, exponent: f64, picks: usize, seed: u64) -> Vec<u32> {
    let mut cumulative = Vec::with_capacity(keys);
    let mut sum = 0.0;
    for rank in 1..=keys {
        sum += 1.0 / (rank as f64).powf(exponent);
        cumulative.push(sum);
    }
    // Popularity says nothing about the place of a key.
    let mut places: Vec<u32> = (0..keys as u32).collect();
    let mut random = Random(seed);
    for at in (1..keys).rev() {
        places.swap(at, random.below(at as u64 + 1) as usize);
    }
    (0..picks)
        .map(|_| {
            let point = random.unit() * sum;
            places[cumulative
                .partition_point(|&edge| edge < point)
                .min(keys - 1)]
        })
        .collect()
}

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Runs the contenders in turn, round after round, and prints each one's median beside the first's.
pub(crate) fn ratios<C>(
    title: &str,
    rounds: usize,
    operations: usize,
    contenders: &[(&str, C)],
    mut run: impl FnMut(&C) -> Duration,
) -> Vec<f64> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (place, (_, contender)) in contenders.iter().enumerate() {
            times[place].push(run(contender).as_nanos() as f64 / operations as f64);
        }
    }
    println!("\n{title} (median of {rounds} interleaved rounds)");
    let mut found = Vec::new();
    for (place, (name, _)) in contenders.iter().enumerate() {
        // Within one round the machine was about the same for all.
        let ratio = median(
            times[place]
                .iter()
                .zip(&times[0])
                .map(|(own, first)| own / first)
                .collect(),
        );
        let time = median(times[place].clone());
        println!("  {name:<34} {time:>10.1}   {ratio:>6.2} x");
        let cells = [
            ("median", format!("{time:.1}")),
            ("beside the first", format!("{ratio:.2} ×")),
        ];
        figures::row(title, name, &cells);
        found.push(ratio);
    }
    found
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
