//! The tests: many seeds, and that a seed stands for one history.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use tingkat::Tier;

use crate::checker::{Violation, check};
use crate::history::History;
use crate::plan::BOUND;
use crate::report::{Staleness, never_seen};
use crate::tally::Tally;
use crate::world::{Outcome, run};

/// The seeds of the suite.
const SUITE: Range<u64> = 0..200;

/// So many seeds run at a time.
const THREADS: usize = 2;

/// How many events of a key are printed.
const LAST_EVENTS: usize = 30;

/// The seeds that were asked for, or those of the suite.
fn seeds() -> (Range<u64>, bool) {
    #[expect(clippy::disallowed_methods, reason = "the way to ask for more seeds")]
    let asked = std::env::var("TINGKAT_SEEDS").ok();
    let Some(asked) = asked else {
        return (SUITE, true);
    };
    let (from, to) = asked.split_once("..").expect("TINGKAT_SEEDS=from..to");
    let number = |text: &str| text.parse().expect("TINGKAT_SEEDS=from..to");
    (number(from)..number(to), false)
}

/// Sources panic on purpose, and nobody wants to read that thousands of times.
pub(crate) fn silence_wanted_panics() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_wanted = panic
                .payload_as_str()
                .is_some_and(|text| text.starts_with("a neighbour panics"));
            if !is_wanted {
                usual(panic);
            }
        }));
    });
}

/// The violations of one seed, with the last events of the key of the first one.
fn describe(seed: u64, history: &History, violations: &[Violation]) -> String {
    let mut text = format!("seed {seed}: {} violations\n", violations.len());
    let Some(first) = violations.iter().min_by_key(|violation| violation.at()) else {
        return text;
    };
    let _ = writeln!(text, "the first one: {first}");
    for window in &history.faults {
        let is_near = window.from <= first.at()
            && window.to.saturating_add(Duration::from_secs(4)) >= first.at();
        if is_near {
            let _ = writeln!(text, "  {window:?}");
        }
    }
    let key = first.key();
    let mut events: Vec<(Duration, String)> = Vec::new();
    let node = first.read().map(|read| read.node);
    // What other nodes have in memory says little.
    let of_interest = history.reads.iter().filter(|read| {
        let is_from_memory = read
            .seen
            .as_ref()
            .is_ok_and(|seen| seen.tier == Tier::Memory);
        read.key == key && (Some(read.node) == node || !is_from_memory)
    });
    for read in of_interest {
        events.push((read.end, read.to_string()));
    }
    for load in history.loads.iter().filter(|load| load.key == key) {
        events.push((load.at, load.to_string()));
    }
    for row in crate::plan::rows_of(key) {
        for span in history.truth.spans(row) {
            events.push((
                span.from,
                format!("truth of {row}: {} until {:?}", span.version, span.to),
            ));
        }
    }
    events.sort();
    let until = events
        .iter()
        .rposition(|(at, _)| *at <= first.at())
        .map_or(0, |last| last + 1);
    for (at, event) in &events[until.saturating_sub(LAST_EVENTS)..until] {
        let _ = writeln!(text, "  {at:?} {event}");
    }
    text
}

#[derive(Default)]
struct Findings {
    failures: Vec<String>,
    staleness: Staleness,
    tally: Tally,
    reads: u64,
}

impl Findings {
    fn take_in(&mut self, seed: u64, outcome: &Outcome) {
        let violations = check(&outcome.history);
        if !violations.is_empty() {
            self.failures
                .push(describe(seed, &outcome.history, &violations));
        }
        self.reads += outcome.history.reads.len() as u64;
        self.staleness.add(&outcome.history);
        self.tally.merge(&outcome.tally);
    }

    fn merge(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.staleness.merge(other.staleness);
        self.tally.merge(&other.tally);
        self.reads += other.reads;
    }
}

fn run_all(seeds: Range<u64>) -> Findings {
    silence_wanted_panics();
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Findings::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut mine = Findings::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    mine.take_in(seed, &run(seed));
                }
                all.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .merge(mine);
            });
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Scenario 160. Hundreds of seeds under faults of every kind; each is checked as a whole history.
#[test]
fn no_read_is_older_than_the_bound_whatever_fails() {
    let (seeds, is_suite) = seeds();
    let mut found = run_all(seeds);
    println!("{}", found.tally);
    found.staleness.print();
    println!("{} reads", found.reads);
    let failures = &found.failures;
    assert!(
        failures.is_empty(),
        "{} seeds failed\n{}",
        failures.len(),
        failures.iter().take(5).cloned().collect::<String>()
    );
    assert!(found.staleness.max() <= BOUND + Duration::from_micros(2));
    if is_suite {
        let never = never_seen(&found.tally);
        assert!(never.is_empty(), "these never happened: {never:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    silence_wanted_panics();
    for seed in [1, 5, 12, 19] {
        assert_eq!(fingerprint(&run(seed)), fingerprint(&run(seed)), "{seed}");
    }
    assert_ne!(fingerprint(&run(1)), fingerprint(&run(2)));
}

fn fingerprint(outcome: &Outcome) -> u64 {
    let history = &outcome.history;
    let mut hasher = DefaultHasher::new();
    history.reads.hash(&mut hasher);
    history.loads.hash(&mut hasher);
    history.faults.hash(&mut hasher);
    history.truth.hash(&mut hasher);
    hasher.finish()
}
