//! What a node knows beside a naive reading of the protocol: sets of transactions, nothing folded,
//! nothing cut, nothing forgotten.
//!
//! Whatever the oracle refuses must be refused. Where nothing was folded, both must say the same.

mod world;

use proptest::prelude::*;
use proptest::sample::Index;

use self::world::{Step, World};
use super::known::MOST_PATTERNS;
use super::*;

const ENTITIES: [&str; 2] = ["product", "state"];
const KEYS: [&str; 4] = ["7", "70", "8", "a7b"];
const TAGS: [&str; 3] = ["products.list", "state:7", "zone:east"];
const PATTERNS: [&str; 8] = [
    "product:7*",
    "product:*7",
    "product:*7*",
    "product:8",
    "state:*",
    "*:8",
    "prod*",
    "*",
];

fn change() -> impl Strategy<Value = Change> {
    let key = (0..ENTITIES.len(), 0..KEYS.len())
        .prop_map(|(entity, key)| Dep::of_key(ENTITIES[entity], KEYS[key]));
    let dep = prop_oneof![
        6 => key,
        3 => prop::sample::select(&TAGS[..]).prop_map(Dep::new),
        1 => prop::sample::select(&ENTITIES[..]).prop_map(Dep::of_entity),
        1 => Just(Dep::everything()),
    ];
    let kind = prop::sample::select(&[ChangeKind::Forget, ChangeKind::Expire][..]);
    let pattern = prop::sample::select(&PATTERNS[..]).prop_map(Dep::new);
    prop_oneof![
        5 => (dep, kind).prop_map(|(dep, kind)| Change { dep, kind }),
        1 => pattern.prop_map(|dep| Change { dep, kind: ChangeKind::Pattern }),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 1..3)
}

/// What leaves nothing folded.
fn plain_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Begin),
        4 => (any::<Index>(), changes()).prop_map(|(pick, changes)| Step::Commit(pick, changes)),
        2 => changes().prop_map(Step::OwnWrite),
        4 => Just(Step::Ask),
        2 => prop::bool::weighted(0.3).prop_map(|overflow| Step::AskAll { overflow }),
        6 => Just(Step::Hear),
        1 => prop::bool::weighted(0.3)
            .prop_map(|crash| if crash { Step::Crash } else { Step::ColdReset }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => plain_step(),
        2 => (change(), prop::sample::select(&[10, 65][..]), any::<bool>()).prop_map(
            |(change, times, is_own)| Step::Hammer { change, times, is_own }
        ),
        4 => Just(Step::Compact),
        1 => Just(Step::ManyPatterns),
    ]
}

fn strangers() -> impl Strategy<Value = Vec<Position>> {
    let position = (10_u64..40, prop::collection::btree_set(10_u64..40, 0..5));
    let position = position.prop_map(|(xmax, holes)| {
        let xip: Vec<u64> = holes.into_iter().filter(|xid| xid + 1 < xmax).collect();
        let xmin = xip.first().copied().unwrap_or(xmax);
        Position::snapshot(xmin, xmax, xip).unwrap()
    });
    prop::collection::vec(position, 0..4)
}

fn run(steps: Vec<Step>, strangers: &[Position]) -> Result<World, TestCaseError> {
    run_in(World::new(), steps, strangers)
}

fn run_in(
    mut world: World,
    steps: Vec<Step>,
    strangers: &[Position],
) -> Result<World, TestCaseError> {
    for step in steps {
        let may_tell = !matches!(
            step,
            Step::Begin | Step::Commit(..) | Step::Ask | Step::Compact
        );
        world.take(step);
        if may_tell {
            world.compare(strangers)?;
        }
    }
    Ok(world)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Where nothing is folded: what has seen every change of its deps is accepted, and nothing else.
    #[test]
    fn what_is_not_folded_is_judged_exactly(
        steps in prop::collection::vec(plain_step(), 0..50),
        strangers in strangers(),
    ) {
        run(steps, &strangers)?;
    }

    /// What a node that remembers few deps forgets refuses nothing that it accepted a moment ago,
    /// and accepts nothing that has not seen a change.
    #[test]
    fn what_is_forgotten_is_not_forgotten_by_what_was_accepted(
        steps in prop::collection::vec(any_step(), 0..60),
        strangers in strangers(),
    ) {
        run_in(World::remembering(6), steps, &strangers)?;
    }

    /// Whatever was folded, cut, or lost: what has not seen a change of its deps is refused.
    #[test]
    fn what_must_be_refused_is_refused(
        steps in prop::collection::vec(any_step(), 0..60),
        strangers in strangers(),
    ) {
        run(steps, &strangers)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Half a million deps take a while.
    #[test]
    fn more_deps_than_are_remembered_refuse_what_is_older(
        before in prop::collection::vec(any_step(), 0..30),
        after in prop::collection::vec(plain_step(), 0..12),
        strangers in strangers(),
    ) {
        let flood = [Step::AskAll { overflow: false }, Step::Hear, Step::ManyDeps, Step::Ask, Step::Hear];
        let world = run(before.into_iter().chain(flood).collect(), &strangers)?;
        prop_assert!(world.told.floor.is_some());
        prop_assert!(world.knowledge.deps() < MOST_DEPS);
        let mut world = world;
        for step in after {
            world.take(step);
            world.compare(&strangers)?;
        }
    }
}

/// A pattern that names no entity before its colon becomes a change of everything.
#[test]
fn a_pattern_of_many_entities_is_not_lost_when_there_are_too_many() {
    let mut world = World::new();
    world.take(Step::ManyPatterns);
    let pattern = Change {
        dep: Dep::new("*:8"),
        kind: ChangeKind::Pattern,
    };
    for step in [
        Step::AskAll { overflow: false },
        Step::Hear,
        Step::OwnWrite(vec![pattern]),
    ] {
        world.take(step);
    }
    world.compare(&[]).unwrap();
    let before = Position::snapshot(11, 11, Vec::new()).unwrap();
    world.compare(&[before]).unwrap();
}
