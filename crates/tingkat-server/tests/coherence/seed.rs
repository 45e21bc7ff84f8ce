//! The seed of this process's run, which chooses who reads and writes what.

/// The seed unless the environment names one.
const USUAL: u64 = 1;

/// The value of `TINGKAT_COHERENCE_SEED`, or the usual one.
#[expect(
    clippy::disallowed_methods,
    reason = "how a soak gives each run another seed"
)]
pub(crate) fn seed() -> u64 {
    let named = std::env::var("TINGKAT_COHERENCE_SEED").ok();
    named.map_or(USUAL, |text| text.parse().unwrap())
}
