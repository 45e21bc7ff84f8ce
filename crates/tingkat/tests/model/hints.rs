//! Hints: wake-ups that may be lost, late, repeated, forged or of another log. What a node knows
//! is complete up to its cursor, whatever they say.

use stateright::{Model, Property};

use crate::rule::{Rule, Rules};
use crate::transactions::Transactions;

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    pub rules: Rules,
    pub transactions: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    begun: Transactions,
    committed: Transactions,
    /// Hints that may arrive, any number of times: the transaction that each names.
    on_the_way: Transactions,
    foreign_on_the_way: bool,
    lost: Transactions,
    cursor: Transactions,
    changes: Transactions,
    poll: Poll,
    woken: bool,
    /// A hint did what it is for.
    helped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Poll {
    None,
    Sent,
    Answered {
        cursor: Transactions,
        news: Transactions,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Begin(u8),
    /// And its writer hints.
    Commit(u8),
    /// Anybody can name anything.
    Forge(u8),
    ForgeForeign,
    Lose(u8),
    Deliver(u8),
    DeliverForeign,
    PollByTimer,
    PollByHint,
    ExecutePoll,
    ApplyPoll,
}

impl Hints {
    /// The node is told that `id` has committed in its own log.
    fn hear(&self, state: &mut State, id: u8) {
        state.woken = true;
        if !self.rules.follow(Rule::HintsOnlyWake) {
            state.changes = state.changes.with(id);
            state.cursor = state.cursor.and(Transactions::up_to(id));
        }
    }

    fn knows_all_up_to_the_cursor(&self, state: &State) -> bool {
        // A transaction that the cursor has seen settled, and that commits later, was never seen.
        let unseen_though_seen = state.committed.both(state.cursor);
        state.changes.contains(unseen_though_seen)
    }
}

impl Model for Hints {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            begun: Transactions::NONE,
            committed: Transactions::NONE,
            on_the_way: Transactions::NONE,
            foreign_on_the_way: false,
            lost: Transactions::NONE,
            cursor: Transactions::NONE,
            changes: Transactions::NONE,
            poll: Poll::None,
            woken: false,
            helped: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let next = state.begun.highest().map_or(0, |id| id + 1);
        if next < self.transactions {
            actions.push(Action::Begin(next));
        }
        actions.extend(state.begun.but(state.committed).ids().map(Action::Commit));
        actions.extend((0..self.transactions).map(Action::Forge));
        actions.push(Action::ForgeForeign);
        actions.extend(state.on_the_way.ids().map(Action::Lose));
        actions.extend(state.on_the_way.ids().map(Action::Deliver));
        if state.foreign_on_the_way {
            actions.push(Action::DeliverForeign);
        }
        match state.poll {
            Poll::None if state.woken => actions.push(Action::PollByHint),
            Poll::None => actions.push(Action::PollByTimer),
            Poll::Sent => actions.push(Action::ExecutePoll),
            Poll::Answered { .. } => actions.push(Action::ApplyPoll),
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Begin(id) => next.begun = next.begun.with(id),
            Action::Commit(id) => {
                next.committed = next.committed.with(id);
                next.on_the_way = next.on_the_way.with(id);
            }
            Action::Forge(id) => next.on_the_way = next.on_the_way.with(id),
            Action::ForgeForeign => next.foreign_on_the_way = true,
            Action::Lose(id) => {
                next.on_the_way = next.on_the_way.but(Transactions::of(&[id]));
                next.lost = next.lost.with(id);
            }
            Action::Deliver(id) => self.hear(&mut next, id),
            // Of another incarnation: nothing to do with this log.
            Action::DeliverForeign => next.foreign_on_the_way = false,
            Action::PollByTimer => next.poll = Poll::Sent,
            Action::PollByHint => {
                next.woken = false;
                next.poll = Poll::Sent;
                next.helped |= !state.changes.contains(state.committed);
            }
            Action::ExecutePoll => {
                next.poll = Poll::Answered {
                    cursor: next.committed,
                    news: next.committed.but(next.cursor),
                };
            }
            Action::ApplyPoll => {
                if let Poll::Answered { cursor, news } = next.poll {
                    next.changes = next.changes.and(news);
                    next.cursor = next.cursor.and(cursor);
                    next.poll = Poll::None;
                }
            }
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "what is known is complete up to the cursor",
                Self::knows_all_up_to_the_cursor,
            ),
            Property::sometimes("a hint brings news early", |_: &Self, state: &State| {
                state.helped && state.changes == state.committed && !state.committed.is_empty()
            }),
            Property::sometimes(
                "news come although the hint is lost",
                |_: &Self, state: &State| {
                    !state.helped && !state.lost.both(state.changes).is_empty()
                },
            ),
            Property::sometimes("a forged hint is heard", |_: &Self, state: &State| {
                state.woken && !state.on_the_way.but(state.committed).is_empty()
            }),
        ]
    }
}
