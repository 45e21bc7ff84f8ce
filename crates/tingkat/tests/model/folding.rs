//! Folding: the log is compacted, nodes fold and cut what they remember, and a node that slept
//! past the floor reads the history. No clock: what a node accepts has seen every change that its
//! cursor has seen, which is all that the core needs.

use stateright::{Model, Property};

use crate::rule::{Rule, Rules};
use crate::transactions::Transactions;

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub struct Folding {
    pub rules: Rules,
    pub transactions: u8,
    /// A node cuts the list of recent ids above this length.
    pub longest_list: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    begun: Transactions,
    committed: Transactions,
    log: Log,
    node: Option<Known>,
    slept: bool,
    /// What the load of an entry had seen.
    entry: Option<Transactions>,
}

/// The tables of the log, for one dep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Log {
    /// Rows that were written, visible once their transaction has committed.
    rows: Transactions,
    folded_max: Option<u8>,
    floor: Transactions,
    tick: Option<Transactions>,
}

/// What the node remembers of the dep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Known {
    cursor: Transactions,
    recent: Transactions,
    old_max: Option<u8>,
    cut: Option<Transactions>,
    floor: Transactions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Begin(u8),
    Commit(u8),
    Load,
    TakeTick,
    Fold,
    Poll,
    OwnWrite(u8),
}

impl Folding {
    fn accepts(&self, known: &Known, seen: Transactions) -> bool {
        let is_old_covered = known.old_max.is_none_or(|max| {
            if self.rules.follow(Rule::OldMaxBelowXmin) {
                max < seen.xmin()
            } else {
                seen.has(max)
            }
        });
        let is_recent_covered = if self.rules.follow(Rule::KeepRecent) {
            seen.contains(known.recent)
        } else {
            known.recent.highest().is_none_or(|max| seen.has(max))
        };
        let is_cut_covered = known.cut.is_none_or(|cut| seen.contains(cut));
        is_old_covered && is_recent_covered && is_cut_covered
    }

    fn accepts_only_what_has_seen_all(&self, state: &State) -> bool {
        let (Some(known), Some(seen)) = (&state.node, state.entry) else {
            return true;
        };
        let all = state.committed.both(known.cursor);
        !self.accepts(known, seen) || seen.contains(all)
    }

    fn poll(&self, state: &mut State) {
        let log = state.log;
        let visible = log.rows.both(state.committed);
        let has_slept = |known: &Known| {
            !known.cursor.contains(log.floor) && self.rules.follow(Rule::ReloadAfterSleep)
        };
        let Some(mut known) = state.node.filter(|known| !has_slept(known)) else {
            // The history: what was folded, and every row.
            state.slept |= state.node.is_some();
            state.node = Some(Known {
                cursor: state.committed,
                recent: visible,
                old_max: log.folded_max,
                cut: None,
                floor: log.floor,
            });
            return;
        };
        let news = visible.but(known.cursor);
        known.cursor = state.committed;
        for id in news.ids() {
            self.note(&mut known, id);
        }
        if known.floor != log.floor {
            known.floor = log.floor;
            let folded = known.recent.both(below(log.floor.xmin()));
            known.recent = known.recent.but(folded);
            known.old_max = known.old_max.max(folded.highest());
        }
        state.node = Some(known);
    }

    fn note(&self, known: &mut Known, id: u8) {
        known.recent = known.recent.with(id);
        if known.recent.len() > self.longest_list {
            known.recent = known.recent.but(known.cursor);
            if self.rules.follow(Rule::CutNeedsCursor) {
                known.cut = Some(known.cursor);
            }
        }
    }

    fn fold(&self, log: &mut Log, committed: Transactions) {
        let Some(tick) = log.tick.take() else { return };
        let folded = if self.rules.follow(Rule::FoldBelowTick) {
            log.rows.both(below(tick.xmin()))
        } else {
            // All rows that are old enough, though the tick had not seen them commit.
            let written_before = tick
                .highest()
                .map_or(Transactions::NONE, Transactions::up_to);
            log.rows.both(committed).both(written_before)
        };
        log.rows = log.rows.but(folded);
        log.folded_max = log.folded_max.max(folded.highest());
        log.floor = tick;
    }
}

/// All ids below `xmin`.
fn below(xmin: u8) -> Transactions {
    (0..xmin).fold(Transactions::NONE, Transactions::with)
}

impl Model for Folding {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            begun: Transactions::NONE,
            committed: Transactions::NONE,
            log: Log::default(),
            node: None,
            slept: false,
            entry: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let next = state.begun.highest().map_or(0, |id| id + 1);
        if next < self.transactions {
            actions.push(Action::Begin(next));
        }
        let running = state.begun.but(state.committed);
        actions.extend(running.ids().map(Action::Commit));
        actions.extend([Action::Load, Action::Poll]);
        actions.push(if state.log.tick.is_none() {
            Action::TakeTick
        } else {
            Action::Fold
        });
        if let Some(known) = &state.node {
            let unseen = state.committed.but(known.cursor);
            actions.extend(unseen.ids().map(Action::OwnWrite));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Begin(id) => {
                next.begun = next.begun.with(id);
                next.log.rows = next.log.rows.with(id);
            }
            Action::Commit(id) => next.committed = next.committed.with(id),
            Action::Load => next.entry = Some(next.committed),
            Action::TakeTick => next.log.tick = Some(next.committed),
            Action::Fold => self.fold(&mut next.log, next.committed),
            Action::Poll => self.poll(&mut next),
            Action::OwnWrite(id) => {
                if let Some(known) = &mut next.node {
                    self.note(known, id);
                }
            }
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(
                "what is accepted has seen all that the cursor has",
                Self::accepts_only_what_has_seen_all,
            ),
            Property::sometimes(
                "an entry is accepted after a change",
                |model: &Self, state: &State| {
                    let accepted = |known: &Known, seen| model.accepts(known, seen);
                    state.committed.len() > 1
                        && matches!((&state.node, state.entry), (Some(known), Some(seen))
                        if known.cursor == state.committed && accepted(known, seen))
                },
            ),
            Property::sometimes("a node sleeps past the floor", |_: &Self, state: &State| {
                state.slept
            }),
            Property::sometimes(
                "a node folds what it remembers",
                |_: &Self, state: &State| {
                    let folded = state.node.filter(|_| !state.slept);
                    folded.is_some_and(|known| known.old_max.is_some() && !known.recent.is_empty())
                },
            ),
        ];
        if self.longest_list < u32::from(self.transactions) {
            properties.push(Property::sometimes(
                "a list is cut",
                |_: &Self, state: &State| state.node.is_some_and(|known| known.cut.is_some()),
            ));
        }
        properties
    }
}
