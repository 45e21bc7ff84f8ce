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
    /// The node remembers one change and lets go of the others.
    pub lets_go: bool,
    /// These write something else.
    pub others: Transactions,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    begun: Transactions,
    committed: Transactions,
    log: Log,
    node: Option<Known>,
    slept: bool,
    entry: Option<Entry>,
}

/// What a load had seen, and whether the node has accepted it since. Epochs only matter beside
/// those of the last fold and the last cut, so each is told by whether it came before.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each thing that may have been forgotten"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    seen: Transactions,
    in_this_epoch: bool,
    since_fold: bool,
    since_cut: bool,
    since_gone: bool,
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
    /// What the node itself has let go of: who has not seen it is refused.
    gone: Option<Transactions>,
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
    /// The node looks at the entry, and remembers the epoch if it accepts it.
    Look,
}

impl Folding {
    fn accepts(&self, known: &Known, entry: Entry) -> bool {
        let seen = entry.seen;
        let is_old_covered = known.old_max.is_none_or(|max| {
            if entry.since_fold {
                true
            } else if self.rules.follow(Rule::OldMaxBelowXmin) {
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
        let is_cut_covered = known
            .cut
            .is_none_or(|cut| entry.since_cut || seen.contains(cut));
        let is_gone_covered = known
            .gone
            .is_none_or(|gone| entry.since_gone || seen.contains(gone));
        is_old_covered && is_recent_covered && is_cut_covered && is_gone_covered
    }

    fn accepts_only_what_has_seen_all(&self, state: &State) -> bool {
        let (Some(known), Some(entry)) = (&state.node, state.entry) else {
            return true;
        };
        let all = state.committed.both(known.cursor);
        !self.accepts(known, entry) || entry.seen.contains(all.but(self.others))
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
                gone: None,
                floor: log.floor,
            });
            if let Some(entry) = &mut state.entry {
                entry.since_fold = false;
                entry.since_cut = false;
                entry.since_gone = false;
                entry.in_this_epoch = false;
            }
            return;
        };
        let news = visible.but(known.cursor);
        let is_news = !news.is_empty() || known.floor != log.floor;
        if known.floor != log.floor {
            // All of it was known in this epoch already.
            known.floor = log.floor;
            let folded = known.recent.both(below(log.floor.xmin()));
            if !folded.is_empty() {
                known.recent = known.recent.but(folded);
                known.old_max = known.old_max.max(folded.highest());
                if let Some(entry) = self.forgetting(&mut state.entry) {
                    entry.since_fold = entry.in_this_epoch;
                }
            }
        }
        // What the cursor had seen before was known in this epoch, what it sees now was not.
        let moments = [(known.cursor, true), (state.committed, false)];
        known.cursor = state.committed;
        for id in news.ids() {
            self.note(&mut known, &mut state.entry, id, &moments);
        }
        if self.lets_go && !news.is_empty() && known.recent.len() > 1 {
            // The map is full: all that the cursor had seen before is forgotten.
            known.recent = known.recent.but(moments[0].0);
            known.gone = Some(moments[0].0);
            if let Some(entry) = self.forgetting(&mut state.entry) {
                entry.since_gone = entry.in_this_epoch;
            }
        }
        if is_news && let Some(entry) = &mut state.entry {
            entry.in_this_epoch = false;
        }
        state.node = Some(known);
    }

    /// With moments up to which the node knows the log, and whether it did in the entry's epoch.
    fn note(
        &self,
        known: &mut Known,
        entry: &mut Option<Entry>,
        id: u8,
        moments: &[(Transactions, bool)],
    ) {
        known.recent = known.recent.with(id);
        for (seen, in_this_epoch) in moments {
            if known.recent.len() <= self.longest_list {
                break;
            }
            known.recent = known.recent.but(*seen);
            if self.rules.follow(Rule::CutNeedsCursor) {
                known.cut = Some(*seen);
                if let Some(entry) = self.forgetting(entry) {
                    entry.since_cut = entry.in_this_epoch && *in_this_epoch;
                }
            }
        }
    }

    /// Without the rule an acceptance counts for all that comes after it.
    fn forgetting<'a>(&self, entry: &'a mut Option<Entry>) -> Option<&'a mut Entry> {
        entry
            .as_mut()
            .filter(|_| self.rules.follow(Rule::AcceptedSince))
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
        actions.extend([Action::Load, Action::Look, Action::Poll]);
        actions.push(if state.log.tick.is_none() {
            Action::TakeTick
        } else {
            Action::Fold
        });
        if let Some(known) = &state.node {
            let unseen = state.committed.but(known.cursor).but(self.others);
            actions.extend(unseen.ids().map(Action::OwnWrite));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Begin(id) => {
                next.begun = next.begun.with(id);
                next.log.rows = next.log.rows.with(id).but(self.others);
            }
            Action::Commit(id) => next.committed = next.committed.with(id),
            Action::Load => {
                next.entry = Some(Entry {
                    seen: next.committed,
                    in_this_epoch: false,
                    since_fold: false,
                    since_cut: false,
                    since_gone: false,
                });
            }
            Action::Look => {
                if let (Some(known), Some(entry)) = (&next.node, &mut next.entry)
                    && self.accepts(known, *entry)
                {
                    entry.in_this_epoch = true;
                    entry.since_fold = true;
                    entry.since_cut = true;
                    entry.since_gone = true;
                }
            }
            Action::TakeTick => next.log.tick = Some(next.committed),
            Action::Fold => self.fold(&mut next.log, next.committed),
            Action::Poll => self.poll(&mut next),
            Action::OwnWrite(id) => {
                if let Some(known) = &mut next.node {
                    let moments = [(known.cursor, true)];
                    self.note(known, &mut next.entry, id, &moments);
                    if let Some(entry) = &mut next.entry {
                        entry.in_this_epoch = false;
                    }
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
                    let accepted = |known: &Known, entry| model.accepts(known, entry);
                    state.committed.len() > 1
                        && matches!((&state.node, state.entry), (Some(known), Some(entry))
                        if known.cursor == state.committed && accepted(known, entry))
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
        if !self.others.is_empty() {
            properties.push(Property::sometimes(
                "an entry is accepted because it was before",
                |model: &Self, state: &State| {
                    matches!((&state.node, state.entry), (Some(known), Some(entry))
                        if model.accepts(known, entry)
                            && !model.accepts(known, Entry { since_fold: false, since_cut: false, since_gone: false, ..entry }))
                },
            ));
        }
        if self.longest_list < u32::from(self.transactions) {
            properties.push(Property::sometimes(
                "a list is cut",
                |_: &Self, state: &State| state.node.is_some_and(|known| known.cut.is_some()),
            ));
        }
        properties
    }
}
