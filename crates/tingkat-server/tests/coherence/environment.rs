//! What a soak tells a run: the only module of the suite that reads the environment.

/// The seed unless the environment names one.
const USUAL_SEED: u64 = 1;

/// The variable that names a rule which the nodes go without, if they were built for that.
pub(crate) const SWITCH_OFF: &str = "TINGKAT_SWITCH_OFF";

/// The seed of this process's run, which chooses who reads and writes what:
/// `TINGKAT_COHERENCE_SEED`, or the usual one.
pub(crate) fn seed() -> u64 {
    variable("TINGKAT_COHERENCE_SEED").map_or(USUAL_SEED, |text| text.parse().unwrap())
}

/// How many nodes a run shall have, where it does not say so itself: `TINGKAT_COHERENCE_NODES`.
pub(crate) fn nodes() -> Option<usize> {
    variable("TINGKAT_COHERENCE_NODES").map(|text| text.parse().unwrap())
}

/// The rule that the nodes shall go without.
pub(crate) fn switched_off() -> Option<String> {
    variable(SWITCH_OFF)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how a soak gives each run another seed"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
