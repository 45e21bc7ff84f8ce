//! Joiners: callers of one node who share a flight, which finds its answer in Redis or loads it,
//! while others write, on this node too. An answer keeps the bound for each of them, and who began
//! after this node's own write has returned reads that write.

mod flights;

use stateright::{Model, Property};

pub use self::flights::{Action, Flight, Reader};
use crate::rule::Rules;

/// Values that one run can have.
const MOST_VALUES: usize = 4;

/// Stands for a value that is current still.
const CURRENT: u8 = u8::MAX;

/// A configuration. Values are numbered in the order of their commits, so that to have seen a
/// change is to be at least as new.
#[derive(Clone, Copy, Debug)]
pub struct Joiners {
    pub rules: Rules,
    pub bound: u8,
    pub end: u8,
    pub writes: u8,
    pub flights: u8,
    /// The first value is in Redis.
    pub redis: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: u8,
    /// The newest value.
    pub(super) value: u8,
    ended: [u8; MOST_VALUES],
    /// The newest change that the node knows; its epoch as well.
    pub(super) known: u8,
    pub(super) fresh_at: u8,
    /// An own write that has committed and has not returned.
    own: Option<u8>,
    /// The newest own write that has returned.
    pub(super) returned: u8,
    pub(super) flights: Vec<Flight>,
    /// Where the next caller looks for a flight.
    pub(super) listed: Option<u8>,
    pub(super) readers: [Reader; 2],
    /// What has happened on the way here.
    pub(super) past: Past,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Past {
    pub(super) joined_answer: bool,
    pub(super) early_caller_served: bool,
    pub(super) caller_sent_back: bool,
}

impl State {
    fn write(&mut self) -> u8 {
        self.ended[usize::from(self.value)] = self.now;
        self.value += 1;
        self.value
    }

    fn under_way(&self) -> usize {
        let over = |flight: &&Flight| **flight != Flight::Over;
        self.flights.iter().filter(over).count()
    }

    fn answers(&self) -> impl Iterator<Item = (u8, u8, u8)> {
        self.readers.iter().filter_map(|reader| match *reader {
            Reader::Answered {
                value,
                started,
                owed,
            } => Some((value, started, owed)),
            Reader::Idle | Reader::Started(_) | Reader::Waiting { .. } => None,
        })
    }
}

impl Model for Joiners {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            value: 0,
            ended: [CURRENT; MOST_VALUES],
            known: 0,
            fresh_at: 0,
            own: None,
            returned: 0,
            flights: Vec::new(),
            listed: None,
            readers: [Reader::Idle; 2],
            past: Past::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.end {
            actions.push(Action::Tick);
        }
        if state.value < self.writes {
            actions.push(Action::OthersCommit);
            if state.own.is_none() {
                actions.push(Action::OwnCommit);
            }
        }
        if state.own.is_some() {
            actions.push(Action::OwnReturn);
        }
        if state.fresh_at < state.now || state.known < state.value {
            actions.push(Action::Poll);
        }
        self.possible_flights(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Tick => next.now += 1,
            Action::OthersCommit => {
                next.write();
            }
            Action::OwnCommit => next.own = Some(next.write()),
            Action::OwnReturn => {
                if let Some(own) = next.own.take() {
                    if self.rules.follow(crate::rule::Rule::OwnWrites) {
                        next.known = next.known.max(own);
                    }
                    next.returned = next.returned.max(own);
                }
            }
            Action::Poll => {
                next.known = next.value;
                next.fresh_at = next.now;
            }
            Action::Start(reader) => Self::start(&mut next, reader),
            Action::Depart(reader) => self.depart(&mut next, reader),
            Action::Fly(flight, step) => self.fly(&mut next, flight, step),
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(
                "no answer is older than the bound",
                |model: &Self, state: &State| {
                    state.answers().all(|(value, started, _)| {
                        state.ended[usize::from(value)] >= started.saturating_sub(model.bound)
                    })
                },
            ),
            Property::always(
                "a caller reads what its node wrote",
                |_: &Self, state: &State| state.answers().all(|(value, _, owed)| value >= owed),
            ),
            Property::sometimes("an answer is joined", |_: &Self, state: &State| {
                state.past.joined_answer
            }),
            Property::sometimes(
                "a refused load serves who began before the change",
                |_: &Self, state: &State| state.past.early_caller_served,
            ),
            Property::sometimes("a joiner is sent back", |_: &Self, state: &State| {
                state.past.caller_sent_back
            }),
            Property::sometimes("an own write is read", |_: &Self, state: &State| {
                state
                    .answers()
                    .any(|(value, _, owed)| owed > 0 && value == owed)
            }),
        ];
        if self.end > self.bound {
            properties.push(Property::sometimes(
                "a load that is too old is replaced",
                |_: &Self, state: &State| state.under_way() > 1,
            ));
        }
        properties
    }
}
