//! Publication: one poller that tells what it knows, and readers that are stopped between any two
//! of their steps. One write; memory and Redis both hold the value before it.

use stateright::{Model, Property};

use crate::rule::{Rule, Rules};

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub struct Publication {
    pub rules: Rules,
    pub bound: u8,
    pub end: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    now: u8,
    /// When the write committed.
    written_at: Option<u8>,
    /// The poll under way, while it is published.
    poll: Option<Poll>,
    /// A change that has nothing to do with the entry was polled.
    others_polled: bool,
    /// What is published.
    knows: bool,
    epoch: u8,
    fresh_at: u8,
    /// The epoch in which the entry in memory was last accepted.
    accepted_in: u8,
    hit: Hit,
    search: Search,
    rechecked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Poll {
    sent_at: u8,
    saw_write: bool,
    /// What moves the epoch: the write, or a change of something else.
    is_news: bool,
    step: usize,
}

/// A reader of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Hit {
    started: Option<u8>,
    step: usize,
    fresh_at: u8,
    epoch: u8,
    /// What the entry said.
    accepted_in: u8,
    is_served: bool,
}

/// A reader whose answer from Redis has just arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Search {
    started: Option<u8>,
    step: usize,
    fresh_at: u8,
    epoch: u8,
    is_accepted: bool,
    is_served: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    Write,
    Poll,
    PollOthers,
    Publish(Told),
    StartHit,
    Hit(Look),
    StartSearch,
    Search(Look),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Knowledge,
    Epoch,
    FreshAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    FreshAt,
    Epoch,
    Entry,
    Judge,
    Decide,
}

impl Publication {
    fn publishing(&self) -> [Told; 3] {
        if !self.rules.follow(Rule::KnowledgeBeforeEpoch) {
            [Told::Epoch, Told::Knowledge, Told::FreshAt]
        } else if !self.rules.follow(Rule::EpochBeforeFreshAt) {
            [Told::Knowledge, Told::FreshAt, Told::Epoch]
        } else {
            [Told::Knowledge, Told::Epoch, Told::FreshAt]
        }
    }

    fn hitting(&self) -> [Look; 4] {
        if self.rules.follow(Rule::FreshAtReadFirst) {
            [Look::FreshAt, Look::Epoch, Look::Entry, Look::Decide]
        } else {
            [Look::Epoch, Look::FreshAt, Look::Entry, Look::Decide]
        }
    }

    fn searching(&self) -> [Look; 4] {
        if !self.rules.follow(Rule::AnchorBeforeJudgement) {
            [Look::Epoch, Look::Judge, Look::FreshAt, Look::Decide]
        } else if !self.rules.follow(Rule::EpochBeforeJudgement) {
            [Look::FreshAt, Look::Judge, Look::Epoch, Look::Decide]
        } else {
            [Look::FreshAt, Look::Epoch, Look::Judge, Look::Decide]
        }
    }

    fn publish(state: &mut State, told: Told) {
        let Some(poll) = state.poll else { return };
        match told {
            Told::Knowledge => state.knows |= poll.saw_write,
            Told::Epoch => state.epoch += u8::from(poll.is_news),
            Told::FreshAt => state.fresh_at = poll.sent_at,
        }
        let step = poll.step + 1;
        state.poll = (step < 3).then_some(Poll { step, ..poll });
    }

    fn hit(&self, state: &mut State, look: Look) {
        let mut hit = state.hit;
        hit.step += 1;
        match look {
            Look::FreshAt => hit.fresh_at = state.fresh_at,
            Look::Epoch => hit.epoch = state.epoch,
            Look::Entry => hit.accepted_in = state.accepted_in,
            Look::Judge => {}
            Look::Decide => {
                let started = hit.started.unwrap_or(0);
                let is_anchored = started <= hit.fresh_at + self.bound;
                if hit.accepted_in == hit.epoch {
                    hit.is_served = is_anchored;
                } else if is_anchored && !state.knows {
                    // Looked at again, and accepted in the epoch that was read before.
                    state.accepted_in = hit.epoch;
                    state.rechecked = true;
                    hit.is_served = true;
                }
                if !hit.is_served {
                    hit = Hit::default();
                }
            }
        }
        state.hit = hit;
    }

    fn search(&self, state: &mut State, look: Look) {
        let mut search = state.search;
        search.step += 1;
        match look {
            Look::FreshAt => search.fresh_at = state.fresh_at,
            Look::Epoch => search.epoch = state.epoch,
            Look::Judge => search.is_accepted = !state.knows,
            Look::Entry => {}
            Look::Decide => {
                let started = search.started.unwrap_or(0);
                let is_anchored = started <= search.fresh_at + self.bound;
                if search.is_accepted && is_anchored {
                    state.accepted_in = search.epoch;
                    search.is_served = true;
                } else {
                    search = Search::default();
                }
            }
        }
        state.search = search;
    }

    fn keeps_the_promise(&self, state: &State) -> bool {
        let hit = state.hit.started.filter(|_| state.hit.is_served);
        let search = state.search.started.filter(|_| state.search.is_served);
        let mut served = hit.into_iter().chain(search);
        served.all(|started| {
            let since = started.saturating_sub(self.bound);
            state.written_at.is_none_or(|at| at >= since)
        })
    }
}

impl Model for Publication {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            written_at: None,
            poll: None,
            others_polled: false,
            knows: false,
            epoch: 1,
            fresh_at: 0,
            accepted_in: 1,
            hit: Hit::default(),
            search: Search::default(),
            rechecked: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.end {
            actions.push(Action::Tick);
        }
        if state.written_at.is_none() {
            actions.push(Action::Write);
        }
        match state.poll {
            Some(poll) => actions.push(Action::Publish(self.publishing()[poll.step])),
            None if state.others_polled => actions.push(Action::Poll),
            None => actions.extend([Action::Poll, Action::PollOthers]),
        }
        if state.hit.started.is_none() {
            actions.push(Action::StartHit);
        } else if let Some(&look) = self.hitting().get(state.hit.step) {
            actions.push(Action::Hit(look));
        }
        if state.search.started.is_none() {
            actions.push(Action::StartSearch);
        } else if let Some(&look) = self.searching().get(state.search.step) {
            actions.push(Action::Search(look));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Tick => next.now += 1,
            Action::Write => next.written_at = Some(next.now),
            Action::Poll | Action::PollOthers => {
                let saw_write = next.written_at.is_some() && !next.knows;
                let saw_others = action == Action::PollOthers;
                next.others_polled |= saw_others;
                next.poll = Some(Poll {
                    sent_at: next.now,
                    saw_write,
                    is_news: saw_write || saw_others,
                    step: 0,
                });
            }
            Action::Publish(told) => Self::publish(&mut next, told),
            Action::StartHit => next.hit.started = Some(next.now),
            Action::Hit(look) => self.hit(&mut next, look),
            Action::StartSearch => next.search.started = Some(next.now),
            Action::Search(look) => self.search(&mut next, look),
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no value is older than the bound", Self::keeps_the_promise),
            Property::sometimes(
                "memory is served in a later epoch",
                |_: &Self, state: &State| state.hit.is_served && state.hit.started > Some(0),
            ),
            Property::sometimes(
                "the old value is served in time",
                |_: &Self, state: &State| {
                    state.hit.is_served
                        && state.written_at < state.hit.started
                        && state.written_at.is_some()
                },
            ),
            Property::sometimes("a find in Redis is served", |_: &Self, state: &State| {
                state.search.is_served
            }),
            Property::sometimes("an entry is looked at again", |_: &Self, state: &State| {
                state.rechecked
            }),
        ]
    }
}
