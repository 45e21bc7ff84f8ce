//! Runs a model to its end and tells what was found on the way.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::{Checker as _, Expectation, HasDiscoveries, Model};

/// No configuration comes near; one that does has not been explored to its end.
const MOST_STATES: usize = 20_000_000;

/// What an exploration brought.
#[derive(Debug)]
pub struct Explored {
    name: &'static str,
    states: usize,
    depth: usize,
    took: Duration,
    is_whole: bool,
    /// The first broken promise and the shortest way to it.
    pub broken: Option<(&'static str, Vec<String>)>,
    /// What should have happened in some state and did in none.
    never: Vec<&'static str>,
}

/// Looks at every state of `model`, on two threads: nothing depends on the order.
pub fn exhaust<M>(name: &'static str, model: M) -> Explored
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    run(name, model, 2)
}

/// Looks for the shortest way to a broken promise, on one thread: it is the same each time.
pub fn explore<M>(name: &'static str, model: M) -> Explored
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    run(name, model, 1)
}

fn run<M>(name: &'static str, model: M, threads: usize) -> Explored
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let properties = model.properties();
    let started = now();
    let checker = model
        .checker()
        .threads(threads)
        .target_state_count(MOST_STATES)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let found = |property: &stateright::Property<M>| checker.discovery(property.name);
    let broken = properties
        .iter()
        .filter(|property| matches!(property.expectation, Expectation::Always))
        .find_map(|property| {
            let path = found(property)?;
            let actions = path.into_actions();
            let steps = actions.iter().map(|action| format!("{action:?}")).collect();
            Some((property.name, steps))
        });
    let never = properties
        .iter()
        .filter(|property| matches!(property.expectation, Expectation::Sometimes))
        .filter(|property| found(property).is_none())
        .map(|property| property.name)
        .collect();
    Explored {
        name,
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: started.elapsed(),
        is_whole: checker.is_done() && checker.state_count() < MOST_STATES,
        broken,
        never,
    }
}

impl Explored {
    /// Prints a row: what, the result, the size of the search.
    pub fn print(&self) {
        let result = match &self.broken {
            None => "holds".to_owned(),
            Some((_, steps)) => format!("broken after {} steps", steps.len()),
        };
        println!(
            "{:52} {:22} {:>9} states, depth {:>2}, {:>6.2?}",
            self.name, result, self.states, self.depth, self.took
        );
    }

    /// Every state was seen, every promise held in all of them, and they were not empty ones.
    pub fn assert_holds(&self) {
        self.print();
        assert_eq!(self.broken, None, "{}", self.name);
        assert!(self.is_whole, "{}: not explored to its end", self.name);
        assert!(
            self.never.is_empty(),
            "{}: never {:?}",
            self.name,
            self.never
        );
    }

    /// A promise was broken.
    pub fn assert_broken(&self) {
        self.print();
        if let Some((promise, steps)) = &self.broken {
            println!("    not so: {promise}");
            println!("    {}", steps.join(", "));
        }
        assert!(
            self.broken.is_some(),
            "{}: nothing is wrong without it",
            self.name
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the checker itself takes"
)]
fn now() -> Instant {
    Instant::now()
}
