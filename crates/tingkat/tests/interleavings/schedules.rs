//! How a scenario is run: under many schedules, the same ones each time as far as the code lets.

use std::panic::catch_unwind;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

const SEED: u64 = 7;
const RUNS: usize = 3_000;

/// Points at which PCT takes a thread off that should go on.
const SWITCHES: usize = 3;

/// Runs the scenario under every schedule; a panic and a deadlock fail it.
pub fn under_all(scenario: fn()) {
    run(RandomScheduler::new_from_seed(SEED, RUNS), scenario);
    run(PctScheduler::new_from_seed(SEED, SWITCHES, RUNS), scenario);
}

/// Asserts that some schedule fails the scenario, which is wrong on purpose, in this way.
pub fn is_caught(scenario: fn(), complaint: &str) {
    let failure =
        catch_unwind(|| under_all(scenario)).expect_err("no schedule shows what is wrong");
    let text = failure.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| failure.downcast_ref().copied());
    let text = text.unwrap_or_default();
    assert!(text.contains(complaint), "failed otherwise: {text}");
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(scenario);
}
