//! Random numbers that a test can repeat: ids of leases, jitter, early refresh.

use std::sync::atomic::{AtomicU64, Ordering};

/// A stream of random numbers without a lock: a counter through `splitmix64`
/// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug)]
pub(crate) struct Random {
    nonce: u64,
    counter: AtomicU64,
}

impl Random {
    /// A stream that differs from every other one.
    pub(crate) fn from_system() -> Self {
        Self {
            nonce: rand::random(),
            counter: AtomicU64::new(rand::random()),
        }
    }

    /// The same stream for the same seed.
    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self {
            nonce: mix(seed),
            counter: AtomicU64::new(mix(!seed)),
        }
    }

    /// Eight digits that tell a few things apart.
    pub(crate) fn short_id() -> String {
        format!("{:08x}", rand::random::<u32>())
    }

    /// The next 64 bits.
    pub(crate) fn bits(&self) -> u64 {
        // Only uniqueness of the counter's values matters, not their order among threads.
        mix(self
            .counter
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// 16 bytes that no other stream gives: the stream's own half, and one that never repeats.
    pub(crate) fn id(&self) -> [u8; 16] {
        let wide = (u128::from(self.nonce) << 64) | u128::from(self.bits());
        wide.to_be_bytes()
    }

    /// A number from above 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn unit(&self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (one, two) = (Random::from_seed(7), Random::from_seed(7));
        for _ in 0..100 {
            assert_eq!(one.bits(), two.bits());
        }
        assert_ne!(Random::from_seed(8).bits(), Random::from_seed(7).bits());
    }

    #[test]
    fn unit_is_never_zero_and_never_above_one() {
        let random = Random::from_seed(1);
        for _ in 0..10_000 {
            let unit = random.unit();
            assert!(unit > 0.0 && unit <= 1.0, "{unit}");
        }
    }
}
