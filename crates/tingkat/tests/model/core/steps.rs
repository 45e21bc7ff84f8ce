//! Which steps are possible in a state, and what each does.

use super::node::{Action, Cell, Entry, Held, Known, Load, LoadStep, Node, Poll, PollStep};
use super::{Boot, Company, Core, State};
use crate::database::Database;
use crate::rule::Rule;
use crate::transactions::Transactions;

/// The node that only fills, in uneven company.
const FILLER: usize = 1;

impl Core {
    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        let database = &state.database;
        if database.now < self.end {
            actions.push(Action::Tick);
        }
        actions.extend(database.next_id(self.transactions).map(Action::Begin));
        actions.extend(database.running().ids().map(Action::Commit));
        if state.left.aborts > 0 {
            actions.extend(database.running().ids().map(Action::Abort));
        }
        if state.left.crashes > 0 {
            actions.push(Action::Crash);
        }
        if state.left.losses > 0 && database.has_writes() {
            actions.push(Action::LoseLastCommit);
        }
        if state.left.redis_failovers > 0 && state.replica != state.cell {
            actions.extend([Action::Replicate, Action::RedisFailover]);
        }
        if state.left.flushes > 0 && state.cell != Cell::Empty {
            actions.push(Action::Flush);
        }
        for (number, node) in state.nodes.iter().enumerate() {
            Self::possible_load(state, number, node, actions);
            if self.fills_only(number) {
                continue;
            }
            let poll = match node.poll {
                Poll::None => PollStep::Send,
                Poll::Sent { .. } => PollStep::Execute,
                Poll::Answered { .. } => PollStep::Apply,
            };
            actions.push(Action::Poll(number, poll));
            match (node.answer, state.cell) {
                (Some(_), _) => actions.push(Action::TakeAnswer(number)),
                (None, Cell::Value(_)) => actions.push(Action::AskRedis(number)),
                (None, Cell::Empty | Cell::Lease(_)) => {}
            }
            if state.left.restarts > 0 {
                actions.push(Action::Restart(number));
            }
        }
    }

    fn possible_load(state: &State, number: usize, node: &Node, actions: &mut Vec<Action>) {
        let steps: &[LoadStep] = match node.load {
            Load::None if state.left.loads == 0 => &[],
            Load::None if matches!(state.cell, Cell::Lease(_)) => &[LoadStep::BesideRedis],
            Load::None => &[LoadStep::BesideRedis, LoadStep::Lease],
            Load::Leased { .. } => &[LoadStep::Snapshot],
            Load::Half { .. } => &[LoadStep::Read],
            Load::Read { .. } => &[LoadStep::EnterMemory],
            Load::Filling { .. } => &[LoadStep::Fill, LoadStep::GiveUpFill],
        };
        actions.extend(steps.iter().map(|&step| Action::Load(number, step)));
    }

    pub(super) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Tick => state.database.now += 1,
            Action::Begin(id) => state.database.begin(id),
            Action::Commit(id) => state.database.commit(id),
            Action::Abort(id) => {
                state.left.aborts -= 1;
                state.database.abort(id);
            }
            Action::Crash => {
                state.left.crashes -= 1;
                state.database.crash(false);
            }
            Action::LoseLastCommit => {
                state.left.losses -= 1;
                state.database.crash(true);
            }
            Action::Replicate => state.replica = state.cell,
            Action::RedisFailover => {
                state.left.redis_failovers -= 1;
                state.cell = state.replica;
            }
            Action::Flush => {
                state.left.flushes -= 1;
                state.cell = Cell::Empty;
            }
            Action::Restart(number) => {
                state.left.restarts -= 1;
                state.nodes[number] = Node::started();
            }
            Action::Poll(number, step) => self.step_poll(state, number, step),
            Action::AskRedis(number) => {
                if let Cell::Value(entry) = state.cell {
                    state.nodes[number].answer = Some((entry, state.database.now));
                }
            }
            Action::TakeAnswer(number) => {
                let node = &mut state.nodes[number];
                if self.redis_serves(node).is_some()
                    && let Some((entry, _)) = node.answer
                {
                    node.memory = Some(Held {
                        entry,
                        loaded_at: None,
                        is_accepted: true,
                    });
                }
                node.answer = None;
            }
            Action::Load(number, step) => self.step_load(state, number, step),
        }
    }

    fn step_poll(&self, state: &mut State, number: usize, step: PollStep) {
        let database = &state.database;
        let node = &mut state.nodes[number];
        match (step, node.poll) {
            (PollStep::Send, _) => node.poll = Poll::Sent { at: database.now },
            (PollStep::Execute, Poll::Sent { at }) => {
                let news = self.poll(database, node, at);
                node.poll = Poll::Answered { at, news };
            }
            (PollStep::Apply, Poll::Answered { at, news }) => {
                node.poll = Poll::None;
                let fresh_at = if self.rules.follow(Rule::FreshAtSend) {
                    at
                } else {
                    database.now
                };
                self.apply(node, Known { fresh_at, ..news });
            }
            (PollStep::Execute | PollStep::Apply, _) => {}
        }
    }

    /// What a poll answers: the rows that became visible since the node's cursor, or all of them.
    fn poll(&self, database: &Database, node: &Node, sent_at: u8) -> Known {
        let visible = database.committed;
        let changes = match node.known {
            Some(known) if self.rules.follow(Rule::SnapshotDifference) => visible.but(known.cursor),
            Some(known) => {
                let passed = known.cursor.highest();
                visible.but(passed.map_or_else(Transactions::default, Transactions::up_to))
            }
            None if self.boot == Boot::History && self.rules.follow(Rule::HistoryAtBoot) => visible,
            None => Transactions::default(),
        };
        let is_boot_by_floor = node.known.is_none() && self.boot == Boot::Floor;
        Known {
            incarnation: database.incarnation,
            cursor: database.settled,
            changes,
            floor: if is_boot_by_floor {
                database.settled
            } else {
                Transactions::default()
            },
            fresh_at: sent_at,
        }
    }

    fn apply(&self, node: &mut Node, news: Known) {
        let before = node.known;
        let is_cold = before.is_some_and(|known| known.incarnation != news.incarnation)
            && self.rules.follow(Rule::ColdReset);
        if is_cold {
            // What the new log knows comes with the next poll.
            node.known = None;
        } else {
            node.known = Some(Known {
                changes: before.map_or(news.changes, |known| known.changes.and(news.changes)),
                floor: before.map_or(news.floor, |known| known.floor),
                ..news
            });
            if before.is_some() && news.changes.is_empty() {
                // The epoch does not move: nothing is looked at again.
                return;
            }
        }
        if let Some(held) = node.memory {
            let is_accepted = held.is_accepted && self.accepts(node, held.entry);
            node.memory = Some(Held {
                is_accepted,
                ..held
            });
        }
    }

    fn step_load(&self, state: &mut State, number: usize, step: LoadStep) {
        let database = &state.database;
        let load = state.nodes[number].load;
        let now_there = Entry {
            value: database.value(),
            seen: database.settled,
            incarnation: database.incarnation,
        };
        let next = match (step, load) {
            (LoadStep::Lease | LoadStep::BesideRedis, _) => {
                // Tokens are never given out twice.
                let token = state.left.loads;
                state.left.loads -= 1;
                if step == LoadStep::Lease {
                    state.cell = Cell::Lease(token);
                }
                Load::Leased { token }
            }
            (LoadStep::Snapshot, Load::Leased { token }) => Load::Half {
                token,
                at: database.now,
                entry: now_there,
            },
            (LoadStep::Read, Load::Half { token, at, entry }) => {
                let entry = if self.rules.follow(Rule::SnapshotFirst) {
                    Entry {
                        value: now_there.value,
                        ..entry
                    }
                } else {
                    Entry {
                        value: entry.value,
                        ..now_there
                    }
                };
                Load::Read { token, at, entry }
            }
            (LoadStep::EnterMemory, Load::Read { token, at, entry }) => {
                if self.enter(state, number, at, entry) {
                    Load::Filling { token, entry }
                } else {
                    Load::None
                }
            }
            (LoadStep::Fill, Load::Filling { token, entry }) => {
                if !self.leases || state.cell == Cell::Lease(token) {
                    state.cell = Cell::Value(entry);
                }
                Load::None
            }
            (LoadStep::GiveUpFill, _) => Load::None,
            (
                LoadStep::Snapshot | LoadStep::Read | LoadStep::EnterMemory | LoadStep::Fill,
                load,
            ) => load,
        };
        state.nodes[number].load = next;
    }

    /// Rule R4: into memory, and on to Redis, only if it is accepted now.
    fn enter(&self, state: &mut State, number: usize, at: u8, entry: Entry) -> bool {
        if self.fills_only(number) {
            // It may be any node, however much behind.
            return true;
        }
        let node = &mut state.nodes[number];
        if self.rules.follow(Rule::JudgeOnEntry) && !self.accepts(node, entry) {
            return false;
        }
        let loaded_at = if self.rules.follow(Rule::LoadedAtSnapshot) {
            at
        } else {
            state.database.now
        };
        node.memory = Some(Held {
            entry,
            loaded_at: Some(loaded_at),
            is_accepted: true,
        });
        true
    }

    fn fills_only(&self, number: usize) -> bool {
        self.company == Company::Filler && number == FILLER
    }
}
