//! That the checker notices what the rules are for: every node does without one of them.

use tingkat::node::Rule;

use crate::checker::check;
use crate::plan::Plan;
use crate::seeds::silence_wanted_panics;
use crate::world::run_plan;

/// A rule counts as not missed when so many seeds show nothing.
const SEEDS: u64 = 400;

/// The first seed whose history shows that the rule is missing.
fn first_to_notice(rule: Rule) -> Option<u64> {
    silence_wanted_panics();
    (0..SEEDS).find(|&seed| {
        let without = Some(rule);
        let plan = Plan {
            without,
            ..Plan::of(seed)
        };
        !check(&run_plan(plan).history).is_empty()
    })
}

fn is_missed(rule: Rule) {
    let seed = first_to_notice(rule);
    println!("{rule:?}: first noticed by seed {seed:?}");
    assert!(
        seed.is_some(),
        "{SEEDS} seeds miss nothing without {rule:?}"
    );
}

#[test]
fn r2_is_missed() {
    is_missed(Rule::Accept);
}

#[test]
fn r3_is_missed() {
    is_missed(Rule::Anchor);
}

#[test]
fn r4_is_missed() {
    is_missed(Rule::JudgeLoad);
}

#[test]
fn r5_is_missed() {
    is_missed(Rule::Join);
}

#[test]
fn r7_is_missed() {
    is_missed(Rule::ColdReset);
}

#[test]
fn folding_is_missed() {
    is_missed(Rule::Fold);
}
